/**
 * A sweep looks at every message of a queue once. It holds them until it has
 * seen all, as a released message would be received again, and then releases
 * them. Unlike a container, it ends: it tries each call four times.
 *
 * @module
 */

import { SqsError } from "../errors.ts";
import { pause, unlessAborted } from "../clock.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import {
  type EntryResult,
  isFinal,
  MAX_BATCH,
  type ReceivedMessage,
  UNANSWERED,
} from "../sqs/connection.ts";
import { Heartbeat } from "../engine/heartbeat.ts";
import { Lease, type SentReceive } from "../engine/lease.ts";
import { Visibility } from "../engine/visibility.ts";
import { Counters } from "../telemetry/counters.ts";

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

const RELEASES_AT_ONCE = 8;

const NO_ATTRIBUTES = {};

/** How much further ahead than it seems a server's clock may be. */
const CLOCK_MARGIN_MS = 2_000;

/** How often a call is tried, in addition to the tries of the SDK. */
const MAX_TRIES = 4;

/** The pause before the first retry, in milliseconds; then doubling. */
const RETRY_MS = 500;

export interface SweepOptions {
  /** Stops receiving; messages that arrive meanwhile are released unseen. */
  readonly signal: AbortSignal;
  readonly warn: (text: string) => void;
}

/** The entries of a batch that SQS did not accept. */
export interface Refused {
  readonly count: number;
  readonly error: unknown;
}

/** Looks at a queue's messages, then releases all that remain. */
export class Sweep implements AsyncDisposable {
  readonly #open: OpenQueue;
  readonly #signal: AbortSignal;
  readonly #heartbeat: Heartbeat;
  readonly #startedMs: number;
  readonly #warn: (text: string) => void;
  #late = new AbortController();
  /** By message ids; only messages not yet looked at are `waiting`. */
  readonly #leases = new Map<string, Lease>();
  seen = 0;
  /** Messages that were sent after it started, and left. */
  newer = 0;
  /** Messages that could not be released: hidden until their lease ends. */
  unreleased = 0;

  constructor(open: OpenQueue, { signal, warn }: SweepOptions) {
    const { clock, ref } = open;
    this.#open = open;
    this.#signal = signal;
    this.#startedMs = clock.now();
    this.#warn = warn;
    const logger = { debug() {}, info() {}, warn, error: warn, critical: warn };
    this.#heartbeat = new Heartbeat(
      {
        ...open,
        queue: ref.name,
        loggers: { get: () => logger },
        events: new Counters(),
        visibility: new Visibility(SWEEP_VISIBILITY_SECONDS),
      },
      { [Symbol.iterator]: () => this.#leases.values() },
      () => {},
    );
  }

