/**
 * The end of an invocation: jobs are aborted before it, and unsettled messages
 * return while there is time to answer.
 *
 * @module
 */

import { type Clock, unlessAborted } from "../clock.ts";

/** How long before the end jobs are aborted, in milliseconds. */
const NEAR_MS = 1_000;

/** How long before the end unsettled messages return, in milliseconds. */
const OVER_MS = 500;

/** How long before the end nothing is awaited any more, in milliseconds. */
const LAST_MS = 250;

/** Signals that abort shortly before an invocation ends. */
export class Deadline implements Disposable {
  /** Aborts 1 s before the end. */
  readonly near: AbortSignal;
  /** Aborts 0.5 s before the end. */
  readonly over: AbortSignal;
  /** Aborts 0.25 s before the end. */
  readonly #last: AbortSignal;
  readonly #cancels: (() => void)[] = [];

  /** @param leftMs The time until the end; nothing aborts if it is no number. */
  constructor(clock: Clock, leftMs: number) {
    this.near = this.#signal(clock, leftMs - NEAR_MS);
    this.over = this.#signal(clock, leftMs - OVER_MS);
    this.#last = this.#signal(clock, leftMs - LAST_MS);
  }

  /** Calls back 1 s before the end, unless the result was disposed. */
  whenNear(callback: () => void): Disposable {
    const { near } = this;
    if (near.aborted) callback();
    else near.addEventListener("abort", callback);
    return {
      [Symbol.dispose]: () => near.removeEventListener("abort", callback),
    };
  }

  /** A promise's value, or `undefined` if too little time is left. */
  orOver<T>(promise: Promise<T>): Promise<T | undefined> {
    return unlessAborted(promise, this.over);
  }

  /** Like {@linkcode orOver}, for what takes a moment. */
  orLast<T>(promise: Promise<T>): Promise<T | undefined> {
    return unlessAborted(promise, this.#last);
  }

  [Symbol.dispose](): void {
    for (const cancel of this.#cancels) cancel();
  }

  #signal(clock: Clock, ms: number): AbortSignal {
    const controller = new AbortController();
    if (ms <= 0) controller.abort();
    else if (Number.isFinite(ms)) {
      this.#cancels.push(clock.timer(ms, () => controller.abort()));
    }
    return controller.signal;
  }
}
