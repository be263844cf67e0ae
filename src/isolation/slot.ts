/**
 * A place for one child process of a pool. When a process ends, another one
 * replaces it, with exponential back-off while they keep crashing.
 *
 * @module
 */

import { type Clock, sleep } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Child } from "./child_process.ts";

/** The longest wait before a restart. */
export const MAX_BACK_OFF_SECONDS = 30;

/** Options of {@linkcode Slot}. */
export interface SlotOptions {
  readonly clock: Clock;
  /** Starts a process. */
  readonly spawn: () => Child;
  /** Called when a process is ready for jobs. */
  readonly onReady: () => void;
  /** Called before a wait for a restart. */
  readonly onBackOff: (seconds: number, why: string) => void;
}

/** A place for one process. */
export class Slot {
  readonly #options: SlotOptions;
  #child: Child;
  readonly #closing = new AbortController();
  #ready = false;
  /** Processes in a row that ended without having ended a job. */
  #crashes = 0;

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
    return this.#ready && this.#child.isAlive;
  }

  /** How long the next restart waits, in seconds: the first is immediate. */
  get backOffSeconds(): number {
    return this.#crashes < 2
      ? 0
      : Math.min(MAX_BACK_OFF_SECONDS, 2 ** (this.#crashes - 2));
  }

  /** Opens it for jobs of a queue; its process is ready. */
  open(queue: string): void {
    this.#ready = true;
    this.#restarting(queue);
    this.#options.onReady();
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

  async #restarting(queue: string): Promise<void> {
    const { clock, onBackOff } = this.#options;
    const { signal } = this.#closing;
    let problem = "";
    for (;;) {
      const how = await this.#child.ended;
      if (signal.aborted) return;
      this.#ready = false;
      this.#crashes++;
      const seconds = this.backOffSeconds;
      if (seconds > 0) {
        onBackOff(seconds, problem || `Its process ${how}`);
        await sleep(clock, seconds * 1000, signal);
        if (signal.aborted) return;
      }
      problem = await this.#restart(queue);
    }
  }

  /** Returns why the process could not be started; empty if it is ready. */
  async #restart(queue: string): Promise<string> {
    try {
      this.#child = this.#options.spawn();
      await this.#child.load();
      await this.#child.make(queue);
    } catch (error) {
      this.#child.kill("was killed as it could not be started");
      return messageOf(error);
    }
    this.#ready = true;
    this.#options.onReady();
    return "";
  }
}
