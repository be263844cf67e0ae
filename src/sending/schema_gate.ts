/**
 * The check of jobs by a schema before they are sent.
 *
 * @module
 */

import { unlessAborted } from "../clock.ts";
import { checkJob, type StandardSchema } from "../job/schema.ts";
import { type BodyFormat, readMessage } from "../message/reading.ts";

/**
 * Lets jobs that fit pass. Checks run side by side, but the jobs of one FIFO
 * group pass in the order of their calls.
 */
export class SchemaGate {
  readonly #schema: StandardSchema;
  readonly #body: BodyFormat;
  /** By group: resolves when all that came before has passed or was refused. */
  readonly #tails = new Map<string, Promise<void>>();

  constructor(schema: StandardSchema, body: BodyFormat) {
    this.#schema = schema;
    this.#body = body;
  }

  /**
   * Checks a job as its worker would get it, and passes it on.
   *
   * @param group Its FIFO group, if it must keep its place.
   * @param pass Sends the job; called at once if nothing must be awaited.
   * @param signal Gives the job up while it waits.
   * @throws {SchemaError} If the job does not fit.
   */
  async check<T>(
    body: string,
    group: string | undefined,
    pass: () => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const reading = { body: this.#body };
    const fits = checkJob(this.#schema, readMessage({ body }, reading), {
      ...reading,
      subject: "Cannot send job as it",
    });
    const before = group === undefined ? undefined : this.#tails.get(group);
    if (!("then" in fits) && before === undefined) return await pass();
    const { promise: turn, resolve: endTurn } = Promise.withResolvers<void>();
    if (group !== undefined) this.#append(group, before, turn);
    let passed: Promise<T>;
    try {
      const ready = Promise.all([fits, before]);
      await (signal === undefined ? ready : unlessAborted(ready, signal));
      signal?.throwIfAborted();
      passed = pass();
    } finally {
      endTurn();
    }
    return await passed;
  }

  #append(
    group: string,
    before: Promise<void> | undefined,
    turn: Promise<void>,
  ): void {
    const tail = before === undefined ? turn : before.then(() => turn);
    this.#tails.set(group, tail);
    tail.then(() => {
      if (this.#tails.get(group) === tail) this.#tails.delete(group);
    });
  }
}
