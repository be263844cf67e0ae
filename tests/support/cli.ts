/**
 * What tests of the command line share: it is called as a function, on files in
 * a folder of their own.
 *
 * @module
 */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { main, type Screen } from "../../cli.ts";

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
    stdin: async function* () {
      yield* input;
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

/** A folder with files for one test. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async with(files: Readonly<Record<string, string>>): Promise<Folder> {
    const folder = new Folder(await Deno.makeTempDir());
    for (const [name, text] of Object.entries(files)) {
      await folder.write(name, text);
    }
    return folder;
  }

  get url(): string {
    return pathToFileURL(this.path).href;
  }

  /** The path of a file in it. */
  at(name: string): string {
    return join(this.path, name);
  }

  /** Writes a file, and tells its path. */
  async write(name: string, text: string): Promise<string> {
    await Deno.writeTextFile(this.at(name), text);
    return this.at(name);
  }

  read(name: string): Promise<string> {
    return Deno.readTextFile(this.at(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

/** An address of this machine on which nothing listens. */
export function freeAddress(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `127.0.0.1:${listener.addr.port}`;
}
