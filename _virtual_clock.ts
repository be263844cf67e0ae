/**
 * A clock that stands still until a test moves it.
 *
 * @module
 */

import type { Clock } from "./_clock.ts";

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that only moves when it is told to. */
export class VirtualClock implements Clock {
  #now: number;
  readonly #timers = new Set<Timer>();

  /** Starts at a time in milliseconds since the Unix epoch. */
  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  timer(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, ms), callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /**
   * Moves the time, stopping wherever someone waits for it.
   *
   * @param ms How far, in milliseconds.
   * @param settle Awaited at each stop, so that what was woken gets its turn.
   */
  async advance(ms: number, settle: () => Promise<void>): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (;;) {
      const next = this.#next(end);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = next.at;
      next.callback();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  #next(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= end && (next === undefined || timer.at < next.at)) {
        next = timer;
      }
    }
    return next;
  }
}
