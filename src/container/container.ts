/**
 * A container's life: it opens the queue, makes the worker, runs the engine,
 * and disposes all of it.
 *
 * @module
 */

import {
  connectOptions,
  isFailureQueue,
  loggersOptions,
} from "../config/config.ts";
import { type AttachedConsumer, testMode } from "../connect/test_mode.ts";
import type { ContainerConfig } from "../config/options.ts";
import { setImmediate } from "node:timers";
import { unlessAborted } from "../clock.ts";
import { type Clock, systemClock } from "../clock.ts";
import {
  loadTelemetry,
  openError,
  type OpenQueue,
  openQueue,
} from "../connect/open_queue.ts";
import type { ContainerSummary } from "../telemetry/counters.ts";
import { Engine, type EngineRunOptions } from "../engine/engine.ts";
import { ConfigError, messageOf } from "../errors.ts";
import { FailureQueue } from "../engine/failure_queue.ts";
import { type HealthServer, serveHealth } from "./health.ts";
import { createLoggers, type Loggers } from "../logging/loggers.ts";
import { runInScope } from "../job/current_job.ts";
import { logStrayErrors } from "../job/stray_errors.ts";
import type { ContainerTelemetry, Telemetry } from "../telemetry/telemetry.ts";
import { learnVisibility, Visibility } from "../engine/receiver.ts";
import { loadWorker, type Worker } from "../job/worker.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";

/** How long a worker may take to dispose itself after a forced stop. */
const DISPOSAL_GRACE_MS = 2_000;

const NEVER = new AbortController().signal;

/** How a container is started. */
export interface StartOptions {
  /** Signs with made-up credentials, for a server on this machine. */
  readonly local?: boolean;
  /** Ends the search for the queues. */
  readonly signal?: AbortSignal;
}

/** How a container is run. */
export interface ContainerRunOptions {
  /** Stops it: what has begun is finished. */
  readonly signal?: AbortSignal;
  /** Stops it at once: what has begun is aborted and released. */
  readonly forceSignal?: AbortSignal;
  /** Stops it when nothing comes any more. */
  readonly drain?: boolean;
  /** Which errors in work that jobs left behind it logs. */
  readonly strayErrors?: "own" | "all";
}

/** A container that is ready to run: its queue is open, its worker made. */
export class Container implements AttachedConsumer {
  readonly #config: ContainerConfig;
  readonly #loggers: Loggers;
  readonly #queues: Queues;
  readonly #worker: Worker;
  readonly #visibility: Visibility;
  readonly #engine: Engine;
  readonly #telemetry: ContainerTelemetry | undefined;
  readonly #closed = new AbortController();
  #learned: Promise<void> | undefined;
  #health: HealthServer | undefined;

  /**
   * Loads the worker, opens the queue, calls the factory, and answers how it
   * is where it is told to.
   *
   * @throws {ConfigError} If the loggers or the worker are wrong.
   * @throws {NonExistentQueueError} If there is no such queue.
   */
  static async start(
    config: ContainerConfig,
    options: StartOptions = {},
  ): Promise<Container> {
    const container = await Container.#make(config, options);
    try {
      await container.#serveHealth();
      return container;
    } catch (error) {
      await container.close().catch(() => {});
      throw error;
    }
  }

