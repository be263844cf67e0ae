/**
 * The program in a process for jobs: it imports the worker, runs the jobs that
 * it is given, and tells how each ended.
 *
 * It is loaded before any code of the worker. What it needs later of objects
 * that jobs share with it, it takes here.
 *
 * @module
 */

import process from "node:process";
import type { JobMessage } from "../sqs/connection.ts";
import {
  decodeToChild,
  encodeFromChild,
  type FromChild,
  HELLO,
  type ToChild,
} from "./protocol.ts";
import { encodeError } from "../logging/error_data.ts";
import { ConfigError } from "../errors.ts";
import { callHandler, JobScope } from "../job/run_job.ts";
import { JobControl } from "../job/run_job.ts";
import { LOG_METHODS, type Logger, writeRecord } from "../logging/loggers.ts";
import { currentScope, runInScope, type Scope } from "../job/current_job.ts";
import { SIGNALS } from "../signals.ts";
import { logStrayErrors } from "../job/stray_errors.ts";
import { decodeBody } from "../message/body.ts";
import {
  loadWorker,
  type ModuleLoader,
  type Worker,
  workerSubject,
} from "../job/worker.ts";

/** Node's end of the channel, of which jobs must find nothing to send with. */
interface NodeChannel {
  send?(message: string, callback: (error: unknown) => void): void;
  disconnect?(): void;
}

/** The channel to the container's process. */
interface Channel {
  send(text: string): void;
  /** Ends this process. */
  exit(status: number): void;
}

/** Deno's permissions, by the names that their flags have. */
const PERMISSIONS = [
  ...(["net", "read", "write", "env"] as const),
  ...(["run", "sys", "ffi", "import"] as const),
];

/**
 * Runs jobs until the channel to the container's process closes.
 *
 * @param load Imports the worker's module.
 */
export function serve(load: ModuleLoader): void {
  const channel = takeChannel((message) => program.take(message));
  const program = new Program(load, channel);
  channel.send(HELLO);
}

/** Takes the channel out of the reach of all code that runs later. */
function takeChannel(take: (text: unknown) => void): Channel {
  const channel = process as unknown as NodeChannel;
  if (channel.send === undefined) {
    throw new Error(
      "Cannot run jobs: this program is started by a container that isolates them",
    );
  }
  const exit = process.exit.bind(process);
  const send = channel.send.bind(process);
  interceptMessages(take);
  // Without a listener Deno keeps messages back.
  process.on("message", () => {});
  // The container's process has ended.
  process.on("disconnect", () => exit(0));
  // Ctrl+C reaches this process too: the container decides what it means.
  for (const name of SIGNALS) process.on(name, () => {});
  // Deno itself reads with `process.channel`, which sends nothing.
  delete channel.send;
  delete channel.disconnect;
  return {
    // What cannot be told, as a job broke the channel, is done again elsewhere.
    send: (text) => send(text, (error) => error && exit(1)),
    exit,
  };
}

/**
 * Has messages taken before any listener gets them, so that a job hears none.
 * Whoever replaces `process.emit` still gets all other events.
 */
function interceptMessages(take: (text: unknown) => void): void {
  type Emit = (this: unknown, ...args: unknown[]) => boolean;
  const { apply } = Reflect;
  const original = process.emit as Emit;
  let replaced: Emit | undefined;
  let isWithin = false;
  function emit(this: unknown, ...args: unknown[]): boolean {
    if (args[0] === "message") {
      take(args[1]);
      return true;
    }
    // What replaced it calls this in turn.
    if (replaced === undefined || isWithin) return apply(original, this, args);
    isWithin = true;
    try {
      return apply(replaced, this, args);
    } finally {
      isWithin = false;
    }
  }
  Object.defineProperty(process, "emit", {
    get: () => emit,
    set: (value: Emit) => replaced = value === emit ? undefined : value,
  });
}

