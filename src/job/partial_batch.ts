/**
 * What a batch handler throws if some of its jobs failed.
 *
 * @module
 */

import { claim, mark } from "../brand.ts";
import type { Job } from "./current_job.ts";

/** A job of a batch that failed, and why. */
export interface FailedJob {
  /** The job, as the handler got it. */
  readonly job: Pick<Job, "messageId">;
  /** What the job would have thrown if it had run alone. */
  readonly error: unknown;
}

/**
 * Thrown by a batch handler if some of its jobs failed: all others are done.
 *
 * Each job that is named ends as if it had thrown its error alone: a
 * `TransientError` retries it, anything else fails it. Jobs are matched by their
 * message id. If the list is empty, or names a job twice or one of another batch,
 * the worker is wrong. Then all jobs of the batch are retried.
 *
 * @example Insert rows, and report the bad ones
 * ```ts
 * import { type FailedJob, type Job, PartialBatchError } from "@zsqs/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const rows: string[] = [];
 *
 * export function insertRows() {
 *   return {
 *     handleBatch(jobs: Job<[name: string]>[]) {
 *       const failed: FailedJob[] = [];
 *       for (const job of jobs) {
 *         const [name] = job.args;
 *         if (name === "") failed.push({ job, error: new Error("no name") });
 *         else rows.push(name);
 *       }
 *       if (failed.length > 0) throw new PartialBatchError(failed);
 *     },
 *   };
 * }
 *
 * assertEquals(typeof insertRows().handleBatch, "function");
 * ```
 */
export class PartialBatchError extends Error {
  /** The jobs that failed. */
  readonly failures: readonly FailedJob[];

  /**
   * Constructs a new instance.
   *
   * @param failures The jobs that failed, each with its error, at least one.
   * @param options The error's cause.
   */
  constructor(failures: readonly FailedJob[], options?: ErrorOptions) {
    super("Some jobs of a batch failed", options);
    this.name = "PartialBatchError";
    this.failures = failures;
    mark(this, "PartialBatchError");
  }
}

claim(PartialBatchError, "PartialBatchError");

/** A job of a batch. */
export interface Placed {
  /** Its position in the batch. */
  readonly position: number;
  readonly message: Pick<Job, "messageId">;
}

/**
 * The errors in a `PartialBatchError`, by the position of their jobs.
 *
 * @param error The error, of any copy of this package: it may hold anything.
 * @param jobs The jobs of the batch.
 * @throws {TypeError} If it names no job, a job twice, or one of another batch.
 */
export function failuresOf(
  { failures }: PartialBatchError,
  jobs: readonly Placed[],
): { readonly position: number; readonly error: unknown }[] {
  // A job may replace the methods of maps.
  const positions: Record<string, number> = Object.create(null);
  for (let i = 0; i < jobs.length; i++) {
    const { position, message } = jobs[i]!;
    positions[message.messageId] = position;
  }
  const found: { position: number; error: unknown }[] = [];
  for (const { job, error } of failures) {
    const position = positions[job.messageId];
    if (position === undefined) {
      throw wrong(
        `names a job twice, or one of another batch: ${job.messageId}`,
      );
    }
    delete positions[job.messageId];
    found[found.length] = { position, error };
  }
  if (found.length === 0) throw wrong("names no job");
  return found;
}

function wrong(what: string): TypeError {
  return new TypeError(
    `The handler threw a PartialBatchError that ${what}. Name each failed job of the batch once`,
  );
}
