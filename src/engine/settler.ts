/**
 * Settlement: deletes and visibility changes, gathered into batches, each
 * settled by its own entry's result.
 *
 * @module
 */

import { sleep, unlessAborted } from "../clock.ts";
import type { Decision } from "../job/decide.ts";
import { logJobs } from "../job/job_lines.ts";
import {
  type EntryFailure,
  type EntryResult,
  MAX_BATCH,
  UNANSWERED,
} from "../sqs/connection.ts";
import { Batch } from "../sqs/batch.ts";
import type { Operation } from "../telemetry/events.ts";
import { TurnoverMap } from "../turnover.ts";
import {
  type EngineConnection,
  type EngineContext,
  request,
} from "./context.ts";
import { DOUBT_MS, LOST_CODES } from "./heartbeat.ts";
import type { Lease } from "./lease.ts";
import type { RecentIds } from "./recent_ids.ts";

/** The pause before a refused entry is tried again, in milliseconds. */
const RETRY_MS = 200;

/** The longest such pause, in milliseconds. */
const MAX_RETRY_MS = 5_000;

/** After so many refusals, five minutes, the log has the reason again. */
const LOG_EVERY = 60;

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
  /** The receipt handle of the last try. */
  receiptHandle?: string;
  /** Whether an extension may still reach SQS after it, and undo it. */
  isDoubtful: boolean;
  isRepeated?: boolean;
}

/** What a settler works with. */
interface SettlerOptions {
  /** Aborts at a forced stop: there is little time to try again. */
  readonly forceSignal: AbortSignal;
  /** Remembers the jobs whose message may come again. */
  readonly finished: RecentIds;
  /** Called when an entry was refused for the first time. */
  readonly onRetry: () => void;
}

/** Deletes messages and changes their visibility. */
export class Settler {
  readonly #context: EngineContext;
  readonly #options: SettlerOptions;
  readonly #deletes: Batch<Settlement>;
  readonly #changes: Batch<Settlement>;
  /** All that are not settled. */
  readonly #open = new TurnoverMap<Settlement, true>();
  #isGathering = false;
  #isFlushing = false;
  /** How many settlements were refused and are being tried again. */
  retrying = 0;

