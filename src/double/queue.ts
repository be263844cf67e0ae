/**
 * A queue of the testing double: SQS as AWS documents it, in memory, on a
 * virtual clock.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Clock, type Random, sleep } from "../clock.ts";
import {
  type EntryFailure,
  type EntryResult,
  MAX_BATCH,
  MAX_WAIT_SECONDS,
  type OutgoingMessage,
  type QueueAttributes,
  type ReceivedMessage,
  type ReceiveOptions,
  type Sent,
  type VisibilityChange,
  type WireAttributes,
} from "../sqs/connection.ts";
import { type QueueSettings, refusalOf } from "./checks.ts";
import { MAX_VISIBILITY_SECONDS, SqsError } from "../errors.ts";
import { Heap } from "./heap.ts";
import { shuffle } from "./random.ts";

/**
 * How long a FIFO queue remembers a deduplication id, and a receive's attempt
 * id, in milliseconds.
 */
const DEDUPLICATION_MS = 5 * 60_000;

/**
 * How often a message may be received while the clock stands still: a job that
 * is always retried at once would never let a test go on.
 */
const MAX_RECEIVES_AT_ONCE = 1000;

/** How many visible messages a reordering mixes. */
const REORDERED = 100;

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
  /** How often it was received, in all queues that it was in. */
  receiveCount: number;
  /** When it is visible again, in milliseconds of the clock. */
  visibleAtMs: number;
  /** When it was last received; what a visibility of 12 hours counts from. */
  receivedAtMs?: number;
  /** The receipt handle of the last receive. */
  receiptHandle?: string;
}

/** What the queue itself notes of a message. */
interface Note {
  /** Its place among all that were sent. */
  readonly position: number;
  readonly group: Group | undefined;
  hidden: boolean;
  /** It was moved to another queue, or its retention ended. */
  gone: boolean;
  /** How often it was received in this queue: what a redrive counts. */
  receives: number;
  /** When it was last received, and how often at that time. */
  atMs: number;
  atOnce: number;
}

/** A FIFO queue's group: its messages, and how many of them are in flight. */
interface Group {
  readonly id: string;
  readonly messages: Set<StoredMessage>;
  inFlight: number;
}

interface Attempt {
  readonly atMs: number;
  readonly taken: readonly {
    readonly message: StoredMessage;
    readonly receiptHandle: string;
  }[];
  visibleAtMs: number;
}

/** What a queue knows of the others. */
export interface DoubleServer {
  readonly clock: Clock;
  /** A new message id or receipt handle. */
  newId(): string;
  /** Puts a message into a dead-letter queue. */
  redrive(message: StoredMessage, deadLetterQueue: string): void;
}

/** What becomes of a receive when it finds messages. */
export interface ReceiveHooks {
  /** Mixes what is visible. */
  reorder(): Random | undefined;
  /** After how many seconds a message that was taken is there once more. */
  duplicate(message: StoredMessage): number | undefined;
}

/** A queue of the double. */
export class DoubleQueue {
  readonly name: string;
  readonly url: string;
  readonly fifo: boolean;
  readonly settings: QueueSettings;
  readonly deleted: StoredMessage[] = [];
  readonly #server: DoubleServer;
  readonly #clock: Clock;
  readonly #messages = new Set<StoredMessage>();
  readonly #notes = new WeakMap<StoredMessage, Note>();
  readonly #handles = new Map<string, StoredMessage>();
  readonly #groups = new Map<string, Group>();
  /** What a standard queue can give, by position; some of it is gone. */
  readonly #ready = new Heap<StoredMessage>();
  /** The groups that can give something, by their first message's position. */
  readonly #readyGroups = new Heap<Group>();
  /** What is hidden, by the time when it is visible; some of it is gone. */
  readonly #hidden = new Heap<StoredMessage>();
  /** What a receive finds once more though it was received, from a time on. */
  #copies: { readonly atMs: number; readonly message: StoredMessage }[] = [];
  /** All messages, by the time when their retention ends. */
  readonly #retained = new Heap<StoredMessage>();
  readonly #deduplication = new Map<string, { sent: Sent; until: number }>();
  readonly #attempts = new Map<string, Attempt>();
  /** Wakes the receives that wait for a message. */
  readonly #waiting = new Set<() => void>();
  #positions = 0;

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

