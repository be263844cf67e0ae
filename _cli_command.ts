/**
 * What a command of the command line is.
 *
 * @module
 */

/** How the command line is called, in help and hints. */
export const PROGRAM = "deno run -A jsr:@zsqs/cli";

/**
 * The command line's output and input.
 *
 * @example Catch what the command line prints
 * ```ts
 * import { type Io, main } from "@zsqs/cli/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const io: Partial<Io> = { stdout: (line) => lines.push(line) };
 *
 * assertEquals(await main(["send", "--help"], io), 0);
 * assertEquals(lines.length, 1);
 * ```
 */
export interface Io {
  /** Writes a line to standard output. */
  stdout(line: string): void;
  /** Writes a line to standard error. */
  stderr(line: string): void;
  /** The lines of standard input. */
  stdin(): AsyncIterable<string>;
  /**
   * Writes text to standard error as it stands, with no line end; done only
   * where that is a terminal.
   */
  draw(text: string): void;
  /** What of it is a terminal. */
  readonly screen: Screen;
}

/**
 * What of the command line's output and input is a terminal.
 *
 * @example Colours, as on a terminal
 * ```ts
 * import { main, type Screen } from "@zsqs/cli/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const screen: Screen = {
 *   stdin: false,
 *   stdout: false,
 *   stderr: true,
 *   columns: 80,
 *   color: true,
 * };
 * const errors: string[] = [];
 * await main(["check", "missing.ini"], {
 *   screen,
 *   stderr: (line) => errors.push(line),
 * });
 *
 * assertEquals(errors[0]?.startsWith("\x1b[31m"), true);
 * ```
 */
export interface Screen {
  /** Whether standard input is one, so that questions can be answered. */
  readonly stdin: boolean;
  /** Whether standard output is one. */
  readonly stdout: boolean;
  /** Whether standard error is one, so that progress can be drawn. */
  readonly stderr: boolean;
  /** How many characters a line of it has. */
  readonly columns: number;
  /** Whether colours are wanted on it. */
  readonly color: boolean;
  /** How many bytes standard input has, where it is a file. */
  readonly inputBytes?: number | undefined;
}

/** The options that a command knows. */
export interface OptionNames {
  /** Options without a value. */
  readonly boolean: readonly string[];
  /** Options with one value. */
  readonly string: readonly string[];
  /** Options with a value that may be given several times. */
  readonly collect?: readonly string[];
  /** Whether all after the first argument that is no option is left alone. */
  readonly stopEarly?: boolean;
}

/** A command line's options and arguments. */
export interface ParsedOptions {
  /** Whether an option without a value was given. */
  has(name: string): boolean;
  /** An option's value, if it was given. */
  get(name: string): string | undefined;
  /** All values of an option. */
  all(name: string): readonly string[];
  /** What is no option. */
  readonly positional: readonly string[];
}

/** A command of the command line. */
export interface Command extends OptionNames {
  /** What `--help` prints. */
  readonly help: string;
  /** Does it, and tells the exit status. */
  run(options: ParsedOptions, io: Io): Promise<number>;
}

/** A command line that cannot be understood: bad usage. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** What a command's input caused: what the producer refuses, it was given. */
export function asInputError(error: unknown): unknown {
  return error instanceof TypeError || error instanceof RangeError
    ? new InputError(error.message, { cause: error })
    : error;
}

/** Input that cannot be used: the command line itself is well. */
export class InputError extends Error {
  /** What to do next. */
  readonly hint: string | undefined;

  constructor(
    message: string,
    { hint, ...options }: ErrorOptions & { readonly hint?: string } = {},
  ) {
    super(message, options);
    this.name = "InputError";
    this.hint = hint;
  }
}
