/**
 * The worker of a soak: notes each job that it did.
 *
 * @module
 */

import type { WorkerConfig } from "../../src/job/worker.ts";
import { TransientError } from "../../src/errors.ts";
import { currentJob } from "../../src/job/current_job.ts";
import { setTimeout } from "node:timers/promises";
import { behaviourOf, type SoakArgs, textOf } from "./jobs.ts";
import { type DoneLine, Journal, type MemoryLine } from "./journal.ts";

/** After how many jobs the heap is measured, where it can be collected. */
const MEASURE_EVERY = 2_000;

/** Makes the handler. */
export function journal(
  config: WorkerConfig,
): (...args: SoakArgs) => Promise<void> {
  const done = new Journal<DoneLine>(config.done!);
  const memory = new Journal<MemoryLine>(config.memory!);
  const by = config.by!;
  const longMs = Number(config.long_ms);
  let count = 0;
  return async (job, sender, text) => {
    const { messageId, receiveCount, groupId, signal } = currentJob();
    const behaviour = behaviourOf(job);
    if (behaviour === "transient" && receiveCount === 1) {
      throw new TransientError("not now", { delaySeconds: 1 });
    }
    if (behaviour === "short") await setTimeout(job % 20);
    if (behaviour === "long") await setTimeout(longMs, undefined, { signal });
    done.add({
      t: Date.now(),
      job,
      id: messageId,
      by,
      count: receiveCount,
      ...(groupId === undefined ? {} : { group: groupId }),
      ...(behaviour === "bad" ? { failed: true } : {}),
      ...(text === textOf(job) && typeof sender === "string"
        ? {}
        : { wrong: true }),
    });
    if (behaviour === "bad") throw new TypeError("It is bad");
    const { gc } = globalThis as { gc?: () => void };
    if (gc !== undefined && ++count % MEASURE_EVERY === 0) {
      gc();
      memory.add({ by, count, heapMb: Deno.memoryUsage().heapUsed / 2 ** 20 });
    }
  };
}
