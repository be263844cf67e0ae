/**
 * The engine: receives messages, runs their jobs side by side, and settles
 * them.
 *
 * Whatever happens (an answer, a job's end, a settlement, a signal) ends in
 * {@linkcode Engine.#step}, which starts all that may start now.
 *
 * @module
 */

import type { Clock } from "./_clock.ts";
import type { Connection, ReceivedMessage } from "./_connection.ts";
import { type ContainerSummary, Counters } from "./_counters.ts";
import { JobAbortedError, messageOf } from "./_errors.ts";
import type { FailureQueue } from "./_failures.ts";
import { type Handler, type Outcome, runJob } from "./_job.ts";
import { Lease, LeaseKeeper } from "./_leases.ts";
import type { Logger } from "./_loggers.ts";
import { Polls } from "./_polls.ts";
import type { Random } from "./_random.ts";
import { type RetryDelay, retryDelaySeconds } from "./_retry_delay.ts";
import { Settler } from "./_settlement.ts";
import { WaitingList } from "./_waiting.ts";
import { bodyText } from "./_wire.ts";

/** How many long polls in a row must be empty before a drain ends. */
const DRAIN_POLLS = 2;

/** How many messages may be held at most for each job at a time. */
const MAX_HELD = 10;

/** What the engine works with. */
export interface EngineOptions {
  readonly connection: Connection;
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
  /** For how long a receive hides a message, in seconds. */
  readonly visibilityTimeoutSeconds: number;
  /** Whether that is asked for, as it is not the queue's own. */
  readonly askVisibility: boolean;
  /** How long a delete may wait for company, in seconds. */
  readonly deleteDelaySeconds: number;
  /** After which a job's signal aborts, in seconds. */
  readonly timeoutSeconds?: number;
  readonly retryDelay?: RetryDelay;
  /** What becomes of bad input. */
  readonly failures: "delete" | "keep" | FailureQueue;
}

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

