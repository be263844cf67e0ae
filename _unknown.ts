/**
 * Refuses members of an options object that nobody would look at.
 *
 * @module
 */

import { closestString } from "@std/text/closest-string";

/**
 * Checks that an options object has known members only.
 *
 * @param options The options.
 * @param known The names of the known ones.
 * @param action What fails otherwise, for example `send job`.
 * @throws {TypeError} If it has another member.
 */
export function refuseUnknown(
  options: object,
  known: readonly string[],
  action: string,
): void {
  const name = Object.keys(options).find((name) => !known.includes(name));
  if (name === undefined) return;
  throw new TypeError(
    `Cannot ${action} as "${name}" is not an option: the nearest is "${
      closestString(name, known)
    }", the options are ${known.map((name) => `"${name}"`).join(", ")}`,
  );
}
