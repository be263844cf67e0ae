/**
 * Turns of the event loop. Jobs that keep the CPU busy are followed by a turn
 * for everything else: extensions, deletes, signals.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock } from "./clock.ts";

/** Work that is so long is followed by a turn for others, in milliseconds. */
const LONG_MS = 50;

/** The turns that a container takes. */
export class Turns {
  readonly #now: () => number;
  readonly #onResume: () => void;
  /** When work began in this turn of the event loop. */
  #startedMs: number | undefined;
  #pause: Promise<void> | undefined;

  /** Calls back when others have had their turn. */
  constructor(clock: Clock, onResume: () => void) {
    this.#now = () => clock.cpuNow?.() ?? 0;
    this.#onResume = onResume;
  }

  /** Whether others must have their turn before more work begins. */
  get isPaused(): boolean {
    return this.#pause !== undefined;
  }

  /** Work begins. */
  begin(): void {
    if (this.#startedMs !== undefined) return;
    this.#startedMs = this.#now();
    setImmediate(() => this.#startedMs = undefined);
  }

  /** Whether work has kept the CPU for long in this turn. */
  get isLong(): boolean {
    return this.#startedMs !== undefined &&
      this.#now() - this.#startedMs > LONG_MS;
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
