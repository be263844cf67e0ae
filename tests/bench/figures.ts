/**
 * Medians with their spread, and tables of them.
 *
 * @module
 */

/** The median of some figures, and their range. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The spread of figures, of which there is at least one. */
export function spreadOf(figures: readonly number[]): Spread {
  const sorted = figures.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median =
    (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
}

/** A spread as people read it: `1.24 (1.10..1.31)`. */
export function spreadText({ median, min, max }: Spread): string {
  return `${figureText(median)} (${figureText(min)}..${figureText(max)})`;
}

/** A figure with three digits that count, or all of a longer whole part. */
export function figureText(figure: number): string {
  const whole = Math.trunc(Math.abs(figure)).toString().length;
  if (Number.isInteger(figure) || whole > 2) {
    return Math.round(figure).toLocaleString("en");
  }
  return figure.toFixed(Math.abs(figure) < 1 ? 3 : 3 - whole);
}

/** Rows under their heads, in columns. */
export function tableText(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) =>
    Math.max(...rows.map((row) => row[column]!.length))
  );
  return rows.map((row) =>
    row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd()
  ).join("\n");
}
