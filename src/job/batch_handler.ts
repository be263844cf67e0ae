/**
 * The handlers of batch workers.
 *
 * @module
 */

import type { Job } from "./current_job.ts";

/** What a batch handler gets beside its jobs. */
export interface BatchOptions {
  /**
   * Aborts when the batch must end, with a `JobAbortedError` that says why.
   * Whatever the handler throws after that leaves all messages in the queue,
   * except for a timeout on the last attempt.
   */
  readonly signal: AbortSignal;
}

/**
 * A worker's handler of batches.
 *
 * @typeParam Args The types of a job's arguments.
 */
// deno-lint-ignore no-explicit-any
export type BatchHandler<Args extends readonly unknown[] = any> = (
  jobs: Job<Args>[],
  options: BatchOptions,
) => unknown;
