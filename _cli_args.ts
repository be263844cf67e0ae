/**
 * The command line's options: what `parseArgs` of `@std/cli` reads, held to
 * what each command knows.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { closestString } from "@std/text/closest-string";
import {
  type OptionNames,
  type ParsedOptions,
  UsageError,
} from "./_cli_command.ts";

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
        `Unknown option ${arg}: the nearest is ${
          closestString(arg.split("=")[0]!, known)
        }, the options are ${known.join(", ")}`,
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
