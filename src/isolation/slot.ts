/**
 * A place for one child process of a pool. When a process ends, another one
 * replaces it, with exponential back-off while they keep crashing.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
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
  #ready = false;
  #closed = false;
  /** Processes in a row that ended without having ended a job. */
  #crashes = 0;
  #endWait: (() => void) | undefined;

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
    this.#closed = true;
    this.#endWait?.();
    if (this.isReady && this.#child.size === 0) await this.#child.dispose();
  }

  /** Kills the process, and starts no other. */
  close(): void {
    this.#closed = true;
    this.#endWait?.();
    this.#child.kill("was killed as its container stopped");
  }

  async #restarting(queue: string): Promise<void> {
    while (!this.#closed) {
      let why = `Its process ${await this.#child.ended}`;
      this.#ready = false;
      while (!this.#ready && !this.#closed) {
        this.#crashes++;
        const seconds = this.backOffSeconds;
        if (seconds > 0) {
          this.#options.onBackOff(seconds, why);
          await this.#wait(seconds);
          if (this.#closed) return;
        }
        why = await this.#restart(queue);
      }
    }
  }

  /** Returns why the process is not ready; empty if it is. */
  async #restart(queue: string): Promise<string> {
    try {
      this.#child = this.#options.spawn();
      await this.#child.load();
      await this.#child.make(queue);
    } catch (error) {
      this.#child.kill("was killed as it could not be started");
      await this.#child.ended;
      return messageOf(error);
    }
    this.#ready = true;
    this.#options.onReady();
    return "";
  }

  #wait(seconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#options.clock.timer(seconds * 1000, resolve);
    this.#endWait = () => {
      cancel();
      resolve();
    };
    return promise;
  }
}
