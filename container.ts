/**
 * Containers: each receives the messages of one SQS queue and hands them to a
 * worker.
 *
 * The command line runs containers from ini files. Programs call
 * {@linkcode startContainer}, or {@linkcode runContainer} to wait for the end.
 *
 * @module
 */

import { testMode } from "./src/connect/test_mode.ts";
import process from "node:process";
import { configOf } from "./src/config/config.ts";
import type { ContainerSettings } from "./src/config/settings.ts";
import { Container } from "./src/container/container.ts";
import type { ContainerSummary } from "./src/job/summary.ts";
import type { WorkerConfig } from "./src/job/worker.ts";
import { watchExit } from "./src/job/stray_exit.ts";
import { defaultLoggers } from "./src/logging/loggers.ts";
import { outlivePrinting } from "./src/logging/printing.ts";
import { refuseUnknown } from "./src/unknown_options.ts";
import { listenToStopSignals } from "./src/signals.ts";

export {
  JobAbortedError,
  type JobAbortReason,
  PermanentError,
  SchemaError,
  TransientError,
  type TransientErrorOptions,
} from "./src/job_errors.ts";
export { checkConfig } from "./src/config/config.ts";
export type { ContainerSettings, Permission } from "./src/config/settings.ts";
export type { ContainerSummary, Operation } from "./src/job/summary.ts";
export { ConfigError, NonExistentQueueError, SqsError } from "./src/errors.ts";
export type { SqsErrorOptions } from "./src/errors.ts";
export type { HookJob, Hooks, HooksFactory, JobEnd } from "./src/job/hooks.ts";
export { PartialBatchError } from "./src/job/partial_batch.ts";
export type { FailedJob } from "./src/job/partial_batch.ts";
export type { BatchHandler, BatchOptions } from "./src/job/batch_handler.ts";
export type { Handler } from "./src/job/run_job.ts";
export type { Logger } from "./src/logging/loggers.ts";
export { currentJob, getLogger } from "./src/job/current_job.ts";
export type { Job } from "./src/job/current_job.ts";
export { withSchema } from "./src/job/schema.ts";
export type {
  CheckedHandler,
  SchemaArgs,
  SchemaResult,
  StandardSchema,
} from "./src/job/schema.ts";
export type { BodyFormat } from "./src/message/reading.ts";
export type { SnsNotification } from "./src/message/sns.ts";
export type {
  BatchWorkerLike,
  JobArgs,
  WorkerConfig,
  WorkerFactory,
  WorkerLike,
} from "./src/job/worker.ts";

/** Options of {@linkcode startContainer} and {@linkcode runContainer}. */
export interface RunOptions {
  /**
   * Stops the container, as {@linkcode RunningContainer.stop} does. It is first
   * looked at when the queue is open.
   * @default {undefined} only `stop()` does
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether to stop when the queue is empty (two empty polls). Delayed messages,
   * and messages whose visibility timeout runs, are not waited for.
   * @default {false}
   */
  readonly drain?: boolean | undefined;
}

/** Options of {@linkcode RunningContainer.stop}. */
export interface StopOptions {
  /**
   * Whether to stop at once: drop the receive, abort the running jobs and
   * release their messages, which are then received again.
   * @default {false}
   */
  readonly force?: boolean | undefined;
}

/** A container that receives messages. At the end of its scope, it stops. */
export interface RunningContainer extends AsyncDisposable {
  /** The container's counts so far. */
  readonly summary: ContainerSummary;
  /**
   * Resolves when the container has stopped and its worker is disposed. Rejects
   * if the queue cannot be used any more, or if the worker cannot be disposed.
   */
  readonly finished: Promise<ContainerSummary>;
  /**
   * Stops receiving, and releases messages whose jobs have not started. Running
   * jobs finish.
   */
  pause(): void;
  /** Receives again after a pause. */
  resume(): void;
  /**
   * Stops the container and returns `finished`. It waits for the current receive
   * (up to `waitTimeSeconds`) and releases messages whose jobs have not started.
   * Running jobs finish (up to `shutdownTimeoutSeconds`), and the worker is
   * disposed. A second call may force a stop.
   */
  stop(options?: StopOptions): Promise<ContainerSummary>;
}

/**
 * Starts a container, and returns when its queue is open and its worker made.
 *
 * With the testing double, jobs run when they are sent.
 *
 * @typeParam Config The type of `workerConfig`.
 * @param settings The settings, or the path of an ini file.
 * @param options When to stop the container.
 * @returns The running container.
 * @throws {ConfigError} If a setting is wrong, or the worker cannot be loaded.
 * @throws {NonExistentQueueError} If the queue does not exist.
 * @throws {SqsError} If SQS refuses a request or cannot be reached.
 * @throws {TypeError} If an option is unknown.
 *
 * @example Run jobs beside a web server, and stop with it
 * ```ts
 * import { Queue, startContainer } from "@zsqs/cli";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using _queues = setUp({ silent: true }); // not in production
 *
 * const container = await startContainer({
 *   queue: "orders",
 *   handler: async (order: { id: string }) => {
 *     await Promise.resolve(order.id);
 *   },
 *   concurrency: 10,
 *   failures: { queue: "orders-failed" },
 *   retryDelaySeconds: { min: 1, max: 600 },
 * });
 * await (await Queue("orders"))({ id: "o1" });
 *
 * const { done } = await container.stop();
 * assertEquals(done, 1);
 * ```
 */
