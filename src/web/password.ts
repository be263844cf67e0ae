/**
 * Tries of the password. A wrong one is answered late, a right one at once: it
 * waits for no wrong one. As an attacker need not wait for late answers, those
 * are limited, too: beyond that, no try is looked at.
 *
 * @module
 */

import { type Clock, sleep } from "../clock.ts";
import { isSame } from "./security.ts";

/** The longest delay of an answer, in seconds; the first one is 1 s. */
const MAX_DELAY_SECONDS = 8;

/** Wrong tries that wait at a time; one client does not keep others out. */
const MAX_WAITING = { ofClient: 10, ofAll: 100 };

/** After which nobody is suspected any more, in milliseconds. */
const FORGET_MS = 600_000;

export type Try = "right" | "wrong" | "too many";

export class Password {
  readonly #password: string;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #wrong = 0;
  #lastWrongMs = -Infinity;
  /** The client of each wrong try that waits for its answer. */
  readonly #waiting: string[] = [];

  /** @param signal Ends the delays. */
  constructor(password: string, clock: Clock, signal: AbortSignal) {
    this.#password = password;
    this.#clock = clock;
    this.#signal = signal;
  }

  async try(given: string, client: string): Promise<Try> {
    const own = this.#waiting.filter((each) => each === client);
    if (
      own.length >= MAX_WAITING.ofClient ||
      this.#waiting.length >= MAX_WAITING.ofAll
    ) return "too many";
    if (isSame(given, this.#password)) return "right";
    const now = this.#clock.now();
    if (now - this.#lastWrongMs > FORGET_MS) this.#wrong = 0;
    this.#lastWrongMs = now;
    const seconds = Math.min(MAX_DELAY_SECONDS, 2 ** this.#wrong++);
    this.#waiting.push(client);
    try {
      await sleep(this.#clock, seconds * 1000, this.#signal);
    } finally {
      this.#waiting.splice(this.#waiting.indexOf(client), 1);
    }
    return "wrong";
  }
}
