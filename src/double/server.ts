/**
 * The testing double's server: queues in memory, on a virtual clock, and
 * connections to them, on which faults may be injected.
 *
 * @module
 */

import { SqsError } from "../errors.ts";
import type { QueueSettings } from "./checks.ts";
import { messageBytes } from "../message/attributes.ts";
import type { Clock, Random } from "../clock.ts";
import {
  type CallOptions,
  type Connection,
  type EntryResult,
  MAX_BATCH,
  MAX_BYTES,
  type OutgoingMessage,
  type QueueAttributes,
  type ReceivedMessage,
  type ReceiveOptions,
  type Sent,
  type VisibilityChange,
} from "../sqs/connection.ts";
import { DoubleQueue, type StoredMessage } from "./queue.ts";
import { type CallFaults, type FaultOperation, FaultScript } from "./faults.ts";
import { randomOf, uuidOf } from "./random.ts";

/** What the double does beside what SQS does: it prints, and runs workers. */
export interface DoubleHooks {
  /** Messages were sent. */
  sent(
    queue: DoubleQueue,
    messages: readonly OutgoingMessage[],
  ): Promise<void>;
  /** Messages were deleted. */
  deleted(messages: readonly StoredMessage[]): void;
  /** A message was moved to this dead-letter queue. */
  redriven(queue: DoubleQueue): void;
  /** Makes a queue that does not exist, if it may. */
  missing(name: string): DoubleQueue | undefined;
}

/** What a double is made with. */
export interface DoubleOptions {
  readonly clock: Clock;
  /** What all chance comes from; without it message ids are new each time. */
  readonly seed: number | undefined;
  readonly hooks: DoubleHooks;
}

/** The seed where none is given: a run is the same each time. */
const SEED = 1;

/** SQS in memory. */
export class Double {
  readonly clock: Clock;
  readonly faults: FaultScript;
  /** Chance for what the program does: pauses, delays. */
  readonly random: Random;
  readonly queues = new Map<string, DoubleQueue>();
  readonly #hooks: DoubleHooks;
  readonly #newId: () => string;

  constructor({ clock, seed, hooks }: DoubleOptions) {
    this.clock = clock;
    this.#hooks = hooks;
    // A source for each use: a fault more does not change the others.
    const [random, faults, ids] = [0, 1, 2].map((use) =>
      randomOf(((seed ?? SEED) + Math.imul(use, 0x9e3779b9)) | 0)
    );
    this.random = random!;
    this.faults = new FaultScript(clock, faults!);
    this.#newId = seed === undefined
      ? () => crypto.randomUUID()
      : () => uuidOf(ids!);
  }

  /** Makes a queue. */
  create(name: string, settings: QueueSettings): DoubleQueue {
    const url = `https://sqs.us-east-1.amazonaws.com/000000000000/${name}`;
    const queue = new DoubleQueue(name, url, settings, {
      clock: this.clock,
      newId: this.#newId,
      redrive: (message, deadLetterQueue) => {
        const target = this.find(deadLetterQueue);
        if (target === undefined) {
          throw new Error(
            `Cannot move message ${message.messageId} of "${name}" to its dead-letter queue "${deadLetterQueue}": there is no such queue`,
          );
        }
        target.take(message);
        this.#hooks.redriven(target);
      },
    });
    this.queues.set(name, queue);
    return queue;
  }

  /** A queue, made where it may be. */
  find(name: string): DoubleQueue | undefined {
    return this.queues.get(name) ?? this.#hooks.missing(name);
  }

  connect(region: string): DoubleConnection {
    return new DoubleConnection(region, this, this.#hooks);
  }
}

/** A connection to queues of the double. */
export class DoubleConnection implements Connection {
  readonly region: string;
  readonly double: Double;
  readonly #hooks: DoubleHooks;

  constructor(region: string, double: Double, hooks: DoubleHooks) {
    this.region = region;
    this.double = double;
    this.#hooks = hooks;
  }

