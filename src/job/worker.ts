/**
 * Loads workers: from the factory that a module exports to a handler of jobs.
 *
 * @module
 */

import { ConfigError, isLoadDenied, messageOf } from "../errors.ts";
import { nameAndMessage } from "../logging/error_data.ts";
import { isError } from "../logging/value_text.ts";
import type { Handler } from "./run_job.ts";
import { list, nearest, quote, show } from "../text.ts";
import { callableHint, isClass, uncallable } from "./unrun.ts";
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
 * The argument types of a worker's jobs, taken from its factory.
 *
 * @typeParam Factory The type of the factory: a function, async function or
 * class.
 */
export type JobArgs<Factory> = (
  // deno-lint-ignore no-explicit-any
  Factory extends abstract new (config: any) => infer Instance ? Instance
    // deno-lint-ignore no-explicit-any
    : Factory extends (config: any) => infer Result ? Awaited<Result>
    : never
) extends infer Made
  ? Made extends { handle(...args: infer Args): unknown } ? Args
  : Made extends (...args: infer Args) => unknown ? Args
  : never
  : never;

/** A handler that a program gives in place of a factory. */
export interface GivenHandler {
  readonly handler: WorkerLike;
}

export interface Worker {
  readonly handler: Handler;
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

export type ModuleLoader = (specifier: string) => Promise<object>;

/**
 * Imports the worker's module and finds the factory in it.
 *
 * @returns A function that calls the factory and returns the worker.
 * @throws {ConfigError} If there is no such factory; later, if it fails or
 * returns no handler.
 */
export async function loadWorker(
  config: LoadWorkerOptions,
  load: ModuleLoader = (specifier) => import(specifier),
): Promise<() => Promise<Worker>> {
  const { worker, workerConfig } = config;
  if (typeof worker === "function") {
    return () => makeWorker(worker, workerConfig, `"${worker.name}"`);
  }
  if ("handler" in worker) {
    const handler = handlerOf(worker.handler)!;
    return () => Promise.resolve({ handler, dispose: async () => {} });
  }
  const subject = workerSubject(worker, config.file);
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
  load: ModuleLoader,
): Promise<WorkerFactory> {
  const module = await importModule(spec, subject, load);
  try {
    return factoryIn(module, spec, subject);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw problem(subject, `cannot be read: ${firstLine(error)}`, error);
  }
}

function factoryIn(
  module: unknown,
  spec: WorkerSpec,
  subject: string,
): WorkerFactory {
  const path = (spec.expr ?? "default").split(".");
  let value = module;
  for (const [i, name] of path.entries()) {
    const found = memberOf(value, name);
    if (found === undefined) {
      const missing = quote(path.slice(0, i + 1).join("."));
      const what = spec.expr === undefined
        ? `default export${
          exportsHint(value)
        }; to take another, give "${spec.module}:NAME"`
        : `${missing}${exportsHint(value, name)}`;
      throw problem(subject, `has no ${what}`);
    }
    value = found;
  }
  if (typeof value !== "function") {
    const next = "export a function or class that takes the [worker] options";
    throw problem(subject, `is ${show(value)}: ${next}`);
  }
  return value as WorkerFactory;
}

async function makeWorker(
  factory: WorkerFactory,
  config: WorkerConfig,
  subject: string,
): Promise<Worker> {
  let made: unknown;
  try {
    const call = factory as (config: WorkerConfig) => unknown;
    made = isClass(factory)
      ? Reflect.construct(factory, [config])
      : await call(config);
  } catch (error) {
    if (isLoadDenied(error)) throw error;
    throw problem(subject, `failed: ${firstLine(error)}`, error);
  }
  const handler = handlerOf(made);
  if (handler === undefined) {
    const next =
      'return a function that takes a job\'s arguments, or an object with a "handle" method';
    throw problem(subject, `returned ${show(made)}: ${next}`);
  }
  const unrun = unrunHandler(made);
  if (unrun !== undefined) throw problem(subject, `returned ${unrun}`);
  return { handler, dispose: () => dispose(made) };
}

function problem(subject: string, what: string, cause?: unknown): ConfigError {
  return new ConfigError(
    `Cannot start container as worker ${subject} ${what}`,
    { cause },
  );
}

function handlerOf(made: unknown): Handler | undefined {
  if (typeof made === "function") return made as Handler;
  const handle = memberOf(made, "handle");
  return typeof handle === "function"
    ? handle.bind(made) as Handler
    : undefined;
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

function memberOf(value: unknown, name: string): unknown {
  return (Object(value) as Record<string, unknown>)[name];
}

async function dispose(made: unknown): Promise<void> {
  const worker = made as Partial<AsyncDisposable & Disposable>;
  await (worker[Symbol.asyncDispose] ?? worker[Symbol.dispose])?.call(worker);
}

async function importModule(
  spec: WorkerSpec,
  subject: string,
  load: ModuleLoader,
): Promise<object> {
  try {
    return await load(spec.specifier);
  } catch (error) {
    if (isLoadDenied(error)) throw error;
    throw problem(
      subject,
      isMissing(error, spec.specifier)
        ? `does not exist: there is no ${spec.specifier}`
        : `cannot be imported: ${firstLine(error)}`,
      error,
    );
  }
}

/** Whether the module itself is missing, not a module that it imports. */
function isMissing(error: unknown, specifier: string): boolean {
  return error instanceof Error &&
    /^module not found/i.test(error.message) &&
    error.message.includes(`"${specifier}"`);
}

function exportsHint(module: unknown, name?: string): string {
  const names = Object.keys(Object(module));
  if (names.length === 0) return ", nor any other export";
  const near = name === undefined ? undefined : nearest(name, names);
  return near === undefined
    ? `: it exports ${list(names.map(quote))}`
    : `: did you mean ${quote(near)}?`;
}

function isMissingModule(error: Error): boolean {
  try {
    return (error as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
  } catch {
    return false; // A proxy or getter that throws.
  }
}

/** An error in one line, with its place in the code if Deno names one. */
function firstLine(error: unknown): string {
  if (!isError(error)) return messageOf(error);
  const { name, message } = nameAndMessage(error);
  // deno-lint-ignore no-control-regex
  const text = message.replace(/\x1b\[\d*m/g, "");
  const [line = "", ...rest] = text.split("\n");
  const place = /^\s+at (\S+:\d+:\d+)$/m.exec(rest.join("\n"))?.[1];
  // Deno wraps any error of an import in a TypeError with a code.
  const named = isMissingModule(error) || line.startsWith(name)
    ? line
    : line === ""
    ? name
    : `${name}: ${line}`;
  return place === undefined ? named : `${named} (${place})`;
}
