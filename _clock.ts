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

/** The system's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  timer(ms, callback) {
    const id = setTimeout(callback, ms);
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
