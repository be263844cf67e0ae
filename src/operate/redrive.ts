/**
 * Sending failed messages back to the queues that they came from.
 *
 * @module
 */

import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import type {
  ConnectOptions,
  OutgoingMessage,
  ReceivedMessage,
} from "../sqs/connection.ts";
import { NonExistentQueueError } from "../errors.ts";
import {
  FAILURE_ATTRIBUTE,
  type FailureReason,
  readReason,
} from "../message/failure_reason.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { isShared, SendFailure, SendQueue } from "../sending/send_queue.ts";

/** The most source queues that the messages themselves may name. */
const MAX_NAMED_SOURCES = 100;

const GIVE_TO = "give --to=QUEUE";

/** The queue that a message came from, and who says so. */
export interface Source {
  /** Its URL, ARN or name. */
  readonly queue: string;
  readonly name: string;
  /** Whether SQS says so; otherwise anybody who may send can have written it. */
  readonly isProven: boolean;
}

/**
 * Where a message was sent, that it failed again after this redrive, or why it
 * stays. An error concerns all messages, a problem this one.
 */
type RedriveResult =
  | { readonly sentTo: string }
  | { readonly again: true }
  | {
    readonly problem: string;
    /** What to do, on the command line. */
    readonly fix?: string;
  }
  | { readonly error: unknown };

interface RedriveOptions {
  readonly from: OpenQueue;
  readonly where: ConnectOptions;
  /** The target of all messages, instead of their source queues. */
  readonly to?: string | undefined;
  /** Whether to believe messages that name their source queue themselves. */
  readonly trusting: boolean;
}

interface Target extends OpenQueue {
  readonly queue: SendQueue;
}

export class Redrive implements Disposable {
  readonly #options: RedriveOptions;
  /** Targets by name, URL or ARN; `undefined` if there is no such queue. */
  readonly #targets = new Map<string, Promise<Target | undefined>>();
  readonly #sent = new Set<string>();
  readonly #namedSources = new Set<string>();
  #trusted: ReadonlySet<string> = new Set();

  constructor(options: RedriveOptions) {
    this.#options = options;
  }

  /** Finds the target of all messages, so that a mistake shows early. */
  async checkTarget(): Promise<void> {
    const { to, from } = this.#options;
    if (to === undefined) return;
    const target = await this.#open(to);
    this.#targets.set(to, Promise.resolve(target));
    if (target.url === from.url) {
      throw new TypeError(
        `Cannot send messages of "${from.ref.name}" to "${to}" as that is the same queue`,
      );
    }
  }

  /** Believes messages that name one of these source queues themselves. */
  trust(names: ReadonlySet<string>): void {
    this.#trusted = names;
  }

  /** Sends a message. Never rejects. */
  send(message: ReceivedMessage): Promise<RedriveResult> {
    return this.#send(message).catch((error) => ({ error }));
  }

  [Symbol.dispose](): void {
    for (const target of this.#targets.values()) {
      target.then((opened) => opened?.connection.close(), () => {});
    }
  }

  async #send(message: ReceivedMessage): Promise<RedriveResult> {
    const { unreadable } = message;
    // A copy would lack what cannot be read.
    if (unreadable !== undefined) {
      return { problem: `cannot be read: ${unreadable}` };
    }
    const reason = readReason(message.attributes);
    if (reason?.unreadable === true) {
      return {
        problem:
          "is a copy of a message that could not be read, and lacks a part of it",
      };
    }
    // With a clock ahead of SQS's, the sweep takes it for an old message.
    const ids = [reason?.messageId ?? "", message.messageId];
    if (ids.some((id) => this.#sent.has(id))) return { again: true };
    const source = this.#options.to ?? this.sourceOf(message);
    const named = typeof source === "string" ? source : source?.queue;
    if (named === undefined) {
      return { problem: "names no source queue", fix: GIVE_TO };
    }
    if (typeof source === "object" && !this.#believes(source)) {
      return {
        problem: "names its source queue itself, as any sender could",
        fix: "check with --json, then give --yes or --to=QUEUE",
      };
    }
    const target = await this.#target(named);
    if (target === undefined) {
      const problem = `came from "${named}", which no longer exists`;
      return { problem, fix: GIVE_TO };
    }
    const { ref, url, queue } = target;
    if (url === this.#options.from.url) {
      return { problem: "came from this same queue", fix: GIVE_TO };
    }
    if (ref.fifo && message.groupId === undefined) {
      return {
        problem: `has no message group, which FIFO queue "${ref.name}" needs`,
      };
    }
    try {
      const outgoing = this.#outgoing(message, reason, ref.fifo);
      const { messageId } = await queue.send(outgoing);
      this.#sent.add(messageId);
      return { sentTo: ref.name };
    } catch (error) {
      if (!(error instanceof SendFailure) || isShared(error)) throw error;
      const { code } = error.failure;
      return {
        problem: `was refused by "${ref.name}": ${code}: ${error.message}`,
      };
    }
  }

  /** A message's source queue; SQS's own word wins. */
  sourceOf(message: ReceivedMessage): Source | undefined {
    const { attributes, deadLetterSource } = message;
    const proven = parseQueueRef(deadLetterSource ?? "");
    if (proven !== undefined) {
      return { queue: proven.text, name: proven.name, isProven: true };
    }
    const name = readReason(attributes)?.queue;
    if (name === undefined) return undefined;
    // It is in the account and region of this queue, and on its server.
    const { ref } = this.#options.from;
    const queue = ref.text.slice(0, ref.text.lastIndexOf(ref.name)) + name;
    return parseQueueRef(queue)?.name === name
      ? { queue, name, isProven: false }
      : undefined;
  }

  #believes({ name, isProven }: Source): boolean {
    if (isProven || this.#trusted.has(name)) return true;
    if (!this.#options.trusting) return false;
    // Each is a call to SQS, and a connection.
    if (this.#namedSources.size >= MAX_NAMED_SOURCES) {
      return this.#namedSources.has(name);
    }
    this.#namedSources.add(name);
    return true;
  }

  #outgoing(
    message: ReceivedMessage,
    reason: FailureReason | undefined,
    fifo: boolean,
  ): OutgoingMessage {
    const { [FAILURE_ATTRIBUTE]: _reason, ...attributes } = message.attributes;
    const { body, messageId, groupId } = message;
    // A message without a group got its queue's name as group when it was kept.
    const given = !fifo && this.#options.from.ref.fifo &&
      groupId === reason?.queue;
    return {
      body,
      attributes,
      ...(groupId === undefined || given ? {} : { groupId }),
      // The message's id, as equal jobs are not duplicates.
      ...(fifo ? { deduplicationId: messageId } : {}),
    };
  }

  /** Finds a target once for all messages. */
  #target(named: string): Promise<Target | undefined> {
    const known = this.#targets.get(named);
    if (known !== undefined) return known;
    const opening = this.#open(named).catch((error) => {
      if (error instanceof NonExistentQueueError) return undefined;
      throw error;
    });
    this.#targets.set(named, opening);
    return opening;
  }

  async #open(named: string): Promise<Target> {
    const open = await openQueue(named, this.#options.where);
    return { ...open, queue: new SendQueue(open) };
  }
}
