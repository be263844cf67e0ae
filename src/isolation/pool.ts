/**
 * The child processes of a container: they start, take jobs, and stop together.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ContainerConfig } from "../config/options.ts";
import { messageOf } from "../errors.ts";
import type { Outcome } from "../job/decide.ts";
import { logJobs } from "../job/job_lines.ts";
import {
  type BatchOutcome,
  type BatchRunner,
  firstJobs,
  type JobControl,
  type JobRoom,
  type Runner,
} from "../job/runner.ts";
import { workerSubject } from "../job/worker.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import type { Logger } from "../logging/loggers.ts";
import { type Reading, readingOf } from "../message/reading.ts";
import type { JobMessage } from "../sqs/connection.ts";
import { childCommand, type IsolationConfig } from "./child_command.ts";
import type { ChildEnd } from "./child_jobs.ts";
import { Child } from "./child_process.ts";
import { PoolLog } from "./pool_log.ts";
import { prepareStart } from "./prepare_start.ts";
import { ProcessGroups } from "./process_groups.ts";
import { chooseSlot, type Needs, NO_NEEDS } from "./choose_slot.ts";
import { Slot } from "./slot.ts";
import { explained } from "./start_problem.ts";

/** How long a job may take to end after its timeout, in seconds. */
export const KILL_GRACE_SECONDS = 2;

/** What a pool works with. */
interface PoolOptions {
  readonly loggers: { get(name: string): Logger };
  readonly clock: Clock;
  /** Ends the start: kills the processes that still load. */
  readonly signal?: AbortSignal;
}

/** The part of a container's configuration that a pool needs. */
export type PoolConfig =
  & IsolationConfig
  & Reading
  & Pick<
    ContainerConfig,
    "batch" | "concurrency" | "workerConfig" | "file" | "hooks"
  >
  & { readonly worker: WorkerSpec; readonly processes: number };

/** A job of the pool, or the jobs of a batch. */
interface PoolJob extends Needs {
  readonly messages: readonly JobMessage[];
  readonly control: JobControl;
  /** Whether it was lost with a process. */
  wasLost: boolean;
}

/** A job that waits for a process. */
interface WaitingJob {
  readonly job: Needs;
  /** Ends the wait; without a slot, the job does not run. */
  readonly take: (slot?: Slot) => void;
}

/** A worker that runs its jobs in child processes. */
export class Pool implements Runner, JobRoom {
  readonly #config: PoolConfig;
  readonly #options: PoolOptions;
  readonly #logger: Logger;
  readonly #log: PoolLog;
  readonly #subject: string;
  readonly #slots: Slot[] = [];
  readonly #groups: ProcessGroups;
  /** Jobs whose process ended, in the order in which they run again. */
  readonly #waiting = new Set<WaitingJob>();
  #queue = "";
  #isClosed = false;
  onChange: (() => void) | undefined;
  onRestart: (() => void) | undefined;

  /**
   * Starts the processes, each of which imports the worker.
   *
   * @throws {ConfigError} If the worker cannot be imported, or jobs cannot be
   * isolated here.
   */
  static async load(config: PoolConfig, options: PoolOptions): Promise<Pool> {
    const pool = new Pool(config, options);
    try {
      await prepareStart(config, options);
      for (let i = 0; i < config.processes; i++) {
        const slot = new Slot({
          clock: options.clock,
          spawn: () => pool.#spawn(),
          onChange: () => pool.#changed(),
          onBackOff: (seconds, why) => pool.#log.backOff(seconds, why),
        });
        pool.#slots.push(slot);
      }
      await pool.#all((child) => child.load());
      return pool;
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  private constructor(config: PoolConfig, options: PoolOptions) {
    this.#config = config;
    this.#options = options;
    this.#logger = options.loggers.get("zsqs");
    this.#subject = workerSubject(config.worker, config.file);
    this.#log = new PoolLog(this.#logger, this.#subject);
    const { allowAll = false, allowRun, allowFfi } = config;
    this.#groups = new ProcessGroups({
      hasPrograms: allowAll || allowRun !== undefined || allowFfi !== undefined,
    });
  }