  static async #make(
    config: ContainerConfig,
    options: StartOptions,
  ): Promise<Container> {
    const { problems, ...configured } = loggersOptions(config);
    if (problems.length > 0) throw new ConfigError(problems);
    const loggers = createLoggers(configured.loggers, configured);
    let queues: Queues | undefined;
    let loaded: LoadedWorker | undefined;
    try {
      const worker = await runInScope(
        { loggers },
        async () => {
          loaded = await load(config, loggers);
          queues = await openQueues(config, options);
          return await loaded.make(queues.source.ref.name);
        },
      );
      const telemetry = await loadTelemetry();
      return new Container(config, loggers, queues!, worker, telemetry);
    } catch (error) {
      await loaded?.end?.();
      if (queues !== undefined) closeQueues(queues);
      loggers.close();
      throw error;
    }
  }

  private constructor(
    config: ContainerConfig,
    loggers: Loggers,
    queues: Queues,
    worker: Worker,
    telemetry: Telemetry | undefined,
  ) {
    this.#config = config;
    this.#loggers = loggers;
    this.#queues = queues;
    this.#worker = worker;
    this.#visibility = new Visibility(config.visibilityTimeoutSeconds);
    const { source, failures } = queues;
    const clock = clockOf();
    const random = testMode()?.random ?? Math.random;
    this.#telemetry = telemetry?.container(
      { name: source.ref.name, url: source.url },
      () => this.summary,
    );
    this.#engine = new Engine({
      connection: this.#telemetry?.connection(source.connection) ??
        source.connection,
      url: source.url,
      queue: source.ref.name,
      fifo: source.ref.fifo,
      handler: this.#telemetry?.handler(worker.handler) ?? worker.handler,
      loggers,
      clock,
      random,
      concurrency: config.concurrency,
      prefetch: config.prefetch,
      waitTimeSeconds: config.waitTimeSeconds,
      visibility: this.#visibility,
      // What was looked up by its name is there.
      isUnseen: source.ref.url !== undefined,
      deleteDelaySeconds: config.deleteDelaySeconds,
      failures: failures === undefined
        ? config.failures as "delete" | "keep"
        : new FailureQueue({
          connection: telemetry?.producer({
            name: failures.ref.name,
            url: failures.url,
          }).connection(failures.connection) ?? failures.connection,
          url: failures.url,
          fifo: failures.ref.fifo,
          logger: loggers.get("zsqs"),
          now: () => clock.now(),
        }),
      ...(config.timeoutSeconds === undefined
        ? {}
        : { timeoutSeconds: config.timeoutSeconds }),
      ...(config.retryDelay === undefined
        ? {}
        : { retryDelay: config.retryDelay }),
    });
  }

  get summary(): ContainerSummary {
    return this.#engine.summary;
  }

  get queueUrl(): string {
    return this.#queues.source.url;
  }

  get jobs(): ReadonlySet<object> {
    return this.#engine.jobs;
  }

  get changed(): Promise<void> {
    return this.#engine.changed;
  }

  runVisible(): Promise<void> {
    return this.#whileOpen(async () => {
      await this.#learnVisibility();
      await this.#engine.drain();
    });
  }

  /** Runs until it is stopped, then disposes all it holds. */
  async run(options: ContainerRunOptions): Promise<void> {
    const { shutdownTimeoutSeconds } = this.#config;
    const { signal = NEVER, forceSignal = NEVER, drain = false } = options;
    using _errors = logStrayErrors({
      loggers: this.#loggers,
      whose: options.strayErrors ?? "all",
    });
    using force = forceAfter(
      signal,
      forceSignal,
      shutdownTimeoutSeconds * 1000,
    );
    try {
      await this.#poll({ signal, forceSignal: force.signal, drain });
    } finally {
      await this.close(force.signal);
    }
  }

  /**
   * Disposes all it holds, and tries everything before it throws.
   *
   * @param forceSignal Ends the wait for the worker.
   */
  async close(forceSignal?: AbortSignal): Promise<void> {
    this.#closed.abort();
    try {
      await this.#disposeWorker(forceSignal ?? NEVER);
    } finally {
      this.#worker.kill?.();
      this.#telemetry?.record();
      this.#health?.[Symbol.dispose]();
      closeQueues(this.#queues);
      this.#loggers.close();
    }
  }

  /** Asks for the queue's own visibility timeout, once, if none is configured. */
  #learnVisibility(): Promise<void> {
    if (this.#config.visibilityTimeoutSeconds !== undefined) {
      return Promise.resolve();
    }
    return this.#learned ??= learnVisibility(
      this.#visibility,
      { ...this.#queues.source, name: this.#queues.source.ref.name },
      {
        clock: clockOf(),
        logger: this.#loggers.get("zsqs"),
        signal: this.#closed.signal,
      },
    );
  }

  /** What fails here is that the queue cannot be used. */
  async #whileOpen(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      const { region } = this.#queues.source.connection;
      throw openError(error, this.#config.queue, region);
    }
  }

  /** The double polls nothing: there is nothing to ask of it. */
  async #serveHealth(): Promise<void> {
    const { health } = this.#config;
    if (health === undefined || testMode() !== undefined) return;
    this.#health = await serveHealth({
      address: health,
      problem: () => this.#engine.problem,
    });
    this.#loggers.get("zsqs").info(
      `Answering for ${this.#config.queue} at ${this.#health.url}`,
    );
  }

  async #poll(options: EngineRunOptions): Promise<void> {
    const { signal, drain } = options;
    const { queue } = this.#config;
    const logger = this.#loggers.get("zsqs");
    const { region } = this.#queues.source.connection;
    logger.info(`Listening to ${queue} in ${region}`);
    const onStop = () =>
      logger.info(
        `Stopping: no new receive from ${queue}, waiting for what has begun`,
      );
    signal.addEventListener("abort", onStop, { once: true });
    try {
      await this.#whileOpen(async () => {
        const running = this.#engine.run(options);
        // Once the first receive is on its way, which does not wait for it.
        setImmediate(() => this.#learnVisibility());
        await running;
      });
    } finally {
      signal.removeEventListener("abort", onStop);
    }
    logger.info(`Stopped listening to ${queue}: ${summaryText(this.summary)}`);
    if (drain && !signal.aborted) await this.#logRemaining();
  }

  async #disposeWorker(forceSignal: AbortSignal): Promise<void> {
    const logger = this.#loggers.get("zsqs");
    using late = forceAfter(forceSignal, NEVER, DISPOSAL_GRACE_MS);
    const disposal = runInScope(
      { loggers: this.#loggers },
      () => this.#worker.dispose(),
    ).then(() => true);
    try {
      if (await unlessAborted(disposal, late.signal) === undefined) {
        disposal.catch(() => {});
        logger.warn("Gave up on disposing the worker as the container stops");
      }
    } catch (error) {
      throw new Error(
        `Cannot dispose the worker of ${this.#config.queue}: ${
          messageOf(error)
        }`,
        { cause: error },
      );
    }
  }

  /** Says what a drain left, where it may ask. */
  async #logRemaining(): Promise<void> {
    const { connection, url, ref } = this.#queues.source;
    try {
      const { visible, inFlight, delayed } = await connection.attributes(url);
      this.#loggers.get("zsqs").info(
        `Drained ${ref.name}: ${visible} visible, ${inFlight} in flight and ${delayed} delayed messages remain`,
      );
    } catch {
      // A container needs no right to ask for this.
    }
  }
}

