/**
 * The engine: receives messages, runs their jobs side by side, and settles
 * them.
 *
 * Whatever happens (an answer, a job's end, a settlement, a signal) ends in
 * {@linkcode Engine.#step}, which starts all that may start now.
 *
 * @module
 */

import { logJobs } from "../job/job_lines.ts";
import type { BatchRunner, JobRoom, Runner } from "../job/runner.ts";
import type { Logger } from "../logging/loggers.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import type { BatchJobs } from "./batch_jobs.ts";
import { type EngineContext, jobsAtATime } from "./context.ts";
import { Turns } from "../cpu_turns.ts";
import type { Lease, SentReceive } from "./lease.ts";
import { Leases } from "./leases.ts";
import { Outcomes, type OutcomesOptions } from "./outcomes.ts";
import { Receiver } from "./receiver.ts";
import { Releases } from "./releases.ts";
import { Settler } from "./settler.ts";
import { SingleJobs, type Work } from "./work.ts";

/** How many receives in a row must be empty before a drain ends. */
const DRAIN_POLLS = 2;

/** How long a forced stop waits for SQS, in milliseconds. */
const FORCE_LIMIT_MS = 10_000;

/** Why no job gets done, in words that say nothing of account and queue. */
export type Problem = "stopping" | "no worker process" | "receives failing";

/** The bodies of large jobs. */
export interface EngineObjects {
  /** Ends the fetches of jobs that have not started. */
  cancel(): void;
  /** A message is gone for good: nobody needs its body any more. */
  remove(message: ReceivedMessage): void;
}

/** The parts of an engine that a container chooses. */
export interface EngineParts {
  readonly runner: Runner | BatchRunner;
  /** What gathers batches, if the runner runs them. */
  readonly BatchJobs?: typeof BatchJobs | undefined;
  /** Absent if a job can always start. */
  readonly room?: JobRoom | undefined;
  /** What becomes of failed messages. */
  readonly failures?: OutcomesOptions["failures"];
  /** Absent if no job's body is in S3. */
  readonly large?: EngineObjects | undefined;
  /** Whether nobody has seen yet that the queue can be used. */
  readonly isUnseen?: boolean;
}

/** What is not over yet. */
export interface Remaining {
  /** Receives in flight. */
  readonly polls: number;
  readonly running: readonly ReceivedMessage[];
  /** How many messages are being deleted or released. */
  readonly settling: number;
}

/** A job that runs. */
export interface RunningJob {
  readonly messageId: string;
  readonly startedAtMs: number;
  readonly receiveCount: number;
  readonly body: string;
}

/** Runs one container's jobs. */
export class Engine {
  readonly #context: EngineContext;
  readonly #room: JobRoom | undefined;
  readonly #large: EngineObjects | undefined;
  readonly #logger: Logger;
  readonly #leases: Leases;
  readonly #settler: Settler;
  readonly #outcomes: Outcomes;
  readonly #releases: Releases;
  readonly #receiver: Receiver;
  readonly #work: Work;
  readonly #turns: Turns;
  readonly #force = new AbortController();
  /** Whether it receives by itself. */
  #isPolling = false;
  #isPaused = false;
  #isStopping = false;
  /** Whether the double's queue has no more visible messages. */
  #isEmpty = false;
  #isDraining = false;
  #hasEnded = false;
  #failure: { readonly error: unknown } | undefined;
  #cancelForceLimit: (() => void) | undefined;
  #ended = Promise.withResolvers<void>();
  #change: PromiseWithResolvers<void> | undefined;