  /** The messages in the queue, visible or not, oldest first. */
  get messages(): StoredMessage[] {
    this.#update();
    return [...this.#messages];
  }

  /** How many messages are in the queue, visible or not. */
  get size(): number {
    this.#update();
    return this.#messages.size;
  }

  /** When the next hidden message is visible, `Infinity` if there is none. */
  get nextVisibleMs(): number {
    this.#update();
    for (let top = this.#hidden.peek(); top; top = this.#hidden.peek()) {
      const current = this.#messages.has(top) && this.#isHidden(top) &&
        top.visibleAtMs === this.#hidden.key;
      if (current) break;
      this.#hidden.take();
    }
    const now = this.#clock.now();
    // A copy that is due is there for the next receive, whenever that comes.
    const copies = this.#copies.map(({ atMs }) => atMs)
      .filter((atMs) => atMs > now);
    return Math.min(this.#hidden.key, ...copies);
  }

  /** The message of a receipt handle, whichever receive it came from. */
  messageOf(receiptHandle: string): StoredMessage | undefined {
    return this.#handles.get(receiptHandle);
  }

  send(message: OutgoingMessage): EntryResult<Sent> {
    const refusal = refusalOf(message, this);
    if (refusal !== undefined) return refuse(refusal);
    const deduplicationId = this.fifo
      ? message.deduplicationId ?? sha256(message.body)
      : undefined;
    const now = this.#clock.now();
    if (deduplicationId !== undefined) {
      const known = this.#known(deduplicationId, now);
      if (known !== undefined) return { ok: true, value: known };
    }
    const sent: Sent = {
      messageId: this.#server.newId(),
      ...(this.fifo ? { sequenceNumber: this.#nextSequenceNumber() } : {}),
    };
    if (deduplicationId !== undefined) {
      const until = now + DEDUPLICATION_MS;
      this.#deduplication.set(deduplicationId, { sent, until });
    }
    const delay = message.delaySeconds ?? this.settings.delaySeconds;
    this.#add({
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

  /**
   * Takes a message that was received too often elsewhere. Its id and receive
   * count stay; the time it was sent stays on standard queues (SQS, "Setting up
   * dead-letter queue retention").
   */
  take(message: StoredMessage): void {
    const { receiptHandle: _, receivedAtMs: __, ...rest } = message;
    const now = this.#clock.now();
    this.#add({
      ...rest,
      visibleAtMs: now,
      ...(this.fifo
        ? { sentAtMs: now, sequenceNumber: this.#nextSequenceNumber() }
        : {}),
    });
  }

  async receive(
    options: ReceiveOptions,
    hooks?: ReceiveHooks,
  ): Promise<ReceivedMessage[]> {
    checkReceive(options);
    const deadline = this.#clock.now() + options.waitTimeSeconds * 1000;
    options.signal?.throwIfAborted();
    const again = this.#receiveAgain(options);
    if (again !== undefined) return again;
    for (;;) {
      options.signal?.throwIfAborted();
      const taken = this.#receiveNow(options, hooks);
      const left = deadline - this.#clock.now();
      if (taken.length > 0 || left <= 0) return taken;
      await this.#wait(left, options.signal);
    }
  }

  delete(receiptHandle: string): EntryResult {
    this.#update();
    const message = this.#handles.get(receiptHandle);
    if (message === undefined) return refuse(INVALID_HANDLE);
    if (!this.#messages.has(message)) return DONE;
    const current = message.receiptHandle === receiptHandle;
    if (this.fifo && !(current && this.#isHidden(message))) {
      return refuse(EXPIRED_HANDLE);
    }
    // An older handle: SQS answers with success and deletes nothing.
    if (!current) return DONE;
    this.#remove(message);
    this.deleted.push(message);
    this.#wake();
    return DONE;
  }

  changeVisibility(change: VisibilityChange): EntryResult {
    this.#update();
    const { receiptHandle, visibilityTimeoutSeconds: seconds } = change;
    if (!isVisibility(seconds)) {
      return refuse(invalid("VisibilityTimeout", seconds, VISIBILITY_RANGE));
    }
    const message = this.#handles.get(receiptHandle);
    if (message === undefined) return refuse(INVALID_HANDLE);
    const inFlight = message.receiptHandle === receiptHandle &&
      this.#messages.has(message) && this.#isHidden(message);
    if (!inFlight) return refuse(NOT_IN_FLIGHT);
    const until = this.#clock.now() + seconds * 1000;
    if (until > message.receivedAtMs! + MAX_VISIBILITY_SECONDS * 1000) {
      return refuse(TOO_LONG);
    }
    this.#hide(message, until);
    this.#wake();
    return DONE;
  }

  /** Ends the time for which a message is hidden, and refuses its handle. */
  expire(receiptHandle: string): EntryResult {
    this.#update();
    const message = this.#handles.get(receiptHandle);
    const held = message !== undefined && this.#messages.has(message) &&
      message.receiptHandle === receiptHandle;
    if (held) {
      this.#hide(message, this.#clock.now());
      this.#wake();
    }
    return refuse(this.fifo ? EXPIRED_HANDLE : INVALID_HANDLE);
  }

  attributes(): QueueAttributes {
    this.#update();
    let [inFlight, delayed] = [0, 0];
    for (const message of this.#messages) {
      if (!this.#isHidden(message)) continue;
      if (message.receiptHandle === undefined) delayed++;
      else inFlight++;
    }
    return {
      visibilityTimeoutSeconds: this.settings.visibilityTimeoutSeconds,
      visible: this.#messages.size - inFlight - delayed,
      inFlight,
      delayed,
      ...(this.settings.redrive === undefined ? {} : {
        redrive: {
          ...this.settings.redrive,
          deadLetterQueue: arnOf(this.settings.redrive.deadLetterQueue),
        },
      }),
    };
  }

  #known(deduplicationId: string, now: number): Sent | undefined {
    // The oldest come first.
    for (const [id, { until }] of this.#deduplication) {
      if (until > now) break;
      this.#deduplication.delete(id);
    }
    return this.#deduplication.get(deduplicationId)?.sent;
  }

  #nextSequenceNumber(): string {
    return String(this.#positions + 1).padStart(20, "0");
  }

  #add(message: StoredMessage): void {
    this.#update();
    const group = this.fifo ? this.#groupOf(message.groupId!) : undefined;
    this.#notes.set(message, {
      position: this.#positions++,
      group,
      hidden: true,
      gone: false,
      receives: 0,
      atMs: -1,
      atOnce: 0,
    });
    this.#messages.add(message);
    group?.messages.add(message);
    this.#retained.add(
      message.sentAtMs + this.settings.messageRetentionSeconds * 1000,
      message,
    );
    this.#hide(message, message.visibleAtMs);
    this.#wake();
  }

  #groupOf(id: string): Group {
    const known = this.#groups.get(id);
    if (known !== undefined) return known;
    const group: Group = { id, messages: new Set(), inFlight: 0 };
    this.#groups.set(id, group);
    return group;
  }

  #isHidden(message: StoredMessage): boolean {
    return this.#notes.get(message)!.hidden;
  }

