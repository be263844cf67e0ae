/**
 * Where log records go: the standard streams and files.
 *
 * @module
 */

import { BaseHandler } from "@std/log/base-handler";
import { type LevelName, LogLevelNames, LogLevels } from "@std/log/levels";
import type { LogRecord } from "@std/log/logger";
import fs from "node:fs";
import { dirname, resolve } from "node:path";
import { isNotCapable } from "../errors.ts";
import { RUNTIME } from "../runtime.ts";
import { quote } from "../text.ts";
import { reasonOf } from "./error_data.ts";
import type { RecordFormatter } from "./format.ts";
import type { LogFileConfig } from "./loggers_text.ts";
import { type ConsoleMethod, print } from "./printing.ts";

/**
 * The lowest of `@std/log`'s levels that is not below a number. As records have
 * no other levels, it lets the same ones through.
 *
 * @param level The number, 0 to 50.
 * @returns The level's name.
 */
export function levelFrom(level: number): LevelName {
  return LogLevelNames.find((name) => LogLevels[name] >= level) ?? "CRITICAL";
}

/** A handler that never throws: it counts the lines that it cannot write. */
export abstract class LogHandler extends BaseHandler {
  /** How many lines could not be written anywhere. */
  lostLines = 0;

  /**
   * Constructs a new instance.
   *
   * @param level Records below this level are not written, 0 to 50.
   * @param formatter Writes a record as text.
   */
  constructor(level: number, formatter: RecordFormatter) {
    super(levelFrom(level), { formatter });
  }

  override handle(record: LogRecord): void {
    try {
      super.handle(record);
    } catch {
      // A full disk or a closed stream must not end the container.
      this.lostLines++;
    }
  }
}

/**
 * Writes to standard output or standard error, through the console, which is
 * where jobs print, too.
 */
export class StreamHandler extends LogHandler {
  readonly #stream: "STDOUT" | "STDERR";
  /** Of the record that is being written. */
  #level: number = LogLevels.INFO;

  constructor(
    stream: "STDOUT" | "STDERR",
    level: number,
    formatter: RecordFormatter,
  ) {
    super(level, formatter);
    this.#stream = stream;
  }

  override handle(record: LogRecord): void {
    this.#level = record.level;
    super.handle(record);
  }

