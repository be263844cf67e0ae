/**
 * A limit on what a child process sends in a second: the container holds all of
 * it in memory until it is logged.
 *
 * @module
 */

/** The most characters of frames of any kind in a second. */
const MAX_PER_SECOND = 4 * 1_048_576;

/** Counts what one child process sends. */
export class FloodLimit {
  #sinceMs = 0;
  #size = 0;

  /** Whether a frame of this size is more than a child may send. */
  isOver(size: number): boolean {
    const now = performance.now();
    if (now - this.#sinceMs >= 1000) {
      this.#sinceMs = now;
      this.#size = 0;
    }
    this.#size += size;
    return this.#size > MAX_PER_SECOND;
  }
}
