/**
 * A command of the command line: its options, its help, and how its arguments
 * are read.
 *
 * @module
 */

import {
  OBJECT_FOLDER_HINT,
  type ObjectFolder,
  parseObjectFolder,
} from "../sqs/objects.ts";
import { parseArgs } from "@std/cli/parse-args";
import { relative } from "node:path";
import process from "node:process";
import type { ConnectOptions } from "../sqs/connection.ts";
import { RUNTIME } from "../runtime.ts";
import { nearest, suggest, withValue } from "../text.ts";
import { LOCAL_PORT, LOCAL_REGION, localEndpoint } from "./local_server.ts";
import type { Output } from "./screen.ts";

/** How this command line is called, for help and hints. */
export const PROGRAM: string = RUNTIME === "Deno"
  ? "deno run -A jsr:@zsqs/cli"
  : `${RUNTIME.toLowerCase()} ${
    relative(process.cwd(), process.argv[1] ?? "")
  }`;

export interface CommandOption {
  readonly name: string;
  /** The value's name in help; an option without it is a flag. */
  readonly value?: string;
  /** Its line in help; further lines are indented below it. */
  readonly meaning: string;
  /** Whether help does not name it: another command's does, or none. */
  readonly isInternal?: boolean;
}

export interface ParsedOptions {
  has(name: string): boolean;
  /** An option's value, if it was given; the last one counts. */
  get(name: string): string | undefined;
  all(name: string): readonly string[];
  readonly positional: readonly string[];
}

export interface Command {
  /** The word that calls it; empty for running containers. */
  readonly name: string;
  readonly summary: string;
  /** Its line in the list of commands. */
  readonly brief?: string;
  readonly usage: readonly string[];
  readonly about: string;
  /** Its options; {@linkcode optionsOf} adds the common ones. */
  readonly options: readonly CommandOption[];
  readonly notes?: string;
  readonly exitStatus: string;
  /** The error if no argument is given, and the next step; absent: none is needed. */
  readonly missing?: string;
  readonly stopEarly?: boolean;
  /** The next step for an option that is near to no option of the command. */
  readonly hint?: (name: string) => string | undefined;
  /** Resolves to the exit status. */
  run(options: ParsedOptions, io: Output): Promise<number>;
}

/** A command line that cannot be understood. */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
}

const COMMON_OPTIONS: readonly CommandOption[] = [
  { name: "debug", meaning: "print stacks with errors" },
  { name: "help", meaning: "print this help; also -h" },
  { name: "version", meaning: "print the version; also -V" },
];

/** The options of one letter. */
const SHORT: Readonly<Record<string, string>> = {
  "-h": "--help",
  "-V": "--version",
};

/** The options of every command that opens a queue. */
export const CONNECT_OPTIONS: readonly CommandOption[] = [
  { name: "region", value: "REGION", meaning: "the AWS region" },
  { name: "endpoint", value: "URL", meaning: "the URL of the SQS server" },
  { name: "local", meaning: "the server of a container run with --local" },
  {
    name: "port",
    value: "PORT",
    meaning: `the port of that server (default ${LOCAL_PORT})`,
  },
];

export function optionsOf(command: Command): readonly CommandOption[] {
  return [...command.options, ...COMMON_OPTIONS];
}

/** The lines of a command's help. */
export function helpOf(command: Command): string[] {
  const { name, summary, usage, about, notes, exitStatus } = command;
  const call = name === "" ? PROGRAM : `${PROGRAM} ${name}`;
  const listed = optionsOf(command).filter(({ isInternal }) => !isInternal);
  const options = listed.map(({ name, value, meaning }) =>
    [`--${name}${value === undefined ? "" : `=${value}`}`, meaning] as const
  );
  return [
    summary,
    `Usage:\n${usage.map((form) => `  ${call} ${form}`).join("\n")}`,
    about,
    `Options:\n${columns(options)}`,
    notes,
    `Exit status: ${exitStatus}`,
  ].filter((part) => part !== undefined).join("\n\n").split("\n");
}

