/**
 * zsqs, as a program runs it: a container and a queue.
 *
 * @module
 */

import { type Job, runContainer } from "../../container.ts";
import type { Jobs } from "./jobs.ts";
import type { ClientTask } from "./runs.ts";

/** How many calls of a queue are made at a time. */
const PRODUCE_AT_A_TIME = 1_000;

/** Sends the jobs where that is asked for, and handles them. */
export default async function run(
  task: ClientTask,
  jobs: Jobs,
): Promise<void> {
  const { url, concurrency = 1, prefetch, batchJobs: batch } = task;
  if (task.produce) await produce(task);
  await runContainer({
    queue: url,
    ...(batch === undefined
      ? { worker: () => (job: number) => jobs.handle(job) }
      : {
        batch,
        handleBatch: (batch: Job<[job: number]>[]) =>
          jobs.handleBatch(batch.map(({ args: [job] }) => job)),
      }),
    concurrency,
    waitTimeSeconds: 1,
    ...(prefetch === undefined ? {} : { prefetch }),
  }, { signal: jobs.done });
}

async function produce({ url, jobs }: ClientTask): Promise<void> {
  const { Queue } = await import("../../producer.ts");
  await using queue = await Queue<[job: number]>(url);
  for (let first = 0; first < jobs; first += PRODUCE_AT_A_TIME) {
    const length = Math.min(PRODUCE_AT_A_TIME, jobs - first);
    await Promise.all(Array.from({ length }, (_, i) => queue(first + i)));
  }
}
