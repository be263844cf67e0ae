/**
 * The parts of a container: its loggers, its queues, its worker, telemetry.
 *
 * @module
 */

import { connectOptions } from "../config/config.ts";
import type { Clock } from "../clock.ts";
import type { ContainerConfig } from "../config/options.ts";
import {
  loadTelemetry,
  type OpenOptions,
  type OpenQueue,
  openQueue,
  timeAndChance,
} from "../connect/open_queue.ts";
import type { FailureRoute } from "../connect/failure_loops.ts";
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
import type { HookCalls, HookCallsOptions } from "../telemetry/hook_calls.ts";
import type { JobStats } from "../telemetry/job_stats.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { BatchJobs } from "../engine/batch_jobs.ts";
import type { HealthServer } from "./health.ts";
import type { openLarge } from "./large_jobs.ts";
import type { openFailures } from "./open_failures.ts";
import type { statsOf } from "./stats.ts";

/** Options of a container's start. */
export interface StartOptions {
  /** Signs with made-up credentials, for a server on this machine. */
  readonly local?: boolean;
  /** Whether to count for {@linkcode Container.stats} without `stats = on`. */
  readonly stats?: boolean;
  /** Ends the search for the queues, and kills processes that still load. */
  readonly signal?: AbortSignal;
}

/** The worker, wherever its jobs run. */
export interface Worker {
  readonly runner: Runner | BatchRunner;
  /** Absent if a job can always start. */
  readonly room?: JobRoom;
  dispose(): Promise<void>;
  /** Ends its processes immediately. */
  kill?(): void;
}

/** The open queues, and where large bodies are. */
export interface Queues {
  readonly source: OpenQueue;
  /** The queue for failed messages, if there is one. */
  readonly failures: OpenQueue | undefined;
  readonly failureRoute?: FailureRoute | undefined;
  /** Where the bodies of large jobs are, if they are fetched. */
  readonly store?: ObjectStore | undefined;
}

/** All that a container holds. */
export interface Parts {
  readonly config: ContainerConfig;
  readonly loggers: Loggers;
  readonly queues: Queues;
  readonly worker: Worker;
  readonly telemetry: Telemetry | undefined;
  readonly hooks: HookCalls | undefined;
  readonly health: HealthServer | undefined;
  readonly stats: JobStats | undefined;
  readonly code: RareCode;
}

/** Code that few containers need: it is loaded for them alone. */
interface RareCode {
  readonly BatchJobs?: typeof BatchJobs | undefined;
  readonly openLarge?: typeof openLarge | undefined;
  readonly openFailures?: typeof openFailures | undefined;
  readonly statsOf?: typeof statsOf | undefined;
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
      const calls = { loggers, clock, queue, reading: config };
      const hooks = given && await makeHookCalls({ ...calls, hooks: given });
      const worker = await loaded.make(queue);
      const telemetry = await loadTelemetry();
      const isCounted = config.stats === true || options.stats === true;
      const stats = isCounted ? await makeStats(clock) : undefined;
      const code = await loadRare(queues, worker, isCounted);
      const opened = { queues, worker, telemetry, hooks, health };
      return { config, loggers, ...opened, stats, code };
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
  const { serveHealth } = await import("./health.ts");
  const health = await serveHealth({ address, problem: () => "starting" });
  logger.info(`Answering for ${queue.text} at ${health.url}`);
  return health;
}

async function makeHookCalls(options: HookCallsOptions): Promise<HookCalls> {
  const { HookCalls } = await import("../telemetry/hook_calls.ts");
  return new HookCalls(options);
}

async function makeStats(clock: Clock): Promise<JobStats> {
  const { JobStats } = await import("../telemetry/job_stats.ts");
  return new JobStats(clock);
}

async function loadRare(
  { failures, store }: Queues,
  { runner }: Worker,
  isCounted: boolean,
): Promise<RareCode> {
  return {
    ..."runBatch" in runner ? await import("../engine/batch_jobs.ts") : {},
    ...failures === undefined ? {} : await import("./open_failures.ts"),
    ...store === undefined ? {} : await import("./large_jobs.ts"),
    ...isCounted ? await import("./stats.ts") : {},
  };
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
  let failureRoute: FailureRoute | undefined;
  let store: ObjectStore | undefined;
  try {
    if (typeof config.failures === "object") {
      failures = await openQueue(config.failures, where);
      const { refuseLoops, routeOf } = await import(
        "../connect/failure_loops.ts"
      );
      failureRoute = routeOf(config.file, source, failures);
      refuseLoops([failureRoute]);
    }
    if (config.large !== undefined) {
      store = await openStore(config.large, { queue: source.ref, where });
      await probeAtStart(store, config.large, options);
    }
    return { source, failures, failureRoute, store };
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

/** Closes the sockets of a container. */
export function closeQueues({ source, failures, store }: Queues): void {
  store?.close();
  failures?.connection.close();
  source.connection.close();
}