export function columns(
  rows: readonly (readonly [name: string, meaning: string])[],
): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, meaning]) =>
    `  ${name.padEnd(width)}${
      meaning.replaceAll("\n", `\n${" ".repeat(width + 2)}`)
    }`
  ).join("\n");
}

/**
 * Reads a command's options.
 *
 * @throws {UsageError} For an unknown option, a missing value, or a value that
 * a flag does not take.
 */
export function parseOptions(
  args: readonly string[],
  command: Command,
): ParsedOptions {
  const options = optionsOf(command);
  const end = checkOptions(args, options, command);
  const names = (isFlag: boolean) =>
    options.filter(({ value }) => isFlag === (value === undefined))
      .map(({ name }) => name);
  const parsed: Record<string, unknown> & { _: (string | number)[] } =
    parseArgs(args.slice(0, end).map((arg) => SHORT[arg] ?? arg), {
      boolean: names(true),
      string: [...names(false), "_"],
      collect: names(false),
    });
  const values = (name: string) => (parsed[name] ?? []) as string[];
  return {
    has: (name) => parsed[name] === true,
    get: (name) => values(name).at(-1),
    all: values,
    positional: [...parsed._.map(String), ...args.slice(end)],
  };
}

/** Refuses what `parseArgs` accepts silently; returns the end of the options. */
function checkOptions(
  args: readonly string[],
  options: readonly CommandOption[],
  { stopEarly = false, hint }: Command,
): number {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (arg === "--") return stopEarly ? i + 1 : args.length;
    if (!isOption(arg)) {
      if (stopEarly) return i;
      continue;
    }
    if (arg in SHORT) continue;
    const [, flag = "", value] = /^([^=]*)(?:=(.*))?$/s.exec(arg)!;
    const option = options.find(({ name }) => flag === `--${name}`);
    if (option === undefined) {
      const known = options.filter(({ isInternal }) => !isInternal)
        .map(({ name }) => `--${name}`);
      const elsewhere = nearest(flag, known) === undefined
        ? hint?.(flag.replace(/^-+/, ""))
        : undefined;
      throw new UsageError(
        `Unknown option ${arg}: ${
          elsewhere ?? suggest(flag, known, "options", String)
        }`,
      );
    }
    const next = args[i + 1] ?? "";
    if (option.value === undefined) {
      // parseArgs takes these words for the value of the flag before them.
      const taken = value ?? /^(?:true|false)$/.exec(next)?.[0];
      if (taken === undefined) continue;
      throw new UsageError(`Option ${flag} takes no value: got "${taken}"`);
    }
    if ((value ?? next) === "" || (value === undefined && isOption(next))) {
      throw new UsageError(
        `Option ${flag} needs a value: write ${flag}=${option.value}`,
      );
    }
    if (value === undefined) i++;
  }
  return args.length;
}

function isOption(arg: string): boolean {
  return arg.startsWith("-") && arg !== "-";
}

/** Where a command looks for its queues: {@linkcode CONNECT_OPTIONS}, read. */
export function connectOptionsOf(options: ParsedOptions): ConnectOptions {
  const local = options.has("local");
  if (local && options.get("endpoint") !== undefined) {
    throw new UsageError("Give --endpoint or --local, not both");
  }
  const port = portOf(options);
  const region = options.get("region") ?? (local ? LOCAL_REGION : undefined);
  const endpoint = local ? localEndpoint(port) : options.get("endpoint");
  return {
    local,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

export function portOf(options: ParsedOptions): number {
  const text = options.get("port");
  if (text === undefined) return LOCAL_PORT;
  if (!options.has("local")) {
    throw new UsageError("Option --port needs --local");
  }
  return integerOf("port", text, 0, 65_535);
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

/** The place in S3 that `--large` names. */
export function folderOf(options: ParsedOptions): ObjectFolder | undefined {
  const text = options.get("large");
  if (text === undefined) return undefined;
  const folder = parseObjectFolder(text);
  if (folder !== undefined) return folder;
  throw new UsageError(
    withValue(`Option --large must be ${OBJECT_FOLDER_HINT}`, `"${text}"`),
  );
}
