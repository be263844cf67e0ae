/**
 * The errors that users of this package catch or throw.
 *
 * @module
 */

/** Marks values and knows them again, whichever copy marked them. */
export class Brand {
  readonly #key: symbol;

  /** A brand by the name that all copies know it by. */
  constructor(name: string) {
    this.#key = Symbol.for(`zsqs/1/${name}`);
  }

  /** Marks a value. */
  mark<T extends object>(value: T): T {
    return Object.defineProperty(value, this.#key, { value: true });
  }

  /** Whether a value is marked. */
  has(value: unknown): boolean {
    return typeof value === "object" && value !== null &&
      (value as Record<symbol, unknown>)[this.#key] === true;
  }

  /**
   * Makes `value instanceof branded` true for every marked value, whichever copy
   * of this package made it. Subclasses keep the ordinary `instanceof`.
   */
  claim(branded: object): void {
    const has = (value: unknown) => this.has(value);
    Object.defineProperty(branded, Symbol.hasInstance, {
      value(this: object, value: unknown): boolean {
        return this === branded
          ? has(value)
          : Function.prototype[Symbol.hasInstance].call(this, value);
      },
    });
  }
}

const MISSING_QUEUE = new Brand("NonExistentQueueError");
const CONFIG = new Brand("ConfigError");
const TRANSIENT = new Brand("TransientError");
const ABORTED = new Brand("JobAbortedError");
const PERMANENT = new Brand("PermanentError");
const SEND = new Brand("SendError");
const SQS = new Brand("SqsError");

/**
 * An Amazon SQS queue does not exist, or the caller may not see it.
 *
 * @example A queue that may not be there
 * ```ts
 * import { NonExistentQueueError, Queue } from "@zsqs/cli";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertRejects } from "@std/assert";
 *
 * using _queues = setUp({ silent: true, queues: ["adder"] });
 *
 * await assertRejects(() => Queue("typo"), NonExistentQueueError);
 * ```
 */
export class NonExistentQueueError extends Error {
  /** The queue's name, URL or ARN as it was asked for. */
  readonly queue: string;

  /**
   * Constructs a new instance.
   *
   * @param queue The queue's name, URL or ARN as it was asked for.
   * @param options The error's cause, and the region that was asked.
   */
  constructor(
    queue: string,
    options: ErrorOptions & { readonly region?: string } = {},
  ) {
    const { region, ...rest } = options;
    super(
      `Cannot find queue "${queue}"${
        region === undefined ? "" : ` in region "${region}"`
      }: create it first, or check its name and region`,
      rest,
    );
    this.name = "NonExistentQueueError";
    this.queue = queue;
    MISSING_QUEUE.mark(this);
  }
}

MISSING_QUEUE.claim(NonExistentQueueError);

/**
 * What is wrong with a container's configuration: one line a problem.
 *
 * @example Show what is wrong
 * ```ts
 * import { ConfigError, runContainer } from "@zsqs/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const problems: string[] = [];
 * try {
 *   await runContainer("missing.ini");
 * } catch (error) {
 *   if (!(error instanceof ConfigError)) throw error;
 *   problems.push(...error.problems);
 * }
 *
 * assertEquals(problems.length, 1);
 * ```
 */
export class ConfigError extends Error {
  /** One line for each problem: what, where, and what is allowed. */
  readonly problems: readonly string[];

  /**
   * Constructs a new instance.
   *
   * @param problems One line for each problem; there is at least one.
   * @param options The error's cause.
   */
  constructor(problems: string | readonly string[], options?: ErrorOptions) {
    const lines = typeof problems === "string" ? [problems] : problems;
    super(lines.join("\n"), options);
    this.name = "ConfigError";
    this.problems = lines;
    CONFIG.mark(this);
  }
}

CONFIG.claim(ConfigError);

/** SQS's longest visibility timeout, 12 hours, in seconds. */
export const MAX_VISIBILITY_SECONDS = 43_200;

/** Options of {@linkcode TransientError}. */
export interface TransientErrorOptions {
  /**
   * How long the message stays hidden before it is received again, in whole
   * seconds from 0 to 43,200, which is SQS's longest visibility timeout.
   *
   * @default {undefined} until the visibility timeout of the receive ends
   */
  readonly delaySeconds?: number;
  /** What made the job fail. */
  readonly cause?: unknown;
}

/**
 * Thrown by a handler whose job cannot be done now and should be retried.
 *
 * The message stays in the queue and is received again after `delaySeconds`,
 * or when its visibility timeout ends. Its receive count has risen by one, so
 * that a dead-letter queue takes it after the queue's `maxReceiveCount`.
 *
 * It is known by a brand that all copies and versions of this package share:
 * an error of another copy is `instanceof` this class. Only the thrown error
 * itself counts, not its causes.
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
  /** How long the message stays hidden, in seconds, if that was said. */
  readonly delaySeconds: number | undefined;

  /**
   * Constructs a new instance.
   *
   * @param message Why the job cannot be done now.
   * @param options When to retry, and the cause.
   * @throws {RangeError} If `delaySeconds` is not a whole number from 0 to
   * 43,200. A handler that lets it through loses no job: it is transient too.
   */
  constructor(message?: string, options: TransientErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "TransientError";
    this.delaySeconds = options.delaySeconds;
    TRANSIENT.mark(this);
    if (
      options.delaySeconds !== undefined &&
      !isVisibilitySeconds(options.delaySeconds)
    ) {
      throw TRANSIENT.mark(
        new RangeError(
          `Cannot create TransientError as "delaySeconds" must be an integer from 0 to ${MAX_VISIBILITY_SECONDS}: current value is ${
            String(options.delaySeconds)
          }`,
        ),
      );
    }
  }
}

TRANSIENT.claim(TransientError);

/**
 * Thrown by a handler whose job must not be tried again.
 *
 * The job fails immediately, whatever its number of attempts, and the message
 * goes where the container's `failures` option says. Errors of every copy of
 * this package are `instanceof` this class, from isolated jobs too.
 *
 * @example An order that nobody can fill
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
    PERMANENT.mark(this);
  }
}

PERMANENT.claim(PermanentError);

/** Whether a value is a whole number of seconds that SQS takes as visibility. */
export function isVisibilitySeconds(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 &&
    (value as number) <= MAX_VISIBILITY_SECONDS;
}

/** Why a job's signal was aborted. */
export type JobAbortReason = "timed out" | "lease lost" | "stopping";

/**
 * The reason with which a job's `signal` is aborted.
 *
 * Whatever a handler throws after that is taken as transient, so a handler may
 * simply let `fetch(url, { signal })` reject.
 *
 * @example Look at why a job is to end
 * ```ts
 * import { currentJob, JobAbortedError } from "@zsqs/cli";
 * import { assertEquals } from "@std/assert";
 *
 * export function slow() {
 *   return async () => {
 *     const { signal } = currentJob();
 *     await fetch("https://example.com", { signal }).catch((error) => {
 *       if (error instanceof JobAbortedError) console.log(error.reason);
 *       throw error; // transient: the message stays
 *     });
 *   };
 * }
 *
 * assertEquals(new JobAbortedError("timed out").reason, "timed out");
 * ```
 */
export class JobAbortedError extends Error {
  /** Why: `"timed out"`, `"lease lost"` or `"stopping"`. */
  readonly reason: JobAbortReason;

