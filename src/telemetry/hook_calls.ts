/**
 * Calls a container's hooks. Nothing that a hook does, throws or returns reaches
 * the container or its jobs.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { jobOf, runInScope } from "../job/current_job.ts";
import type { Hooks, JobEnd } from "../job/hooks.ts";
import { logJobs } from "../job/job_lines.ts";
import type { ContainerSummary } from "../job/summary.ts";
import { unrunCode } from "../job/unrun.ts";
import type { Logger } from "../logging/loggers.ts";
import {
  type Reading,
  type ReadMessage,
  readMessage,
} from "../message/reading.ts";
import { pointerOf } from "../message/s3_pointer.ts";
import type { JobMessage } from "../sqs/connection.ts";
import type { ContainerEvents } from "./events.ts";

/** How many promises of hooks may be pending. */
const MAX_PENDING = 1_000;

/** How long a stop waits for them, in milliseconds. */
const STOP_MS = 5_000;

/** How often a failing hook, or dropped calls, are logged, in milliseconds. */
const LOG_MS = 60_000;

/** What {@linkcode HookCalls} works with. */
export interface HookCallsOptions {
  readonly hooks: Hooks;
  readonly loggers: { get(name: string): Logger };
  readonly clock: Clock;
  /** The queue's name. */
  readonly queue: string;
  readonly reading: Reading;
}

/** Calls hooks when something happens. */
export class HookCalls implements Partial<ContainerEvents> {
  readonly #options: HookCallsOptions;
  readonly #pending = new Set<Promise<void>>();
  /** A job that runs again has started already. */
  readonly #started = new WeakSet<JobMessage>();
  /** Problems by their text: when each was logged, and how often it was not. */
  readonly #lines = new Map<string, { atMs: number; left: number }>();
  #hasStopped = false;

  constructor(options: HookCallsOptions) {
    this.#options = options;
  }

  started(_waitedMs: number, message: JobMessage): void {
    const { jobStarted } = this.#options.hooks;
    if (jobStarted === undefined || this.#started.has(message)) return;
    this.#started.add(message);
    const read = this.#read(message);
    // A child process reports a start before it reads the body.
    if (read === undefined) return;
    this.#call(
      "jobStarted",
      message,
      () => jobStarted(jobOf(message, this.#options.queue, read)),
    );
  }

  settled(message: JobMessage, end: JobEnd): void {
    const { hooks: { jobEnded }, queue } = this.#options;
    if (jobEnded === undefined) return;
    this.#call("jobEnded", message, () => {
      const read = this.#read(message);
      const job = jobOf(message, queue, read ?? { args: [], kwargs: {} });
      const durationMs = read && end.durationMs;
      return jobEnded(job, { ...end, durationMs });
    });
  }

  receiveFailed(error: unknown): void {
    const { receiveFailed } = this.#options.hooks;
    if (receiveFailed === undefined) return;
    this.#call("receiveFailed", undefined, () => receiveFailed(error));
  }

  /** Calls the hook `stopped`, then waits for pending promises. */
  async stop(summary: ContainerSummary): Promise<void> {
    const { queue, hooks: { stopped } } = this.#options;
    if (stopped !== undefined) {
      this.#run("stopped", undefined, () => stopped(summary));
    }
    this.#hasStopped = true;
    await this.wait();
    for (const [what, { left }] of this.#lines) {
      if (left === 0) continue;
      this.#logger.error(`${what} (${left} more times): ${queue}`);
    }
    if (this.#pending.size === 0) return;
    this.#logger.warn(
      `Gave up on hooks of ${queue} that have not ended within ${
        STOP_MS / 1000
      } s of its stop: ${this.#pending.size} calls`,
    );
  }

  get #logger(): Logger {
    return this.#options.loggers.get("zsqs");
  }

  /**
   * Waits for pending promises, for up to 5 s by the system's clock: at the end
   * of a test, nobody moves the double's.
   */
  async wait(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, STOP_MS);
    await Promise.race([Promise.all(this.#pending), late.promise]);
    clearTimeout(timer);
  }

  /** A copy of the arguments; `undefined` if nobody can read them. */
  #read(message: JobMessage): ReadMessage | undefined {
    const { reading } = this.#options;
    const isLarge = reading.large !== undefined &&
      pointerOf(message, reading) !== undefined;
    try {
      return isLarge ? { args: [], kwargs: {} } : readMessage(message, reading);
    } catch {
      return undefined;
    }
  }

  #call(
    name: keyof Hooks,
    message: JobMessage | undefined,
    hook: () => unknown,
  ): void {
    // A job that was given up may end after its container.
    if (this.#hasStopped) return;
    if (this.#pending.size < MAX_PENDING) this.#run(name, message, hook);
    else {
      const why = `as ${MAX_PENDING} calls have not ended`;
      this.#log(`Hook "${name}" was not called, ${why}`, message);
    }
  }

  #run(
    name: keyof Hooks,
    message: JobMessage | undefined,
    hook: () => unknown,
  ): void {
    const { loggers } = this.#options;
    const what = `Hook "${name}" failed`;
    try {
      const result = runInScope({ loggers, hook: name }, hook);
      // Most hooks have ended now.
      if (Object(result) !== result) return;
      const pending = settle(result)
        .catch((error) => this.#log(what, message, error))
        .finally(() => this.#pending.delete(pending));
      this.#pending.add(pending);
    } catch (error) {
      this.#log(what, message, error);
    }
  }

  /** Logs a problem, but not each time: a hook may fail for every job. */
  #log(
    what: string,
    message: JobMessage | undefined,
    ...thrown: unknown[]
  ): void {
    const { clock, queue } = this.#options;
    const now = clock.now();
    const line = this.#lines.get(what) ?? { atMs: -Infinity, left: 0 };
    this.#lines.set(what, line);
    if (now - line.atMs < LOG_MS) {
      line.left++;
      return;
    }
    const times = line.left === 0 ? "" : ` (${line.left} more times)`;
    if (message === undefined) {
      this.#logger.error(`${what}${times}: ${queue}`, ...thrown);
    } else {
      const about = { queue, jobs: [message], what: what + times, thrown };
      logJobs(this.#logger, "error", about);
    }
    line.atMs = now;
    line.left = 0;
  }
}

/** Waits for a hook. As a handler's, its code must have run. */
async function settle(result: unknown): Promise<void> {
  const unrun = await unrunCode(await result);
  if (unrun === undefined) return;
  throw new TypeError(
    `The hook returned ${unrun}, whose code has not run: run it in the hook, or return nothing`,
  );
}