/** A worker whose module is loaded, and whose factory is yet to be called. */
interface LoadedWorker {
  make(queue: string): Promise<Worker>;
  /** Ends what it holds. */
  end?(): Promise<void>;
}

async function load(
  config: ContainerConfig,
  loggers: Loggers,
): Promise<LoadedWorker> {
  const { isolation, worker, processes } = config;
  if (isolation === "none") return { make: await loadWorker(config) };
  const { Pool } = await import("../isolation/pool.ts");
  return await Pool.load({
    ...config,
    worker: worker as WorkerSpec,
    processes: processes!,
  }, { loggers, clock: clockOf() });
}

function clockOf(): Clock {
  return testMode()?.clock ?? systemClock;
}

/** The queues of a container. */
interface Queues {
  readonly source: OpenQueue;
  /** Where bad input is kept, if it is. */
  readonly failures: OpenQueue | undefined;
}

async function openQueues(
  config: ContainerConfig,
  options: StartOptions,
): Promise<Queues> {
  const where = { ...connectOptions(config), ...options };
  const source = await openQueue(config.queue, { ...where, probe: false });
  if (!isFailureQueue(config.failures)) return { source, failures: undefined };
  try {
    return { source, failures: await openQueue(config.failures, where) };
  } catch (error) {
    source.connection.close();
    throw error;
  }
}

function closeQueues({ source, failures }: Queues): void {
  failures?.connection.close();
  source.connection.close();
}

/** A signal that aborts with `force`, or some time after `stop`. */
function forceAfter(
  stop: AbortSignal,
  force: AbortSignal,
  ms: number,
): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const abort = () => controller.abort();
  const startTimer = () => timer = setTimeout(abort, ms);
  if (force.aborted) abort();
  if (stop.aborted) startTimer();
  force.addEventListener("abort", abort);
  stop.addEventListener("abort", startTimer);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      force.removeEventListener("abort", abort);
      stop.removeEventListener("abort", startTimer);
    },
  };
}

function summaryText(summary: ContainerSummary): string {
  const { received, done, failed, retried, released, leasesLost } = summary;
  const { emptyReceives, requests } = summary;
  const calls = Object.entries(requests)
    .map(([operation, count]) => `${count} ${operation}`).join(", ");
  return `received ${received}, done ${done}, failed ${failed}, retried ${retried}, released ${released}, leases lost ${leasesLost}; requests: ${calls} (${emptyReceives} empty)`;
}
