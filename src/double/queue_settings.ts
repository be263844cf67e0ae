/**
 * The settings of a queue of the testing double, with SQS's defaults and ranges.
 *
 * @module
 */

import { refuseUnknown } from "../options.ts";
import {
  MAX_BYTES,
  MAX_DELAY_SECONDS,
  MAX_VISIBILITY_SECONDS,
} from "../sqs/connection.ts";
import { parseQueueRef, QUEUE_REF_HINT } from "../sqs/queue_ref.ts";
import { show } from "../text.ts";

/** A queue of the double, with SQS's own settings. */
export interface TestQueueOptions {
  /** The queue's name. The name of a FIFO queue ends with `.fifo`. */
  readonly name: string;
  /**
   * The visibility timeout, in seconds from 0 to 43,200.
   *
   * @default {30}
   */
  readonly visibilityTimeoutSeconds?: number | undefined;
  /**
   * The delay of each message that has no other delay, in seconds from 0 to 900.
   *
   * @default {0}
   */
  readonly delaySeconds?: number | undefined;
  /**
   * How long the queue keeps a message, in seconds from 60 to 1,209,600 (14
   * days).
   *
   * @default {345_600} 4 days
   */
  readonly messageRetentionSeconds?: number | undefined;
  /**
   * The largest message, in bytes from 1024 to 1,048,576.
   *
   * @default {1_048_576}
   */
  readonly maximumMessageSize?: number | undefined;
  /**
   * Whether a FIFO queue treats equal bodies within 5 minutes as one message.
   *
   * @default {true} unlike SQS, whose default is `false`
   */
  readonly contentBasedDeduplication?: boolean | undefined;
  /**
   * The redrive policy: a message received `maxReceiveCount` times moves to the
   * dead-letter queue when it becomes visible again.
   *
   * @default {undefined} no dead-letter queue
   */
  readonly redrive?: {
    /** The name of the dead-letter queue. */
    readonly deadLetterQueue: string;
    /** How often a message may be received, from 1 to 1000. */
    readonly maxReceiveCount: number;
  } | undefined;
}

/** All settings of a queue, the defaults applied. */
export interface QueueSettings {
  readonly visibilityTimeoutSeconds: number;
  readonly delaySeconds: number;
  readonly messageRetentionSeconds: number;
  readonly maximumMessageSize: number;
  readonly contentBasedDeduplication: boolean;
  readonly redrive: TestQueueOptions["redrive"];
}

/** The ARN of a queue of the double, the same for every region. */
export function arnOf(name: string): string {
  return `arn:aws:sqs:us-east-1:000000000000:${name}`;
}

/** Each number's range in SQS, and its default (SQS, "CreateQueue"). */
const NUMBERS = {
  visibilityTimeoutSeconds: [0, MAX_VISIBILITY_SECONDS, 30],
  delaySeconds: [0, MAX_DELAY_SECONDS, 0],
  messageRetentionSeconds: [60, 1_209_600, 345_600],
  maximumMessageSize: [1024, MAX_BYTES, MAX_BYTES],
} as const;

const OPTIONS = [
  "name",
  ...Object.keys(NUMBERS),
  "contentBasedDeduplication",
  "redrive",
];

/**
 * Checks a queue's settings and applies the defaults.
 *
 * @throws {TypeError} If the name is no queue name, or an option is unknown or
 * of a wrong type.
 * @throws {RangeError} If a number is out of SQS's range.
 */
export function settingsOf(options: TestQueueOptions): QueueSettings {
  refuseUnknown(options, OPTIONS, "make queue");
  const { name, contentBasedDeduplication = true, redrive } = options;
  if (typeof name !== "string" || parseQueueRef(name)?.name !== name) {
    throw new TypeError(
      `Cannot make queue ${show(name)}: wanted ${QUEUE_REF_HINT}`,
    );
  }
  const action = `make queue "${name}"`;
  const number = (setting: keyof typeof NUMBERS) => {
    const [from, to, standard] = NUMBERS[setting];
    const value = options[setting] ?? standard;
    return checkedInteger(action, setting, value, from, to);
  };
  if (typeof contentBasedDeduplication !== "boolean") {
    throw new TypeError(
      `Cannot ${action} as "contentBasedDeduplication" must be a boolean: current value is ${
        show(contentBasedDeduplication)
      }`,
    );
  }
  if (redrive !== undefined) checkRedrive(action, name, redrive);
  return {
    visibilityTimeoutSeconds: number("visibilityTimeoutSeconds"),
    delaySeconds: number("delaySeconds"),
    messageRetentionSeconds: number("messageRetentionSeconds"),
    maximumMessageSize: number("maximumMessageSize"),
    contentBasedDeduplication,
    redrive,
  };
}

function checkRedrive(
  action: string,
  name: string,
  redrive: NonNullable<TestQueueOptions["redrive"]>,
): void {
  const { deadLetterQueue, maxReceiveCount } = redrive;
  refuseUnknown(redrive, ["deadLetterQueue", "maxReceiveCount"], action);
  checkedInteger(action, "maxReceiveCount", maxReceiveCount, 1, 1000);
  const fifo = name.endsWith(".fifo");
  if (String(deadLetterQueue).endsWith(".fifo") === fifo) return;
  throw new TypeError(
    `Cannot ${action} as "deadLetterQueue" must be a ${
      fifo ? "FIFO" : "standard"
    } queue, like "${name}": current value is ${show(deadLetterQueue)}`,
  );
}

function checkedInteger(
  action: string,
  setting: string,
  value: number,
  from: number,
  to: number,
): number {
  if (Number.isInteger(value) && value >= from && value <= to) return value;
  throw new RangeError(
    `Cannot ${action} as "${setting}" must be an integer from ${from} to ${to}: current value is ${
      show(value)
    }`,
  );
}
