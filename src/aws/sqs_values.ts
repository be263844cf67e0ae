/**
 * Converts between the SDK's values and this package's: messages, attributes,
 * batch results, errors.
 *
 * @module
 */

import type {
  BatchResultErrorEntry,
  Message,
  MessageAttributeValue,
  SendMessageBatchResultEntry,
} from "@aws-sdk/client-sqs";
import { isNotCapable, SqsError } from "../errors.ts";
import {
  type EntryResult,
  type QueueAttributes,
  type ReceivedMessage,
  type Sent,
  UNANSWERED,
  type WireAttribute,
  type WireAttributes,
} from "../sqs/connection.ts";

/** The result of a delete or visibility change that succeeded. */
export const SETTLED: EntryResult = { ok: true, value: undefined };

/** The results of a batch, in the order of its entries. */
export function byPosition<S extends { Id?: string | undefined }, T>(
  length: number,
  output: {
    Successful?: S[] | undefined;
    Failed?: BatchResultErrorEntry[] | undefined;
  },
  read: (entry: S) => EntryResult<T>,
): EntryResult<T>[] {
  const results: EntryResult<T>[] = Array.from({ length }, () => UNANSWERED);
  for (const entry of output.Successful ?? []) {
    results[Number(entry.Id)] = read(entry);
  }
  for (const entry of output.Failed ?? []) {
    results[Number(entry.Id)] = {
      ok: false,
      failure: {
        code: plainCode(entry.Code ?? "Unknown"),
        message: entry.Message ?? "no message",
        senderFault: isSendersFault(entry.SenderFault, entry.Code),
      },
    };
  }
  return results;
}

/** The result of a message that SQS accepted. */
export function sent(entry: SendMessageBatchResultEntry): EntryResult<Sent> {
  return {
    ok: true,
    value: {
      messageId: entry.MessageId!,
      ...(entry.SequenceNumber === undefined
        ? {}
        : { sequenceNumber: entry.SequenceNumber }),
    },
  };
}

/** The attributes of most messages. */
const NONE: WireAttributes = Object.freeze({});

/** A received message. */
export function received(message: Message): ReceivedMessage {
  const system = message.Attributes ?? {};
  return {
    messageId: message.MessageId!,
    receiptHandle: message.ReceiptHandle!,
    body: message.Body ?? "",
    attributes: message.MessageAttributes === undefined
      ? NONE
      : mapValues(message.MessageAttributes, fromSdk),
    receiveCount: Number(system.ApproximateReceiveCount ?? 1),
    sentAtMs: Number(system.SentTimestamp ?? 0),
    ...(system.MessageGroupId === undefined
      ? {}
      : { groupId: system.MessageGroupId }),
    ...(system.MessageDeduplicationId === undefined
      ? {}
      : { deduplicationId: system.MessageDeduplicationId }),
    ...(system.DeadLetterQueueSourceArn === undefined
      ? {}
      : { deadLetterSource: system.DeadLetterQueueSourceArn }),
  };
}

/** An attribute as the SDK takes it. */
export function toSdk({ type, value }: WireAttribute): MessageAttributeValue {
  return typeof value === "string"
    ? { DataType: type, StringValue: value }
    : { DataType: type, BinaryValue: value };
}

function fromSdk(attribute: MessageAttributeValue): WireAttribute {
  return {
    type: attribute.DataType ?? "String",
    value: attribute.BinaryValue ?? attribute.StringValue ?? "",
  };
}

/** A record with the same keys and other values. */
export function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  map: (value: A) => B,
): Record<string, B> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, map(value)]),
  );
}

/** A queue's attributes. */
export function queueAttributes(
  attributes: Readonly<Record<string, string | undefined>> = {},
): QueueAttributes {
  const count = (key: keyof QueueAttributes, text: string | undefined) =>
    text === undefined ? {} : { [key]: Number(text) };
  return {
    ...count("visibilityTimeoutSeconds", attributes.VisibilityTimeout),
    ...count("visible", attributes.ApproximateNumberOfMessages),
    ...count("inFlight", attributes.ApproximateNumberOfMessagesNotVisible),
    ...count("delayed", attributes.ApproximateNumberOfMessagesDelayed),
    ...redrive(attributes.RedrivePolicy),
  };
}

/** Reads a queue's redrive policy, which is JSON. */
function redrive(policy: string | undefined): Pick<QueueAttributes, "redrive"> {
  if (!policy) return {};
  const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(policy);
  return {
    redrive: {
      deadLetterQueue: deadLetterTargetArn,
      maxReceiveCount: Number(maxReceiveCount),
    },
  };
}

/** Removes the namespace of an error code, which differs between servers. */
function plainCode(code: string): string {
  const plain = code.split(/[.#]/).at(-1)!;
  if (plain === "NonExistentQueue") return "QueueDoesNotExist";
  if (plain.startsWith("AccessDenied")) return "AccessDenied";
  return plain;
}

/** An error of the SDK as an `SqsError` that names the failed call. */
export function sqsError(operation: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof SqsError || isNotCapable(error)) return error;
  const { code, errors, $fault, $metadata } = error as Error & {
    code?: string;
    errors?: readonly Error[];
    $fault?: string;
    $metadata?: { httpStatusCode?: number };
  };
  // If every address of a host refuses the connection, Node throws an
  // AggregateError without a message. The SDK's lines after the first are hints
  // for programmers.
  const reason = error.message.split("\n")[0] ||
    (errors ?? []).map((each) => each.message).join(", ") || error.name;
  const message = reason === "UnknownError"
    ? `the server's answer is not an SQS answer (HTTP status ${$metadata?.httpStatusCode})`
    : reason;
  return new SqsError(`${operation} failed: ${message}`, {
    code: plainCode(
      $fault === undefined ? (code ?? error.name) : error.name,
    ),
    senderFault: isSendersFault($fault === "client", error.name),
    cause: error,
  });
}

/** SQS calls throttling the sender's fault, although a retry may help. */
function isSendersFault(
  isClients: boolean | undefined,
  code: string | undefined,
): boolean {
  return isClients === true && !/Throttl|TooManyRequests/.test(code ?? "");
}
