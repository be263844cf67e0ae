/**
 * A stand-in for `@std/text/closest-string`, for networks that do not reach
 * jsr.io: written for this project, and no more than it uses.
 *
 * @module
 */

/** Options for {@linkcode closestString}. */
export interface ClosestStringOptions {
  /**
   * Whether letters of another case count as other letters.
   *
   * @default {false}
   */
  caseSensitive?: boolean;
}

/** Finds the word with the fewest edits from the given one, the first if equal. */
export function closestString(
  givenWord: string,
  possibleWords: ReadonlyArray<string>,
  options: ClosestStringOptions = {},
): string {
  const fold = (word: string): string =>
    options.caseSensitive ? word : word.toLowerCase();
  let closest: string | undefined;
  let fewest = Infinity;
  for (const word of possibleWords) {
    const edits = editDistance([...fold(givenWord)], [...fold(word)]);
    if (edits < fewest) [closest, fewest] = [word, edits];
  }
  if (closest === undefined) {
    throw new TypeError("Cannot find the closest string among no words");
  }
  return closest;
}

function editDistance(from: string[], to: string[]): number {
  let row = to.map((_, index) => index + 1);
  from.forEach((letter, index) => {
    let [left, diagonal] = [index + 1, index];
    row = row.map((above, column) => {
      const replaced = diagonal + (letter === to[column] ? 0 : 1);
      diagonal = above;
      left = Math.min(above + 1, left + 1, replaced);
      return left;
    });
  });
  return row.at(-1) ?? from.length;
}
