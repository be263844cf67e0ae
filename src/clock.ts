/**
 * The clock that the engine and the double share, so that tests can move time.
 *
 * @module
 */

/** A source of time and timers. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /**
   * Calls back once, after `ms` milliseconds.
   *
   * @returns A function that cancels the timer.
   */
  timer(ms: number, callback: () => void): () => void;
  /**
   * Milliseconds, to measure how long work keeps the CPU. A test's clock has
   * none, or the machine's speed would decide what happens in the test.
   */
  cpuNow?(): number;
  /** Whether it moves only when a test moves it. */
  readonly manual?: boolean;
}

/**
 * The time of day, but never going back. Otherwise a lease would seem to last
 * longer if somebody sets the system's clock, or if the machine sleeps.
 */
function steadyTime(): () => number {
  let lastTimeOfDay = Date.now();
  let lastMeasured = performance.now();
  let time = lastTimeOfDay;
  return () => {
    const timeOfDay = Date.now();
    // A measurement costs CPU: once a millisecond is enough.
    if (timeOfDay === lastTimeOfDay) return time;
    const measured = performance.now();
    time = Math.max(time + measured - lastMeasured, timeOfDay);
    lastTimeOfDay = timeOfDay;
    lastMeasured = measured;
    return time;
  };
}

/** The system's clock. */
export const systemClock: Clock = {
  now: steadyTime(),
  timer(ms, callback) {
    const id = setTimeout(callback, Math.max(0, ms));
    return () => clearTimeout(id);
  },
};

/**
 * One timer for many deadlines, because each timer costs CPU. It rings at the
 * earliest deadline that was set, even if that one no longer counts. Its owner
 * checks which deadlines are over.
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

  /** Rings at a time, unless it rings earlier. */
  setBy(ms: number): void {
    if (ms >= this.#atMs) return;
    this.off();
    this.#atMs = ms;
    this.#cancel = this.#clock.timer(ms - this.#clock.now(), () => {
      this.#atMs = Infinity;
      this.#onRing();
    });
  }

  /** Cancels the timer. */
  off(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#atMs = Infinity;
  }
}

/**
 * Resolves after `ms` milliseconds, or as soon as `signal` aborts. It never
 * rejects.
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

/**
 * Waits before a retry, which spares a server. A clock that only a test moves
 * has no server to spare, and nobody may be there to move it.
 */
export async function pause(
  clock: Clock,
  ms: number,
  signal?: AbortSignal,
): Promise<void> {
  if (!clock.manual) await sleep(clock, ms, signal);
}

/** A promise's value, or `undefined` once the signal aborts. */
export async function unlessAborted<T>(
  promise: T | Promise<T>,
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

/** Reads a source until a signal aborts, even if the source stalls. */
export async function* untilAborted<T>(
  source: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T> {
  if (signal === undefined) return yield* source;
  const iterator = Symbol.asyncIterator in source
    ? source[Symbol.asyncIterator]()
    : source[Symbol.iterator]();
  let exhausted = false;
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await unlessAborted(iterator.next(), signal);
      signal.throwIfAborted();
      exhausted = next?.done === true;
      if (next === undefined || next.done) return;
      yield next.value;
    }
  } finally {
    // A stalled source answers this only when it continues: do not wait.
    if (!exhausted) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

/** A source of numbers from 0 to below 1. */
export type Random = () => number;