  /**
   * The messages that were in the queue when it started, in batches of at most
   * ten. Those not deleted stay in the queue, hidden until the end.
   */
  async *batches(): AsyncGenerator<readonly ReceivedMessage[], void, void> {
    const pending: Promise<readonly ReceivedMessage[]>[] = [];
    let empty = 0;
    try {
      for (;;) {
        // On FIFO queues, messages in flight hide the rest of their group.
        const most = this.#open.ref.fifo || empty > 0 ? 1 : RECEIVES_AHEAD;
        while (
          pending.length < most && empty < EMPTY_POLLS && !this.#signal.aborted
        ) {
          const receiving = this.#retrying(() => this.#receive());
          // A failure counts only once it is awaited.
          receiving.catch(() => {});
          pending.push(receiving);
        }
        const next = pending.shift();
        if (next === undefined) return;
        const received = await next;
        empty = received.length === 0 ? empty + 1 : 0;
        if (received.length === 0 || this.#signal.aborted) continue;
        const batch = received.filter((message) => this.#takeUp(message));
        this.seen += batch.length;
        yield batch;
      }
    } finally {
      await Promise.allSettled(pending);
    }
  }

  /** Deletes messages. A message that SQS refuses stays hidden at the end. */
  async delete(messages: readonly ReceivedMessage[]): Promise<Refused> {
    const { connection, url } = this.#open;
    const leases = messages.map(({ messageId }) =>
      this.#leases.get(messageId)!
    );
    const refused = await this.#settle(
      leases,
      (some) =>
        connection.delete(url, some.map(({ receiptHandle }) => receiptHandle)),
    );
    for (const lease of leases) {
      this.#heartbeat.stopExtending(lease);
      this.#leases.delete(lease.message.messageId);
    }
    return refused;
  }

  /** Releases the remaining messages: they are visible again immediately. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { connection, url } = this.#open;
    const leases = [...this.#leases.values()].filter(({ lost }) => !lost);
    for (const lease of leases) this.#heartbeat.stopExtending(lease);
    this.#heartbeat.clearTimers();
    let next = 0;
    let reached = true;
    const release = async () => {
      while (next < leases.length) {
        const batch = leases.slice(next, next += MAX_BATCH);
        const { count } = reached
          ? await this.#settle(batch, (some) =>
            connection.changeVisibility(
              url,
              some.map(({ receiptHandle }) => ({
                receiptHandle,
                visibilityTimeoutSeconds: 0,
              })),
            ))
          : { count: batch.length };
        // If SQS accepts none of a batch, it would accept no other.
        reached &&= count < batch.length;
        this.unreleased += count;
      }
    };
    await Promise.all(Array.from({ length: RELEASES_AT_ONCE }, release));
  }

  /** Calls SQS for a batch, again for the entries that may yet succeed. */
  async #settle(
    leases: readonly Lease[],
    call: (some: readonly Lease[]) => Promise<EntryResult[]>,
  ): Promise<Refused> {
    let rest = leases;
    let final = 0;
    let error: unknown;
    try {
      await this.#retrying(async () => {
        const results = await call(rest);
        rest = rest.filter((_, i) => {
          const result = results[i] ?? UNANSWERED;
          if (result.ok) return false;
          const { failure } = result;
          error = new SqsError(`${failure.code}: ${failure.message}`, failure);
          if (failure.senderFault) final++;
          return !failure.senderFault;
        });
        if (rest.length > 0) throw error;
      });
    } catch (thrown) {
      error = thrown;
    }
    return { count: final + rest.length, error };
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
      await pause(this.#open.clock, pauseMs, this.#signal);
    }
  }

  /** Receives messages, and returns those not yet looked at. */
  async #receive(): Promise<readonly ReceivedMessage[]> {
    const { connection, url, clock, ref } = this.#open;
    // One for all receives: with a signal each, the SDK resolves its middleware
    // each time. If one gets no answer, all are tried again.
    if (this.#late.signal.aborted) this.#late = new AbortController();
    const late = this.#late;
    const cancel = clock.timer(ANSWER_MS, () => late.abort(noAnswer()));
    const atMs = clock.now();
    try {
      const receiving = connection.receive(url, {
        maxMessages: MAX_BATCH,
        // A poll would wait for a manual clock.
        waitTimeSeconds: clock.manual ? 0 : WAIT_SECONDS,
        visibilityTimeoutSeconds: SWEEP_VISIBILITY_SECONDS,
        signal: late.signal,
        onLeft: (problem) =>
          this.#warn(`Left a message in ${ref.name}: ${problem}`),
      });
      // The SDK does not look at the signal while it waits for credentials.
      const messages = await unlessAborted(receiving, late.signal);
      if (messages === undefined) throw late.signal.reason;
      const sent = { atMs, visibilitySeconds: SWEEP_VISIBILITY_SECONDS };
      return messages.filter((message) => this.#hold(message, sent));
    } finally {
      cancel();
    }
  }

  /** By the server's clock, which dates the messages. */
  get #startedAtServerMs(): number {
    const { clockAheadMs } = this.#open.connection;
    const margin = clockAheadMs === 0 ? 0 : CLOCK_MARGIN_MS;
    return this.#startedMs + clockAheadMs + margin;
  }

  /** Holds a received message; returns whether it must be looked at. */
  #hold(message: ReceivedMessage, sent: SentReceive): boolean {
    // Leases are held to the end: keep no body, and nothing twice.
    const lease = new Lease(
      { ...message, body: "", attributes: NO_ATTRIBUTES },
      sent,
    );
    const known = this.#leases.get(message.messageId);
    if (known !== undefined) {
      this.#heartbeat.stopExtending(known);
      lease.state = known.state;
    } else if (message.sentAtMs > this.#startedAtServerMs) {
      this.newer++;
      lease.state = "settling";
    }
    this.#leases.set(message.messageId, lease);
    this.#heartbeat.extend(lease);
    return lease.state === "waiting";
  }

  /** Whether a message's turn has come: SQS may have delivered it twice. */
  #takeUp({ messageId }: ReceivedMessage): boolean {
    const lease = this.#leases.get(messageId);
    if (lease?.state !== "waiting" || lease.lost) return false;
    lease.state = "settling";
    return true;
  }
}

function noAnswer(): SqsError {
  return new SqsError(
    `ReceiveMessage failed: no answer within ${ANSWER_MS / 1000} s`,
    { code: "TimeoutError", senderFault: false },
  );
}
