/**
 * The engine: receives messages, runs their jobs side by side, and settles
 * them.
 *
 * Whatever happens (an answer, a job's end, a settlement, a signal) ends in
 * {@linkcode Engine.#step}, which starts all that may start now.
 *
 * @module
 */

import type { Clock, Random } from "../clock.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import {
  type ContainerSummary,
  Counters,
  type EngineConnection,
} from "../telemetry/counters.ts";
import { messageOf } from "../errors.ts";
import type { FailureQueue } from "./failure_queue.ts";
import { HeldMessages } from "./held_messages.ts";
import { type Handler, runJob } from "../job/run_job.ts";
import { JobControl } from "../job/run_job.ts";
import { Lease, LeaseKeeper } from "./leases.ts";
import type { Logger } from "../logging/loggers.ts";
import { Polls } from "./receiver.ts";
import {
  type Outcome,
  type RetryDelay,
  retryDelaySeconds,
} from "../job/decide.ts";
import { type OnDone, Settler } from "./settler.ts";
import { Turns } from "./cpu_turns.ts";
import type { Visibility } from "./receiver.ts";
import { WaitingList } from "./held_messages.ts";
import { bodyText } from "../message/body.ts";

/** How many long polls in a row must be empty before a drain ends. */
const DRAIN_POLLS = 2;

/** How long what SQS does not answer may keep a forced stop, in milliseconds. */
const FORCE_LIMIT_MS = 10_000;

/** How many messages may be held at most for each job at a time. */
const MAX_HELD = 10;

/** What the engine works with. */
export interface EngineOptions {
  readonly connection: EngineConnection;
  readonly url: string;
  /** The queue's name. */
  readonly queue: string;
  readonly fifo: boolean;
  readonly handler: Handler;
  readonly loggers: { get(name: string): Logger };
  readonly clock: Clock;
  readonly random: Random;
  /** Jobs at a time. */
  readonly concurrency: number;
  /** Messages received and waiting beyond those. */
  readonly prefetch: number;
  /** How long a receive waits for a message, in seconds. */
  readonly waitTimeSeconds: number;
  /** For how long a receive hides a message: until it is known, 30 s. */
  readonly visibility: Visibility;
  /** Whether nobody has seen yet that the queue can be used. */
  readonly isUnseen?: boolean;
  /** How long a delete may wait for company, in seconds. */
  readonly deleteDelaySeconds: number;
  /** After which a job's signal aborts, in seconds. */
  readonly timeoutSeconds?: number;
  readonly retryDelay?: RetryDelay;
  /** What becomes of bad input. */
  readonly failures: "delete" | "keep" | FailureQueue;
}

/** The outcomes after which a message stays in the queue. */
type Retry = Exclude<Outcome, { kind: "done" | "failed" }>;

/** How a run is ended. */
export interface EngineRunOptions {
  /**
   * Ends the run: no receive is started, those in flight are awaited and what
   * they bring released, and running jobs finish.
   */
  readonly signal: AbortSignal;
  /** Ends it now: drops the receives, aborts running jobs and releases them. */
  readonly forceSignal: AbortSignal;
  /** Ends the run when nothing comes any more. */
  readonly drain: boolean;
}

