/**
 * What a container's parts report. One sink hears all of it: it feeds the
 * summary, OpenTelemetry's metrics, and whatever else wants to know.
 *
 * @module
 */

import type { Operation } from "./counters.ts";

/** How a message that was received ended. */
export type JobOutcome = "done" | "failed" | "retried" | "released" | "lost";

/** Hears what happens in a container. Its methods never throw. */
export interface ContainerEvents {
  /** A request to SQS ended, after `ms` milliseconds; it failed with `error`. */
  requested(operation: Operation, ms: number, error?: unknown): void;
  /** A receive returned this many messages, 0 or more. */
  received(messages: number): void;
  /** A message ended, once for each receive. */
  ended(outcome: JobOutcome): void;
}
