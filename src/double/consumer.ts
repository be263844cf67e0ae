/**
 * A container attached to a queue of the testing double. It runs jobs when
 * messages are sent and when the clock moves. It never waits for anything that
 * only a move of the clock ends.
 *
 * @module
 */

import { clearImmediate, setImmediate } from "node:timers";
import type { AttachedConsumer } from "../connect/test_mode.ts";
import { isInJob } from "../job/current_job.ts";
import type { ClockWait } from "./clock_wait.ts";

/** After how many idle turns of the event loop only the clock can help. */
const QUIET_TURNS = 2;

/** A container attached to a queue, with one round of jobs at a time. */
export class Consumer {
  readonly #container: AttachedConsumer;
  readonly #clockWait: ClockWait;
  #round: Promise<void> | undefined;
  #again = false;
  /** What a round threw after everybody had stopped waiting for it. */
  #failure: { readonly error: unknown } | undefined;

  constructor(container: AttachedConsumer, clockWait: ClockWait) {
    this.#container = container;
    this.#clockWait = clockWait;
  }

  get jobs(): ReadonlySet<object> {
    return this.#container.jobs;
  }

  /**
   * Runs the jobs of the visible messages. Resolves when they are done, or when
   * they wait for the clock.
   */
  async runVisible(): Promise<void> {
    this.#throwFailure();
    this.#again = true;
    const round = this.#round;
    if (round === undefined) return await this.#wait(this.#start());
    // A job that waited for its own round would never end.
    if (!isInJob()) await this.#wait(round);
  }

  /** Runs the visible messages after a pause; the next call throws its error. */
  resume(): void {
    this.runVisible().catch((error) => this.#failure = { error });
  }

  /** Resolves when the round is done, or waits for the clock. */
  async settle(): Promise<void> {
    if (this.#round !== undefined) await this.#wait(this.#round);
  }

  async close(): Promise<void> {
    try {
      await this.settle();
      this.#throwFailure();
    } finally {
      await this.#container.close();
    }
  }

  #start(): Promise<void> {
    const round = this.#run();
    this.#round = round;
    round.catch((error) => this.#failure = { error });
    return round;
  }

  async #run(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#container.runVisible();
      }
    } finally {
      // In the same turn as the last look at `#again`: no send slips between.
      this.#round = undefined;
    }
  }

  async #wait(round: Promise<void>): Promise<void> {
    // Read once: a send made before the clock began to move waits for its job.
    const { runningBefore } = this.#clockWait;
    for (let quiet = 0; quiet < QUIET_TURNS;) {
      if (await settlesInTurn(round)) {
        this.#failure = undefined;
        return await round;
      }
      if (!this.#isBusy(runningBefore)) quiet++;
      else {
        quiet = 0;
        await Promise.race([
          round.catch(() => {}),
          this.#container.changed,
          this.#clockWait.fallsAsleep,
        ]);
      }
    }
  }

  /** Whether a job runs that does not wait for the clock. */
  #isBusy(runningBefore: ReadonlySet<object>): boolean {
    return !this.#clockWait.isAsleep &&
      [...this.jobs].some((job) => !runningBefore.has(job));
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }
}

/** Whether a promise settles before the event loop's next turn. */
function settlesInTurn(promise: Promise<void>): Promise<boolean> {
  return new Promise((resolve) => {
    const turn = setImmediate(() => resolve(false));
    const settled = () => {
      clearImmediate(turn);
      resolve(true);
    };
    promise.then(settled, settled);
  });
}
