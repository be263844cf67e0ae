/**
 * Tries of the password. A wrong one is answered late, a right one at once:
 * nobody keeps others out by wrong ones.
 *
 * @module
 */

import { type Clock, sleep } from "../clock.ts";
import { isSame } from "./security.ts";

/** The longest delay of an answer, in seconds; the first one is 1 s. */
const MAX_DELAY_SECONDS = 8;

/** Wrong tries that are answered late at a time: more are not looked at. */
const MAX_WAITING = 100;

/** After which nobody is suspected any more, in milliseconds. */
const FORGET_MS = 600_000;

export type Try = "right" | "wrong" | "too many";

export class Password {
  readonly #password: string;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #wrong = 0;
  #lastWrongMs = -Infinity;
  #waiting = 0;

  /** @param signal Ends the delays. */
  constructor(password: string, clock: Clock, signal: AbortSignal) {
    this.#password = password;
    this.#clock = clock;
    this.#signal = signal;
  }

  async try(given: string): Promise<Try> {
    if (this.#waiting >= MAX_WAITING) return "too many";
    if (isSame(given, this.#password)) return "right";
    const now = this.#clock.now();
    if (now - this.#lastWrongMs > FORGET_MS) this.#wrong = 0;
    this.#lastWrongMs = now;
    const seconds = Math.min(
      MAX_DELAY_SECONDS,
      2 ** Math.min(9, this.#wrong++),
    );
    this.#waiting++;
    try {
      await sleep(this.#clock, seconds * 1000, this.#signal);
    } finally {
      this.#waiting--;
    }
    return "wrong";
  }
}
