/**
 * A queue of the testing double: SQS as AWS documents it, in memory, on a
 * virtual clock.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import {
  type EntryResult,
  MAX_VISIBILITY_SECONDS,
  type OutgoingMessage,
  type QueueAttributes,
  type ReceivedMessage,
  type ReceiveOptions,
  type Sent,
  type VisibilityChange,
} from "../sqs/connection.ts";
import { CallLimit } from "./call_limit.ts";
import {
  BEYOND_MAX_VISIBILITY,
  checkReceive,
  EXPIRED_HANDLE,
  INVALID_HANDLE,
  NOT_IN_FLIGHT,
  overLimit,
  refusalOf,
  visibilityRefusal,
} from "./checks.ts";
import { deduplicationIdOf, RecentIds } from "./deduplication.ts";
import type { ReceiveFaults } from "./fault_script.ts";
import { LongPolls } from "./long_polls.ts";
import { countReceive, received, type StoredMessage } from "./message.ts";
import { MessageStore } from "./message_store.ts";
import { arnOf, type QueueSettings, urlOf } from "./queue_settings.ts";

/** What a queue needs of its server. */
interface QueueServer {
  readonly clock: Clock;
  readonly hooks: {
    deleted?(message: StoredMessage, queue: DoubleQueue): void;
  };
  newId(): string;
  redrive(message: StoredMessage, from: DoubleQueue, to: string): void;
}

/** What a receive with an attempt id took. */
interface Attempt {
  readonly messages: readonly ReceivedMessage[];
  visibleAtMs: number;
}

/** A queue of the double. */
export class DoubleQueue {
  readonly name: string;
  readonly url: string;
  readonly fifo: boolean;
  readonly settings: QueueSettings;
  readonly deleted: StoredMessage[] = [];
  /** SQS's limit of calls to a FIFO queue. */
  readonly calls: CallLimit;
  readonly #server: QueueServer;
  readonly #store: MessageStore;
  readonly #handles = new Map<string, StoredMessage>();
  readonly #sentIds: RecentIds<Sent>;
  readonly #attempts: RecentIds<Attempt>;
  readonly #polls: LongPolls;

