/**
 * The command line: runs and checks containers, prints their permissions, sends
 * jobs, counts messages, and lists, redrives or deletes failed ones.
 *
 * ```sh
 * deno run -A jsr:@zsqs/cli adder.ini
 * deno run -A jsr:@zsqs/cli check adder.ini
 * deno run -A jsr:@zsqs/cli permissions adder.ini
 * deno run -A jsr:@zsqs/cli send adder 1 2 3
 * deno run -A jsr:@zsqs/cli status adder
 * deno run -A jsr:@zsqs/cli failed --redrive adder-failed
 * ```
 *
 * @module
 */

import process from "node:process";
import { createReadStream, fstatSync } from "node:fs";
import { isatty } from "node:tty";
import { compiledContainer } from "./src/isolation/child_command.ts";
import {
  helpOf,
  parseOptions,
  PROGRAM,
  UsageError,
} from "./src/cli/command.ts";
import { COMMANDS, noCommand, refuseLateCommand } from "./src/cli/commands.ts";
import { DONE, FAILED, printError, USAGE } from "./src/cli/errors.ts";
import { RUN } from "./src/cli/run.ts";
import { type Io, NO_SCREEN, Output, type Screen } from "./src/cli/screen.ts";
import { watchExit } from "./src/job/stray_exit.ts";
import { defaultLoggers } from "./src/logging/loggers.ts";
import { outlivePrinting } from "./src/logging/printing.ts";
import { deno, writeAll } from "./src/runtime.ts";
import manifest from "./deno.json" with { type: "json" };

export type { Io, Screen } from "./src/cli/screen.ts";

/**
 * Runs the command line.
 *
 * @param args The arguments.
 * @param io Its input and output; by default the streams of this process.
 * @returns The exit status: 0 done or stopped as asked, 1 failed at run time,
 * 2 bad usage or configuration.
 *
 * @example Check a configuration
 * ```ts
 * import { main } from "@zsqs/cli/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const errors: string[] = [];
 * const status = await main(["check", "missing.ini"], {
 *   stderr: (line) => errors.push(line),
 * });
 *
 * assertEquals(status, 2);
 * assertEquals(errors.length, 1);
 * ```
 */
export async function main(
  args: readonly string[],
  io: Partial<Io> = {},
): Promise<number> {
  const container = compiledContainer();
  if (container !== undefined) return await serveJobs(container);
  const isCollected = io.stdout ?? io.stderr ?? io.stdin;
  const screen = isCollected === undefined ? PROCESS_SCREEN : NO_SCREEN;
  const output = new Output({ ...PROCESS_IO, screen, ...io });
  const words = spelledOut(args);
  const [first = "--help", ...rest] = words;
  const named = COMMANDS.find(({ name }) => name === first);
  const command = named ?? RUN;
  let debug = args.includes("--debug");
  let local = false;
  try {
    if (named === undefined) {
      if (args[0] === "help" && words.length > 1) throw noCommand(first);
      refuseLateCommand(words);
    }
    const options = parseOptions(named === undefined ? words : rest, command);
    debug = options.has("debug");
    local = options.has("local");
    if (options.has("version")) {
      output.stdout(`zsqs ${manifest.version}`);
      return DONE;
    }
    if (options.has("help")) {
      for (const line of helpOf(command)) output.stdout(line);
      return DONE;
    }
    if (args.length === 0) {
      for (const line of helpOf(command)) output.stderr(line);
      return USAGE;
    }
    if (options.positional.length === 0 && command.missing !== undefined) {
      throw new UsageError(command.missing);
    }
    return await command.run(options, output);
  } catch (error) {
    if (error instanceof ClosedOutput) return FAILED;
    const call = named === undefined ? PROGRAM : `${PROGRAM} ${first}`;
    return await printError(error, output, { debug, local, call });
  }
}

/** `help COMMAND` is `COMMAND --help`, and `version` is `--version`. */
function spelledOut(args: readonly string[]): readonly string[] {
  const [first, ...rest] = args;
  if (first === "help") return [...rest.slice(0, 1), "--help"];
  return first === "version" ? ["--version", ...rest] : args;
}

/**
 * Runs the command line with this process's arguments, then exits with its
 * status.
 *
 * @returns Never, as the process exits.
 *
 * @example A program that is the command line
 * ```ts no-assert
 * import { runCli } from "@zsqs/cli/cli";
 *
 * if (import.meta.main) runCli();
 * ```
 */
export async function runCli(): Promise<never> {
  // Timers that a job left must not keep a stopped container alive.
  process.exit(await mainUntilExit());
}

/** Until it returns, an exit is one of a worker's code, loaded or run. */
async function mainUntilExit(): Promise<number> {
  const args = process.argv.slice(2);
  if (compiledContainer() !== undefined) return await main(args);
  outlivePrinting();
  using _exit = watchExit({ loggers: defaultLoggers(), whose: "all" });
  return await main(args);
}

/** Runs the jobs of a container that this program, compiled, started. */
async function serveJobs(container: number): Promise<never> {
  const { serve } = await import("./src/isolation/child_main.ts");
  await serve((specifier) => import(specifier), container);
  return await new Promise(() => {});
}

const encoder = new TextEncoder();

/** The reader of standard output, such as `head`, has seen enough. */
class ClosedOutput extends Error {}

function writeOut(bytes: Uint8Array): void {
  try {
    writeAll(1, bytes);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EPIPE") throw error;
    throw new ClosedOutput("Standard output is closed", { cause: error });
  }
}

const PROCESS_SCREEN: Screen = {
  stdin: isatty(0),
  stdout: isatty(1),
  stderr: isatty(2),
  // Deno needs no permission to tell.
  color: !(deno?.noColor ?? process.env.NO_COLOR),
  // Getters, as most commands do not ask.
  get columns() {
    // A terminal of unknown width reports 0.
    return process.stdout.columns || process.stderr.columns ||
      NO_SCREEN.columns;
  },
  get rows() {
    return process.stdout.rows || undefined;
  },
  get inputBytes() {
    const input = fstatSync(0);
    return input.isFile() ? input.size : undefined;
  },
};

const ON_STDIN = { fd: 0, autoClose: false } as const;

/** A file: Deno's own stream of it would end at an error without a word. */
function isOnDisk(fd: number): boolean {
  const stats = fstatSync(fd);
  return stats.isFile() || stats.isDirectory();
}

const PROCESS_IO: Omit<Io, "screen"> = {
  // The console takes twice the time.
  stdout: (line) => writeOut(encoder.encode(`${line}\n`)),
  stderr: (line) => console.error(line),
  write: writeOut,
  stdin: () => isOnDisk(0) ? createReadStream("", ON_STDIN) : process.stdin,
  draw: (text) => writeAll(2, encoder.encode(text)),
};

if (import.meta.main) runCli();
