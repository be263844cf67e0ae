/**
 * Batches of an engine that polls: gathering, time-outs, leases, stops.
 *
 * @module
 */

import { JobAbortedError, type JobAbortReason } from "../../src/job_errors.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import type {
  BatchHandler,
  BatchOptions,
} from "../../src/job/batch_handler.ts";
import {
  EngineRig,
  NO_HANDLER,
  pass,
  type RigOptions,
} from "../support/engine_rig.ts";

/** An engine that polls for batches. */
async function rigOf(
  handleBatch: BatchHandler,
  options: RigOptions = {},
): Promise<EngineRig> {
  const rig = new EngineRig(NO_HANDLER, {
    batch: 10,
    batchWaitSeconds: 2,
    ...options,
    handleBatch,
  });
  await rig.start();
  return rig;
}

function sendAll(rig: EngineRig, from: number, to: number): void {
  for (let job = from; job <= to; job++) rig.send([job]);
}

Deno.test("a batch waits for company, but no longer than batch_wait", async () => {
  const rig = await rigOf(() => {});
  rig.send([1]);
  await rig.advance(1.5);
  rig.send([2]);
  assertEquals(rig.batches, []);
  await rig.advance(0.5);
  assertEquals(rig.batches, ["1 2"]);
  sendAll(rig, 3, 12);
  await rig.advance(0);
  assertEquals(rig.batches[1], "3 4 5 6 7 8 9 10 11 12");
  await rig.end();
  assertEquals(rig.left, []);
});

Deno.test("batch_wait counts from the first job's receive, whatever ran meanwhile", async () => {
  const rig = await rigOf(() => pass(rig.clock, 5), { batch: 3, prefetch: 3 });
  sendAll(rig, 1, 4);
  await rig.advance(0);
  assertEquals(rig.batches, ["1 2 3"]);
  await rig.advance(5);
  assertEquals(rig.batches, ["1 2 3", "4"]);
  await rig.advance(5);
  await rig.end();
});

Deno.test("batches fill up while a backlog lasts, and run side by side", async () => {
  let most = 0;
  let running = 0;
  const rig = await rigOf(async () => {
    most = Math.max(most, ++running);
    await pass(rig.clock, 0.1);
    running--;
  }, { batch: 25, concurrency: 2, prefetch: 50 });
  sendAll(rig, 1, 500);
  await rig.advance(4);
  await rig.end();
  const sizes = rig.batches.map((run) => run.split(" ").length);
  assertEquals(sizes, Array(20).fill(25));
  assertEquals(most, 2);
  assertEquals(rig.summary.done, 500);
});

Deno.test("a batch closes at 64 MiB", async () => {
  const sizes: number[] = [];
  const rig = await rigOf((jobs) => {
    sizes.push(jobs.length);
  }, { batch: 100, prefetch: 100 });
  const text = "x".repeat(1_048_000);
  for (let i = 0; i < 70; i++) rig.send([i, text]);
  await rig.advance(10);
  assertEquals(sizes, [64, 6]);
  await rig.end();
});

Deno.test("each run of a batch has its own timeout, and a job starts once", async () => {
  const rig = await rigOf(async (jobs) => {
    await pass(rig.clock, 4);
    if (jobs.some(({ args }) => args[0] === 2)) throw new Error("bad");
  }, { timeoutSeconds: 5, failures: "delete" });
  sendAll(rig, 1, 3);
  await rig.advance(40);
  assertEquals(rig.batches, ["1 2 3", "1 2", "3", "1", "2"]);
  const { done, failed, retried } = rig.summary;
  assertEquals({ done, failed, retried }, { done: 2, failed: 1, retried: 0 });
  await rig.end();
});

Deno.test("all jobs stay if a batch throws after its timeout", async () => {
  const reasons: JobAbortReason[] = [];
  const rig = await rigOf(async (jobs, { signal }: BatchOptions) => {
    if (jobs[0]!.receiveCount > 1) return;
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    reasons.push(signal.reason.reason);
    signal.throwIfAborted();
  }, { timeoutSeconds: 5 });
  sendAll(rig, 1, 3);
  await rig.advance(8);
  assertEquals(reasons, ["timed out"]);
  assertEquals(rig.left.length, 3);
  await rig.advance(40);
  assertEquals(rig.batches, ["1 2 3", "1 2 3"]);
  await rig.end();
  assertEquals(rig.left, []);
});

Deno.test("the leases of a batch are kept until it is settled", async () => {
  const rig = await rigOf(() => pass(rig.clock, 100), {
    visibilityTimeoutSeconds: 10,
  });
  sendAll(rig, 1, 10);
  await rig.advance(95);
  assertEquals(rig.left.filter(([, visible]) => visible), []);
  await rig.advance(10);
  assertEquals(rig.summary.done, 10);
  assertEquals(rig.summary.leasesLost, 0);
  await rig.end();
});

