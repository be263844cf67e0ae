/**
 * The processes that a container's jobs run in: which takes a job, and what
 * becomes of the jobs and the process where it ends.
 *
 * @module
 */

import { Child, type ChildRecord } from "./child_process.ts";
import { childCommand, type IsolationConfig } from "./child_command.ts";
import type { Clock } from "../clock.ts";
import type { JobMessage } from "../sqs/connection.ts";
import { type ContainerConfig, PERMISSION_KEYS } from "../config/options.ts";
import {
  ConfigError,
  isLoadDenied,
  LostJobError,
  messageOf,
} from "../errors.ts";
import type { Handler } from "../job/run_job.ts";
import { LOG_METHODS, type Logger } from "../logging/loggers.ts";
import { currentScope, type Job, runInScope } from "../job/current_job.ts";
import { type Worker, workerSubject } from "../job/worker.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";

/** How long after its timeout a job may take to end before it is ended. */
export const KILL_GRACE_SECONDS = 2;

/** The longest wait before a process is started in place of another. */
const MAX_BACK_OFF_SECONDS = 30;

/** What a pool works with. */
export interface PoolOptions {
  readonly loggers: { get(name: string): Logger };
  readonly clock: Clock;
}

/** A container's configuration, as far as a pool needs it. */
export type PoolConfig =
  & IsolationConfig
  & Pick<ContainerConfig, "concurrency" | "workerConfig" | "file">
  & { readonly worker: WorkerSpec; readonly processes: number };

/** One of the processes, and those that come in its place. */
interface Slot {
  child: Child;
  /** Whether it takes jobs. */
  ready: boolean;
  /** How many in a row ended without having ended a job. */
  deaths: number;
}

/** A job that waits for a process. */
interface Waiting {
  start(slot: Slot): void;
}

/** A worker in processes of its own. */
export class Pool implements Worker {
  readonly #config: PoolConfig;
  readonly #options: PoolOptions;
  readonly #logger: Logger;
  readonly #subject: string;
  readonly #slots: Slot[] = [];
  readonly #waiting = new Set<Waiting>();
  readonly #jobs = new WeakMap<Child, Map<unknown, Job>>();
  readonly #timers = new Set<() => void>();
  #queue = "";
  #closing = false;
  /** Whether it was logged that processes keep ending. */
  #complaining = false;

  /**
   * Starts the processes, and has each import the worker.
   *
   * @throws {ConfigError} If the worker cannot be imported, or jobs cannot be
   * isolated here.
   */
  static async load(config: PoolConfig, options: PoolOptions): Promise<Pool> {
    const pool = new Pool(config, options);
    try {
      for (let i = 0; i < config.processes; i++) {
        pool.#slots.push({ child: pool.#spawn(), ready: false, deaths: 0 });
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
  }

  /** Has each process call the worker's factory; then they take jobs. */
  async make(queue: string): Promise<this> {
    this.#queue = queue;
    try {
      await this.#all((child) => child.make(this.#config.workerConfig, queue));
    } catch (error) {
      await this.end();
      throw error;
    }
    for (const slot of this.#slots) this.#open(slot);
    return this;
  }

  /** Has the current job handled in one of the processes. */
  get handler(): Handler {
    return () => {
      const { job, message } = currentScope()!;
      return this.#handle(job!, message!);
    };
  }

  /** Has the workers disposed, and the processes end. */
  async dispose(): Promise<void> {
    this.#closing = true;
    const ends = await Promise.allSettled(this.#slots.map(async (slot) => {
      // What still has jobs was given up; what is not ready holds nothing.
      const { ready, child } = slot;
      if (!ready || !child.isAlive || child.size > 0) return;
      await child.dispose();
    }));
    await this.end();
    const errors = ends.flatMap((end) =>
      end.status === "rejected" ? [end.reason] : []
    );
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) {
      throw new AggregateError(errors, errors.map(messageOf).join("; "));
    }
  }

  /** Ends the processes at once. */
  kill(): void {
    this.#closing = true;
    for (const cancel of this.#timers) cancel();
    for (const { child } of this.#slots) {
      child.kill("was killed as its container stopped");
    }
  }

  /** Ends the processes at once, and waits for their ends. */
  async end(): Promise<void> {
    this.kill();
    await Promise.all(this.#slots.map(({ child }) => child.ended));
  }

  /** Takes a step of the start in all processes; the first error counts. */
  async #all(step: (child: Child) => Promise<void>): Promise<void> {
    const results = await Promise.allSettled(
      this.#slots.map(({ child }) => step(child)),
    );
    for (const [i, result] of results.entries()) {
      if (result.status === "fulfilled") continue;
      // Where there is no process, this one may not start any.
      const isHere = this.#slots[i]!.child.pid === undefined;
      throw isHere ? result.reason : this.#startError(result.reason);
    }
  }

  #spawn(): Child {
    const { worker, file } = this.#config;
    const child: Child = new Child({
      command: childCommand(worker, this.#config),
      worker,
      ...(file === undefined ? {} : { file }),
      onLog: (record) => this.#log(child, record),
    });
    this.#jobs.set(child, new Map());
    return child;
  }

  /** What to say where a process does not come to take jobs. */
  #startError(thrown: unknown): unknown {
    const error = withOption(thrown);
    if (error instanceof LostJobError) {
      return new Error(
        `Cannot start worker ${this.#subject}: ${
          lowerFirst(error.message)
        } before it was ready`,
        { cause: error },
      );
    }
    return isLoadDenied(error)
      ? new ConfigError(
        `Cannot start container as worker ${this.#subject} failed: ${
          messageOf(error)
        }`,
        { cause: error },
      )
      : error;
  }

