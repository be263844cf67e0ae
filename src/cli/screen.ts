/**
 * Terminal output: colours, numbers, and a progress bar.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { plainNumber } from "../numbers.ts";
import { escapeControls, printable, printableLines } from "../text.ts";
import { cutTo, widthOf } from "./width.ts";

/** The command line's input and output. */
export interface Io {
  /** Writes a line to standard output. */
  stdout(line: string): void;
  /** Writes a line to standard error. */
  stderr(line: string): void;
  /** Writes bytes to standard output, unchanged. */
  write(bytes: Uint8Array): void;
  /** The bytes of standard input. */
  stdin(): AsyncIterable<Uint8Array>;
  /** Writes text to standard error without a line end; used on terminals only. */
  draw(text: string): void;
  /** Which of these streams are terminals. */
  readonly screen: Screen;
}

/** Which streams of the command line are terminals. */
export interface Screen {
  /** Whether standard input is a terminal, so that questions can be answered. */
  readonly stdin: boolean;
  /** Whether standard output is a terminal. */
  readonly stdout: boolean;
  /** Whether standard error is a terminal, so that progress can be drawn. */
  readonly stderr: boolean;
  /** The terminal's width in characters. */
  readonly columns: number;
  /** Its height in lines, if it is known. */
  readonly rows?: number | undefined;
  /** Whether terminals get colours. */
  readonly color: boolean;
  /** The size of standard input in bytes, if it is a file. */
  readonly inputBytes?: number | undefined;
}

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

/** A part of a line, with its style on a stream that shows colours. */
export interface Styled {
  readonly text: string;
  readonly style?: Style | undefined;
}

/**
 * The output of commands, and the one place where it is made safe. Text of a
 * server, a message or a file forges no other line and drives no terminal.
 */
export class Output {
  readonly #io: Io;
  /** The lines that `redrawLines` wrote last. */
  #drawnLines = 0;

  constructor(io: Io) {
    this.#io = io;
  }

  get screen(): Screen {
    return this.#io.screen;
  }

  stdin(): AsyncIterable<Uint8Array> {
    return this.#io.stdin();
  }

  /** Writes a line to standard output; line ends in it are indented. */
  stdout(...parts: readonly (string | Styled)[]): void {
    this.#io.stdout(this.#line(parts, "stdout"));
  }

  /** Writes a line to standard error; line ends in it are indented. */
  stderr(...parts: readonly (string | Styled)[]): void {
    this.#io.stderr(this.#line(parts, "stderr"));
  }

  /** Copies bytes to standard output: unchanged, unless it is a terminal. */
  copy(bytes: Uint8Array): void {
    this.#io.write(
      this.screen.stdout
        ? encoder.encode(
          escapeControls(new TextDecoder().decode(bytes)),
        )
        : bytes,
    );
  }

  /** Asks on the terminal. */
  ask(question: string): void {
    this.#io.draw(`${printable(question)} [y/N] `);
  }

  /** Replaces the terminal's last line. */
  redraw(text: string): void {
    this.#io.draw(CLEAR_LINE + printable(text));
  }

  /** Writes lines to a terminal in place of its last ones. */
  redrawLines(lines: readonly (readonly Styled[])[]): void {
    const { columns, rows = Infinity } = this.screen;
    // What has left the screen cannot be replaced.
    const up = this.#drawnLines < rows ? this.#drawnLines : 0;
    if (up > 0) this.#io.write(encoder.encode(`\x1b[${up}A\x1b[J`));
    // Some terminals wrap when their last column is written.
    for (const line of lines) this.stdout(...cutParts(columns - 1, line));
    this.#drawnLines = lines.length;
  }

  #line(
    parts: readonly (string | Styled)[],
    stream: "stdout" | "stderr",
  ): string {
    const hasColor = this.screen[stream] && this.screen.color;
    return parts.map((part) => {
      const { text, style }: Styled = typeof part === "string"
        ? { text: part }
        : part;
      const safe = printableLines(text);
      return hasColor && safe !== "" && style !== undefined
        ? `\x1b[${STYLES[style]}m${safe}\x1b[0m`
        : safe;
    }).join("");
  }
}

const encoder = new TextEncoder();

/** Cuts a line to the columns that it may take. */
export function cutParts(
  width: number,
  parts: readonly Styled[],
): readonly Styled[] {
  let room = width;
  return parts.map(({ text, style }) => {
    const cut = cutTo(room, printable(text));
    room -= widthOf(cut);
    return { text: cut, style };
  });
}

/** A value that may be absent: `-` if it is, or is not a number. */
export function orDash(value: string | number | null | undefined): string {
  if (typeof value === "string") return value;
  return Number.isFinite(value) ? plainNumber(value as number) : "-";
}

/**
 * Progress on standard error: a bar on a terminal, otherwise a line at 1,000,
 * 2,000, ..., 10,000, 20,000, ... It draws when it is updated, without a timer.
 */
export class Progress implements Disposable {
  readonly #io: Output;
  readonly #clock: Clock;
  readonly #textOf: (done: number) => string;
  #drawnMs = -Infinity;
  /** The text that stands on the terminal. */
  #shown = "";
  #nextLine = FIRST_STEP;

  /** @param textOf Says how many are done: `Sent 3 jobs`. */
  constructor(io: Output, clock: Clock, textOf: (done: number) => string) {
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
    this.#shown = cutTo(width, barText(this.#textOf(done), fraction));
    this.#io.redraw(this.#shown);
  }

  /** Writes to the terminal above the bar. */
  above(write: () => void): void {
    if (this.#shown !== "") this.#io.redraw("");
    write();
    if (this.#shown !== "") this.#io.redraw(this.#shown);
  }

  [Symbol.dispose](): void {
    if (this.#shown !== "") this.#io.redraw("");
    this.#shown = "";
  }
}

function barText(text: string, fraction: number | undefined): string {
  if (fraction === undefined) return text;
  const part = Math.min(1, fraction);
  const bar = "#".repeat(Math.floor(part * BAR)).padEnd(BAR, "-");
  return `[${bar}]${String(Math.floor(part * 100)).padStart(4)} % ${text}`;
}