export async function startContainer<Config = WorkerConfig>(
  settings: string | ContainerSettings<Config>,
  options: RunOptions = {},
): Promise<RunningContainer> {
  const container = await open(settings, options);
  const { signal, drain = false } = options;
  const mode = testMode();
  if (mode !== undefined) {
    await mode.attach(container);
    const stop = () => void container.stop();
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  } else {
    const given = signal === undefined ? {} : { signal };
    // `finished` rejects, too.
    container.run({ drain, strayErrors: "own", ...given }).catch(() => {});
  }
  return {
    get summary() {
      return container.summary;
    },
    finished: container.finished,
    pause: () => container.pause(),
    resume: () => container.resume(),
    stop({ force = false, ...rest }: StopOptions = {}) {
      refuseUnknown(rest, [], "stop container");
      return container.stop({ force });
    },
    async [Symbol.asyncDispose]() {
      await container.stop();
    },
  };
}

/**
 * Runs a container until it stops.
 *
 * With the testing double, it returns when the worker is made; jobs run when
 * they are sent.
 *
 * @typeParam Config The type of `workerConfig`.
 * @param settings The settings, or the path of an ini file.
 * @param options When to stop the container.
 * @returns The container's counts.
 * @throws {Error} As {@linkcode startContainer} does.
 *
 * @example Run a container for an hour
 * ```ts no-assert
 * import { runContainer } from "@zsqs/cli/container";
 *
 * async function runForAnHour() {
 *   const summary = await runContainer("adder.ini", {
 *     signal: AbortSignal.timeout(60 * 60 * 1000),
 *   });
 *   console.log(summary.done);
 * }
 * ```
 */
export async function runContainer<Config = WorkerConfig>(
  settings: string | ContainerSettings<Config>,
  options: RunOptions = {},
): Promise<ContainerSummary> {
  const container = await startContainer(settings, options);
  return testMode() === undefined
    ? await container.finished
    : container.summary;
}

/**
 * The entry point of zc.sqs: runs the container of one ini file until the
 * process gets a stop signal. After a forced stop it ends the process, with
 * status 0, as jobs that were given up may still run.
 *
 * With the testing double, it returns when the worker is made.
 *
 * @param args One argument, the path of an ini file; by default, the program's
 * arguments.
 * @throws {TypeError} If there is not exactly one argument.
 * @throws {Error} As {@linkcode startContainer} does.
 *
 * @example A program that runs a container
 * ```ts no-assert
 * import { sequential } from "@zsqs/cli/container";
 *
 * if (import.meta.main) await sequential();
 * ```
 */
export async function sequential(
  args: readonly string[] = process.argv.slice(2),
): Promise<void> {
  const [file] = args;
  if (args.length !== 1 || file === undefined) {
    throw new TypeError(
      `Cannot run container: give one argument, the path of an ini file, not ${args.length}`,
    );
  }
  if (testMode() !== undefined) {
    await runContainer(file);
    return;
  }
  // What its jobs left behind must not keep a process that was told to end.
  if (await runUntilStopped(file)) process.exit(0);
}

/** Returns whether running jobs were given up. */
async function runUntilStopped(file: string): Promise<boolean> {
  using _exit = watchExit({ loggers: defaultLoggers(), whose: "all" });
  outlivePrinting();
  using stop = listenToStopSignals();
  const container = await open(file, {});
  await container.run({ ...stop, strayErrors: "all" });
  return container.wasForced;
}

/**
 * Reads a container's settings from an ini file.
 *
 * @param file The file's path.
 * @returns The settings that the file gives, without defaults.
 * @throws {ConfigError} If the file cannot be read, or a setting is wrong. The
 * error lists all problems.
 *
 * @example Read a file and change a setting
 * ```ts
 * import { checkConfig, readConfig } from "@zsqs/cli/container";
 * import { assertEquals } from "@std/assert";
 *
 * const file = await Deno.makeTempFile({ suffix: ".ini" });
 * await Deno.writeTextFile(
 *   file,
 *   "[container]\nworker = worker.ts\nqueue = adder\n",
 * );
 *
 * const settings = await readConfig(file);
 * assertEquals(settings.queue, "adder");
 * assertEquals(checkConfig({ ...settings, concurrency: 5 }).prefetch, 5);
 * ```
 */
export async function readConfig(file: string): Promise<ContainerSettings> {
  const ini = await loadIni();
  return await ini.readConfig(file);
}

/** Programs that give their settings need no code for ini files. */
const loadIni = () => import("./src/config/ini_config.ts");

async function open<Config>(
  settings: string | ContainerSettings<Config>,
  options: RunOptions,
): Promise<Container> {
  refuseUnknown(options, ["signal", "drain"], "start container");
  const config = typeof settings === "string"
    ? await (await loadIni()).readContainerConfig(settings)
    : configOf(settings);
  return await Container.start(config);
}
