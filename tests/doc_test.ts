/**
 * The documentation of all that is exported: each symbol has an example that
 * runs as a doc test, each entry point a text.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };

/** What `deno doc --json` says of a module, as far as it matters here. */
interface ModuleDoc {
  readonly module_doc: { readonly doc?: string };
  readonly symbols: readonly {
    readonly name: string;
    readonly declarations: readonly {
      readonly declarationKind: string;
      readonly jsDoc?: {
        readonly tags?: readonly {
          readonly kind: string;
          readonly doc?: string;
        }[];
      };
    }[];
  }[];
}

/** Each by itself, as what it takes from another would be named only. */
async function documentation(entryPoint: string): Promise<ModuleDoc> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", entryPoint],
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stderr: "null",
  }).output();
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout));
  return Object.values<ModuleDoc>(nodes)[0]!;
}

Deno.test("every exported symbol has an example that runs, every entry point a text", async () => {
  const lacking: string[] = [];
  for (const file of Object.values(manifest.exports)) {
    const { module_doc, symbols } = await documentation(file);
    assert(symbols.length > 0);
    if (!module_doc.doc) lacking.push(`${file}: module`);
    for (const { name, declarations } of symbols) {
      const exported = declarations.filter(({ declarationKind }) =>
        declarationKind === "export"
      );
      const examples = exported.flatMap(({ jsDoc }) => jsDoc?.tags ?? [])
        .filter(({ kind }) => kind === "example");
      const runs = examples.some(({ doc }) =>
        /^```ts(?: no-assert)?$/m.test(doc ?? "")
      );
      if (exported.length > 0 && !runs) lacking.push(`${file}: ${name}`);
    }
  }
  assertEquals(lacking, []);
});
