/**
 * Loads workers: from the factory that a module exports to a handler of jobs.
 *
 * @module
 */

import type { BatchHandler } from "./batch_handler.ts";
import type { Handling } from "./run_batch.ts";
import type { Handler } from "./run_job.ts";
import { quote, show } from "../text.ts";
import {
  callFactory,
  importExport,
  memberOf,
  type ModuleLoader,
  startError,
} from "./load_export.ts";
import { type CheckedHandler, checkOf } from "./schema.ts";
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

/** A worker of batches: an object with a `handleBatch` method. */
export interface BatchWorkerLike {
  /** Handles a batch of jobs. */
  handleBatch: BatchHandler;
}

/**
 * Makes a worker: a function, which may be async, or a class with a
 * `handle(...args)` or `handleBatch(jobs, { signal })` method.
 *
 * @typeParam Config The type of its argument: by default, the options of the
 * ini file's `[worker]` section.
 */
export type WorkerFactory<Config = WorkerConfig> =
  | ((
    config: Config,
  ) => WorkerLike | BatchWorkerLike | Promise<WorkerLike | BatchWorkerLike>)
  | (new (config: Config) => { handle: Handler } | BatchWorkerLike);

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
) extends infer Made ? (
    Made extends { handle: infer Handle } ? Handle
      : Made extends { handleBatch: infer Handle } ? Handle
      : Made
  ) extends infer Handle ? "~jobArgs" extends keyof Handle
      // deno-lint-ignore no-explicit-any
      ? Handle extends CheckedHandler<any, infer Input> ? Input : never
    : Made extends // deno-lint-ignore no-explicit-any
    { handleBatch(jobs: (infer Each)[], options: any): unknown }
      ? Each extends { readonly args: infer Args } ? Args : never
    : Handle extends (...args: infer Args) => unknown ? Args
    : never
  : never
  : never;

/** A handler that a program gives in place of a factory. */
export type GivenHandler =
  | { readonly handler: WorkerLike }
  | { readonly handleBatch: BatchHandler };

/** A worker as its factory made it. */
export interface Worker {
  readonly handling: Handling;
  /** Disposes the worker that the factory made, if it is disposable. */
  dispose(): Promise<void>;
}

/** Options of {@linkcode loadWorker}. */
export interface LoadWorkerOptions {
  readonly worker: WorkerSpec | WorkerFactory | GivenHandler;
  /** For a function or class, whatever it takes. */
  readonly workerConfig: WorkerConfig;
  /** The most jobs of a batch; absent for a worker of single jobs. */
  readonly batch?: number;
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
  const { worker } = config;
  if (typeof worker === "function") {
    const subject = `worker ${quote(worker.name)}`;
    refuseHandler(worker, subject);
    return () => makeWorker(worker, config, subject);
  }
  if ("handler" in worker || "handleBatch" in worker) {
    const handling = "handler" in worker
      ? singleHandling(worker.handler)!
      : batchHandling(worker)!;
    return () => Promise.resolve({ handling, dispose: async () => {} });
  }
  const subject = `worker ${workerSubject(worker, config.file)}`;
  const factory = await importFactory(worker, subject, load);
  return () => makeWorker(factory, config, subject);
}

/** What messages call a worker: `"adder.ts:adder" of adder.ini`. */
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
  { workerConfig: config, batch }: LoadWorkerOptions,
  subject: string,
): Promise<Worker> {
  const { value: made } = await callFactory(factory, config, subject);
  const handling = batch === undefined
    ? handlingOf(made, subject)
    : batchHandlingOf(made, subject);
  return { handling, dispose: () => dispose(made) };
}

function handlingOf(made: unknown, subject: string): Handling {
  const handling = singleHandling(made);
  if (handling === undefined) {
    const isBatch = batchHandling(made) !== undefined;
    throw startError(
      subject,
      isBatch
        ? 'takes batches: set "batch" to the largest number of jobs in one'
        : `returned ${
          show(made)
        }: return a function that takes a job's arguments, or an object with a "handle" method`,
    );
  }
  refuseUnrun(unrunHandler(made), subject);
  return handling;
}

function batchHandlingOf(made: unknown, subject: string): Handling {
  const handling = batchHandling(made);
  if (handling === undefined || typeof made === "function") {
    const next =
      'return an object with a "handleBatch" method, or remove "batch"';
    throw startError(
      subject,
      `returned ${show(made)}, but "batch" is set: ${next}`,
    );
  }
  refuseUnrun(unrunMethod(made, "handleBatch"), subject);
  return handling;
}

function refuseUnrun(unrun: string | undefined, subject: string): void {
  if (unrun !== undefined) throw startError(subject, `returned ${unrun}`);
}

function singleHandling(made: unknown): Handling | undefined {
  const handle = typeof made === "function" ? made : memberOf(made, "handle");
  if (typeof handle !== "function") return undefined;
  const { handler = handle, schema } = checkOf(handle) ?? {};
  return { handler: handle === made ? handler : handler.bind(made), schema };
}

function batchHandling(made: unknown): Handling | undefined {
  const handle = memberOf(made, "handleBatch");
  if (typeof handle !== "function") return undefined;
  const { handler = handle, schema } = checkOf(handle) ?? {};
  return { handleBatch: handler.bind(made) as BatchHandler, schema };
}

/**
 * Why a call of a handler would run none of its code.
 *
 * @returns Text such as `a class: give an instance of it`, or `undefined`.
 */
export function unrunHandler(made: unknown): string | undefined {
  if (typeof made !== "function") return unrunMethod(made, "handle");
  const what = uncallable(made);
  return what && `${what}: ${callableHint(what)}`;
}

function unrunMethod(made: unknown, name: string): string | undefined {
  const what = uncallable(memberOf(made, name));
  return what &&
    `an object whose "${name}" method is ${what}: ${callableHint(what)}`;
}

async function dispose(made: unknown): Promise<void> {
  const worker = made as Partial<AsyncDisposable & Disposable>;
  await (worker[Symbol.asyncDispose] ?? worker[Symbol.dispose])?.call(worker);
}
