/**
 * A sweep looks at every message of a queue once. It holds them until it has
 * seen all, as a released message would be received again, and then releases
 * them.
 *
 * @module
 */

import { SqsError } from "../errors.ts";
import { type Clock, pause } from "../clock.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import {
  type Connection,
  type EntryResult,
  isDenied,
  isMissingQueue,
  MAX_BATCH,
  type ReceivedMessage,
  UNANSWERED,
} from "../sqs/connection.ts";
import { Counters } from "../telemetry/counters.ts";
import { Heartbeat } from "../engine/heartbeat.ts";
import { Lease } from "../engine/lease.ts";
import { Visibility } from "../engine/visibility.ts";

/** For how long a message that is looked at is hidden, in seconds. */
export const SWEEP_VISIBILITY_SECONDS = 120;

/** How many long polls in a row must return nothing new before it ends. */
const EMPTY_POLLS = 2;

/** How long a poll waits, in seconds: long enough to ask all of SQS's servers. */
const WAIT_SECONDS = 1;

/** After which a receive is given up, in milliseconds. */
const ANSWER_MS = 10_000 + WAIT_SECONDS * 1000;

/** How many receives run while a batch is handled. */
const RECEIVES_AHEAD = 3;

/** How many requests release messages side by side. */
const RELEASES_AT_ONCE = 8;

/** How often a call is tried, in addition to the tries of the SDK. */
const MAX_TRIES = 4;

/** The pause before the first retry, in milliseconds; then doubling. */
const RETRY_MS = 500;

/** A received message and its lease. */
export interface Swept {
  readonly message: ReceivedMessage;
  readonly lease: Lease;
}

/** Options of {@linkcode Sweep}. */
export interface SweepOptions {
  /** Stops receiving; messages that arrive meanwhile are released unseen. */
  readonly signal: AbortSignal;
  /** Called with a problem that is retried. */
  readonly warn: (text: string) => void;
}

interface Entry {
  lease: Lease;
  /** Whether it was looked at, and stays. */
  passed: boolean;
  /** Whether a delete was tried. */
  deleting: boolean;
}

