/**
 * How many columns of a terminal text takes, for tables and cuts.
 *
 * @module
 */

/** Takes no column by itself. */
const NARROWEST = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** Holds a character of two columns. */
const WIDE =
  /[[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Bopo}\p{sc=Hang}\p{sc=Yi}\p{Emoji_Presentation}\ufe0f\uff01-\uff60\uffe0-\uffe6]--[\uff61-\uffdc]]/v;

const ASCII = /^[ -~]*$/;

/** A sender may stack any number of marks on one character. */
const MAX_UNITS = 16;

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

function graphemeWidth(grapheme: string): number {
  if (NARROWEST.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

/** The columns of a printable text in one line. */
export function widthOf(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    width += graphemeWidth(segment);
  }
  return width;
}

/** Fills a text up with spaces. */
export function padTo(width: number, text: string): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

/** Cuts a text to the columns that it may take, with `…` at the cut. */
export function cutTo(width: number, text: string): string {
  if (text.length <= width && ASCII.test(text)) return text;
  // However long the rest is, it is not looked at.
  const start = text.slice(0, (width + 1) * MAX_UNITS);
  let taken = 0;
  let kept = "";
  for (const { segment } of graphemes.segment(start)) {
    taken += graphemeWidth(segment);
    if (taken > width) return width === 0 ? "" : `${kept}…`;
    if (taken < width) kept += segment;
  }
  return start.length < text.length ? `${kept}…` : text;
}

/** Parts a text into lines of at most so many columns, at spaces. */
export function wrapTo(width: number, text: string): string[] {
  const lines: string[] = [];
  let line = "";
  let taken = 0;
  for (const word of text.split(" ")) {
    const wide = widthOf(word);
    if (line !== "" && taken + 1 + wide > width) {
      lines.push(line);
      line = word;
      taken = wide;
    } else {
      taken += line === "" ? wide : wide + 1;
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
