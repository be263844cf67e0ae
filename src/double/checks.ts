/**
 * What SQS refuses of a message that is sent.
 *
 * @module
 */

import {
  FORBIDDEN,
  isAttributeName,
  messageBytes,
} from "../message/attributes.ts";
import { refuseUnknown } from "../options.ts";
import {
  type EntryFailure,
  MAX_ATTRIBUTES,
  MAX_BYTES,
  MAX_DELAY_SECONDS,
  MAX_VISIBILITY_SECONDS,
  type OutgoingMessage,
  type WireAttribute,
  type WireAttributes,
} from "../sqs/connection.ts";
import { parseQueueRef, QUEUE_REF_HINT } from "../sqs/queue_ref.ts";

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

/** SQS's own (SQS, "CreateQueue"), but for deduplication, which FIFO jobs need. */
const DEFAULTS = {
  visibilityTimeoutSeconds: 30,
  delaySeconds: 0,
  messageRetentionSeconds: 345_600,
  maximumMessageSize: MAX_BYTES,
  contentBasedDeduplication: true,
};

const RANGES = {
  visibilityTimeoutSeconds: [0, MAX_VISIBILITY_SECONDS],
  delaySeconds: [0, MAX_DELAY_SECONDS],
  messageRetentionSeconds: [60, 1_209_600],
  maximumMessageSize: [1024, MAX_BYTES],
} as const;

/**
 * Gives a queue's settings, with SQS's defaults for those left out.
 *
 * @param options The queue's name, and settings.
 * @returns The settings.
 * @throws {TypeError} If the name is not one that SQS takes, or an option is
 * unknown or of a wrong type.
 * @throws {RangeError} If a setting is out of SQS's range.
 */
export function settingsOf(
  options: Partial<QueueSettings> & { readonly name: string },
): QueueSettings {
  const { name, ...settings } = options;
  if (parseQueueRef(name)?.name !== name) {
    throw new TypeError(
      `Cannot make queue ${JSON.stringify(name)}: wanted ${QUEUE_REF_HINT}`,
    );
  }
  const action = `make queue "${name}"`;
  refuseUnknown(settings, [...Object.keys(DEFAULTS), "redrive"], action);
  for (const [setting, [from, to]] of Object.entries(RANGES)) {
    const value = settings[setting as keyof typeof RANGES];
    checkRange(action, setting, value, from, to);
  }
  const { contentBasedDeduplication: dedup, redrive } = settings;
  if (dedup !== undefined && typeof dedup !== "boolean") {
    throw new TypeError(
      `Cannot ${action} as "contentBasedDeduplication" must be a boolean: current value is ${
        JSON.stringify(dedup)
      }`,
    );
  }
  if (redrive !== undefined) {
    const { deadLetterQueue, maxReceiveCount } = redrive;
    refuseUnknown(redrive, ["deadLetterQueue", "maxReceiveCount"], action);
    checkRange(action, "maxReceiveCount", maxReceiveCount, 1, 1000);
    const fifo = name.endsWith(".fifo");
    if (String(deadLetterQueue).endsWith(".fifo") !== fifo) {
      throw new TypeError(
        `Cannot ${action} as its "deadLetterQueue" must be a ${
          fifo ? "FIFO" : "standard"
        } queue as it is itself: current value is ${
          JSON.stringify(deadLetterQueue)
        }`,
      );
    }
  }
  return { ...DEFAULTS, ...settings };
}

function checkRange(
  action: string,
  setting: string,
  value: number | undefined,
  from: number,
  to: number,
): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || value < from || value > to) {
    throw new RangeError(
      `Cannot ${action} as "${setting}" must be an integer from ${from} to ${to}: current value is ${
        JSON.stringify(value)
      }`,
    );
  }
}

/** A queue's settings, named as SQS names its attributes. */
export interface QueueSettings {
  readonly visibilityTimeoutSeconds: number;
  readonly delaySeconds: number;
  readonly messageRetentionSeconds: number;
  readonly maximumMessageSize: number;
  readonly contentBasedDeduplication: boolean;
  readonly redrive?: {
    readonly deadLetterQueue: string;
    readonly maxReceiveCount: number;
  };
}
