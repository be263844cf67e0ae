/**
 * One job in this process: its message is read, the handler runs, and its
 * outcome is returned.
 *
 * @module
 */

import type { Outcome } from "./decide.ts";
import {
  isNotCapable,
  isVisibilitySeconds,
  LostJobError,
  TransientError,
} from "../errors.ts";
import { type Attributes, fromWire } from "../message/attributes.ts";
import { checkCount, decodeBody, type DecodedJob } from "../message/body.ts";
import type { JobMessage } from "../sqs/connection.ts";
import type { JobControl, Runner } from "./runner.ts";
import { type Job, runInScope, type Scope } from "./current_job.ts";

/** A worker's handler, as a job sees it. */
// deno-lint-ignore no-explicit-any
export type Handler = (...args: any[]) => unknown;

const DONE: Outcome = { kind: "done" };

/** What a job runs in. */
export interface JobContext {
  readonly handler: Handler;
  /** The queue's name. */
  readonly queue: string;
  readonly loggers: Scope["loggers"];
  /** How it is told to end. */
  readonly control: JobControl;
}

/** Runs jobs in this process. */
export class LocalRunner implements Runner {
  readonly #context: Omit<JobContext, "control">;

  constructor(context: Omit<JobContext, "control">) {
    this.#context = context;
  }

  async run(message: JobMessage, control: JobControl): Promise<Outcome> {
    const { handler, queue, loggers } = this.#context;
    let decoded: DecodedJob;
    try {
      decoded = decodeBody(message.body);
      checkCount(decoded.args.length, "Cannot call the handler");
    } catch (error) {
      return { kind: "failed", error };
    }
    const scope = new JobScope(message, { queue, loggers, control }, decoded);
    control.started();
    try {
      const result = callHandler(handler, scope, decoded);
      // Saves a turn of the event loop if nothing was returned.
      if (result !== undefined) await result;
      return DONE;
    } catch (error) {
      return safeOutcome(error, control);
    } finally {
      scope.end();
    }
  }
}

/** Calls a handler with its job's arguments, in a scope that holds the job. */
export function callHandler(
  handler: Handler,
  scope: JobScope,
  { args, kwargs }: DecodedJob,
): unknown {
  const keywords = Object.keys(kwargs).length > 0 ? [kwargs] : [];
  return runInScope(scope, () => handler(...args, ...keywords));
}

/** A thrown value may itself throw when it is looked at. */
function safeOutcome(error: unknown, control: JobControl): Outcome {
  try {
    return outcomeOf(error, control);
  } catch (trap) {
    return { kind: "failed", error: trap };
  }
}

/** What a job's code can ask for, even after the job has ended. */
export class JobScope implements Scope {
  readonly loggers: Scope["loggers"];
  readonly message: JobMessage;
  readonly #context: Pick<JobContext, "queue" | "control">;
  #decoded: DecodedJob | undefined;
  #job: Job | undefined;

  constructor(
    message: JobMessage,
    context: Omit<JobContext, "handler">,
    decoded: DecodedJob,
  ) {
    this.loggers = context.loggers;
    this.message = message;
    this.#context = context;
    this.#decoded = decoded;
  }

  /** The job, made on demand: few handlers ask for it. */
  get job(): Job {
    return this.#job ??= new RunningJob(
      this.message,
      this.#context,
      this.#decoded ?? decodeBody(this.message.body),
    );
  }

  /**
   * The handler has ended. Deno keeps each scope until V8 next collects, so the
   * arguments are dropped now. They are read from the body again if the job is
   * asked for later.
   */
  end(): void {
    this.#decoded = undefined;
  }
}

/** A job, as its handler sees it. */
class RunningJob implements Job {
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  readonly messageId: string;
  readonly queue: string;
  readonly receiveCount: number;
  readonly sentAt: Date;
  readonly groupId: string | undefined;
  readonly attributes: Attributes;
  readonly #control: JobControl;

  constructor(
    message: JobMessage,
    { queue, control }: Pick<JobContext, "queue" | "control">,
    { args, kwargs }: DecodedJob,
  ) {
    this.args = args;
    this.kwargs = kwargs;
    this.messageId = message.messageId;
    this.queue = queue;
    this.receiveCount = message.receiveCount;
    this.sentAt = new Date(message.sentAtMs);
    this.groupId = message.groupId;
    this.attributes = fromWire(message.attributes);
    this.#control = control;
  }

  get signal(): AbortSignal {
    return this.#control.signal;
  }
}

function outcomeOf(error: unknown, control: JobControl): Outcome {
  if (error instanceof TransientError) {
    const delaySeconds = (error as { delaySeconds?: unknown }).delaySeconds;
    return {
      kind: "transient",
      error,
      ...(isVisibilitySeconds(delaySeconds) ? { delaySeconds } : {}),
    };
  }
  if (control.aborted || error instanceof LostJobError) {
    return { kind: "aborted", error };
  }
  if (isNotCapable(error)) {
    return { kind: "notCapable", error };
  }
  return { kind: "failed", error };
}
