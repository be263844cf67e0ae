/**
 * One job in this process: its message is read, the handler runs, and its
 * outcome is returned.
 *
 * @module
 */

import {
  isVisibilitySeconds,
  PermanentError,
  SchemaError,
  threwNotCapable,
  TransientError,
} from "../job_errors.ts";
import type { Outcome } from "./decide.ts";
import { callArguments } from "../message/body.ts";
import {
  AwsBodyError,
  type Reading,
  type ReadMessage,
  readMessage,
} from "../message/reading.ts";
import type { JobMessage } from "../sqs/connection.ts";
import type { JobControl, Runner } from "./runner.ts";
import { type Job, jobOf, runInScope, type Scope } from "./current_job.ts";
import { checkJob, type StandardSchema } from "./schema.ts";
import { unrunCode } from "./unrun.ts";

/** A worker's handler, as a job sees it. */
// deno-lint-ignore no-explicit-any
export type Handler = (...args: any[]) => unknown;

// A job may replace what all code of its process shares.
const { isArray } = Array;
const { setPrototypeOf } = Object;
const { apply } = Reflect;

/** How most jobs end. */
export const DONE: Outcome = plain({ kind: "done" });

/** The handler of a queue's jobs, and its surroundings. */
export interface JobContext {
  readonly handler: Handler;
  /** Checks the arguments of jobs. */
  readonly schema?: StandardSchema | undefined;
  readonly queue: string;
  readonly reading: Reading;
  readonly loggers: Scope["loggers"];
}

/** Runs the jobs of a worker one by one, in this process. */
export class LocalRunner implements Runner {
  readonly #context: JobContext;

  constructor(context: JobContext) {
    this.#context = context;
  }

  async run(message: JobMessage, control: JobControl): Promise<Outcome> {
    let read: ReadMessage;
    try {
      read = readMessage(message, this.#context.reading);
    } catch (error) {
      return unreadOutcome(error);
    }
    const scope = new JobScope(message, this.#context, control, read);
    control.started();
    try {
      const { handler, schema, reading } = this.#context;
      const checked = schema === undefined
        ? callArguments(read)
        : runInScope(scope, () =>
          checkJob(schema, read, { ...reading, subject: "Job" }));
      // What a job does before it awaits anything is told from the rest.
      const args = isArray(checked) ? checked : await checked;
      // The check may have taken the job's time, or its lease.
      if (control.aborted) control.signal.throwIfAborted();
      const result = runInScope(
        scope,
        () => apply(handler, undefined, args),
      );
      // Saves a turn of the event loop if nothing was returned.
      if (result === undefined) return DONE;
      return await outcomeOfValue(await result);
    } catch (error) {
      return outcomeOfError(error);
    } finally {
      scope.end();
    }
  }
}

/**
 * An outcome without a prototype: if a job gave all objects a `then`, a promise
 * would call it for the outcomes of other jobs.
 */
export function plain<T extends object>(outcome: T): T {
  return setPrototypeOf(outcome, null);
}

/** How a job ends whose message nobody can read. */
export function unreadOutcome(error: unknown): Outcome {
  const isAws = error instanceof AwsBodyError;
  return plain({ kind: isAws ? "awsEvent" : "unfit", error });
}

/** A value that a handler returned is ignored, except for code. */
export async function outcomeOfValue(value: unknown): Promise<Outcome> {
  const unrun = value === undefined ? undefined : await unrunCode(value);
  if (unrun === undefined) return DONE;
  const error = new TypeError(
    `The handler returned ${unrun}, whose code has not run: run it in the handler, or return nothing`,
  );
  return plain({ kind: "workerError", error });
}

/** What a job's code can ask for, even after the job has ended. */
class JobScope implements Scope {
  readonly loggers: Scope["loggers"];
  readonly message: JobMessage;
  readonly #queue: string;
  readonly #reading: Reading;
  readonly #control: JobControl;
  #read: ReadMessage | undefined;
  #job: Job | undefined;

  constructor(
    message: JobMessage,
    { queue, reading, loggers }: JobContext,
    control: JobControl,
    read: ReadMessage,
  ) {
    this.loggers = loggers;
    this.message = message;
    this.#queue = queue;
    this.#reading = reading;
    this.#control = control;
    this.#read = read;
  }

  /** The job, made on demand: few handlers ask for it. */
  get job(): Job {
    if (this.#job !== undefined) return this.#job;
    const read = this.#read ?? readMessage(this.message, this.#reading);
    return this.#job = runningJob(
      this.message,
      this.#queue,
      read,
      this.#control,
    );
  }

  /**
   * Drops the arguments, because Deno keeps each scope until V8 next collects.
   * A job that is asked for later reads the body again.
   */
  end(): void {
    this.#read = undefined;
  }
}

/** A job while it runs. */
export function runningJob(
  message: JobMessage,
  queue: string,
  read: ReadMessage,
  control: JobControl,
): Job {
  return {
    ...jobOf(message, queue, read),
    get signal() {
      return control.signal;
    },
  };
}

/**
 * How a job ended that threw, without regard to an abort. A thrown value may
 * itself throw when it is looked at.
 */
export function outcomeOfError(error: unknown): Outcome {
  try {
    return plain(outcomeOf(error));
  } catch (trap) {
    return plain({ kind: "failed", error: trap });
  }
}

function outcomeOf(error: unknown): Outcome {
  if (error instanceof TransientError) {
    // Another copy's error may hold anything.
    const { delaySeconds } = error as { delaySeconds?: unknown };
    return isVisibilitySeconds(delaySeconds)
      ? { kind: "transient", error, delaySeconds }
      : { kind: "transient", error };
  }
  if (error instanceof PermanentError || error instanceof SchemaError) {
    return { kind: "unfit", error };
  }
  return { kind: threwNotCapable(error) ? "notCapable" : "failed", error };
}
