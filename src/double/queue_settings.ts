/**
 * The options of the testing double and the settings of its queues, with SQS's
 * defaults and ranges.
 *
 * @module
 */

import {
  MAX_BYTES,
  MAX_DELAY_SECONDS,
  MAX_IN_FLIGHT,
  MAX_VISIBILITY_SECONDS,
} from "../sqs/connection.ts";
import { parseQueueRef, QUEUE_REF_HINT } from "../sqs/queue_ref.ts";
import { show } from "../text.ts";
import { BOOLEAN, checkOptions, integer } from "./check_options.ts";

/** Options of {@linkcode setUp}. */
export interface SetUpOptions {
  /**
   * The queues that exist, by name or with settings.
   *
   * @default {undefined} every queue exists
   */
  readonly queues?: readonly (string | TestQueueOptions)[] | undefined;
  /**
   * Whether to print nothing.
   *
   * @default {false}
   */
  readonly silent?: boolean | undefined;
  /**
   * The time at which the clock starts.
   *
   * @default {undefined} now
   */
  readonly startTime?: Date | undefined;
  /**
   * The source of all chance: faults with a probability, reordering, pauses,
   * delays with jitter, message ids. A whole number. The same seed gives the
   * same run.
   *
   * @default {undefined} the same chance each time, but new message ids
   */
  readonly seed?: number | undefined;
}

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
   * The most messages in flight, 1 to 120,000. At the limit, a short poll of a
   * standard queue fails with the code `OverLimit`. A long poll waits, and a
   * FIFO queue gives nothing.
   *
   * @default {120_000}
   */
  readonly maxInFlight?: number | undefined;
  /**
   * The most calls to a FIFO queue in a second, for sends, receives, deletes and
   * visibility changes each; a batch is one call. Other calls fail with the code
   * `ThrottlingException`. SQS's own limit is 300.
   *
   * @default {undefined} no limit, as the clock of a test stands still
   */
  readonly maxCallsPerSecond?: number | undefined;
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
export type QueueSettings =
  & { readonly [K in keyof typeof DEFAULTS]: typeof DEFAULTS[K] }
  & Pick<TestQueueOptions, "maxCallsPerSecond" | "redrive">;

/** The ARN of a queue of the double, the same for every region. */
export function arnOf(name: string): string {
  return `arn:aws:sqs:us-east-1:000000000000:${name}`;
}

/** The URL of a queue of the double, the same for every region. */
export function urlOf(name: string): string {
  return `https://sqs.us-east-1.amazonaws.com/000000000000/${name}`;
}

/** SQS's defaults (SQS, "CreateQueue"), except for deduplication. */
const DEFAULTS = {
  visibilityTimeoutSeconds: 30,
  delaySeconds: 0,
  messageRetentionSeconds: 345_600,
  maximumMessageSize: MAX_BYTES,
  contentBasedDeduplication: true,
  maxInFlight: MAX_IN_FLIGHT,
};

/**
 * Checks a queue's settings and applies the defaults.
 *
 * @throws {TypeError} If the name is no queue name, or an option is unknown or
 * of a wrong type.
 * @throws {RangeError} If a number is out of SQS's range.
 */
export function settingsOf(options: TestQueueOptions): QueueSettings {
  const { name, redrive, ...settings } = Object(options) as TestQueueOptions;
  if (typeof name !== "string" || parseQueueRef(name)?.name !== name) {
    throw new TypeError(
      `Cannot make queue ${show(name)}: give ${QUEUE_REF_HINT}`,
    );
  }
  const action = `make queue "${name}"`;
  checkOptions(action, settings, {
    visibilityTimeoutSeconds: integer(0, MAX_VISIBILITY_SECONDS),
    delaySeconds: integer(0, MAX_DELAY_SECONDS),
    messageRetentionSeconds: integer(60, 1_209_600),
    maximumMessageSize: integer(1024, MAX_BYTES),
    contentBasedDeduplication: BOOLEAN,
    maxInFlight: integer(1, MAX_IN_FLIGHT),
    maxCallsPerSecond: integer(1),
  }, ["name", "redrive"]);
  if (settings.maxCallsPerSecond !== undefined && !name.endsWith(".fifo")) {
    throw new TypeError(
      `Cannot ${action} as "maxCallsPerSecond" is for FIFO queues: SQS has no such limit for standard queues`,
    );
  }
  if (redrive !== undefined) {
    const fifo = name.endsWith(".fifo");
    checkOptions(action, redrive, {
      deadLetterQueue: {
        wanted: `a ${fifo ? "FIFO" : "standard"} queue, like "${name}"`,
        fits: (value) => String(value).endsWith(".fifo") === fifo,
      },
      maxReceiveCount: integer(1, 1000),
    });
  }
  const given = Object.entries(settings).filter(([, value]) =>
    value !== undefined
  );
  return { ...DEFAULTS, ...Object.fromEntries(given), redrive };
}
