/**
 * The events of an SQS trigger: each record becomes a message, as if it had been
 * received.
 *
 * @module
 */

import { received } from "../aws/received.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import { printable, show } from "../text.ts";

/** The event of an SQS trigger. */
export interface SqsEvent {
  /** The messages that Lambda received, all of one queue. */
  readonly Records: readonly SqsRecord[];
}

/** A message, as Lambda puts it into an event. */
export interface SqsRecord {
  /** SQS's id of the message. */
  readonly messageId: string;
  /** Names this receive of the message. */
  readonly receiptHandle: string;
  /** The message's body. */
  readonly body: string;
  /** What SQS knows of the message. */
  readonly attributes: SqsRecordAttributes;
  /** The attributes that the sender gave. */
  readonly messageAttributes: {
    readonly [name: string]: SqsRecordAttribute;
  };
  /** The ARN of the queue. */
  readonly eventSourceARN: string;
}

/** What SQS knows of a message. */
export interface SqsRecordAttributes {
  /** How often the message has been received. */
  readonly ApproximateReceiveCount: string;
  /** When it was sent, in milliseconds since the Unix epoch. */
  readonly SentTimestamp: string;
  /** Its group, on FIFO queues and where the sender gave one. */
  readonly MessageGroupId?: string | undefined;
}

/** A message attribute in an event. */
export interface SqsRecordAttribute {
  /** `String`, `Number` or `Binary`; a custom label may follow. */
  readonly dataType: string;
  /** The value of a string or number. */
  readonly stringValue?: string | undefined;
  /** The value of binary data, in Base64. */
  readonly binaryValue?: string | undefined;
}

/** What the function returns to Lambda. */
export interface SqsBatchResponse {
  /** The messages that return to the queue; Lambda deletes all others. */
  batchItemFailures: { itemIdentifier: string }[];
}

/** What Lambda tells a function of its invocation, as far as zsqs uses it. */
export interface LambdaContext {
  /** The milliseconds until Lambda ends the invocation. */
  getRemainingTimeInMillis(): number;
}

/** A record of an event. */
export interface SourceRecord {
  /** By which Lambda knows it; empty if it has none. */
  readonly id: string;
  readonly queueArn: string;
  /** The receipt handle, if there is one. */
  readonly receiptHandle: string | undefined;
  /** The message; its receipt handle is the record's position in the event. */
  readonly message: ReceivedMessage;
}

type Members = { readonly [Name in string]?: unknown };

/**
 * Reads an event. A malformed record does not stop the others: its job is bad
 * input.
 *
 * @throws {TypeError} If the event does not come from SQS.
 */
export function readEvent(event: unknown): SourceRecord[] {
  const { Records: records } = Object(event) as Members;
  if (!Array.isArray(records)) {
    throw new TypeError(
      `Cannot run jobs as the event is not from SQS: wanted { Records: [...] }, not ${
        show(event)
      }`,
    );
  }
  const sources = records.map((record) => {
    const { eventSource, EventSource } = Object(record) as Members;
    return eventSource ?? EventSource;
  });
  if (sources.length > 0 && sources.every(isOther)) {
    throw new TypeError(
      `Cannot run jobs as the event is from ${
        show(sources[0])
      }, not from SQS: give the function an SQS queue as its trigger`,
    );
  }
  return records.map((record, position) => readRecord(record, position));
}

function isOther(source: unknown): boolean {
  return typeof source === "string" && source !== "aws:sqs";
}

function readRecord(record: unknown, position: number): SourceRecord {
  const members = Object(record) as Members;
  const id = textOf(members.messageId);
  const [message] = received([{
    // Logs need one, and no two records may be taken for one message.
    MessageId: printable(id ?? `unknown-${crypto.randomUUID()}`),
    ReceiptHandle: String(position),
    Body: members.body,
    Attributes: members.attributes,
    MessageAttributes: attributesOf(members.messageAttributes),
  }]);
  return {
    id: id ?? "",
    queueArn: printable(textOf(members.eventSourceARN) ?? ""),
    receiptHandle: textOf(members.receiptHandle),
    message: id === undefined
      ? { ...message!, unreadable: "its record has no messageId" }
      : message!,
  };
}

/** Message attributes with the names that SQS has for their members. */
function attributesOf(attributes: unknown): unknown {
  if (typeof attributes !== "object" || attributes === null) return attributes;
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => {
      const { dataType, stringValue, binaryValue } = Object(attribute);
      const sdk = { StringValue: stringValue, BinaryValue: binaryValue };
      return [name, { DataType: dataType, ...sdk }];
    }),
  );
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
