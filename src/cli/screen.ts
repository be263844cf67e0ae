/**
 * Terminal output: colours, numbers, and a progress bar.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Io, Screen } from "./command.ts";

/** No terminal: the screen of output that a program collects. */
export const NO_SCREEN: Screen = {
  stdin: false,
  stdout: false,
  stderr: false,
  columns: 80,
  color: false,
};

const DRAW_MS = 100;

/** The count at which plain lines begin. */
const FIRST_STEP = 1000;

const BAR = 20;

const CLEAR_LINE = "\r\x1b[K";

const STYLES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const;

export type Style = keyof typeof STYLES;

/** Styles text for a stream that shows colours. */
export function paint(
  text: string,
  style: Style | undefined,
  { screen }: Io,
  stream: "stdout" | "stderr" = "stdout",
): string {
  return screen[stream] && screen.color && text !== "" && style
    ? `\x1b[${STYLES[style]}m${text}\x1b[0m`
    : text;
}

/** A value that may be absent: `-` if it is, or is not a number. */
export function orDash(value: string | number | null | undefined): string {
  if (typeof value === "string") return value;
  return Number.isFinite(value) ? plainNumber(value as number) : "-";
}

export function plainNumber(value: number): string {
  return value.toLocaleString("en-US");
}

/** A number of things: `1 job`, `10,000 jobs`. */
export function counted(count: number, noun: string): string {
  return `${plainNumber(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Progress on standard error: a bar on a terminal, otherwise a line at 1,000,
 * 2,000, ..., 10,000, 20,000, ... It draws when it is updated, without a timer.
 */
export class Progress implements Disposable {
  readonly #io: Io;
  readonly #clock: Clock;
  readonly #textOf: (done: number) => string;
  #drawnMs = -Infinity;
  /** The text that stands on the terminal. */
  #shown = "";
  #nextLine = FIRST_STEP;

  /** @param textOf Says how many are done: `Sent 3 jobs`. */
  constructor(io: Io, clock: Clock, textOf: (done: number) => string) {
    this.#io = io;
    this.#clock = clock;
    this.#textOf = textOf;
  }

  /** Shows how many are done, and their fraction of the whole if it is known. */
  update(done: number, fraction: number | undefined): void {
    const { screen } = this.#io;
    if (!screen.stderr) {
      if (done < this.#nextLine) return;
      this.#io.stderr(this.#textOf(done));
      const step = 10 ** Math.floor(Math.log10(done));
      this.#nextLine = (Math.floor(done / step) + 1) * step;
      return;
    }
    const now = this.#clock.now();
    if (now - this.#drawnMs < DRAW_MS) return;
    this.#drawnMs = now;
    // Some terminals wrap when their last column is written.
    const width = screen.columns - 1;
    this.#shown = barText(this.#textOf(done), fraction).slice(0, width);
    this.#io.draw(CLEAR_LINE + this.#shown);
  }

  /** Writes to the terminal above the bar. */
  above(write: () => void): void {
    if (this.#shown !== "") this.#io.draw(CLEAR_LINE);
    write();
    if (this.#shown !== "") this.#io.draw(this.#shown);
  }

  [Symbol.dispose](): void {
    if (this.#shown !== "") this.#io.draw(CLEAR_LINE);
    this.#shown = "";
  }
}

function barText(text: string, fraction: number | undefined): string {
  if (fraction === undefined) return text;
  const part = Math.min(1, fraction);
  const bar = "#".repeat(Math.floor(part * BAR)).padEnd(BAR, "-");
  return `[${bar}]${String(Math.floor(part * 100)).padStart(4)} % ${text}`;
}
