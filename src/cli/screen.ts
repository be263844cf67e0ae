/**
 * What a terminal gets: colours, and a line that tells how far something is.
 *
 * @module
 */

import type { Io, Screen } from "./command.ts";
import type { Clock } from "../clock.ts";

/** No terminal at all: what output is taken for that a program gathers. */
export const NO_SCREEN: Screen = {
  stdin: false,
  stdout: false,
  stderr: false,
  columns: 80,
  color: false,
};

/** The least time between two drawings, in milliseconds. */
const DRAW_MS = 100;

/** From when to when plain lines come at every thousand. */
const FIRST_STEP = 1000;

/** How many characters a bar has, where there is room. */
const BAR = 20;

const CLEAR_LINE = "\r\x1b[K";

const STYLES = {
  plain: 0,
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
} as const;

/** A way to show text that stands out. */
export type Style = keyof typeof STYLES;

/** Styles text for standard output or error, where that shows colours. */
export function paint(
  text: string,
  style: Style,
  { screen }: Io,
  stream: "stdout" | "stderr" = "stdout",
): string {
  return screen[stream] && screen.color && text !== "" && style !== "plain"
    ? `\x1b[${STYLES[style]}m${text}\x1b[0m`
    : text;
}

/** A whole number as people read it. */
export function plainNumber(value: number): string {
  return value.toLocaleString("en-US");
}

/** A number of things: `1 job`, `10,000 jobs`. */
export function counted(count: number, noun: string): string {
  return `${plainNumber(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** What a progress tells. */
export interface ProgressOptions {
  /** What is done: `Sent`. */
  readonly verb: string;
  /** What it is done to, one of them: `job`. */
  readonly noun: string;
  readonly clock: Clock;
  /** How many there are, where that is known. */
  readonly total?: number | undefined;
}

/**
 * How far something is: a bar on a terminal, now and then a plain line
 * elsewhere, both on standard error.
 *
 * It draws when it is told of something, with no timer of its own.
 */
export class Progress implements Disposable {
  readonly #io: Io;
  readonly #options: ProgressOptions;
  readonly #startedMs: number;
  #drawnMs = -Infinity;
  #shown = "";
  #nextLine = FIRST_STEP;

  constructor(io: Io, options: ProgressOptions) {
    this.#io = io;
    this.#options = options;
    this.#startedMs = options.clock.now();
  }

  /**
   * Tells how many are done.
   *
   * @param done How many.
   * @param fraction How much of the whole that is, from 0 to 1, where it is
   * known otherwise than by the total.
   */
  update(done: number, fraction?: number): void {
    if (this.#io.screen.stderr) this.#draw(done, fraction);
    else this.#line(done);
  }

  /** Writes a line to standard error; the bar stands below it. */
  say(line: string): void {
    this.#clear();
    this.#io.stderr(line);
    if (this.#shown !== "") this.#io.draw(this.#shown);
  }

  /** Takes the bar away: what came of it all is told elsewhere. */
  [Symbol.dispose](): void {
    this.#clear();
    this.#shown = "";
  }

  #clear(): void {
    if (this.#shown !== "") this.#io.draw(CLEAR_LINE);
  }

  #draw(done: number, fraction: number | undefined): void {
    const now = this.#options.clock.now();
    if (now - this.#drawnMs < DRAW_MS) return;
    this.#drawnMs = now;
    this.#shown = this.#text(done, fraction, now);
    this.#io.draw(CLEAR_LINE + this.#shown);
  }

  #text(done: number, fraction: number | undefined, now: number): string {
    const { total } = this.#options;
    const seconds = (now - this.#startedMs) / 1000;
    const rate = seconds > 0 ? done / seconds : 0;
    const part = fraction ?? (total ? done / total : undefined);
    // The last column stays free: some terminals go to the next line there.
    const width = this.#io.screen.columns - 1;
    const says = `${this.#count(done)}${
      rate >= 1 ? `, ${plainNumber(Math.round(rate))}/s` : ""
    }`;
    if (part === undefined) return says.slice(0, width);
    const known = Math.min(1, part);
    const text = ` ${String(Math.floor(known * 100)).padStart(3)} % ${says}`;
    const room = Math.min(BAR, width - text.length - 2);
    if (room < 5) return text.trimStart().slice(0, width);
    const filled = Math.floor(known * room);
    return `[${"#".repeat(filled)}${"-".repeat(room - filled)}]${text}`;
  }

  /** At 1,000, 2,000, ..., 10,000, 20,000, ..., 100,000, 200,000, ... */
  #line(done: number): void {
    if (done < this.#nextLine) return;
    this.#io.stderr(this.#count(done));
    const step = 10 ** Math.floor(Math.log10(done));
    this.#nextLine = (Math.floor(done / step) + 1) * step;
  }

  #count(done: number): string {
    const { verb, noun, total } = this.#options;
    return total === undefined
      ? `${verb} ${counted(done, noun)}`
      : `${verb} ${plainNumber(done)} of about ${counted(total, noun)}`;
  }
}
