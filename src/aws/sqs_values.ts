/**
 * Converts between the SDK's values and this package's: attributes and batch
 * results.
 *
 * @module
 */

import type {
  BatchResultErrorEntry,
  MessageAttributeValue,
  SendMessageBatchResultEntry,
} from "@aws-sdk/client-sqs";
import {
  type EntryResult,
  type QueueAttributes,
  type Sent,
  UNANSWERED,
  type WireAttribute,
} from "../sqs/connection.ts";
import { isSendersFault, plainCode, withKeyAccess } from "./sqs_error.ts";

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
    const { Id, Code = "Unknown", Message = "no message" } = entry;
    results[Number(Id)] = {
      ok: false,
      failure: {
        code: plainCode(Code),
        message: withKeyAccess(Code, "SendMessage", Message),
        senderFault: isSendersFault(entry.SenderFault, Code),
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

/** An attribute as the SDK takes it. */
export function toSdk({ type, value }: WireAttribute): MessageAttributeValue {
  return typeof value === "string"
    ? { DataType: type, StringValue: value }
    : { DataType: type, BinaryValue: value };
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
    /^\d+$/.test(text ?? "") ? { [key]: Number(text) } : {};
  return {
    ...count("visibilityTimeoutSeconds", attributes.VisibilityTimeout),
    ...count("messageRetentionSeconds", attributes.MessageRetentionPeriod),
    ...count("delaySeconds", attributes.DelaySeconds),
    ...count("maximumMessageSize", attributes.MaximumMessageSize),
    ...count("visible", attributes.ApproximateNumberOfMessages),
    ...count("inFlight", attributes.ApproximateNumberOfMessagesNotVisible),
    ...count("delayed", attributes.ApproximateNumberOfMessagesDelayed),
    ...redrive(attributes.RedrivePolicy),
  };
}

/** Reads a queue's redrive policy, which is JSON. */
function redrive(policy: string | undefined): Pick<QueueAttributes, "redrive"> {
  let parsed: Record<string, unknown>;
  try {
    parsed = Object(JSON.parse(policy ?? "null"));
  } catch {
    return {};
  }
  const { deadLetterTargetArn: deadLetterQueue } = parsed;
  const maxReceiveCount = Number(parsed.maxReceiveCount);
  return typeof deadLetterQueue === "string" && maxReceiveCount > 0
    ? { redrive: { deadLetterQueue, maxReceiveCount } }
    : {};
}
