/**
 * Checks the options that a test gives to the testing double.
 *
 * @module
 */

import { refuseUnknown } from "../unknown_options.ts";
import { show } from "../text.ts";

/** What an option must be. */
export interface OptionCheck {
  /** In words, for example `a boolean`. */
  readonly wanted: string;
  /** Another number throws a `RangeError`. */
  readonly isNumber?: boolean;
  readonly isRequired?: boolean;
  fits(value: unknown): boolean;
}

export const BOOLEAN: OptionCheck = {
  wanted: "a boolean",
  fits: (value) => typeof value === "boolean",
};

export const SECONDS: OptionCheck = numeric(
  "a number of seconds, 0 or more",
  (value) => Number.isFinite(value) && value >= 0,
);

/** A number for which a condition holds. */
export function numeric(
  wanted: string,
  holds: (value: number) => boolean,
): OptionCheck {
  return { wanted, isNumber: true, fits: (value) => holds(value as number) };
}

/** An integer in a range, both ends included. */
export function integer(from: number, to = Infinity): OptionCheck {
  const range = to === Infinity
    ? `of ${from} or more`
    : `from ${from} to ${to}`;
  return numeric(
    `an integer ${range}`,
    (value) => Number.isInteger(value) && value >= from && value <= to,
  );
}

/**
 * Checks options. An `undefined` option counts as absent.
 *
 * @param action What fails, for example `inject fault`.
 * @param options The options.
 * @param checks The check of each option.
 * @param checked Further options, which are checked elsewhere.
 * @throws {TypeError} If an option is unknown or of a wrong type.
 * @throws {RangeError} If a number is out of range.
 */
export function checkOptions(
  action: string,
  options: object,
  checks: Readonly<Record<string, OptionCheck>>,
  checked: readonly string[] = [],
): void {
  refuseUnknown(options, [...Object.keys(checks), ...checked], action);
  for (const [name, check] of Object.entries(checks)) {
    const value = Reflect.get(options, name);
    if (value === undefined && !check.isRequired) continue;
    checkOption(action, name, value, check);
  }
}

/** Checks one option, which must be there. */
export function checkOption(
  action: string,
  name: string,
  value: unknown,
  check: OptionCheck,
): void {
  if (check.fits(value)) return;
  const shown = Array.isArray(value) ? JSON.stringify(value) : show(value);
  const message =
    `Cannot ${action} as "${name}" must be ${check.wanted}: current value is ${shown}`;
  throw check.isNumber && typeof value === "number"
    ? new RangeError(message)
    : new TypeError(message);
}