/** Runs one container's jobs. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #logger: Logger;
  readonly #messages: Logger;
  readonly #counters = new Counters();
  readonly #keeper: LeaseKeeper;
  readonly #settler: Settler;
  readonly #polls: Polls;
  readonly #waiting: WaitingList;
  readonly #held = new HeldMessages();
  readonly #onDeleted: OnDone = (lease, deleted) =>
    this.#settled(lease, deleted);
  readonly #turns = new Turns(() => this.#step());
  /** Failed messages on their way to the queue that keeps them. */
  readonly #keeping = new Set<Lease>();
  readonly #force = new AbortController();
  #running = 0;
  #settling = 0;
  /** Whether it polls by itself. */
  #polling = false;
  #stopping = false;
  #drain = false;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #cancelLimit: (() => void) | undefined;
  #ended = Promise.withResolvers<void>();
  /** For those who wait for something to happen. */
  #change: PromiseWithResolvers<void> | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    const { clock, random, url, loggers } = options;
    this.#logger = loggers.get("zsqs");
    this.#messages = loggers.get("zsqs.messages");
    const connection = this.#counters.counting(options.connection);
    const shared = { connection, url, clock, logger: this.#logger };
    this.#keeper = new LeaseKeeper({
      ...shared,
      counters: this.#counters,
      held: this.#held,
      onLost: (lease) => this.#lost(lease),
      visibility: options.visibility,
    });
    this.#settler = new Settler({
      ...shared,
      delayMs: options.deleteDelaySeconds * 1000,
      signal: this.#force.signal,
      onRetry: () => this.#happened(),
    });
    this.#waiting = new WaitingList(options.fifo);
    this.#polls = new Polls({
      ...shared,
      random,
      queue: options.queue,
      fifo: options.fifo,
      capacity: options.concurrency + options.prefetch,
      visibility: options.visibility,
      isUnseen: options.isUnseen ?? false,
      onUnusable: (error) => this.#abandon(error),
      onAnswer: (messages, sent) => this.#receive(messages, sent),
      onChange: () => this.#step(),
    });
  }

  /** What has been done so far. */
  get summary(): ContainerSummary {
    return this.#counters.summary;
  }

  /** Why it is not well; nothing where it is. */
  get problem(): string | undefined {
    return this.#stopping ? "Stopping" : this.#polls.problem;
  }

  /**
   * The jobs that run, and those whose failed message is being kept; for the
   * testing double, as are the next two.
   */
  get jobs(): ReadonlySet<object> {
    const running = [...this.#held].filter(({ job }) => job?.running);
    return new Set([...running, ...this.#keeping]);
  }

  /** Resolves when something happens: a job has ended, a message is settled. */
  get changed(): Promise<void> {
    return (this.#change ??= Promise.withResolvers()).promise;
  }

  /** Receives and handles what is visible now. */
  async drain(): Promise<void> {
    for (;;) {
      const answered = await this.#polls.once(this.#room());
      await this.#quiet();
      if (answered === 0) return;
    }
  }

  /**
   * Receives and handles messages until it is told to end.
   *
   * @throws {SqsError} If the queue cannot be used.
   */
  async run(options: EngineRunOptions): Promise<void> {
    const { signal, forceSignal } = options;
    this.#drain = options.drain;
    const stop = () => this.#stop();
    const force = () => this.#forceStop();
    signal.addEventListener("abort", stop, { once: true });
    forceSignal.addEventListener("abort", force, { once: true });
    if (signal.aborted) stop();
    if (forceSignal.aborted) force();
    this.#polling = true;
    this.#step();
    await this.#ended.promise;
    this.#hasEnded = true;
    this.#cancelLimit?.();
    this.#keeper.rest();
    this.#settler.rest();
    signal.removeEventListener("abort", stop);
    forceSignal.removeEventListener("abort", force);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Ends the run with an error: the queue cannot be used. */
  #abandon(error: unknown): void {
    this.#failure ??= { error };
    this.#forceStop();
  }

  /** Starts all that may start now, and tells when the run has ended. */
  #step(): void {
    this.#startJobs();
    if (this.#hasNoJobs()) this.#settler.flush();
    if (!this.#polling) return;
    const drained = this.#drain && this.#isIdle() && this.#polls.size === 0 &&
      this.#polls.empty >= DRAIN_POLLS;
    if (drained) this.#stopping = true;
    if (!this.#stopping) {
      this.#polls.start({
        room: this.#room(),
        waiting: this.#waiting.ready,
        waitTimeSeconds: Math.min(
          this.#options.waitTimeSeconds,
          this.#options.visibility.longestWaitSeconds,
        ),
      });
      return;
    }
    const jobs = this.#force.signal.aborted ? 0 : this.#running;
    if (this.#polls.size === 0 && jobs === 0 && this.#settling === 0) {
      this.#ended.resolve();
    }
  }

  #stop(): void {
    this.#stopping = true;
    this.#polls.stop();
    for (const lease of this.#waiting.takeAll()) this.#giveBack(lease);
    this.#settler.flush();
    this.#step();
  }

  #forceStop(): void {
    this.#stop();
    if (!this.#force.signal.aborted) {
      this.#force.abort();
      // What SQS does not answer must not keep the process.
      this.#cancelLimit = this.#options.clock.timer(FORCE_LIMIT_MS, () => {
        this.#logger.warn(
          `Gave up on settling ${this.#settling} messages, which will be received again`,
        );
        this.#ended.resolve();
      });
    }
    this.#polls.abort();
    const given = [...this.#held].filter(({ job }) => job?.running);
    for (const lease of given) {
      lease.job!.giveUp();
      this.#giveBack(lease);
    }
    if (given.length > 0) {
      const ids = given.map(({ message }) => message.messageId).join(", ");
      this.#logger.warn(
        `Gave up on ${
          given.length === 1 ? "job" : "jobs"
        } ${ids} as the container is stopping: ${
          given.length === 1 ? "it" : "they"
        } will be received again`,
      );
    }
    this.#settler.flush();
    this.#step();
  }

  /** Nothing runs, waits or is being settled. */
  #isIdle(): boolean {
    return this.#hasNoJobs() && this.#settling === 0;
  }

  #hasNoJobs(): boolean {
    return this.#running === 0 && this.#waiting.size === 0;
  }

  /** How many messages more may be received. */
  #room(): number {
    const { concurrency, prefetch } = this.#options;
    const capacity = concurrency + prefetch;
    // One at a time is what zc.sqs does: the message is settled before, if
    // SQS takes that. Elsewhere what SQS refuses to delete holds its place, or
    // every job of the queue would be done, and none deleted.
    const { retrying } = this.#settler;
    const settling = capacity === 1 ? this.#settling - retrying : retrying;
    // What waits behind its own group takes no room, as one slow group would
    // else stop all others; there is an end to it too.
    const waiting = capacity > 1 ? this.#waiting.ready : this.#waiting.size;
    const most = Math.max(capacity, MAX_HELD * concurrency);
    return Math.min(capacity - waiting, most - this.#waiting.size) -
      this.#running - settling;
  }

  async #quiet(): Promise<void> {
    this.#step();
    while (!this.#isIdle()) await this.changed;
  }

  /** Says that something happened. */
  #happened(): void {
    this.#step();
    this.#change?.resolve();
    this.#change = undefined;
  }

  #receive(
    messages: readonly ReceivedMessage[],
    sent: { readonly atMs: number; readonly visibilitySeconds: number },
  ): void {
    if (this.#hasEnded) return;
    const now = this.#options.clock.now();
    this.#counters.received += messages.length;
    if (messages.length === 0) this.#counters.emptyReceives++;
    /** Groups of which a message was left: those behind must not overtake. */
    const left = new Set<string | undefined>();
    for (const message of messages) {
      const lease = new Lease(message, sent.atMs, sent.visibilitySeconds);
      const same = this.#held.get(message.messageId);
      if (same !== undefined && this.#isAlive(same)) {
        this.#adopt(same, lease);
      } else if (same !== undefined && this.#held.has(same)) {
        // Its job still runs: a second one beside it would do it twice. If it
        // returns, this receipt handle is the one that deletes the message.
        same.receiptHandle = message.receiptHandle;
        same.deadlineMs = lease.deadlineMs;
        left.add(message.groupId);
      } else if (
        this.#stopping || (this.#options.fifo && left.has(message.groupId))
      ) {
        this.#release(lease);
      } else if (now >= lease.deadlineMs) {
        this.#counters.leasesLost++;
        left.add(message.groupId);
      } else {
        this.#hold(lease);
      }
    }
    if (this.#stopping) this.#settler.flush();
  }

  #isAlive(lease: Lease): boolean {
    if (lease.lost) return false;
    if (this.#options.clock.now() < lease.deadlineMs) return true;
    this.#keeper.lose(lease, "it was received again");
    return false;
  }

  /** The same message was received again: its newest receipt handle counts. */
  #adopt(held: Lease, again: Lease): void {
    // An answer that comes late brings an older handle.
    if (again.receiveCount < held.receiveCount) return;
    held.receiveCount = again.receiveCount;
    held.receiptHandle = again.receiptHandle;
    held.deadlineMs = again.deadlineMs;
    this.#keeper.renew(held);
  }

  #hold(lease: Lease): void {
    this.#held.add(lease);
    this.#waiting.add(lease);
    this.#keeper.keep(lease);
  }

  #lost(lease: Lease): void {
    if (lease.job !== undefined) {
      lease.job.abort("lease lost");
      this.#releaseBehind(lease);
      return;
    }
    this.#waiting.remove(lease);
    this.#held.delete(lease);
    this.#releaseBehind(lease);
    this.#happened();
  }

  #startJobs(): void {
    const { concurrency, clock } = this.#options;
    while (
      this.#running < concurrency && !this.#stopping &&
      !this.#turns.isPaused
    ) {
      const lease = this.#waiting.take();
      if (lease === undefined) return;
      const now = clock.now();
      if (now < lease.deadlineMs) {
        this.#turns.begin();
        this.#run(lease, now);
        if (this.#turns.isLong) this.#turns.pause();
      } else {
        this.#waiting.free(lease);
        this.#keeper.lose(lease, "it ended while the message waited");
      }
    }
  }

  async #run(lease: Lease, startedMs: number): Promise<void> {
    const { handler, queue, loggers, clock, timeoutSeconds } = this.#options;
    const control = new JobControl();
    lease.job = control;
    this.#running++;
    const endMs = timeoutSeconds === undefined
      ? Infinity
      : startedMs + timeoutSeconds * 1000;
    if (timeoutSeconds !== undefined) {
      control.onEnd = clock.timer(
        timeoutSeconds * 1000,
        () => control.abort("timed out"),
      );
    }
    const { message } = lease;
    const outcome = await runJob(message, { handler, queue, loggers, control });
    const now = clock.now();
    if (this.#turns.isLong) await this.#turns.pause();
    control.end();
    this.#running--;
    if (!control.givenUp) {
      // A job that kept the CPU was not told that its time was over.
      const isLate = now >= endMs || now >= lease.deadlineMs;
      this.#settle(lease, isLate ? asAborted(outcome) : outcome);
    }
    this.#happened();
  }

  /** Counts a settlement while it is under way. */
  async #track(lease: Lease, settle: () => Promise<boolean>): Promise<void> {
    this.#settling++;
    let deleted = false;
    try {
      deleted = await settle();
    } catch (error) {
      // What a job throws may break those who look at it.
      this.#keeper.release(lease);
      this.#logger.error(
        `Cannot settle message ${lease.message.messageId}, which will be received again`,
        error,
      );
    } finally {
      this.#settled(lease, deleted);
    }
  }

  /** A message is settled, deleted or not. */
  #settled(lease: Lease, deleted: boolean): void {
    // A delete that came late may have succeeded and deleted nothing.
    const late = lease.lost || this.#options.clock.now() >= lease.deadlineMs;
    if (!deleted || late) this.#releaseBehind(lease);
    this.#waiting.free(lease);
    this.#held.delete(lease);
    this.#settling--;
    this.#happened();
  }

  /** Settles a message whose job has ended. */
  #settle(lease: Lease, outcome: Outcome): void {
    switch (outcome.kind) {
      case "done":
        this.#counters.done++;
        this.#settling++;
        return this.#delete(lease, this.#onDeleted);
      case "failed":
        this.#track(lease, () => this.#fail(lease, outcome.error));
        return;
      default:
        this.#track(lease, () => this.#retry(lease, outcome));
    }
  }

  async #retry(
    lease: Lease,
    outcome: Retry,
  ): Promise<boolean> {
    this.#counters.retried++;
    this.#logRetry(lease.message, outcome);
    await this.#retryLater(
      lease,
      outcome.kind === "transient" ? outcome.delaySeconds : undefined,
    );
    return false;
  }

  async #fail(lease: Lease, error: unknown): Promise<boolean> {
    const { failures } = this.#options;
    const { message } = lease;
    this.#counters.failed++;
    this.#logger.error("Handling a message", error);
    this.#messages.info(bodyText(message.body));
    if (failures === "delete") return await this.#deleted(lease);
    if (failures === "keep") {
      await this.#retryLater(lease);
      return false;
    }
    try {
      await this.#keep(lease, failures, error);
    } catch (cause) {
      this.#logger.error(
        `Cannot keep failed message ${message.messageId}, which will be received again: ${
          messageOf(cause)
        }`,
      );
      await this.#retryLater(lease);
      return false;
    }
    return await this.#deleted(lease);
  }

  async #keep(
    lease: Lease,
    failures: FailureQueue,
    error: unknown,
  ): Promise<void> {
    this.#keeping.add(lease);
    try {
      const { queue } = this.#options;
      await failures.keep(lease.message, { error, queue });
    } finally {
      this.#keeping.delete(lease);
      this.#happened();
    }
  }

  #delete(lease: Lease, onDone: OnDone): void {
    this.#keeper.release(lease);
    this.#settler.delete(lease, onDone);
    this.#flushFor(lease);
  }

  /** Deletes a message; tells whether SQS says that it did. */
  #deleted(lease: Lease): Promise<boolean> {
    return new Promise((resolve) =>
      this.#delete(lease, (_, deleted) => resolve(deleted))
    );
  }

  async #retryLater(lease: Lease, delaySeconds?: number): Promise<void> {
    const { retryDelay, clock, random, visibility } = this.#options;
    this.#keeper.release(lease);
    if (lease.lost) return;
    // A message that came before the queue's own visibility timeout was known
    // stays away for as long as others do.
    const other = lease.visibilitySeconds < visibility.seconds
      ? visibility.seconds
      : undefined;
    const seconds = delaySeconds ??
      (retryDelay === undefined ? other : retryDelaySeconds(
        retryDelay,
        lease.message.receiveCount,
        random(),
      ));
    if (seconds === undefined) return;
    const left = lease.secondsLeft(clock.now());
    if (left < seconds) {
      this.#logger.warn(
        `Shortened the retry delay of job ${lease.message.messageId} from ${seconds} s to ${left} s: SQS hides a message for at most 12 hours after it was received`,
      );
    }
    // It may come back before the answer to this request does, and so may
    // those behind it: what is received of it is a message of its own.
    this.#held.delete(lease);
    this.#releaseBehind(lease);
    const hiding = this.#settler.hide(lease, Math.min(seconds, left));
    this.#flushFor(lease);
    await hiding;
  }

  /** Sends what is gathered where nothing will join it, or something waits. */
  #flushFor(lease: Lease): void {
    if (this.#hasNoJobs() || this.#waiting.hasBehind(lease)) {
      this.#settler.flush();
    }
  }

  #logRetry(
    message: ReceivedMessage,
    { kind, error }: Retry,
  ): void {
    const text = `Job ${message.messageId} will be received again`;
    if (kind === "transient") this.#logger.debug(text, error);
    else if (kind === "aborted") this.#logger.warn(text, error);
    else {
      this.#logger.error(
        `${text}: start the container with the Deno permission that its worker needs`,
        error,
      );
    }
  }

  /** Gives a held message back: it is visible at once. */
  #giveBack(lease: Lease): void {
    this.#keeper.release(lease);
    this.#held.delete(lease);
    if (!lease.lost) this.#release(lease);
  }

  #release(lease: Lease): void {
    this.#counters.released++;
    this.#track(lease, async () => {
      await this.#settler.hide(lease, 0);
      return true;
    });
  }

  #releaseBehind(lease: Lease): void {
    const behind = this.#waiting.takeBehind(lease);
    for (const each of behind) this.#giveBack(each);
    if (behind.length > 0) this.#settler.flush();
  }
}

/** What a job threw after its time was over says nothing of its input. */
function asAborted(outcome: Outcome): Outcome {
  return outcome.kind === "failed"
    ? { kind: "aborted", error: outcome.error }
    : outcome;
}
