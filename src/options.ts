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
 * @throws {TypeError} If it is no object, has another member, or its `signal` is
 * no `AbortSignal`.
 */
export function refuseUnknown(
  options: object,
  known: readonly string[],
  action: string,
): void {
  if (typeof options !== "object" || options === null) {
    throw new TypeError(
      `Cannot ${action} as its options are ${options}: wanted an object`,
    );
  }
  const name = Object.keys(options).find((name) => !known.includes(name));
  if (name !== undefined) throw unknownOption(name, known, action);
  const { signal } = options as { signal?: unknown };
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(
      `Cannot ${action} as "signal" must be an AbortSignal: current value is ${
        String(signal)
      }`,
    );
  }
}

function unknownOption(
  name: string,
  known: readonly string[],
  action: string,
): TypeError {
  return new TypeError(
    `Cannot ${action} as "${name}" is not an option: the nearest is "${
      closestString(name, known)
    }", the options are ${known.map((name) => `"${name}"`).join(", ")}`,
  );
}
