/**
 * The errors that decide what becomes of a job.
 *
 * @module
 */

import { claim, mark } from "./brand.ts";
import { isNotCapable } from "./errors.ts";

/** SQS's longest visibility timeout, 12 hours, in seconds. */
export const MAX_VISIBILITY_SECONDS = 43_200;

/** Options of {@linkcode TransientError}. */
export interface TransientErrorOptions extends ErrorOptions {
  /**
   * The seconds until the message is received again: a whole number from 0 to
   * 43,200, SQS's longest visibility timeout.
   *
   * @default {undefined} the container's `retryDelaySeconds`, or until the
   * visibility timeout ends
   */
  readonly delaySeconds?: number | undefined;
}

/**
 * Thrown by a handler to retry its job later.
 *
 * The message stays in the queue and is received again after `delaySeconds`.
 * Each receive raises its receive count. With `attempts`, the job fails once the
 * count reaches that number. A dead-letter queue takes the message after the
 * queue's `maxReceiveCount`.
 *
 * Errors of every copy and version of this package are `instanceof` this class.
 * Only the thrown error counts, not its causes.
 *
 * @example Retry in a minute
 * ```ts
 * import { TransientError } from "@zsqs/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new TransientError("rate limited", { delaySeconds: 60 });
 *
 * assertEquals(error.delaySeconds, 60);
 * ```
 */
export class TransientError extends Error {
  /** The seconds until the message is received again, if given. */
  readonly delaySeconds: number | undefined;

  /**
   * Constructs a new instance.
   *
   * @param message Why the job cannot be done now.
   * @param options The delay, and the cause.
   * @throws {RangeError} If `delaySeconds` is not a whole number from 0 to
   * 43,200. A job that throws this error is retried, too.
   */
  constructor(message?: string, options: TransientErrorOptions = {}) {
    super(message, options);
    this.name = "TransientError";
    this.delaySeconds = options.delaySeconds;
    mark(this, "TransientError");
    const { delaySeconds = 0 } = options;
    if (isVisibilitySeconds(delaySeconds)) return;
    const error = new RangeError(
      `Cannot create TransientError as "delaySeconds" must be an integer from 0 to ${MAX_VISIBILITY_SECONDS}: current value is ${delaySeconds}`,
    );
    throw mark(error, "TransientError");
  }
}

claim(TransientError, "TransientError");

/**
 * Thrown by a handler whose job must not be retried.
 *
 * The job fails immediately, whatever its number of attempts. The container's
 * `failures` option decides where the message goes.
 *
 * @example Fail an order that nobody can fill
 * ```ts
 * import { PermanentError } from "@zsqs/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new PermanentError("the product was discontinued");
 *
 * assertEquals(error.name, "PermanentError");
 * ```
 */
export class PermanentError extends Error {
  /**
   * Constructs a new instance.
   *
   * @param message Why the job can never be done.
   * @param options The error's cause.
   */
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PermanentError";
    mark(this, "PermanentError");
  }
}

claim(PermanentError, "PermanentError");

/**
 * A job does not fit its schema.
 *
 * Sending rejects with it before any request. In a container the job fails
 * immediately, whatever its number of attempts, and the `failures` option
 * decides where the message goes.
 *
 * @example Answer a request with the problems
 * ```ts
 * import { Queue, SchemaError } from "@zsqs/cli";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 * import { z } from "zod";
 *
 * using _queues = setUp({ silent: true });
 * const welcome = await Queue("welcome", { schema: z.tuple([z.email()]) });
 *
 * async function signUp(email: string): Promise<Response> {
 *   try {
 *     await welcome(email);
 *     return new Response("welcome", { status: 202 });
 *   } catch (error) {
 *     if (!(error instanceof SchemaError)) throw error;
 *     return new Response(error.problems.join("\n"), { status: 400 });
 *   }
 * }
 *
 * const response = await signUp("nobody");
 * assertEquals(await response.text(), "args[0]: Invalid email address");
 * ```
 */
export class SchemaError extends Error {
  /**
   * One line for each of the schema's issues, at most 20: its path, such as
   * `args[0].email`, and its message.
   */
  readonly problems: readonly string[];

  /**
   * Constructs a new instance.
   *
   * @param message What failed.
   * @param problems One line for each problem.
   * @param options The error's cause.
   */
  constructor(
    message: string,
    problems: readonly string[],
    options?: ErrorOptions,
  ) {
    super([`${message}:`, ...problems].join("\n"), options);
    this.name = "SchemaError";
    this.problems = problems;
    mark(this, "SchemaError");
  }
}

claim(SchemaError, "SchemaError");

export function isVisibilitySeconds(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 &&
    (value as number) <= MAX_VISIBILITY_SECONDS;
}

/** Why a job's signal was aborted. */
export type JobAbortReason = "timed out" | "lease lost" | "stopping";

/**
 * The reason of a job's aborted `signal`.
 *
 * A job that throws anything but a {@linkcode PermanentError} after that is
 * retried, so a handler may let `fetch(url, { signal })` reject. With `attempts`,
 * a timeout counts as one.
 *
 * @example Log why a job is aborted
 * ```ts
 * import { currentJob, JobAbortedError } from "@zsqs/cli";
 * import { assertEquals } from "@std/assert";
 *
 * export function slow() {
 *   return async () => {
 *     const { signal } = currentJob();
 *     await fetch("https://example.com", { signal }).catch((error) => {
 *       if (error instanceof JobAbortedError) console.log(error.reason);
 *       throw error; // the message stays in the queue
 *     });
 *   };
 * }
 *
 * assertEquals(new JobAbortedError("timed out").reason, "timed out");
 * ```
 */
export class JobAbortedError extends Error {
  /** `"timed out"`, `"lease lost"` or `"stopping"`. */
  readonly reason: JobAbortReason;

  /**
   * Constructs a new instance.
   *
   * @param reason Why the job is aborted.
   */
  constructor(reason: JobAbortReason) {
    super(`Job aborted: ${reason}`);
    this.name = "JobAbortedError";
    this.reason = reason;
    mark(this, "JobAbortedError");
  }
}

claim(JobAbortedError, "JobAbortedError");

/** A job's process ended before its handler did: the job is retried. */
export class LostJobError extends Error {
  /** @param message How the process ended. */
  constructor(message: string) {
    super(message);
    this.name = "LostJobError";
    // The stack would show only where this process received the news.
    this.stack = `LostJobError: ${message}`;
  }
}

/**
 * Whether Deno denied a permission to a job. Its class counts, too: a job may
 * give an error any name and text that its input contains.
 */
export function threwNotCapable(error: unknown): boolean {
  try {
    return isNotCapable(error) &&
      Object.getPrototypeOf(error).constructor.name === "NotCapable";
  } catch {
    return false; // A proxy, or a class without a name.
  }
}
