/**
 * The files with AWS profiles, read by the AWS SDK's own parser.
 *
 * @module
 */

import { lstatSync } from "node:fs";
import { isNotCapable } from "../errors.ts";
import { type Environment, profileFiles } from "./profile_files.ts";

/** The settings of a profile, by name. */
export type ProfileSettings = Readonly<Record<string, string | undefined>>;

/** The content of the profile files. */
export interface Profiles {
  /** The profiles, by name. */
  readonly profiles: ReadonlyMap<string, ProfileSettings>;
  /** The files that exist. */
  readonly files: readonly string[];
  /** The files that Deno's permissions do not let this program read. */
  readonly denied: readonly string[];
}

/** Reads the profile files, as far as they exist and are readable. */
export async function readProfiles(env: Environment): Promise<Profiles> {
  const [configFilepath, filepath] = profileFiles(env);
  const { loadSharedConfigFiles } = await import("@smithy/core/config");
  const { configFile, credentialsFile } = await loadSharedConfigFiles({
    configFilepath,
    filepath,
    ignoreCache: true,
  });
  const profiles = new Map<string, ProfileSettings>(Object.entries(configFile));
  for (const [name, settings] of Object.entries(credentialsFile)) {
    profiles.set(name, { ...profiles.get(name), ...settings });
  }
  const paths = [configFilepath, filepath];
  return {
    profiles,
    files: paths.filter((path) => look(path) === "present"),
    denied: paths.filter((path) => look(path) === "denied"),
  };
}

function look(path: string): "present" | "absent" | "denied" {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found === undefined ? "absent" : "present";
  } catch (error) {
    return isNotCapable(error) ? "denied" : "absent";
  }
}