  /**
   * Constructs a new instance.
   *
   * @param reason Why the job is to end.
   */
  constructor(reason: JobAbortReason) {
    super(`The job is to end: ${reason}`);
    this.name = "JobAbortedError";
    this.reason = reason;
    ABORTED.mark(this);
  }
}

ABORTED.claim(JobAbortedError);

/**
 * A job's process ended before its handler did: the job is to be tried again,
 * whether it was the one that ended the process or another.
 */
export class LostJobError extends Error {
  /** The message is how the process ended. */
  constructor(message: string) {
    super(message);
    this.name = "LostJobError";
    // Where this process heard of it tells nothing.
    this.stack = `LostJobError: ${message}`;
  }
}

/** Options of {@linkcode SendError}. */
export interface SendErrorOptions extends ErrorOptions {
  /** SQS's error code, for example `InvalidMessageContents`. */
  readonly code: string;
  /** Whether SQS holds the sender to be at fault: a retry cannot help. */
  readonly senderFault: boolean;
  /** The job's position among those sent, counted from 0. */
  readonly index?: number;
}

/**
 * A job could not be handed to SQS: it is not in the queue as far as known.
 *
 * @example Keep what was not sent
 * ```ts
 * import { Queue, SendError } from "@zsqs/cli";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * using _queues = setUp({ silent: true });
 * const adder = await Queue("adder");
 *
 * const unsent: unknown[] = [];
 * await adder(1, 2).catch((error) => {
 *   if (!(error instanceof SendError)) throw error;
 *   unsent.push([1, 2]);
 * });
 *
 * assertEquals(unsent, []);
 * ```
 */
export class SendError extends Error {
  /** SQS's error code, for example `InvalidMessageContents`. */
  readonly code: string;
  /** Whether SQS holds the sender to be at fault: a retry cannot help. */
  readonly senderFault: boolean;
  /** The job's position among those sent by `sendAll`, counted from 0. */
  readonly index: number | undefined;

