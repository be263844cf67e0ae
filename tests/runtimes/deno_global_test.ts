/**
 * Deno's global object, which Node and Bun do not have.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };

const ROOT = join(import.meta.dirname!, "../..");

/** Isolation needs Deno, and `src/runtime.ts` guards the rest. */
const ALLOWED = /^src\/(?:isolation\/|runtime\.ts$)/;

/** Comments, strings and the types of Deno, in which its name does no harm. */
const HARMLESS =
  /\/\*[^]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[^]|[^`\\])*`|\b(?:as|typeof) Deno\b/g;

async function modulesBelow(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(join(ROOT, folder))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory) paths.push(...await modulesBelow(path));
    else if (path.endsWith(".ts")) paths.push(path);
  }
  return paths;
}

Deno.test("only guarded modules use Deno's global object", async () => {
  const modules = [
    ...Object.values(manifest.exports).map((path) => join(path)),
    ...await modulesBelow("src"),
  ];
  const using: string[] = [];
  for (const path of modules) {
    if (ALLOWED.test(path)) continue;
    const text = await Deno.readTextFile(join(ROOT, path));
    if (/\bDeno\b/.test(text.replaceAll(HARMLESS, ""))) using.push(path);
  }
  assertEquals(using, []);
});
