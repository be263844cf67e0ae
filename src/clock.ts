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

/**
 * The time of day, which never goes back: leases must not seem to last longer
 * where the system's clock is set, nor where the machine slept.
 */
class SteadyTime {
  #timeOfDay = Date.now();
  #time = this.#timeOfDay;
  #measured = performance.now();

  now(): number {
    const timeOfDay = Date.now();
    // To measure has its price: once a millisecond will do.
    if (timeOfDay === this.#timeOfDay) return this.#time;
    const measured = performance.now();
    const passed = measured - this.#measured;
    this.#time = Math.max(this.#time + passed, timeOfDay);
    this.#timeOfDay = timeOfDay;
    this.#measured = measured;
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
 * One timer for many deadlines, as each timer has its price: it rings when the
 * earliest may have come. Those that are put off or taken back do not move it.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #onRing: () => void;
  #atMs = Infinity;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, onRing: () => void) {
    this.#clock = clock;
    this.#onRing = onRing;
  }

  /** Has it ring at a time, if it would not before. */
  setBy(ms: number): void {
    if (ms >= this.#atMs) return;
    this.off();
    this.#atMs = ms;
    this.#cancel = this.#clock.timer(ms - this.#clock.now(), () => {
      this.#atMs = Infinity;
      this.#onRing();
    });
  }

  /** Has it not ring any more. */
  off(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#atMs = Infinity;
  }
}

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

/** A promise's value, or `undefined` once the signal aborts. */
export async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = () => resolve(undefined);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Reads a source, and leaves it where a signal aborts, even if it stalls. */
export async function* untilAborted<T>(
  source: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  if (signal === undefined) return yield* source;
  const iterator = Symbol.asyncIterator in source
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]();
  let abort = () => {};
  const onAbort = () => abort();
  signal.addEventListener("abort", onAbort);
  let exhausted = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      // One each time: what is raced with a promise is held by it.
      const { promise: aborted, reject } = Promise.withResolvers<never>();
      abort = () => reject(signal.reason);
      const next = await Promise.race([aborted, iterator.next()]);
      signal.throwIfAborted();
      exhausted = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // A source that stalls answers this when it goes on: nobody waits for it.
    if (!exhausted) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** A source of numbers from 0 to below 1. */
export type Random = () => number;
