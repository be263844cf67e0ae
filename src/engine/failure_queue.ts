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
import { nameJobs } from "../job/runner.ts";
import { jsonString } from "../message/strict_json.ts";
import { nameAndMessage } from "../logging/error_data.ts";
import type { Logger } from "../logging/loggers.ts";

/** The message attribute that holds the reason. */
export const FAILURE_ATTRIBUTE = "zsqs.failure";

/** The longest reason, in bytes: it is ASCII. */
const MAX_REASON_BYTES = 1024;

/** Where failed messages go. */
export interface FailureQueueOptions {
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
    this.#options.logger.warn(
      `Sent a failed message to its queue without its reason, as its attributes and size leave no room: ${
        nameJobs(this.#options.source, message)
      }`,
    );
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
    const text = this.#reason(message, error, length);
    return text === undefined ? undefined : withValue(text);
  }

  /** The reason as ASCII JSON, the error's message shortened until it fits. */
  #reason(message: ReceivedMessage, error: unknown, maxBytes: number) {
    const { source: queue, now } = this.#options;
    const { messageId, receiveCount } = message;
    const time = new Date(now()).toISOString();
    const described = nameAndMessage(error);
    const name = described.name.slice(0, 100);
    let { message: text } = described;
    for (;;) {
      const json = asciiJson(
        { queue, messageId, error: name, message: text, receiveCount, time },
      );
      if (json.length <= maxBytes) return json;
      if (text === "") return undefined;
      const over = json.length - maxBytes;
      text = text.slice(0, Math.max(0, text.length - Math.ceil(over / 6) - 1));
    }
  }
}

/** The reason that a failed message carries. */
export interface FailureReason {
  /** The name of the queue that it came from. */
  readonly queue: string;
  /** Its id there. */
  readonly messageId: string;
  /** The error's name. */
  readonly error: string;
  readonly message: string;
  readonly receiveCount: number;
  readonly time: string;
}

/** Reads the reason of a failed message; anybody may have written it. */
export function readReason(
  attributes: WireAttributes,
): FailureReason | undefined {
  const { value } = attributes[FAILURE_ATTRIBUTE] ?? {};
  let reason: Record<string, unknown>;
  try {
    reason = Object(JSON.parse(String(value)));
  } catch {
    return undefined;
  }
  const { queue, messageId, error, message, receiveCount, time } = reason;
  const texts = [queue, messageId, error, message, time];
  return texts.every((text) => typeof text === "string") &&
      typeof receiveCount === "number"
    ? reason as unknown as FailureReason
    : undefined;
}

function asciiJson(value: Readonly<Record<string, string | number>>): string {
  const members = Object.entries(value).map(([key, member]) =>
    `${jsonString(key)}:${
      typeof member === "string" ? jsonString(member) : member
    }`
  );
  return `{${members.join(",")}}`.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
