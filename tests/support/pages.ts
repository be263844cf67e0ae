/**
 * The code of README and guides, for tests that run it.
 *
 * @module
 */

import { join } from "node:path";

/** A page's code of a language that holds a text. */
export async function codeBlock(
  language: string,
  text: string,
  page = "README.md",
): Promise<string> {
  const markdown = await Deno.readTextFile(
    join(import.meta.dirname!, "../..", page),
  );
  const blocks = markdown.matchAll(/^```(\w+)[^\n]*\n(.*?)^```$/gms);
  for (const [, name, code] of blocks) {
    if (name === language && code!.includes(text)) return code!;
  }
  throw new Error(`${page} has no ${language} code with "${text}"`);
}
