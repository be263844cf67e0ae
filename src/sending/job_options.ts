/**
 * The options and results of sends, and the checks of a job's options.
 *
 * @module
 */

import type { Attributes } from "../message/attributes.ts";
import { refuseUnknown } from "../unknown_options.ts";
import { MAX_DELAY_SECONDS } from "../sqs/connection.ts";
import type { QueueRef } from "../sqs/queue_ref.ts";
import { show } from "../text.ts";

/** Options of a job. */
export interface JobOptions {
  /**
   * How long SQS hides the message after the send, in whole seconds from 0 to
   * 900 (SQS, "DelaySeconds"). Not for FIFO queues.
   *
   * @default {undefined} the queue's own delay
   */
  readonly delaySeconds?: number | undefined;
  /**
   * The message group, 1 to 128 letters, digits and punctuation. FIFO queues
   * require it, and run the jobs of one group in order. On standard queues it
   * turns on SQS's fair queues.
   */
  readonly groupId?: string | undefined;
  /**
   * The deduplication id, 1 to 128 letters, digits and punctuation. For FIFO
   * queues only. Within 5 minutes SQS accepts a second message with the same id
   * and does not deliver it.
   *
   * @default {undefined} a hash of the body, if the queue has content-based
   * deduplication: SQS then delivers only one of equal jobs
   */
  readonly deduplicationId?: string | undefined;
  /** Message attributes, at most ten. */
  readonly attributes?: Attributes | undefined;
}

/** Options of a queue's `send`. */
export interface SendOptions extends JobOptions {
  /**
   * Stops waiting. If the job is already in a request, SQS may still accept it.
   */
  readonly signal?: AbortSignal;
}

/** A job that SQS accepted. */
export interface SendResult {
  /** SQS's id of the message. */
  readonly messageId: string;
  /** The position in its FIFO queue, growing within a group. */
  readonly sequenceNumber?: string;
}

/** A job of `sendAll` with its options. */
export interface JobWithOptions<Args extends readonly unknown[]>
  extends JobOptions {
  /** The job's arguments. */
  readonly args: Readonly<Args>;
}

/** A job of `sendAll`: its arguments, alone or with options. */
export type JobInput<Args extends readonly unknown[]> =
  | Readonly<Args>
  | JobWithOptions<Args>;

/** The result of one job of `sendAll`. */
export type SendAllResult =
  | SendResult & {
    readonly status: "sent";
    /** The job's position in the input, counted from 0. */
    readonly index: number;
  }
  | {
    readonly status: "failed";
    /** The job's position in the input, counted from 0. */
    readonly index: number;
    /** Why the job was not sent. */
    readonly error: Error;
  };

/** Options of a queue's `sendAll`. */
export interface SendAllOptions {
  /**
   * Called with each job's result, in the order of the input. Without it the
   * first failure stops the sending and rejects.
   */
  readonly onResult?: (result: SendAllResult) => void;
  /**
   * Stops reading jobs. `sendAll` then waits for the jobs it has read, and
   * rejects with the signal's reason.
   */
  readonly signal?: AbortSignal;
}

/** The numbers of jobs that `sendAll` sent and could not send. */
export interface SendAllSummary {
  /** Jobs that SQS accepted. */
  readonly sent: number;
  /** Jobs that were refused or did not reach SQS. */
  readonly failed: number;
}

/** The names of the options of a job. */
export const JOB_OPTIONS: readonly (keyof JobOptions)[] = [
  "delaySeconds",
  "groupId",
  "deduplicationId",
  "attributes",
];

const SEND_OPTIONS = [...JOB_OPTIONS, "signal"];

/**
 * Checks a job's options.
 *
 * @throws {TypeError} If an option is unknown, malformed, or not for this queue.
 * @throws {RangeError} If `delaySeconds` is out of range.
 */
export function checkJobOptions(options: JobOptions, queue: QueueRef): void {
  refuseUnknown(options, SEND_OPTIONS, "send job");
  const { delaySeconds, groupId, deduplicationId } = options;
  const refused = (problem: string) =>
    new TypeError(`Cannot send job to "${queue.name}" ${problem}`);
  if (delaySeconds !== undefined) {
    checkDelay(delaySeconds);
    if (queue.fifo) {
      throw refused(
        'with "delaySeconds": a FIFO queue has one delay for all messages',
      );
    }
  }
  checkId("groupId", groupId);
  checkId("deduplicationId", deduplicationId);
  if (queue.fifo && groupId === undefined) {
    throw refused(
      'without "groupId": a FIFO queue requires it, and runs the jobs of one group in order',
    );
  }
  if (!queue.fifo && deduplicationId !== undefined) {
    throw refused(
      'with "deduplicationId": only FIFO queues accept it (their names end in ".fifo")',
    );
  }
}

function checkDelay(delaySeconds: number): void {
  const fits = Number.isInteger(delaySeconds) && delaySeconds >= 0 &&
    delaySeconds <= MAX_DELAY_SECONDS;
  if (fits) return;
  throw new RangeError(
    `Cannot send job as "delaySeconds" must be an integer from 0 to ${MAX_DELAY_SECONDS}: current value is ${
      show(delaySeconds)
    }`,
  );
}

function checkId(name: string, id: string | undefined): void {
  if (id === undefined) return;
  if (typeof id === "string" && /^[\x21-\x7e]{1,128}$/.test(id)) return;
  throw new TypeError(
    `Cannot send job as "${name}" must be 1 to 128 letters, digits and punctuation: current value is ${
      show(id)
    }`,
  );
}
