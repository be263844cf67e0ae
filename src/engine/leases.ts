/**
 * Leases: every message received, waiting or running, is hidden from others
 * until a deadline, and the deadline is moved before it comes.
 *
 * @module
 */

import { Alarm, type Clock } from "../clock.ts";
import {
  type EntryResult,
  MAX_BATCH,
  type ReceivedMessage,
} from "../sqs/connection.ts";
import type { Counters, EngineConnection } from "../telemetry/counters.ts";
import type { JobControl } from "../job/run_job.ts";
import { MAX_VISIBILITY_SECONDS, messageOf } from "../errors.ts";
import type { Logger } from "../logging/loggers.ts";
import type { Visibility } from "./receiver.ts";

/** SQS refuses what goes beyond 12 hours when the request reaches it. */
const LIMIT_MARGIN_SECONDS = 2;

/** The shortest pause before an extension is tried again, in milliseconds. */
const MIN_PAUSE_MS = 200;

/** What says that a message is no longer ours: trying on is no use. */
const LOST_CODES: ReadonlySet<string> = new Set([
  "InvalidParameterValue",
  "MessageNotInflight",
  "ReceiptHandleIsInvalid",
]);

/** Whether a refusal says that the message is no longer ours. */
export function saysLost(code: string): boolean {
  return LOST_CODES.has(code);
}

/** A message that this container holds. */
export class Lease {
  readonly message: ReceivedMessage;
  /** When the receive was sent: SQS hides a message for 12 hours from there. */
  readonly receivedAtMs: number;
  /**
   * When the message may be visible again: counted from the sending of the
   * request that set it, as nothing else is known for sure.
   */
  deadlineMs: number;
  /** The receipt handle of the last receive. */
  receiptHandle: string;
  /** How often the message had been received then. */
  receiveCount: number;
  /** Whether the deadline passed, or SQS said that the message is not ours. */
  lost = false;
  /** Its job, once that was started. */
  job: JobControl | undefined;
  /** Whether the keeper extends it, when the next extension is due, ... */
  kept = false;
  dueMs = Infinity;
  /** ... and whether one is under way. */
  extending = false;

  /** What that receive asked for. */
  readonly visibilitySeconds: number;

  constructor(
    message: ReceivedMessage,
    receivedAtMs: number,
    visibilitySeconds: number,
  ) {
    this.message = message;
    this.receiptHandle = message.receiptHandle;
    this.receiveCount = message.receiveCount;
    this.receivedAtMs = receivedAtMs;
    this.visibilitySeconds = visibilitySeconds;
    this.deadlineMs = receivedAtMs + visibilitySeconds * 1000;
  }

  /** The longest that the message may be hidden from now on, in seconds. */
  secondsLeft(nowMs: number): number {
    const end = this.receivedAtMs + MAX_VISIBILITY_SECONDS * 1000;
    return Math.max(0, Math.floor((end - nowMs) / 1000) - LIMIT_MARGIN_SECONDS);
  }
}

/** What the keeper works with. */
export interface LeaseKeeperOptions {
  readonly connection: EngineConnection;
  readonly url: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly counters: Counters;
  /** All that are kept are among these. */
  readonly held: Iterable<Lease>;
  /** Called once for a lease that is lost. */
  readonly onLost: (lease: Lease) => void;
  /** For how long an extension hides a message. */
  readonly visibility: Visibility;
}