  /** Lets a process take jobs, and sees to what comes after its end. */
  #open(slot: Slot): void {
    slot.ready = true;
    this.#replaceAfter(slot);
    this.#assign();
  }

  async #replaceAfter(slot: Slot): Promise<void> {
    const how = await slot.child.ended;
    slot.ready = false;
    if (this.#closing) return;
    slot.deaths++;
    this.#restart(slot, `Its process ${how}`);
  }

  #restart(slot: Slot, why: string): void {
    const seconds = backOffSeconds(slot.deaths);
    if (seconds > 0 && !this.#complaining) {
      this.#complaining = true;
      this.#logger.error(
        `Processes of worker ${this.#subject} keep ending before they have done a job, the last as follows: the next is started in ${seconds} s, then ever later, up to ${MAX_BACK_OFF_SECONDS} s. ${why}`,
      );
    }
    const start = () => void this.#startAgain(slot);
    if (seconds === 0) return start();
    this.#later(seconds, start);
  }

  async #startAgain(slot: Slot): Promise<void> {
    try {
      slot.child = this.#spawn();
      await slot.child.load();
      await slot.child.make(this.#config.workerConfig, this.#queue);
    } catch (error) {
      slot.child.kill("was killed as it could not be started");
      await slot.child.ended;
      if (this.#closing) return;
      slot.deaths++;
      return this.#restart(slot, messageOf(this.#startError(error)));
    }
    if (this.#closing) slot.child.kill("was killed as its container stopped");
    else this.#open(slot);
  }

  #later(seconds: number, callback: () => void): () => void {
    const cancel = () => {
      cancelTimer();
      this.#timers.delete(cancel);
    };
    const cancelTimer = this.#options.clock.timer(seconds * 1000, () => {
      this.#timers.delete(cancel);
      callback();
    });
    this.#timers.add(cancel);
    return cancel;
  }

  /** A job was ended by a process, which is well then. */
  #isWell(slot: Slot): void {
    slot.deaths = 0;
    if (!this.#complaining) return;
    if (this.#slots.some(({ deaths }) => backOffSeconds(deaths) > 0)) return;
    this.#complaining = false;
    this.#logger.info(
      `Processes of worker ${this.#subject} do their jobs again`,
    );
  }

  #handle(job: Job, message: JobMessage): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { signal } = job;
    const giveUp = () => {
      this.#waiting.delete(waiting);
      reject(signal.reason);
    };
    const waiting: Waiting = {
      start: (slot) => {
        signal.removeEventListener("abort", giveUp);
        this.#run(slot, job, message).then(resolve, reject);
      },
    };
    signal.addEventListener("abort", giveUp);
    this.#waiting.add(waiting);
    this.#assign();
    return promise;
  }

  /** Gives the jobs that wait to the processes that have the fewest. */
  #assign(): void {
    const { concurrency, processes } = this.#config;
    const most = Math.ceil(concurrency / processes);
    for (const waiting of this.#waiting) {
      const [slot] = this.#slots
        .filter(({ ready, child }) =>
          ready && child.isAlive && child.size < most
        )
        .sort((a, b) => a.child.size - b.child.size);
      if (slot === undefined) return;
      this.#waiting.delete(waiting);
      waiting.start(slot);
    }
  }

  async #run(slot: Slot, job: Job, message: JobMessage): Promise<void> {
    const { child } = slot;
    const { id, done } = child.run(message);
    const jobs = this.#jobs.get(child)!;
    jobs.set(id, job);
    let cancel: (() => void) | undefined;
    const onAbort = () => {
      const { signal: { reason: { reason } }, messageId } = job;
      child.abort(id, reason);
      if (reason !== "timed out") return;
      cancel = this.#later(KILL_GRACE_SECONDS, () => {
        // It did work that took too long: that is no reason to wait.
        slot.deaths = 0;
        child.kill(
          `was killed as job ${messageId} did not end within ${KILL_GRACE_SECONDS} s of its timeout`,
        );
      });
    };
    job.signal.addEventListener("abort", onAbort);
    if (job.signal.aborted) onAbort();
    try {
      await done;
      this.#isWell(slot);
    } catch (error) {
      if (!(error instanceof LostJobError)) this.#isWell(slot);
      throw withOption(error);
    } finally {
      cancel?.();
      job.signal.removeEventListener("abort", onAbort);
      jobs.delete(id);
      this.#assign();
    }
  }

  #log(child: Child, record: ChildRecord): void {
    const { name, level, text, errors, id } = record;
    const { loggers } = this.#options;
    const job = this.#jobs.get(child)!.get(id);
    const method = LOG_METHODS.find((each) => each === level);
    if (method === undefined) return;
    runInScope(
      { loggers, ...(job === undefined ? {} : { job }) },
      () => loggers.get(name)[method](text, ...errors),
    );
  }
}

/**
 * Finds what keeps a process from importing a worker.
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

/** After how many seconds a process is started in place of another. */
function backOffSeconds(deaths: number): number {
  return deaths < 2 ? 0 : Math.min(MAX_BACK_OFF_SECONDS, 2 ** (deaths - 2));
}

/** Adds the option to an error that names a flag of Deno's. */
function withOption(error: unknown): unknown {
  if (!isLoadDenied(error)) return error;
  const add = (text: string | undefined) =>
    text?.replace(
      /run again with the --allow-([a-z]+) flag/,
      (hint, name) =>
        Object.hasOwn(PERMISSION_KEYS, name)
          ? `${hint}, or give "allow_${name}" in [container]`
          : hint,
    );
  const { message, stack } = error as Error;
  return Object.assign(error as Error, {
    message: add(message),
    stack: add(stack),
  });
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
