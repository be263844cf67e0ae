/**
 * Running workers: a container receives an SQS queue's messages and hands each
 * to a worker.
 *
 * The command line runs containers from ini files. A program can do the same,
 * with {@linkcode runContainer}, and stop it with an `AbortSignal`.
 *
 * ```ts
 * import { Queue } from "@zsqs/cli";
 * import { runContainer } from "@zsqs/cli/container";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using _queues = setUp({ silent: true }); // not in production
 *
 * const sums: number[] = [];
 * await runContainer({
 *   queue: "adder",
 *   worker: () => (a: number, b: number) => sums.push(a + b),
 * });
 * await (await Queue("adder"))(1, 2);
 *
 * assertEquals(sums, [3]);
 * ```
 *
 * @module
 */

import { testMode } from "./src/connect/test_mode.ts";
import process from "node:process";
import { configOf } from "./src/config/config.ts";
import { readContainerConfig } from "./src/config/ini_config.ts";
import type { ContainerSettings } from "./src/config/settings.ts";
import { Container } from "./src/container/container.ts";
import type { ContainerSummary } from "./src/telemetry/counters.ts";
import type { WorkerConfig } from "./src/job/worker.ts";
import { listenToStopSignals } from "./src/signals.ts";

export { checkConfig } from "./src/config/config.ts";
export { readConfig } from "./src/config/ini_config.ts";
export type { ContainerSettings, Permission } from "./src/config/settings.ts";
export type { ContainerSummary, Operation } from "./src/telemetry/counters.ts";
export {
  ConfigError,
  JobAbortedError,
  NonExistentQueueError,
  PermanentError,
  SqsError,
  TransientError,
} from "./src/errors.ts";
export type {
  JobAbortReason,
  SqsErrorOptions,
  TransientErrorOptions,
} from "./src/errors.ts";
export type { Handler } from "./src/job/run_job.ts";
export type { Logger } from "./src/logging/loggers.ts";
export { currentJob, getLogger } from "./src/job/current_job.ts";
export type { Job } from "./src/job/current_job.ts";
export type {
  JobArgs,
  WorkerConfig,
  WorkerFactory,
  WorkerLike,
} from "./src/job/worker.ts";

/** Options of {@linkcode runContainer}. */
export interface RunOptions {
  /**
   * Stops the container: no receive is started, the one in flight is awaited
   * and what it brings released, the running job finishes, and the worker is
   * disposed. An idle stop may so take `waitTimeSeconds`. After
   * `shutdownTimeoutSeconds` it goes on as with `forceSignal`.
   */
  readonly signal?: AbortSignal;
  /**
   * Stops it at once: the receive is dropped, and a running job is aborted and
   * its message released, so that it is received again.
   */
  readonly forceSignal?: AbortSignal;
  /**
   * Stops when two long polls in a row brought nothing. Delayed and hidden
   * messages are not waited for.
   *
   * @default {false}
   */
  readonly drain?: boolean;
  /**
   * Which errors in work that nobody awaits are logged instead of ending the
   * process: all of the process, or those known to be of this container's jobs,
   * which timers are not.
   *
   * @default {"all"}
   */
  readonly strayErrors?: "own" | "all";
}

/**
 * Runs a container until it is stopped.
 *
 * Where the testing double is set up, it wires the worker up to the queue and
 * returns; the jobs run when they are sent.
 *
 * @param settings The path of an ini file, or the same as an object.
 * @param options How it is stopped.
 * @returns What it did.
 * @throws {ConfigError} If the configuration is wrong, or the worker cannot be
 * loaded.
 * @throws {NonExistentQueueError} If there is no such queue.
 *
 * @example Stop a container
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
  const config = typeof settings === "string"
    ? await readContainerConfig(settings)
    : configOf(settings);
  const container = await Container.start(config);
  const mode = testMode();
  if (mode !== undefined) {
    await mode.attach(container);
    return container.summary;
  }
  await container.run(options);
  return container.summary;
}

/**
 * The entry point of zc.sqs: runs the container of one ini file until the
 * process gets a stop signal.
 *
 * Where the testing double is set up, it wires the worker up and returns.
 *
 * @param args The path of an ini file, alone; by default the program's
 * arguments.
 * @throws {TypeError} If it is not one argument.
 * @throws {ConfigError} If the configuration is wrong, or the worker cannot be
 * loaded.
 * @throws {NonExistentQueueError} If there is no such queue.
 *
 * @example A program of one's own that runs a container
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
      `Cannot run container: wanted one argument, the path of an ini file, got ${args.length}`,
    );
  }
  if (testMode() !== undefined) {
    await runContainer(file);
    return;
  }
  using stop = listenToStopSignals();
  await runContainer(file, stop);
}
