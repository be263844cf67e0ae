/**
 * Batches: messages wait for company, run together, and are settled each by its
 * own outcome. A batch that throws runs again in parts.
 *
 * @module
 */

import type { JobAbortReason } from "../job_errors.ts";
import { Alarm } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Outcome } from "../job/decide.ts";
import { logJobs } from "../job/job_lines.ts";
import {
  type BatchOutcome,
  type BatchRunner,
  endedAfter,
  firstJobs,
  JobControl,
} from "../job/runner.ts";
import type { Logger } from "../logging/loggers.ts";
import { BatchSplit, type Ended, type RunEnd } from "./batch_split.ts";
import type { EngineContext } from "./context.ts";
import type { Lease } from "./lease.ts";
import { groupOf, type NextBatch } from "./waiting_messages.ts";
import type { Work, WorkOptions } from "./work.ts";

/** From this receive count on, a job does not stay because of an outage. */
const OUTAGE_RECEIVES = 3;

/** The control of all jobs of a batch. */
class BatchControl extends JobControl {
  readonly #leases: readonly Lease[];

  constructor(leases: readonly Lease[]) {
    super();
    this.#leases = leases;
  }

  /** A lost lease counts for its job alone, while others are held. */
  override abort(reason: JobAbortReason): void {
    const isHeld = this.#leases
      .some(({ state, lost }) => state === "running" && !lost);
    if (reason !== "lease lost" || !isHeld) super.abort(reason);
  }
}

/** Runs jobs in batches. */
export class BatchJobs implements Work {
  readonly #context: EngineContext;
  readonly #options: WorkOptions;
  readonly #runner: BatchRunner;
  readonly #size: number;
  /** Rings when the first job has waited for long enough. */
  readonly #alarm: Alarm;
  #running = 0;

  constructor(
    context: EngineContext,
    runner: BatchRunner,
    options: WorkOptions,
  ) {
    this.#context = context;
    this.#runner = runner;
    this.#options = options;
    this.#size = context.options.batch!;
    this.#alarm = new Alarm(context.clock, options.onChange);
  }

  get isFull(): boolean {
    return this.#running >= this.#context.options.concurrency;
  }

  get isGathering(): boolean {
    const { startable } = this.#options.leases.waiting;
    return !this.isFull && startable < this.#size;
  }

  start(isLast: boolean): boolean {
    const { leases, room, turns } = this.#options;
    if (this.isFull || room?.hasRoom === false) return false;
    const next = this.#nextBatch();
    if (!this.#isDue(next, isLast)) return false;
    const control = new BatchControl(next.leases);
    leases.waiting.take(next.leases);
    for (const lease of next.leases) leases.begin(lease, control);
    turns.begin();
    this.#run(next.leases, control);
    if (turns.isLong) turns.pause();
    return true;
  }

  clearTimers(): void {
    this.#alarm.off();
  }

  /** The messages of the next batch, none of which has lost its lease. */
  #nextBatch(): NextBatch {
    const { waiting, heartbeat } = this.#options.leases;
    for (;;) {
      const next = waiting.nextBatch(this.#size);
      const now = this.#context.clock.now();
      const over = next.leases.filter(({ deadlineMs }) => now >= deadlineMs);
      if (over.length === 0) return next;
      for (const lease of over) {
        // Losing another one of its group may have released it.
        if (lease.state !== "waiting") continue;
        heartbeat.lose(lease, "it ended while the message waited");
      }
    }
  }

  /** Whether a batch waits for no more jobs. */
  #isDue({ leases: [first], isFull }: NextBatch, isLast: boolean): boolean {
    if (first === undefined) return false;
    const { clock, options: { batchWaitSeconds = 1 } } = this.#context;
    const dueMs = first.arrivedMs + batchWaitSeconds * 1000;
    if (isFull || isLast || clock.now() >= dueMs) return true;
    this.#alarm.setBy(dueMs);
    return false;
  }

