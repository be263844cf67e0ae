/**
 * What becomes of failed jobs, in words: at the start, and in warnings.
 *
 * @module
 */

import type { ContainerConfig } from "../config/options.ts";

/** The options that decide it. */
export type FailurePolicy = Partial<
  Pick<ContainerConfig, "attempts" | "failures">
>;

/** What becomes of failed jobs: continues `failed jobs`. */
export function fateText({ attempts, failures = "delete" }: FailurePolicy) {
  const isKept = failures === "keep";
  if (attempts === undefined && isKept) {
    return "stay in the queue and are retried";
  }
  const end = failures === "delete"
    ? "deleted after logging"
    : isKept
    ? "kept in the queue"
    : `moved to ${failures.name}`;
  if (attempts === undefined) return `are ${end}`;
  return attempts === 1
    ? `are tried once, then ${end}`
    : `are retried up to ${attempts} times, then ${end}`;
}

/**
 * Says that SQS may take a job away before its attempts are over.
 *
 * @param maxReceiveCount When it does; absent: never.
 * @returns What the queue does, as text that continues its name, or `undefined`.
 */
export function attemptsProblem(
  { attempts, failures }: FailurePolicy,
  maxReceiveCount = Infinity,
): string | undefined {
  if (attempts === undefined) return undefined;
  // What is kept after its last attempt is SQS's to move.
  const isKept = failures === "keep";
  const least = isKept ? attempts : attempts + 1;
  if (maxReceiveCount >= least) return undefined;
  const reasonless = isKept ? "" : ", and without the reason";
  return `may move a message to its dead-letter queue before attempts = ${attempts} is reached${reasonless}. Its maxReceiveCount is ${maxReceiveCount}: set it to ${least} or more`;
}
