/**
 * The heartbeat: extends leases in batches before they end.
 *
 * @module
 */

import { Alarm, unlessAborted } from "../clock.ts";
import { messageOf } from "../errors.ts";
import { logJobs } from "../job/job_lines.ts";
import {
  type EntryResult,
  MAX_BATCH,
  type VisibilityChange,
} from "../sqs/connection.ts";
import { type EngineContext, request } from "./context.ts";
import type { Lease } from "./lease.ts";

/** The shortest pause before an extension is tried again, in milliseconds. */
const MIN_PAUSE_MS = 200;

/** How long a request without an answer may still reach SQS, in milliseconds. */
export const DOUBT_MS = 4_000;

/** The codes with which SQS refuses a message that is no longer ours. */
export const LOST_CODES: ReadonlySet<string> = new Set([
  "InvalidParameterValue",
  "MessageNotInflight",
  "ReceiptHandleIsInvalid",
]);

/** The part of an engine's context that a heartbeat needs. */
type Context = Omit<EngineContext, "fifo" | "options" | "random">;

/** One extension of a lease. */
interface Extension extends VisibilityChange {
  readonly lease: Lease;
  readonly deadlineMs: number;
}

/** Extends leases, and loses a lease that it cannot extend. */
export class Heartbeat {
  readonly #context: Context;
  readonly #leases: Iterable<Lease>;
  readonly #onLost: (lease: Lease) => void;
  readonly #alarm: Alarm;
  /** Whether the last request failed: a streak is logged once. */
  #isFailing = false;

  /**
   * @param leases All that may need an extension, whenever it is iterated.
   * @param onLost Called once for each lease that is lost.
   */
  constructor(
    context: Context,
    leases: Iterable<Lease>,
    onLost: (lease: Lease) => void,
  ) {
    this.#context = context;
    this.#leases = leases;
    this.#onLost = onLost;
    this.#alarm = new Alarm(context.clock, () => this.#beat());
  }

  get #visibilityMs(): number {
    return this.#context.visibility.seconds * 1000;
  }

  /** Extends a lease from now on; called again after it has a new deadline. */
  extend(lease: Lease): void {
    lease.isExtended = true;
    lease.extendAtMs = this.#dueMs(lease);
    this.#alarm.setBy(lease.extendAtMs);
  }

  /** Leaves a lease to its deadline. */
  stopExtending(lease: Lease): void {
    lease.isExtended = false;
  }

  /** Cancels the timer, once no lease is extended. */
  clearTimers(): void {
    this.#alarm.off();
  }

  /** Gives up a lease: its message is no longer ours. */
  lose(lease: Lease, why: string): void {
    const { loggers, queue, events } = this.#context;
    this.stopExtending(lease);
    lease.lost = true;
    events.ended("lost");
    logJobs(loggers.get("zsqs"), "warn", {
      what: "Lost a lease, so that others may receive its message",
      ...{ queue, jobs: [lease.message], why },
    });
    this.#onLost(lease);
  }

  /** The last quarter of a lease is there to extend it, and to try again. */
  #dueMs(lease: Lease): number {
    return lease.deadlineMs - this.#visibilityMs / 4;
  }

  #beat(): void {
    const now = this.#context.clock.now();
    // What is nearly due travels along: requests cost more than entries.
    const horizon = now + this.#visibilityMs / 8;
    const due: Lease[] = [];
    let anyDue = false;
    for (const lease of this.#leases) {
      if (!lease.isExtended) continue;
      if (lease.deadlineMs <= now) {
        this.lose(lease, "it could not be extended in time");
      } else if (!lease.extension && lease.extendAtMs <= horizon) {
        anyDue ||= lease.extendAtMs <= now;
        due.push(lease);
      }
    }
    for (let i = 0; anyDue && i < due.length; i += MAX_BATCH) {
      this.#extendAll(due.slice(i, i + MAX_BATCH));
    }
    this.#setAlarm();
  }

  #setAlarm(): void {
    let next = Infinity;
    for (const lease of this.#leases) {
      if (!lease.isExtended) continue;
      next = Math.min(next, lease.deadlineMs);
      if (!lease.extension) next = Math.min(next, lease.extendAtMs);
    }
    this.#alarm.setBy(next);
  }

  #extendAll(leases: readonly Lease[]): void {
    const now = this.#context.clock.now();
    // Losing another lease may have released one meanwhile.
    const extensions = leases.filter(({ isExtended }) => isExtended)
      .flatMap((lease) => this.#extensionOf(lease, now));
    if (extensions.length === 0) return;
    const dropped = new AbortController();
    const ended = this.#request(extensions, dropped.signal);
    const drop = () => dropped.abort(new Error("no answer in time"));
    for (const { lease, deadlineMs } of extensions) {
      lease.extension = { ended, drop };
      lease.hiddenUntilMs = Math.max(lease.hiddenUntilMs, deadlineMs);
    }
  }

  #extensionOf(lease: Lease, now: number): Extension[] {
    const { seconds } = this.#context.visibility;
    const visibilityTimeoutSeconds = Math.min(seconds, lease.secondsLeft(now));
    const deadlineMs = now + visibilityTimeoutSeconds * 1000;
    const { receiptHandle } = lease;
    if (deadlineMs > lease.deadlineMs) {
      return [{ lease, receiptHandle, visibilityTimeoutSeconds, deadlineMs }];
    }
    // SQS hides a message for 12 hours in all: the lease ends there.
    const isLast = visibilityTimeoutSeconds < seconds;
    lease.extendAtMs = isLast ? Infinity : this.#dueMs(lease);
    return [];
  }

  async #request(
    extensions: readonly Extension[],
    signal: AbortSignal,
  ): Promise<void> {
    let results: readonly EntryResult[];
    try {
      const answer = request(
        this.#context,
        "ChangeMessageVisibility",
        (connection, url) =>
          connection.changeVisibility(url, extensions, { signal }),
      );
      // The SDK does not look at the signal while it waits for credentials.
      results = await unlessAborted(answer, signal) ?? [];
      signal.throwIfAborted();
      this.#isFailing = false;
    } catch (error) {
      this.#logFailure(extensions.length, error);
      results = [];
    }
    for (const [i, extension] of extensions.entries()) {
      this.#answer(extension, results[i]);
    }
    this.#setAlarm();
  }

  #answer(extension: Extension, result: EntryResult | undefined): void {
    const { lease, receiptHandle, deadlineMs } = extension;
    const now = this.#context.clock.now();
    if (result === undefined) lease.doubtUntilMs = now + DOUBT_MS;
    // Received again meanwhile: it has a new deadline.
    if (lease.receiptHandle !== receiptHandle) return;
    lease.extension = undefined;
    if (result?.ok) {
      lease.deadlineMs = deadlineMs;
      lease.extendAtMs = this.#dueMs(lease);
    } else if (result !== undefined && LOST_CODES.has(result.failure.code)) {
      if (lease.isExtended) this.lose(lease, result.failure.message);
    } else {
      const left = lease.deadlineMs - now;
      const pauseMs = Math.min(this.#visibilityMs / 16, left / 4);
      lease.extendAtMs = now + Math.max(MIN_PAUSE_MS, pauseMs);
    }
  }

  #logFailure(count: number, error: unknown): void {
    const { loggers, queue } = this.#context;
    if (this.#isFailing) return;
    this.#isFailing = true;
    const leases = count === 1 ? "1 lease" : `${count} leases`;
    loggers.get("zsqs").warn(
      `Extending ${leases} of ${queue} failed; retrying: ${messageOf(error)}`,
    );
  }
}
