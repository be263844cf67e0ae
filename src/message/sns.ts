/**
 * Notifications as SNS writes them to a queue without raw message delivery.
 *
 * Their signatures are not checked: the queue's policy decides who may send.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { cut } from "../logging/value_text.ts";
import type { WireAttribute } from "../sqs/connection.ts";
import { quote } from "../text.ts";
import { type Attributes, fromWire } from "./attributes.ts";
import { isRecord, parsed } from "./body.ts";

/** The SNS notification that brought a job, without its message. */
export interface SnsNotification {
  /** The topic's ARN. */
  readonly topicArn: string;
  /** SNS's id of the notification, the same for every subscriber. */
  readonly messageId: string;
  /** The subject, if the publisher gave one. */
  readonly subject: string | undefined;
  /** When it was published, in milliseconds since the Unix epoch. */
  readonly timestampMs: number | undefined;
  /** The message attributes that the publisher gave. */
  readonly attributes: Attributes;
}

/** An opened notification. */
export interface Envelope {
  /** Its `Message`. */
  readonly text: string;
  readonly notification: SnsNotification;
}

/** The types of what SNS writes, and their names in messages. */
const TYPES = [
  "Notification",
  "SubscriptionConfirmation",
  "UnsubscribeConfirmation",
] as const;

/** A topic's ARN has at most 350 characters; anybody may have written more. */
const MAX_TOPIC_LENGTH = 400;

/** The type of a message that SNS wrote, known by its fields. */
export function snsType(
  { Type, TopicArn, MessageId, Message }: Readonly<Record<string, unknown>>,
): typeof TYPES[number] | undefined {
  const areTexts = [TopicArn, MessageId, Message]
    .every((field) => typeof field === "string");
  return areTexts ? TYPES.find((type) => type === Type) : undefined;
}

/**
 * Opens a notification.
 *
 * @throws {TypeError} If the body is none.
 */
export function openEnvelope(body: string): Envelope {
  const value = parsed(body);
  const fields = isRecord(value) ? value : {};
  const type = snsType(fields);
  if (type === undefined) {
    throw new TypeError(
      "Cannot read message body: it is not an SNS notification; remove envelope = sns if the subscription has raw message delivery",
    );
  }
  const { TopicArn, MessageId, Message } = fields as Record<string, string>;
  if (type !== "Notification") {
    throw new TypeError(
      `Cannot read message body: it is a ${type} of SNS topic ${
        quote(cut(TopicArn!, MAX_TOPIC_LENGTH))
      }; confirm it with SNS, as zsqs never does`,
    );
  }
  const { Subject, Timestamp, MessageAttributes } = fields;
  const timestampMs = typeof Timestamp === "string"
    ? Date.parse(Timestamp)
    : NaN;
  return {
    text: Message!,
    notification: {
      topicArn: TopicArn!,
      messageId: MessageId!,
      subject: typeof Subject === "string" ? Subject : undefined,
      timestampMs: Number.isNaN(timestampMs) ? undefined : timestampMs,
      attributes: attributesOf(MessageAttributes),
    },
  };
}

/** The attributes that have a type and a value. */
function attributesOf(given: unknown): Attributes {
  if (!isRecord(given)) return {};
  return fromWire(Object.fromEntries(
    Object.entries(given).flatMap(([name, attribute]) => {
      const wire = wireAttribute(attribute);
      return wire === undefined ? [] : [[name, wire]];
    }),
  ));
}

function wireAttribute(attribute: unknown): WireAttribute | undefined {
  if (!isRecord(attribute)) return undefined;
  const { Type: type, Value: value } = attribute;
  if (typeof type !== "string" || typeof value !== "string") return undefined;
  return type === "Binary"
    ? { type, value: new Uint8Array(Buffer.from(value, "base64")) }
    : { type, value };
}
