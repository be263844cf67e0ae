/**
 * The documentation of the public API. Every entry point and every exported
 * symbol has a text, and every function and class an example that runs.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import manifest from "../deno.json" with { type: "json" };

/** The parts of `deno doc --json` that this test reads. */
interface ModuleDoc {
  readonly module_doc: { readonly doc?: string };
  readonly symbols: readonly {
    readonly name: string;
    readonly declarations: readonly {
      readonly declarationKind: string;
      readonly kind: string;
      readonly jsDoc?: {
        readonly doc?: string;
        readonly tags?: readonly {
          readonly kind: string;
          readonly doc?: string;
        }[];
      };
    }[];
  }[];
}

/** One entry point a call: a second one would list shared symbols by name only. */
async function documentation(entryPoint: string): Promise<ModuleDoc> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", entryPoint],
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    stderr: "null",
  }).output();
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout));
  return Object.values<ModuleDoc>(nodes)[0]!;
}

Deno.test("every exported symbol has a text, every function and class an example that runs", async () => {
  const lacking: string[] = [];
  let examples = 0;
  for (const file of Object.values(manifest.exports)) {
    const { module_doc, symbols } = await documentation(file);
    assert(symbols.length > 0);
    if (!module_doc.doc) lacking.push(`${file}: module`);
    for (const { name, declarations } of symbols) {
      const exported = declarations.filter(({ declarationKind }) =>
        declarationKind === "export"
      );
      if (exported.length === 0) continue;
      if (!exported.some(({ jsDoc }) => jsDoc?.doc)) {
        lacking.push(`${file}: text of ${name}`);
      }
      if (!exported.some(({ kind }) => ["function", "class"].includes(kind))) {
        continue;
      }
      const runs = exported.flatMap(({ jsDoc }) => jsDoc?.tags ?? [])
        .some(({ kind, doc }) =>
          kind === "example" && /^```ts(?: no-assert)?$/m.test(doc ?? "")
        );
      if (runs) examples++;
      else lacking.push(`${file}: example of ${name}`);
    }
  }
  assertEquals(lacking, []);
  // Would be 0 if `deno doc` named its kinds in another way.
  assert(examples > 0);
});
