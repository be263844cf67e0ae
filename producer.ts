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
import {
  type JobInput,
  type SendAllOptions,
  type SendAllSummary,
  Sender,
  type SendOptions,
  type SendResult,
} from "./src/sending/sender.ts";
import { refuseUnknown } from "./src/options.ts";
import type { Encoding } from "./src/message/body.ts";

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
} from "./src/sending/sender.ts";
export { kwargs } from "./src/message/body.ts";
export type { Encoding, Kwargs } from "./src/message/body.ts";
export type { ArgsOf, JobArgs } from "./src/job/worker.ts";

const QUEUE_OPTIONS = ["region", "endpoint", "encoding", "signal"];

/** Options of {@linkcode Queue}. */
export interface QueueOptions {
  /**
   * The AWS region.
   *
   * @default {undefined} the one that the queue's URL or ARN names, else that
   * of the AWS environment and profile, else `us-east-1`
   */
  readonly region?: string;
  /**
   * The URL of the SQS server.
   *
   * @default {undefined} `AWS_ENDPOINT_URL_SQS`, else `AWS_ENDPOINT_URL`, else
   * that of the region
   */
  readonly endpoint?: string;
  /**
   * How bodies are written: `"json"`, or `"base64"` for queues that workers of
   * zc.sqs read.
   *
   * @default {"json"}
   */
  readonly encoding?: Encoding;
  /** Looked at while the queue is opened; it does not end later sends. */
  readonly signal?: AbortSignal;
}

/**
 * An open queue: call it to send a job.
 *
 * @typeParam Args The types of a job's arguments.
 */
export interface Queue<Args extends readonly unknown[] = readonly unknown[]>
  extends AsyncDisposable {
  /** Sends a job with these arguments. */
  (...args: Args): Promise<SendResult>;
  /** The queue's name. */
  readonly name: string;
  /** The queue's URL. */
  readonly url: string;
  /** The region it is in. */
  readonly region: string;
  /** Sends a job with options. */
  send(args: Args, options?: SendOptions): Promise<SendResult>;
  /**
   * Sends many jobs, in constant memory, and resolves when all are settled.
   */
  sendAll(
    jobs: Iterable<JobInput<Args>> | AsyncIterable<JobInput<Args>>,
    options?: SendAllOptions,
  ): Promise<SendAllSummary>;
  /** Refuses further jobs, and waits until those accepted are settled. */
  close(): Promise<void>;
}

/**
 * Opens a queue that exists; it never makes one.
 *
 * The arguments of a job must be what JSON can hold: anything that JSON would
 * drop or change is refused with a `TypeError` that says where it is. A job
 * larger than 1 MiB, attributes counted, is refused with a `RangeError`. Both
 * come before any request. Where SQS does not take a job, the promise rejects
 * with a {@linkcode SendError}.
 *
 * No credentials pass through here: the AWS SDK finds them as it always does.
 *
 * @typeParam Args The types of a job's arguments: `JobArgs<typeof worker>`
 * takes them from the worker, `[a: number, b: number]` names them.
 * @param nameOrUrlOrArn The queue's name, URL or ARN.
 * @param options Where the queue is, and how its bodies are written.
 * @returns The open queue.
 * @throws {NonExistentQueueError} If there is no such queue.
 * @throws {TypeError} If it is not the name, URL or ARN of a queue.
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
export async function Queue<
  Args extends readonly unknown[] = readonly unknown[],
>(
  nameOrUrlOrArn: string,
  options: QueueOptions = {},
): Promise<Queue<Args>> {
  refuseUnknown(options, QUEUE_OPTIONS, "open queue");
  const { encoding = "json", ...where } = options;
  if (encoding !== "json" && encoding !== "base64") {
    throw new TypeError(
      `Cannot open queue as "encoding" must be "json" or "base64": current value is ${
        JSON.stringify(encoding)
      }`,
    );
  }
  const open = await openQueue(nameOrUrlOrArn, where);
  const sender = new Sender(open, encoding, await loadTelemetry());
  const queue = (...args: Args) => sender.send(args);
  return Object.defineProperties(queue, {
    name: { value: sender.name },
    url: { value: sender.url },
    region: { value: sender.region },
    send: {
      value: (args: Args, options?: SendOptions) => sender.send(args, options),
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
