/**
 * Settlement: deletes and visibility changes, gathered into batches, each
 * settled by its own entry's result.
 *
 * @module
 */

import { Alarm, type Clock, sleep } from "../clock.ts";
import type { Decision } from "../job/decide.ts";
import { nameJobs } from "../job/runner.ts";
import {
  type EntryFailure,
  type EntryResult,
  MAX_BATCH,
  UNANSWERED,
} from "../sqs/connection.ts";
import type { Operation } from "../telemetry/events.ts";
import {
  type EngineConnection,
  type EngineContext,
  request,
} from "./context.ts";
import { LOST_CODES } from "./heartbeat.ts";
import type { Lease } from "./lease.ts";

/** The pause before a refused entry is tried again, in milliseconds. */
const RETRY_MS = 200;

/** The longest such pause, in milliseconds. */
const MAX_RETRY_MS = 5_000;

/** How often an entry may be refused during a forced stop. */
const MAX_LAST_REFUSALS = 3;

/** How long a change waits for an extension's answer, in milliseconds. */
const EXTENSION_MS = 5_000;

/** The decisions that are requests to SQS. */
export type SettlingDecision = Extract<
  Decision,
  { action: "delete" | "changeVisibility" }
>;

/** A delete or a change of visibility on its way. */
interface Settlement {
  readonly lease: Lease;
  /** When the message becomes visible again; absent for a delete. */
  readonly untilMs: number | undefined;
  readonly resolve: (settled: boolean) => void;
  /** How often it was refused. */
  refusals: number;
}

/** Deletes messages and changes their visibility. */
export class Settler {
  readonly #context: EngineContext;
  /** Aborts at a forced stop: there is little time to try again. */
  readonly #forceSignal: AbortSignal;
  readonly #onRetry: () => void;
  readonly #deletes: Batch;
  readonly #changes: Batch;
  /** How many settlements were refused and are being tried again. */
  retrying = 0;

