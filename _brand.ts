/**
 * Brands: what makes an error of one copy of this package `instanceof` the same
 * class of another copy or version in the same process.
 *
 * @module
 */

/** Marks values and knows them again, whichever copy marked them. */
export class Brand {
  readonly #key: symbol;

  /** A brand by the name that all copies know it by. */
  constructor(name: string) {
    this.#key = Symbol.for(`zsqs/1/${name}`);
  }

  /** Marks a value. */
  mark<T extends object>(value: T): T {
    return Object.defineProperty(value, this.#key, { value: true });
  }

  /** Whether a value is marked. */
  has(value: unknown): boolean {
    return typeof value === "object" && value !== null &&
      (value as Record<symbol, unknown>)[this.#key] === true;
  }

  /** Answers `value instanceof asked` for the branded class and those below. */
  isInstance(branded: object, asked: object, value: unknown): boolean {
    return asked === branded
      ? this.has(value)
      : Function.prototype[Symbol.hasInstance].call(asked, value);
  }
}
