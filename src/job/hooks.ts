/**
 * Hooks: functions of the user that a container calls when jobs start and end.
 * They run in the container's own process, wherever its jobs run.
 *
 * @module
 */

import { list, nearest, quote, show, suggest } from "../text.ts";
import type { Job } from "./current_job.ts";
import {
  callFactory,
  importExport,
  memberOf,
  type ModuleLoader,
  startError,
} from "./load_export.ts";
import type { ContainerSummary } from "./summary.ts";
import { uncallable } from "./unrun.ts";
import type { WorkerConfig } from "./worker.ts";
import type { WorkerSpec } from "./worker_spec.ts";

/**
 * A job as {@linkcode Hooks} see it: a copy, without the signal. If
 * the body cannot be read or is in S3, `args` and `kwargs` are empty.
 */
export type HookJob = Omit<Job, "signal">;

/** How a job ended, for {@linkcode Hooks.jobEnded}. */
export interface JobEnd {
  /**
   * - `done`: the handler returned.
   * - `failed`: the message was deleted, kept or sent to the failures queue, as
   *   `failures` says.
   * - `retried`: the message stays in the queue, and its job runs again.
   * - `released`: the message went back to the queue before or while its job ran,
   *   for example because the container is stopping.
   * - `lost`: the visibility timeout ended too early, so that others may receive
   *   the message.
   */
  readonly outcome: "done" | "failed" | "retried" | "released" | "lost";
  /**
   * What the handler threw, or why the job did not run or finish; `undefined` if
   * the job is done, or if its message was released or lost while it waited.
   */
  readonly error: unknown;
  /**
   * How long the schema check and the handler ran, in milliseconds; `undefined`
   * if the job never started. If it ran again because its child process ended
   * or its batch failed, the last run counts.
   */
  readonly durationMs: number | undefined;
}

/**
 * What a container calls when something happens. All members are optional.
 *
 * Hooks run in the container's own process and with its rights, also for
 * isolated and killed jobs. Jobs do not wait for the promises that hooks return;
 * a stop waits for them, for up to 5 s. While 1,000 promises are pending, further
 * calls are dropped. A hook that throws is logged, and changes nothing.
 */
export interface Hooks {
  /** A job starts: its schema, if there is one, is checked, then its handler runs. */
  jobStarted?(job: HookJob): unknown;
  /**
   * A received message is settled: its job has ended, or will not start here. It
   * is called once for each job and receive. `jobStarted` may not have been
   * called before.
   */
  jobEnded?(job: HookJob, end: JobEnd): unknown;
  /** A receive failed; the container tries again. */
  receiveFailed?(error: unknown): unknown;
  /** The container has stopped: no other hook is called after it. */
  stopped?(summary: ContainerSummary): unknown;
}

/**
 * Makes {@linkcode Hooks}: a function, which may be async, or a class.
 *
 * @typeParam Config The type of its argument, as of a worker's factory: by
 * default, the options of the ini file's `[worker]` section.
 */
export type HooksFactory<Config = WorkerConfig> =
  | ((config: Config) => Hooks | Promise<Hooks>)
  | (new (config: Config) => Hooks);

/** Hooks that a program gives without a factory. */
interface GivenHooks {
  readonly hooks: object;
}

/** Options of {@linkcode loadHooks}. */
export interface LoadHooksOptions {
  readonly hooks?: WorkerSpec | HooksFactory | GivenHooks;
  /** For a function or class, whatever it takes. */
  readonly workerConfig: WorkerConfig;
  /** The ini file's path as the user gave it, for messages. */
  readonly file?: string;
}

/** Names of hooks, in the order of a container's life. */
const NAMES: readonly (keyof Hooks)[] = [
  "jobStarted",
  "jobEnded",
  "receiveFailed",
  "stopped",
];

