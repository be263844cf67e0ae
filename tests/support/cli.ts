/**
 * The command line as a function, in tests.
 *
 * @module
 */

import { main, type Screen } from "../../cli.ts";

export { Folder } from "./folder.ts";

/** What the command line wrote, line by line, and its exit status. */
export interface CliResult {
  readonly status: number;
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  /** What was drawn on the terminal, if anything was. */
  readonly drawn?: readonly string[];
}

/**
 * Calls the command line, with lines for its standard input.
 *
 * @param screen What of it is a terminal; nothing by default.
 */
export async function cli(
  args: readonly string[],
  input: Iterable<string> | AsyncIterable<string> = [],
  screen: Partial<Screen> = {},
): Promise<CliResult> {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const drawn: string[] = [];
  const status = await main(args, {
    stdout: (text) => stdout.push(...text.split("\n")),
    stderr: (text) => stderr.push(...text.split("\n")),
    write: (bytes) => {
      const text = new TextDecoder().decode(bytes);
      stdout.push(...text.replace(/\n$/, "").split("\n"));
    },
    stdin: async function* () {
      const encoder = new TextEncoder();
      for await (const line of input) yield encoder.encode(`${line}\n`);
    },
    draw: (text) => drawn.push(text),
    screen: {
      stdin: false,
      stdout: false,
      stderr: false,
      columns: 80,
      color: false,
      ...screen,
    },
  });
  return { status, stdout, stderr, ...(drawn.length > 0 ? { drawn } : {}) };
}

/** The texts of lines of `check`, without the names of the checks. */
export function textsOf(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/^ {2}[A-Z].{15}/, ""));
}

/**
 * An address of this machine on which nothing listens. Systems give out ports
 * from 32768 on: below, no other test gets it in the meantime.
 */
export function freeAddress(): string {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    try {
      using _listener = Deno.listen({ hostname: "127.0.0.1", port });
      return `127.0.0.1:${port}`;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
