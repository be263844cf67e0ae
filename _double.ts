/**
 * The testing double's server: SQS as AWS documents it, in memory, on a
 * virtual clock.
 *
 * @module
 */

import { FORBIDDEN, MAX_BYTES, messageBytes } from "./_attributes.ts";
import { type Clock, sleep } from "./_clock.ts";
import {
  type CallOptions,
  type Connection,
  ConnectionError,
  type EntryResult,
  MAX_BATCH,
  type OutgoingMessage,
  type QueueAttributes,
  type ReceivedMessage,
  type ReceiveOptions,
  type Sent,
  type VisibilityChange,
  type WireAttributes,
} from "./_connection.ts";
import { MAX_VISIBILITY_SECONDS } from "./_errors.ts";

/** How long a FIFO queue remembers a deduplication id, in milliseconds. */
const DEDUPLICATION_MS = 5 * 60_000;

/**
 * How often a message may be received while the clock stands still: a job that
 * is always retried at once would never let a test go on.
 */
const MAX_RECEIVES_AT_ONCE = 1000;

/** A queue's settings, named as SQS names its attributes. */
export interface QueueSettings {
  readonly visibilityTimeoutSeconds: number;
  readonly delaySeconds: number;
  readonly maximumMessageSize: number;
  readonly contentBasedDeduplication: boolean;
  readonly redrive?: {
    readonly deadLetterQueue: string;
    readonly maxReceiveCount: number;
  };
}

/** A message in a queue of the double. */
export interface StoredMessage {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: WireAttributes;
  readonly sentAtMs: number;
  readonly groupId?: string;
  readonly deduplicationId?: string;
  readonly sequenceNumber?: string;
  /** The ARN of the queue from which it was moved to this one. */
  readonly deadLetterSource?: string;
  receiveCount: number;
  /** When it is visible again, in milliseconds of the clock. */
  visibleAtMs: number;
  /** When it was last received; what a visibility of 12 hours counts from. */
  receivedAtMs?: number;
  /** The receipt handle of the last receive. */
  receiptHandle?: string;
}

/** What a queue knows of the others. */
export interface DoubleServer {
  readonly clock: Clock;
  /** Puts a message into a dead-letter queue. */
  redrive(message: StoredMessage, deadLetterQueue: string): void;
}

/** A queue of the double. */
export class DoubleQueue {
  readonly name: string;
  readonly url: string;
  readonly fifo: boolean;
  readonly settings: QueueSettings;
  readonly messages: StoredMessage[] = [];
  readonly deleted: StoredMessage[] = [];
  readonly #clock: Clock;
  readonly #server: DoubleServer;
  readonly #receives = new WeakMap<
    StoredMessage,
    { readonly at: number; times: number }
  >();
  readonly #handles = new Map<string, StoredMessage>();
  readonly #deduplication = new Map<string, { sent: Sent; until: number }>();
  #sequence = 0;
  /** Wakes the receives that wait for a message. */
  #changed = Promise.withResolvers<void>();

  constructor(
    name: string,
    url: string,
    settings: QueueSettings,
    server: DoubleServer,
  ) {
    this.name = name;
    this.url = url;
    this.fifo = name.endsWith(".fifo");
    this.settings = settings;
    this.#clock = server.clock;
    this.#server = server;
  }

  send(message: OutgoingMessage): EntryResult<Sent> {
    const refusal = this.#refusal(message);
    if (refusal !== undefined) return refuse(refusal);
    const deduplicationId = this.fifo
      ? message.deduplicationId ?? message.body
      : undefined;
    const now = this.#clock.now();
    const known = deduplicationId === undefined
      ? undefined
      : this.#deduplication.get(deduplicationId);
    if (known !== undefined && known.until > now) {
      return { ok: true, value: known.sent };
    }
    const sent: Sent = {
      messageId: crypto.randomUUID(),
      ...(this.fifo
        ? { sequenceNumber: String(++this.#sequence).padStart(20, "0") }
        : {}),
    };
    if (deduplicationId !== undefined) {
      this.#deduplication.set(deduplicationId, {
        sent,
        until: now + DEDUPLICATION_MS,
      });
    }
    const delay = message.delaySeconds ?? this.settings.delaySeconds;
    this.add({
      ...sent,
      body: message.body,
      attributes: message.attributes,
      sentAtMs: now,
      receiveCount: 0,
      visibleAtMs: now + delay * 1000,
      ...(message.groupId === undefined ? {} : { groupId: message.groupId }),
      ...(deduplicationId === undefined ? {} : { deduplicationId }),
    });
    return { ok: true, value: sent };
  }

