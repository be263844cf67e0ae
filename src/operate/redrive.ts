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
import { messageOf, NonExistentQueueError } from "../errors.ts";
import {
  FAILURE_ATTRIBUTE,
  type FailureReason,
  readReason,
} from "../engine/failure_queue.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { isShared, SendFailure, SendQueue } from "../sending/send_queue.ts";

/** What became of one message. */
export type RedriveResult =
  | {
    /** The name of the queue that took it. */
    readonly sentTo: string;
  }
  | {
    /** It was sent back before by this redrive, and has failed again. */
    readonly again: true;
  }
  | {
    /** Why it was not sent: all that have the same share the text. */
    readonly problem: string;
  };

/** What a redrive works with. */
export interface RedriveOptions {
  /** The queue that the messages are in. */
  readonly from: OpenQueue;
  /** Where queues are looked for. */
  readonly where: ConnectOptions;
  /** The queue to send to, in place of the one that each came from. */
  readonly to?: string | undefined;
}

interface Target {
  readonly open: OpenQueue;
  readonly queue: SendQueue;
}

/** Sends failed messages back. */
export class Redrive implements Disposable {
  readonly #options: RedriveOptions;
  /** Queues by what names them; `undefined` where there is none. */
  readonly #targets = new Map<string, Promise<Target | undefined>>();
  /** The ids of what was sent. */
  readonly #sent = new Set<string>();

  constructor(options: RedriveOptions) {
    this.#options = options;
  }

  /** Finds the queue that is named for all, so that a mistake shows early. */
  async checkTarget(): Promise<void> {
    const { to, from } = this.#options;
    if (to === undefined) return;
    const opening = this.#open(to);
    const target = await opening;
    this.#targets.set(to, opening);
    if (target.open.url === from.url) {
      throw new TypeError(
        `Cannot send messages of "${from.ref.name}" to "${to}" as that is the same queue`,
      );
    }
  }

  /**
   * Sends messages.
   *
   * @returns What became of each, and what stops the others from being sent,
   * if anything does.
   */
  async send(
    messages: readonly ReceivedMessage[],
  ): Promise<{ results: RedriveResult[]; stop?: { error: unknown } }> {
    let stop: { error: unknown } | undefined;
    const results = await Promise.all(messages.map(async (message) => {
      try {
        return await this.#send(message);
      } catch (error) {
        stop ??= { error };
        return { problem: messageOf(error) };
      }
    }));
    return { results, ...(stop === undefined ? {} : { stop }) };
  }

  [Symbol.dispose](): void {
    for (const target of this.#targets.values()) {
      target.then((opened) => opened?.open.connection.close(), () => {});
    }
  }

  async #send(message: ReceivedMessage): Promise<RedriveResult> {
    const reason = readReason(message.attributes);
    // A clock that is ahead of SQS's would have such a one go round for ever.
    if (
      [reason?.messageId, message.messageId].some((id) => this.#sent.has(id!))
    ) {
      return { again: true };
    }
    const named = this.#options.to ?? this.#sourceOf(message, reason);
    if (named === undefined) {
      return { problem: "names no queue that it came from: give --to=QUEUE" };
    }
    const target = await this.#target(named);
    if (target === undefined) {
      return {
        problem:
          `came from "${named}", which there is not any more: give --to=QUEUE`,
      };
    }
    const { ref, url } = target.open;
    if (url === this.#options.from.url) {
      return { problem: "came from this very queue: give --to=QUEUE" };
    }
    if (ref.fifo && message.groupId === undefined) {
      return {
        problem: `has no message group, which FIFO queue "${ref.name}" needs`,
      };
    }
    try {
      const sent = await target.queue.send(
        this.#outgoing(message, reason, ref.fifo),
      );
      this.#sent.add(sent.messageId);
      return { sentTo: ref.name };
    } catch (error) {
      if (!(error instanceof SendFailure) || isShared(error)) throw error;
      const { code } = error.failure;
      return {
        problem: `was refused by "${ref.name}": ${code}: ${error.message}`,
      };
    }
  }

  /** The queue that a message came from, as text that names it. */
  #sourceOf(
    { deadLetterSource }: ReceivedMessage,
    reason: FailureReason | undefined,
  ): string | undefined {
    if (reason === undefined) return deadLetterSource;
    // Beside this queue: in its account and region, on its server.
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
    // What was kept in a FIFO queue without a group got its queue's name as one.
    const given = !fifo && this.#options.from.ref.fifo &&
      groupId === reason?.queue;
    return {
      body,
      attributes,
      ...(groupId === undefined || given ? {} : { groupId }),
      // Its own id: equal jobs that failed must not be taken for one.
      ...(fifo ? { deduplicationId: messageId } : {}),
    };
  }

  /** A queue that is looked for once, and is not there for all others either. */
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
    return {
      open,
      queue: new SendQueue(open),
    };
  }
}
