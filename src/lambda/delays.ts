/**
 * The delays of retries: for how long SQS hides records that return.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { request, type Requesting } from "../engine/context.ts";
import { messageOf, SqsError } from "../errors.ts";
import type { Logger } from "../logging/loggers.ts";
import { type EntryResult, isDenied, MAX_BATCH } from "../sqs/connection.ts";
import type { Deadline } from "./deadline.ts";
import type { SourceRecord } from "./event.ts";

/** What {@linkcode Delays} works with. */
interface DelaysOptions {
  /** The queue's name. */
  readonly queue: string;
  readonly fifo: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Connects to the queue; called as soon as there is a delay. */
  readonly connect: () => Promise<Requesting>;
  /** Remembers, for all invocations, that a missing right was logged. */
  readonly denied: { isLogged: boolean };
}

/** A record that stays hidden. */
interface Delayed {
  readonly receiptHandle: string;
  readonly untilMs: number;
}

/** The delays of one queue's records in an invocation. */
export class Delays {
  readonly #options: DelaysOptions;
  /** When a record becomes visible. */
  readonly #untilMs = new Map<SourceRecord, number>();
  #connecting: Promise<Requesting> | undefined;

  constructor(options: DelaysOptions) {
    this.#options = options;
  }

  /** Notes that a record stays hidden for so long from now on. */
  note(record: SourceRecord, seconds: number): void {
    const { clock, connect } = this.#options;
    this.#untilMs.set(record, clock.now() + seconds * 1000);
    // Jobs still run while the SDK is loaded. A failure is reported later.
    this.#connecting ??= connect();
    this.#connecting.catch(() => {});
  }

  /**
   * Asks SQS for the delays. If it refuses, records return when their visibility
   * timeout ends: one line is logged.
   */
  async apply(
    left: readonly SourceRecord[],
    deadline: Deadline,
  ): Promise<void> {
    if (this.#connecting === undefined) return;
    try {
      const to = await deadline.orOver(this.#connecting);
      if (to === undefined) throw new Error(NO_TIME);
      const results = await deadline.orLast(this.#change(left, to));
      if (results === undefined) throw new Error(NO_TIME);
      const refused = results.flat().find(({ ok }) => !ok);
      if (refused === undefined || refused.ok) return;
      const { code, message } = refused.failure;
      throw new SqsError(`${code}: ${message}`, refused.failure);
    } catch (error) {
      this.#log(error);
    }
  }

  #change(
    left: readonly SourceRecord[],
    to: Requesting,
  ): Promise<EntryResult[][]> {
    const delayed = this.#delayed(left);
    const calls: Promise<EntryResult[]>[] = [];
    for (let i = 0; i < delayed.length; i += MAX_BATCH) {
      const now = this.#options.clock.now();
      const changes = delayed.slice(i, i + MAX_BATCH)
        .map(({ receiptHandle, untilMs }) => {
          const seconds = Math.max(0, Math.ceil((untilMs - now) / 1000));
          return { receiptHandle, visibilityTimeoutSeconds: seconds };
        });
      calls.push(request(
        to,
        "ChangeMessageVisibility",
        (connection, url) => connection.changeVisibility(url, changes),
      ));
    }
    return Promise.all(calls);
  }

  /** On FIFO queues, later records of a group wait no longer than the first. */
  #delayed(left: readonly SourceRecord[]): Delayed[] {
    const { fifo } = this.#options;
    const groups = new Map<string | undefined, number>();
    return left.flatMap((record) => {
      const { receiptHandle, message: { groupId } } = record;
      const untilMs = this.#untilMs.get(record) ??
        (fifo ? groups.get(groupId) : undefined);
      if (untilMs === undefined || receiptHandle === undefined) return [];
      groups.set(groupId, untilMs);
      return [{ receiptHandle, untilMs }];
    });
  }

  #log(error: unknown): void {
    const { queue, logger, denied } = this.#options;
    const isForbidden = isDenied(error);
    if (isForbidden && denied.isLogged) return;
    denied.isLogged ||= isForbidden;
    const why = isForbidden
      ? "sqs:ChangeMessageVisibility is not allowed"
      : messageOf(error);
    logger.warn(
      `Retries of ${queue} are not delayed, and wait for the visibility timeout: ${why}`,
    );
  }
}

const NO_TIME = "no time is left in this invocation";
