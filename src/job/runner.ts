/**
 * How a job is run, whoever runs it: in the container's process, in a child
 * process, or in a batch.
 *
 * @module
 */

import { JobAbortedError, type JobAbortReason } from "../job_errors.ts";
import type { Clock } from "../clock.ts";
import type { JobMessage } from "../sqs/connection.ts";
import type { Outcome } from "./decide.ts";

/** The most jobs that a log line names of a batch. */
const MAX_NAMED = 5;

/** Runs single jobs. */
export interface Runner {
  /**
   * Runs the job of a message, and resolves to its end. It never rejects.
   */
  run(message: JobMessage, control: JobControl): Promise<Outcome>;
}

/** Runs jobs in batches. */
export interface BatchRunner {
  /**
   * Runs the jobs of messages together, and resolves to their end. It never
   * rejects.
   */
  runBatch(
    messages: readonly JobMessage[],
    control: JobControl,
  ): Promise<BatchOutcome>;
}

/** How the jobs of a batch ended. */
export interface BatchOutcome {
  /** How all jobs ended, except for those in `own`. */
  readonly outcome: Outcome;
  /** How single jobs ended. Not a `Map`: a job may replace its methods. */
  readonly own?: readonly OwnOutcome[] | undefined;
  /** How many ran, from the first, if there was no room for all. */
  readonly ran?: number | undefined;
}

/** How one job of a batch ended. */
export interface OwnOutcome {
  /** Its position in the batch. */
  readonly position: number;
  readonly outcome: Outcome;
}

/** Where jobs run, if it can be full or out of order. */
export interface JobRoom {
  /** Whether a job can start now. */
  readonly hasRoom: boolean;
  /** Why no job can start for a while, or `undefined`. */
  readonly problem: string | undefined;
  /** Called when either may have changed. */
  onChange: (() => void) | undefined;
  /** Called when a process is started in place of another. */
  onRestart?: (() => void) | undefined;
}

/** A job that runs. Its signal is made on demand: few jobs ask for it. */
export class JobControl {
  #reason: JobAbortedError | undefined;
  #controller: AbortController | undefined;
  /** The reason of an abort, unless that was the timeout. */
  #overReason: JobAbortReason | undefined;
  /** When the handler started, the last time. */
  startedAtMs: number | undefined;
  /** How long the handler ran the last time it ended. */
  durationMs: number | undefined;
  /** Whether the message was released: the outcome does not matter any more. */
  givenUp = false;
  /** When its time is over: a busy event loop fires the timer late. */
  endMs = Infinity;
  /** Whether it may end its process: it shares none until that is known. */
  isSuspect = false;
  /** Called when the handler starts. */
  onStart: (() => void) | undefined;
  /** Called when the job has ended, or was given up. */
  onEnd: (() => void) | undefined;
  /** Called when the job times out, even after its signal has aborted. */
  onTimeout: (() => void) | undefined;

  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  /** Why it was aborted; a timeout counts only if nothing else did. */
  get abortReason(): JobAbortReason | undefined {
    return this.#overReason ?? this.#reason?.reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /**
   * Forgets a run that ended with its process, and its timeout. The next run has
   * a new signal.
   *
   * @returns Whether there may be one: the message is still held.
   */
  restart(): boolean {
    this.onEnd?.();
    if (this.#overReason !== undefined) return false;
    this.#reason = undefined;
    this.#controller = undefined;
    this.endMs = Infinity;
    return true;
  }

  /** Aborts the job's signal after its timeout. */
  limit(clock: Clock, seconds: number): void {
    this.onEnd?.();
    const ms = seconds * 1000;
    this.endMs = clock.now() + ms;
    this.onEnd = clock.timer(ms, () => this.abort("timed out"));
  }

  /** The handler starts. A job may wait for a process before that. */
  started(): void {
    this.onStart?.();
  }

  /** The handler has ended, unless the job was given up before. */
  end(nowMs: number): void {
    if (this.givenUp) return;
    if (this.startedAtMs !== undefined) {
      this.durationMs = nowMs - this.startedAtMs;
    }
    this.onEnd?.();
  }

  /** Gives the job up, as its message is released. */
  giveUp(nowMs: number): void {
    this.end(nowMs);
    this.givenUp = true;
    this.abort("stopping");
  }

  /** Aborts the job's signal; the first reason counts. */
  abort(reason: JobAbortReason): void {
    if (!this.aborted) {
      this.#reason = new JobAbortedError(reason);
      this.#controller?.abort(this.#reason);
    }
    if (reason === "timed out") this.onTimeout?.();
    else this.#overReason ??= reason;
  }
}

/**
 * How a job ended whose signal aborted, or had to. What it threw after that says
 * nothing of its input, unless it threw a `PermanentError`.
 *
 * @param reason Why; absent if the job was in time.
 */
export function endedAfter(
  outcome: Outcome,
  reason: JobAbortReason | undefined,
): Outcome {
  if (reason === undefined) return outcome;
  const isLate = reason === "timed out";
  switch (outcome.kind) {
    case "failed":
      return { kind: isLate ? "timedOut" : "aborted", error: outcome.error };
    case "transient":
    case "timedOut":
      return isLate ? outcome : { kind: "aborted", error: outcome.error };
    default:
      return outcome;
  }
}

/** What log lines name a job by. */
export type JobName = Pick<JobMessage, "messageId" | "receiveCount">;

/**
 * Names jobs in a log line: `adder, message ID, receive 1`, several separated by
 * semicolons.
 */
export function nameJobs(
  queue: string,
  ...jobs: readonly JobName[]
): string {
  const names = jobs.map(({ messageId, receiveCount }) =>
    `message ${messageId}, receive ${receiveCount}`
  );
  return `${queue}, ${names.join("; ")}`;
}

/** The jobs that a log line names of many. */
export function firstJobs<T>(jobs: readonly T[]): readonly T[] {
  return jobs.slice(0, MAX_NAMED);
}
