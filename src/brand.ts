/**
 * Brands, by which `instanceof` recognises errors of other copies and versions
 * of this package: a program and its worker often load different ones.
 *
 * @module
 */

/** The errors that have a brand of their name. */
export const BRANDS = [
  "ConfigError",
  "JobAbortedError",
  "NonExistentQueueError",
  "PartialBatchError",
  "PermanentError",
  "SchemaError",
  "SendError",
  "SqsError",
  "TransientError",
] as const;

/** The name of a brand. */
type BrandName = typeof BRANDS[number];

// A job may replace what all code of its process shares.
const { defineProperty, hasOwn } = Object;

/** The symbols of the brands, which all copies share. */
const KEYS = Object.fromEntries(
  BRANDS.map((name) => [name, Symbol.for(`zsqs/1/${name}`)]),
) as Record<BrandName, symbol>;

/** Gives a value a brand. */
export function mark<T extends object>(value: T, name: BrandName): T {
  return defineProperty(value, KEYS[name], { value: true });
}

/** Whether a value has a brand; it never throws. */
export function isMarked(value: unknown, name: BrandName): boolean {
  try {
    return typeof value === "object" && value !== null &&
      hasOwn(value, KEYS[name]);
  } catch {
    return false; // A proxy whose traps throw.
  }
}

/**
 * Makes `value instanceof branded` true for every value with the brand.
 * Subclasses keep the ordinary `instanceof`.
 */
export function claim(branded: object, name: BrandName): void {
  Object.defineProperty(branded, Symbol.hasInstance, {
    value(this: object, value: unknown): boolean {
      return this === branded
        ? isMarked(value, name)
        : Function.prototype[Symbol.hasInstance].call(this, value);
    },
  });
}
