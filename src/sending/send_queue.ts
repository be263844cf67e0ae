/**
 * Batches sends that are made at the same time: up to ten messages and 1 MiB a
 * request. Each send is settled by the result of its entry.
 *
 * @module
 */

import { SqsError } from "../errors.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import { setImmediate } from "node:timers";
import { messageBytes } from "../message/attributes.ts";
import { pause } from "../clock.ts";
import {
  type EntryFailure,
  type EntryResult,
  MAX_BATCH,
  MAX_BYTES,
  type OutgoingMessage,
  type SendConnection,
  type Sent,
  UNANSWERED,
} from "../sqs/connection.ts";

/** The most requests in flight. While they are, the next batches fill up. */
const MAX_REQUESTS = 16;

/** How often to try an entry that fails on SQS's side. */
const MAX_TRIES = 4;

/** The pause before an entry's second retry, in milliseconds; then doubling. */
const RETRY_MS = 100;

/** The error of a message that SQS did not accept. */
export class SendFailure extends Error {
  readonly failure: EntryFailure;

  constructor(failure: EntryFailure, options?: ErrorOptions) {
    super(failure.message, options);
    this.name = "SendFailure";
    this.failure = failure;
  }
}

/** An open queue, as far as sending uses it. */
interface SendTarget extends Pick<OpenQueue, "ref" | "url" | "clock"> {
  readonly connection: SendConnection;
}

interface Entry {
  /** Its FIFO group; a standard queue has one lane for all entries. */
  readonly lane: string;
  /** The number of the call: a request keeps this order. */
  readonly position: number;
  /** Absent after its signal aborted. */
  message: OutgoingMessage | undefined;
  readonly bytes: number;
  readonly resolve: (sent: Sent) => void;
  readonly reject: (error: unknown) => void;
  tries: number;
  /** Needs a request for itself: SQS refused its batch as a whole. */
  alone: boolean;
}

/** A queue of entries that takes from the front in constant time. */
class Lane {
  /** Places before the head are `undefined`, so that taken entries are freed. */
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  /** Whether a request of this FIFO group is in flight. */
  busy = false;

  add(entry: Entry): void {
    this.#entries.push(entry);
  }

  /** Puts entries back in front of the others. */
  putBack(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    this.#entries.splice(0, this.#head, ...entries);
    this.#head = 0;
  }

  first(): Entry | undefined {
    for (;;) {
      const entry = this.#entries[this.#head];
      if (entry === undefined || entry.message !== undefined) return entry;
      this.drop();
    }
  }

  drop(): void {
    this.#entries[this.#head++] = undefined;
    if (this.#head < 1000 || this.#head * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#head);
    this.#head = 0;
  }
}

/**
 * Sends messages to one queue. Messages of one FIFO group keep the order of
 * their calls: each group has one request in flight at most.
 */
export class SendQueue {
  readonly #target: SendTarget;
  readonly #fifo: boolean;
  readonly #lanes = new Map<string, Lane>();
  #requests = 0;
  #sent = 0;
  #scheduled = false;

  constructor(target: SendTarget) {
    this.#target = target;
    this.#fifo = target.ref.fifo;
  }

  /**
   * Sends a message, in one request with others sent in the same turn of the
   * event loop.
   *
   * @throws {SendFailure} If SQS refuses the message or cannot be reached.
   */
  send(message: OutgoingMessage, signal?: AbortSignal): Promise<Sent> {
    const { promise, resolve, reject } = Promise.withResolvers<Sent>();
    const entry: Entry = {
      lane: this.#fifo ? message.groupId! : "",
      position: this.#sent++,
      message,
      bytes: messageBytes(message.body, message.attributes),
      resolve,
      reject,
      tries: 0,
      alone: false,
    };
    this.#laneOf(entry).add(entry);
    this.#schedule();
    return signal === undefined
      ? promise
      : this.#abortable(promise, entry, signal);
  }

  /** Drops a waiting entry on abort; a request in flight is not cancelled. */
  async #abortable(
    promise: Promise<Sent>,
    entry: Entry,
    signal: AbortSignal,
  ): Promise<Sent> {
    const onAbort = () => {
      // Frees the body now: the entry may be behind many others.
      entry.message = undefined;
      entry.reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Flushes after the sends of this turn of the event loop. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#requests < MAX_REQUESTS) {
      const batch = this.#takeBatch().sort((a, b) => a.position - b.position);
      if (batch.length === 0) return;
      this.#deliver(batch);
    }
  }