Deno.test("a lost lease counts for its job alone", async () => {
  let aborted = false;
  const rig = await rigOf(async (jobs, { signal }) => {
    await pass(rig.clock, 40);
    aborted ||= signal.aborted;
    if (jobs.length > 1) throw new Error("bad");
  }, { batch: 3, visibilityTimeoutSeconds: 30 });
  sendAll(rig, 1, 3);
  await rig.advance(0);
  const [lost] = rig.queue.messages;
  const failure = {
    code: "ReceiptHandleIsInvalid",
    message: "expired",
    senderFault: true,
  };
  rig.faults = {
    changeVisibility: async (real, url, changes, options) => {
      const results = await real.changeVisibility(url, changes, options);
      return changes.map(({ receiptHandle }, i) =>
        receiptHandle === lost!.receiptHandle
          ? { ok: false, failure }
          : results[i]!
      );
    },
  };
  await rig.advance(25);
  assertEquals(rig.summary.leasesLost, 1);
  rig.faults = {};
  await rig.advance(60);
  assertEquals(aborted, false);
  assertEquals(rig.batches, ["1 2 3", "2", "3"]);
  await rig.advance(100);
  await rig.end();
  assertEquals(rig.batches.slice(3), ["1"]);
  assertEquals(rig.left, []);
});

Deno.test("a batch is aborted if all of its leases are lost", async () => {
  let reason: JobAbortReason | undefined;
  const rig = await rigOf(async (jobs, { signal }) => {
    if (jobs[0]!.receiveCount > 1) return;
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    reason = signal.reason.reason;
    throw new Error("bad");
  });
  rig.faults = { changeVisibility: () => Promise.reject(new Error("reset")) };
  sendAll(rig, 1, 3);
  await rig.advance(40);
  assertEquals(reason, "lease lost");
  rig.faults = {};
  await rig.advance(60);
  await rig.end();
  assertEquals(rig.batches, ["1 2 3", "1 2 3"]);
  assertEquals(rig.left, []);
});

Deno.test("a stop releases an unfilled batch, and lets a running one finish", async () => {
  const rig = await rigOf(() => pass(rig.clock, 3), { batch: 3, prefetch: 10 });
  sendAll(rig, 1, 4);
  await rig.advance(0);
  await rig.stop();
  await rig.advance(1);
  assertEquals(rig.left.filter(([, visible]) => visible), [["[[4],{}]", true]]);
  await rig.end();
  assertEquals(rig.batches, ["1 2 3"]);
  assertEquals(rig.summary.done, 3);
  assert(rig.summary.released > 0);
});

Deno.test("a forced stop aborts a batch and releases its jobs", async () => {
  let reason: unknown;
  const rig = await rigOf((_, { signal }) =>
    new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => {
        reason = signal.reason;
        resolve();
      });
    })
  );
  sendAll(rig, 1, 10);
  await rig.advance(0);
  await rig.force();
  await rig.advance(1);
  assert(reason instanceof JobAbortedError);
  assertEquals(reason.reason, "stopping");
  assert(rig.ended);
  assertEquals(rig.left.map(([, visible]) => visible), Array(10).fill(true));
  assertMatch(rig.log.join(), /Gave up running jobs/);
});

Deno.test("a forced stop between the runs of a batch releases the rest", async () => {
  const rig = await rigOf(async (jobs) => {
    await pass(rig.clock, 1);
    if (jobs.some(({ args }) => args[0] === 1)) throw new Error("bad");
  }, { failures: "delete" });
  sendAll(rig, 1, 10);
  await rig.advance(2.5);
  assertEquals(rig.batches, [
    "1 2 3 4 5 6 7 8 9 10",
    "1 2 3 4 5",
    "6 7 8 9 10",
  ]);
  await rig.force();
  await rig.advance(5);
  assert(rig.ended);
  assertEquals(rig.left.length, 10);
  assertEquals(rig.left.every(([, visible]) => visible), true);
});

Deno.test("a drain runs an unfilled batch once polls are empty", async () => {
  const rig = new EngineRig(NO_HANDLER, {
    batch: 10,
    batchWaitSeconds: 60,
    waitTimeSeconds: 1,
    handleBatch: () => {},
  });
  sendAll(rig, 1, 3);
  await rig.start(true);
  await rig.advance(0);
  assertEquals(rig.batches, []);
  await rig.advance(1);
  assertEquals(rig.batches, ["1 2 3"]);
  await rig.advance(3);
  assert(rig.ended);
});

Deno.test("batches of one are single jobs in arrays", async () => {
  const rig = await rigOf(() => {}, { batch: 1 });
  sendAll(rig, 1, 3);
  await rig.advance(3);
  assertEquals(rig.batches, ["1", "2", "3"]);
  await rig.end();
});

Deno.test("a full batch does not wait for a prefetch", async () => {
  const rig = await rigOf(() => {}, { batch: 15, prefetch: 0 });
  sendAll(rig, 1, 15);
  await rig.advance(0.5);
  assertEquals(rig.batches[0]!.split(" ").length, 15);
  await rig.end();
});
