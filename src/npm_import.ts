/**
 * Imports packages of npm when they are needed. Deno resolves a package with a
 * literal specifier at every start.
 *
 * @module
 */

import { ConfigError } from "./errors.ts";
import { RUNTIME } from "./runtime.ts";

/**
 * Imports a package.
 *
 * @param version The version that Deno takes.
 * @param action The start of the error's message, such as `Cannot open bucket`.
 * @throws {ConfigError} If it is not installed on Node or Bun.
 */
export async function importPackage<T>(
  name: string,
  version: string,
  action: string,
): Promise<T> {
  if (RUNTIME === "Deno") {
    return await import(["npm", `${name}@${version}`].join(":"));
  }
  try {
    return await import(name);
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: string };
    const isMissing = code === "ERR_MODULE_NOT_FOUND" &&
      /^Cannot find (?:module|package) .(\S+?)[\\'"]/.exec(String(message))
          ?.[1] === name;
    if (!isMissing) throw error;
    throw new ConfigError(
      `${action} on ${RUNTIME}: run "npm install ${name}@${version}" first, or use Deno`,
      { cause: error },
    );
  }
}
