/**
 * A container's life: it opens the queue, makes the worker, runs the engine,
 * and disposes all of it.
 *
 * @module
 */

import { systemClock } from "./_clock.ts";
import type { ContainerConfig } from "./_config.ts";
import {
  type AttachedConsumer,
  type OpenQueue,
  openQueue,
  testMode,
} from "./_connect.ts";
import type { ConnectOptions } from "./_connection.ts";
import { type ContainerSummary, Engine } from "./_engine.ts";
import {
  createLoggers,
  type Loggers,
  type LoggersOptions,
} from "./_loggers.ts";
import { currentScope, runInScope } from "./_scope.ts";
import { logStrayErrors } from "./_stray_errors.ts";
import { loadWorker, type Worker } from "./_worker.ts";

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
  readonly #open: OpenQueue;
  readonly #worker: Worker;
  readonly #engine: Engine;

  /**
   * Loads the worker, opens the queue, and calls the factory.
   *
   * @throws {ConfigError} If the loggers or the worker are wrong.
   * @throws {NonExistentQueueError} If there is no such queue.
   */
  static async start(
    config: ContainerConfig,
    options: { readonly local?: boolean } = {},
  ): Promise<Container> {
    const loggers = createLoggers(loggersOptions(config));
    let open: OpenQueue | undefined;
    try {
      const worker = await runInScope(
        { loggers },
        async () => {
          const make = await loadWorker(config);
          open = await openQueue(config.queue, {
            ...connectOptions(config),
            ...options,
          });
          return await make();
        },
      );
      return new Container(config, loggers, open!, worker);
    } catch (error) {
      open?.connection.close();
      loggers.close();
      throw error;
    }
  }

  private constructor(
    config: ContainerConfig,
    loggers: Loggers,
    open: OpenQueue,
    worker: Worker,
  ) {
    this.#config = config;
    this.#loggers = loggers;
    this.#open = open;
    this.#worker = worker;
    this.#engine = new Engine({
      connection: open.connection,
      url: open.url,
      queue: open.ref.name,
      handler: worker.handler,
      loggers,
      clock: testMode()?.clock ?? systemClock,
      waitTimeSeconds: config.waitTimeSeconds,
      ...(config.visibilityTimeoutSeconds === undefined
        ? {}
        : { visibilityTimeoutSeconds: config.visibilityTimeoutSeconds }),
    });
  }

  get summary(): ContainerSummary {
    return this.#engine.summary;
  }

  get queueUrl(): string {
    return this.#open.url;
  }

  drain(): Promise<void> {
    return this.#engine.drain();
  }

  async run(options: ContainerRunOptions): Promise<void> {
    const { queue, shutdownTimeoutSeconds } = this.#config;
    const logger = this.#loggers.get("zsqs");
    const never = new AbortController().signal;
    const { signal = never, forceSignal = never, drain = false } = options;
    using _errors = logStrayErrors({
      loggers: this.#loggers,
      whose: options.strayErrors ?? "own",
    });
    using force = forceAfter(
      signal,
      forceSignal,
      shutdownTimeoutSeconds * 1000,
    );
    logger.info(
      `Listening to ${queue} in ${this.#open.connection.region}`,
    );
    const onStop = () =>
      logger.info(
        `Stopping: no new receive from ${queue}, waiting for what has begun`,
      );
    signal.addEventListener("abort", onStop, { once: true });
    await this.#engine.run({ signal, forceSignal: force.signal, drain });
    signal.removeEventListener("abort", onStop);
    const { received, done, failed, retried, released } = this.summary;
    logger.info(
      `Stopped listening to ${queue}: received ${received}, done ${done}, failed ${failed}, retried ${retried}, released ${released}`,
    );
    if (drain) await this.#logRemaining();
  }

  /** Disposes all it holds, and tries everything before it throws. */
  async close(): Promise<void> {
    try {
      await runInScope(
        { loggers: this.#loggers },
        () => this.#worker.dispose(),
      );
    } finally {
      this.#open.connection.close();
      this.#loggers.close();
    }
  }

  /** Says what a drain left, where it may ask. */
  async #logRemaining(): Promise<void> {
    const { connection, url, ref } = this.#open;
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

/** Where a container's queue is looked for. */
export function connectOptions(
  config: Partial<ContainerConfig>,
): ConnectOptions {
  const { region, endpoint } = config;
  return {
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** What the loggers are made of, and what their problems start with. */
export function loggersOptions(
  config: Partial<ContainerConfig>,
): LoggersOptions {
  const where = config.file === undefined
    ? 'Cannot start container as "loggers"'
    : `Cannot start container as "loggers" in [container] of ${config.file}`;
  return {
    where,
    ...(config.loggers === undefined ? {} : { text: config.loggers }),
    ...(config.loggersLines === undefined
      ? {}
      : { lines: config.loggersLines }),
    context: jobContext,
  };
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

/** What is added to JSON log lines. */
function jobContext(): Readonly<Record<string, unknown>> {
  const job = currentScope()?.job;
  return job === undefined
    ? {}
    : { queue: job.queue, messageId: job.messageId };
}
