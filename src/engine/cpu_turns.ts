/**
 * Turns of the event loop: work that keeps the CPU is followed by one for all
 * else, or leases would not be extended, nor deletes sent, nor signals seen.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Work that kept the CPU so long is followed by a turn for others, in ms. */
const LONG_MS = 50;

/** The turns that a container takes. */
export class Turns {
  readonly #onResume: () => void;
  /** When work began in this turn of the event loop. */
  #startedMs: number | undefined;
  #pause: Promise<void> | undefined;

  /** Calls back when others have had their turn. */
  constructor(onResume: () => void) {
    this.#onResume = onResume;
  }

  /** Whether others are to have their turn before anything is begun. */
  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /** Tells that work begins. */
  begin(): void {
    if (this.#startedMs !== undefined) return;
    this.#startedMs = Date.now();
    setImmediate(() => this.#startedMs = undefined);
  }

  /** Whether work has kept the CPU for long in this turn. */
  get isLong(): boolean {
    return this.#startedMs !== undefined &&
      Date.now() - this.#startedMs > LONG_MS;
  }

  /** Lets timers, signals and answers have their turn. */
  pause(): Promise<void> {
    return this.#pause ??= new Promise((resolve) => {
      setTimeout(() => {
        this.#pause = undefined;
        this.#startedMs = undefined;
        resolve();
        this.#onResume();
      }, 0);
    });
  }
}
