/**
 * The jobs of a child process whose outcomes are not known yet, and which of them
 * is to blame if the process ends.
 *
 * @module
 */

import type { LostJobError } from "../job_errors.ts";
import { randomUUID } from "node:crypto";
import type { BatchOutcome, JobControl } from "../job/runner.ts";
import type { JobMessage } from "../sqs/connection.ts";
import { HAS_PIPE } from "./child_marks.ts";
import type { Mark } from "./protocol.ts";

/** Signals by which a process ends itself, as V8 does without memory. */
const FAULTS = new Set<string | null>([
  ...["SIGTRAP", "SIGABRT", "SIGILL", "SIGSEGV", "SIGBUS", "SIGFPE"],
]);

/** What becomes of jobs whose process ended first. */
export interface Lost {
  readonly error: LostJobError;
  /** Whether their handler may have been called. */
  readonly hasStarted: boolean;
  /** Whether the process ended because of them; absent if nobody knows. */
  readonly isCulprit?: boolean;
  /** Whether nothing that an earlier job left behind can have ended the process. */
  readonly isOnly: boolean;
}

/** How a run ended. */
export type ChildEnd = BatchOutcome | Lost;

/** A job, or the jobs of a batch. */
interface RunningJobs {
  readonly messages: readonly JobMessage[];
  readonly control: JobControl;
  readonly resolve: (end: ChildEnd) => void;
  hasStarted: boolean;
  /** Whether the thread was free after the signal had to abort. */
  isAborting: boolean;
}

/** The running jobs of a process. */
export class ChildJobs {
  readonly #jobs = new Map<unknown, RunningJobs>();
  /** The jobs whose handler was called, and has not returned. */
  #called: RunningJobs | undefined;
  /** The jobs that ended the process, if that is known. */
  #culprit: RunningJobs | undefined;
  /** How often a handler was called. */
  #calls = 0;
  /** Whether the process exited, as a timer that a job left could make it. */
  #hasExited = false;
  /** How many runs the process was given. */
  given = 0;

  /** How many runs there are. */
  get size(): number {
    return this.#jobs.size;
  }

  /** Adds a run; the promise resolves when it has ended. */
  add(
    messages: readonly JobMessage[],
    control: JobControl,
  ): { readonly id: string; readonly ended: Promise<ChildEnd> } {
    const id = randomUUID();
    const { promise: ended, resolve } = Promise.withResolvers<ChildEnd>();
    const state = { hasStarted: false, isAborting: false };
    this.given++;
    this.#jobs.set(id, { messages, control, resolve, ...state });
    return { id, ended };
  }

  /** Heeds a mark; nothing happens if there is no such run. */
  mark(type: Mark["type"], id: unknown): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    if (type === "aborting") job.isAborting = true;
    else if (type === "started" && !job.hasStarted) {
      job.hasStarted = true;
      this.#called = job;
      this.#calls++;
      job.control.started();
    } else if (type === "returned" && this.#called === job) {
      this.#called = undefined;
    }
  }

  /** How many jobs a run has, or `undefined`. */
  count(id: unknown): number | undefined {
    return this.#jobs.get(id)?.messages.length;
  }

  /** A run has ended. */
  end(id: unknown, outcome: BatchOutcome): void {
    // Its marks come another way, and may come later.
    this.mark("started", id);
    this.mark("returned", id);
    this.#jobs.get(id)?.resolve(outcome);
    this.#jobs.delete(id);
  }

  /**
   * Blames the process's end on a job that has not ended in time, if the thread
   * was free to abort it. Otherwise on the one that keeps the thread busy, which
   * may be known.
   *
   * @returns The messages to blame; none if nobody knows; `undefined` if the late
   * job has ended.
   */
  blame(late: JobControl): readonly JobMessage[] | undefined {
    const jobs = [...this.#jobs.values()];
    const job = jobs.find(({ control }) => control === late);
    if (job === undefined) return undefined;
    const isKnown = job.isAborting || jobs.length === 1;
    this.#culprit = isKnown ? job : this.#called;
    return this.#culprit?.messages ?? [];
  }

  /**
   * The process has ended by itself: the jobs that have the thread did it. They
   * did not if it ran out of memory that earlier jobs had taken.
   */
  died(signal: string | null): void {
    this.#hasExited = signal === null;
    const isKnown = this.#hasExited ||
      (FAULTS.has(signal) && this.#calls === 1);
    // Without the pipe, the mark of a return may be lost.
    if (HAS_PIPE && isKnown) this.#culprit ??= this.#called;
  }

  /** The process has ended; returns how many runs it took with it. */
  lose(error: LostJobError): number {
    const jobs = [...this.#jobs.values()];
    this.#jobs.clear();
    for (const job of jobs) {
      const isCulprit = this.#culprit && this.#culprit === job;
      const hasMarks = HAS_PIPE && job.control.onStart !== undefined;
      job.resolve({
        error,
        hasStarted: job.hasStarted || !hasMarks,
        ...(isCulprit === undefined ? {} : { isCulprit }),
        isOnly: this.given === 1 || !this.#hasExited,
      });
    }
    return jobs.length;
  }
}
