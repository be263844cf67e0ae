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

/** How long jobs wait for others to run with, in milliseconds. */
const FILL_LIMIT_MS = 30_000;

/** Makes the handler. */
export function journal(
  config: WorkerConfig,
): (...args: SoakArgs | [SoakArgs]) => Promise<void> {
  const done = new Journal<DoneLine>(config.done!);
  const memory = new Journal<MemoryLine>(config.memory!);
  const by = config.by!;
  const longMs = Number(config.long_ms);
  const pauseMs = Number(config.pause_ms ?? 0);
  const full = Promise.withResolvers<void>();
  let count = 0;
  let running = 0;
  return async (...args) => {
    running++;
    if (running >= Number(config.fill ?? 0)) full.resolve();
    try {
      // With body = json, the array is one argument.
      await run(...(args.length === 1 ? args[0] : args));
    } finally {
      running--;
    }
  };

  /** The first jobs of the wide queue wait until all that fit are running. */
  async function fillUp(signal: AbortSignal): Promise<void> {
    await Promise.race([
      full.promise,
      setTimeout(FILL_LIMIT_MS, undefined, { signal, ref: false }),
    ]);
    await setTimeout(pauseMs, undefined, { signal });
  }

  async function run(...[job, sender, text]: SoakArgs): Promise<void> {
    const { messageId, receiveCount, groupId, signal } = currentJob();
    const behaviour = behaviourOf(job);
    if (behaviour === "transient" && receiveCount === 1) {
      throw new TransientError("not now", { delaySeconds: 1 });
    }
    if (pauseMs > 0) await fillUp(signal);
    if (behaviour === "short") await setTimeout(job % 20);
    if (behaviour === "long") await setTimeout(longMs, undefined, { signal });
    done.add({
      t: Date.now(),
      job,
      id: messageId,
      by,
      pid: Deno.pid,
      running,
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
  }
}
