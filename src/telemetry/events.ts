/**
 * What a container's parts report. One sink hears all of it: it feeds the
 * summary, OpenTelemetry's metrics, and whatever else wants to know.
 *
 * @module
 */

/** SQS's operations that a container calls. */
export type Operation =
  | "ReceiveMessage"
  | "DeleteMessage"
  | "ChangeMessageVisibility";

/** How a job ended, or a lease without one. */
export type JobOutcome =
  | "done"
  | "failed"
  | "retried"
  | "released"
  | "lost"
  | "undeleted";

/** What a container has of something at a time, or of restarts so far. */
export type Level = "running" | "limit" | "restarts";

/** Hears what happens in a container. Its methods never throw. */
export interface ContainerEvents {
  /** A request to SQS ended, after `ms` milliseconds; it failed with `error`. */
  requested(operation: Operation, ms: number, error?: unknown): void;
  /** A receive returned this many messages, 0 or more. */
  received(messages: number): void;
  /** A handler started, so many milliseconds after its job was sent. */
  started(waitedMs: number): void;
  /** The jobs that run, or may at most, changed; or a process was restarted. */
  moved(level: Level, by: number): void;
  /**
   * A job or lease ended; `undeleted`: a job that has ended may run again, as SQS
   * did not take the delete. A job whose lease is lost while it runs is reported
   * twice: as `lost`, then as it ended.
   */
  ended(outcome: JobOutcome): void;
}

/** Reports to several sinks. */
export function fanOut(sinks: readonly ContainerEvents[]): ContainerEvents {
  return {
    requested(...args) {
      for (const sink of sinks) sink.requested(...args);
    },
    received(messages) {
      for (const sink of sinks) sink.received(messages);
    },
    started(waitedMs) {
      for (const sink of sinks) sink.started(waitedMs);
    },
    moved(level, by) {
      for (const sink of sinks) sink.moved(level, by);
    },
    ended(outcome) {
      for (const sink of sinks) sink.ended(outcome);
    },
  };
}
