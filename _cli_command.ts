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

/** Input that cannot be sent: the command line itself is well. */
export class InputError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "InputError";
  }
}
