/**
 * A container's life: it opens the queue, makes the worker, runs the engine,
 * and disposes all of it.
 *
 * @module
 */

import { sleep, unlessAborted } from "../clock.ts";
import type { ContainerConfig } from "../config/options.ts";
import type { FailureRoute } from "../connect/failure_loops.ts";
import { openError } from "../connect/open_queue.ts";
import type { AttachedConsumer } from "../connect/test_mode.ts";
import type { EngineContext } from "../engine/context.ts";
import { Engine } from "../engine/engine.ts";
import { Visibility } from "../engine/visibility.ts";
import { messageOf } from "../errors.ts";
import { runInScope } from "../job/current_job.ts";
import { logStrayErrors } from "../job/stray_errors.ts";
import { watchExit } from "../job/stray_exit.ts";
import type { Logger } from "../logging/loggers.ts";
import type { Reading } from "../message/reading.ts";
import { numberText } from "../text.ts";
import type { ContainerSummary } from "../job/summary.ts";
import { Counters } from "../telemetry/counters.ts";
import { fanOut } from "../telemetry/events.ts";
import { reportStop, stopText, summaryText } from "./stop_report.ts";
import type { ContainerStats, RunningJob } from "./stats.ts";
import { abortAfter, follow } from "./follow.ts";
import { fateText } from "./failed_jobs_text.ts";
import { learnQueue } from "./learn_queue.ts";
import type { LargeJobs } from "./large_jobs.ts";
import {
  closeQueues,
  loadParts,
  type Parts,
  type StartOptions,
} from "./parts.ts";

/** How long a worker may take to dispose itself after a forced stop. */
const DISPOSAL_GRACE_MS = 2_000;

/** A queue is asked for its settings this long after the first receive, at the latest. */
const LEARN_WITHIN_MS = 100;

/** How a container is run. */
interface ContainerRunOptions {
  /** Stops it as {@linkcode Container.stop} does, ... */
  readonly signal?: AbortSignal;
  /** ... or with `force`. */
  readonly forceSignal?: AbortSignal;
  /** Stops it when the queue is empty. */
  readonly drain?: boolean;
  /** Which exits, and which errors in work that jobs left behind, it logs. */
  readonly strayErrors?: "own" | "all";
}

/** A container that is ready to run: its queue is open, its worker made. */
export class Container implements AttachedConsumer {
  readonly #parts: Parts;
  readonly #logger: Logger;
  readonly #visibility: Visibility;
  readonly #counters = new Counters();
  readonly #engine: Engine;
  readonly #large: LargeJobs | undefined;
  readonly #stop = new AbortController();
  readonly #force = new AbortController();
  readonly #finished = Promise.withResolvers<ContainerSummary>();
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;
  onResume: (() => void) | undefined;
  #isRunning = false;
  /** The jobs that the double runs. */
  #round: Promise<void> | undefined;
  #learned: Promise<void> | undefined;

  /**
   * Starts to answer health checks, loads the worker, opens the queue, and calls
   * the factory.
   *
   * @throws {ConfigError} If the loggers or the worker are wrong.
   * @throws {NonExistentQueueError} If there is no such queue.
   */
  static async start(
    config: ContainerConfig,
    options: StartOptions = {},
  ): Promise<Container> {
    return new Container(await loadParts(config, options));
  }

