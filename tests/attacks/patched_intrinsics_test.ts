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

const SINGLE = "(what) => handle(what)";

const BATCH = `({
  handleBatch: (jobs) => {
    for (let i = 0; i < jobs.length; i++) handle(jobs[i].args[0]);
  },
})`;

const PARTIAL = `({
  handleBatch: (jobs) => {
    const failed = [];
    for (let i = 0; i < jobs.length; i++) {
      try {
        handle(jobs[i].args[0]);
      } catch (error) {
        failed[i] = { job: jobs[i], error };
      }
    }
    throw new PartialBatchError(failed);
  },
})`;

const WORKERS = {
  "single jobs": SINGLE,
  batches: BATCH,
  "parts of batches": PARTIAL,
};

for (const [name, worker] of Object.entries(WORKERS)) {
  Deno.test(`a patched intrinsic turns no other job's retry into done: ${name}`, async () => {
    for (const patch of PATCHES) {
      await using folder = await Folder.with({
        "worker.ts": `// deno-lint-ignore-file
import { Hash } from "node:crypto";
import { PartialBatchError, TransientError } from "jsr:@zsqs/cli";
const error = new TransientError("later", { delaySeconds: 600 });
const handle = (what) => {
  if (what === "patch") { ${patch.replaceAll("\n", " ")} }
  throw error;
};
export default () => ${worker};`,
      });
      await using stage = await Stage.start("", {
        worker: folder.at("worker.ts"),
        ...(worker === SINGLE ? {} : { batch: 2 }),
      });
      await stage.queue("patch");
      await stage.queue.sendAll([["victim"], ["another"]]);
      assertEquals(
        stage.left.toSorted(),
        ['[["another"],{}]', '[["patch"],{}]', '[["victim"],{}]'],
        patch,
      );
    }
  });
}
