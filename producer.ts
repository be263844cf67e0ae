/**
 * Sending jobs: open a queue and call it.
 *
 * ```ts
 * import { Queue } from "@zsqs/cli/producer";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * using queues = setUp({ silent: true }); // in production, leave this line out
 *
 * const queue = await Queue("adder", { region: "eu-west-1" });
 * await queue(1, 2, 3);
 *
 * assertEquals(queues.get("adder").jobs, [[1, 2, 3]]);
 * ```
 *
 * @module
 */

import { loadTelemetry, openQueue } from "./src/connect/open_queue.ts";
import type {
  JobInput,
  SendAllOptions,
  SendAllSummary,
  SendOptions,
  SendResult,
} from "./src/sending/job_options.ts";
import { checkLarge } from "./src/sending/large_bodies.ts";
import { Sender } from "./src/sending/sender.ts";
import { checkSchema, type StandardSchema } from "./src/job/schema.ts";
import { refuseUnknown } from "./src/unknown_options.ts";
import type { Encoding } from "./src/message/body.ts";
import type { BodyFormat } from "./src/message/reading.ts";
import { checkWriting } from "./src/message/writing.ts";

export { SchemaError } from "./src/job_errors.ts";
export type { Attributes, AttributeValue } from "./src/message/attributes.ts";
export { NonExistentQueueError, SendError, SqsError } from "./src/errors.ts";
export type { SendErrorOptions, SqsErrorOptions } from "./src/errors.ts";
export type {
  JobInput,
  JobOptions,
  JobWithOptions,
  SendAllOptions,
  SendAllResult,
  SendAllSummary,
  SendOptions,
  SendResult,
} from "./src/sending/job_options.ts";
export { kwargs } from "./src/message/body.ts";
export type { Encoding, Kwargs } from "./src/message/body.ts";
export type { BodyFormat } from "./src/message/reading.ts";
export type {
  CheckedHandler,
  SchemaArgs,
  SchemaResult,
  StandardSchema,
} from "./src/job/schema.ts";
export type { JobArgs } from "./src/job/worker.ts";

const QUEUE_OPTIONS = [
  "region",
  "endpoint",
  "body",
  "encoding",
  "schema",
  "large",
  "largeFrom",
  "signal",
];

/** Options of {@linkcode Queue}. */
export interface QueueOptions {
  /**
   * The AWS region.
   *
   * @default {undefined} the first of these: the region in the queue's URL or
   * ARN, the region of the AWS environment or profile, `us-east-1`
   */
  readonly region?: string;
  /**
   * The URL of the SQS server.
   *
   * @default {undefined} the first of these: `AWS_ENDPOINT_URL_SQS`,
   * `AWS_ENDPOINT_URL`, the region's server
   */
  readonly endpoint?: string;
  /**
   * What message bodies are: `"job"` (the arguments, as workers of this package
   * and of zc.sqs take them), `"json"` (one argument, as JSON) or `"text"` (one
   * argument, a string).
   *
   * @default {"job"}
   */
  readonly body?: BodyFormat | undefined;
  /**
   * The encoding of jobs, only with `body` `"job"`: `"json"`, or `"base64"` for queues with
   * Python workers of zc.sqs.
   *
   * @default {"json"}
   */
  readonly encoding?: Encoding;
  /**
   * Checks each job before it is sent: a schema of zod, valibot, arktype or
   * another library that implements Standard Schema v1. It describes the array of
   * all arguments, keyword arguments last; with `body` `"json"` or `"text"`, the
   * one value. It sees them as the worker gets them, after JSON. The arguments are
   * sent, not the schema's output.
   *
   * @default {undefined} no check
   */
  readonly schema?: StandardSchema | undefined;
  /**
   * Where jobs go that are larger than SQS takes: `s3://bucket/prefix`. Their
   * bodies are uploaded there, up to 64 MiB each, and their messages hold pointers
   * as AWS's Extended Client Libraries write them. The containers of the queue
   * need the same `large`.
   *
   * @default {undefined} they are refused
   */
  readonly large?: string | undefined;
  /**
   * The size, with attributes, from which a job goes to `large`, in bytes from 1
   * to 1,048,576. Set it to the queue's own limit if that is lower than SQS's.
   *
   * @default {1_048_577} more than SQS takes
   */
  readonly largeFrom?: number | undefined;
  /** Aborts opening the queue. It has no effect on later sends. */
  readonly signal?: AbortSignal;
}

/**
 * An open queue: call it to send a job.
 *
 * @typeParam Args The types of a job's arguments.
 */