  private constructor(parts: Parts) {
    const { config, loggers, queues, worker, telemetry, health, hooks } = parts;
    const { stats, code } = parts;
    const { source, failures } = queues;
    const { url, ref } = source;
    const { name, fifo } = ref;
    this.#parts = parts;
    this.#logger = loggers.get("zsqs");
    this.#visibility = new Visibility(config.visibilityTimeoutSeconds);
    // Whoever awaits it hears of a failure; nobody must.
    this.#finished.promise.catch(() => {});
    const traced = telemetry?.container({ name, url }, config);
    const context: EngineContext = {
      ...source,
      queue: name,
      fifo,
      loggers,
      options: config,
      visibility: this.#visibility,
      events: fanOut([this.#counters, traced?.events, hooks, stats]),
    };
    this.#large = code.openLarge?.(parts);
    const runner = this.#large?.runner ?? worker.runner;
    this.#engine = new Engine(context, {
      runner: traced?.trace(runner) ?? runner,
      BatchJobs: code.BatchJobs,
      room: worker.room,
      large: this.#large,
      // What was looked up by its name is there.
      isUnseen: ref.url !== undefined,
      failures: failures === undefined
        ? config.failures as Exclude<ContainerConfig["failures"], object>
        : code.openFailures!(failures, ref.name, this.#logger, telemetry),
    });
    if (health !== undefined) {
      health.problem = () => this.#engine.problem;
      if (config.stats) health.stats = () => this.stats;
    }
    follow(this.#stop.signal, () => this.#engine.stop());
    follow(this.#force.signal, () => this.#engine.forceStop());
  }

  get summary(): ContainerSummary {
    const { lostLines } = this.#parts.loggers;
    return { ...this.#counters.summary, lostLines };
  }

  /** What it did lately, if that is counted. */
  get stats(): ContainerStats | undefined {
    const { code, ...parts } = this.#parts;
    return code.statsOf?.(parts, this.#engine, this.#counters.summary);
  }

  /** The jobs that run, at most so many. */
  runningJobs(most: number): RunningJob[] {
    return this.#engine.firstRunning(most);
  }

  /** Where its failed jobs go, if that is a queue. */
  get failureRoute(): FailureRoute | undefined {
    return this.#parts.queues.failureRoute;
  }

  get reading(): Reading {
    return this.#parts.config;
  }

  get failuresUrl(): string | undefined {
    return this.#parts.queues.failures?.url;
  }

  get queueUrl(): string {
    return this.#parts.queues.source.url;
  }

  get jobs(): ReadonlySet<object> {
    return this.#engine.jobs;
  }

  get changed(): Promise<void> {
    return this.#engine.changed;
  }

  /**
   * Resolves when the container has stopped and its worker is disposed; rejects
   * if either failed.
   */
  get finished(): Promise<ContainerSummary> {
    return this.#finished.promise;
  }

  /** Whether it gave up its running jobs, which may still run. */
  get wasForced(): boolean {
    return this.#force.signal.aborted;
  }

  /** Releases waiting messages and receives no more; running jobs finish. */
  pause(): void {
    this.#engine.pause();
  }

  /** Receives again after a pause. */
  resume(): void {
    this.#engine.resume();
    this.onResume?.();
  }

  /**
   * Stops it: no receive starts, the one in flight is awaited and its messages
   * released, and running jobs finish. `force` drops the receive, aborts the
   * jobs and releases their messages; a stop becomes forced when
   * `shutdownTimeoutSeconds` is over.
   *
   * @returns {@linkcode Container.finished}.
   */
  stop(
    { force = false }: { readonly force?: boolean } = {},
  ): Promise<ContainerSummary> {
    this.#stop.abort();
    if (force) this.#force.abort();
    if (!this.#isRunning) this.#stopOnDouble().catch(() => {});
    return this.finished;
  }

  async runVisible(): Promise<void> {
    if (this.#closing !== undefined) return;
    this.#round = this.#whileOpen(async () => {
      await this.#learnQueue();
      await this.#engine.runVisible();
    });
    await this.#round;
  }

  async #stopOnDouble(): Promise<void> {
    await this.#round?.catch(() => {});
    await this.close(this.#force.signal);
  }

  /** Runs until it is stopped, then disposes all it holds. */
  async run(options: ContainerRunOptions): Promise<void> {
    const { loggers, config } = this.#parts;
    const { signal, forceSignal, drain = false } = options;
    const { strayErrors: whose = "all" } = options;
    this.#isRunning = true;
    using _errors = logStrayErrors({ loggers, whose });
    using _exit = watchExit({ loggers, whose });
    using _stop = follow(signal, () => this.stop());
    using _force = follow(forceSignal, () => this.stop({ force: true }));
    using stack = new DisposableStack();
    using _reported = follow(this.#stop.signal, () => {
      const bySignal = forceSignal !== undefined;
      this.#logger.info(stopText(config, { bySignal }));
      stack.use(this.#reportStop());
    });
    using _late = abortAfter(
      this.#stop.signal,
      config.shutdownTimeoutSeconds * 1000,
      this.#force,
    );
    try {
      await this.#poll(drain);
    } catch (error) {
      this.#finished.reject(error);
      throw error;
    } finally {
      await this.close(this.#force.signal);
    }
  }

  #reportStop(): Disposable {
    const { config: { queue }, queues: { source: { clock } } } = this.#parts;
    return reportStop({
      ...{ clock, logger: this.#logger, queue: queue.text },
      remaining: () => this.#engine.remaining,
    });
  }

  /**
   * Disposes all it holds, once; tries everything before it throws.
   *
   * @param forceSignal Ends the wait for the worker.
   */
  close(forceSignal?: AbortSignal): Promise<void> {
    this.#closing ??= this.#close(forceSignal);
    this.#closing.then(
      () => this.#finished.resolve(this.summary),
      (error) => this.#finished.reject(error),
    );
    return this.#closing;
  }

  async #close(forceSignal: AbortSignal | undefined): Promise<void> {
    const { worker, queues, loggers, health, hooks } = this.#parts;
    this.#closed.abort();
    try {
      await this.#disposeWorker(forceSignal);
    } finally {
      worker.kill?.();
      await hooks?.stop(this.summary);
      health?.[Symbol.dispose]();
      await this.#large?.close();
      closeQueues(queues);
      loggers.close();
    }
  }

  /** Asks the queue, once, for the values that the configuration lacks. */
  #learnQueue(): Promise<void> {
    const { config, queues: { source } } = this.#parts;
    const isConfigured = config.visibilityTimeoutSeconds !== undefined;
    return this.#learned ??= learnQueue({
      ...source,
      name: source.ref.name,
      logger: this.#logger,
      visibility: isConfigured ? undefined : this.#visibility,
      policy: config,
      signal: this.#closed.signal,
    });
  }

  /** Lets the first receive and its jobs go first, unless no message is there. */
  async #learnSoon(): Promise<void> {
    const { clock } = this.#parts.queues.source;
    const wait = sleep(clock, LEARN_WITHIN_MS, this.#closed.signal);
    await Promise.race([this.#engine.changed, wait]);
    await this.#learnQueue();
  }

  /** An error in here says that the queue cannot be used. */
  async #whileOpen(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      const { config, queues } = this.#parts;
      const { received, emptyReceives } = this.summary;
      if (received + emptyReceives > 0) throw error;
      const { region } = queues.source.connection;
      throw openError(error, config.queue.text, region);
    }
  }

  async #poll(drain: boolean): Promise<void> {
    const { config, queues } = this.#parts;
    const queue = config.queue.text;
    const { region } = queues.source.connection;
    const fate = fateText(config);
    this.#logger.info(
      `Listening to ${queue} in ${region}; failed jobs ${fate}`,
    );
    const { signal } = this.#stop;
    await this.#whileOpen(async () => {
      const running = this.#engine.run({ drain });
      this.#learnSoon();
      await running;
    });
    const summary = summaryText(this.summary);
    this.#logger.info(`Stopped listening to ${queue}: ${summary}`);
    if (drain && !signal.aborted) await this.#logRemaining();
  }

  async #disposeWorker(forceSignal: AbortSignal | undefined): Promise<void> {
    const { loggers, worker, config } = this.#parts;
    const late = new AbortController();
    using _late = abortAfter(forceSignal, DISPOSAL_GRACE_MS, late);
    const disposal = runInScope({ loggers }, () => worker.dispose())
      .then(() => true);
    try {
      if (await unlessAborted(disposal, late.signal) === undefined) {
        disposal.catch(() => {});
        this.#logger.warn(
          "Gave up on disposing the worker as the container stops",
        );
      }
    } catch (error) {
      const what = `Cannot dispose the worker of ${config.queue.text}`;
      throw new Error(`${what}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Logs what a drain left, if SQS lets it ask. */
  async #logRemaining(): Promise<void> {
    const { connection, url, ref } = this.#parts.queues.source;
    try {
      const { visible, inFlight, delayed } = await connection.attributes(url);
      this.#logger.info(
        `Drained ${ref.name}: ${numberText(visible)} visible, ${
          numberText(inFlight)
        } in flight and ${numberText(delayed)} delayed messages remain`,
      );
    } catch {
      // A container needs no right to ask for this.
    }
  }
}