  constructor(name: string, settings: QueueSettings, server: QueueServer) {
    this.name = name;
    this.url = urlOf(name);
    this.fifo = name.endsWith(".fifo");
    this.settings = settings;
    this.#server = server;
    const { messageRetentionSeconds } = settings;
    this.#store = new MessageStore(
      server.clock,
      this.fifo,
      messageRetentionSeconds,
    );
    this.#sentIds = new RecentIds(server.clock);
    this.#attempts = new RecentIds(server.clock);
    this.#polls = new LongPolls(server.clock, () => this.#wakePoll(true));
    this.calls = new CallLimit(server.clock, settings.maxCallsPerSecond);
  }

  get #now(): number {
    return this.#server.clock.now();
  }

  /** The messages in the queue, visible or not, oldest first. */
  get messages(): StoredMessage[] {
    this.#store.update();
    return this.#store.all;
  }

  /** When the next hidden message becomes visible; `Infinity` if none is hidden. */
  get nextVisibleMs(): number {
    this.#store.update();
    return this.#store.nextVisibleMs;
  }

  /** How many messages are received and hidden. */
  get inFlight(): number {
    this.#store.update();
    return this.#store.inFlight;
  }

  /** The message of a receipt handle, from any receive. */
  messageOf(receiptHandle: string): StoredMessage | undefined {
    return this.#handles.get(receiptHandle);
  }

  send(message: OutgoingMessage): EntryResult<Sent> {
    const refusal = refusalOf(message, this);
    if (refusal !== undefined) return refusal;
    const ids = this.fifo && { deduplicationId: deduplicationIdOf(message) };
    const known = ids && this.#sentIds.get(ids.deduplicationId);
    if (known) return { ok: true, value: known };
    const messageId = this.#server.newId();
    // SQS writes 20 digits.
    const sequenceNumber = String(this.#store.added + 1).padStart(20, "0");
    const sent = this.fifo ? { messageId, sequenceNumber } : { messageId };
    if (ids) this.#sentIds.set(ids.deduplicationId, sent);
    const { delaySeconds = this.settings.delaySeconds, ...content } = message;
    const sentAtMs = this.#now;
    this.#add({
      ...content,
      ...ids,
      messageId,
      sentAtMs,
      receiveCount: 0,
      visibleAtMs: sentAtMs + delaySeconds * 1000,
    });
    return { ok: true, value: sent };
  }

  /**
   * Takes a message that another queue delivered too often. Its id and receive
   * count stay, and on standard queues the time when it was sent (SQS, "Setting
   * up dead-letter queue retention").
   */
  takeDeadLetter(message: StoredMessage, from: DoubleQueue): void {
    const deadLetterSource = arnOf(from.name);
    const { receiptHandle: _h, receivedAtMs: _r, ...content } = message;
    const visibleAtMs = this.#now;
    const sentAtMs = this.fifo ? visibleAtMs : message.sentAtMs;
    this.#add({ ...content, sentAtMs, visibleAtMs, deadLetterSource });
  }

  async receive(
    options: ReceiveOptions,
    faults: ReceiveFaults,
  ): Promise<ReceivedMessage[]> {
    checkReceive(options);
    const deadline = this.#now + options.waitTimeSeconds * 1000;
    options.signal?.throwIfAborted();
    const again = this.#receiveAgain(options);
    if (again !== undefined) return again;
    for (;;) {
      const messages = this.#receiveNow(options, faults);
      const left = deadline - this.#now;
      if (messages.length > 0 || left <= 0) {
        // There may be more, for another poll.
        this.#wakePoll();
        return messages;
      }
      const waited = this.#polls.wait(left, options.signal);
      this.#polls.wake(false, this.#store.nextVisibleMs);
      await waited;
      if (options.signal?.aborted) {
        this.#wakePoll();
        throw options.signal.reason;
      }
    }
  }

  delete(receiptHandle: string): EntryResult {
    this.#store.update();
    const message = this.#handles.get(receiptHandle);
    if (message === undefined) return INVALID_HANDLE;
    if (!this.#store.has(message)) return DONE;
    const current = message.receiptHandle === receiptHandle;
    if (this.fifo && !(current && message.note.hidden)) {
      return EXPIRED_HANDLE;
    }
    // SQS reports success for an older handle, and deletes nothing.
    if (!current) return DONE;
    this.#store.remove(message);
    this.deleted.push(message);
    this.#server.hooks.deleted?.(message, this);
    this.#wakePoll();
    return DONE;
  }

  changeVisibility(change: VisibilityChange): EntryResult {
    this.#store.update();
    const { receiptHandle, visibilityTimeoutSeconds: seconds } = change;
    const refusal = visibilityRefusal(seconds);
    if (refusal !== undefined) return refusal;
    const message = this.#handles.get(receiptHandle);
    if (message === undefined) return INVALID_HANDLE;
    const inFlight = message.receiptHandle === receiptHandle &&
      this.#store.isHidden(message);
    if (!inFlight) return NOT_IN_FLIGHT;
    const untilMs = this.#now + seconds * 1000;
    // However often its visibility timeout changes, SQS hides a message for at
    // most 12 hours after its receive (SQS, "ChangeMessageVisibility").
    const latestMs = message.receivedAtMs! + MAX_VISIBILITY_SECONDS * 1000;
    if (untilMs > latestMs) {
      return BEYOND_MAX_VISIBILITY;
    }
    this.#store.hideUntil(message, untilMs);
    this.#wakePoll();
    return DONE;
  }

  /** Makes a message visible, and refuses its receipt handle as expired. */
  expire(receiptHandle: string): EntryResult {
    this.#store.update();
    const message = this.#handles.get(receiptHandle);
    if (
      message?.receiptHandle === receiptHandle && this.#store.has(message)
    ) {
      this.#store.hideUntil(message, this.#now);
      this.#wakePoll();
    }
    return this.fifo ? EXPIRED_HANDLE : INVALID_HANDLE;
  }

  attributes(): QueueAttributes {
    const { messages, inFlight } = this;
    const hidden = messages.filter(({ note }) => note.hidden);
    const { redrive, ...settings } = this.settings;
    const { visibilityTimeoutSeconds, messageRetentionSeconds } = settings;
    const { delaySeconds, maximumMessageSize } = settings;
    return {
      ...{ visibilityTimeoutSeconds, messageRetentionSeconds },
      ...{ delaySeconds, maximumMessageSize },
      visible: messages.length - hidden.length,
      inFlight,
      delayed: hidden.length - inFlight,
      ...(redrive && {
        redrive: {
          ...redrive,
          deadLetterQueue: arnOf(redrive.deadLetterQueue),
        },
      }),
    };
  }

  #add(content: Omit<StoredMessage, "note">): void {
    this.#store.update();
    this.#store.add(content);
    this.#wakePoll();
  }

  /** @param isDue Whether a message should have become visible by now. */
  #wakePoll(isDue = false): void {
    if (!this.#polls.areWaiting) return;
    this.#store.update();
    const { hasVisible, nextVisibleMs } = this.#store;
    this.#polls.wake(isDue || hasVisible, nextVisibleMs);
  }

  #receiveNow(
    options: ReceiveOptions,
    faults: ReceiveFaults,
  ): ReceivedMessage[] {
    this.#store.update();
    this.#store.showCopies();
    const now = this.#now;
    const visibleAtMs = this.#visibleAfter(options);
    const room = this.settings.maxInFlight - this.#store.inFlight;
    if (room <= 0) {
      // A long poll waits, and a FIFO queue never says why it gives nothing.
      const isTold = !this.fifo && options.waitTimeSeconds === 0;
      if (isTold) throw overLimit(this.settings.maxInFlight);
      return [];
    }
    const taken = this.#store.take(
      Math.min(room, options.maxMessages),
      (message) => !this.#redrive(message),
      () => faults.reordering(),
    );
    const messages = taken.map((message) => {
      countReceive(message, this.name, now);
      const receiptHandle = this.#server.newId();
      this.#handles.set(receiptHandle, message);
      message.receiptHandle = receiptHandle;
      message.receivedAtMs = now;
      this.#store.hide(message, visibleAtMs);
      const copyIn = faults.duplicate(message.body);
      if (copyIn !== undefined) {
        this.#store.copy(message, now + copyIn * 1000);
      }
      return received(message, receiptHandle);
    });
    const { attemptId } = options;
    if (attemptId !== undefined && messages.length > 0) {
      this.#attempts.set(attemptId, { messages, visibleAtMs });
    }
    return messages;
  }

  /**
   * Repeats the answer for a known attempt id, and hides its messages anew, as
   * long as nobody has touched any of them (SQS, "ReceiveRequestAttemptId").
   */
  #receiveAgain(options: ReceiveOptions): ReceivedMessage[] | undefined {
    const { attemptId } = options;
    if (!this.fifo || attemptId === undefined) return undefined;
    this.#store.update();
    const attempt = this.#attempts.get(attemptId);
    if (attempt === undefined) return undefined;
    const stored = attempt.messages.map(({ receiptHandle }) =>
      this.#handles.get(receiptHandle)!
    );
    const isUntouched = stored.every((message, i) =>
      this.#store.isHidden(message) &&
      message.visibleAtMs === attempt.visibleAtMs &&
      message.receiptHandle === attempt.messages[i]!.receiptHandle
    );
    if (!isUntouched) return undefined;
    attempt.visibleAtMs = this.#visibleAfter(options);
    for (const message of stored) {
      message.receivedAtMs = this.#now;
      this.#store.hideUntil(message, attempt.visibleAtMs);
    }
    return [...attempt.messages];
  }

  #visibleAfter({ visibilityTimeoutSeconds }: ReceiveOptions): number {
    return this.#now + 1000 *
        (visibilityTimeoutSeconds ?? this.settings.visibilityTimeoutSeconds);
  }

  /** Moves a message that was received too often; returns whether it did. */
  #redrive(message: StoredMessage): boolean {
    const { redrive } = this.settings;
    if (!redrive || message.note.receives < redrive.maxReceiveCount) {
      return false;
    }
    this.#store.drop(message);
    this.#server.redrive(message, this, redrive.deadLetterQueue);
    return true;
  }
}

const DONE: EntryResult = { ok: true, value: undefined };
