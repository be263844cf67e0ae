/**
 * What a container's parts report. One sink hears all of it: it feeds the
 * summary, OpenTelemetry's metrics, and whatever else wants to know.
 *
 * @module
 */

import type { JobEnd } from "../job/hooks.ts";
import type { Operation } from "../job/summary.ts";
import type { JobMessage } from "../sqs/connection.ts";

export type { Operation } from "../job/summary.ts";

/** How a job ended, or a lease without one; `undeleted`: it may run again. */
export type JobOutcome = JobEnd["outcome"] | "undeleted";

/** What a container has of something at a time, or of restarts so far. */
export type Level = "running" | "limit" | "restarts";

/** Hears what happens in a container. Its methods never throw. */
export interface ContainerEvents {
  /** A request to SQS ended, after `ms` milliseconds; it failed with `error`. */
  requested(operation: Operation, ms: number, error?: unknown): void;
  /** A receive returned this many messages, 0 or more. */
  received(messages: number): void;
  /** A handler started, so many milliseconds after its job was sent. */
  started(waitedMs: number, message: JobMessage): void;
  /** The jobs that run, or may at most, changed; or a process was restarted. */
  moved(level: Level, by: number): void;
  /**
   * A job or lease ended; `undeleted`: a job that has ended may run again, as SQS
   * did not take the delete. A job whose lease is lost while it runs is reported
   * twice: as `lost`, then as it ended.
   */
  ended(outcome: JobOutcome): void;
  /**
   * A received message is settled, or lost: once for each. Absent if nobody
   * listens, as most containers have no hooks.
   */
  settled?(message: JobMessage, end: JobEnd): void;
  /** A receive failed that nobody dropped. */
  receiveFailed?(error: unknown): void;
}

/** Reports to several sinks; the first one hears all that every one must. */
export function fanOut(
  [first, ...others]: readonly [
    ContainerEvents,
    ...(Partial<ContainerEvents> | undefined)[],
  ],
): ContainerEvents {
  const sinks = [first, ...others].filter((sink) => sink !== undefined);
  if (sinks.length === 1) return first;
  return {
    requested(...args) {
      for (const sink of sinks) sink.requested?.(...args);
    },
    received(messages) {
      for (const sink of sinks) sink.received?.(messages);
    },
    started(...args) {
      for (const sink of sinks) sink.started?.(...args);
    },
    moved(level, by) {
      for (const sink of sinks) sink.moved?.(level, by);
    },
    ended(outcome) {
      for (const sink of sinks) sink.ended?.(outcome);
    },
    settled(...args) {
      for (const sink of sinks) sink.settled?.(...args);
    },
    receiveFailed(error) {
      for (const sink of sinks) sink.receiveFailed?.(error);
    },
  };
}
