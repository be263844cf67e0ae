/**
 * Time as the engine and the double see it, so that tests can move it.
 *
 * @module
 */

/** A source of time that can be waited on. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /**
   * Calls back once, after `ms` milliseconds.
   *
   * @returns A function that takes the call back.
   */
  timer(ms: number, callback: () => void): () => void;
}

/** How long the time that passed is measured only, in milliseconds. */
const LOOK_MS = 10;

/**
 * The time of day, which never goes back: leases must not seem to last longer
 * where the system's clock is set, nor where the machine slept.
 */
class SteadyTime {
  #time = Date.now();
  #measured = performance.now();

  now(): number {
    const measured = performance.now();
    const passed = measured - this.#measured;
    // The time of day is looked at now and then: each look has its price.
    if (passed < LOOK_MS) return this.#time + passed;
    this.#measured = measured;
    this.#time = Math.max(this.#time + passed, Date.now());
    return this.#time;
  }
}

const steadyTime = new SteadyTime();

/** The system's clock. */
export const systemClock: Clock = {
  now: () => steadyTime.now(),
  timer(ms, callback) {
    const id = setTimeout(callback, Math.max(0, ms));
    return () => clearTimeout(id);
  },
};

/**
 * Resolves after `ms` milliseconds, or at once when `signal` aborts: it never
 * rejects, as its callers look at what ended the wait themselves.
 */
export function sleep(
  clock: Clock,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.timer(ms, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}