  /**
   * Constructs a new instance.
   *
   * @param message What failed and what SQS said.
   * @param options The error's code, fault, position and cause.
   */
  constructor(message: string, options: SendErrorOptions) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "SendError";
    this.code = options.code;
    this.senderFault = options.senderFault;
    this.index = options.index;
    SEND.mark(this);
  }
}

SEND.claim(SendError);

/** Options of {@linkcode SqsError}. */
export interface SqsErrorOptions extends ErrorOptions {
  /** SQS's error code, for example `AccessDenied`, or the network's. */
  readonly code: string;
  /** Whether SQS holds the caller to be at fault: a retry cannot help. */
  readonly senderFault: boolean;
}

/**
 * A request that SQS refused, or that did not reach SQS.
 *
 * `Queue()`, `startContainer()` and `runContainer()` reject with it. A queue
 * that does not exist is a {@linkcode NonExistentQueueError}, and a job that
 * could not be sent is a {@linkcode SendError}.
 *
 * @example Retry only what a retry can help
 * ```ts
 * import { Queue, SqsError } from "@zsqs/cli";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * using _queues = setUp({ silent: true });
 *
 * const adder = await Queue("adder").catch((error) => {
 *   if (error instanceof SqsError && !error.senderFault) return undefined;
 *   throw error;
 * });
 *
 * assertEquals(adder?.name, "adder");
 * ```
 */
export class SqsError extends Error {
  /** SQS's error code, for example `AccessDenied`, or the network's. */
  readonly code: string;
  /** Whether SQS holds the caller to be at fault: a retry cannot help. */
  readonly senderFault: boolean;

  /**
   * Constructs a new instance.
   *
   * @param message What failed, and why.
   * @param options The error's code, fault and cause.
   */
  constructor(message: string, options: SqsErrorOptions) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "SqsError";
    this.code = options.code;
    this.senderFault = options.senderFault;
    SQS.mark(this);
  }
}

SQS.claim(SqsError);

/**
 * Whether an error says that a Deno permission is missing. Where an import is
 * refused, Deno wraps what says so in a `TypeError`.
 */
export function isNotCapable(error: unknown): boolean {
  return error instanceof Error && (error.name === "NotCapable" ||
    /^Requires \w+ access to .*, run again with the --allow-\w+ flag/.test(
      error.message,
    ));
}

/** What an error says, or whatever else was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
