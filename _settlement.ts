/**
 * Settlement: deletes and visibility changes, gathered into batches, each
 * settled by its own entry's result.
 *
 * @module
 */

import { type Clock, sleep } from "./_clock.ts";
import { type EntryResult, MAX_BATCH, UNANSWERED } from "./_connection.ts";
import type { EngineConnection } from "./_counters.ts";
import { type Lease, saysLost } from "./_leases.ts";
import type { Logger } from "./_loggers.ts";

/** The pause before a refused entry is tried again, in milliseconds. */
const RETRY_MS = 200;

/** The longest such pause, in milliseconds. */
const MAX_RETRY_MS = 5_000;

/** What the settler works with. */
export interface SettlerOptions {
  readonly connection: EngineConnection;
  readonly url: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long an entry may wait for company, in milliseconds. */
  readonly delayMs: number;
  /** Ends all trying again. */
  readonly signal: AbortSignal;
  /** Called when an entry was refused and is to be tried again. */
  readonly onRetry: () => void;
}

interface Hide {
  readonly lease: Lease;
  /** When the message is to be visible again. */
  readonly untilMs: number;
}

/** Deletes messages and changes their visibility. */
export class Settler {
  readonly #options: SettlerOptions;
  readonly #deletes: Batch<Lease>;
  readonly #hides: Batch<Hide>;
  /** How many entries were refused and are tried again. */
  retrying = 0;

  constructor(options: SettlerOptions) {
    const { connection, url, clock } = options;
    this.#options = options;
    this.#deletes = new Batch(
      clock,
      (leases) =>
        connection.delete(url, leases.map((lease) => lease.receiptHandle)),
    );
    this.#hides = new Batch(
      clock,
      (hides) =>
        connection.changeVisibility(
          url,
          hides.map(({ lease, untilMs }) => ({
            receiptHandle: lease.receiptHandle,
            visibilityTimeoutSeconds: secondsUntil(untilMs, clock.now()),
          })),
        ),
    );
  }

  /** Deletes a message; tells whether SQS says that it did. */
  delete(lease: Lease): Promise<boolean> {
    return this.#settle(
      lease,
      () => this.#deletes.add(lease, this.#latest(lease)),
      "delete",
    );
  }

  /** Hides a message for some seconds from now on, 0 to show it at once. */
  hide(lease: Lease, seconds: number): Promise<boolean> {
    const untilMs = this.#options.clock.now() + seconds * 1000;
    return this.#settle(
      lease,
      () => this.#hides.add({ lease, untilMs }, this.#latest(lease)),
      "change the visibility of",
    );
  }

  /** Sends what waits for company. */
  flush(): void {
    this.#deletes.flush();
    this.#hides.flush();
  }

  /** When an entry must be on its way: while its lease has time. */
  #latest(lease: Lease): number {
    const now = this.#options.clock.now();
    if (this.#options.signal.aborted) return now;
    const left = Math.max(0, lease.deadlineMs - now);
    return now + Math.min(this.#options.delayMs, left / 4);
  }

  /** Tries until it is done, while the lease lives. */
  async #settle(
    lease: Lease,
    attempt: () => Promise<EntryResult>,
    what: string,
  ): Promise<boolean> {
    const { clock, logger, signal, onRetry } = this.#options;
    const failed = `Cannot ${what} message ${lease.message.messageId}`;
    let tries = 0;
    try {
      for (;;) {
        const result = await attempt();
        if (result.ok) return true;
        const { code, message } = result.failure;
        const final = saysLost(code) || signal.aborted || lease.lost ||
          clock.now() >= lease.deadlineMs;
        if (final) {
          logger.error(`${failed}: ${code}: ${message}`);
          return false;
        }
        if (tries++ === 0) {
          logger.error(`${failed}, trying on: ${code}: ${message}`);
          this.retrying++;
          onRetry();
        }
        const pauseMs = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (tries - 1));
        await sleep(clock, pauseMs, signal);
      }
    } finally {
      if (tries > 0) this.retrying--;
    }
  }
}

interface Entry<T> {
  readonly item: T;
  readonly resolve: (result: EntryResult) => void;
}

/** Gathers entries until there are ten, or the first may wait no longer. */
class Batch<T> {
  readonly #clock: Clock;
  readonly #send: (items: readonly T[]) => Promise<readonly EntryResult[]>;
  #entries: Entry<T>[] = [];
  #cancel: (() => void) | undefined;
  #flushAtMs = Infinity;

  constructor(
    clock: Clock,
    send: (items: readonly T[]) => Promise<readonly EntryResult[]>,
  ) {
    this.#clock = clock;
    this.#send = send;
  }

  add(item: T, latestMs: number): Promise<EntryResult> {
    const { promise, resolve } = Promise.withResolvers<EntryResult>();
    this.#entries.push({ item, resolve });
    if (this.#entries.length >= MAX_BATCH) this.flush();
    else if (latestMs < this.#flushAtMs) {
      this.#cancel?.();
      this.#flushAtMs = latestMs;
      this.#cancel = this.#clock.timer(
        latestMs - this.#clock.now(),
        () => this.flush(),
      );
    }
    return promise;
  }

  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#flushAtMs = Infinity;
    const entries = this.#entries;
    if (entries.length === 0) return;
    this.#entries = [];
    this.#deliver(entries);
  }

  async #deliver(entries: readonly Entry<T>[]): Promise<void> {
    let results: readonly EntryResult[];
    try {
      results = await this.#send(entries.map(({ item }) => item));
    } catch (error) {
      const failure = failureOf(error);
      results = entries.map(() => ({ ok: false, failure }));
    }
    for (const [i, { resolve }] of entries.entries()) {
      resolve(results[i] ?? UNANSWERED);
    }
  }
}

function failureOf(error: unknown): (EntryResult & { ok: false })["failure"] {
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
