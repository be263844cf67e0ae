/**
 * What waits for the virtual clock: it cannot end before a test moves the clock.
 *
 * @module
 */

import { type Clock, sleep } from "../clock.ts";

/** Calls of the double, and jobs, that wait for the clock. */
export class ClockWait {
  readonly clock: Clock;
  /** For each move of the clock in progress, the jobs that ran before it. */
  readonly #moves = new Set<ReadonlySet<object>>();
  #sleeping = 0;
  #fallsAsleep = Promise.withResolvers<void>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Whether a call of the double waits for the clock. */
  get isAsleep(): boolean {
    return this.#sleeping > 0;
  }

  /** Resolves when another call starts to wait for the clock. */
  get fallsAsleep(): Promise<void> {
    return this.#fallsAsleep.promise;
  }

  /**
   * The jobs that ran before the clock began to move. They may wait for the
   * clock, so nobody may wait for them.
   */
  get runningBefore(): ReadonlySet<object> {
    return new Set([...this.#moves].flatMap((jobs) => [...jobs]));
  }

  /** Waits for the clock, or until the signal aborts. */
  async sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    this.#sleeping++;
    this.#fallsAsleep.resolve();
    this.#fallsAsleep = Promise.withResolvers();
    try {
      await sleep(this.clock, ms, signal);
    } finally {
      this.#sleeping--;
    }
  }

  /** Moves the clock while these jobs run. Moves may overlap. */
  async during(
    running: Iterable<object>,
    move: () => Promise<void>,
  ): Promise<void> {
    const jobs = new Set(running);
    this.#moves.add(jobs);
    try {
      await move();
    } finally {
      this.#moves.delete(jobs);
    }
  }
}