export interface Queue<Args extends readonly unknown[] = readonly unknown[]>
  extends AsyncDisposable {
  /**
   * Sends a job with these arguments. Resolves when SQS has accepted it, and
   * rejects as {@linkcode Queue.send} does.
   */
  (...args: Args): Promise<SendResult>;
  /** The queue's name. */
  readonly name: string;
  /** The queue's URL. */
  readonly url: string;
  /** The queue's AWS region. */
  readonly region: string;
  /**
   * Sends a job with options. Resolves when SQS has accepted it. Jobs of one
   * FIFO group keep the order of their calls.
   *
   * Before any request it rejects with a `TypeError` if arguments or options
   * are malformed or the queue is closed. It rejects with a `RangeError` if a
   * delay is out of range or the job is too large. If the job does not fit the
   * queue's schema, it rejects with a {@linkcode SchemaError}; if the schema
   * throws, with that error.
   *
   * It rejects with a {@linkcode SendError} if SQS does not accept the job, or
   * S3 its body. It rejects with the reason of `signal` if that aborts.
   *
   * @param args The job's arguments.
   * @param options The job's options.
   */
  send(args: Readonly<Args>, options?: SendOptions): Promise<SendResult>;
  /**
   * Sends many jobs, in constant memory and in their order. Resolves when every
   * job has its result.
   *
   * It rejects with the first error of the iterable or of `onResult`, or with the
   * reason of `signal` if that aborts. Without `onResult`, it also rejects with
   * the error of a job. Before that, it waits for the jobs under way. It rejects
   * with a `TypeError` if `jobs` is not iterable or an option is unknown.
   *
   * @param jobs Arguments, or arguments with options.
   * @param options A callback for results, and a signal.
   */
  sendAll(
    jobs: Iterable<JobInput<Args>> | AsyncIterable<JobInput<Args>>,
    options?: SendAllOptions,
  ): Promise<SendAllSummary>;
  /**
   * Closes the queue: later sends reject with a `TypeError`. Resolves when every
   * earlier send is settled, and never rejects.
   */
  close(): Promise<void>;
}

/**
 * Opens an existing queue. It never creates one.
 *
 * A job's arguments must survive JSON unchanged. Without `large`, a job must not
 * be larger than 1 MiB, including its attributes. Anything else is refused before any request,
 * with the place of the argument or the size of the job.
 *
 * The AWS SDK finds the credentials.
 *
 * @typeParam Args The types of a job's arguments, for example
 * `[a: number, b: number]`, or `JobArgs<typeof worker>` from the worker itself.
 * A `schema` gives them, too.
 * @param nameOrUrlOrArn The queue's name, URL or ARN.
 * @param options The queue's region or server, the encoding and the schema.
 * @returns The open queue.
 * @throws {NonExistentQueueError} If the queue does not exist.
 * @throws {SqsError} If SQS refuses the request or cannot be reached.
 * @throws {TypeError} If the queue's name or an option is malformed or unknown.
 *
 * @example Send jobs
 * ```ts
 * import { Queue } from "@zsqs/cli";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * using queues = setUp({ silent: true });
 *
 * await using queue = await Queue<[a: number, b: number]>("adder");
 * await queue(1, 2);
 * await queue.send([3, 4], { delaySeconds: 30 });
 *
 * assertEquals(queues.get("adder").jobs, [[1, 2], [3, 4]]);
 * ```
 */
export function Queue<Args extends readonly unknown[]>(
  nameOrUrlOrArn: string,
  options: QueueOptions & {
    readonly schema: StandardSchema<Args, unknown>;
    readonly body?: "job" | undefined;
  },
): Promise<Queue<Args>>;
/** Opens a queue of values, whose type a schema gives. */
export function Queue<Value>(
  nameOrUrlOrArn: string,
  options: QueueOptions & {
    readonly schema: StandardSchema<Value, unknown>;
    readonly body: "json" | "text";
  },
): Promise<Queue<[value: Value]>>;
/** Opens a queue whose types of arguments no schema gives. */
export function Queue<Args extends readonly unknown[] = readonly unknown[]>(
  nameOrUrlOrArn: string,
  options?: QueueOptions,
): Promise<Queue<Args>>;
export async function Queue<Args extends readonly unknown[]>(
  nameOrUrlOrArn: string,
  options: QueueOptions = {},
): Promise<Queue<Args>> {
  refuseUnknown(options, QUEUE_OPTIONS, "open queue");
  const { body, encoding, schema, large, largeFrom, ...where } = options;
  const writing = checkWriting({ body, encoding });
  const largeJobs = checkLarge({ large, largeFrom });
  if (schema !== undefined) checkSchema(schema, "open queue");
  const open = await openQueue(nameOrUrlOrArn, where);
  const sender = new Sender(open, writing, {
    telemetry: await loadTelemetry(),
    ...{ schema, large: largeJobs, where },
  });
  const queue = (...args: Args) => sender.send(args);
  return Object.defineProperties(queue, {
    name: { value: sender.name },
    url: { value: sender.url },
    region: { value: sender.region },
    send: {
      value: (args: Readonly<Args>, options?: SendOptions) =>
        sender.send(args, options),
    },
    sendAll: {
      value: (
        jobs: Iterable<JobInput<Args>> | AsyncIterable<JobInput<Args>>,
        options?: SendAllOptions,
      ) => sender.sendAll(jobs, options),
    },
    close: { value: () => sender.close() },
    [Symbol.asyncDispose]: { value: () => sender.close() },
  }) as unknown as Queue<Args>;
}
