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
  `Promise.prototype.then = function (ok) { ok?.({ kind: "done" }); return this; };`,
  `Promise.prototype.then = function (ok) { ok?.({ kind: "done" }); return this; };
   Promise.prototype.constructor = class {};`,
  `Object.defineProperty(Promise.prototype, "constructor", { value: class {} });`,
  `globalThis.Promise = class { constructor(run) { run(() => {}); } };`,
  `Symbol.for = () => Symbol();`,
  `Array.isArray = () => false;`,
  `Array.prototype[Symbol.iterator] = function* () {};`,
  `Array.prototype.includes = () => true; Array.prototype.filter = () => [];`,
  `Array.prototype.concat = Array.prototype.slice = () => [];`,
  `Object.keys = Object.entries = () => []; Object.hasOwn = () => false;`,
  `Object.setPrototypeOf = Object.defineProperty = (value) => value;`,
  `Reflect.apply = () => undefined;`,
  `AsyncLocalStorage.prototype.run = () => undefined;`,
  `Error[Symbol.hasInstance] = () => false;`,
  `Object.prototype.error = Object.prototype.id = 1;`,
];

/** Does jobs, each of which must stay. */
async function mustStay(stage: Stage, jobs: readonly string[][], why: string) {
  const before = stage.left.length;
  await stage.queue.sendAll(jobs);
  assertEquals(
    stage.left.slice(before),
    jobs.map((job) => JSON.stringify([job, {}])),
    why,
  );
}

const BATCH_WORKER = `// deno-lint-ignore-file
import { AsyncLocalStorage } from "node:async_hooks";
import { Hash } from "node:crypto";
import { PartialBatchError, TransientError } from "jsr:@zsqs/cli";
const error = new TransientError("later", { delaySeconds: 600 });
export default () => ({
  handleBatch: (jobs) => {
    const failed = [];
    let fails;
    for (let i = 0; i < jobs.length; i++) {
      const { args } = jobs[i];
      fails = args[0];
      if (args[1] !== undefined) {
        const run = new Function("AsyncLocalStorage", "Hash", args[1]);
        try { run(AsyncLocalStorage, Hash); } catch {}
      }
      failed[i] = { job: jobs[i], error };
    }
    throw fails === "whole" ? error : new PartialBatchError(failed);
  },
});`;

Deno.test("a patched intrinsic turns no other job's retry into done: batches and their parts", async () => {
  await using folder = await Folder.with({ "worker.ts": BATCH_WORKER });
  for (const [i, patch] of PATCHES.entries()) {
    await using stage = await Stage.start("", {
      worker: folder.at("worker.ts"),
      batch: 2,
    });
    await mustStay(stage, [[i % 2 ? "whole" : "in part", patch]], patch);
    await mustStay(stage, [["whole"], ["whole"]], patch);
    await mustStay(stage, [["in part"], ["in part"]], patch);
  }
});

/** After it, a process hears nothing any more: only jobs that run are victims. */
const LAST_PATCH = `Object.prototype.then = (ok) => ok({ kind: "done" });`;

/** How a job reports that it must be done again. */
const VICTIMS = ["throws", "rejects", "rejects later"];

const WORKER = `// deno-lint-ignore-file
import { AsyncLocalStorage } from "node:async_hooks";
import { Hash } from "node:crypto";
import { getLogger, TransientError } from "jsr:@zsqs/cli";
const error = new TransientError("later", { delaySeconds: 600 });
const { setTimeout } = globalThis;
const { exit } = Deno;
const Later = Promise;
let isPatched = false;
export default () => (what, code) => {
  if (what === "exit") exit(1);
  if (what === "patch") {
    getLogger("worker").info("process " + Deno.pid);
    const run = new Function("AsyncLocalStorage", "Hash", code);
    try { run(AsyncLocalStorage, Hash); } catch {}
    isPatched = true;
  }
  if (what === "rejects") return (async () => { throw error; })();
  if (what === "rejects later") {
    return new Later((_, reject) => setTimeout(reject, 1, error));
  }
  if (what === "rejects then") {
    return new Later((_, reject) => {
      const look = () => isPatched ? reject(error) : setTimeout(look, 1);
      look();
    });
  }
  throw error;
};`;

Deno.test("a patched intrinsic turns no other job's retry into done", async () => {
  await using folder = await Folder.with({ "worker.ts": WORKER });
  await using stage = await Stage.start("", {
    worker: folder.at("worker.ts"),
    concurrency: 2,
  });
  for (const patch of PATCHES) {
    // One runs while another one patches, the others run after it.
    await mustStay(stage, [["rejects then"], ["patch", patch]], patch);
    for (const victim of VICTIMS) await mustStay(stage, [[victim]], patch);
    await mustStay(stage, [["exit"]], patch);
  }
  await mustStay(stage, [["rejects then"], ["patch", LAST_PATCH]], LAST_PATCH);
  const pid = /.*process (\d+)/s.exec(await stage.log())![1];
  Deno.kill(Number(pid), "SIGKILL");
  // By another process.
  await mustStay(stage, [["throws"]], LAST_PATCH);
});
