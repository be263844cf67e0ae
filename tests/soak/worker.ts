/**
 * The worker of a soak: notes each job that it did.
 *
 * @module
 */

import { TransientError } from "../../src/job_errors.ts";
import type { BatchWorkerLike, WorkerConfig } from "../../src/job/worker.ts";
import { currentJob, type Job } from "../../src/job/current_job.ts";
import { PartialBatchError } from "../../src/job/partial_batch.ts";
import { setTimeout } from "node:timers/promises";
import { behaviourOf, type SoakArgs, textOf } from "./jobs.ts";
import { type DoneLine, Journal, type MemoryLine } from "./journal.ts";

/** After how many jobs the heap is measured, where it can be collected. */
const MEASURE_EVERY = 2_000;

/**
 * How long jobs wait for others to run with, in milliseconds: until the run itself
 * says that nothing happens any more.
 */
const FILL_LIMIT_MS = 300_000;

/** What a job needs to know of itself. */
type SoakJob = Pick<Job, "messageId" | "receiveCount" | "groupId" | "signal">;

/** Makes the handler. */
export function journal(
  config: WorkerConfig,
): (...args: SoakArgs | [SoakArgs]) => Promise<void> {
  const { run, note } = runner(config);
  // With body = json, the array is one argument.
  return (...args) =>
    run(args.length === 1 ? args[0] : args, currentJob(), note);
}

/**
 * Makes a handler of batches: it names the jobs that fail. As a transaction
 * would, it notes its jobs together at the end, or none if the batch is given up.
 */
export function journalBatches(config: WorkerConfig): BatchWorkerLike {
  const { run, note } = runner(config);
  return {
    async handleBatch(jobs: Job<SoakArgs>[], { signal }) {
      const lines: DoneLine[] = [];
      const ends = await Promise.allSettled(
        jobs.map((job) => run(job.args, job, (line) => lines.push(line))),
      );
      signal.throwIfAborted();
      const t = Date.now();
      for (const line of lines) note({ ...line, t });
      const failures = ends.flatMap((end, i) =>
        end.status === "rejected" ? [{ job: jobs[i]!, error: end.reason }] : []
      );
      if (failures.length > 0) throw new PartialBatchError(failures);
    },
  };
}

/** Takes the note of a job that was done. */
type Note = (line: DoneLine) => void;

function runner(config: WorkerConfig): {
  run(args: SoakArgs, job: SoakJob, note: Note): Promise<void>;
  note: Note;
} {
  const done = new Journal<DoneLine>(config.done!);
  const memory = new Journal<MemoryLine>(config.memory!);
  const by = config.by!;
  const longMs = Number(config.long_ms);
  const pauseMs = Number(config.pause_ms ?? 0);
  const full = Promise.withResolvers<void>();
  let count = 0;
  let running = 0;
  return {
    note: (line) => done.add(line),
    async run(args, job, note) {
      running++;
      if (running >= Number(config.fill ?? 0)) full.resolve();
      try {
        await run(args, job, note);
      } finally {
        running--;
      }
    },
  };

  /** The first jobs of the wide queue wait until all that fit are running. */
  async function fillUp(signal: AbortSignal): Promise<void> {
    await Promise.race([
      full.promise,
      setTimeout(FILL_LIMIT_MS, undefined, { signal, ref: false }),
    ]);
    await setTimeout(pauseMs, undefined, { signal });
  }

  async function run(
    [job, sender, text]: SoakArgs,
    { messageId, receiveCount, groupId, signal }: SoakJob,
    note: Note,
  ): Promise<void> {
    const behaviour = behaviourOf(job);
    if (behaviour === "transient" && receiveCount === 1) {
      throw new TransientError("not now", { delaySeconds: 1 });
    }
    if (pauseMs > 0) await fillUp(signal);
    if (behaviour === "short") await setTimeout(job % 20);
    if (behaviour === "long") await setTimeout(longMs, undefined, { signal });
    note({
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
