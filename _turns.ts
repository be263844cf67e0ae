/**
 * Turns of the event loop: work that keeps the CPU is followed by one for all
 * else, or leases would not be extended, nor deletes sent, nor signals seen.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Work that kept the CPU so long is followed by a turn for others, in ms. */
const LONG_MS = 50;

/** When some work began. */
export interface Mark {
  readonly turn: number;
  readonly ms: number;
}

/** The turns that a container takes. */
export class Turns {
  readonly #onResume: () => void;
  #turn = 0;
  #isCounted = false;
  #pause: Promise<void> | undefined;

  /** Calls back when others have had their turn. */
  constructor(onResume: () => void) {
    this.#onResume = onResume;
  }

  /** Whether others are to have their turn before anything is begun. */
  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /** Marks the beginning of some work. */
  mark(): Mark {
    if (!this.#isCounted) {
      this.#isCounted = true;
      setImmediate(() => {
        this.#isCounted = false;
        this.#turn++;
      });
    }
    return { turn: this.#turn, ms: performance.now() };
  }

  /** Whether work has kept the CPU for long since then, and all of the time. */
  isLongSince({ turn, ms }: Mark): boolean {
    return turn === this.#turn && performance.now() - ms > LONG_MS;
  }

  /** Lets timers, signals and answers have their turn. */
  pause(): Promise<void> {
    return this.#pause ??= new Promise((resolve) => {
      setTimeout(() => {
        this.#pause = undefined;
        resolve();
        this.#onResume();
      }, 0);
    });
  }
}
