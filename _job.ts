/**
 * One job: its message is read, the handler runs, and how it ended is told.
 * What becomes of the message is the engine's.
 *
 * @module
 */

import { fromWire } from "./_attributes.ts";
import type { ReceivedMessage } from "./_connection.ts";
import {
  isNotCapable,
  isVisibilitySeconds,
  LostJobError,
  TransientError,
} from "./_errors.ts";
import { type Job, runInScope, type Scope } from "./_scope.ts";
import { checkCount, decodeBody, type DecodedJob } from "./_wire.ts";

/** A worker's handler, as a job sees it. */
// deno-lint-ignore no-explicit-any
export type Handler = (...args: any[]) => unknown;

/** How a job ended. */
export type Outcome =
  /** The handler returned. */
  | { readonly kind: "done" }
  /** The job is to be tried again. */
  | {
    readonly kind: "retry";
    /**
     * Why: the handler said so, its signal had aborted or its process ended, or
     * Deno refused.
     */
    readonly reason: "transient" | "aborted" | "not capable";
    readonly error: unknown;
    /** In how many seconds, if that was said. */
    readonly delaySeconds?: number;
  }
  /** The input is bad: it would fail each time. */
  | { readonly kind: "failed"; readonly error: unknown };

/** What a job runs in. */
export interface JobContext {
  readonly handler: Handler;
  /** The queue's name. */
  readonly queue: string;
  readonly loggers: Scope["loggers"];
  readonly signal: AbortSignal;
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
  const { args, kwargs } = decoded;
  const job = describeJob(message, decoded, context);
  const keywords = Object.keys(kwargs).length > 0 ? [kwargs] : [];
  const { handler, loggers } = context;
  try {
    await runInScope(
      { loggers, job, message },
      () => handler(...args, ...keywords),
    );
    return { kind: "done" };
  } catch (error) {
    return safeOutcome(error, context.signal);
  }
}

/** An error may be anything, a proxy that throws when it is looked at too. */
function safeOutcome(error: unknown, signal: AbortSignal): Outcome {
  try {
    return outcomeOf(error, signal);
  } catch (trap) {
    return { kind: "failed", error: trap };
  }
}

/** What a handler can ask of its job. */
export function describeJob(
  message: Omit<ReceivedMessage, "receiptHandle">,
  { args, kwargs }: DecodedJob,
  context: Pick<JobContext, "queue" | "signal">,
): Job {
  return {
    args,
    kwargs,
    messageId: message.messageId,
    queue: context.queue,
    receiveCount: message.receiveCount,
    sentAt: new Date(message.sentAtMs),
    groupId: message.groupId,
    attributes: fromWire(message.attributes),
    signal: context.signal,
  };
}

function outcomeOf(error: unknown, signal: AbortSignal): Outcome {
  if (error instanceof TransientError) {
    const delaySeconds = (error as { delaySeconds?: unknown }).delaySeconds;
    return {
      kind: "retry",
      reason: "transient",
      error,
      ...(isVisibilitySeconds(delaySeconds) ? { delaySeconds } : {}),
    };
  }
  if (signal.aborted || error instanceof LostJobError) {
    return { kind: "retry", reason: "aborted", error };
  }
  if (isNotCapable(error)) {
    return { kind: "retry", reason: "not capable", error };
  }
  return { kind: "failed", error };
}
