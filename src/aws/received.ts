/**
 * Reads the messages of a receive, each by itself: a malformed one must not stop
 * the others.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import {
  type ReceivedMessage,
  unreadableAttribute,
  type WireAttribute,
  type WireAttributes,
} from "../sqs/connection.ts";
import { quote } from "../text.ts";

/** An object of JSON. */
type Members = { readonly [Name in string]?: unknown };

/** The attributes of most messages. */
const NONE: WireAttributes = Object.freeze({});

/**
 * Reads the messages that can be settled.
 *
 * @param messages The messages as JSON.
 * @param onLeft Called with the reason for each message that cannot be settled,
 * or differs from the sent one: it stays in the queue.
 */
export function received(
  messages: readonly unknown[],
  onLeft: (problem: string) => void = () => {},
): ReceivedMessage[] {
  return messages.flatMap((json) => {
    const members: Members = Object(json);
    const problem = problemOf(members);
    if (problem === undefined) return [readMessage(members)];
    onLeft(problem);
    return [];
  });
}

/** Why a message must be left in the queue. */
function problemOf(
  { MessageId: id, ReceiptHandle: handle, Body: body, MD5OfBody: md5 }: Members,
): string | undefined {
  if (!isText(id)) return "a message has no id";
  if (!isText(handle)) return `message ${id} has no receipt handle`;
  if (typeof body !== "string" || typeof md5 !== "string") return undefined;
  return hash("md5", body) === md5
    ? undefined
    : `the body of message ${id} is not what SQS hashed`;
}

function readMessage(members: Members): ReceivedMessage {
  const { MessageId, ReceiptHandle, Body, MessageAttributes } = members;
  const system: Members = Object(members.Attributes);
  const { attributes, problem } = readAttributes(MessageAttributes);
  const unreadable = typeof Body === "string" ? problem : "it has no body";
  return {
    messageId: MessageId as string,
    receiptHandle: ReceiptHandle as string,
    body: typeof Body === "string" ? Body : "",
    attributes,
    receiveCount: numberOf(system.ApproximateReceiveCount) || 1,
    sentAtMs: numberOf(system.SentTimestamp),
    ...optional("groupId", system.MessageGroupId),
    ...optional("deduplicationId", system.MessageDeduplicationId),
    ...optional("deadLetterSource", system.DeadLetterQueueSourceArn),
    ...optional("unreadable", unreadable),
  };
}

/** The attributes that can be read, and the problem of the others. */
function readAttributes(
  json: unknown,
): { attributes: WireAttributes; problem?: string | undefined } {
  if (json === undefined || json === null) return { attributes: NONE };
  const entries: [name: string, attribute: WireAttribute][] = [];
  let problem = typeof json === "object"
    ? unreadableAttribute(json)
    : "its attributes are not an object";
  for (const [name, value] of Object.entries(json)) {
    const attribute = readAttribute(Object(value));
    if (name === "__proto__") continue;
    if (attribute !== undefined) entries.push([name, attribute]);
    else problem ??= `its attribute ${quote(name.slice(0, 256))} is malformed`;
  }
  return { attributes: Object.fromEntries(entries), problem };
}

function readAttribute(
  { DataType: type, StringValue: text, BinaryValue: bytes }: Members,
): WireAttribute | undefined {
  const value = bytes ?? text;
  if (!isText(type) || typeof value !== "string") return undefined;
  if (value === text) return { type, value };
  // Node skips characters that are not Base64.
  const decoded = Buffer.from(value, "base64");
  return decoded.toString("base64") === value
    ? { type, value: new Uint8Array(decoded) }
    : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function numberOf(text: unknown): number {
  return Number.isSafeInteger(Number(text)) ? Number(text) : 0;
}

function optional<K extends string>(
  key: K,
  value: unknown,
): { [Key in K]?: string } {
  return isText(value) ? { [key]: value } as { [Key in K]?: string } : {};
}