  /** Hides a message until a time, or shows it where that has come. */
  #hide(message: StoredMessage, untilMs: number): void {
    message.visibleAtMs = untilMs;
    if (untilMs > this.#clock.now()) this.#hidden.add(untilMs, message);
    else if (this.#isHidden(message)) this.#show(message);
  }

  #show(message: StoredMessage): void {
    const note = this.#notes.get(message)!;
    note.hidden = false;
    if (note.group === undefined) this.#ready.add(note.position, message);
    else {
      if (message.receiptHandle !== undefined) note.group.inFlight--;
      this.#offer(note.group);
    }
  }

  /** A group gives nothing while one of its messages is in flight. */
  #offer(group: Group): void {
    const [first] = group.messages;
    if (first === undefined) this.#groups.delete(group.id);
    else if (group.inFlight === 0 && !this.#isHidden(first)) {
      this.#readyGroups.add(this.#notes.get(first)!.position, group);
    }
  }

  #remove(message: StoredMessage): void {
    this.#messages.delete(message);
    const { group, hidden } = this.#notes.get(message)!;
    if (group === undefined) return;
    group.messages.delete(message);
    if (hidden && message.receiptHandle !== undefined) group.inFlight--;
    this.#offer(group);
  }

  /** Does what the time that has passed does. */
  #update(): void {
    const now = this.#clock.now();
    while (this.#retained.key <= now) {
      const message = this.#retained.take()!;
      this.#notes.get(message)!.gone = true;
      if (this.#messages.has(message)) this.#remove(message);
    }
    while (this.#hidden.key <= now) {
      const message = this.#hidden.take()!;
      const due = this.#messages.has(message) && this.#isHidden(message) &&
        message.visibleAtMs <= now;
      if (due) this.#show(message);
    }
  }

  /** Brings back what was received, deleted or not: SQS delivers it again. */
  #showCopies(): void {
    const now = this.#clock.now();
    const due = this.#copies.filter(({ atMs }) => atMs <= now);
    if (due.length === 0) return;
    this.#copies = this.#copies.filter(({ atMs }) => atMs > now);
    for (const { message } of due) {
      const note = this.#notes.get(message)!;
      if (note.gone) continue;
      if (!this.#messages.has(message)) {
        this.#messages.add(message);
        note.hidden = true;
      }
      this.#hide(message, now);
    }
  }

  #receiveNow(
    options: ReceiveOptions,
    hooks: ReceiveHooks | undefined,
  ): ReceivedMessage[] {
    this.#update();
    this.#showCopies();
    const now = this.#clock.now();
    const visibility = options.visibilityTimeoutSeconds ??
      this.settings.visibilityTimeoutSeconds;
    const taken = this.fifo
      ? this.#takeGroups(options.maxMessages)
      : this.#takeReady(options.maxMessages, hooks);
    const received = taken.map((message) => {
      const note = this.#notes.get(message)!;
      this.#countReceive(message, note, now);
      const receiptHandle = this.#server.newId();
      this.#handles.set(receiptHandle, message);
      message.receiveCount++;
      message.receiptHandle = receiptHandle;
      message.receivedAtMs = now;
      note.hidden = true;
      if (note.group !== undefined) note.group.inFlight++;
      this.#hide(message, now + visibility * 1000);
      const copyIn = hooks?.duplicate(message);
      if (copyIn !== undefined) {
        this.#copies.push({ atMs: now + copyIn * 1000, message });
      }
      return seen(message, receiptHandle);
    });
    if (options.attemptId !== undefined && taken.length > 0) {
      this.#remember(options.attemptId, received, now + visibility * 1000);
    }
    return received;
  }

  #takeReady(max: number, hooks: ReceiveHooks | undefined): StoredMessage[] {
    const take = (most: number) => {
      const taken: StoredMessage[] = [];
      while (taken.length < most) {
        const message = this.#ready.take();
        if (message === undefined) break;
        const there = this.#messages.has(message) && !this.#isHidden(message);
        if (there && !this.#redrive(message)) taken.push(message);
      }
      return taken;
    };
    const taken = take(max);
    const random = taken.length > 0 ? hooks?.reorder() : undefined;
    if (random === undefined) return taken;
    const mixed = shuffle([...taken, ...take(REORDERED - max)], random);
    for (const message of mixed.slice(max)) {
      this.#ready.add(this.#notes.get(message)!.position, message);
    }
    return mixed.slice(0, max);
  }

  /** In the order of sending, over all groups of which none is in flight. */
  #takeGroups(max: number): StoredMessage[] {
    const taken: StoredMessage[] = [];
    const walks = new Map<
      Group,
      { rest: Iterator<StoredMessage>; next: StoredMessage | undefined }
    >();
    while (taken.length < max) {
      const position = this.#readyGroups.key;
      const group = this.#readyGroups.take();
      if (group === undefined) break;
      if (group.inFlight > 0) continue;
      let walk = walks.get(group);
      if (walk === undefined) {
        const rest = group.messages.values();
        walk = { rest, next: rest.next().value };
        walks.set(group, walk);
      }
      const message = walk.next;
      const current = message !== undefined && !this.#isHidden(message) &&
        this.#notes.get(message)!.position === position;
      if (!current) continue;
      walk.next = walk.rest.next().value;
      if (!this.#redrive(message)) taken.push(message);
      if (walk.next !== undefined && !this.#isHidden(walk.next)) {
        this.#readyGroups.add(this.#notes.get(walk.next)!.position, group);
      }
    }
    return taken;
  }

  /** Moves a message that was received too often; tells whether it was. */
  #redrive(message: StoredMessage): boolean {
    const { redrive } = this.settings;
    const note = this.#notes.get(message)!;
    if (redrive === undefined || note.receives < redrive.maxReceiveCount) {
      return false;
    }
    note.gone = true;
    this.#remove(message);
    this.#server.redrive(
      { ...message, deadLetterSource: arnOf(this.name) },
      redrive.deadLetterQueue,
    );
    return true;
  }

  #countReceive(message: StoredMessage, note: Note, now: number): void {
    note.receives++;
    note.atOnce = note.atMs === now ? note.atOnce + 1 : 1;
    note.atMs = now;
    if (note.atOnce <= MAX_RECEIVES_AT_ONCE) return;
    throw new Error(
      `Cannot go on with message ${message.messageId} of "${this.name}" as it was received ${MAX_RECEIVES_AT_ONCE} times while the clock stood still: is its job always retried with no delay?`,
    );
  }

  #remember(
    attemptId: string,
    received: readonly ReceivedMessage[],
    visibleAtMs: number,
  ): void {
    const now = this.#clock.now();
    for (const [id, { atMs }] of this.#attempts) {
      if (now - atMs < DEDUPLICATION_MS) break;
      this.#attempts.delete(id);
    }
    this.#attempts.set(attemptId, {
      atMs: now,
      visibleAtMs,
      taken: received.map(({ receiptHandle }) => ({
        receiptHandle,
        message: this.#handles.get(receiptHandle)!,
      })),
    });
  }

  /**
   * The same messages and receipt handles for the same attempt id, hidden anew,
   * where none of them was touched since (SQS, "ReceiveRequestAttemptId").
   */
  #receiveAgain(options: ReceiveOptions): ReceivedMessage[] | undefined {
    const { attemptId } = options;
    const now = this.#clock.now();
    if (!this.fifo || attemptId === undefined) return undefined;
    const attempt = this.#attempts.get(attemptId);
    if (attempt === undefined || now - attempt.atMs >= DEDUPLICATION_MS) {
      return undefined;
    }
    this.#update();
    const untouched = attempt.taken.every(({ message, receiptHandle }) =>
      this.#messages.has(message) && this.#isHidden(message) &&
      message.receiptHandle === receiptHandle &&
      message.visibleAtMs === attempt.visibleAtMs
    );
    if (!untouched) return undefined;
    const visibility = options.visibilityTimeoutSeconds ??
      this.settings.visibilityTimeoutSeconds;
    attempt.visibleAtMs = now + visibility * 1000;
    return attempt.taken.map(({ message, receiptHandle }) => {
      message.receivedAtMs = now;
      this.#hide(message, attempt.visibleAtMs);
      return seen(message, receiptHandle);
    });
  }

  /** Waits for a change, for a message to become visible, or for `ms`. */
  async #wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const now = this.#clock.now();
    const woken = new AbortController();
    const wake = () => woken.abort();
    signal?.addEventListener("abort", wake, { once: true });
    this.#waiting.add(wake);
    await sleep(
      this.#clock,
      Math.min(ms, this.nextVisibleMs - now),
      woken.signal,
    );
    this.#waiting.delete(wake);
    signal?.removeEventListener("abort", wake);
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }
}

