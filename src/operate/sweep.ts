/**
 * Going through all messages that a queue holds, each once: what was received
 * is held until all were seen, as it would else be received again, and then
 * released.
 *
 * @module
 */

import { SqsError } from "../errors.ts";
import { testMode } from "../connect/test_mode.ts";
import { type Clock, sleep } from "../clock.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import {
  type Connection,
  type EntryResult,
  isDenied,
  isMissingQueue,
  MAX_BATCH,
  type ReceivedMessage,
} from "../sqs/connection.ts";
import { Counters } from "../telemetry/counters.ts";
import { Lease, LeaseKeeper } from "../engine/leases.ts";
import { Visibility } from "../engine/receiver.ts";

/** For how long a message that is looked at is hidden, in seconds. */
export const SWEEP_VISIBILITY_SECONDS = 120;

/** How many long polls in a row must bring nothing new before it ends. */
const EMPTY_POLLS = 2;

/** How long a poll waits, in seconds: long enough to ask all of SQS's servers. */
const WAIT_SECONDS = 1;

/** After which a receive is given up, in milliseconds. */
const ANSWER_MS = 10_000 + WAIT_SECONDS * 1000;

/** How many receives are under way beside the work on what they bring. */
const RECEIVES_AHEAD = 3;

/** How many requests release messages side by side. */
const RELEASES_AT_ONCE = 8;

/** How often a call is tried, beyond the tries of the SDK. */
const MAX_TRIES = 4;

/** The pause before the first retry, in milliseconds; then doubling. */
const RETRY_MS = 500;

/** A message that was received, in its turn. */
export interface Swept {
  readonly message: ReceivedMessage;
  readonly lease: Lease;
}

/** What a sweep works with. */
export interface SweepOptions {
  readonly clock: Clock;
  /** Ends it: what was received meanwhile is released unseen. */
  readonly signal: AbortSignal;
  /** Told of what went wrong and is tried again. */
  readonly warn: (text: string) => void;
}

interface Entry {
  lease: Lease;
  /** Whether it had its turn, and stays. */
  passed: boolean;
  /** Whether it was to be deleted. */
  deleting: boolean;
}

