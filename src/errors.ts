/**
 * The errors that users of this package catch or throw.
 *
 * @module
 */

import { claim, mark } from "./brand.ts";

/**
 * The queue does not exist, or the caller may not see it.
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
    const { region } = options;
    const where = region === undefined ? "" : ` in region "${region}"`;
    super(
      `Cannot find queue "${queue}"${where}: create it first, or check its name and region`,
      options,
    );
    this.name = "NonExistentQueueError";
    this.queue = queue;
    mark(this, "NonExistentQueueError");
  }
}

claim(NonExistentQueueError, "NonExistentQueueError");

/**
 * A container's configuration is wrong. The error lists every problem, one line
 * each.
 *
 * @example Print the problems
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
  /** One line for each problem: the option, its place, and the allowed values. */
  readonly problems: readonly string[];

  /**
   * Constructs a new instance.
   *
   * @param problems One line for each problem, at least one.
   * @param options The error's cause.
   */
  constructor(problems: string | readonly string[], options?: ErrorOptions) {
    const lines = typeof problems === "string" ? [problems] : problems;
    super(lines.join("\n"), options);
    this.name = "ConfigError";
    this.problems = lines;
    mark(this, "ConfigError");
  }
}

claim(ConfigError, "ConfigError");

/** Options of {@linkcode SqsError}. */
export interface SqsErrorOptions extends ErrorOptions {
  /** SQS's error code, for example `AccessDenied`, or the network's. */
  readonly code: string;
  /** Whether SQS blames the caller: a retry cannot help. */
  readonly senderFault: boolean;
}

/** Options of {@linkcode SendError}. */
export interface SendErrorOptions extends SqsErrorOptions {
  /** The job's position among the jobs sent, from 0. */
  readonly index?: number;
}

/**
 * A job could not be sent. As far as known, it is not in the queue.
 *
 * @example Keep jobs that were not sent
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
  /** Whether SQS blames the sender: a retry cannot help. */
  readonly senderFault: boolean;
  /** The job's position among the jobs of `sendAll`, from 0. */
  readonly index: number | undefined;

  /**
   * Constructs a new instance.
   *
   * @param message What failed, and why.
   * @param options The error's code, fault, position and cause.
   */
  constructor(message: string, options: SendErrorOptions) {
    super(message, options);
    this.name = "SendError";
    this.code = options.code;
    this.senderFault = options.senderFault;
    this.index = options.index;
    mark(this, "SendError");
  }
}

claim(SendError, "SendError");

/**
 * SQS refused a request, or the request did not reach SQS.
 *
 * `Queue()`, `startContainer()` and `runContainer()` reject with it. If the
 * queue does not exist, they reject with a {@linkcode NonExistentQueueError}.
 * Sending rejects with a {@linkcode SendError}.
 *
 * @example Retry if a retry can help
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
  /** Whether SQS blames the caller: a retry cannot help. */
  readonly senderFault: boolean;

  /**
   * Constructs a new instance.
   *
   * @param message What failed, and why.
   * @param options The error's code, fault and cause.
   */
  constructor(message: string, options: SqsErrorOptions) {
    super(message, options);
    this.name = "SqsError";
    this.code = options.code;
    this.senderFault = options.senderFault;
    mark(this, "SqsError");
  }
}

claim(SqsError, "SqsError");

/**
 * Whether Deno denied a permission. Only the error's name counts: a job's error
 * may quote the words of another one.
 */
export function isNotCapable(error: unknown): boolean {
  return errorPart(error, "name") === "NotCapable";
}

/**
 * Whether Deno denied a permission to load a module. Deno wraps a refused
 * import in a `TypeError`, which only its message gives away.
 */
export function isLoadDenied(error: unknown): boolean {
  return isNotCapable(error) ||
    errorPart(error, "name") === "TypeError" &&
      /^Requires \w+ access to .*, run again with the --allow-\w+ flag/.test(
        String(errorPart(error, "message")),
      );
}

/** The name or message of anything that was thrown; never throws. */
function errorPart(error: unknown, part: "name" | "message"): unknown {
  try {
    return error instanceof Error ? error[part] : undefined;
  } catch {
    return undefined; // A proxy or getter that throws.
  }
}

/**
 * An error's message; its name if it has none. Of another thrown value it says
 * so, as `3` or `undefined` alone explain nothing. Never throws.
 */
export function messageOf(error: unknown): string {
  const parts = [errorPart(error, "message"), errorPart(error, "name"), error];
  const text = parts.find((part) => typeof part === "string" && part !== "");
  if (text !== undefined) return text as string;
  const shown = /^(?:number|boolean)$/.test(typeof error) ? `: ${error}` : "";
  return `something that is no error was thrown${shown}`;
}