  constructor(context: EngineContext, options: SettlerOptions) {
    this.#context = context;
    this.#options = options;
    this.#deletes = this.#batch(
      "DeleteMessage",
      (entries, connection, url) => connection.delete(url, handlesOf(entries)),
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
      const isDoubtful = false;
      const entry = { lease, untilMs, resolve, refusals: 0, isDoubtful };
      this.#open.set(entry, true);
      if (untilMs === undefined) this.#send(entry);
      else this.#sendAfterExtension(entry);
    });
  }

  /** Ends all that SQS has not answered: no time is left. */
  giveUp(): void {
    const open = [...this.#open.keys()];
    for (let i = 0; i < open.length; i += MAX_BATCH) {
      this.#fail(open.slice(i, i + MAX_BATCH), "the container has stopped");
    }
    for (const entry of open) this.#end(entry, false);
  }

  /** Settles several messages: no flush parts what travels together. */
  together(settle: () => void): void {
    this.#isGathering = true;
    settle();
    this.#isGathering = false;
    if (this.#isFlushing) this.flush();
  }

  /** Sends the batches that are not full. */
  flush(): void {
    this.#isFlushing = this.#isGathering;
    if (this.#isGathering) return;
    this.#deletes.flush();
    this.#changes.flush();
  }

  /** Cancels the timers, once nothing is being settled. */
  clearTimers(): void {
    this.#deletes.clearTimers();
    this.#changes.clearTimers();
  }

  /** SQS could take an extension under way after this change, and undo it. */
  async #sendAfterExtension(entry: Settlement): Promise<void> {
    const { lease } = entry;
    const { clock } = this.#context;
    const { extension } = lease;
    if (extension !== undefined) {
      const late = new AbortController();
      const cancel = clock.timer(EXTENSION_MS, () => late.abort());
      await unlessAborted(extension.ended, late.signal);
      cancel();
      extension.drop();
      await extension.ended;
    }
    entry.isDoubtful = clock.now() < lease.doubtUntilMs;
    this.#send(entry);
    if (extension !== undefined) this.#changes.flush();
  }

  /**
   * An extension without an answer may come after the change. It does not if
   * the message was received again: SQS then refuses our handle.
   */
  async #repeat(entry: Settlement): Promise<void> {
    await sleep(this.#context.clock, DOUBT_MS);
    if (!this.#open.has(entry)) return;
    this.#send(entry);
    this.#changes.flush();
  }

  #batch(operation: Operation, call: Call): Batch<Settlement> {
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
      handlesOf(entries).map((receiptHandle, i) => {
        const seconds = Math.ceil((entries[i]!.untilMs! - now) / 1000);
        const visibilityTimeoutSeconds = Math.max(0, seconds);
        return { receiptHandle, visibilityTimeoutSeconds };
      }),
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
    if (this.#options.forceSignal.aborted) return now;
    const left = Math.max(0, lease.deadlineMs - now);
    return now + Math.min(options.deleteDelaySeconds * 1000, left / 4);
  }

  /** Settles each entry of a request by its own result. */
  #answer(entries: readonly Settlement[], results: readonly EntryResult[]) {
    const refused: Settlement[] = [];
    let why = "";
    for (const [i, entry] of entries.entries()) {
      // Given up while SQS answered.
      if (!this.#open.has(entry)) continue;
      const result = results[i] ?? UNANSWERED;
      if (!result.ok) {
        this.#remember(entry);
        const { code, message } = result.failure;
        const said = `${code}: ${message}`;
        if (!this.#isFinal(entry, code)) {
          why ||= said;
          if (entry.refusals % LOG_EVERY === 0) refused.push(entry);
          this.#tryAgain(entry);
          continue;
        }
        // A repeated change is refused if the first one was not undone.
        if (!entry.isRepeated) this.#fail([entry], said);
      } else if (entry.isDoubtful && !entry.isRepeated) {
        entry.isRepeated = true;
        this.#repeat(entry);
        continue;
      } else if (this.#isLate(entry)) this.#remember(entry);
      this.#end(entry, result.ok);
    }
    if (refused.length > 0) this.#log("failed; retrying", refused, why);
  }

  #end(entry: Settlement, isSettled: boolean): void {
    this.#open.delete(entry);
    if (entry.refusals > 0) this.retrying--;
    entry.resolve(isSettled);
  }

  /** Its message may come again: this job must not run again then. */
  #remember({ lease, untilMs }: Settlement): void {
    if (untilMs !== undefined) return;
    this.#options.finished.add(lease.message.messageId);
  }

  /** SQS reports success for a late delete, too, and may delete nothing. */
  #isLate({ lease }: Settlement): boolean {
    return lease.lost || this.#context.clock.now() >= lease.deadlineMs;
  }

  /** Whether another try is useless or too late. A delete never is too late. */
  #isFinal(entry: Settlement, code: string): boolean {
    const { lease, refusals, receiptHandle } = entry;
    const isStopped = this.#options.forceSignal.aborted;
    if (isStopped && refusals >= MAX_LAST_REFUSALS) return true;
    if (LOST_CODES.has(code) && receiptHandle === lease.receiptHandle) {
      return true;
    }
    return entry.untilMs !== undefined &&
      (lease.lost || this.#context.clock.now() >= lease.hiddenUntilMs);
  }

  /** Tries again, after a pause that grows. */
  async #tryAgain(entry: Settlement): Promise<void> {
    const { forceSignal, onRetry } = this.#options;
    if (entry.refusals++ === 0) {
      this.retrying++;
      onRetry();
    }
    const ms = Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (entry.refusals - 1));
    const force = forceSignal.aborted ? undefined : forceSignal;
    await sleep(this.#context.clock, ms, force);
    if (this.#open.has(entry)) this.#send(entry);
  }

  /** Entries of which SQS did not take the last try. */
  #fail(entries: readonly Settlement[], why: string): void {
    const byAction = Map.groupBy(entries, isDelete);
    const deletes = byAction.get(true) ?? [];
    for (const _ of deletes) this.#context.events.ended("undeleted");
    this.#log("failed; the jobs have ended, and may run again", deletes, why);
    this.#log("failed", byAction.get(false) ?? [], why);
  }

  #log(what: string, entries: readonly Settlement[], why: string): void {
    if (entries.length === 0) return;
    const { loggers, queue } = this.#context;
    const action = isDelete(entries[0]!) ? "Delete" : "Visibility change";
    const jobs = entries.map(({ lease }) => lease.message);
    const line = { queue, jobs, what: `${action} ${what}`, why };
    logJobs(loggers.get("zsqs"), "error", line);
  }
}

/** Requests a batch. */
type Call = (
  entries: readonly Settlement[],
  connection: EngineConnection,
  url: string,
) => Promise<EntryResult[]>;

function isDelete({ untilMs }: Settlement): boolean {
  return untilMs === undefined;
}

/** The newest receipt handles, as they are now. */
function handlesOf(entries: readonly Settlement[]): string[] {
  return entries.map((entry) =>
    entry.receiptHandle = entry.lease.receiptHandle
  );
}

function failureOf(error: unknown): EntryFailure {
  const { code = "Error", message = String(error), senderFault = false } =
    error as Partial<EntryFailure>;
  return { code, message, senderFault };
}