/** What a process for jobs does. */
class Program {
  readonly #load: ModuleLoader;
  readonly #channel: Channel;
  readonly #running = new Map<number, JobControl>();
  /** The numbers of the jobs, for what they log, later too. */
  readonly #ids = new WeakMap<Scope, number>();
  readonly #loggers = { get: (name: string) => this.#logger(name) };
  #secret = "";
  #queue = "";
  #make: (() => Promise<Worker>) | undefined;
  #config: Record<string, string> = Object.create(null);
  #worker: Worker | undefined;

  constructor(load: ModuleLoader, channel: Channel) {
    this.#load = load;
    this.#channel = channel;
  }

  /** Does what this process is told. */
  take(text: unknown): void {
    const message = decodeToChild(this.#secret, text);
    switch (message?.type) {
      case "load":
        if (this.#secret !== "") return;
        return void this.#step(() => this.#import(message));
      case "make":
        return void this.#step(() => this.#makeWorker(message));
      case "dispose":
        return void this.#step(async () => await this.#worker?.dispose());
      case "run":
        return void this.#run(message.id, message.message);
      case "abort":
        this.#running.get(message.id)?.abort(message.reason);
        return;
      case "exit":
        this.#channel.exit(0);
    }
  }

  #send(message: FromChild): void {
    this.#channel.send(encodeFromChild(this.#secret, message));
  }

  async #step(work: () => Promise<void>): Promise<void> {
    try {
      await runInScope({ loggers: this.#loggers }, work);
      this.#send({ type: "ok" });
    } catch (error) {
      this.#send({ type: "failed", error: encodeError(error) });
    }
  }

  async #import(told: ToChild & { type: "load" }): Promise<void> {
    const { secret, worker, file, granted } = told;
    this.#secret = secret;
    const more = await permissionsBeside(granted);
    if (more.length > 0) {
      throw new ConfigError(
        `Cannot start container as the process of worker ${
          workerSubject(worker, file)
        } would hold permissions that were not given: ${more.join(", ")}`,
      );
    }
    logStrayErrors({ loggers: this.#loggers, whose: "all" });
    this.#make = await loadWorker({
      worker,
      workerConfig: this.#config,
      ...(file === undefined ? {} : { file }),
    }, this.#load);
  }

  async #makeWorker(told: ToChild & { type: "make" }): Promise<void> {
    Object.freeze(Object.assign(this.#config, told.config));
    this.#queue = told.queue;
    this.#worker = await this.#make!();
  }

  async #run(id: number, message: JobMessage): Promise<void> {
    const control = new JobControl();
    this.#running.set(id, control);
    try {
      const decoded = decodeBody(message.body);
      const scope = new JobScope(message, {
        loggers: this.#loggers,
        queue: this.#queue,
        control,
      }, decoded);
      this.#ids.set(scope, id);
      await callHandler(this.#worker!.handler, scope, decoded);
      this.#send({ type: "done", id });
    } catch (error) {
      this.#send({ type: "threw", id, error: encodeError(error) });
    }
    this.#running.delete(id);
  }

  #logger(name: string): Logger {
    const methods = LOG_METHODS.map((level) => [
      level,
      (...values: unknown[]) =>
        writeRecord(values, (text, errors) => {
          const scope = currentScope();
          const id = scope && this.#ids.get(scope);
          this.#send({
            type: "log",
            name,
            level,
            text,
            errors: errors.map((error) => encodeError(error)),
            ...(id === undefined ? {} : { id }),
          });
        }),
    ]);
    return Object.fromEntries(methods) as Logger;
  }
}

/** The permissions that this process holds in full beside those given. */
async function permissionsBeside(
  granted: readonly string[],
): Promise<string[]> {
  const held = await Promise.all(
    PERMISSIONS.filter((name) => !granted.includes(name))
      .map(async (name) => {
        const { state } = await Deno.permissions.query({ name });
        return { name, isHeld: state === "granted" };
      }),
  );
  return held.filter(({ isHeld }) => isHeld).map(({ name }) => name);
}
