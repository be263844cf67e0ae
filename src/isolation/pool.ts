/**
 * The child processes of a container: they start, take jobs, and stop together.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ContainerConfig } from "../config/options.ts";
import { LostJobError, messageOf } from "../errors.ts";
import type { Outcome } from "../job/decide.ts";
import { type JobControl, nameJobs, type Runner } from "../job/runner.ts";
import { workerSubject } from "../job/worker.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import type { Logger } from "../logging/loggers.ts";
import type { JobMessage } from "../sqs/connection.ts";
import { childCommand, type IsolationConfig } from "./child_command.ts";
import { Child, SLOW_SECONDS } from "./child_process.ts";
import { ProcessGroups } from "./process_groups.ts";
import { MAX_BACK_OFF_SECONDS, Slot } from "./slot.ts";
import { withOption } from "./start_problem.ts";

/** How long a job may take to end after its timeout, in seconds. */
export const KILL_GRACE_SECONDS = 2;

/** What a pool works with. */
export interface PoolOptions {
  readonly loggers: { get(name: string): Logger };
  readonly clock: Clock;
  /** Ends the start: kills the processes that still load. */
  readonly signal?: AbortSignal;
}

/** The part of a container's configuration that a pool needs. */
export type PoolConfig =
  & IsolationConfig
  & Pick<ContainerConfig, "concurrency" | "workerConfig" | "file">
  & { readonly worker: WorkerSpec; readonly processes: number };

/** A worker that runs its jobs in child processes. */
export class Pool implements Runner {
  readonly #config: PoolConfig;
  readonly #options: PoolOptions;
  readonly #logger: Logger;
  readonly #subject: string;
  readonly #slots: Slot[] = [];
  readonly #groups: ProcessGroups;
  readonly #waiting = new Set<(slot: Slot) => void>();
  #queue = "";
  /** Whether the log says that processes keep crashing. */
  #complaining = false;

  /**
   * Starts the processes, each of which imports the worker.
   *
   * @throws {ConfigError} If the worker cannot be imported, or jobs cannot be
   * isolated here.
   */
  static async load(config: PoolConfig, options: PoolOptions): Promise<Pool> {
    const pool = new Pool(config, options);
    try {
      for (let i = 0; i < config.processes; i++) {
        const slot = new Slot({
          clock: options.clock,
          spawn: () => pool.#spawn(),
          onReady: () => pool.#assign(),
          onBackOff: (seconds, why) => pool.#logBackOff(seconds, why),
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
    await this.#all((child) => child.make(queue));
    for (const slot of this.#slots) slot.open(queue);
    return this;
  }

  get runner(): Runner {
    return this;
  }

  /** Runs a job in one of the processes, as soon as one has room. */
  run(message: JobMessage, control: JobControl): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const { signal } = control;
    const giveUp = () => {
      this.#waiting.delete(start);
      resolve({ kind: "aborted", error: signal.reason });
    };
    const start = (slot: Slot) => {
      signal.removeEventListener("abort", giveUp);
      resolve(this.#run(slot, message, control));
    };
    if (signal.aborted) giveUp();
    else {
      signal.addEventListener("abort", giveUp);
      this.#waiting.add(start);
      this.#assign();
    }
    return promise;
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
    return new Child({
      ...this.#config,
      command: childCommand(this.#config.worker, this.#config),
      groups: this.#groups,
      onSlow: (pid) => this.#logSlow(pid),
      clock: this.#options.clock,
      onLog: ({ name, level, text }, errors) =>
        this.#options.loggers.get(name)[level](text, ...errors),
    });
  }

  /** Gives the jobs that wait to the processes that have the fewest. */
  #assign(): void {
    const { concurrency, processes } = this.#config;
    const most = Math.ceil(concurrency / processes);
    for (const start of this.#waiting) {
      const [slot] = this.#slots
        .filter(({ isReady, child }) => isReady && child.size < most)
        .sort((a, b) => a.child.size - b.child.size);
      if (slot === undefined) return;
      this.#waiting.delete(start);
      start(slot);
    }
  }

  async #run(
    slot: Slot,
    message: JobMessage,
    control: JobControl,
  ): Promise<Outcome> {
    let cancel: (() => void) | undefined;
    control.onTimeout = () => cancel = this.#killLater(slot, message);
    const outcome = await slot.child.run(message, control);
    control.onTimeout = undefined;
    cancel?.();
    this.#assign();
    const error = "error" in outcome ? outcome.error : undefined;
    if (!(error instanceof LostJobError)) this.#isHealthy(slot);
    if (!("error" in outcome)) return outcome;
    // The child may have ended the job before it was told of the abort.
    return control.aborted && outcome.kind !== "transient"
      ? { kind: "aborted", error }
      : { ...outcome, error: withOption(error) };
  }

  /** A job that keeps the thread busy ends with its process alone. */
  #killLater(slot: Slot, message: JobMessage): () => void {
    const { child } = slot;
    const job = nameJobs(this.#queue, message);
    return this.#options.clock.timer(KILL_GRACE_SECONDS * 1000, () => {
      slot.resetBackOff();
      child.kill(
        `was killed as a job did not end within ${KILL_GRACE_SECONDS} s of its timeout: ${job}`,
      );
    });
  }

  #logSlow(pid: number): void {
    this.#logger.warn(
      `Worker ${this.#subject} has been loading for ${SLOW_SECONDS} s in process ${pid}: its module or factory has not returned yet`,
    );
  }

  #logBackOff(seconds: number, why: string): void {
    if (this.#complaining) return;
    this.#complaining = true;
    this.#logger.error(
      `Child processes of worker ${this.#subject} keep crashing before they finish a job. ` +
        `Restarting with exponential back-off, next in ${seconds} s, at most every ${MAX_BACK_OFF_SECONDS} s. ${why}`,
    );
  }

  /** A process ended a job. */
  #isHealthy(slot: Slot): void {
    slot.resetBackOff();
    if (!this.#complaining) return;
    if (this.#slots.some(({ backOffSeconds }) => backOffSeconds > 0)) return;
    this.#complaining = false;
    this.#logger.info(
      `Child processes of worker ${this.#subject} finish jobs again`,
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
