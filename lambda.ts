/**
 * The same worker as an AWS Lambda function, on Node, with an SQS queue as its
 * trigger.
 *
 * Set `ReportBatchItemFailures` on the trigger: without it, Lambda ignores which
 * messages must come again, and deletes all of them.
 *
 * @module
 */

import { LambdaFunction } from "./src/lambda/lambda_function.ts";
import type {
  LambdaContext,
  SqsBatchResponse,
  SqsEvent,
} from "./src/lambda/event.ts";
import { checkLambda, type LambdaOptions } from "./src/lambda/settings.ts";
import type { WorkerConfig, WorkerFactory } from "./src/job/worker.ts";

export type { LambdaOptions } from "./src/lambda/settings.ts";
export type {
  LambdaContext,
  SqsBatchResponse,
  SqsEvent,
  SqsRecord,
  SqsRecordAttribute,
  SqsRecordAttributes,
} from "./src/lambda/event.ts";
export {
  JobAbortedError,
  type JobAbortReason,
  PermanentError,
  SchemaError,
  TransientError,
  type TransientErrorOptions,
} from "./src/job_errors.ts";
export type { ContainerSettings, Permission } from "./src/config/settings.ts";
export type { ContainerSummary, Operation } from "./src/job/summary.ts";
export { ConfigError } from "./src/errors.ts";
export type { HookJob, Hooks, HooksFactory, JobEnd } from "./src/job/hooks.ts";
export { PartialBatchError } from "./src/job/partial_batch.ts";
export type { FailedJob } from "./src/job/partial_batch.ts";
export type { BatchHandler, BatchOptions } from "./src/job/batch_handler.ts";
export type { Handler } from "./src/job/run_job.ts";
export type { Logger } from "./src/logging/loggers.ts";
export { currentJob, getLogger } from "./src/job/current_job.ts";
export type { Job } from "./src/job/current_job.ts";
export { withSchema } from "./src/job/schema.ts";
export type {
  CheckedHandler,
  SchemaArgs,
  SchemaResult,
  StandardSchema,
} from "./src/job/schema.ts";
export type { BodyFormat } from "./src/message/reading.ts";
export type { Attributes, AttributeValue } from "./src/message/attributes.ts";
export type { SnsNotification } from "./src/message/sns.ts";
export type {
  BatchWorkerLike,
  WorkerConfig,
  WorkerFactory,
  WorkerLike,
} from "./src/job/worker.ts";

/** What Lambda calls for each event. */
export type LambdaHandler = (
  event: SqsEvent,
  context?: LambdaContext,
) => Promise<SqsBatchResponse>;

/**
 * Makes a worker the handler of an AWS Lambda function.
 *
 * A job ends as in a container. A message that must come again is returned to
 * Lambda, which deletes all others. The worker is made at the first event and
 * serves all that follow; if that fails, the next event tries again.
 *
 * The signal of a job aborts 1 s before the time of the function is over. What is
 * not settled 0.5 s before the end returns to the queue.
 *
 * @typeParam Config The type of `workerConfig`.
 * @param worker A function or class that takes `workerConfig` and makes a
 * handler.
 * @param options The options.
 * @returns The handler to export. It rejects if the event is not from SQS, or if
 * the worker cannot be made. With `reporting` `throw`, it rejects if a message
 * must come again.
 * @throws {ConfigError} If the worker or an option is wrong. The error lists all
 * problems.
 *
 * @example The function's module
 * ```ts
 * import { lambdaHandler, TransientError } from "@zsqs/cli/lambda";
 * import { assertEquals } from "@std/assert";
 *
 * export function scaledAdder({ scale }: { scale: number }) {
 *   return (a: number, b: number | "later") => {
 *     if (b === "later") throw new TransientError("not now");
 *     console.log(scale * (a + b));
 *   };
 * }
 *
 * export const handler = lambdaHandler(scaledAdder, {
 *   workerConfig: { scale: 2 },
 *   failures: { queue: "adder-failed" },
 * });
 *
 * const event = { Records: [] }; // Lambda's
 * assertEquals(await handler(event), { batchItemFailures: [] });
 * ```
 */
export function lambdaHandler<Config = WorkerConfig>(
  worker: WorkerFactory<Config>,
  options: LambdaOptions<Config> = {},
): LambdaHandler {
  const lambda = new LambdaFunction(checkLambda(worker, options));
  return (event, context) => lambda.run(event, context);
}
