/**
 * The jobs of a container: each starts when there is room, and its message is
 * settled by its outcome.
 *
 * @module
 */

import type { Turns } from "../cpu_turns.ts";
import { endedAfter, type JobRoom, type Runner } from "../job/runner.ts";
import type { EngineContext } from "./context.ts";
import type { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { Outcomes } from "./outcomes.ts";
import type { Releases } from "./releases.ts";
import type { Settler } from "./settler.ts";

/** What starts the jobs of an engine. */
export interface Work {
  /** Whether no more may run at a time. */
  readonly isFull: boolean;
  /** Whether jobs wait for others only. */
  readonly isGathering: boolean;
  /**
   * Starts the next that may start; returns whether there was one.
   *
   * @param isLast Whether no further message is expected.
   */
  start(isLast: boolean): boolean;
  /** Cancels the timers, at the end. */
  clearTimers(): void;
}

/** What work needs of its engine. */
export interface WorkOptions {
  readonly leases: Leases;
  readonly outcomes: Outcomes;
  readonly releases: Releases;
  readonly settler: Settler;
  readonly turns: Turns;
  /** Absent if a job can always start. */
  readonly room: JobRoom | undefined;
  /** Called when a job has ended, or its message is settled. */
  readonly onChange: () => void;
}

/** Runs each job by itself. */
export class SingleJobs implements Work {
  readonly isGathering = false;
  readonly #context: EngineContext;
  readonly #options: WorkOptions;
  readonly #runner: Runner;

  constructor(context: EngineContext, runner: Runner, options: WorkOptions) {
    this.#context = context;
    this.#runner = runner;
    this.#options = options;
  }

  get isFull(): boolean {
    const { running } = this.#options.leases;
    return running >= this.#context.options.concurrency;
  }

  start(): boolean {
    const { leases, room, turns } = this.#options;
    if (this.isFull) return false;
    if (room?.hasRoom === false) return false;
    const lease = leases.startNext();
    if (lease === undefined) return false;
    turns.begin();
    this.#run(lease);
    if (turns.isLong) turns.pause();
    return true;
  }

  clearTimers(): void {}

  async #run(lease: Lease): Promise<void> {
    const { clock, events, options: { timeoutSeconds } } = this.#context;
    const { leases, outcomes, releases, turns, onChange } = this.#options;
    const control = lease.job!;
    control.onStart = () => {
      const now = control.startedAtMs = clock.now();
      events.started(Math.max(0, now - lease.message.sentAtMs), lease.message);
      if (timeoutSeconds !== undefined) control.limit(clock, timeoutSeconds);
    };
    const outcome = await this.#runner.run(lease.message, control);
    const now = clock.now();
    control.end(now);
    if (control.givenUp) return onChange();
    // From here on, a forced stop leaves it to be settled.
    leases.settle(lease);
    if (turns.isLong) await turns.pause();
    // A job that kept the CPU was not told that its time was over.
    const late = now >= control.endMs ? "timed out" : undefined;
    const reason = now >= lease.deadlineMs ? "lease lost" : control.abortReason;
    const settled = outcomes.settle(lease, endedAfter(outcome, reason ?? late));
    onChange();
    releases.end(lease, await settled);
    onChange();
  }
}
