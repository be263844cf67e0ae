/**
 * A failed message as the command line shows it.
 *
 * @module
 */

import { fromWire } from "../message/attributes.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import { FAILURE_ATTRIBUTE, readReason } from "../engine/failure_queue.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";

/** What its reason says, where it carries one: `TypeError: x is missing`. */
export function errorOf({ attributes }: ReceivedMessage): string | undefined {
  const reason = readReason(attributes);
  return reason === undefined
    ? undefined
    : `${reason.error}: ${reason.message}`;
}

/** All that is known of it, for JSON. */
export function describeMessage(
  message: ReceivedMessage,
  nowMs: number,
): Record<string, unknown> {
  const reason = readReason(message.attributes);
  const { [FAILURE_ATTRIBUTE]: _reason, ...attributes } = fromWire(
    message.attributes,
  );
  return {
    messageId: message.messageId,
    from: sourceName(message) ?? null,
    fromMessageId: reason?.messageId ?? null,
    error: reason?.error ?? null,
    message: reason?.message ?? null,
    receiveCount: reason?.receiveCount ?? message.receiveCount,
    failedAt: reason?.time ?? null,
    sentAt: new Date(message.sentAtMs).toISOString(),
    ageSeconds: Math.max(0, Math.round((nowMs - failedAtMs(message)) / 1000)),
    groupId: message.groupId ?? null,
    body: message.body,
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [
        name,
        value instanceof Uint8Array ? value.toBase64() : value,
      ]),
    ),
  };
}

/** The name of the queue that it came from. */
export function sourceName(
  { attributes, deadLetterSource }: ReceivedMessage,
): string | undefined {
  return readReason(attributes)?.queue ??
    parseQueueRef(deadLetterSource ?? "")?.name;
}

/** When it failed: that of SQS's own dead letters is not known. */
export function failedAtMs({ attributes, sentAtMs }: ReceivedMessage): number {
  const time = Date.parse(readReason(attributes)?.time ?? "");
  return Number.isNaN(time) ? sentAtMs : time;
}
