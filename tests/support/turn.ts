/**
 * Waiting without time passing.
 *
 * @module
 */

/** Resolves when all has gone on that can without time passing. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
