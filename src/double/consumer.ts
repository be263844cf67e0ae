/**
 * A container wired up to a queue of the testing double: it runs its jobs when
 * messages are sent and when time passes, and never waits for a time that only
 * a test can bring about.
 *
 * @module
 */

import type { AttachedConsumer } from "../connect/test_mode.ts";
import { clearImmediate, setImmediate } from "node:timers";
import { currentScope } from "../job/current_job.ts";

/** How many turns of the event loop nothing may happen until it is held up. */
const QUIET_TURNS = 2;

/** What holds jobs up: the clock that stands still. */
export interface Standstill {
  /** The jobs that were under way when the clock began to move. */
  readonly patient: ReadonlySet<object>;
  /** How many calls of the double wait for the clock. */
  readonly sleeping: number;
  /** Resolves when one more does. */
  readonly fallsAsleep: Promise<void>;
}

/** A container wired up to a queue; it runs its jobs one after the other. */
export class Consumer {
  readonly #consumer: AttachedConsumer;
  readonly #standstill: Standstill;
  #underWay: Promise<void> | undefined;
  #again = false;
  /** What a round threw when nobody waited for it any more. */
  #failure: { readonly error: unknown } | undefined;

  constructor(consumer: AttachedConsumer, standstill: Standstill) {
    this.#consumer = consumer;
    this.#standstill = standstill;
  }

  get jobs(): ReadonlySet<object> {
    return this.#consumer.jobs;
  }

  /**
   * Runs what is visible now; resolves when that has been done, or when it
   * cannot go on before the clock moves.
   */
  async drain(): Promise<void> {
    this.#throwFailure();
    this.#again = true;
    const underWay = this.#underWay;
    if (underWay === undefined) return await this.#wait(this.#start());
    // A job that waited for the queue it is part of would wait for itself.
    if (currentScope()?.job === undefined) await this.#wait(underWay);
  }

  /** Resolves when nothing goes on before the clock moves. */
  async settle(): Promise<void> {
    if (this.#underWay !== undefined) await this.#wait(this.#underWay);
  }

  async close(): Promise<void> {
    try {
      await this.settle();
      this.#throwFailure();
    } finally {
      await this.#consumer.close();
    }
  }

  #start(): Promise<void> {
    const round = this.#run();
    this.#underWay = round;
    round.catch((error) => this.#failure = { error });
    return round;
  }

  async #run(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#consumer.drain();
      }
    } finally {
      // In the same turn as the last look at what is to be done.
      this.#underWay = undefined;
    }
  }

  async #wait(round: Promise<void>): Promise<void> {
    // A send that was made before the clock began to move waits for its job.
    const { patient } = this.#standstill;
    for (let quiet = 0; quiet < QUIET_TURNS;) {
      if (await settlesInTurn(round)) {
        this.#failure = undefined;
        return await round;
      }
      if (!this.#isBusy(patient)) quiet++;
      else {
        quiet = 0;
        await Promise.race([
          round.catch(() => {}),
          this.#consumer.changed,
          this.#standstill.fallsAsleep,
        ]);
      }
    }
  }

  /** Whether jobs run that do not wait for the clock. */
  #isBusy(patient: ReadonlySet<object>): boolean {
    if (this.#standstill.sleeping > 0) return false;
    return [...this.#consumer.jobs].some((job) => !patient.has(job));
  }

  #throwFailure(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure.error;
  }
}

/** Whether a promise is settled before the event loop's next turn. */
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
