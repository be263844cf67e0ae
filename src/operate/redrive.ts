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
} from "../engine/failure_queue.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { isShared, SendFailure, SendQueue } from "../sending/send_queue.ts";

/**
 * Where a message was sent, that it failed again after this redrive had sent it,
 * or why it stays: its own problem, or an error that all messages would share.
 */
export type RedriveResult =
  | { readonly sentTo: string }
  | { readonly again: true }
  | { readonly problem: string }
  | { readonly error: unknown };

export interface RedriveOptions {
  readonly from: OpenQueue;
  readonly where: ConnectOptions;
  /** The target of all messages, instead of their source queues. */
  readonly to?: string | undefined;
}

interface Target extends OpenQueue {
  readonly queue: SendQueue;
}

export class Redrive implements Disposable {
  readonly #options: RedriveOptions;
  /** Targets by name, URL or ARN; `undefined` if there is no such queue. */
  readonly #targets = new Map<string, Promise<Target | undefined>>();
  readonly #sent = new Set<string>();

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
    const reason = readReason(message.attributes);
    // With a clock ahead of SQS's, the sweep takes it for an old message.
    const ids = [reason?.messageId ?? "", message.messageId];
    if (ids.some((id) => this.#sent.has(id))) return { again: true };
    const named = this.#options.to ?? this.#sourceOf(message, reason);
    if (named === undefined) {
      return { problem: "names no source queue: give --to=QUEUE" };
    }
    const target = await this.#target(named);
    if (target === undefined) {
      const problem = `came from "${named}", which no longer exists`;
      return { problem: `${problem}: give --to=QUEUE` };
    }
    const { ref, url, queue } = target;
    if (url === this.#options.from.url) {
      return { problem: "came from this same queue: give --to=QUEUE" };
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

  /** The URL, ARN or name of a message's source queue. */
  #sourceOf(
    { deadLetterSource }: ReceivedMessage,
    reason: FailureReason | undefined,
  ): string | undefined {
    if (reason === undefined) return deadLetterSource;
    // It is in the account and region of this queue, and on its server.
    const { ref } = this.#options.from;
    const text = ref.text.slice(0, ref.text.lastIndexOf(ref.name)) +
      reason.queue;
    return parseQueueRef(text)?.name === reason.queue ? text : undefined;
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