const DONE: EntryResult = { ok: true, value: undefined };

const INVALID_HANDLE: EntryFailure = {
  code: "ReceiptHandleIsInvalid",
  message: "The specified receipt handle isn't valid.",
  senderFault: true,
};

const EXPIRED_HANDLE: EntryFailure = {
  code: "InvalidParameterValue",
  message:
    "The value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
  senderFault: true,
};

const NOT_IN_FLIGHT: EntryFailure = {
  code: "MessageNotInflight",
  message: "The specified message isn't in flight.",
  senderFault: true,
};

const TOO_LONG: EntryFailure = {
  code: "InvalidParameterValue",
  message:
    `Total VisibilityTimeout for the message is beyond the limit [${MAX_VISIBILITY_SECONDS} seconds]`,
  senderFault: true,
};

const VISIBILITY_RANGE = `0 to ${MAX_VISIBILITY_SECONDS}`;

/** The ARN of a queue of the double, whichever region it was asked in. */
function arnOf(name: string): string {
  return `arn:aws:sqs:us-east-1:000000000000:${name}`;
}

function refuse(failure: EntryFailure): EntryResult<never> {
  return { ok: false, failure };
}

function seen(message: StoredMessage, receiptHandle: string): ReceivedMessage {
  const { visibleAtMs: _v, receivedAtMs: _r, sequenceNumber: _s, ...rest } =
    message;
  return { ...rest, receiptHandle };
}

