/**
 * What SQS refuses of a message that is sent.
 *
 * @module
 */

import {
  FORBIDDEN,
  isAttributeName,
  MAX_ATTRIBUTES,
  messageBytes,
} from "./_attributes.ts";
import type {
  EntryFailure,
  OutgoingMessage,
  WireAttribute,
  WireAttributes,
} from "./_connection.ts";

/** SQS's longest delay of a message, in seconds (SQS, "SendMessage"). */
const MAX_DELAY_SECONDS = 900;

/** What is looked at of the queue that is to take a message. */
export interface Recipient {
  readonly fifo: boolean;
  readonly settings: {
    readonly maximumMessageSize: number;
    readonly contentBasedDeduplication: boolean;
  };
}

/**
 * Why SQS refuses a message.
 *
 * @param message The message.
 * @param queue The queue that is to take it.
 * @returns The refusal, if there is one.
 */
export function refusalOf(
  message: OutgoingMessage,
  queue: Recipient,
): EntryFailure | undefined {
  const { body, attributes } = message;
  if (body === "") return missing("MessageBody");
  if (FORBIDDEN.test(body)) {
    return refusal(
      "InvalidMessageContents",
      "Invalid characters in the message body",
    );
  }
  const { maximumMessageSize } = queue.settings;
  if (messageBytes(body, attributes) > maximumMessageSize) {
    return invalid(
      `One or more parameters are invalid. Reason: Message must be shorter than ${maximumMessageSize} bytes.`,
    );
  }
  return attributesRefusal(attributes) ?? delayRefusal(message, queue) ??
    groupRefusal(message, queue);
}

function attributesRefusal(
  attributes: WireAttributes,
): EntryFailure | undefined {
  const entries = Object.entries(attributes);
  if (entries.length > MAX_ATTRIBUTES) {
    return invalid(
      `Number of message attributes [${entries.length}] exceeds the allowed maximum [${MAX_ATTRIBUTES}].`,
    );
  }
  for (const [name, attribute] of entries) {
    const reason = !isAttributeName(name)
      ? "its name is not valid"
      : attributeProblem(attribute);
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
  const isNumber = value.trim() !== "" && Number.isFinite(Number(value));
  return kind === "Number" && !isNumber
    ? "it cannot be cast to a number"
    : undefined;
}

function delayRefusal(
  { delaySeconds: delay }: OutgoingMessage,
  { fifo }: Recipient,
): EntryFailure | undefined {
  if (delay === undefined) return undefined;
  if (fifo) return invalidForType("DelaySeconds", String(delay));
  const fits = Number.isInteger(delay) && delay >= 0 &&
    delay <= MAX_DELAY_SECONDS;
  return fits ? undefined : invalid(
    `Value ${delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= ${MAX_DELAY_SECONDS}.`,
  );
}

function groupRefusal(
  { groupId, deduplicationId }: OutgoingMessage,
  { fifo, settings }: Recipient,
): EntryFailure | undefined {
  const ids = {
    MessageGroupId: groupId,
    MessageDeduplicationId: deduplicationId,
  };
  for (const [name, id] of Object.entries(ids)) {
    if (id !== undefined && !/^[\x21-\x7e]{1,128}$/.test(id)) {
      return invalid(
        `Value ${id} for parameter ${name} is invalid. Reason: ${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
      );
    }
  }
  if (!fifo) {
    return deduplicationId === undefined
      ? undefined
      : invalidForType("MessageDeduplicationId", deduplicationId);
  }
  if (groupId === undefined) return missing("MessageGroupId");
  if (deduplicationId === undefined && !settings.contentBasedDeduplication) {
    return invalid(
      "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
    );
  }
}

function refusal(code: string, message: string): EntryFailure {
  return { code, message, senderFault: true };
}

function invalid(message: string): EntryFailure {
  return refusal("InvalidParameterValue", message);
}

function invalidForType(name: string, value: string): EntryFailure {
  return invalid(
    `Value ${value} for parameter ${name} is invalid. Reason: The request include parameter that is not valid for this queue type.`,
  );
}

function missing(name: string): EntryFailure {
  return refusal(
    "MissingParameter",
    `The request must contain the parameter ${name}.`,
  );
}
