/**
 * The command line: runs containers from ini files, checks them, tells the
 * permissions that they need, sends jobs, tells how many messages queues hold,
 * and handles those that failed.
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
 * ```ts
 * import { main } from "@zsqs/cli/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const lines: string[] = [];
 * const status = await main(["--version"], {
 *   stdout: (line) => lines.push(line),
 * });
 *
 * assertEquals(status, 0);
 * assertEquals(lines.length, 1);
 * ```
 *
 * @module
 */

import process from "node:process";
import { fstatSync } from "node:fs";
import { createInterface } from "node:readline";
import { isCompiledChild } from "./src/isolation/child_command.ts";
import { parseOptions } from "./src/cli/command.ts";
import { CHECK } from "./src/cli/check.ts";
import {
  type Command,
  type Io,
  PROGRAM,
  type Screen,
} from "./src/cli/command.ts";
import { describeError, DONE, stackOf, USAGE } from "./src/cli/errors.ts";
import { FAILED_COMMAND } from "./src/cli/failed.ts";
import { PERMISSIONS } from "./src/cli/permissions.ts";
import { RUN } from "./src/cli/run.ts";
import { NO_SCREEN, paint } from "./src/cli/screen.ts";
import { SEND } from "./src/cli/send.ts";
import { STATUS } from "./src/cli/status.ts";
import manifest from "./deno.json" with { type: "json" };

export type { Io, Screen } from "./src/cli/command.ts";

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ["check", CHECK],
  ["permissions", PERMISSIONS],
  ["send", SEND],
  ["status", STATUS],
  ["failed", FAILED_COMMAND],
]);

/**
 * Runs the command line.
 *
 * @param args The arguments.
 * @param io Where its output goes; the process's own by default.
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
  if (isCompiledChild()) return await serveJobs();
  const gathered = io.stdout ?? io.stderr ?? io.stdin;
  const all: Io = {
    ...PROCESS_IO,
    ...(gathered === undefined ? {} : { screen: NO_SCREEN }),
    ...io,
  };
  const { stdout, stderr } = all;
  const [first = "--help", ...rest] = args;
  const command = COMMANDS.get(first);
  const { run, help, ...names } = command ?? RUN;
  let debug = args.includes("--debug");
  try {
    const options = parseOptions(command === undefined ? args : rest, names);
    debug = options.has("debug");
    if (options.has("version")) {
      stdout(`zsqs ${manifest.version}`);
      return DONE;
    }
    if (options.has("help")) {
      stdout(help);
      return DONE;
    }
    if (args.length === 0) {
      stderr(help);
      return USAGE;
    }
    return await run(options, all);
  } catch (error) {
    const call = command === undefined ? PROGRAM : `${PROGRAM} ${first}`;
    const { lines, status } = await describeError(error, call);
    for (const line of lines) stderr(paint(line, "red", all, "stderr"));
    if (debug) stderr(stackOf(error));
    return status;
  }
}

/**
 * Runs the command line of this process, and ends the process with its status.
 *
 * @returns Never, as the process ends.
 *
 * @example A program that is the command line
 * ```ts no-assert
 * import { runCli } from "@zsqs/cli/cli";
 *
 * if (import.meta.main) runCli();
 * ```
 */
export async function runCli(): Promise<never> {
  // Work that a job left behind must not keep a stopped container alive.
  Deno.exit(await main(Deno.args));
}

/** Runs the jobs of a container that this program, compiled, started. */
async function serveJobs(): Promise<never> {
  const { serve } = await import("./src/isolation/child.ts");
  serve((specifier) => import(specifier));
  return await new Promise(() => {});
}

const encoder = new TextEncoder();

/** Each is asked for when it is looked at: most commands look at few. */
const PROCESS_SCREEN: Screen = {
  get stdin() {
    return Deno.stdin.isTerminal();
  },
  get stdout() {
    return Deno.stdout.isTerminal();
  },
  get stderr() {
    return Deno.stderr.isTerminal();
  },
  get columns() {
    // A terminal that does not know its width says 0.
    return process.stderr.columns || NO_SCREEN.columns;
  },
  get color() {
    return !Deno.noColor;
  },
  get inputBytes() {
    const input = fstatSync(0);
    return input.isFile() ? input.size : undefined;
  },
};

const PROCESS_IO: Io = {
  stdout: (line) => console.log(line),
  stderr: (line) => console.error(line),
  stdin: () => createInterface({ input: process.stdin, crlfDelay: Infinity }),
  draw: (text) => Deno.stderr.writeSync(encoder.encode(text)),
  screen: PROCESS_SCREEN,
};

if (import.meta.main) runCli();
