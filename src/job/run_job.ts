/**
 * One job: its message is read, the handler runs, and how it ended is told.
 * What becomes of the message is the engine's.
 *
 * @module
 */

import type { Outcome } from "./decide.ts";
import {
  isNotCapable,
  isVisibilitySeconds,
  JobAbortedError,
  type JobAbortReason,
  LostJobError,
  TransientError,
} from "../errors.ts";
import { type Attributes, fromWire } from "../message/attributes.ts";
import { checkCount, decodeBody, type DecodedJob } from "../message/body.ts";
import type { JobMessage, ReceivedMessage } from "../sqs/connection.ts";
import { type Job, runInScope, type Scope } from "./current_job.ts";

/**
 * A worker's handler, as a job sees it.
 *
 * @example A handler
 * ```ts
 * import type { Handler } from "@zsqs/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const add: Handler = (a: number, b: number) => a + b;
 *
 * assertEquals(add(1, 2), 3);
 * ```
 */
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

/**
 * Runs the handler on a message.
 *
 * @param message The message.
 * @param context What the job runs in.
 * @returns How it ended; it never rejects.
 */
export async function runJob(
  message: ReceivedMessage,
  context: JobContext,
): Promise<Outcome> {
  let decoded: DecodedJob;
  try {
    decoded = decodeBody(message.body);
    checkCount(decoded.args.length, "Cannot call the handler");
  } catch (error) {
    return { kind: "failed", error };
  }
  const scope = new JobScope(message, context, decoded);
  try {
    const result = callHandler(context.handler, scope, decoded);
    // A turn less for what is done already.
    if (result !== undefined) await result;
    return DONE;
  } catch (error) {
    return safeOutcome(error, context.control);
  } finally {
    scope.end();
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

/** An error may be anything, a proxy that throws when it is looked at too. */
function safeOutcome(error: unknown, control: JobControl): Outcome {
  try {
    return outcomeOf(error, control);
  } catch (trap) {
    return { kind: "failed", error: trap };
  }
}

/** What a job's code can ask for, and what it left behind, which may go on. */
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

  /** The job; it is made when it is asked for: few handlers do. */
  get job(): Job {
    return this.#job ??= new RunningJob(
      this.message,
      this.#context,
      this.#decoded ?? decodeBody(this.message.body),
    );
  }

  /**
   * The handler has ended. Deno keeps each scope until V8 next collects, and so
   * what the scope holds: the arguments are let go now. Who asks for the job
   * later, and was not given it before, gets them from the body anew.
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

/** A job under way. Its signal is made when it is asked for: few jobs do. */
export class JobControl {
  #reason: JobAbortedError | undefined;
  #controller: AbortController | undefined;
  /** Whether the handler has not ended yet. */
  running = true;
  /** The message was given back: how the job ends does not matter any more. */
  givenUp = false;
  /** Called when it has ended, or was given up. */
  onEnd: (() => void) | undefined;

  /** Whether the job was told to end. */
  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  /** Aborts when the job is to end. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The handler has ended. */
  end(): void {
    this.running = false;
    this.onEnd?.();
  }

  /** Gives the job up: its message was given back. */
  giveUp(): void {
    this.givenUp = true;
    this.onEnd?.();
    this.abort("stopping");
  }

  /** Tells the job to end; the first reason counts. */
  abort(reason: JobAbortReason): void {
    if (this.aborted) return;
    this.#reason = new JobAbortedError(reason);
    this.#controller?.abort(this.#reason);
  }
}
