/**
 * Sends that are made at the same time travel together: up to ten and 1 MiB a
 * request, each settled by its own entry's result.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { MAX_BYTES, messageBytes } from "./_attributes.ts";
import { sleep, systemClock } from "./_clock.ts";
import { testMode } from "./_connect.ts";
import {
  type Connection,
  ConnectionError,
  type EntryFailure,
  type EntryResult,
  type OutgoingMessage,
  type Sent,
} from "./_connection.ts";

/** SQS's limit on the entries of a batch. */
const MAX_BATCH = 10;

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
  readonly message: OutgoingMessage;
  readonly bytes: number;
  readonly resolve: (sent: Sent) => void;
  readonly reject: (error: unknown) => void;
  tries: number;
  /** Travels alone, as the batch it was in was refused as a whole. */
  alone: boolean;
}

/** What waits to be sent to one queue. */
export class SendQueue {
  readonly #connection: Connection;
  readonly #url: string;
  readonly #fifo: boolean;
  #entries: Entry[] = [];
  #requests = 0;
  /** FIFO groups with a request in flight: one at a time keeps their order. */
  readonly #busy = new Set<string>();
  #scheduled = false;

  constructor(connection: Connection, url: string, fifo: boolean) {
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
      message,
      bytes: messageBytes(message.body, message.attributes),
      resolve,
      reject,
      tries: 0,
      alone: false,
    };
    this.#entries.push(entry);
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
      this.#entries = this.#entries.filter((each) => each !== entry);
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
      const batch = this.#takeBatch();
      if (batch.length === 0) return;
      this.#deliver(batch);
    }
  }

  #takeBatch(): Entry[] {
    const batch: Entry[] = [];
    const rest: Entry[] = [];
    const passed = new Set<string>();
    let bytes = 0;
    for (const [i, entry] of this.#entries.entries()) {
      const group = this.#groupOf(entry);
      const fits = batch.length === 0 ||
        (!entry.alone && !batch[0]!.alone && bytes + entry.bytes <= MAX_BYTES);
      if (batch.length === MAX_BATCH || !fits) {
        rest.push(...this.#entries.slice(i));
        break;
      }
      if (group !== undefined && (this.#busy.has(group) || passed.has(group))) {
        passed.add(group);
        rest.push(entry);
        continue;
      }
      batch.push(entry);
      bytes += entry.bytes;
    }
    this.#entries = rest;
    return batch;
  }

  async #deliver(batch: readonly Entry[]): Promise<void> {
    const groups = new Set(batch.map((entry) => this.#groupOf(entry)));
    groups.delete(undefined);
    for (const group of groups) this.#busy.add(group!);
    this.#requests++;
    const again = await this.#request(batch);
    if (again.length > 0) await pauseBefore(again);
    this.#entries.unshift(...again);
    this.#requests--;
    for (const group of groups) this.#busy.delete(group!);
    this.#flush();
  }

  /** One request; tells which entries are to be sent again. */
  async #request(batch: readonly Entry[]): Promise<Entry[]> {
    let results: readonly EntryResult<Sent>[];
    try {
      results = await this.#connection.send(
        this.#url,
        batch.map(({ message }) => message),
      );
    } catch (error) {
      return this.#refused(batch, error);
    }
    const again: Entry[] = [];
    for (const [i, entry] of batch.entries()) {
      const result = results[i]!;
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
    const wholesale = !(error instanceof ConnectionError) ||
      !error.senderFault || SHARED_FAULTS.has(error.code);
    if (batch.length === 1 || wholesale) {
      for (const entry of batch) {
        entry.reject(
          error instanceof ConnectionError
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
    const group = this.#groupOf(batch[position]!);
    return group !== undefined &&
      results.some((result, i) =>
        i > position && result.ok && this.#groupOf(batch[i]!) === group
      );
  }

  #groupOf({ message }: Entry): string | undefined {
    return this.#fifo ? message.groupId : undefined;
  }
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
