/**
 * Sends that are made at the same time travel together: up to ten and 1 MiB a
 * request, each settled by its own entry's result.
 *
 * @module
 */

import { SqsError } from "../errors.ts";
import { testMode } from "../connect/test_mode.ts";
import { setImmediate } from "node:timers";
import { messageBytes } from "../message/attributes.ts";
import { sleep, systemClock } from "../clock.ts";
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

/** How many requests are in flight at most; the others fill up meanwhile. */
const MAX_REQUESTS = 16;

/** How often an entry that failed on SQS's side is tried. */
const MAX_TRIES = 4;

/** The pause before an entry's second retry, in milliseconds; then doubling. */
const RETRY_MS = 100;

/** Why a message was not sent. */
export class SendFailure extends Error {
  readonly failure: EntryFailure;

  constructor(failure: EntryFailure, options?: ErrorOptions) {
    super(failure.message, options);
    this.name = "SendFailure";
    this.failure = failure;
  }
}

interface Entry {
  /** Its FIFO group; all of a standard queue's entries share one lane. */
  readonly lane: string;
  /** When it was sent: entries go in this order where they travel together. */
  readonly position: number;
  /** What to send; nothing once its signal has aborted. */
  message: OutgoingMessage | undefined;
  readonly bytes: number;
  readonly resolve: (sent: Sent) => void;
  readonly reject: (error: unknown) => void;
  tries: number;
  /** Travels alone, as the batch it was in was refused as a whole. */
  alone: boolean;
}

/** Entries in their order; reading from the front takes no time. */
class Lane {
  /** Those before the head were taken: they are let go of at once. */
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  /** Whether a request is in flight, where that matters. */
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

/** What waits to be sent to one queue. */
export class SendQueue {
  readonly #connection: SendConnection;
  readonly #url: string;
  readonly #fifo: boolean;
  readonly #lanes = new Map<string, Lane>();
  #requests = 0;
  #sent = 0;
  #scheduled = false;

  constructor(connection: SendConnection, url: string, fifo: boolean) {
    this.#connection = connection;
    this.#url = url;
    this.#fifo = fifo;
  }

  /**
   * Sends a message, with others that are sent at the same time.
   *
   * @throws {SendFailure} If SQS does not take it, or cannot be reached.
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

  /** An entry that waits is taken back; one in flight goes on alone. */
  async #abortable(
    promise: Promise<Sent>,
    entry: Entry,
    signal: AbortSignal,
  ): Promise<Sent> {
    const onAbort = () => {
      // Its place may be behind many others; its body need not wait there.
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

  /** After all that is sent in this turn of the event loop, and no later. */
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
    if (again.length > 0) await pauseBefore(again);
    for (const lane of lanes) {
      lane.putBack(again.filter((entry) => this.#laneOf(entry) === lane));
      lane.busy = false;
    }
    this.#requests--;
    this.#flush();
  }

  /** One request; tells which entries are to be sent again. */
  async #request(batch: readonly Entry[]): Promise<Entry[]> {
    let results: readonly EntryResult<Sent>[];
    try {
      results = await this.#connection.send(
        this.#url,
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
              `${result.failure.message} (not sent again, as a later job of its group was accepted)`,
          }),
        );
      } else again.push(entry);
    }
    return again;
  }

  /** A request that was refused as a whole: one bad entry may be to blame. */
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
}

/** Whether a message was not sent for a reason that all others share. */
export function isShared({ cause }: SendFailure): boolean {
  return cause instanceof SqsError &&
    (!cause.senderFault || SHARED_FAULTS.has(cause.code));
}

/** Faults that every entry of a batch shares. */
const SHARED_FAULTS: ReadonlySet<string> = new Set([
  "AccessDenied",
  "CredentialsProviderError",
  "ExpiredToken",
  "InvalidClientTokenId",
  "QueueDoesNotExist",
  "SignatureDoesNotMatch",
  "UnrecognizedClientException",
]);

/** The first retry comes at once, the others later each time. */
async function pauseBefore(again: readonly Entry[]): Promise<void> {
  const tries = Math.max(...again.map((entry) => entry.tries));
  // The double's time stands still.
  if (tries < 2 || testMode() !== undefined) return;
  await sleep(systemClock, RETRY_MS * 2 ** (tries - 2));
}
