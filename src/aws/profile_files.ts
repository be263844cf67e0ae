/**
 * Where the files with AWS profiles are.
 *
 * @module
 */

import { homedir } from "node:os";
import { join } from "node:path";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The user's folder, as the SDK finds it. */
export function homeFolder(env: Environment): string {
  const { HOME, USERPROFILE, HOMEPATH, HOMEDRIVE = "C:" } = env;
  return HOME || USERPROFILE ||
    (HOMEPATH ? `${HOMEDRIVE}${HOMEPATH}` : homedir());
}

/** Whether the environment names the user's folder. */
export function namesHome(env: Environment): boolean {
  return Boolean(env.HOME || env.USERPROFILE || env.HOMEPATH);
}

/** The two files that may hold profiles: `config` and `credentials`. */
export function profileFiles(
  env: Environment,
): readonly [config: string, credentials: string] {
  const inHome = (name: string) => join(homeFolder(env), ".aws", name);
  return [
    env.AWS_CONFIG_FILE || inHome("config"),
    env.AWS_SHARED_CREDENTIALS_FILE || inHome("credentials"),
  ];
}