  constructor(context: EngineContext, parts: EngineParts) {
    this.#context = context;
    this.#room = parts.room;
    this.#large = parts.large;
    this.#logger = context.loggers.get("zsqs");
    this.#turns = new Turns(context.clock, () => this.#step());
    const onChange = () => this.#happened();
    if (parts.room !== undefined) {
      parts.room.onChange = onChange;
      parts.room.onRestart = () => context.events.moved("restarts", 1);
    }
    this.#leases = new Leases(context, (lease) => {
      this.#releases.behind(lease);
      onChange();
    });
    this.#settler = new Settler(context, {
      forceSignal: this.#force.signal,
      finished: this.#leases.finished,
      onRetry: onChange,
    });
    const shared = { leases: this.#leases, settler: this.#settler, onChange };
    this.#releases = new Releases(context, shared);
    this.#outcomes = new Outcomes(context, {
      ...shared,
      failures: parts.failures,
      onGone: parts.large && ((message) => parts.large!.remove(message)),
      releaseBehind: (lease) => this.#releases.behind(lease),
    });
    const work = {
      ...shared,
      ...{ outcomes: this.#outcomes, releases: this.#releases },
      ...{ turns: this.#turns, room: parts.room },
    };
    const { runner } = parts;
    this.#work = "runBatch" in runner
      ? new parts.BatchJobs!(context, runner, work)
      : new SingleJobs(context, runner, work);
    this.#receiver = new Receiver(context, {
      leases: this.#leases,
      settler: this.#settler,
      isUnseen: parts.isUnseen ?? false,
      isDraining: () => this.#isDraining,
      onUnusable: (error) => {
        this.#failure ??= { error };
        this.stop();
      },
      onMessages: (messages, sent) => this.#receive(messages, sent),
      onChange: () => this.#step(),
    });
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** How many jobs run. */
  get running(): number {
    return this.#leases.running;
  }

  /** The jobs that run, at most so many. */
  firstRunning(most: number): RunningJob[] {
    return this.#running.slice(0, most)
      .map((
        { message: { messageId, body }, job, arrivedMs, receiveCount },
      ) => ({
        ...{ messageId, receiveCount, body },
        startedAtMs: job?.startedAtMs ?? arrivedMs,
      }));
  }

  /** Why no job gets done, or `undefined`. */
  get problem(): Problem | undefined {
    if (this.#isStopping) return "stopping";
    if (this.#isPaused) return undefined;
    if (this.#room?.problem !== undefined) return "no worker process";
    return this.#receiver.isFailing ? "receives failing" : undefined;
  }

  /**
   * The jobs that run or only wait for room, and those whose failed message is
   * being sent to the failures queue. The testing double looks at them.
   */
  get jobs(): ReadonlySet<object> {
    const started = this.#room === undefined || this.#work.isFull
      ? this.#running
      : [...this.#leases].filter(({ state }) => state !== "settling");
    return new Set([...started, ...this.#outcomes.sending]);
  }

  /** What a stop waits for. */
  get remaining(): Remaining {
    return {
      polls: this.#receiver.inFlight,
      running: this.#running.map(({ message }) => message),
      settling: this.#leases.settling,
    };
  }

  /** How many messages wait for their jobs. */
  get waiting(): number {
    return this.#leases.waiting.size;
  }

  /** Resolves when something happens: a job ends, a message is settled. */
  get changed(): Promise<void> {
    return (this.#change ??= Promise.withResolvers()).promise;
  }

  /**
   * Receives and runs the visible messages, for the testing double and for AWS
   * Lambda.
   */
  async runVisible(): Promise<void> {
    while (this.#accepts) {
      const received = await this.#receiver.receiveVisible();
      this.#isEmpty = received === 0;
      this.#step();
      while (this.#isBusy) await this.changed;
      if (received === 0) return;
    }
  }

  /**
   * Receives messages and runs their jobs until it is stopped, or until a drain
   * has found the queue empty.
   *
   * @throws {SqsError} If the queue cannot be used.
   */
  async run({ drain }: { readonly drain: boolean }): Promise<void> {
    this.#isDraining = drain;
    this.#isPolling = true;
    const { events, options } = this.#context;
    const limit = jobsAtATime(options);
    events.moved("limit", limit);
    this.#step();
    await this.#ended.promise;
    events.moved("limit", -limit);
    this.end();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Cancels all timers: it receives no more. */
  end(): void {
    this.#hasEnded = true;
    this.#cancelForceLimit?.();
    this.#leases.heartbeat.clearTimers();
    this.#settler.clearTimers();
    this.#work.clearTimers();
  }

  /**
   * Starts no receive and no job any more. What waits, and what a receive in
   * flight brings, is released; running jobs finish.
   */
  pause(): void {
    this.#isPaused = true;
    this.#large?.cancel();
    this.#releases.waiting();
    this.#step();
  }

  /** Receives again after a pause. */
  resume(): void {
    this.#isPaused = false;
    this.#step();
  }

  /** Whether messages may wait for their jobs. */
  get #admits(): boolean {
    return !this.#isStopping && !this.#isPaused;
  }

  /** Whether it receives, and starts jobs. */
  get #accepts(): boolean {
    return this.#admits && this.#room?.problem === undefined;
  }

  /** Whether nothing runs, waits or is being settled. */
  get #isIdle(): boolean {
    return this.#leases.hasNoJobs && this.#leases.settling === 0;
  }

  /** Whether jobs run, or will: a batch may wait for messages that are visible. */
  get #isBusy(): boolean {
    const isOpen = !this.#isEmpty && this.#work.isGathering;
    return isOpen ? this.#leases.running > 0 : !this.#isIdle;
  }

  get #running(): Lease[] {
    return [...this.#leases].filter(({ state }) => state === "running");
  }

  /**
   * Starts no receive and no job any more; the receives in flight are awaited and
   * their messages released, and running jobs finish.
   */
  stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#receiver.stop();
    this.#large?.cancel();
    this.#releases.waiting();
    this.#step();
  }

  /** Stops, and aborts running jobs, which may still be done in time. */
  abortJobs(): void {
    this.stop();
    for (const { job } of this.#running) job!.abort("stopping");
  }

  /** Stops now: drops the receives, aborts running jobs and releases them. */
  forceStop(): void {
    if (this.#hasEnded || this.#force.signal.aborted) return;
    this.stop();
    this.#force.abort();
    if (this.#isPolling) {
      const { clock, queue } = this.#context;
      // What SQS does not answer must not keep the process.
      this.#cancelForceLimit = clock.timer(FORCE_LIMIT_MS, () => {
        this.#logger.warn(
          `Gave up on settling ${this.#leases.settling} messages of ${queue}`,
        );
        this.#settler.giveUp();
        this.#ended.resolve();
      });
    }
    this.#receiver.abort();
    this.#giveUpJobs();
    this.#settler.flush();
    this.#step();
  }

  #giveUpJobs(): void {
    const running = this.#running;
    if (running.length === 0) return;
    for (const lease of running) {
      lease.job!.giveUp(this.#context.clock.now());
      this.#releases.one(lease);
    }
    const { queue, isGuest } = this.#context;
    const why = isGuest
      ? "the time of the function is over"
      : "the container is stopping";
    logJobs(this.#logger, "warn", {
      what: `Gave up running jobs as ${why}; they will be received again`,
      queue,
      jobs: running.map(({ message }) => message),
    });
  }

  /** Starts all that may start now, and notices when the run has ended. */
  #step(): void {
    // A receive in flight would bring released messages again.
    const isAway = !this.#accepts && this.#receiver.inFlight === 0;
    if (isAway && this.#leases.waiting.size > 0) this.#releases.waiting();
    this.#startJobs();
    if (this.#leases.hasNoJobs) {
      // Running jobs finish, but nothing waits for a queue that is of no use.
      if (this.#failure !== undefined) this.forceStop();
      this.#settler.flush();
    }
    if (!this.#isPolling) return;
    // What a job left, or a release, a poll before its end has not seen.
    if (!this.#isIdle) this.#receiver.emptyInRow = 0;
    const { inFlight, emptyInRow } = this.#receiver;
    const isQuiet = this.#isIdle && inFlight === 0;
    if (isQuiet && this.#isDraining && emptyInRow >= DRAIN_POLLS) {
      this.#isStopping = true;
    }
    if (this.#accepts) this.#receiver.start();
    else if (isQuiet && this.#isStopping) this.#ended.resolve();
  }

  #happened(): void {
    this.#step();
    this.#change?.resolve();
    this.#change = undefined;
  }

  #receive(messages: readonly ReceivedMessage[], sent: SentReceive): void {
    if (this.#hasEnded) return;
    const { released, finished } = this.#leases
      .admit(messages, sent, this.#admits);
    this.#releases.all(released);
    for (const lease of finished) this.#releases.deleteAgain(lease);
    if (!this.#admits) this.#settler.flush();
  }

  #startJobs(): void {
    const hasDrained = this.#isDraining && this.#receiver.emptyInRow > 0;
    const isLast = this.#isEmpty || hasDrained;
    while (this.#accepts && !this.#turns.isPaused && this.#work.start(isLast));
  }
}
