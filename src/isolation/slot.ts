/**
 * A place for one child process of a pool. When a process ends, another one
 * replaces it: immediately if its jobs ended it, otherwise with exponential
 * back-off.
 *
 * @module
 */

import { type Clock, sleep } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Child } from "./child_process.ts";
import type { WorkerSetting } from "./protocol.ts";

/** The longest wait before a restart. */
export const MAX_BACK_OFF_SECONDS = 30;

/** After a longer wait for a restart, jobs wait no more for a process. */
const MAX_HOPEFUL_SECONDS = 1;

/** A process that starts for longer than this is a problem, in milliseconds. */
const MAX_START_MS = 10_000;

/** Options of {@linkcode Slot}. */
interface SlotOptions {
  readonly clock: Clock;
  /** Starts a process. */
  readonly spawn: () => Child;
  /** Called when a process is ready for jobs, or none can be had. */
  readonly onChange: () => void;
  /** Called before a wait for a restart. */
  readonly onBackOff: (seconds: number, why: string) => void;
}

/** A place for one process. */
export class Slot {
  readonly #options: SlotOptions;
  #child: Child;
  readonly #closing = new AbortController();
  #isReady = false;
  #problem: string | undefined;
  /** Failed starts and ends without a job, in a row. */
  #crashes = 0;
  /** Whether its job must run alone. */
  isAlone = false;

  /** Starts the first process. */
  constructor(options: SlotOptions) {
    this.#options = options;
    this.#child = options.spawn();
  }

  /** The process, which may have ended. */
  get child(): Child {
    return this.#child;
  }

  /** Whether it takes jobs. */
  get isReady(): boolean {
    return this.#isReady && this.#child.isAlive;
  }

  /** Why it will have no process for a while, or `undefined`. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** How long the next restart waits, in seconds: the first is immediate. */
  get backOffSeconds(): number {
    return this.#crashes < 2
      ? 0
      : Math.min(MAX_BACK_OFF_SECONDS, 2 ** (this.#crashes - 2));
  }

  /** Opens it for jobs; its process is ready, and later ones are made alike. */
  open(setting: WorkerSetting): void {
    this.#isReady = true;
    this.#restarting(setting);
    this.#options.onChange();
  }

  /** The process did its work: its end is no reason to wait. */
  resetBackOff(): void {
    this.#crashes = 0;
  }

  /**
   * Starts no other process, disposes the worker and ends the process. A process
   * that still has jobs was given up, and is left to {@linkcode close}.
   */
  async dispose(): Promise<void> {
    this.#closing.abort();
    if (this.isReady && this.#child.size === 0) await this.#child.dispose();
  }

  /** Kills the process, and starts no other. */
  close(): void {
    this.#closing.abort();
    this.#child.kill("was killed as its container stopped");
  }

  async #restarting(setting: WorkerSetting): Promise<void> {
    const { clock, onBackOff } = this.#options;
    const { signal } = this.#closing;
    for (;;) {
      let why = `Its process ${await this.#child.ended}`;
      this.#isReady = false;
      // What its jobs did is no reason to wait: they are in doubt now.
      if (this.#child.lostJobs === 0) this.#crashes++;
      while (!signal.aborted && !this.#isReady) {
        const seconds = this.backOffSeconds;
        if (seconds > 0) {
          onBackOff(seconds, why);
          if (seconds > MAX_HOPEFUL_SECONDS) this.#setProblem(why);
          await sleep(clock, seconds * 1000, signal);
          if (signal.aborted) return;
        }
        why = await this.#restart(setting);
      }
      if (signal.aborted) return;
    }
  }

  /** Returns why the process could not be started; empty if it is ready. */
  async #restart(setting: WorkerSetting): Promise<string> {
    const late = setTimeout(
      () => this.#setProblem("Its process does not become ready"),
      MAX_START_MS,
    );
    try {
      this.#child = this.#options.spawn();
      await this.#child.load();
      await this.#child.make(setting);
      this.#isReady = true;
      this.#setProblem(undefined);
      return "";
    } catch (error) {
      this.#child.kill("was killed as it could not be started");
      await this.#child.ended;
      this.#crashes = Math.max(2, this.#crashes + 1);
      return messageOf(error);
    } finally {
      clearTimeout(late);
    }
  }

  #setProblem(problem: string | undefined): void {
    this.#problem = problem;
    this.#options.onChange();
  }
}
