/**
 * The check that every public function makes of its options object.
 *
 * @module
 */

import { quote, show, suggest } from "./text.ts";

/**
 * Refuses an options object with an unknown member or a wrong `signal`.
 *
 * @param options The options.
 * @param known The names of the known ones.
 * @param action What fails otherwise, for example `send job`.
 * @throws {TypeError} If it is no object, has an unknown member, or its
 * `signal` is no `AbortSignal`.
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
  if (name !== undefined) {
    throw new TypeError(
      `Cannot ${action} as ${quote(name)} is not an option: ${
        suggest(name, known, "options")
      }`,
    );
  }
  const { signal } = options as { signal?: unknown };
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError(
      `Cannot ${action} as "signal" must be an AbortSignal: current value is ${
        show(signal)
      }`,
    );
  }
}