/** Looks at a queue's messages, then releases all that remain. */
export class Sweep implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #url: string;
  readonly #fifo: boolean;
  readonly #clock: Clock;
  readonly #options: SweepOptions;
  readonly #heartbeat: Heartbeat;
  readonly #startedMs: number;
  /** Messages that were received and not deleted, by their ids. */
  readonly #entries = new Map<string, Entry>();
  /** Messages that were looked at. */
  seen = 0;
  /** Messages that were sent after it started, and left. */
  newer = 0;
  /** Messages that could not be deleted. */
  undeleted = 0;
  /** Messages that could not be released: hidden until their lease ends. */
  unreleased = 0;

  constructor(
    { connection, url, ref, clock }: OpenQueue,
    options: SweepOptions,
  ) {
    this.#connection = connection;
    this.#url = url;
    this.#fifo = ref.fifo;
    this.#options = options;
    this.#clock = clock;
    this.#startedMs = clock.now();
    const logger = {
      debug: () => {},
      info: () => {},
      warn: options.warn,
      error: options.warn,
      critical: options.warn,
    };
    this.#heartbeat = new Heartbeat({
      connection,
      url,
      queue: ref.name,
      clock,
      loggers: { get: () => logger },
      events: new Counters(),
      visibility: new Visibility(SWEEP_VISIBILITY_SECONDS),
    }, { leases: this.#leases(), onLost: () => {} });
  }

  /**
   * The messages that were in the queue when it started, in batches of at most
   * ten. Delete or pass each before you ask for the next batch.
   */
  async *batches(): AsyncGenerator<readonly Swept[], void, void> {
    const { signal } = this.#options;
    const pending: Promise<readonly Swept[]>[] = [];
    let empty = 0;
    try {
      for (;;) {
        // On FIFO queues, messages in flight hide the rest of their group.
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

  /** Leaves messages in the queue; they stay hidden until the end. */
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
    const { left, error } = await this.#settle(
      entries,
      (some) =>
        this.#connection.delete(
          this.#url,
          some.map(({ lease }) => lease.receiptHandle),
        ),
    );
    for (const entry of entries) {
      this.#heartbeat.stopExtending(entry.lease);
      if (left.includes(entry)) continue;
      this.#entries.delete(entry.lease.message.messageId);
    }
    this.undeleted += left.length;
    if (error !== undefined) throw error;
  }

  /** Releases the remaining messages: they are visible again immediately. */
  async [Symbol.asyncDispose](): Promise<void> {
    const leases = [...this.#entries.values()]
      .filter(({ deleting, lease }) => !deleting && !lease.lost)
      .map(({ lease }) => lease);
    for (const lease of leases) this.#heartbeat.stopExtending(lease);
    this.#heartbeat.clearTimers();
    const batches = Array.from(
      { length: Math.ceil(leases.length / MAX_BATCH) },
      (_, i) => leases.slice(i * MAX_BATCH, (i + 1) * MAX_BATCH),
    ).values();
    let reached = true;
    const release = async () => {
      for (const batch of batches) {
        const left = reached ? await this.#release(batch) : batch.length;
        // If SQS accepts none of a batch, it would accept no other.
        reached &&= left < batch.length;
        this.unreleased += left;
      }
    };
    await Promise.all(Array.from({ length: RELEASES_AT_ONCE }, release));
  }

  /** Releases a batch, and returns how many messages it could not release. */
  async #release(batch: readonly Lease[]): Promise<number> {
    const { left } = await this.#settle(
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

  /** Calls SQS for a batch, again for the entries that may yet succeed. */
  async #settle<T>(
    all: readonly T[],
    call: (some: readonly T[]) => Promise<EntryResult[]>,
  ): Promise<{ left: readonly T[]; error?: unknown }> {
    const refused: T[] = [];
    let rest = all;
    let error: unknown;
    try {
      await this.#retrying(async () => {
        const results = await call(rest);
        const failed = rest.flatMap((each, i) => {
          const result = results[i] ?? UNANSWERED;
          return result.ok ? [] : [{ each, failure: result.failure }];
        });
        for (const { failure } of failed) {
          error = new SqsError(`${failure.code}: ${failure.message}`, failure);
        }
        const final = failed.filter(({ failure }) => failure.senderFault);
        refused.push(...final.map(({ each }) => each));
        rest = failed.filter(({ failure }) => !failure.senderFault)
          .map(({ each }) => each);
        if (rest.length > 0) throw error;
      });
    } catch (thrown) {
      error = thrown;
    }
    const left = [...refused, ...rest];
    return left.length === 0 ? { left } : { left, error };
  }

  /** Calls until it succeeds, at most four times, with growing pauses. */
  async #retrying<T>(call: () => Promise<T>): Promise<T> {
    for (let tries = 1;; tries++) {
      try {
        return await call();
      } catch (error) {
        if (tries === MAX_TRIES || isFinal(error)) throw error;
      }
      const pauseMs = RETRY_MS * 2 ** (tries - 1);
      await pause(this.#clock, pauseMs, this.#options.signal);
    }
  }

  /** A receive whose failure shows only where it is awaited. */
  #receiveAhead(): Promise<readonly Swept[]> {
    const receiving = this.#retrying(() => this.#receive());
    receiving.catch(() => {});
    return receiving;
  }

  async #receive(): Promise<readonly Swept[]> {
    const deadline = new AbortController();
    const cancel = this.#clock.timer(
      ANSWER_MS,
      () => deadline.abort(noAnswer()),
    );
    const sentAtMs = this.#clock.now();
    try {
      const messages = await this.#connection.receive(this.#url, {
        maxMessages: MAX_BATCH,
        // A poll would wait for a manual clock.
        waitTimeSeconds: this.#clock.manual ? 0 : WAIT_SECONDS,
        visibilityTimeoutSeconds: SWEEP_VISIBILITY_SECONDS,
        signal: deadline.signal,
      });
      return this.#take(messages, sentAtMs);
    } finally {
      cancel();
    }
  }

  /** Holds received messages, and returns those not yet looked at. */
  #take(
    messages: readonly ReceivedMessage[],
    sentAtMs: number,
  ): readonly Swept[] {
    const fresh: Swept[] = [];
    for (const message of messages) {
      // A lease may be held for long: do not keep bodies in memory.
      const lease = new Lease(
        { ...message, body: "", attributes: {} },
        { atMs: sentAtMs, visibilitySeconds: SWEEP_VISIBILITY_SECONDS },
      );
      const known = this.#entries.get(message.messageId);
      if (known !== undefined) this.#heartbeat.stopExtending(known.lease);
      const newer = message.sentAtMs > this.#startedMs;
      if (newer && known === undefined) this.newer++;
      const entry = known ?? { lease, passed: newer, deleting: false };
      entry.lease = lease;
      this.#entries.set(message.messageId, entry);
      this.#heartbeat.extend(lease);
      if (!entry.passed && !entry.deleting) fresh.push({ message, lease });
    }
    return fresh;
  }

  /** A live view of the leases held. */
  #leases(): Iterable<Lease> {
    const entries = this.#entries;
    return {
      *[Symbol.iterator]() {
        for (const { lease } of entries.values()) yield lease;
      },
    };
  }
}

/** Whether another try cannot help. */
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
