/**
 * The receives that wait for messages of a queue of the testing double. A
 * message that comes wakes one of them: a fleet may have hundreds.
 *
 * @module
 */

import { Alarm, type Clock } from "../clock.ts";

/** The long polls of one queue, the longest wait first. */
export class LongPolls {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  /** Rings when a hidden message becomes visible. */
  readonly #alarm: Alarm;

  /** @param onVisible Called when a hidden message may have become visible. */
  constructor(clock: Clock, onVisible: () => void) {
    this.#clock = clock;
    this.#alarm = new Alarm(clock, onVisible);
  }

  get areWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Waits until it is woken, its time is over, or its signal aborts. */
  wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#waiting.delete(end);
        signal?.removeEventListener("abort", end);
        if (!this.areWaiting) this.#alarm.off();
        resolve();
      };
      const cancel = this.#clock.timer(ms, end);
      signal?.addEventListener("abort", end, { once: true });
      this.#waiting.add(end);
    });
  }

  /** Wakes one, and takes note when the next hidden message becomes visible. */
  wake(isVisible: boolean, nextVisibleMs: number): void {
    if (isVisible) {
      const [end] = this.#waiting;
      end?.();
    }
    if (this.areWaiting) this.#alarm.setBy(nextVisibleMs);
  }
}