function isVisibility(seconds: number): boolean {
  return isWithin(seconds, 0, MAX_VISIBILITY_SECONDS);
}

function isWithin(value: number, from: number, to: number): boolean {
  return Number.isInteger(value) && value >= from && value <= to;
}

function invalid(name: string, value: number, range: string): EntryFailure {
  return {
    code: "InvalidParameterValue",
    message:
      `Value ${value} for parameter ${name} is invalid. Reason: Must be between ${range}, if provided.`,
    senderFault: true,
  };
}

function checkReceive(options: ReceiveOptions): void {
  const { maxMessages, waitTimeSeconds, visibilityTimeoutSeconds } = options;
  const wrong = !isWithin(maxMessages, 1, MAX_BATCH)
    ? invalid("MaxNumberOfMessages", maxMessages, `1 and ${MAX_BATCH}`)
    : !isWithin(waitTimeSeconds, 0, MAX_WAIT_SECONDS)
    ? invalid("WaitTimeSeconds", waitTimeSeconds, `0 and ${MAX_WAIT_SECONDS}`)
    : visibilityTimeoutSeconds !== undefined &&
        !isVisibility(visibilityTimeoutSeconds)
    ? invalid("VisibilityTimeout", visibilityTimeoutSeconds, VISIBILITY_RANGE)
    : undefined;
  if (wrong !== undefined) throw new SqsError(wrong.message, wrong);
}

/** What content-based deduplication knows a body by. */
function sha256(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}
