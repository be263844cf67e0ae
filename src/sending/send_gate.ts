/**
 * What happens to jobs before they are sent: their check by a schema, and the
 * upload of large bodies.
 *
 * @module
 */

import { unlessAborted } from "../clock.ts";
import { checkJob, type StandardSchema } from "../job/schema.ts";
import { type BodyFormat, readMessage } from "../message/reading.ts";

/**
 * Lets jobs pass that fit and are uploaded. Checks and uploads run side by side,
 * but the jobs of one FIFO group pass in the order of their calls.
 */
export class SendGate {
  readonly #schema: StandardSchema | undefined;
  readonly #body: BodyFormat;
  /** By group: resolves when all that came before has passed or was refused. */
  readonly #tails = new Map<string, Promise<void>>();

  constructor(schema: StandardSchema | undefined, body: BodyFormat) {
    this.#schema = schema;
    this.#body = body;
  }

  /**
   * Checks a job as its worker would get it, and passes it on.
   *
   * @param group Its FIFO group, if it must keep its place.
   * @param pass Sends the job; called at once if nothing must be awaited.
   * @param signal Gives the job up while it waits.
   * @param upload Uploads the job's body, if it is a large one.
   * @throws {SchemaError} If the job does not fit.
   * @throws {SendError} If its body cannot be uploaded.
   */
  async check<T>(
    body: string,
    group: string | undefined,
    pass: () => Promise<T>,
    signal: AbortSignal | undefined,
    upload?: () => Promise<void>,
  ): Promise<T> {
    const fits = this.#fits(body);
    const isReady = !(fits instanceof Promise) && upload === undefined;
    const before = group === undefined ? undefined : this.#tails.get(group);
    if (isReady && before === undefined) return await pass();
    const { promise: turn, resolve: endTurn } = Promise.withResolvers<void>();
    if (group !== undefined) this.#append(group, before, turn);
    let passed: Promise<T>;
    try {
      const own = isReady ? undefined : readied(fits, upload);
      const ready = Promise.all([own, before]);
      await (signal === undefined ? ready : unlessAborted(ready, signal));
      signal?.throwIfAborted();
      passed = pass();
    } finally {
      endTurn();
    }
    return await passed;
  }

  #fits(body: string): unknown {
    if (this.#schema === undefined) return undefined;
    const reading = { body: this.#body };
    const read = readMessage({ body }, reading);
    const subject = "Cannot send job as it";
    const fits = checkJob(this.#schema, read, { ...reading, subject });
    return "then" in fits ? Promise.resolve(fits) : undefined;
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

async function readied(
  fits: unknown,
  upload: (() => Promise<void>) | undefined,
): Promise<void> {
  await fits;
  await upload?.();
}