/** A job that runs. */
interface Running {
  readonly abort: AbortController;
  /** Its message was given back: how it ends does not matter any more. */
  givenUp: boolean;
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
  readonly #running = new Map<Lease, Running>();
  /** All messages that are waiting, running or being settled, by id. */
  readonly #held = new Map<string, Lease>();
  /** Failed messages on their way to the queue that keeps them. */
  readonly #keeping = new Set<Lease>();
  readonly #force = new AbortController();
  #settling = 0;
  /** Whether it polls by itself. */
  #polling = false;
  #stopping = false;
  #drain = false;
  #ended = Promise.withResolvers<void>();
  #change = Promise.withResolvers<void>();

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
      visibilityTimeoutSeconds: options.visibilityTimeoutSeconds,
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
      ...(options.askVisibility
        ? { visibilityTimeoutSeconds: options.visibilityTimeoutSeconds }
        : {}),
      onAnswer: (messages, sentAtMs) => this.#receive(messages, sentAtMs),
      onChange: () => this.#step(),
    });
  }

  /** What has been done so far. */
  get summary(): ContainerSummary {
    return this.#counters.summary;
  }

  /**
   * The jobs that run, and those whose failed message is being kept; for the
   * testing double, as are the next two.
   */
  get jobs(): ReadonlySet<object> {
    return new Set([...this.#running.keys(), ...this.#keeping]);
  }

  /** Resolves when something happens: a job has ended, a message is settled. */
  get changed(): Promise<void> {
    return this.#change.promise;
  }

  /** Receives and handles what is visible now. */
  async drain(): Promise<void> {
    for (;;) {
      const answered = await this.#polls.once(this.#room());
      await this.#quiet();
      if (answered === 0) return;
    }
  }

  /** Receives and handles messages until it is told to end. */
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
    signal.removeEventListener("abort", stop);
    forceSignal.removeEventListener("abort", force);
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
        waitTimeSeconds: this.#options.waitTimeSeconds,
      });
      return;
    }
    const jobs = this.#force.signal.aborted ? 0 : this.#running.size;
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
    this.#force.abort();
    this.#polls.abort();
    const given = [...this.#running];
    for (const [lease, job] of given) {
      job.givenUp = true;
      job.abort.abort(new JobAbortedError("stopping"));
      this.#giveBack(lease);
    }
    if (given.length > 0) {
      const ids = given.map(([lease]) => lease.message.messageId).join(", ");
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
    return this.#running.size === 0 && this.#waiting.size === 0;
  }

  /** How many messages more may be received. */
  #room(): number {
    const { concurrency, prefetch } = this.#options;
    const capacity = concurrency + prefetch;
    // One at a time is what zc.sqs does: the message is settled before, if
    // SQS takes that.
    const settling = capacity === 1
      ? this.#settling - this.#settler.retrying
      : 0;
    // What waits behind its own group takes no room, as one slow group would
    // else stop all others; there is an end to it too.
    const waiting = capacity > 1 ? this.#waiting.ready : this.#waiting.size;
    const most = Math.max(capacity, MAX_HELD * concurrency);
    return Math.min(capacity - waiting, most - this.#waiting.size) -
      this.#running.size - settling;
  }

  async #quiet(): Promise<void> {
    this.#step();
    while (!this.#isIdle()) await this.#change.promise;
  }

  /** Says that something happened. */
  #happened(): void {
    this.#step();
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  #receive(messages: readonly ReceivedMessage[], sentAtMs: number): void {
    const { visibilityTimeoutSeconds, clock } = this.#options;
    this.#counters.received += messages.length;
    if (messages.length === 0) this.#counters.emptyReceives++;
    /** Groups of which a message was left: those behind must not overtake. */
    const left = new Set<string | undefined>();
    for (const message of messages) {
      const lease = new Lease(
        message,
        sentAtMs,
        visibilityTimeoutSeconds * 1000,
      );
      const same = this.#held.get(message.messageId);
      if (same !== undefined && this.#isAlive(same)) {
        this.#adopt(same, lease);
      } else if (same !== undefined && this.#held.has(message.messageId)) {
        // Its job still runs: a second one beside it would do it twice. If it
        // returns, this receipt handle is the one that deletes the message.
        same.receiptHandle = message.receiptHandle;
        same.deadlineMs = lease.deadlineMs;
        left.add(message.groupId);
      } else if (
        this.#stopping || (this.#options.fifo && left.has(message.groupId))
      ) {
        this.#release(lease);
      } else if (clock.now() >= lease.deadlineMs) {
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
    this.#held.set(lease.message.messageId, lease);
    lease.onLost = () => {
      this.#waiting.remove(lease);
      this.#forget(lease);
      this.#releaseBehind(lease);
      this.#happened();
    };
    this.#waiting.add(lease);
    this.#keeper.keep(lease);
  }

  #startJobs(): void {
    const { concurrency, clock } = this.#options;
    while (this.#running.size < concurrency && !this.#stopping) {
      const lease = this.#waiting.take();
      if (lease === undefined) return;
      if (clock.now() < lease.deadlineMs) this.#run(lease);
      else {
        this.#waiting.free(lease);
        this.#keeper.lose(lease, "it ended while the message waited");
      }
    }
  }

  async #run(lease: Lease): Promise<void> {
    const { handler, queue, loggers, clock, timeoutSeconds } = this.#options;
    const job: Running = { abort: new AbortController(), givenUp: false };
    this.#running.set(lease, job);
    lease.onLost = () => {
      job.abort.abort(new JobAbortedError("lease lost"));
      this.#releaseBehind(lease);
    };
    const cancel = timeoutSeconds === undefined
      ? undefined
      : clock.timer(timeoutSeconds * 1000, () => {
        job.abort.abort(new JobAbortedError("timed out"));
      });
    const outcome = await runJob(lease.message, {
      handler,
      queue,
      loggers,
      signal: job.abort.signal,
    });
    cancel?.();
    this.#running.delete(lease);
    if (!job.givenUp) {
      this.#track(lease, this.#settle(lease, outcome));
    }
    this.#happened();
  }

  /** Counts a settlement while it is under way. */
  async #track(lease: Lease, settlement: Promise<boolean>): Promise<void> {
    this.#settling++;
    try {
      const deleted = await settlement;
      // A delete that came late may have succeeded and deleted nothing.
      const late = lease.lost || this.#options.clock.now() >= lease.deadlineMs;
      if (!deleted || late) this.#releaseBehind(lease);
    } catch (error) {
      // What a job throws may break those who look at it.
      this.#keeper.release(lease);
      this.#releaseBehind(lease);
      this.#logger.error(
        `Cannot settle message ${lease.message.messageId}, which will be received again`,
        error,
      );
    } finally {
      this.#waiting.free(lease);
      this.#forget(lease);
      this.#settling--;
      this.#happened();
    }
  }

  /** What is received of this message from now on is a message of its own. */
  #forget(lease: Lease): void {
    const id = lease.message.messageId;
    if (this.#held.get(id) === lease) this.#held.delete(id);
  }

  /** Settles a message; tells whether it was deleted. */
  async #settle(lease: Lease, outcome: Outcome): Promise<boolean> {
    switch (outcome.kind) {
      case "done":
        this.#counters.done++;
        return await this.#delete(lease);
      case "failed":
        return await this.#fail(lease, outcome.error);
      case "retry":
        this.#counters.retried++;
        this.#logRetry(lease.message, outcome);
        await this.#retryLater(lease, outcome.delaySeconds);
        return false;
    }
  }

  async #fail(lease: Lease, error: unknown): Promise<boolean> {
    const { failures, queue } = this.#options;
    const { message } = lease;
    this.#counters.failed++;
    this.#logger.error("Handling a message", error);
    this.#messages.info(bodyText(message.body));
    if (failures === "delete") return await this.#delete(lease);
    if (failures === "keep") {
      await this.#retryLater(lease);
      return false;
    }
    this.#keeping.add(lease);
    try {
      await failures.keep(message, { error, queue });
    } catch (cause) {
      this.#logger.error(
        `Cannot keep failed message ${message.messageId}, which will be received again: ${
          messageOf(cause)
        }`,
      );
      await this.#retryLater(lease);
      return false;
    } finally {
      this.#keeping.delete(lease);
      this.#happened();
    }
    return await this.#delete(lease);
  }

  #delete(lease: Lease): Promise<boolean> {
    this.#keeper.release(lease);
    const deletion = this.#settler.delete(lease);
    this.#flushFor(lease);
    return deletion;
  }

  async #retryLater(lease: Lease, delaySeconds?: number): Promise<void> {
    const { retryDelay, clock, random } = this.#options;
    this.#keeper.release(lease);
    if (lease.lost) return;
    const seconds = delaySeconds ??
      (retryDelay === undefined ? undefined : retryDelaySeconds(
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
    // those behind it.
    this.#forget(lease);
    this.#releaseBehind(lease);
    const hiding = this.#settler.hide(lease, Math.min(seconds, left));
    this.#flushFor(lease);
    await hiding;
  }

  /** Sends what is gathered where nothing will join it, or something waits. */
  #flushFor(lease: Lease): void {
    if (
      this.#stopping || this.#hasNoJobs() || this.#waiting.hasBehind(lease)
    ) this.#settler.flush();
  }

  #logRetry(
    message: ReceivedMessage,
    { reason, error }: Outcome & { kind: "retry" },
  ): void {
    const text = `Job ${message.messageId} will be received again`;
    if (reason === "transient") this.#logger.debug(text, error);
    else if (reason === "aborted") this.#logger.warn(text, error);
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
    this.#forget(lease);
    if (!lease.lost) this.#release(lease);
  }

  #release(lease: Lease): void {
    this.#counters.released++;
    this.#track(lease, this.#settler.hide(lease, 0).then(() => true));
  }

  #releaseBehind(lease: Lease): void {
    const behind = this.#waiting.takeBehind(lease);
    for (const each of behind) this.#giveBack(each);
    if (behind.length > 0) this.#settler.flush();
  }
}