  /** Writes a line. */
  log(line: string): void {
    const method = this.#stream === "STDOUT" ? "log" : "error";
    print(isExported() ? methodFor(this.#level) : method, line);
  }
}

/** The key under which OpenTelemetry is registered. */
const OPEN_TELEMETRY = Symbol.for("opentelemetry.js.api.1");

/**
 * Whether Deno exports printed lines. It takes the level from the console's
 * method alone, and there is no other way to its exporter. A method below `warn`
 * prints to standard output.
 */
function isExported(): boolean {
  return OPEN_TELEMETRY in globalThis && RUNTIME === "Deno";
}

function methodFor(level: number): ConsoleMethod {
  if (level >= LogLevels.ERROR) return "error";
  if (level >= LogLevels.WARN) return "warn";
  return level >= LogLevels.INFO ? "info" : "debug";
}

/**
 * Appends to a file, in UTF-8. A line is handed to the system before
 * {@linkcode FileHandler.log} returns. If the file cannot be written or
 * rotated, standard error gets the line, and the reason once, until a line is
 * written again.
 */
export class FileHandler extends LogHandler {
  readonly #config: LogFileConfig;
  readonly #path: string;
  #file: number | undefined;
  #isClosed = false;
  #isFailing = false;

  /**
   * Constructs a new instance.
   *
   * @param config The file, whose path is from the current working directory.
   * @param formatter Writes a record as text.
   * @throws {Error} If the file cannot be opened, or may not be rotated.
   */
  constructor(config: LogFileConfig, formatter: RecordFormatter) {
    super(config.level, formatter);
    this.#config = config;
    this.#path = resolve(config.path);
    this.#file = this.#open();
    if (config.maxSize > 0) this.#checkRotation();
  }

  /** Writes a line; after {@linkcode FileHandler.destroy} it does nothing. */
  log(line: string): void {
    if (this.#isClosed) return;
    const bytes = new TextEncoder().encode(`${line}\n`);
    const isOpen = this.#try("open", () => this.#openAtPath());
    const isRotated = isOpen &&
      this.#try("rotate", () => this.#rotateFor(bytes.length));
    const isWritten = isOpen && this.#try("write", () => this.#write(bytes));
    this.#isFailing = !(isRotated && isWritten);
    if (isWritten) return;
    // The next line tries with the file opened anew.
    this.#try("close", () => this.#close());
    // The line may be all that is left of a job.
    print("error", line);
  }

  /** Closes the file; again, it does nothing. */
  override destroy(): void {
    this.#isClosed = true;
    this.#try("close", () => this.#close());
  }

  #open(): number {
    return fs.openSync(this.#path, "a");
  }

  /**
   * Fails now if Deno's permissions would not let a file be renamed to each
   * path, and from it again, except for the last.
   */
  #checkRotation(): void {
    const { oldFiles } = this.#config;
    try {
      fs.lstatSync(this.#path, { throwIfNoEntry: false });
      for (let number = 1; number <= oldFiles; number++) {
        const path = this.#old(number);
        if (number < oldFiles) fs.lstatSync(path, { throwIfNoEntry: false });
        checkRenaming(path);
      }
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  #old(number: number): string {
    return `${this.#path}.${number}`;
  }

  #close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) fs.closeSync(file);
  }

  #write(bytes: Uint8Array): void {
    const file = this.#file ??= this.#open();
    for (let start = 0; start < bytes.length;) {
      start += fs.writeSync(file, bytes, start);
    }
  }

  /** Opens the file, anew if another handler that rotates it renamed it. */
  #openAtPath(): void {
    if (this.#config.maxSize > 0 && this.#file !== undefined) {
      const there = fs.statSync(this.#path, { throwIfNoEntry: false });
      const { dev, ino } = fs.fstatSync(this.#file);
      if (there?.dev !== dev || there.ino !== ino) this.#close();
    }
    this.#file ??= this.#open();
  }

  /** Makes room for a line, which must leave the file below its size. */
  #rotateFor(length: number): void {
    if (this.#config.maxSize === 0 || this.#file === undefined) return;
    const stats = fs.fstatSync(this.#file);
    if (!stats.isFile() || stats.size === 0) return;
    if (stats.size + length < this.#config.maxSize) return;
    this.#close();
    for (let number = this.#config.oldFiles; number > 0; number--) {
      const from = number === 1 ? this.#path : this.#old(number - 1);
      renameIfThere(from, this.#old(number));
    }
  }

  #try(action: string, run: () => void): boolean {
    try {
      run();
      return true;
    } catch (error) {
      if (this.#isFailing) return false;
      this.#isFailing = true;
      const path = quote(this.#config.path);
      printError(`Cannot ${action} log file ${path}: ${reasonOf(error)}`);
      return false;
    }
  }
}

function printError(line: string): void {
  try {
    console.error(line);
  } catch {
    // There is nowhere left to say it.
  }
}

/**
 * Checks that a log file can be opened, or made, and does not make it.
 *
 * @param path The file's path, from the current working directory.
 * @throws {Error} If it cannot.
 */
export function checkLogFile(path: string): void {
  const { O_APPEND, O_WRONLY, W_OK } = fs.constants;
  const resolved = resolve(path);
  try {
    fs.closeSync(fs.openSync(resolved, O_APPEND | O_WRONLY));
  } catch (error) {
    const folder = dirname(resolved);
    if (codeOf(error) !== "ENOENT" || !fs.existsSync(folder)) throw error;
    try {
      fs.accessSync(folder, W_OK);
    } catch (error) {
      // Deno wants a permission for this look that a run does not need.
      if (!isNotCapable(error)) throw error;
    }
  }
}

function checkRenaming(path: string): void {
  try {
    fs.closeSync(fs.openSync(path, fs.constants.O_WRONLY));
  } catch (error) {
    if (isNotCapable(error)) throw error;
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    fs.renameSync(from, to);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
  }
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
