/**
 * Loads workers: from the factory that a module exports to a handler of jobs.
 *
 * @module
 */

import type { Handler } from "./run_job.ts";
import { quote, show } from "../text.ts";
import {
  callFactory,
  importExport,
  memberOf,
  type ModuleLoader,
  startError,
} from "./load_export.ts";
import { type CheckedHandler, checkOf, type StandardSchema } from "./schema.ts";
import { callableHint, uncallable } from "./unrun.ts";
import type { WorkerSpec } from "./worker_spec.ts";

/**
 * The options of the ini file's `[worker]` section, which a worker's factory
 * takes. Each value is the exact text in the file. Names are as written and, as
 * in Python, in lower case.
 *
 * The object has no prototype and is frozen.
 */
export interface WorkerConfig {
  /** An option's value, by its name. */
  readonly [name: string]: string | undefined;
}

/** A handler, or an object with a `handle` method. */
export type WorkerLike = Handler | { handle: Handler };

/**
 * Makes a worker: a function, which may be async, or a class with a
 * `handle(...args)` method.
 *
 * @typeParam Config The type of its argument: by default, the options of the
 * ini file's `[worker]` section.
 */
export type WorkerFactory<Config = WorkerConfig> =
  | ((config: Config) => WorkerLike | Promise<WorkerLike>)
  | (new (config: Config) => { handle: Handler });

/**
 * The argument types of a worker's jobs, taken from its factory, or from a
 * handler that has a schema. With a schema, they are the types of its input.
 *
 * @typeParam Factory The type of the factory: a function, async function or
 * class.
 */
export type JobArgs<Factory> = (
  // A handler with a schema is a function, too.
  "~jobArgs" extends keyof Factory ? Factory
    // deno-lint-ignore no-explicit-any
    : Factory extends abstract new (config: any) => infer Instance ? Instance
    // deno-lint-ignore no-explicit-any
    : Factory extends (config: any) => infer Result ? Awaited<Result>
    : never
) extends infer Made
  ? (Made extends { handle: infer Handle } ? Handle : Made) extends infer Handle
    ? "~jobArgs" extends keyof Handle
      // deno-lint-ignore no-explicit-any
      ? Handle extends CheckedHandler<any, infer Input> ? Input : never
    : Handle extends (...args: infer Args) => unknown ? Args
    : never
  : never
  : never;

/** A handler that a program gives in place of a factory. */
export interface GivenHandler {
  readonly handler: WorkerLike;
}

export interface Worker {
  readonly handler: Handler;
  /** Checks jobs before the handler runs. */
  readonly schema: StandardSchema | undefined;
  /** Disposes the worker that the factory made, if it is disposable. */
  dispose(): Promise<void>;
}

export interface LoadWorkerOptions {
  readonly worker: WorkerSpec | WorkerFactory | GivenHandler;
  /** For a function or class, whatever it takes. */
  readonly workerConfig: WorkerConfig;
  /** The ini file's path as the user gave it, for messages. */
  readonly file?: string;
}

/**
 * Imports the worker's module and finds the factory in it.
 *
 * @returns A function that calls the factory and returns the worker.
 * @throws {ConfigError} If there is no such factory; later, if it fails or
 * returns no handler.
 */
export async function loadWorker(
  config: LoadWorkerOptions,
  load?: ModuleLoader,
): Promise<() => Promise<Worker>> {
  const { worker, workerConfig } = config;
  if (typeof worker === "function") {
    const subject = `worker ${quote(worker.name)}`;
    refuseHandler(worker, subject);
    return () => makeWorker(worker, workerConfig, subject);
  }
  if ("handler" in worker) {
    const made = { ...handlerOf(worker.handler)!, dispose: async () => {} };
    return () => Promise.resolve(made);
  }
  const subject = `worker ${workerSubject(worker, config.file)}`;
  const factory = await importFactory(worker, subject, load);
  return () => makeWorker(factory, workerConfig, subject);
}

export function workerSubject(
  worker: WorkerSpec,
  file: string | undefined,
): string {
  return `"${worker.text}"${file === undefined ? "" : ` of ${file}`}`;
}

async function importFactory(
  spec: WorkerSpec,
  subject: string,
  load: ModuleLoader | undefined,
): Promise<WorkerFactory> {
  const { value: factory } = await importExport(spec, subject, load);
  refuseHandler(factory, subject);
  if (typeof factory === "function") return factory as WorkerFactory;
  const next = "export a function or class that takes the [worker] options";
  throw startError(subject, `is ${show(factory)}: ${next}`);
}

/** A handler that is called as a factory would check nothing. */
function refuseHandler(factory: unknown, subject: string): void {
  if (checkOf(factory) === undefined) return;
  const next =
    "export a function that takes the [worker] options and returns it";
  throw startError(subject, `is a handler with a schema: ${next}`);
}

async function makeWorker(
  factory: WorkerFactory,
  config: WorkerConfig,
  subject: string,
): Promise<Worker> {
  const { value: made } = await callFactory(factory, config, subject);
  const found = handlerOf(made);
  if (found === undefined) {
    const next =
      'return a function that takes a job\'s arguments, or an object with a "handle" method';
    throw startError(subject, `returned ${show(made)}: ${next}`);
  }
  const unrun = unrunHandler(made);
  if (unrun !== undefined) throw startError(subject, `returned ${unrun}`);
  return { ...found, dispose: () => dispose(made) };
}

function handlerOf(made: unknown): Omit<Worker, "dispose"> | undefined {
  const handle = typeof made === "function" ? made : memberOf(made, "handle");
  if (typeof handle !== "function") return undefined;
  const { handler = handle, schema } = checkOf(handle) ?? {};
  return { handler: handle === made ? handler : handler.bind(made), schema };
}

/**
 * Why a call of a handler would run none of its code.
 *
 * @returns Text such as `a class: give an instance of it`, or `undefined`.
 */
export function unrunHandler(made: unknown): string | undefined {
  const isBare = typeof made === "function";
  const what = uncallable(isBare ? made : memberOf(made, "handle"));
  if (what === undefined) return undefined;
  const subject = isBare ? what : `an object whose "handle" method is ${what}`;
  return `${subject}: ${callableHint(what)}`;
}

async function dispose(made: unknown): Promise<void> {
  const worker = made as Partial<AsyncDisposable & Disposable>;
  await (worker[Symbol.asyncDispose] ?? worker[Symbol.dispose])?.call(worker);
}