  add(message: StoredMessage): void {
    this.messages.push(message);
    this.#wake();
  }

  async receive(options: ReceiveOptions): Promise<ReceivedMessage[]> {
    const deadline = this.#clock.now() + options.waitTimeSeconds * 1000;
    for (;;) {
      options.signal?.throwIfAborted();
      const taken = this.#take(options);
      const left = deadline - this.#clock.now();
      if (taken.length > 0 || left <= 0) return taken;
      await this.#wait(left, options.signal);
    }
  }

  delete(receiptHandle: string): EntryResult {
    const message = this.#handles.get(receiptHandle);
    if (message === undefined) return refuse(INVALID_HANDLE);
    if (message.receiptHandle !== receiptHandle) {
      // An older handle: SQS answers with success and may delete nothing.
      return { ok: true, value: undefined };
    }
    const position = this.messages.indexOf(message);
    if (position < 0) return { ok: true, value: undefined };
    if (this.fifo && message.visibleAtMs <= this.#clock.now()) {
      return refuse({
        code: "InvalidParameterValue",
        message: "The receipt handle has expired",
      });
    }
    this.messages.splice(position, 1);
    this.deleted.push(message);
    this.#wake();
    return { ok: true, value: undefined };
  }

  changeVisibility(change: VisibilityChange): EntryResult {
    const { receiptHandle, visibilityTimeoutSeconds } = change;
    const message = this.#handles.get(receiptHandle);
    if (message === undefined) return refuse(INVALID_HANDLE);
    const now = this.#clock.now();
    const inFlight = message.receiptHandle === receiptHandle &&
      message.visibleAtMs > now && this.messages.includes(message);
    if (!inFlight) {
      return refuse({
        code: "MessageNotInflight",
        message: "The message is not in flight",
      });
    }
    const until = now + visibilityTimeoutSeconds * 1000;
    if (until > message.receivedAtMs! + MAX_VISIBILITY_SECONDS * 1000) {
      return refuse({
        code: "InvalidParameterValue",
        message:
          `Total VisibilityTimeout for the message is beyond the limit [${MAX_VISIBILITY_SECONDS} seconds]`,
      });
    }
    message.visibleAtMs = until;
    this.#wake();
    return { ok: true, value: undefined };
  }

  attributes(): QueueAttributes {
    const now = this.#clock.now();
    const hidden = this.messages.filter(({ visibleAtMs }) => visibleAtMs > now);
    const inFlight = hidden.filter((message) => message.receiptHandle).length;
    return {
      visibilityTimeoutSeconds: this.settings.visibilityTimeoutSeconds,
      visible: this.messages.length - hidden.length,
      inFlight,
      delayed: hidden.length - inFlight,
      ...(this.settings.redrive === undefined ? {} : {
        redrive: {
          ...this.settings.redrive,
          deadLetterQueue: arnOf(this.settings.redrive.deadLetterQueue),
        },
      }),
    };
  }

