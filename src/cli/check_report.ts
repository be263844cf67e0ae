/**
 * The report of `zsqs check`: a line with the result of each check.
 *
 * @module
 */

import { ConfigError } from "../errors.ts";
import { printable } from "../text.ts";
import { describeError, DONE, stackOf, USAGE } from "./errors.ts";
import { counted } from "../numbers.ts";
import type { Output, Style } from "./screen.ts";
import { wrapTo } from "./width.ts";

interface Row {
  readonly label: string;
  readonly text: string;
  /** Absent if all is right. */
  readonly style?: Style;
}

export interface HowToCheck {
  /** Whether to add stacks to problems. */
  readonly debug: boolean;
  /** Whether to look at the server of `--local`. */
  readonly local: boolean;
  readonly port: number;
}

/** Where texts begin: behind the longest label. */
const INDENT = 18;

/** The results of one file, or of all files together. */
export class Report {
  readonly #rows: Row[] = [];
  readonly #how: HowToCheck;
  status = DONE;
  problems = 0;
  warnings = 0;

  constructor(how: HowToCheck) {
    this.#how = how;
  }

  found(label: string, text: string): void {
    this.#rows.push({ label, text });
  }

  warn(label: string, texts: readonly string[]): void {
    this.warnings += texts.length;
    for (const text of texts) {
      this.#rows.push({ label, text, style: "yellow" });
    }
  }

  /** Adds lines about a wrong configuration. */
  refuse(label: string, lines: readonly string[]): void {
    if (lines.length > 0) this.status = USAGE;
    this.problems += lines.length;
    for (const text of lines) this.#rows.push({ label, text, style: "red" });
  }

  /** Looks, and adds the reason if that fails. */
  async look(label: string, look: () => Promise<void>): Promise<void> {
    try {
      await look();
    } catch (error) {
      const { lines, status } = await describeError(error, this.#how);
      this.status = Math.max(this.status, status);
      this.problems += error instanceof ConfigError ? error.problems.length : 1;
      const stack = this.#how.debug ? stackOf(error) : [];
      const stackLines = stack.flatMap((text) => text.split("\n"));
      for (const text of [...lines, ...stackLines]) {
        this.#rows.push({ label, text, style: "red" });
      }
    }
  }

  /** Prints the rows: the facts to standard output, the rest to standard error. */
  print(title: string, io: Output): void {
    io.stdout({ text: printable(title), style: "bold" });
    for (const { label, text, style } of this.#rows) {
      const stream = style === undefined ? "stdout" : "stderr";
      const { [stream]: isTerminal, columns } = io.screen;
      const [first = "", ...rest] = isTerminal
        ? wrapTo(Math.max(columns - INDENT, 40), printable(text))
        : [text];
      const head = `  ${label}`.padEnd(INDENT);
      io[stream](head, { text: first, style });
      for (const line of rest) {
        io[stream](" ".repeat(INDENT), { text: line, style });
      }
    }
  }
}

/** Prints how many problems there are, as the last line. */
export function printSummary(
  files: readonly string[],
  reports: readonly Report[],
  io: Output,
): void {
  const sum = (key: "problems" | "warnings") =>
    reports.reduce((sum, report) => sum + report[key], 0);
  const [problems, warnings] = [sum("problems"), sum("warnings")];
  const what = files.length === 1
    ? printable(files[0]!)
    : counted(files.length, "file");
  const found = [
    problems === 0 ? "no problems" : counted(problems, "problem"),
    ...warnings === 0 ? [] : [counted(warnings, "warning")],
  ].join(", ");
  const style = problems > 0 ? "red" : warnings > 0 ? "yellow" : "green";
  io.stdout({ text: `Checked ${what}: ${found}`, style });
}