/** Extends leases well before they end. */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  /** Whether the last request failed: one line tells of a streak. */
  #failing = false;
  readonly #alarm: Alarm;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.#look());
  }

  get #visibilityMs(): number {
    return this.#options.visibility.seconds * 1000;
  }

  /** Keeps a lease from now on. */
  keep(lease: Lease): void {
    lease.kept = true;
    lease.extending = false;
    lease.dueMs = this.#dueMs(lease);
    this.#alarm.setBy(lease.dueMs);
  }

  /** Takes note of a new deadline of a lease that is kept. */
  renew(lease: Lease): void {
    if (lease.kept) this.keep(lease);
  }

  /** Leaves a lease to its deadline. */
  release(lease: Lease): void {
    lease.kept = false;
  }

  /** Takes the timer back: only where nothing is kept. */
  rest(): void {
    this.#alarm.off();
  }

  /** The last quarter of a lease is there to extend it, and to try again. */
  #dueMs(lease: Lease): number {
    return lease.deadlineMs - this.#visibilityMs / 4;
  }

  #look(): void {
    const now = this.#options.clock.now();
    // What is nearly due travels along: requests are what costs.
    const horizon = now + this.#visibilityMs / 8;
    const due: Lease[] = [];
    let anyDue = false;
    for (const lease of this.#options.held) {
      if (!lease.kept) continue;
      if (lease.deadlineMs <= now) {
        this.lose(lease, "it could not be extended in time");
      } else if (!lease.extending && lease.dueMs <= horizon) {
        anyDue ||= lease.dueMs <= now;
        due.push(lease);
      }
    }
    if (anyDue) {
      for (let i = 0; i < due.length; i += MAX_BATCH) {
        this.#extend(due.slice(i, i + MAX_BATCH));
      }
    }
    this.#setAlarm();
  }

  #setAlarm(): void {
    let next = Infinity;
    for (const { kept, deadlineMs, dueMs, extending } of this.#options.held) {
      if (kept) next = Math.min(next, deadlineMs, extending ? Infinity : dueMs);
    }
    this.#alarm.setBy(next);
  }

  async #extend(leases: readonly Lease[]): Promise<void> {
    const { clock, connection, url } = this.#options;
    const now = clock.now();
    const changes = leases.flatMap((lease) => {
      const seconds = Math.min(
        this.#options.visibility.seconds,
        lease.secondsLeft(now),
      );
      // Losing another one may have given this one back meanwhile.
      if (!lease.kept) return [];
      const deadlineMs = now + seconds * 1000;
      if (deadlineMs <= lease.deadlineMs) {
        // SQS hides a message for 12 hours in all: the lease ends there.
        const isLast = seconds < this.#options.visibility.seconds;
        lease.dueMs = isLast ? Infinity : this.#dueMs(lease);
        return [];
      }
      lease.extending = true;
      const handle = lease.receiptHandle;
      return [{ lease, handle, seconds, deadlineMs }];
    });
    if (changes.length === 0) return;
    let results: readonly EntryResult[];
    try {
      results = await connection.changeVisibility(
        url,
        changes.map(({ handle, seconds }) => ({
          receiptHandle: handle,
          visibilityTimeoutSeconds: seconds,
        })),
      );
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        this.#options.logger.warn(
          `Cannot extend the visibility of ${changes.length} ${
            changes.length === 1 ? "message" : "messages"
          }, trying on: ${messageOf(error)}`,
        );
      }
      this.#failing = true;
      results = [];
    }
    for (const [i, { lease, handle, deadlineMs }] of changes.entries()) {
      // The message was received again meanwhile: it has a new deadline.
      if (lease.receiptHandle !== handle) continue;
      const result = results[i];
      lease.extending = false;
      if (result?.ok) {
        lease.deadlineMs = deadlineMs;
        lease.dueMs = this.#dueMs(lease);
      } else if (result !== undefined && saysLost(result.failure.code)) {
        if (lease.kept) this.lose(lease, result.failure.message);
      } else {
        const now = clock.now();
        const left = lease.deadlineMs - now;
        const pauseMs = Math.min(this.#visibilityMs / 16, left / 4);
        lease.dueMs = now + Math.max(MIN_PAUSE_MS, pauseMs);
      }
    }
    this.#setAlarm();
  }

  /** Tells that a lease has ended. */
  lose(lease: Lease, why: string): void {
    const { logger, counters, onLost } = this.#options;
    this.release(lease);
    lease.lost = true;
    counters.leasesLost++;
    logger.warn(
      `Lost the lease of message ${lease.message.messageId}, which others may receive now: ${why}`,
    );
    onLost(lease);
  }
}
