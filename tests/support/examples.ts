/**
 * The examples, as they stand.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

const EXAMPLES = new URL("../../examples/", import.meta.url);

/** The path of an example, or of a file in it. */
export function examplePath(name: string): string {
  return fileURLToPath(new URL(name, EXAMPLES));
}

/** The text of a file of an example. */
export function readExample(name: string): Promise<string> {
  return Deno.readTextFile(examplePath(name));
}