  /**
   * Calls the worker's factory in each process, and opens them for jobs. After
   * an error, the caller ends the pool.
   */
  async make(queue: string): Promise<this> {
    this.#queue = queue;
    const { workerConfig: config } = this.#config;
    const setting = { config, queue, reading: readingOf(this.#config) };
    await this.#all((child) => child.make(setting));
    for (const slot of this.#slots) slot.open(setting);
    return this;
  }

  get runner(): Runner | BatchRunner {
    if (this.#config.batch === undefined) return this;
    return {
      runBatch: (messages, control) => this.#runAll(messages, control),
    };
  }

  get room(): JobRoom {
    return this;
  }

  get hasRoom(): boolean {
    for (const { job } of this.#waiting) if (!job.isSuspect) return false;
    return this.#slotFor(NO_NEEDS) !== undefined;
  }

  get problem(): string | undefined {
    const [slot] = this.#slots;
    return this.#slots.every(({ problem }) => problem !== undefined)
      ? `No child process of worker ${this.#subject} lives: ${slot!.problem}`
      : undefined;
  }

  async run(message: JobMessage, control: JobControl): Promise<Outcome> {
    const { outcome } = await this.#runAll([message], control);
    return outcome;
  }

  /**
   * Runs jobs in one of the processes. If the process ends first, they run again
   * unless they are to blame: alone, if nobody knows who is.
   */
  async #runAll(
    messages: readonly JobMessage[],
    control: JobControl,
  ): Promise<BatchOutcome> {
    const { isSuspect } = control;
    const job: PoolJob = {
      ...{ messages, control, isSuspect },
      ...{ needsNew: false, wasLost: false },
    };
    let error: unknown;
    for (;;) {
      const end = await this.#place(job);
      if (end === undefined) {
        const outcome: Outcome = control.aborted
          ? { kind: "aborted", error: control.signal.reason }
          : { kind: "released", error: error ?? new Error(this.problem) };
        return { outcome };
      }
      if ("outcome" in end) return end;
      error = end.error;
      const { isCulprit = job.isSuspect && end.isOnly } = end;
      if (this.#isClosed || !control.restart()) {
        return { outcome: { kind: "aborted", error } };
      }
      if (isCulprit) {
        // Its parts run alone, too.
        control.isSuspect = true;
        return { outcome: { kind: "timedOut", error } };
      }
      job.needsNew = job.isSuspect;
      // Reading its message can end a process, too, but hardly ever does.
      job.isSuspect = end.isCulprit === undefined &&
        (end.hasStarted || job.wasLost);
      job.wasLost = true;
      const what = messages.length === 1 ? "Job" : "A batch of jobs";
      logJobs(this.#logger, "info", {
        what: `${what} runs again${job.isSuspect ? " alone" : ""}`,
        ...{ queue: this.#queue, jobs: firstJobs(messages) },
        why: messageOf(error),
      });
    }
  }

  /** Disposes the workers, and ends the processes. */
  async dispose(): Promise<void> {
    const ends = await Promise.allSettled(
      this.#slots.map((slot) => slot.dispose()),
    );
    await this.end();
    const errors = ends.flatMap((end) =>
      end.status === "rejected" ? [end.reason] : []
    );
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) {
      throw new AggregateError(errors, errors.map(messageOf).join("; "));
    }
  }

  /** Kills the processes. */
  kill(): void {
    this.#isClosed = true;
    this.#releaseWaiting();
    for (const slot of this.#slots) slot.close();
  }

  /** Kills the processes, and waits for their ends. */
  async end(): Promise<void> {
    this.kill();
    await Promise.all(this.#slots.map(({ child }) => child.ended));
    await this.#groups.close();
  }

  /** Takes a step of the start in all processes; the first error counts. */
  async #all(step: (child: Child) => Promise<void>): Promise<void> {
    const { signal } = this.#options;
    const kill = () => this.kill();
    signal?.addEventListener("abort", kill);
    if (signal?.aborted) kill();
    const steps = this.#slots.map(({ child }) => step(child));
    await Promise.allSettled(steps);
    signal?.removeEventListener("abort", kill);
    await Promise.all(steps);
  }

  #spawn(): Child {
    // The first processes are there before the pool has a queue.
    if (this.#queue !== "") this.onRestart?.();
    return new Child({
      ...this.#config,
      command: childCommand(this.#config.worker, this.#config),
      groups: this.#groups,
      onSlow: (pid) => this.#log.slow(pid),
      clock: this.#options.clock,
      onLog: ({ name, level, text }, errors) =>
        this.#options.loggers.get(name)[level](text, ...errors),
    });
  }

  /** Runs a job once; resolves to `undefined` if it gets no process. */
  async #place(job: PoolJob): Promise<ChildEnd | undefined> {
    const { signal } = job.control;
    const isHopeless = this.#isClosed || this.problem !== undefined;
    if (signal.aborted || isHopeless) return undefined;
    const { promise, resolve } = Promise.withResolvers<ChildEnd | undefined>();
    const waiting: WaitingJob = {
      job,
      take: (slot) => {
        this.#waiting.delete(waiting);
        signal.removeEventListener("abort", giveUp);
        resolve(slot && this.#run(slot, job));
      },
    };
    const giveUp = () => waiting.take();
    signal.addEventListener("abort", giveUp);
    this.#waiting.add(waiting);
    this.#assign();
    return await promise;
  }

  /** Gives the jobs that wait to the processes that have the fewest. */
  #assign(): void {
    const waiting = [...this.#waiting];
    waiting.sort((a, b) => Number(b.job.needsNew) - Number(a.job.needsNew));
    for (const { job, take } of waiting) {
      const slot = this.#slotFor(job);
      if (slot !== undefined) take(slot);
    }
  }

  /** A process can be had, or none can. */
  #changed(): void {
    const isAway = this.problem !== undefined;
    this.#log.away(isAway, this.#queue);
    if (isAway) this.#releaseWaiting();
    else this.#assign();
    this.onChange?.();
  }

  #releaseWaiting(): void {
    for (const { take } of this.#waiting) take();
  }

  /** The process that takes the next job, or `undefined` if none can. */
  #slotFor(needs: Needs): Slot | undefined {
    const { concurrency, processes } = this.#config;
    const most = Math.ceil(concurrency / processes);
    const waiting = [...this.#waiting].map(({ job }) => job);
    return chooseSlot(this.#slots, { needs, most, waiting });
  }

  async #run(
    slot: Slot,
    { messages, control, isSuspect }: PoolJob,
  ): Promise<ChildEnd> {
    slot.isAlone = isSuspect;
    let cancel: (() => void) | undefined;
    control.onTimeout = () => cancel = this.#killLater(slot, control);
    const end = await slot.child.run(messages, control);
    control.onTimeout = undefined;
    cancel?.();
    slot.isAlone = false;
    this.#assign();
    if (!("outcome" in end)) return end;
    slot.resetBackOff();
    if (this.#slots.every(({ backOffSeconds }) => backOffSeconds === 0)) {
      this.#log.healthy();
    }
    return explained(end);
  }

  /** A job that keeps the thread busy ends with its process alone. */
  #killLater({ child }: Slot, control: JobControl): () => void {
    const why =
      `was killed as a job did not end within ${KILL_GRACE_SECONDS} s of its timeout`;
    return this.#options.clock.timer(
      KILL_GRACE_SECONDS * 1000,
      () => child.killLate(control, why, this.#queue),
    );
  }
}

/**
 * Imports a worker in a child process, as a container would.
 *
 * @throws {ConfigError} If the worker cannot be imported, or jobs cannot be
 * isolated here.
 */
export async function checkIsolated(
  config: Omit<PoolConfig, "processes">,
  options: PoolOptions,
): Promise<void> {
  const pool = await Pool.load({ ...config, processes: 1 }, options);
  await pool.end();
}
