/**
 * The failures queue: failed messages are sent there with the reason, body and
 * attributes unchanged.
 *
 * @module
 */

import { messageBytes, sizeLimit } from "../message/attributes.ts";
import {
  MAX_ATTRIBUTES,
  MAX_BYTES,
  type ReceivedMessage,
  type SendConnection,
  type WireAttributes,
} from "../sqs/connection.ts";
import { messageOf } from "../errors.ts";
import { logJobs } from "../job/job_lines.ts";
import {
  FAILURE_ATTRIBUTE,
  hopsOf,
  reasonText,
} from "../message/failure_reason.ts";
import type { Logger } from "../logging/loggers.ts";

/** The longest reason, in bytes: it is ASCII. */
const MAX_REASON_BYTES = 4096;

/** How often a message may be sent to a failures queue: two may lead to each other. */
const MAX_HOPS = 3;

/** Where failed messages go. */
interface FailureQueueOptions {
  readonly connection: SendConnection;
  readonly url: string;
  readonly fifo: boolean;
  /** The name of the queue that failed messages come from. */
  readonly source: string;
  readonly logger: Logger;
  /** The time, in milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/** The queue for failed messages. */
export class FailureQueue {
  readonly #options: FailureQueueOptions;

  constructor(options: FailureQueueOptions) {
    this.#options = options;
  }

  /**
   * Sends a failed message there.
   *
   * @param maxBytes The size that the queue accepts, reason included.
   * @throws {Error} If it could not be sent: the message must not be deleted.
   */
  async send(
    message: ReceivedMessage,
    error: unknown,
    maxBytes = MAX_BYTES,
  ): Promise<void> {
    const hops = hopsOf(message.attributes);
    if (hops >= MAX_HOPS) {
      throw new Error(
        `it was sent to failures queues ${hops} times already. Let no container send failed messages back to their queue`,
      );
    }
    // The reason of an earlier failure gives way to this one.
    const { [FAILURE_ATTRIBUTE]: _former, ...attributes } = message.attributes;
    const withReason = this.#withReason(message, attributes, error, maxBytes);
    try {
      await this.#request(message, withReason ?? attributes);
    } catch (refusal) {
      const limit = sizeLimit(messageOf(refusal));
      if (
        withReason === undefined || limit === undefined ||
        messageBytes(message.body, attributes) > limit
      ) throw refusal;
      // Only a refusal shows the queue's own limit. If it refuses again, the
      // limit leaves no room for a reason.
      const room = limit < maxBytes ? limit : 0;
      return await this.send(message, error, room);
    }
    if (withReason !== undefined) return;
    const { logger, source } = this.#options;
    logJobs(logger, "warn", {
      what:
        "Sent a failed message to its queue without its reason, as there is no room",
      ...{ queue: source, jobs: [message] },
    });
  }

  async #request(
    { body, messageId, groupId }: ReceivedMessage,
    attributes: WireAttributes,
  ): Promise<void> {
    const { connection, url, fifo, source } = this.#options;
    const [result] = await connection.send(url, [{
      body,
      attributes,
      ...(fifo || groupId !== undefined ? { groupId: groupId ?? source } : {}),
      // Its own id: equal jobs that fail must not be taken for one.
      ...(fifo ? { deduplicationId: messageId } : {}),
    }]);
    if (result!.ok) return;
    const { code, message } = result!.failure;
    throw new Error(`${code}: ${message}`);
  }

  #withReason(
    message: ReceivedMessage,
    attributes: WireAttributes,
    error: unknown,
    maxBytes: number,
  ): WireAttributes | undefined {
    if (Object.keys(attributes).length >= MAX_ATTRIBUTES) return undefined;
    const withValue = (value: string) => ({
      ...attributes,
      [FAILURE_ATTRIBUTE]: { type: "String", value },
    });
    const room = maxBytes - messageBytes(message.body, withValue(""));
    const length = Math.min(MAX_REASON_BYTES, room);
    const { source, now } = this.#options;
    const text = reasonText(
      {
        queue: source,
        messageId: message.messageId,
        receiveCount: message.receiveCount,
        hops: hopsOf(message.attributes) + 1,
        time: new Date(now()).toISOString(),
        ...(message.unreadable === undefined ? {} : { unreadable: true }),
      },
      error,
      length,
    );
    return text === undefined ? undefined : withValue(text);
  }
}
