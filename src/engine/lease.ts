/**
 * A lease: a message that this container holds, hidden from others until a
 * deadline.
 *
 * @module
 */

import { MAX_VISIBILITY_SECONDS } from "../job_errors.ts";
import type { JobControl } from "../job/runner.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";

/** SQS measures its 12 hours when a request arrives: a margin, in seconds. */
const LIMIT_MARGIN_SECONDS = 2;

/** Where a message is on its way. */
export type LeaseState = "waiting" | "running" | "settling" | "gone";

/** A receive, as its request was sent. */
export interface SentReceive {
  readonly atMs: number;
  /** The visibility timeout that it asked for. */
  readonly visibilitySeconds: number;
}

/** An extension on its way. */
export interface Extending {
  /** Resolves when SQS has answered, or nobody waits for that any more. */
  readonly ended: Promise<void>;
  /** Waits no longer: the SDK does not try again. */
  drop(): void;
}

/**
 * A message that this container holds. Only `Leases`, its heartbeat and its
 * waiting messages change it.
 */
export class Lease {
  readonly message: ReceivedMessage;
  /** Its receive: SQS counts its 12 hours from there. */
  readonly sent: SentReceive;
  state: LeaseState = "waiting";
  /**
   * When the message may be visible again. It counts from the sending of the
   * request that set it, as nothing else is known for sure.
   */
  deadlineMs: number;
  /** The receipt handle of the last receive, ... */
  receiptHandle: string;
  /** ... and its receive count. */
  receiveCount: number;
  /** Whether the deadline passed, or SQS said that the message is not ours. */
  lost = false;
  /** Its size with the body that it points to; absent until it is asked for. */
  bytes: number | undefined;
  /** When it came, by the container's clock. */
  arrivedMs = 0;
  /** Its job, once started; the jobs of a batch have one control. */
  job: JobControl | undefined;
  /** How long its job ran. The jobs of a batch share a control, which runs on. */
  durationMs: number | undefined;
  /** Whether later messages of its group wait for it. */
  isOccupying = false;
  /** Whether the heartbeat extends it, ... */
  isExtended = false;
  /** ... when the next extension is due, ... */
  extendAtMs = Infinity;
  /** ... and the one under way. */
  extension: Extending | undefined;
  /** Until when an extension without an answer may still reach SQS. */
  doubtUntilMs = -Infinity;
  /** Until when any request so far can hide the message. */
  hiddenUntilMs: number;

  constructor(message: ReceivedMessage, sent: SentReceive) {
    this.message = message;
    this.receiptHandle = message.receiptHandle;
    this.receiveCount = message.receiveCount;
    this.sent = sent;
    this.deadlineMs = sent.atMs + sent.visibilitySeconds * 1000;
    this.hiddenUntilMs = this.deadlineMs;
  }

  /** The longest visibility timeout that SQS takes now, in seconds. */
  secondsLeft(nowMs: number): number {
    const end = this.sent.atMs + MAX_VISIBILITY_SECONDS * 1000;
    return Math.max(0, Math.floor((end - nowMs) / 1000) - LIMIT_MARGIN_SECONDS);
  }
}
