/**
 * A stand-in for `@std/text/levenshtein-distance`, for networks that do not
 * reach jsr.io: written for this project, and no more than it uses.
 *
 * @module
 */

/** The fewest letters to insert, delete or replace to turn one text into another. */
export function levenshteinDistance(str1: string, str2: string): number {
  const to = [...str2];
  let row = [...to.keys()].map((index) => index + 1);
  for (const [index, letter] of [...str1].entries()) {
    let [left, diagonal] = [index + 1, index];
    row = row.map((above, column) => {
      const replaced = diagonal + (letter === to[column] ? 0 : 1);
      diagonal = above;
      left = Math.min(above + 1, left + 1, replaced);
      return left;
    });
  }
  return row.at(-1) ?? [...str1].length;
}
