/**
 * What a command of the command line is.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { suggest } from "../text.ts";
import { CONTAINER_OPTIONS } from "../config/options.ts";
import type { ConnectOptions } from "../sqs/connection.ts";
import { LOCAL_PORT, LOCAL_REGION } from "./local_server.ts";

/** How the command line is called, in help and hints. */
export const PROGRAM = "deno run -A jsr:@zsqs/cli";

/** The command line's output and input. */
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

/** What of the command line's output and input is a terminal. */
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

/** Options that every command knows. */
const COMMON_OPTIONS = ["help", "version", "debug"] as const;

/**
 * Reads a command's options.
 *
 * @param args The arguments after the command's name.
 * @param names What the command knows.
 * @returns The options and arguments.
 * @throws {UsageError} For an unknown option, or one whose value is missing or
 * too much.
 */
export function parseOptions(
  args: readonly string[],
  names: OptionNames,
): ParsedOptions {
  const boolean = [...COMMON_OPTIONS, ...names.boolean];
  const valued = [...names.string, ...names.collect ?? []];
  const end = names.stopEarly ? firstArgument(args, valued) : args.length;
  const options = args.slice(0, end);
  checkOptions(options, boolean, valued);
  const parsed: Record<string, unknown> & { _: (string | number)[] } =
    parseArgs(options, {
      boolean,
      string: [...valued, "_"],
      collect: valued,
    });
  const values = (name: string) => (parsed[name] ?? []) as string[];
  return {
    has: (name) => parsed[name] === true,
    get: (name) => values(name).at(-1),
    all: values,
    positional: [...parsed._.map(String), ...args.slice(end)],
  };
}

/** Refuses what `parseArgs` would take without a word. */
function checkOptions(
  args: readonly string[],
  boolean: readonly string[],
  valued: readonly string[],
): void {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") return;
    if (!isOption(arg)) continue;
    const [flag = "", value] = splitOnce(arg.slice(2), "=");
    if (boolean.includes(flag) && arg.startsWith("--")) {
      if (value !== undefined) {
        throw new UsageError(`Option --${flag} takes no value: got "${value}"`);
      }
      // parseArgs would take a word like these for the option's value.
      if (args[i + 1] === "true" || args[i + 1] === "false") {
        throw new UsageError(
          `Option --${flag} takes no value: got "${args[i + 1]}"`,
        );
      }
    } else if (valued.includes(flag) && arg.startsWith("--")) {
      const given = value ?? args[++i];
      if (
        given === undefined || given === "" ||
        (value === undefined && isOption(given))
      ) {
        throw new UsageError(
          `Option --${flag} needs a value: write --${flag}=VALUE`,
        );
      }
    } else {
      const known = [...boolean, ...valued].map((name) => `--${name}`);
      throw new UsageError(
        `Unknown option ${arg}: ${
          suggest(arg.split("=")[0]!, known, "options", String)
        }`,
      );
    }
  }
}

/** The position of the first argument that is neither option nor its value. */
function firstArgument(
  args: readonly string[],
  valued: readonly string[],
): number {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!isOption(arg)) return i;
    if (valued.includes(arg.slice(2))) i++;
  }
  return args.length;
}

function isOption(arg: string): boolean {
  return arg.startsWith("-") && arg !== "-";
}

function splitOnce(text: string, separator: string): [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** The options with a value that say where a queue is; `local` has none. */
export const WHERE_OPTIONS: readonly string[] = ["region", "endpoint", "port"];

/** What `--help` says of them. */
export const WHERE_HELP = `\
  --region=REGION    the AWS region
  --endpoint=URL     the SQS server
  --local            the server that a container with --local started
  --port=PORT        its port, ${LOCAL_PORT} by default`;

/** Where a command's queues are, as its options say. */
export function connectOptionsOf(options: ParsedOptions): ConnectOptions {
  const local = options.has("local");
  if (!local && options.get("port") !== undefined) {
    throw new UsageError("Option --port goes with --local");
  }
  if (local && options.get("endpoint") !== undefined) {
    throw new UsageError("Give --endpoint or --local, not both");
  }
  const port = portOf(options.get("port"));
  const region = options.get("region") ?? (local ? LOCAL_REGION : undefined);
  const endpoint = local ? `http://127.0.0.1:${port}` : options.get("endpoint");
  return {
    local,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** The `[container]` options, as `--help` lists them. */
export function optionsHelp(): string {
  const width = Math.max(...CONTAINER_OPTIONS.map(({ name }) => name.length));
  return CONTAINER_OPTIONS.map((option) => {
    const value = option.default === undefined
      ? option.required === undefined ? "" : "; required"
      : typeof option.default === "function"
      ? ""
      : `; ${option.default} by default`;
    return `  ${option.name.padEnd(width)}  ${option.meaning}${value}`;
  }).join("\n");
}

/** The port that `--port` names. */
export function portOf(text: string | undefined): number {
  return text === undefined ? LOCAL_PORT : integerOf("port", text, 0, 65_535);
}

/** An option's value as a whole number within limits. */
export function integerOf(
  name: string,
  text: string,
  min: number,
  max: number,
): number {
  const value = /^(?:0|[1-9]\d*)$/.test(text) ? Number(text) : NaN;
  if (!(value >= min && value <= max)) {
    throw new UsageError(
      `Option --${name} must be an integer from ${min} to ${max}: current value is "${text}"`,
    );
  }
  return value;
}
