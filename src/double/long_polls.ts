/**
 * The receives that wait for a message.
 *
 * @module
 */

import { type Clock, sleep } from "../clock.ts";

/** Receives that wait for a change in their queue. */
export class LongPolls {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits for a change, for some time at most, or until the signal aborts. */
  async wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const woken = new AbortController();
    const wake = () => woken.abort();
    signal?.addEventListener("abort", wake, { once: true });
    this.#waiting.add(wake);
    await sleep(this.#clock, ms, woken.signal);
    this.#waiting.delete(wake);
    signal?.removeEventListener("abort", wake);
  }

  /** Reports a change. */
  wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}
