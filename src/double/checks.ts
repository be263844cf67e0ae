/**
 * The calls, batches and messages that SQS refuses, and its words for it.
 *
 * @module
 */

import { SqsError } from "../errors.ts";
import {
  FORBIDDEN,
  isAttributeName,
  messageBytes,
} from "../message/attributes.ts";
import {
  type EntryResult,
  MAX_ATTRIBUTES,
  MAX_BATCH,
  MAX_BYTES,
  MAX_DELAY_SECONDS,
  MAX_VISIBILITY_SECONDS,
  MAX_WAIT_SECONDS,
  type OutgoingMessage,
  type ReceiveOptions,
  type WireAttribute,
  type WireAttributes,
} from "../sqs/connection.ts";
import type { QueueSettings } from "./queue_settings.ts";

/** The result of a refused entry. */
export type Refusal = Extract<EntryResult, { ok: false }>;

/** SQS never issued the receipt handle. */
export const INVALID_HANDLE: Refusal = refusal(
  "ReceiptHandleIsInvalid",
  "The specified receipt handle isn't valid.",
);

/** The lease of a FIFO queue's receipt handle has ended. */
export const EXPIRED_HANDLE: Refusal = invalid(
  "The value for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
);

/** The message is visible, deleted, or received again. */
export const NOT_IN_FLIGHT: Refusal = refusal(
  "MessageNotInflight",
  "The specified message isn't in flight.",
);

/** The message would stay hidden for more than 12 hours after its receive. */
export const BEYOND_MAX_VISIBILITY: Refusal = invalid(
  `Total VisibilityTimeout for the message is beyond the limit [${MAX_VISIBILITY_SECONDS} seconds]`,
);

/** Why SQS refuses a visibility timeout in itself, or `undefined`. */
export function visibilityRefusal(seconds?: number): Refusal | undefined {
  return rangeRefusal("VisibilityTimeout", seconds, 0, MAX_VISIBILITY_SECONDS);
}

/** Checks a receive's parameters (SQS, "ReceiveMessage"). */
export function checkReceive(options: ReceiveOptions): void {
  const { maxMessages: max, waitTimeSeconds: wait } = options;
  const wrong = rangeRefusal("MaxNumberOfMessages", max, 1, MAX_BATCH) ??
    rangeRefusal("WaitTimeSeconds", wait, 0, MAX_WAIT_SECONDS) ??
    visibilityRefusal(options.visibilityTimeoutSeconds);
  if (wrong) throw new SqsError(wrong.failure.message, wrong.failure);
}

/** Checks how many entries a batch has. */
export function checkBatch({ length }: readonly unknown[]): void {
  if (length === 0) {
    throw callError("EmptyBatchRequest", "There should be at least one entry.");
  }
  if (length > MAX_BATCH) {
    throw callError(
      "TooManyEntriesInBatchRequest",
      `Maximum number of entries per request are ${MAX_BATCH}. You have sent ${length}.`,
    );
  }
}

/** Checks the size of a batch of messages, attributes included. */
export function checkSize(messages: readonly OutgoingMessage[]): void {
  let bytes = 0;
  for (const { body, attributes } of messages) {
    bytes += messageBytes(body, attributes);
  }
  if (bytes <= MAX_BYTES) return;
  throw callError(
    "BatchRequestTooLong",
    `Batch requests cannot be longer than ${MAX_BYTES} bytes. You have sent ${bytes} bytes.`,
  );
}

/** The refusal of a call as a whole. */
export function callError(code: string, message: string): SqsError {
  return new SqsError(message, { code, senderFault: true });
}

/** The refusal of a call that SQS takes later. */
export function throttled(
  operation: string,
  code = "RequestThrottled",
): SqsError {
  return new SqsError(
    `${operation} failed: The request was denied due to request throttling.`,
    { code, senderFault: false },
  );
}

/** The refusal of a short poll when no more messages may be in flight. */
export function overLimit(most: number): SqsError {
  return callError(
    "OverLimit",
    `ReceiveMessage failed: the maximum number of in flight messages, ${most}, is reached.`,
  );
}