  #refusal(message: OutgoingMessage): Refusal | undefined {
    const { maximumMessageSize, contentBasedDeduplication } = this.settings;
    if (messageBytes(message.body, message.attributes) > maximumMessageSize) {
      return {
        code: "InvalidParameterValue",
        message:
          `One or more parameters are invalid. Reason: Message must be shorter than ${maximumMessageSize} bytes.`,
      };
    }
    if (FORBIDDEN.test(message.body)) {
      return {
        code: "InvalidMessageContents",
        message: "Invalid characters in the message body",
      };
    }
    if (!this.fifo) return undefined;
    if (message.groupId === undefined) {
      return {
        code: "MissingParameter",
        message: "The request must contain the parameter MessageGroupId.",
      };
    }
    if (message.deduplicationId === undefined && !contentBasedDeduplication) {
      return {
        code: "InvalidParameterValue",
        message:
          "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
      };
    }
  }

  #take(options: ReceiveOptions): ReceivedMessage[] {
    const now = this.#clock.now();
    const visibility = options.visibilityTimeoutSeconds ??
      this.settings.visibilityTimeoutSeconds;
    this.#redrive(now);
    // A message in flight blocks its group, those before it too.
    const blocked = new Set<string>(
      this.fifo
        ? this.messages.filter(({ visibleAtMs }) => visibleAtMs > now)
          .map(({ groupId }) => groupId!)
        : [],
    );
    const taken: StoredMessage[] = [];
    for (const message of this.messages) {
      if (taken.length === options.maxMessages) break;
      if (this.fifo && blocked.has(message.groupId!)) continue;
      if (message.visibleAtMs <= now) taken.push(message);
    }
    return taken.map((message) => {
      this.#countReceive(message, now);
      const receiptHandle = crypto.randomUUID();
      this.#handles.set(receiptHandle, message);
      message.receiveCount++;
      message.receiptHandle = receiptHandle;
      message.receivedAtMs = now;
      message.visibleAtMs = now + visibility * 1000;
      const { visibleAtMs: _v, receivedAtMs: _r, sequenceNumber: _s, ...seen } =
        message;
      return { ...seen, receiptHandle };
    });
  }

  #countReceive(message: StoredMessage, now: number): void {
    const known = this.#receives.get(message);
    const count = known?.at === now ? known : { at: now, times: 0 };
    this.#receives.set(message, count);
    if (++count.times <= MAX_RECEIVES_AT_ONCE) return;
    throw new Error(
      `Cannot go on with message ${message.messageId} of "${this.name}" as it was received ${MAX_RECEIVES_AT_ONCE} times while the clock stood still: is its job always retried with no delay?`,
    );
  }

  /** Moves what was received too often to the dead-letter queue. */
  #redrive(now: number): void {
    const { redrive } = this.settings;
    if (redrive === undefined) return;
    const spent = this.messages.filter((message) =>
      message.visibleAtMs <= now &&
      message.receiveCount >= redrive.maxReceiveCount
    );
    for (const message of spent) {
      this.messages.splice(this.messages.indexOf(message), 1);
      this.#server.redrive(
        { ...message, deadLetterSource: arnOf(this.name) },
        redrive.deadLetterQueue,
      );
    }
  }

  /** Waits for a change, for a message to become visible, or for `ms`. */
  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const now = this.#clock.now();
    const visibleIn = this.messages
      .map(({ visibleAtMs }) => visibleAtMs - now)
      .filter((wait) => wait > 0);
    const woken = new AbortController();
    const wake = () => woken.abort();
    signal?.addEventListener("abort", wake, { once: true });
    this.#changed.promise.then(wake);
    await sleep(this.#clock, Math.min(ms, ...visibleIn), woken.signal);
    signal?.removeEventListener("abort", wake);
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** A connection to queues of the double. */
export class DoubleConnection implements Connection {
  readonly region: string;
  readonly #queueAt: (url: string) => DoubleQueue | undefined;
  readonly #queueNamed: (name: string) => DoubleQueue | undefined;
  readonly #hooks: DoubleHooks;

  constructor(
    region: string,
    queues: {
      at: (url: string) => DoubleQueue | undefined;
      named: (name: string) => DoubleQueue | undefined;
    },
    hooks: DoubleHooks,
  ) {
    this.region = region;
    this.#queueAt = queues.at;
    this.#queueNamed = queues.named;
    this.#hooks = hooks;
  }

  // The methods are async so that what is refused rejects, as over a network.
  // deno-lint-ignore require-await
  async queueUrl(name: string, options: CallOptions = {}): Promise<string> {
    options.signal?.throwIfAborted();
    const queue = this.#queueNamed(name);
    if (queue === undefined) throw missingQueue();
    return queue.url;
  }

  // deno-lint-ignore require-await
  async attributes(
    url: string,
    options: CallOptions = {},
  ): Promise<QueueAttributes> {
    options.signal?.throwIfAborted();
    return this.#queue(url).attributes();
  }

  async send(
    url: string,
    messages: readonly OutgoingMessage[],
    options: CallOptions = {},
  ): Promise<EntryResult<Sent>[]> {
    options.signal?.throwIfAborted();
    checkBatch(messages);
    const bytes = messages.reduce(
      (sum, { body, attributes }) => sum + messageBytes(body, attributes),
      0,
    );
    if (bytes > MAX_BYTES) {
      throw new ConnectionError(
        `Batch requests cannot be longer than ${MAX_BYTES} bytes. You have sent ${bytes} bytes.`,
        { code: "BatchRequestTooLong", senderFault: true },
      );
    }
    const queue = this.#queue(url);
    const results = messages.map((message) => queue.send(message));
    await this.#hooks.sent(
      queue,
      messages.filter((_, position) => results[position]!.ok),
    );
    return results;
  }

  async receive(
    url: string,
    options: ReceiveOptions,
  ): Promise<ReceivedMessage[]> {
    return await this.#queue(url).receive(options);
  }

  // deno-lint-ignore require-await
  async delete(
    url: string,
    receiptHandles: readonly string[],
  ): Promise<EntryResult[]> {
    checkBatch(receiptHandles);
    const queue = this.#queue(url);
    const before = queue.deleted.length;
    const results = receiptHandles.map((handle) => queue.delete(handle));
    this.#hooks.deleted(queue.deleted.slice(before));
    return results;
  }

  // deno-lint-ignore require-await
  async changeVisibility(
    url: string,
    changes: readonly VisibilityChange[],
  ): Promise<EntryResult[]> {
    checkBatch(changes);
    const queue = this.#queue(url);
    return changes.map((change) => queue.changeVisibility(change));
  }

  close(): void {}

  #queue(url: string): DoubleQueue {
    const queue = this.#queueAt(url);
    if (queue === undefined) throw missingQueue();
    return queue;
  }
}