/** Goes through a queue's messages, and releases what was not deleted. */
export class Sweep implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #url: string;
  readonly #fifo: boolean;
  readonly #options: SweepOptions;
  readonly #keeper: LeaseKeeper;
  readonly #startedMs: number;
  /** All that was received and not deleted, by message id. */
  readonly #entries = new Map<string, Entry>();
  /** How many messages had their turn. */
  seen = 0;
  /** How many came after it had started, and were left. */
  newer = 0;
  /** How many could not be deleted. */
  undeleted = 0;
  /** How many could not be released, and are hidden until their lease ends. */
  unreleased = 0;

  constructor({ connection, url, ref }: OpenQueue, options: SweepOptions) {
    this.#connection = connection;
    this.#url = url;
    this.#fifo = ref.fifo;
    this.#options = options;
    this.#startedMs = options.clock.now();
    this.#keeper = new LeaseKeeper({
      connection,
      url,
      clock: options.clock,
      logger: {
        debug: () => {},
        info: () => {},
        warn: options.warn,
        error: options.warn,
        critical: options.warn,
      },
      counters: new Counters(),
      held: this.#leases(),
      onLost: () => {},
      visibility: new Visibility(SWEEP_VISIBILITY_SECONDS),
    });
  }

  /**
   * The messages that were in the queue when it started, a receive at a time.
   * Each must be deleted or passed before the next are asked for.
   */
  async *batches(): AsyncGenerator<readonly Swept[], void, void> {
    const { signal } = this.#options;
    const pending: Promise<readonly Swept[]>[] = [];
    let empty = 0;
    try {
      for (;;) {
        // On FIFO queues what is being worked on hides its group.
        const most = this.#fifo || empty > 0 ? 1 : RECEIVES_AHEAD;
        while (
          pending.length < most && empty < EMPTY_POLLS && !signal.aborted
        ) pending.push(this.#receiveAhead());
        const next = pending.shift();
        if (next === undefined) return;
        const swept = await next;
        empty = swept.length === 0 ? empty + 1 : 0;
        if (swept.length === 0 || signal.aborted) continue;
        this.seen += swept.length;
        yield swept;
      }
    } finally {
      await Promise.allSettled(pending);
    }
  }

  /** Leaves messages in the queue: they stay hidden until the end. */
  pass(swept: readonly Swept[]): void {
    for (const { message } of swept) {
      this.#entries.get(message.messageId)!.passed = true;
    }
  }

  /**
   * Deletes messages.
   *
   * @throws {SqsError} If any could not be deleted.
   */
  async delete(swept: readonly Swept[]): Promise<void> {
    const entries = swept.map(({ message }) =>
      this.#entries.get(message.messageId)!
    );
    for (const entry of entries) entry.deleting = true;
    const { left, error } = await this.#insist(
      entries,
      (some) =>
        this.#connection.delete(
          this.#url,
          some.map(({ lease }) => lease.receiptHandle),
        ),
    );
    for (const entry of entries) {
      this.#keeper.release(entry.lease);
      if (left.includes(entry)) continue;
      this.#entries.delete(entry.lease.message.messageId);
    }
    this.undeleted += left.length;
    if (error !== undefined) throw error;
  }

  /** Releases what is left: it is visible again at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    const leases = [...this.#entries.values()]
      .filter(({ deleting, lease }) => !deleting && !lease.lost)
      .map(({ lease }) => lease);
    for (const lease of leases) this.#keeper.release(lease);
    this.#keeper.rest();
    const batches = Array.from(
      { length: Math.ceil(leases.length / MAX_BATCH) },
      (_, i) => leases.slice(i * MAX_BATCH, (i + 1) * MAX_BATCH),
    ).values();
    let reached = true;
    const release = async () => {
      for (const batch of batches) {
        const left = reached ? await this.#release(batch) : batch.length;
        // Where nothing of a batch is taken, the others need not be tried.
        reached &&= left < batch.length;
        this.unreleased += left;
      }
    };
    await Promise.all(Array.from({ length: RELEASES_AT_ONCE }, release));
  }

  /** Tells how many were not released. */
  async #release(batch: readonly Lease[]): Promise<number> {
    const { left } = await this.#insist(
      batch,
      (leases) =>
        this.#connection.changeVisibility(
          this.#url,
          leases.map(({ receiptHandle }) => ({
            receiptHandle,
            visibilityTimeoutSeconds: 0,
          })),
        ),
    );
    return left.length;
  }

  /** Makes calls for a batch, again where that helps. */
  async #insist<T>(
    all: readonly T[],
    call: (some: readonly T[]) => Promise<EntryResult[]>,
  ): Promise<{ left: readonly T[]; error?: unknown }> {
    const refused: T[] = [];
    let rest = all;
    let error: unknown;
    for (let tries = 1; rest.length > 0 && tries <= MAX_TRIES; tries++) {
      if (tries > 1) await this.#pause(tries - 1);
      let results: readonly EntryResult[];
      try {
        results = await call(rest);
      } catch (thrown) {
        error = thrown;
        if (isFinal(thrown)) break;
        continue;
      }
      const again: T[] = [];
      for (const [i, each] of rest.entries()) {
        const result = results[i]!;
        if (result.ok) continue;
        const { code, message, senderFault } = result.failure;
        error = new SqsError(`${code}: ${message}`, result.failure);
        (senderFault ? refused : again).push(each);
      }
      rest = again;
    }
    const left = [...refused, ...rest];
    return left.length === 0 ? { left } : { left, error };
  }

  /** A receive whose failure shows where it is awaited, and nowhere else. */
  #receiveAhead(): Promise<readonly Swept[]> {
    const receiving = this.#receive();
    receiving.catch(() => {});
    return receiving;
  }

  async #receive(): Promise<readonly Swept[]> {
    const { clock } = this.#options;
    for (let tries = 1;; tries++) {
      const cut = new AbortController();
      const cancel = clock.timer(ANSWER_MS, () => cut.abort(noAnswer()));
      const sentAtMs = clock.now();
      try {
        const messages = await this.#connection.receive(this.#url, {
          maxMessages: MAX_BATCH,
          // The double's time stands still.
          waitTimeSeconds: testMode() === undefined ? WAIT_SECONDS : 0,
          visibilityTimeoutSeconds: SWEEP_VISIBILITY_SECONDS,
          signal: cut.signal,
        });
        return this.#take(messages, sentAtMs);
      } catch (error) {
        if (tries === MAX_TRIES || isFinal(error)) throw error;
        await this.#pause(tries);
      } finally {
        cancel();
      }
    }
  }

  /** Holds what came; tells what of it has not had its turn. */
  #take(
    messages: readonly ReceivedMessage[],
    sentAtMs: number,
  ): readonly Swept[] {
    const fresh: Swept[] = [];
    for (const message of messages) {
      // What is held for long must not hold its body.
      const lease = new Lease(
        { ...message, body: "", attributes: {} },
        sentAtMs,
        SWEEP_VISIBILITY_SECONDS,
      );
      const known = this.#entries.get(message.messageId);
      if (known !== undefined) this.#keeper.release(known.lease);
      const newer = message.sentAtMs > this.#startedMs;
      if (newer && known === undefined) this.newer++;
      const entry = known ?? { lease, passed: newer, deleting: false };
      entry.lease = lease;
      this.#entries.set(message.messageId, entry);
      this.#keeper.keep(lease);
      if (!entry.passed && !entry.deleting) fresh.push({ message, lease });
    }
    return fresh;
  }

  /** The leases of all that is held, whenever they are looked at. */
  #leases(): Iterable<Lease> {
    const entries = this.#entries;
    return {
      *[Symbol.iterator]() {
        for (const { lease } of entries.values()) yield lease;
      },
    };
  }

  async #pause(tries: number): Promise<void> {
    if (testMode() !== undefined) return;
    await sleep(
      this.#options.clock,
      RETRY_MS * 2 ** (tries - 1),
      this.#options.signal,
    );
  }
}

/** Whether it is no use to try again. */
function isFinal(error: unknown): boolean {
  return !(error instanceof SqsError) || isDenied(error) ||
    isMissingQueue(error);
}

function noAnswer(): SqsError {
  return new SqsError(
    `ReceiveMessage failed: no answer within ${ANSWER_MS / 1000} s`,
    { code: "TimeoutError", senderFault: false },
  );
}