/** Why SQS refuses a message, or `undefined` if it takes the message. */
export function refusalOf(
  message: OutgoingMessage,
  { fifo, settings }: {
    readonly fifo: boolean;
    readonly settings: QueueSettings;
  },
): Refusal | undefined {
  const { body, attributes, delaySeconds, groupId, deduplicationId } = message;
  if (body === "") return missing("MessageBody");
  if (FORBIDDEN.test(body)) {
    return refusal(
      "InvalidMessageContents",
      "Invalid characters in the message body",
    );
  }
  const { maximumMessageSize: max } = settings;
  if (messageBytes(body, attributes) > max) {
    return invalid(
      `One or more parameters are invalid. Reason: Message must be shorter than ${max} bytes.`,
    );
  }
  const wrong = attributesRefusal(attributes) ??
    (fifo
      ? refusalForType("DelaySeconds", delaySeconds)
      : rangeRefusal("DelaySeconds", delaySeconds, 0, MAX_DELAY_SECONDS)) ??
    idRefusal("MessageGroupId", groupId) ??
    idRefusal("MessageDeduplicationId", deduplicationId);
  if (wrong !== undefined) return wrong;
  if (!fifo) return refusalForType("MessageDeduplicationId", deduplicationId);
  if (groupId === undefined) return missing("MessageGroupId");
  if (deduplicationId === undefined && !settings.contentBasedDeduplication) {
    return invalid(
      "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    );
  }
}

function attributesRefusal(
  attributes: WireAttributes,
): Refusal | undefined {
  const entries = Object.entries(attributes);
  if (entries.length > MAX_ATTRIBUTES) {
    return invalid(
      `Number of message attributes [${entries.length}] exceeds the allowed maximum [${MAX_ATTRIBUTES}].`,
    );
  }
  for (const [name, attribute] of entries) {
    const reason = isAttributeName(name)
      ? attributeProblem(attribute)
      : "its name is not valid";
    if (reason !== undefined) {
      return invalid(`The message attribute '${name}' is invalid: ${reason}.`);
    }
  }
}

function attributeProblem({ type, value }: WireAttribute): string | undefined {
  const kind = /^(String|Number|Binary)(?:\..+)?$/.exec(type)?.[1];
  if (kind === undefined || type.length > 256) {
    return `the type '${type}' must start with Binary, Number or String`;
  }
  if (value.length === 0) return "it must contain a non-empty value";
  if ((typeof value === "string") === (kind === "Binary")) {
    return `its value is not of the type '${type}'`;
  }
  if (typeof value !== "string") return undefined;
  if (FORBIDDEN.test(value)) return "it contains invalid characters";
  if (kind === "String") return undefined;
  const isNumber = value.trim() !== "" && Number.isFinite(Number(value));
  return isNumber ? undefined : "it cannot be cast to a number";
}

function refusal(code: string, message: string): Refusal {
  return { ok: false, failure: { code, message, senderFault: true } };
}

function invalid(message: string): Refusal {
  return refusal("InvalidParameterValue", message);
}

/** A parameter's value is invalid. */
function invalidValue(
  name: string,
  value: unknown,
  reason: string,
): Refusal {
  return invalid(
    `Value ${value} for parameter ${name} is invalid. Reason: ${reason}`,
  );
}

function rangeRefusal(
  name: string,
  value: number | undefined,
  from: number,
  to: number,
): Refusal | undefined {
  if (value === undefined) return undefined;
  if (Number.isInteger(value) && value >= from && value <= to) return undefined;
  const reason = `Must be between ${from} and ${to}, if provided.`;
  return invalidValue(name, value, reason);
}

function idRefusal(name: string, id = "none"): Refusal | undefined {
  if (/^[\x21-\x7e]{1,128}$/.test(id)) return undefined;
  const reason =
    `${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`;
  return invalidValue(name, id, reason);
}

function refusalForType(name: string, value: unknown): Refusal | undefined {
  if (value === undefined) return undefined;
  const reason =
    "The request include parameter that is not valid for this queue type.";
  return invalidValue(name, value, reason);
}

function missing(name: string): Refusal {
  return refusal(
    "MissingParameter",
    `The request must contain the parameter ${name}.`,
  );
}