/**
 * Imports the hooks' module and finds the factory, or the hooks, in it.
 *
 * @returns A function that calls the factory and returns the hooks; `undefined`
 * if there are no hooks.
 * @throws {ConfigError} If there is no such factory; later, if it fails or
 * returns anything but hooks.
 */
export async function loadHooks(
  { hooks, workerConfig, file }: LoadHooksOptions,
  load?: ModuleLoader,
): Promise<(() => Promise<Hooks>) | undefined> {
  if (hooks === undefined) return undefined;
  if (typeof hooks === "function") {
    const subject = `hooks ${quote(hooks.name)}`;
    return () => makeHooks(hooks, workerConfig, subject);
  }
  if ("hooks" in hooks) return () => Promise.resolve(bindHooks(hooks.hooks));
  const where = file === undefined ? "" : ` of ${file}`;
  const subject = `hooks ${quote(hooks.text)}${where}`;
  const { value: found } = await importExport(hooks, subject, load);
  if (typeof found === "function") {
    return () => makeHooks(found, workerConfig, subject);
  }
  const problem = hooksProblem(found);
  if (problem !== undefined) throw startError(subject, `is ${problem}`);
  return () => Promise.resolve(bindHooks(found as object));
}

async function makeHooks(
  factory: unknown,
  config: WorkerConfig,
  subject: string,
): Promise<Hooks> {
  const { value: made } = await callFactory(factory, config, subject);
  const problem = hooksProblem(made);
  if (problem !== undefined) throw startError(subject, `returned ${problem}`);
  return bindHooks(made as object);
}

/**
 * Why an object cannot be used as hooks.
 *
 * @returns Text such as `null: give an object with hooks`, or `undefined`.
 */
export function hooksProblem(made: unknown): string | undefined {
  const wanted = `give an object with any of ${list(NAMES.map(quote))}`;
  const isObject = typeof made === "object" && made !== null;
  if (!isObject || Array.isArray(made)) return `${show(made)}: ${wanted}`;
  if (typeof memberOf(made, "then") === "function") {
    return "a promise: give the object that it resolves to";
  }
  for (const name of NAMES) {
    const hook = memberOf(made, name);
    const what = uncallable(hook);
    const subject = `an object whose ${quote(name)} is`;
    if (what !== undefined) {
      return `${subject} ${what}: give a function, whose code runs when it is called`;
    }
    if (hook !== undefined && typeof hook !== "function") {
      return `${subject} ${show(hook)}: give a function`;
    }
  }
  const prototype = Object.getPrototypeOf(made);
  const isPlain = prototype === Object.prototype || prototype === null;
  const unknown = isPlain
    ? Object.keys(made).find((name) => !isHook(name))
    : misspelled(made);
  if (unknown !== undefined) {
    const hint = suggest(unknown, NAMES, "hooks");
    return `an object with the unknown hook ${quote(unknown)}: ${hint}`;
  }
  const isEmpty = NAMES.every((name) => memberOf(made, name) === undefined);
  return isEmpty && !isPlain ? `an object without hooks: ${wanted}` : undefined;
}

/** An instance of a class may have other members, too: only near names count. */
function misspelled(made: object): string | undefined {
  for (
    let each = made;
    each !== null && each !== Object.prototype;
    each = Object.getPrototypeOf(each)
  ) {
    const found = Object.entries(Object.getOwnPropertyDescriptors(each)).find(
      ([name, { value }]) =>
        typeof value === "function" && name !== "constructor" &&
        !isHook(name) && nearest(name, NAMES) !== undefined,
    );
    if (found !== undefined) return found[0];
  }
  return undefined;
}

function isHook(name: string): boolean {
  return (NAMES as readonly string[]).includes(name);
}

/** Each hook is read once: it stays the same while the container runs. */
function bindHooks(made: object): Hooks {
  const bound = NAMES.flatMap((name) => {
    const hook = memberOf(made, name);
    return typeof hook === "function" ? [[name, hook.bind(made)]] : [];
  });
  return Object.fromEntries(bound);
}
