/**
 * Writes the command line's help into `docs/command-line.md`.
 *
 * ```sh
 * deno task jsr deno run -A tools/help.ts
 * ```
 *
 * @module
 */

import { main } from "../cli.ts";

export const PAGE = new URL("../docs/command-line.md", import.meta.url);

/** A block of help: `<!-- zsqs send -->`, then code. */
const BLOCK = /(<!-- zsqs(?: (\w+))? -->\n\n```text\n)[^]*?(```\n)/g;

/** A page with the help of now in its blocks. */
export async function withHelp(page: string): Promise<string> {
  const helps = new Map<string, string>();
  for (const [, , command = ""] of page.matchAll(BLOCK)) {
    const lines: string[] = [];
    await main(["help", ...command === "" ? [] : [command]], {
      stdout: (line) => lines.push(line),
    });
    helps.set(command, `${lines.join("\n")}\n`);
  }
  return page.replace(
    BLOCK,
    (_, before, command = "", after) => before + helps.get(command) + after,
  );
}

if (import.meta.main) {
  await Deno.writeTextFile(PAGE, await withHelp(await Deno.readTextFile(PAGE)));
}