  #laneOf({ lane: name }: Entry): Lane {
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const lane = new Lane();
    this.#lanes.set(name, lane);
    return lane;
  }

  #takeBatch(): Entry[] {
    const batch: Entry[] = [];
    let bytes = 0;
    for (const [name, lane] of this.#lanes) {
      if (lane.busy) continue;
      if (this.#fifo && lane.first() === undefined) this.#lanes.delete(name);
      for (let entry = lane.first(); entry; entry = lane.first()) {
        const fits = batch.length === 0 ||
          (batch.length < MAX_BATCH && !entry.alone && !batch[0]!.alone &&
            bytes + entry.bytes <= MAX_BYTES);
        if (!fits) return batch;
        lane.drop();
        batch.push(entry);
        bytes += entry.bytes;
      }
    }
    return batch;
  }

  async #deliver(batch: readonly Entry[]): Promise<void> {
    const lanes = new Set(batch.map((entry) => this.#laneOf(entry)));
    // One request at a time keeps a group's order.
    for (const lane of lanes) lane.busy = this.#fifo;
    this.#requests++;
    const again = await this.#request(batch);
    if (again.length > 0) await this.#pauseBefore(again);
    for (const lane of lanes) {
      lane.putBack(again.filter((entry) => this.#laneOf(entry) === lane));
      lane.busy = false;
    }
    this.#requests--;
    this.#flush();
  }

  /** Makes one request; returns the entries to retry. */
  async #request(batch: readonly Entry[]): Promise<Entry[]> {
    let results: readonly EntryResult<Sent>[];
    try {
      results = await this.#target.connection.send(
        this.#target.url,
        batch.map(({ message }) => message!),
      );
    } catch (error) {
      return this.#refused(batch, error);
    }
    const again: Entry[] = [];
    for (const [i, entry] of batch.entries()) {
      const result = results[i] ?? UNANSWERED;
      if (result.ok) entry.resolve(result.value);
      else if (result.failure.senderFault || ++entry.tries >= MAX_TRIES) {
        entry.reject(new SendFailure(result.failure));
      } else if (this.#overtaken(batch, results, i)) {
        entry.reject(
          new SendFailure({
            ...result.failure,
            message:
              `${result.failure.message} (not retried, as SQS accepted a later job of its group)`,
          }),
        );
      } else again.push(entry);
    }
    return again;
  }

  /**
   * Handles a request that failed as a whole. If one bad entry may be the cause,
   * each entry is sent alone.
   */
  #refused(batch: readonly Entry[], error: unknown): Entry[] {
    const wholesale = !(error instanceof SqsError) ||
      !error.senderFault || SHARED_FAULTS.has(error.code);
    if (batch.length === 1 || wholesale) {
      for (const entry of batch) {
        entry.reject(
          error instanceof SqsError
            ? new SendFailure(error, { cause: error })
            : error,
        );
      }
      return [];
    }
    for (const entry of batch) entry.alone = true;
    return [...batch];
  }

  /** Whether a later entry of the same FIFO group was accepted. */
  #overtaken(
    batch: readonly Entry[],
    results: readonly EntryResult<Sent>[],
    position: number,
  ): boolean {
    const { lane } = batch[position]!;
    return this.#fifo &&
      results.some((result, i) =>
        i > position && result.ok && batch[i]!.lane === lane
      );
  }

  /** The first retry follows immediately, the next ones after a pause. */
  async #pauseBefore(again: readonly Entry[]): Promise<void> {
    const tries = Math.max(...again.map((entry) => entry.tries));
    if (tries < 2) return;
    await pause(this.#target.clock, RETRY_MS * 2 ** (tries - 2));
  }
}

/** Whether a failure concerns every message, not only this one. */
export function isShared({ cause }: Error): boolean {
  return cause instanceof SqsError &&
    (!cause.senderFault || SHARED_FAULTS.has(cause.code));
}

/** The sender's faults that concern every message. */
const SHARED_FAULTS: ReadonlySet<string> = new Set([
  "AccessDenied",
  "CredentialsProviderError",
  "ExpiredToken",
  "InvalidClientTokenId",
  "QueueDoesNotExist",
  "SignatureDoesNotMatch",
  "UnrecognizedClientException",
]);