/** What the double does beside what SQS does: it prints, and runs workers. */
export interface DoubleHooks {
  sent(
    queue: DoubleQueue,
    messages: readonly OutgoingMessage[],
  ): Promise<void>;
  deleted(messages: readonly StoredMessage[]): void;
}

interface Refusal {
  readonly code: string;
  readonly message: string;
}

const INVALID_HANDLE: Refusal = {
  code: "ReceiptHandleIsInvalid",
  message: "The input receipt handle is invalid.",
};

/** The ARN of a queue of the double, whichever region it was asked in. */
function arnOf(name: string): string {
  return `arn:aws:sqs:us-east-1:000000000000:${name}`;
}

function refuse(refusal: Refusal): EntryResult<never> {
  return { ok: false, failure: { ...refusal, senderFault: true } };
}

function checkBatch(entries: readonly unknown[]): void {
  if (entries.length === 0) {
    throw new ConnectionError("There should be at least one entry.", {
      code: "EmptyBatchRequest",
      senderFault: true,
    });
  }
  if (entries.length > MAX_BATCH) {
    throw new ConnectionError(
      `Maximum number of entries per request are ${MAX_BATCH}. You have sent ${entries.length}.`,
      { code: "TooManyEntriesInBatchRequest", senderFault: true },
    );
  }
}

function missingQueue(): ConnectionError {
  return new ConnectionError("The specified queue does not exist.", {
    code: "QueueDoesNotExist",
    senderFault: true,
  });
}
