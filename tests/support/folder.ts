/**
 * A folder with files for one test.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/** A folder that is removed with all in it at the end of a test. */
export class Folder implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes a folder.
   *
   * @param files Their texts by their paths in it; other values become JSON.
   */
  static async with(
    files: Readonly<Record<string, unknown>> = {},
  ): Promise<Folder> {
    const folder = new Folder(await Deno.realPath(await Deno.makeTempDir()));
    for (const [name, content] of Object.entries(files)) {
      await folder.write(
        name,
        typeof content === "string" ? content : JSON.stringify(content),
      );
    }
    return folder;
  }

  get url(): string {
    return pathToFileURL(this.path).href;
  }

  /** Returns the path of a file in it. */
  at(name: string): string {
    return join(this.path, name);
  }

  /** Writes a file, and returns its path. */
  async write(name: string, text: string): Promise<string> {
    const path = this.at(name);
    await Deno.mkdir(dirname(path), { recursive: true });
    await Deno.writeTextFile(path, text);
    return path;
  }

  read(name: string): Promise<string> {
    return Deno.readTextFile(this.at(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
