/**
 * A failed message as the command line shows it.
 *
 * @module
 */

import { fromWire } from "../message/attributes.ts";
import type { Io } from "../cli/command.ts";
import { counted, paint } from "../cli/screen.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import { FAILURE_ATTRIBUTE, readReason } from "../engine/failure_queue.ts";
import { printable } from "../config/ini.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { bodyText } from "../message/body.ts";

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

/**
 * It in a line: with its id first in a pipe; on a terminal without, and cut to
 * the width.
 */
export function messageLine(
  message: ReceivedMessage,
  nowMs: number,
  io: Io,
): string {
  const error = errorOf(message) ??
    `received ${counted(message.receiveCount, "time")}`;
  const parts = [
    age(nowMs - failedAtMs(message)).padStart(6),
    sourceName(message) ?? "-",
    error,
    bodyText(message.body),
  ].map(printable);
  if (!io.screen.stdout) return [message.messageId, ...parts].join("  ");
  let room = io.screen.columns;
  return parts.map((part, i) => {
    const text = i === 0 ? part : `  ${part}`;
    const cut = text.length <= room
      ? text
      : text.slice(0, Math.max(0, room - 1)) + (room > 0 ? "…" : "");
    room -= cut.length;
    return paint(cut, STYLES[i]!, io);
  }).join("");
}

const STYLES = ["dim", "bold", "red", "plain"] as const;

/** The name of the queue that it came from. */
function sourceName(
  { attributes, deadLetterSource }: ReceivedMessage,
): string | undefined {
  return readReason(attributes)?.queue ??
    parseQueueRef(deadLetterSource ?? "")?.name;
}

/** When it failed: that of SQS's own dead letters is not known. */
function failedAtMs({ attributes, sentAtMs }: ReceivedMessage): number {
  const time = Date.parse(readReason(attributes)?.time ?? "");
  return Number.isNaN(time) ? sentAtMs : time;
}

function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
