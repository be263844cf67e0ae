/**
 * A clock that stands still until a test moves it.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { Heap } from "./heap.ts";

interface Timer {
  readonly callback: () => void;
  open: boolean;
}

/** A clock that moves only on request. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #timers = new Heap<Timer>();
  readonly manual = true;

  /** Starts at a time in milliseconds since the Unix epoch. */
  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** When the next timer ends; `Infinity` if there is none. */
  get next(): number {
    while (this.#timers.peek()?.open === false) this.#timers.take();
    return this.#timers.key;
  }

  timer(ms: number, callback: () => void): () => void {
    const timer = { callback, open: true };
    this.#timers.add(this.#now + Math.max(0, ms), timer);
    return () => {
      timer.open = false;
    };
  }

  /**
   * Moves the clock, with a stop at each timer on the way.
   *
   * @param ms How far, in milliseconds.
   * @param settle Awaited at each stop, so that woken code gets its turn.
   */
  async advance(ms: number, settle: () => Promise<void>): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.next; next <= end; next = this.next) {
      const timer = this.#timers.take()!;
      timer.open = false;
      // Another move of the clock may have overtaken this one.
      this.#now = Math.max(this.#now, next);
      timer.callback();
      await settle();
    }
    this.#now = Math.max(this.#now, end);
    await settle();
  }
}