  /** @param onRetry Called when an entry was refused for the first time. */
  constructor(
    context: EngineContext,
    forceSignal: AbortSignal,
    onRetry: () => void,
  ) {
    this.#context = context;
    this.#forceSignal = forceSignal;
    this.#onRetry = onRetry;
    this.#deletes = this.#batch(
      "DeleteMessage",
      (entries, connection, url) =>
        connection.delete(url, entries.map(({ lease }) => lease.receiptHandle)),
    );
    this.#changes = this.#batch(
      "ChangeMessageVisibility",
      (entries, ...to) => this.#change(entries, ...to),
    );
  }

  /**
   * Deletes a message, or hides it for some seconds from now on.
   *
   * @returns Whether SQS says that it did. Never rejects.
   */
  settle(lease: Lease, decision: SettlingDecision): Promise<boolean> {
    const untilMs = decision.action === "delete"
      ? undefined
      : this.#context.clock.now() + decision.seconds * 1000;
    return new Promise((resolve) => {
      const entry = { lease, untilMs, resolve, refusals: 0 };
      const extension = untilMs === undefined ? undefined : lease.extension;
      if (extension === undefined) this.#send(entry);
      else this.#sendAfter(extension, entry);
    });
  }

  /** Sends the batches that are not full. */
  flush(): void {
    this.#deletes.flush();
    this.#changes.flush();
  }

  /** Cancels the timers, once nothing is being settled. */
  clearTimers(): void {
    this.#deletes.clearTimers();
    this.#changes.clearTimers();
  }

  /** SQS could take an extension under way after this change, and undo it. */
  async #sendAfter(extension: Promise<void>, entry: Settlement) {
    const answered = new AbortController();
    extension.then(() => answered.abort());
    await sleep(this.#context.clock, EXTENSION_MS, answered.signal);
    this.#send(entry);
    this.#changes.flush();
  }

  #batch(operation: Operation, call: Call): Batch {
    return new Batch(this.#context.clock, async (entries) => {
      let results: readonly EntryResult[];
      try {
        results = await request(
          this.#context,
          operation,
          (...to) => call(entries, ...to),
        );
      } catch (error) {
        results = entries.map(() => ({ ok: false, failure: failureOf(error) }));
      }
      this.#answer(entries, results);
    });
  }

  #change(...[entries, connection, url]: Parameters<Call>): ReturnType<Call> {
    const now = this.#context.clock.now();
    return connection.changeVisibility(
      url,
      entries.map(({ lease: { receiptHandle }, untilMs = 0 }) => ({
        receiptHandle,
        visibilityTimeoutSeconds: Math.max(
          0,
          Math.ceil((untilMs - now) / 1000),
        ),
      })),
    );
  }

  #send(entry: Settlement): void {
    const batch = entry.untilMs === undefined ? this.#deletes : this.#changes;
    batch.add(entry, this.#latestMs(entry.lease));
  }

  /** When an entry must be sent, so that its lease has time for retries. */
  #latestMs(lease: Lease): number {
    const { clock, options } = this.#context;
    const now = clock.now();
    if (this.#forceSignal.aborted) return now;
    const left = Math.max(0, lease.deadlineMs - now);
    return now + Math.min(options.deleteDelaySeconds * 1000, left / 4);
  }

  /** Settles each entry of a request by its own result. */
  #answer(entries: readonly Settlement[], results: readonly EntryResult[]) {
    const refused: Settlement[] = [];
    let why = "";
    for (const [i, entry] of entries.entries()) {
      const result = results[i] ?? UNANSWERED;
      if (!result.ok) {
        const { code, message } = result.failure;
        const said = `${code}: ${message}`;
        if (!this.#isFinal(entry, code)) {
          why ||= said;
          if (entry.refusals === 0) refused.push(entry);
          this.#tryAgain(entry);
          continue;
        }
        this.#log("failed", [entry], said);
      }
      if (entry.refusals > 0) this.retrying--;
      entry.resolve(result.ok);
    }
    if (refused.length > 0) this.#log("failed; retrying", refused, why);
  }

  /** Whether another try is useless or too late. */
  #isFinal({ lease, refusals }: Settlement, code: string): boolean {
    return LOST_CODES.has(code) || lease.lost ||
      this.#context.clock.now() >= lease.deadlineMs ||
      (this.#forceSignal.aborted && refusals >= MAX_LAST_REFUSALS);
  }

  /** Tries again while the lease lives, after a pause that grows. */
  async #tryAgain(entry: Settlement): Promise<void> {
    if (entry.refusals++ === 0) {
      this.retrying++;
      this.#onRetry();
    }
    const ms = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (entry.refusals - 1));
    const force = this.#forceSignal.aborted ? undefined : this.#forceSignal;
    await sleep(this.#context.clock, ms, force);
    this.#send(entry);
  }

  #log(what: string, entries: readonly Settlement[], why: string): void {
    const { loggers, queue } = this.#context;
    const action = entries[0]!.untilMs === undefined
      ? "Delete"
      : "Visibility change";
    const names = nameJobs(queue, ...entries.map(({ lease }) => lease.message));
    loggers.get("zsqs").error(`${action} ${what}: ${names}: ${why}`);
  }
}

/** Requests a batch. */
type Call = (
  entries: readonly Settlement[],
  connection: EngineConnection,
  url: string,
) => Promise<EntryResult[]>;

/** Gathers entries until there are ten, or the first may wait no longer. */
class Batch {
  readonly #clock: Clock;
  readonly #send: (entries: readonly Settlement[]) => void;
  readonly #alarm: Alarm;
  #entries: Settlement[] = [];
  #flushAtMs = Infinity;

  constructor(clock: Clock, send: (entries: readonly Settlement[]) => void) {
    this.#clock = clock;
    this.#send = send;
    this.#alarm = new Alarm(clock, () => this.#ring());
  }

  add(entry: Settlement, latestMs: number): void {
    this.#entries.push(entry);
    if (this.#entries.length >= MAX_BATCH) return this.flush();
    this.#flushAtMs = Math.min(this.#flushAtMs, latestMs);
    this.#alarm.setBy(this.#flushAtMs);
  }

  flush(): void {
    if (this.#entries.length === 0) return;
    const entries = this.#entries;
    this.#entries = [];
    this.#flushAtMs = Infinity;
    this.#send(entries);
  }

  clearTimers(): void {
    this.#alarm.off();
  }

  /** Those for which the alarm was set may have been sent with others. */
  #ring(): void {
    if (this.#flushAtMs <= this.#clock.now()) this.flush();
    else this.#alarm.setBy(this.#flushAtMs);
  }
}

function failureOf(error: unknown): EntryFailure {
  const { code = "Error", message = String(error), senderFault = false } =
    error as Partial<EntryFailure>;
  return { code, message, senderFault };
}
