/**
 * Settlement: deletes and visibility changes, gathered into batches, each
 * settled by its own entry's result.
 *
 * @module
 */

import { Alarm, type Clock, sleep } from "../clock.ts";
import { type EntryResult, MAX_BATCH, UNANSWERED } from "../sqs/connection.ts";
import type { EngineConnection } from "../telemetry/counters.ts";
import { type Lease, saysLost } from "./leases.ts";
import type { Logger } from "../logging/loggers.ts";

/** The pause before a refused entry is tried again, in milliseconds. */
const RETRY_MS = 200;

/** The longest such pause, in milliseconds. */
const MAX_RETRY_MS = 5_000;

/** How often an entry may be refused where the run is to end at once. */
const MAX_LAST_REFUSALS = 3;

/** What the settler works with. */
export interface SettlerOptions {
  readonly connection: EngineConnection;
  readonly url: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long an entry may wait for company, in milliseconds. */
  readonly delayMs: number;
  /** Says that the run is to end at once: there is little time to try again. */
  readonly signal: AbortSignal;
  /** Called when an entry was refused and is to be tried again. */
  readonly onRetry: () => void;
}

/** Told of a message whether SQS says that it did as asked. */
export type OnDone = (lease: Lease, done: boolean) => void;

/** A delete or a change of visibility that is to be done. */
interface Settlement {
  readonly lease: Lease;
  /** When the message is to be visible again; absent where it is deleted. */
  readonly untilMs?: number;
  /** Told whether SQS says that it did. */
  readonly onDone: OnDone;
  /** How often it was refused. */
  refusals: number;
}

/** Deletes messages and changes their visibility. */
export class Settler {
  readonly #options: SettlerOptions;
  readonly #deletes: Batch;
  readonly #hides: Batch;
  /** How many settlements were refused and are tried again. */
  retrying = 0;

  constructor(options: SettlerOptions) {
    const { connection, url, clock } = options;
    this.#options = options;
    const batch = (
      send: (entries: readonly Settlement[]) => Promise<EntryResult[]>,
    ) => new Batch(clock, send, (...answers) => this.#answer(...answers));
    this.#deletes = batch((entries) =>
      connection.delete(url, entries.map(({ lease }) => lease.receiptHandle))
    );
    this.#hides = batch((entries) =>
      connection.changeVisibility(
        url,
        entries.map(({ lease, untilMs = 0 }) => ({
          receiptHandle: lease.receiptHandle,
          visibilityTimeoutSeconds: secondsUntil(untilMs, clock.now()),
        })),
      )
    );
  }

  /** Deletes a message. No promise tells of it: most jobs come here. */
  delete(lease: Lease, onDone: OnDone): void {
    this.#try({ lease, onDone, refusals: 0 });
  }

  /**
   * Hides a message for some seconds from now on, 0 to show it at once; tells
   * whether SQS says that it did.
   */
  hide(lease: Lease, seconds: number): Promise<boolean> {
    const untilMs = this.#options.clock.now() + seconds * 1000;
    return new Promise((resolve) => {
      const onDone: OnDone = (_, done) => resolve(done);
      this.#try({ lease, untilMs, onDone, refusals: 0 });
    });
  }

  /** Sends what waits for company. */
  flush(): void {
    this.#deletes.flush();
    this.#hides.flush();
  }

  /** Takes the timers back: only where nothing is to be settled. */
  rest(): void {
    this.#deletes.rest();
    this.#hides.rest();
  }

  #try(settlement: Settlement): void {
    const batch = settlement.untilMs === undefined
      ? this.#deletes
      : this.#hides;
    batch.add(settlement, this.#latest(settlement.lease));
  }

  /** When an entry must be on its way: while its lease has time. */
  #latest(lease: Lease): number {
    const now = this.#options.clock.now();
    if (this.#options.signal.aborted) return now;
    const left = Math.max(0, lease.deadlineMs - now);
    return now + Math.min(this.#options.delayMs, left / 4);
  }

  /** Settles each entry of a request by its own result. */
  #answer(
    entries: readonly Settlement[],
    results: readonly EntryResult[],
  ): void {
    const settled: [entry: Settlement, done: boolean][] = [];
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
        this.#options.logger.error(`${failureOf([entry])}: ${said}`);
      }
      if (entry.refusals > 0) this.retrying--;
      settled.push([entry, result.ok]);
    }
    if (refused.length > 0) {
      this.#options.logger.error(`${failureOf(refused)}, trying on: ${why}`);
    }
    // Jobs may start in there: all that was answered is counted before.
    for (const [{ lease, onDone }, done] of settled) onDone(lease, done);
  }

  /** Whether it is no use, or too late, to try again. */
  #isFinal({ lease, refusals }: Settlement, code: string): boolean {
    const { clock, signal } = this.#options;
    return saysLost(code) || lease.lost || clock.now() >= lease.deadlineMs ||
      (signal.aborted && refusals >= MAX_LAST_REFUSALS);
  }

  /** Tries again while the lease lives, after a pause that grows. */
  async #tryAgain(settlement: Settlement): Promise<void> {
    const { clock, signal, onRetry } = this.#options;
    if (settlement.refusals++ === 0) {
      this.retrying++;
      onRetry();
    }
    const pauseMs = RETRY_MS * 2 ** (settlement.refusals - 1);
    await sleep(
      clock,
      Math.min(MAX_RETRY_MS, pauseMs),
      signal.aborted ? undefined : signal,
    );
    this.#try(settlement);
  }
}