  async #run(batch: readonly Lease[], control: BatchControl): Promise<void> {
    const { fifo } = this.#context;
    const { turns, onChange } = this.#options;
    this.#running++;
    this.#watchStart(batch, control);
    const split = this.#split(batch);
    for (;;) {
      this.#dropLost(split);
      const part = split.next;
      if (part.length === 0) break;
      const end = await this.#runOnce(part, control);
      if (control.givenUp) break;
      // From here on, a forced stop leaves them to be settled.
      const { outage } = split;
      const ended = split.end(end);
      const isFirst = part.length > 1 && part.length === batch.length;
      if (isFirst || split.outage !== outage) this.#log(split, batch, end);
      const settled = this.#settle(ended, split);
      if (turns.isLong) await turns.pause();
      if (fifo && split.next.length > 0) await settled;
      if (control.givenUp) break;
      control.restart();
    }
    if (!control.givenUp) this.#settle(split.takeHeld(), split);
    this.#running--;
    onChange();
  }

  #watchStart(batch: readonly Lease[], control: BatchControl): void {
    const { clock, events, options: { timeoutSeconds } } = this.#context;
    let isStarted = false;
    control.onStart = () => {
      const now = control.startedAtMs = clock.now();
      // Each run has a timeout, but a job starts once.
      for (const { message } of isStarted ? [] : batch) {
        events.started(Math.max(0, now - message.sentAtMs), message);
      }
      isStarted = true;
      if (timeoutSeconds !== undefined) control.limit(clock, timeoutSeconds);
    };
  }

  #split(batch: readonly Lease[]): BatchSplit<Lease> {
    const { fifo, options: { attempts = OUTAGE_RECEIVES } } = this.#context;
    const { leases, outcomes } = this.#options;
    return new BatchSplit(batch, {
      inOrder: fifo,
      mayStay: (lease) => leases.attemptsOf(lease) < attempts,
      leaves: (lease, outcome) => outcomes.leaves(lease, outcome),
    });
  }

  async #runOnce(
    part: readonly Lease[],
    control: BatchControl,
  ): Promise<RunEnd> {
    const messages = part.map(({ message }) => message);
    const result = await this.#runner.runBatch(messages, control);
    const now = this.#context.clock.now();
    const isLate = now >= control.endMs;
    control.end(now);
    const late = isLate ? "timed out" : undefined;
    const ran = part.slice(0, result.ran);
    const end = this.#endOf(ran, result, control.abortReason ?? late);
    const { outcome } = end;
    // Released jobs have not run, and lone ones log their own errors.
    const isLogged = end.isDoubtful || ran.length === 1 || control.givenUp ||
      outcome.kind === "done" || outcome.kind === "released";
    if (isLogged) return end;
    return { ...end, outcome: this.#options.outcomes.logBatch(ran, outcome) };
  }

  /** What a run says of its jobs, after an abort or without one. */
  #endOf(
    part: readonly Lease[],
    { outcome, own, ran }: BatchOutcome,
    reason: JobAbortReason | undefined,
  ): RunEnd {
    if (reason === undefined) {
      const isDoubtful = DOUBTFUL.has(outcome.kind);
      return { outcome, own, ran, isDoubtful };
    }
    // After an abort, not even a PermanentError says something of a job.
    const thrown = outcome.kind === "unfit"
      ? { ...outcome, kind: "failed" as const }
      : outcome;
    const known = endedAfter(thrown, reason);
    // Its process died; or all would fail for the one that is slow.
    const isDoubtful = known.kind === "timedOut" &&
      (outcome.kind === "timedOut" ||
        part.some((lease) => this.#options.outcomes.leaves(lease, known)));
    const late = own?.map(({ position, outcome }) => ({
      position,
      outcome: endedAfter(outcome, reason),
    }));
    return { outcome: known, own: late, ran, isDoubtful };
  }

  /** Ends the leases of jobs that were lost before their next run. */
  #dropLost(split: BatchSplit<Lease>): void {
    const { leases, releases } = this.#options;
    const { clock, fifo } = this.#context;
    const now = clock.now();
    const lost = split
      .drop(({ lost, deadlineMs }) => lost || now >= deadlineMs);
    for (const lease of lost) {
      if (!lease.lost) {
        leases.heartbeat.lose(lease, "it ended before the job ran again");
      }
      releases.behind(lease);
      releases.one(lease);
      if (fifo) this.#releaseBehind(lease, split);
    }
  }

  /** Settles the messages of jobs that have ended; on FIFO queues in order. */
  #settle(
    ended: readonly Ended<Lease>[],
    split: BatchSplit<Lease>,
  ): Promise<unknown> | undefined {
    const { leases, settler } = this.#options;
    const now = this.#context.clock.now();
    const ends = ended.map(({ job, outcome }) => {
      leases.settle(job);
      const isLost = job.lost || now >= job.deadlineMs;
      const known = endedAfter(outcome, isLost ? "lease lost" : undefined);
      return { job, outcome: known };
    });
    let settled: Promise<unknown> | undefined;
    settler.together(() => {
      if (!this.#context.fifo) return this.#settleAll(ends);
      const groups = Map.groupBy(ends, ({ job }) => groupOf(job));
      settled = Promise.all(
        [...groups.values()].map((group) => this.#settleGroup(group, split)),
      );
    });
    return settled;
  }

  #settleAll(ended: readonly Ended<Lease>[]): void {
    const { outcomes, releases, onChange } = this.#options;
    let left = ended.length;
    for (const { job, outcome } of ended) {
      outcomes.settle(job, outcome).then((deleted) => {
        releases.end(job, deleted);
        if (--left === 0) onChange();
      });
    }
  }

  /** If a job of a group stays, later jobs of it are released, even if done. */
  async #settleGroup(
    ended: readonly Ended<Lease>[],
    split: BatchSplit<Lease>,
  ): Promise<void> {
    const { outcomes, releases, onChange } = this.#options;
    for (let i = 0; i < ended.length;) {
      // Jobs that are done travel together, ...
      const start = i++;
      while (isDone(ended[start]) && isDone(ended[i])) i++;
      const together = ended.slice(start, i);
      const deleted = await Promise.all(
        together.map(({ job, outcome }) => outcomes.settle(job, outcome)),
      );
      const gone = together.map(({ job }, j) => releases.end(job, deleted[j]!));
      if (gone.every((isGone) => isGone)) continue;
      // ... but others may stay.
      releases.all(ended.slice(i).map(({ job }) => job));
      this.#releaseBehind(together[0]!.job, split);
      break;
    }
    onChange();
  }

  /** Releases what has not run again of a group. */
  #releaseBehind(lease: Lease, split: BatchSplit<Lease>): void {
    const group = groupOf(lease);
    const behind = split.drop((each) => groupOf(each) === group);
    this.#options.releases.all(behind);
    if (behind.length > 0) this.#options.settler.flush();
  }

  /** Logs the first run that failed, and an outage. */
  #log(split: BatchSplit<Lease>, batch: readonly Lease[], end: RunEnd): void {
    const { queue } = this.#context;
    const jobs = firstJobs(batch).map(({ message }) => message);
    const { outage } = split;
    if (outage !== undefined) {
      const what =
        `All parts of a batch failed, so that no single job is the cause; ${outage.jobs} jobs will be received again`;
      const thrown = [outage.error];
      logJobs(this.#logger, "error", { what, queue, jobs, thrown });
    } else if (end.isDoubtful) {
      const { error } = end.outcome as Exclude<Outcome, { kind: "done" }>;
      const what =
        `A batch of ${batch.length} jobs failed; running its halves to find the cause`;
      const why = messageOf(error);
      logJobs(this.#logger, "info", { what, queue, jobs, why });
    }
  }

  get #logger(): Logger {
    return this.#context.loggers.get("zsqs");
  }
}

/** Errors of a batch that one job may be to blame for. */
const DOUBTFUL: ReadonlySet<Outcome["kind"]> = new Set([
  "failed",
  "timedOut",
  "unfit",
]);

function isDone(end: Ended<Lease> | undefined): boolean {
  return end?.outcome.kind === "done";
}
