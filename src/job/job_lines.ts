/**
 * Log lines about jobs. Each names queue, message and receive: in its text, and
 * in JSON as fields.
 *
 * @module
 */

import type { Logger } from "../logging/loggers.ts";
import { withThrown } from "../logging/value_text.ts";
import { runInScope } from "./current_job.ts";
import { type JobName, nameJobs } from "./runner.ts";

/** A line about one or more jobs. */
export interface JobLine {
  readonly queue: string;
  readonly jobs: readonly JobName[];
  /** What happened: the line begins with it. */
  readonly what: string;
  /** Why, or the next step: the line ends with it. */
  readonly why?: string | undefined;
  /** What the job threw. It may be any value, `undefined` too. */
  readonly thrown?: readonly unknown[];
}

/** Writes a line such as `Job released: adder, message ID, receive 1: why`. */
export function logJobs(
  logger: Logger,
  level: keyof Logger,
  { queue, jobs, what, why, thrown = [] }: JobLine,
): void {
  const end = why === undefined ? "" : `: ${why}`;
  const text = `${what}: ${nameJobs(queue, ...jobs)}${end}`;
  const line: [unknown, ...unknown[]] = thrown.length === 0
    ? [text]
    : withThrown(text, thrown[0]);
  withFields(logger, queue, jobs, () => logger[level](...line));
}

/** Gives the JSON lines that are written meanwhile the fields of jobs. */
export function withFields(
  logger: Logger,
  queue: string,
  jobs: readonly JobName[],
  write: () => void,
): void {
  const names = jobs.map(({ messageId, receiveCount }) => ({
    messageId,
    receiveCount,
  }));
  const fields = names.length === 1
    ? { queue, ...names[0] }
    : { queue, jobs: names };
  runInScope({ loggers: { get: () => logger }, fields }, write);
}