/** Gathers entries until there are ten, or the first may wait no longer. */
class Batch {
  readonly #clock: Clock;
  readonly #send: (entries: readonly Settlement[]) => Promise<EntryResult[]>;
  readonly #answer: (
    entries: readonly Settlement[],
    results: readonly EntryResult[],
  ) => void;
  readonly #alarm: Alarm;
  #entries: Settlement[] = [];
  #flushAtMs = Infinity;

  constructor(
    clock: Clock,
    send: (entries: readonly Settlement[]) => Promise<EntryResult[]>,
    answer: (
      entries: readonly Settlement[],
      results: readonly EntryResult[],
    ) => void,
  ) {
    this.#clock = clock;
    this.#send = send;
    this.#answer = answer;
    this.#alarm = new Alarm(clock, () => this.#ring());
  }

  add(entry: Settlement, latestMs: number): void {
    this.#entries.push(entry);
    if (this.#entries.length >= MAX_BATCH) return this.#deliver();
    this.#flushAtMs = Math.min(this.#flushAtMs, latestMs);
    this.#alarm.setBy(this.#flushAtMs);
  }

  flush(): void {
    if (this.#entries.length > 0) this.#deliver();
  }

  rest(): void {
    this.#alarm.off();
  }

  /** The first of those gathered may wait no longer, if it is still here. */
  #ring(): void {
    if (this.#flushAtMs <= this.#clock.now()) this.#deliver();
    else this.#alarm.setBy(this.#flushAtMs);
  }

  #deliver(): void {
    const entries = this.#entries;
    this.#entries = [];
    this.#flushAtMs = Infinity;
    this.#request(entries);
  }

  async #request(entries: readonly Settlement[]): Promise<void> {
    let results: readonly EntryResult[];
    try {
      results = await this.#send(entries);
    } catch (error) {
      const failure = entryFailure(error);
      results = entries.map(() => ({ ok: false, failure }));
    }
    this.#answer(entries, results);
  }
}

/** What failed, of entries of one request. */
function failureOf(entries: readonly Settlement[]): string {
  const what = entries[0]!.untilMs === undefined
    ? "delete"
    : "change the visibility of";
  const ids = entries.map(({ lease }) => lease.message.messageId).join(", ");
  return `Cannot ${what} ${
    entries.length === 1 ? "message" : "messages"
  } ${ids}`;
}

function entryFailure(
  error: unknown,
): (EntryResult & { ok: false })["failure"] {
  const { code, message, senderFault } = error as Partial<
    { code: string; message: string; senderFault: boolean }
  >;
  return {
    code: code ?? "Error",
    message: message ?? String(error),
    senderFault: senderFault ?? false,
  };
}

function secondsUntil(untilMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((untilMs - nowMs) / 1000));
}
