/**
 * The facts about a failed message: its error, source and age.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { fromWire } from "../message/attributes.ts";
import { AS_JOBS, bodyText, readMessage } from "../message/reading.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import {
  FAILURE_ATTRIBUTE,
  type FailureReason,
  readReason,
} from "../message/failure_reason.ts";
import { isoTime } from "../text.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";

/** Its error, such as `TypeError: x is missing`, if its reason is known. */
export function errorOf({ attributes }: ReceivedMessage): string | undefined {
  const reason = readReason(attributes);
  return reason === undefined
    ? undefined
    : `${reason.error}: ${reason.message}`;
}

/** Whether a message has an id, here or in the queue that it failed in. */
export function isMessage(message: ReceivedMessage, id: string): boolean {
  return message.messageId === id ||
    readReason(message.attributes)?.messageId === id;
}

/** Its body on one line. Base64 is decoded if it holds a job: text may look so. */
export function bodyOf(message: ReceivedMessage): string {
  try {
    readMessage(message, AS_JOBS);
    return bodyText(message.body);
  } catch {
    return bodyText(message.body, { body: "json" });
  }
}

/** The message as JSON shows it; unknown values are `null`. */
export function describeMessage(
  message: ReceivedMessage,
  nowMs: number,
): Record<string, unknown> {
  const { sentAtMs } = message;
  const reason = readReason(message.attributes);
  const failedMs = failedAtMs(message);
  const { [FAILURE_ATTRIBUTE]: _reason, ...attributes } = fromWire(
    message.attributes,
  );
  return {
    messageId: message.messageId,
    from: sourceName(message) ?? null,
    fromMessageId: reason?.messageId ?? null,
    error: reason?.error ?? null,
    message: reason?.message ?? null,
    stack: reason?.stack ?? null,
    receiveCount: countOf(reason?.receiveCount) ??
      countOf(message.receiveCount) ?? null,
    failedAt: isoTime(timeOf(reason)) ?? null,
    sentAt: (sentAtMs && isoTime(sentAtMs)) || null,
    ageSeconds: failedMs === undefined
      ? null
      : Math.max(0, Math.round((nowMs - failedMs) / 1000)),
    groupId: message.groupId ?? null,
    body: message.body,
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [
        name,
        value instanceof Uint8Array
          ? Buffer.from(value).toString("base64")
          : value,
      ]),
    ),
  };
}

/** The queue that it came from; SQS's own word wins over the reason's. */
export function sourceName(
  { attributes, deadLetterSource }: ReceivedMessage,
): string | undefined {
  return parseQueueRef(deadLetterSource ?? "")?.name ??
    readReason(attributes)?.queue;
}

/**
 * The time of its failure, or of its sending if its reason is unknown, in
 * milliseconds since the epoch; `undefined` if the server gives neither.
 */
export function failedAtMs(
  { attributes, sentAtMs }: ReceivedMessage,
): number | undefined {
  const ms = timeOf(readReason(attributes)) ?? (sentAtMs || undefined);
  return isoTime(ms) === undefined ? undefined : ms;
}

/** When a message failed, as its reason says, if that is a time. */
function timeOf(reason: FailureReason | undefined): number | undefined {
  const ms = Date.parse(reason?.time ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}

/** A receive count, if it can be one. */
function countOf(value: number | undefined): number | undefined {
  return Number.isSafeInteger(value) && value! >= 0 ? value : undefined;
}
