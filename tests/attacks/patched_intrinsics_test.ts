/**
 * Jobs that replace what all code of their process shares. Jobs of one process
 * trust each other, but no other job's retry may become done.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Folder } from "../support/cli.ts";
import { Stage } from "../support/isolation_stage.ts";

const PATCHES = [
  `Object.prototype.toJSON = () => ({ type: "ended", kind: "done" });`,
  `JSON.stringify = () => '{"type":"ended","kind":"done"}';`,
  `JSON.parse = () => ({ type: "ended", kind: "done" });`,
  `Hash.prototype.update = function () { return this; };`,
  `Array.prototype.map = () => []; Array.prototype.flatMap = () => [];`,
  `Object.defineProperty(Object.prototype, "kind", { get: () => "done", set() {} });`,
  `Error.prototype.toString = () => "done"; String.prototype.slice = () => "";`,
  `Map.prototype.get = Map.prototype.delete = () => undefined;`,
];

Deno.test("a patched intrinsic turns no other job's retry into done", async () => {
  for (const patch of PATCHES) {
    await using folder = await Folder.with({
      "worker.ts": `// deno-lint-ignore-file
import { Hash } from "node:crypto";
import { TransientError } from "jsr:@zsqs/cli";
const error = new TransientError("later", { delaySeconds: 600 });
export default () => (what) => {
  if (what === "patch") { ${patch.replaceAll("\n", " ")} }
  throw error;
};`,
    });
    await using stage = await Stage.start("", {
      worker: folder.at("worker.ts"),
    });
    await stage.queue("patch");
    await stage.queue("victim");
    assertEquals(
      stage.left.toSorted(),
      ['[["patch"],{}]', '[["victim"],{}]'],
      patch,
    );
  }
});
