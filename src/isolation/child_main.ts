/**
 * The program of a child process: it imports the worker, runs jobs, and sends
 * their outcomes to the container.
 *
 * It loads before the worker's code, and keeps the built-in functions that it
 * needs later: a job may replace them.
 *
 * @module
 */

import { ConfigError } from "../errors.ts";
import { runInScope } from "../job/current_job.ts";
import type { ModuleLoader } from "../job/load_export.ts";
import { localRunner } from "../job/run_batch.ts";
import { plain } from "../job/run_job.ts";
import { type BatchOutcome, JobControl } from "../job/runner.ts";
import { logStrayErrors } from "../job/stray_errors.ts";
import { loadWorker, type Worker, workerSubject } from "../job/worker.ts";
import { encodeError } from "../logging/error_data.ts";
import { type Logger, loggerOf, writeRecord } from "../logging/loggers.ts";
import type { JobMessage } from "../sqs/connection.ts";
import { list } from "../text.ts";
import { type Channel, takeChannel } from "./child_channel.ts";
import {
  cutText,
  decodeToChild,
  encodeFromChild,
  encodeOutcomes,
  type FrameKeys,
  type FromChild,
  HELLO,
  type Mark,
  type ToChild,
} from "./protocol.ts";
import { watchContainer } from "./watchdog.ts";

// An `await` looks at it: with another one, it would call a job's `then`.
Object.defineProperty(Promise.prototype, "constructor", {
  configurable: false,
  writable: false,
});

/**
 * Runs jobs until the channel to the container closes.
 *
 * @param load Imports the worker's module.
 * @param container The container's process id.
 */
export async function serve(
  load: ModuleLoader,
  container: number,
): Promise<void> {
  const channel = takeChannel((message) => program.take(message));
  const program = new Program(load, channel);
  // The worker's code may never let go of the main thread.
  await watchContainer(container);
  channel.send(HELLO);
}

/** The state of a child process. */
class Program {
  readonly #load: ModuleLoader;
  readonly #channel: Channel;
  /** By id. Not a `Map`, as a job may replace the methods of all maps. */
  readonly #running: Record<string, JobControl> = Object.create(null);
  readonly #loggers = { get: (name: string) => this.#logger(name) };
  #keys: FrameKeys | undefined;
  #make: (() => Promise<Worker>) | undefined;
  #config: Record<string, string> = Object.create(null);
  #worker: Worker | undefined;
  #start:
    | ((
      jobs: readonly JobMessage[],
      control: JobControl,
    ) => Promise<BatchOutcome>)
    | undefined;

  constructor(load: ModuleLoader, channel: Channel) {
    this.#load = load;
    this.#channel = channel;
  }

  /** Handles a message of the container. */
  take(text: unknown): void {
    const frame = decodeToChild(this.#keys?.toChild ?? "", text);
    switch (frame?.type) {
      case "load":
        if (this.#keys !== undefined) return;
        this.#keys = frame.keys;
        return void this.#step(() => this.#import(frame));
      case "make":
        return void this.#step(() => this.#makeWorker(frame));
      case "dispose":
        return void this.#step(async () => await this.#worker?.dispose());
      case "run":
        return void this.#run(frame);
      case "abort":
        return this.#abort(frame);
      case "exit":
        return this.#channel.exit(0);
    }
  }

  #send(frame: FromChild): Promise<void> {
    return this.#channel.send(encodeFromChild(this.#keys!.fromChild, frame));
  }

  #mark(mark: Mark): void {
    this.#channel.mark(encodeFromChild(this.#keys!.fromChild, mark));
  }

  #abort({ id, reason }: ToChild & { type: "abort" }): void {
    const control = this.#running[id];
    if (control === undefined) return;
    this.#mark({ type: "aborting", id });
    control.abort(reason);
  }

  async #step(work: () => Promise<void>): Promise<void> {
    try {
      await runInScope({ loggers: this.#loggers }, work);
      this.#send({ type: "ok" });
    } catch (error) {
      this.#send({ type: "failed", error: encodeError(error) });
    }
  }

  async #import(frame: ToChild & { type: "load" }): Promise<void> {
    const { worker, file, batch, denied } = frame;
    const states = await Promise.all(
      denied.map((name) => Deno.permissions.query({ name })),
    );
    const held = denied.filter((_, i) => states[i]!.state === "granted");
    if (held.length > 0) {
      throw new ConfigError(
        `Cannot start container as a child process of worker ${
          workerSubject(worker, file)
        } would hold more permissions than configured: ${list(held)}`,
      );
    }
    logStrayErrors({ loggers: this.#loggers, whose: "all" });
    this.#make = await loadWorker({
      worker,
      workerConfig: this.#config,
      ...(file === undefined ? {} : { file }),
      ...(batch === undefined ? {} : { batch }),
    }, this.#load);
  }

  async #makeWorker(frame: ToChild & { type: "make" }): Promise<void> {
    const { config, queue, reading } = frame;
    Object.freeze(Object.assign(this.#config, config));
    this.#worker = await this.#make!();
    const { handling } = this.#worker;
    const context = { queue, reading, loggers: this.#loggers };
    const runner = localRunner(handling, context);
    this.#start = "runBatch" in runner
      ? (messages, control) => runner.runBatch(messages, control)
      : async (messages, control) =>
        plain({ outcome: await runner.run(messages[0]!, control) });
  }

  async #run(frame: ToChild & { type: "run" }): Promise<void> {
    const { id, messages, withMarks } = frame;
    if (id in this.#running) return;
    const control = this.#running[id] = new JobControl();
    try {
      if (withMarks) {
        this.#mark({ type: "started", id });
        // So that no other frame of the job is read before.
        this.#send({ type: "started", id });
      }
      const running = this.#start!(messages, control);
      if (withMarks) this.#mark({ type: "returned", id });
      const end = await running;
      delete this.#running[id];
      this.#send({ type: "ended", id, ...encodeOutcomes(end) });
    } catch {
      // If jobs broke this process, other processes take its jobs.
      this.#channel.exit(1);
    }
  }

  #logger(name: string): Logger {
    return loggerOf((level, values) =>
      writeRecord(values, (text, errors) =>
        this.#send({
          type: "log",
          name: cutText(name),
          level,
          text: cutText(text),
          errors: errors.map((error) => encodeError(error)),
        }))
    );
  }
}
