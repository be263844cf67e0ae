/**
 * Brands, by which `instanceof` recognises errors of other copies of this
 * package.
 *
 * @module
 */

/**
 * Recognises values that any copy or version of this package marked: a program
 * and its worker often load different ones.
 */
export class Brand {
  readonly #key: symbol;

  /** All copies share the brand of a name. */
  constructor(name: string) {
    this.#key = Symbol.for(`zsqs/1/${name}`);
  }

  mark<T extends object>(value: T): T {
    return Object.defineProperty(value, this.#key, { value: true });
  }

  has(value: unknown): boolean {
    try {
      return typeof value === "object" && value !== null &&
        (value as Record<symbol, unknown>)[this.#key] === true;
    } catch {
      return false; // A proxy whose traps throw.
    }
  }

  /**
   * Makes `value instanceof branded` true for every marked value. Subclasses
   * keep the ordinary `instanceof`.
   */
  claim(branded: object): void {
    const has = (value: unknown) => this.has(value);
    Object.defineProperty(branded, Symbol.hasInstance, {
      value(this: object, value: unknown): boolean {
        return this === branded
          ? has(value)
          : Function.prototype[Symbol.hasInstance].call(this, value);
      },
    });
  }
}
