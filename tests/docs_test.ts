/**
 * The guides follow the code: each command's help, and each option.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { CONTAINER_OPTIONS } from "../src/config/options.ts";
import { PAGE, withHelp } from "../tools/help.ts";
import { pictures, readFigures } from "../tools/pictures.ts";

Deno.test("the guide to the command line shows the help of each command", async () => {
  const page = await Deno.readTextFile(PAGE);
  // `deno task jsr deno run -A tools/help.ts` writes it anew.
  assertEquals(page, await withHelp(page));
  const run = page.slice(
    page.indexOf("Commands; "),
    page.indexOf("\nOptions:"),
  );
  for (const [, name] of run.matchAll(/^ {2}([a-z]+) /gm)) {
    assertEquals(page.includes(`<!-- zsqs ${name} -->`), true, name);
  }
});

Deno.test("the guide to the configuration lists each option, in the order of the help", async () => {
  const page = await Deno.readTextFile(
    new URL("../docs/configuration.md", import.meta.url),
  );
  const rows = page.matchAll(/^\| `([a-z_*]+)` +\|/gm);
  const names = CONTAINER_OPTIONS.map(({ name }) =>
    name.replace(/^allow_.*/, "allow_*")
  );
  assertEquals([...rows].map(([, name]) => name), [...new Set(names)]);
});

Deno.test("the pictures show the figures of the bench", async () => {
  // `deno task pictures` draws them anew.
  for (const [name, drawn] of Object.entries(pictures(await readFigures()))) {
    const url = new URL(`../docs/pictures/${name}`, import.meta.url);
    assertEquals(await Deno.readTextFile(url), drawn, name);
  }
});
