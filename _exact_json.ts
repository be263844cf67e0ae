/**
 * JSON whose numbers arrive as they were written.
 *
 * @module
 */

/**
 * Reads JSON, refusing whole numbers that JavaScript would change.
 *
 * @throws {SyntaxError} If it is no JSON.
 * @throws {RangeError} If it holds such a number.
 */
export function parseExact(text: string): unknown {
  return JSON.parse(
    text,
    // TypeScript does not know the third parameter yet.
    ((_key: string, value: unknown, context?: { source?: string }) => {
      const source = context?.source ?? "";
      if (
        typeof value === "number" && /^-?\d+$/.test(source) &&
        !(Number.isFinite(value) && BigInt(source) === BigInt(value))
      ) {
        throw new RangeError(
          `Cannot send ${source} as a number as JavaScript would change it to ${value}: send it as a string, "${source}" with the quotes`,
        );
      }
      return value;
    }) as (key: string, value: unknown) => unknown,
  );
}
