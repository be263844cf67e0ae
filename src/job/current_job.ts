/**
 * The current job and the container's loggers, for code inside a container. All
 * copies of this package share one scope, so that a worker that loaded another
 * copy finds its own job.
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { ReadMessage } from "../message/reading.ts";
import type { SnsNotification } from "../message/sns.ts";
import { type Attributes, fromWire } from "../message/attributes.ts";
import type { JobMessage } from "../sqs/connection.ts";
import { nameJobs } from "./runner.ts";
import { defaultLoggers, type Logger, loggerOf } from "../logging/loggers.ts";

/**
 * The job that a handler is working on.
 *
 * @typeParam Args The types of its positional arguments.
 */
export interface Job<Args extends readonly unknown[] = readonly unknown[]> {
  /** The positional arguments; with `body` `json` or `text`, one. */
  readonly args: Args;
  /** The keyword arguments, empty where there are none. */
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** SQS's id of the message. */
  readonly messageId: string;
  /** The name of the queue that it came from. */
  readonly queue: string;
  /** How often the message has been received, this time included. */
  readonly receiveCount: number;
  /** When the message was sent. */
  readonly sentAt: Date;
  /** The message's group, on FIFO queues and where the sender gave one. */
  readonly groupId: string | undefined;
  /** The message's attributes. */
  readonly attributes: Attributes;
  /** The SNS notification that brought the job, with `envelope` `sns`. */
  readonly notification: SnsNotification | undefined;
  /**
   * Aborts when the job must end, with a `JobAbortedError` that says why.
   * Whatever the handler throws after that leaves the message in the queue,
   * except for a `PermanentError` or a timeout on the last attempt. In a batch,
   * all jobs have the batch's signal.
   */
  readonly signal: AbortSignal;
}

/** What is known of a job, wherever it runs. */
export function jobOf(
  message: JobMessage,
  queue: string,
  { args, kwargs, notification }: ReadMessage,
): Omit<Job, "signal"> {
  const { messageId, receiveCount, sentAtMs, groupId, attributes } = message;
  return {
    args,
    kwargs,
    notification,
    messageId,
    queue,
    receiveCount,
    sentAt: new Date(sentAtMs),
    groupId,
    attributes: fromWire(attributes),
  };
}

/** What code knows that runs in a container: in a job, a batch or a hook. */
export interface Scope {
  readonly loggers: { get(name: string): Logger };
  readonly job?: Job;
  /** The name of the hook that runs. */
  readonly hook?: string;
  /** Where a batch runs, there is no current job. */
  readonly batch?: { readonly queue: string };
  readonly message?: JobMessage;
  /** The fields of JSON log lines, if not the job's. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

const SCOPE = Symbol.for("zsqs/1/scope");

const shared = globalThis as { [SCOPE]?: AsyncLocalStorage<Scope> };

const storage = shared[SCOPE] ??= new AsyncLocalStorage<Scope>();

// A job may replace what all code of its process shares.
const { apply } = Reflect;
const { run: enter, getStore } = storage;

/** Runs code, and all that it awaits, in a scope. */
export function runInScope<T>(scope: Scope, run: () => T): T {
  return apply(enter, storage, [scope, run]) as T;
}

/** The caller's scope; `undefined` outside of containers. */
export function currentScope(): Scope | undefined {
  return apply(getStore, storage, []);
}

/**
 * The job that the calling handler, or the code that it awaits, is working on.
 *
 * @returns The job.
 * @throws {Error} If the caller is not part of a job, or is part of a batch.
 *
 * @example Tell a retry from a first try
 * ```ts
 * import { currentJob, Queue } from "@zsqs/cli";
 * import { runContainer } from "@zsqs/cli/container";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using _queues = setUp({ silent: true });
 * const counts: number[] = [];
 * await runContainer({
 *   queue: "adder",
 *   worker: () => () => counts.push(currentJob().receiveCount),
 * });
 *
 * await (await Queue("adder"))();
 *
 * assertEquals(counts, [1]);
 * ```
 */
export function currentJob(): Job {
  const { job, batch } = currentScope() ?? {};
  if (batch !== undefined) {
    throw new Error(
      "No current job in a batch: use the jobs that handleBatch() gets",
    );
  }
  if (job === undefined) {
    throw new Error(
      "No current job: call currentJob() in a handler, or in code that it awaits",
    );
  }
  return job;
}

/**
 * A logger that writes to the container's loggers when it is used inside a
 * container, and to standard error elsewhere.
 *
 * It may be made once, when the module loads.
 *
 * @param name The logger's name; dots make a hierarchy, as in Python.
 * @returns The logger.
 *
 * @example Log from a job
 * ```ts
 * import { getLogger } from "@zsqs/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const log = getLogger("adder");
 *
 * export function adder() {
 *   return (a: number, b: number) => log.info(`${a} + ${b} is ${a + b}`);
 * }
 *
 * assertEquals(typeof log.info, "function");
 * ```
 */
export function getLogger(name: string): Logger {
  return loggerOf((method, values) => {
    const loggers = currentScope()?.loggers ?? defaultLoggers();
    loggers.get(name)[method](...values);
  });
}

/** Whether the caller is part of a job, or of a batch of them. */
export function isInJob(): boolean {
  const { job, batch } = currentScope() ?? {};
  return job !== undefined || batch !== undefined;
}

/** What the caller is part of, for a log line; `undefined` outside of jobs. */
export function currentWork(): string | undefined {
  const { job, batch } = currentScope() ?? {};
  return job ? nameJobs(job.queue, job) : batch && `a batch of ${batch.queue}`;
}

/** The fields that JSON log lines in a job, or about one, get. */
export function jobContext(): Readonly<Record<string, unknown>> {
  const { job, batch, fields = batch } = currentScope() ?? {};
  if (fields !== undefined) return fields;
  if (job === undefined) return {};
  const { queue, messageId, receiveCount } = job;
  return { queue, messageId, receiveCount };
}
