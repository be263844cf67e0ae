/**
 * The parts of a container: its loggers, its queues, its worker, telemetry.
 *
 * @module
 */

import { connectOptions } from "../config/config.ts";
import type { ContainerConfig } from "../config/options.ts";
import {
  loadTelemetry,
  type OpenOptions,
  type OpenQueue,
  openQueue,
  timeAndChance,
} from "../connect/open_queue.ts";
import {
  failureLoops,
  type FailureRoute,
  routeOf,
} from "../connect/failure_loops.ts";
import { ConfigError } from "../errors.ts";
import { openStore, probeStore } from "../connect/open_store.ts";
import { testMode } from "../connect/test_mode.ts";
import { jobContext, runInScope } from "../job/current_job.ts";
import { loadHooks } from "../job/hooks.ts";
import { localRunner } from "../job/run_batch.ts";
import type { BatchRunner, JobRoom, Runner } from "../job/runner.ts";
import { watchExit } from "../job/stray_exit.ts";
import { loadWorker } from "../job/worker.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import {
  createLoggers,
  type Logger,
  type Loggers,
} from "../logging/loggers.ts";
import { outliveStreams } from "../logging/printing.ts";
import { readingOf } from "../message/reading.ts";
import type { ObjectFolder, ObjectStore } from "../sqs/objects.ts";
import { HookCalls } from "../telemetry/hook_calls.ts";
import { JobStats } from "../telemetry/job_stats.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { type HealthServer, serveHealth } from "./health.ts";

export interface StartOptions {
  /** Signs with made-up credentials, for a server on this machine. */
  readonly local?: boolean;
  /** Whether to count for {@linkcode Container.stats} without `stats = on`. */
  readonly stats?: boolean;
  /** Ends the search for the queues, and kills processes that still load. */
  readonly signal?: AbortSignal;
}

export interface Worker {
  readonly runner: Runner | BatchRunner;
  /** Absent if a job can always start. */
  readonly room?: JobRoom;
  dispose(): Promise<void>;
  /** Ends its processes immediately. */
  kill?(): void;
}

export interface Queues {
  readonly source: OpenQueue;
  /** The queue for failed messages, if there is one. */
  readonly failures: OpenQueue | undefined;
  /** Where the bodies of large jobs are, if they are fetched. */
  readonly store?: ObjectStore | undefined;
}

export interface Parts {
  readonly config: ContainerConfig;
  readonly loggers: Loggers;
  readonly queues: Queues;
  readonly worker: Worker;
  readonly telemetry: Telemetry | undefined;
  readonly hooks: HookCalls | undefined;
  readonly health: HealthServer | undefined;
  readonly stats: JobStats | undefined;
}

/**
 * Loads the worker's module, opens the queues, and calls the worker's factory.
 *
 * @throws {ConfigError} If the loggers or the worker are wrong.
 * @throws {NonExistentQueueError} If a queue does not exist.
 */
export async function loadParts(
  config: ContainerConfig,
  options: StartOptions,
): Promise<Parts> {
  const loggers = createLoggers(config.loggers, {
    where: config.loggersWhere,
    context: jobContext,
  });
  outliveStreams();
  let queues: Queues | undefined;
  let loaded: LoadedWorker | undefined;
  let health: HealthServer | undefined;
  try {
    // First: a start may take long, and the process runs meanwhile.
    health = await openHealth(config, loggers.get("zsqs"));
    using _exit = watchExit({ loggers, whose: "own" });
    return await runInScope({ loggers }, async () => {
      loaded = await load(config, loggers, options);
      const makeHooks = await loadHooks(config);
      const onWait = (line: string) => loggers.get("zsqs").warn(line);
      queues = await openQueues(config, { ...options, onWait });
      const { clock, ref: { name: queue } } = queues.source;
      const given = await makeHooks?.();
      const hooks = given &&
        new HookCalls({ hooks: given, loggers, clock, queue, reading: config });
      const worker = await loaded.make(queue);
      const telemetry = await loadTelemetry();
      const isCounted = config.stats === true || options.stats === true;
      const stats = isCounted ? new JobStats(clock) : undefined;
      const opened = { queues, worker, telemetry, hooks, health };
      return { config, loggers, ...opened, stats };
    });
  } catch (error) {
    health?.[Symbol.dispose]();
    await loaded?.end?.();
    if (queues !== undefined) closeQueues(queues);
    loggers.close();
    throw error;
  }
}

/** The testing double polls nothing: there is nothing to check. */
async function openHealth(
  { health: address, queue }: ContainerConfig,
  logger: Logger,
): Promise<HealthServer | undefined> {
  if (address === undefined || testMode() !== undefined) return undefined;
  const health = await serveHealth({ address, problem: () => "starting" });
  logger.info(`Answering for ${queue.text} at ${health.url}`);
  return health;
}

/** A worker whose module is loaded, and whose factory is not called yet. */
interface LoadedWorker {
  make(queue: string): Promise<Worker>;
  /** Ends its processes. */
  end?(): Promise<void>;
}

async function load(
  config: ContainerConfig,
  loggers: Loggers,
  { signal }: StartOptions,
): Promise<LoadedWorker> {
  const { isolation, worker, processes = 1 } = config;
  if (isolation === "none") {
    const make = await loadWorker(config);
    return {
      async make(queue) {
        const { handling, dispose } = await make();
        const reading = readingOf(config);
        const runner = localRunner(handling, { queue, reading, loggers });
        return { runner, dispose };
      },
    };
  }
  const { clock } = timeAndChance();
  const { Pool } = await import("../isolation/pool.ts");
  const given = { ...config, worker: worker as WorkerSpec, processes };
  return await Pool.load(given, {
    loggers,
    clock,
    ...(signal === undefined ? {} : { signal }),
  });
}

async function openQueues(
  config: ContainerConfig,
  options: OpenOptions,
): Promise<Queues> {
  const where = { ...connectOptions(config), ...options };
  const source = await openQueue(config.queue, { ...where, probe: false });
  let failures: OpenQueue | undefined;
  let store: ObjectStore | undefined;
  try {
    if (typeof config.failures === "object") {
      failures = await openQueue(config.failures, where);
      refuseLoops([routeOf(config.file, source, failures)]);
    }
    if (config.large !== undefined) {
      store = await openStore(config.large, { queue: source.ref, where });
      await probeAtStart(store, config.large, options);
    }
    return { source, failures, store };
  } catch (error) {
    closeQueues({ source, failures, store });
    throw error;
  }
}

/** A container cannot run large jobs without the bucket, but may wait for S3. */
async function probeAtStart(
  store: ObjectStore,
  folder: ObjectFolder,
  { onWait }: OpenOptions,
): Promise<void> {
  const problem = await probeStore(store, folder);
  if (problem?.isMissing) {
    throw new ConfigError(`Cannot start container as ${problem.text}`);
  }
  if (problem !== undefined) onWait?.(`Large jobs will wait: ${problem.text}`);
}

/** Refuses containers of one run whose failed jobs would go round without end. */
export function refuseLoops(routes: readonly FailureRoute[]): void {
  const problems = failureLoops(routes).map(({ problem }) => problem);
  if (problems.length > 0) throw new ConfigError(problems);
}

export function closeQueues({ source, failures, store }: Queues): void {
  store?.close();
  failures?.connection.close();
  source.connection.close();
}
