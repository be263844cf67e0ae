/**
 * Gathers the entries of SQS's batch calls.
 *
 * @module
 */

import { Alarm, type Clock } from "../clock.ts";
import { MAX_BATCH } from "./connection.ts";

/** Gathers entries until there are ten, or the first may wait no longer. */
export class Batch<T> {
  readonly #clock: Clock;
  readonly #send: (entries: readonly T[]) => void;
  readonly #alarm: Alarm;
  #entries: T[] = [];
  #flushAtMs = Infinity;

  constructor(clock: Clock, send: (entries: readonly T[]) => void) {
    this.#clock = clock;
    this.#send = send;
    this.#alarm = new Alarm(clock, () => this.#ring());
  }

  add(entry: T, latestMs: number): void {
    this.#entries.push(entry);
    if (this.#entries.length >= MAX_BATCH) return this.flush();
    this.#flushAtMs = Math.min(this.#flushAtMs, latestMs);
    this.#alarm.setBy(this.#flushAtMs);
  }

  flush(): void {
    if (this.#entries.length === 0) return;
    const entries = this.#entries;
    this.#entries = [];
    this.#flushAtMs = Infinity;
    this.#send(entries);
  }

  clearTimers(): void {
    this.#alarm.off();
  }

  /** Those for which the alarm was set may have been sent with others. */
  #ring(): void {
    if (this.#flushAtMs <= this.#clock.now()) this.flush();
    else this.#alarm.setBy(this.#flushAtMs);
  }
}
