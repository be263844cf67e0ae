/**
 * The options of a Lambda function: the ones of a container that have a use there.
 *
 * @module
 */

import { checkSettings, validOrThrow } from "../config/config.ts";
import { CONTAINER_OPTIONS, type ContainerConfig } from "../config/options.ts";
import type { ContainerSettings } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";
import type { WorkerConfig, WorkerFactory } from "../job/worker.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { quote, show, suggest } from "../text.ts";

/**
 * Options of {@linkcode lambdaHandler}: the members of
 * {@linkcode ContainerSettings} that make sense in a Lambda function, and
 * `reporting`.
 *
 * @typeParam Config The type of `workerConfig`, which the worker takes.
 */
export interface LambdaOptions<Config = WorkerConfig> extends
  Pick<
    ContainerSettings<Config>,
    | "workerConfig"
    | "region"
    | "endpoint"
    | "body"
    | "envelope"
    | "loggers"
    | "batch"
    | "timeoutSeconds"
    | "attempts"
    | "retryDelaySeconds"
    | "failures"
  > {
  /**
   * The number of jobs, or of batches, of an event that run at a time, 1 to 1000.
   * On FIFO queues, the jobs of one group run one after the other.
   * @default {10} or 1 if `batch` is given
   */
  readonly concurrency?: number | undefined;
  /**
   * Functions to call when jobs start and end: an object, or a function or class
   * that takes `workerConfig` and makes one. `receiveFailed` and `stopped` are
   * never called.
   * @default {undefined} nothing
   */
  readonly hooks?:
    | Exclude<ContainerSettings<Config>["hooks"], string>
    | undefined;
  /**
   * `list` returns the messages that must come again, which needs
   * `ReportBatchItemFailures` on the trigger. `throw` throws if there is one, so
   * that all messages of the event come again: for triggers without it.
   * @default {"list"}
   */
  readonly reporting?: "list" | "throw" | undefined;
}

/** The names of {@linkcode LambdaOptions}. */
const NAMES: readonly (keyof LambdaOptions)[] = [
  "workerConfig",
  "region",
  "endpoint",
  "body",
  "envelope",
  "loggers",
  "batch",
  "timeoutSeconds",
  "attempts",
  "retryDelaySeconds",
  "failures",
  "concurrency",
  "hooks",
  "reporting",
];

/** Where something else has an option of containers. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["queue", "comes with each event: remove it"],
  ["worker", "is the first argument of lambdaHandler(): remove it"],
  ["handler", "is for containers: give a worker that returns it"],
  ["handleBatch", "is for containers: give a worker that returns it"],
  ["file", "has no use on Lambda: remove it"],
  ["large", "is for containers: a function does not fetch bodies from S3"],
]);

/** The queue of an event that names none. */
const NO_QUEUE = "unknown-queue";

/** The checked options of a function. */
export interface LambdaSettings {
  readonly reporting: "list" | "throw";
  /**
   * The configuration for the queue of an event.
   *
   * @throws {ConfigError} If its failed messages would return to it.
   */
  configFor(queueArn: string): ContainerConfig;
}

/**
 * Checks the options of a function.
 *
 * @throws {ConfigError} If one of them is wrong. The error lists all problems.
 */
export function checkLambda<Config>(
  worker: WorkerFactory<Config>,
  options: LambdaOptions<Config>,
): LambdaSettings {
  const { reporting = "list", ...given } = Object(options) as LambdaOptions;
  const known = Object.entries(given).filter(([name, value]) =>
    isKnown(name) && !(name === "hooks" && typeof value === "string")
  );
  const settings = {
    ...Object.fromEntries(known),
    // Anything else has its own line.
    worker: typeof worker === "function" ? worker : () => {},
    concurrency: given.concurrency ?? (given.batch === undefined ? 10 : 1),
    // An event brings all its messages.
    prefetch: 0,
  };
  const check = (queue: string, problems: readonly string[] = []) =>
    inLambda(() =>
      validOrThrow(checkSettings({ ...settings, queue }, undefined, problems))
    );
  check(NO_QUEUE, [...problemsOf(worker, given, options, reporting)]);
  return {
    reporting,
    configFor: (arn) =>
      check(arn !== "" && parseQueueRef(arn) !== undefined ? arn : NO_QUEUE),
  };
}

/** Gives the errors of a container's parts the words of a function. */
export function inLambda<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw inLambdaWords(error);
  }
}

export function inLambdaWords(error: unknown): unknown {
  if (!(error instanceof ConfigError)) return error;
  return new ConfigError(
    error.problems.map((line) =>
      line.replace(/^Cannot start container/, "Cannot start Lambda function")
    ),
    { cause: error.cause },
  );
}

function isKnown(name: string): boolean {
  return (NAMES as readonly string[]).includes(name) && name !== "reporting";
}

function* problemsOf(
  worker: unknown,
  given: object,
  options: unknown,
  reporting: unknown,
): Iterable<string> {
  if (Object(options) !== options) {
    yield `the options must be an object: current value is ${show(options)}`;
  }
  for (const name of Object.keys(given)) {
    if (isKnown(name)) continue;
    const isContainers = CONTAINER_OPTIONS.some(({ key }) => key === name);
    const problem = ELSEWHERE.get(name) ??
      (isContainers
        ? "has no use on Lambda: remove it"
        : `is not an option: ${suggest(name, NAMES, "options")}`);
    yield `${quote(name)} ${problem}`;
  }
  if (typeof worker !== "function") {
    yield `the worker must be a function or class that makes a handler: current value is ${
      show(worker)
    }`;
  }
  const { hooks } = given as { hooks?: unknown };
  if (typeof hooks === "string") {
    yield `"hooks" must be an object, a function or a class, so that a bundle holds them: current value is ${
      show(hooks)
    }`;
  }
  if (reporting !== "list" && reporting !== "throw") {
    yield `"reporting" must be "list" or "throw": current value is ${
      show(reporting)
    }`;
  }
}