  async queueUrl(name: string, options: CallOptions = {}): Promise<string> {
    const target = { name, fifo: name.endsWith(".fifo") };
    return await this.#call("GetQueueUrl", target, [], options, () => {
      const queue = this.double.find(name);
      if (queue === undefined) throw missingQueue();
      return queue.url;
    });
  }

  async attributes(
    url: string,
    options: CallOptions = {},
  ): Promise<QueueAttributes> {
    const queue = this.#queue(url);
    return await this.#call(
      "GetQueueAttributes",
      queue,
      [],
      options,
      () => queue.attributes(),
    );
  }

  async send(
    url: string,
    messages: readonly OutgoingMessage[],
    options: CallOptions = {},
  ): Promise<EntryResult<Sent>[]> {
    checkBatch(messages);
    checkSize(messages);
    const queue = this.#queue(url);
    const bodies = messages.map(({ body }) => body);
    return await this.#call(
      "SendMessage",
      queue,
      bodies,
      options,
      async (faults) => {
        const accepted: OutgoingMessage[] = [];
        const results = entryResults(messages, bodies, faults, (message) => {
          const result = queue.send(message);
          if (result.ok) accepted.push(message);
          return result;
        });
        await this.#hooks.sent(queue, accepted);
        return results;
      },
    );
  }

  async receive(
    url: string,
    options: ReceiveOptions,
  ): Promise<ReceivedMessage[]> {
    options.signal?.throwIfAborted();
    const queue = this.#queue(url);
    const faults = this.double.faults.call("ReceiveMessage", queue);
    faults.before([]);
    const messages = await queue.receive(options, {
      reorder: () => faults.hit("reordering", []) && this.double.faults.random,
      duplicate: ({ body }) => {
        const fault = faults.hit("duplicate", [body]);
        return fault && (fault.delaySeconds ?? 0);
      },
    });
    if (messages.length > 0) {
      await faults.after(messages.map(({ body }) => body), options.signal);
    }
    return messages;
  }

  async delete(
    url: string,
    receiptHandles: readonly string[],
    options: CallOptions = {},
  ): Promise<EntryResult[]> {
    checkBatch(receiptHandles);
    const queue = this.#queue(url);
    const bodies = receiptHandles.map((handle) => bodyOf(queue, handle));
    return await this.#call(
      "DeleteMessage",
      queue,
      bodies,
      options,
      (faults) => {
        const before = queue.deleted.length;
        const results = entryResults(
          receiptHandles,
          bodies,
          faults,
          (handle) => expiring(queue, handle, faults) ?? queue.delete(handle),
        );
        this.#hooks.deleted(queue.deleted.slice(before));
        return results;
      },
    );
  }

  async changeVisibility(
    url: string,
    changes: readonly VisibilityChange[],
    options: CallOptions = {},
  ): Promise<EntryResult[]> {
    checkBatch(changes);
    const queue = this.#queue(url);
    const bodies = changes.map(({ receiptHandle }) =>
      bodyOf(queue, receiptHandle)
    );
    return await this.#call(
      "ChangeMessageVisibility",
      queue,
      bodies,
      options,
      (faults) =>
        entryResults(
          changes,
          bodies,
          faults,
          (change) =>
            expiring(queue, change.receiptHandle, faults) ??
              queue.changeVisibility(change),
        ),
    );
  }

  close(): void {}

  /** A call with the faults that hit it. */
  async #call<T>(
    operation: FaultOperation,
    queue: { readonly name: string; readonly fifo: boolean },
    bodies: readonly string[],
    { signal }: CallOptions,
    effect: (faults: CallFaults) => T | Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const faults = this.double.faults.call(operation, queue);
    faults.before(bodies);
    const answer = await effect(faults);
    await faults.after(bodies, signal);
    return answer;
  }

  #queue(url: string): DoubleQueue {
    const queue = this.double.find(url.split("/").at(-1)!);
    if (queue === undefined) throw missingQueue();
    return queue;
  }
}

/** Each entry's own result, with those that a fault refuses. */
function entryResults<E, T>(
  entries: readonly E[],
  bodies: readonly string[],
  faults: CallFaults,
  effect: (entry: E) => EntryResult<T>,
): EntryResult<T>[] {
  const refused = faults.refused(bodies);
  return entries.map((entry, position) => {
    const refusal = refused.get(position);
    if (refusal === undefined) return effect(entry);
    if (refusal.afterEffect) effect(entry);
    return { ok: false, failure: refusal.failure };
  });
}

function expiring(
  queue: DoubleQueue,
  receiptHandle: string,
  faults: CallFaults,
): EntryResult | undefined {
  const fault = faults.hit("expired handle", [bodyOf(queue, receiptHandle)]);
  return fault && queue.expire(receiptHandle);
}

function bodyOf(queue: DoubleQueue, receiptHandle: string): string {
  return queue.messageOf(receiptHandle)?.body ?? "";
}

function checkBatch(entries: readonly unknown[]): void {
  if (entries.length === 0) {
    throw new SqsError("There should be at least one entry.", {
      code: "EmptyBatchRequest",
      senderFault: true,
    });
  }
  if (entries.length > MAX_BATCH) {
    throw new SqsError(
      `Maximum number of entries per request are ${MAX_BATCH}. You have sent ${entries.length}.`,
      { code: "TooManyEntriesInBatchRequest", senderFault: true },
    );
  }
}

function checkSize(messages: readonly OutgoingMessage[]): void {
  const bytes = messages.reduce(
    (sum, { body, attributes }) => sum + messageBytes(body, attributes),
    0,
  );
  if (bytes <= MAX_BYTES) return;
  throw new SqsError(
    `Batch requests cannot be longer than ${MAX_BYTES} bytes. You have sent ${bytes} bytes.`,
    { code: "BatchRequestTooLong", senderFault: true },
  );
}

function missingQueue(): SqsError {
  return new SqsError("The specified queue does not exist.", {
    code: "QueueDoesNotExist",
    senderFault: true,
  });
}
