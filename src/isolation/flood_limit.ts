/**
 * Limits on the frames of a child process, one and all in a second: the
 * container holds them in memory until they are logged.
 *
 * @module
 */

import { isTooLong } from "./protocol.ts";

/** The most characters of frames of any kind in a second. */
const MAX_PER_SECOND = 4 * 1_048_576;

/** Counts what one child process sends. */
export class FloodLimit {
  #sinceMs = 0;
  #size = 0;

  /** Why a child may not send a frame; continues `Its process was killed as`. */
  problemOf(frame: string): string | undefined {
    if (isTooLong(frame)) return "it sent more than 1 MiB at once";
    const now = performance.now();
    if (now - this.#sinceMs >= 1000) {
      this.#sinceMs = now;
      this.#size = 0;
    }
    this.#size += frame.length;
    return this.#size > MAX_PER_SECOND
      ? "it sent more than 4 MiB of log lines and outcomes in a second"
      : undefined;
  }
}
