/**
 * The guides follow the code: each command's help, and each option.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CONTAINER_OPTIONS } from "../src/config/options.ts";
import { PAGE, withHelp } from "../tools/help.ts";
import { guideRows } from "./simulation/report.ts";
import { readFleets } from "../tools/fleet_pictures.ts";
import { SCENARIOS } from "./bench/scenarios.ts";
import { pictures, readFigures } from "../tools/pictures.ts";
import { readTrace } from "../tools/trace.ts";

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

/** The cells of a guide's rows about options, without padding and escapes. */
async function optionRows(guide: string): Promise<string[][]> {
  const text = await Deno.readTextFile(
    new URL(`../docs/${guide}`, import.meta.url),
  );
  return [...text.matchAll(/^\| `([a-z_]+)` *\|(.+)\|$/gm)].map((
    [, name, cells],
  ) => [name!, ...cells!.split("|").map((cell) => cell.trim())]);
}

Deno.test("the guide to the configuration lists each option, in the order of the help", async () => {
  assertEquals(
    (await optionRows("configuration.md")).map(([name]) => name),
    CONTAINER_OPTIONS.map(({ name }) => name),
  );
});

Deno.test("the guides give the unit, range and default that an option has", async () => {
  const rows = [
    ...await optionRows("configuration.md"),
    ...await optionRows("batches.md"),
  ];
  for (const [name, range, standard] of rows) {
    const option = CONTAINER_OPTIONS.find((each) => each.name === name)!;
    const [, span] = /^an integer from (\d+ to \d+)$/.exec(option.allowed) ??
      [];
    const isTime = option.key.endsWith("Seconds");
    if (span !== undefined) {
      assertMatch(
        range!,
        new RegExp(`^${span}${isTime ? " s" : "\\b(?! s)"}`),
        name,
      );
    }
    for (
      const [, word] of option.allowed.matchAll(/"(\w+)"(?=,| or| for|$)/g)
    ) {
      assertStringIncludes(range!, `\`${word}\``, name);
    }
    const given = typeof option.default === "function"
      ? option.default({ batch: 7, isolation: "process" })
      : option.default;
    const wanted = given === 7 ? "`batch`" : `${given ?? ""}`;
    // Without a default, the guide says so, or where the value comes from.
    const told =
      /^(none|required|the queue's own|AWS's own|environment|INFO|`delete`|`off`)/;
    if (wanted === "") assertMatch(standard!, told, name);
    else {assertEquals(
        standard!.replace(/^`(job|none)`/, "$1").startsWith(wanted),
        true,
        name,
      );}
  }
});

Deno.test("the guide to scaling has the figures of the simulation", async () => {
  const page = await Deno.readTextFile(
    new URL("../docs/scaling.md", import.meta.url),
  );
  const cells = [...page.matchAll(/^\| (`[a-z-]+` .*)\|$/gm)].map(([, row]) =>
    row!.split("|").map((cell) => cell.trim())
  );
  assertEquals(cells, guideRows(await readFleets()));
});

Deno.test("the pictures show their data", async () => {
  // `deno task pictures` draws them anew.
  const drawings = pictures(
    await readFigures(),
    await readTrace(),
    await readFleets(),
  );
  for (const [name, drawn] of Object.entries(drawings)) {
    const url = new URL(`../docs/pictures/${name}`, import.meta.url);
    assertEquals(await Deno.readTextFile(url), drawn, name);
  }
});

Deno.test("the guide to performance has a row for each target of the bench", async () => {
  const page = await Deno.readTextFile(
    new URL("../docs/performance.md", import.meta.url),
  );
  const rows = [...page.matchAll(/^\| ([^|]+?) +\|/gm)].map(([, name]) =>
    name!
  );
  for (const { name, latenciesMs, targets } of SCENARIOS) {
    const given = typeof targets === "function"
      ? targets(latenciesMs[0]!)
      : targets;
    // The row of batches "of 10, 100" is two.
    const count = rows.filter((row) => row.startsWith(name))
      .reduce((sum, row) => sum + (row.endsWith("10, 100") ? 2 : 1), 0);
    assertEquals(count, given.length, name);
  }
});

Deno.test("the README is short, and begins with the commands that need no set-up", async () => {
  const readme = await Deno.readTextFile(
    new URL("../README.md", import.meta.url),
  );
  const lines = readme.trimEnd().split("\n");
  assertEquals(lines.length <= 200, true, `${lines.length} lines`);
  const start = lines.slice(0, 60).join("\n");
  assertStringIncludes(start, "npx -y deno@2.9.6 task demo");
  assertStringIncludes(start, "npx -y deno@2.9.6 task test");
});

Deno.test("the list of examples has each of them", async () => {
  const folder = new URL("../examples/", import.meta.url);
  const list = await Deno.readTextFile(new URL("README.md", folder));
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) assertStringIncludes(list, `| [${name}](${name}/)`);
  }
});
