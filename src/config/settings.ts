/**
 * A container's settings, as programs give them.
 *
 * @module
 */

import type { BatchHandler } from "../job/batch_handler.ts";
import type { BodyFormat } from "../message/reading.ts";
import type { Hooks, HooksFactory } from "../job/hooks.ts";
import type { WorkerConfig, WorkerFactory, WorkerLike } from "../job/worker.ts";

/**
 * The settings of a container: a `queue`, and a `worker` or a `handler`. All
 * others have defaults. Ini files have the same names, except where a name is
 * given in parentheses.
 *
 * @typeParam Config The type of `workerConfig`, which a `worker` function or
 * class takes.
 */
export interface ContainerSettings<Config = WorkerConfig> {
  /** The SQS queue's name, URL or ARN. */
  readonly queue: string;
  /**
   * The worker: a function or class that takes `workerConfig` and makes a
   * handler, or `MODULE:expr` as in an ini file. A relative path starts at the
   * folder of `file`, by default the current one.
   */
  readonly worker?: string | WorkerFactory<Config> | undefined;
  /**
   * The handler itself, in place of `worker`: a function that takes a job's
   * arguments, or an object with a `handle` method. The container does not
   * dispose it. Not in ini files.
   */
  readonly handler?: WorkerLike | undefined;
  /**
   * The handler of a batch worker, in place of `worker`: a function that takes an
   * array of jobs. It needs `batch`. Not in ini files.
   */
  readonly handleBatch?: BatchHandler | undefined;
  /**
   * The argument of the `worker` function or class. For a `worker` given as
   * `MODULE:expr`, all values must be strings (section `[worker]`).
   * @default {{}}
   */
  readonly workerConfig?: Config | undefined;
  /**
   * The AWS region.
   * @default {undefined} the region of the queue's URL or ARN, of the
   * environment or of the AWS profile
   */
  readonly region?: string | undefined;
  /**
   * The http or https URL of an SQS server other than AWS.
   * @default {undefined} the environment's or AWS's
   */
  readonly endpoint?: string | undefined;
  /**
   * What a message's body is: `job` (arguments, as `Queue` sends them), `json`
   * (the handler gets one argument, the parsed value) or `text` (one argument,
   * the string).
   * @default {"job"}
   */
  readonly body?: BodyFormat | undefined;
  /**
   * `sns` if the queue gets notifications of SNS without raw message delivery:
   * `body` then describes their `Message`, and `currentJob().notification` has
   * the rest.
   * @default {undefined} none
   */
  readonly envelope?: "sns" | undefined;
  /**
   * Where the bodies of jobs are that are larger than SQS takes:
   * `s3://bucket/prefix`. The container fetches what pointers of Amazon's Extended
   * Client Libraries lead to, if it is there, up to 64 MiB each. It deletes an
   * object after its message.
   * @default {undefined} pointers are not followed
   */
  readonly large?: string | undefined;
  /**
   * Whether objects stay after their messages, for example as several queues get
   * the pointers of one SNS topic (`large_keep`). It needs `large`.
   * @default {false}
   */
  readonly largeKeep?: boolean | undefined;
  /**
   * The loggers: ZConfig text with `<logger>` sections, or `json` for lines of
   * JSON on standard error.
   * @default {undefined} level INFO and above on standard error
   */
  readonly loggers?: string | undefined;
  /**
   * The number of jobs, or of batches, that run at a time, 1 to 1000.
   * @default {1}
   */
  readonly concurrency?: number | undefined;
  /**
   * The largest number of jobs in a batch, 1 to 1000: needed for a worker with
   * `handleBatch`, and allowed for no other. `batch * concurrency + prefetch` is
   * at most 20,000.
   * @default {undefined} jobs run one by one
   */
  readonly batch?: number | undefined;
  /**
   * The seconds that the first job of a batch waits for others, 0 to 60
   * (`batch_wait`). It needs `batch`.
   * @default {undefined} 1 if `batch` is given
   */
  readonly batchWaitSeconds?: number | undefined;
  /**
   * The number of messages to receive ahead of the running jobs, 0 to 1000.
   * @default {undefined} `batch`, if given; 0 if `concurrency` is 1; otherwise
   * `concurrency`, at most 10
   */
  readonly prefetch?: number | undefined;
  /**
   * The seconds that a poll waits for messages, 1 to 20 (`wait_time`).
   * @default {20}
   */
  readonly waitTimeSeconds?: number | undefined;
  /**
   * The visibility timeout of received messages, in seconds, 1 to 43,200
   * (`visibility_timeout`).
   * @default {undefined} the queue's
   */
  readonly visibilityTimeoutSeconds?: number | undefined;
  /**
   * The seconds to hold a delete to fill a batch of 10, 0 to 10
   * (`delete_delay`).
   * @default {1}
   */
  readonly deleteDelaySeconds?: number | undefined;
  /**
   * The seconds after which the signal of a job or batch aborts, and an isolated
   * one is ended, 1 to 43,200 (`timeout`).
   * @default {undefined} no limit
   */
  readonly timeoutSeconds?: number | undefined;
  /**
   * How often a job is tried, 1 to 1000: a job that throws, is past its timeout
   * or ends its process is retried. Once its message has been received so often,
   * `failures` decides. A `PermanentError` and a body that is no job always fail
   * immediately.
   * @default {undefined} errors fail immediately, a `TransientError`, timeouts
   * and ended processes never
   */
  readonly attempts?: number | undefined;
  /**
   * The seconds until a job is retried if its error names no delay: a whole
   * number from 0 to 43,200, or a range. In a range the delays double with each
   * receive (`retry_delay`, for example `30` or `1..600`).
   * @default {undefined} until the visibility timeout ends
   */
  readonly retryDelaySeconds?:
    | number
    | { readonly min: number; readonly max: number }
    | undefined;
  /**
   * Whether to delete failed messages, to keep them in the queue and retry
   * them, or to send them to another queue with the reason. In ini
   * files: `delete`, `keep`, or the queue's name, URL or ARN.
   * @default {undefined} as `"delete"`
   */
  readonly failures?:
    | "delete"
    | "keep"
    | { readonly queue: string }
    | undefined;
  /**
   * The seconds from a stop until running jobs are aborted and their messages
   * released, 0 to 3600 (`shutdown_timeout`).
   * @default {25}
   */
  readonly shutdownTimeoutSeconds?: number | undefined;
  /**
   * The `host:port` that answers `GET /livez` (200: the process runs), and
   * `/readyz` and `/healthz` (200: jobs get done; otherwise 503). Port 0 takes a
   * free port, which is logged. The testing double ignores it.
   * @default {undefined} no server
   */
  readonly health?: string | undefined;
  /**
   * Whether `health` answers `GET /stats`, too: version, queue and counts of this
   * container as JSON, without arguments of jobs. In ini files: `on` or `off`.
   * @default {false}
   */
  readonly stats?: boolean | undefined;
  /**
   * Functions to call when jobs start and end, receives fail, and the container
   * stops. An object, or a function or class that takes `workerConfig` and makes
   * one; in ini files `MODULE:expr`, as for `worker`.
   * @default {undefined} nothing
   */
  readonly hooks?: string | Hooks | HooksFactory<Config> | undefined;
  /**
   * Whether jobs run in child processes, which needs a `worker` given as
   * `MODULE:expr`.
   * @default {"none"}
   */
  readonly isolation?: "none" | "process" | undefined;
  /**
   * The number of child processes that share the jobs, 1 to 64, at most
   * `concurrency`.
   * @default {1}
   */
  readonly processes?: number | undefined;
  /**
   * The hosts and ports that isolated jobs may reach (`allow_net`).
   * @default {undefined} none
   */
  readonly allowNet?: Permission | undefined;
  /**
   * The paths that isolated jobs may read, relative to the current folder
   * (`allow_read`).
   * @default {undefined} none
   */
  readonly allowRead?: Permission | undefined;
  /**
   * The paths that isolated jobs may write, relative to the current folder
   * (`allow_write`).
   * @default {undefined} none
   */
  readonly allowWrite?: Permission | undefined;
  /**
   * The environment variables that isolated jobs get, for example `APP_*`;
   * `true` passes all except `AWS_*` (`allow_env`).
   * @default {undefined} none
   */
  readonly allowEnv?: Permission | undefined;
  /**
   * The programs that isolated jobs may start (`allow_run`).
   * @default {undefined} none
   */
  readonly allowRun?: Permission | undefined;
  /**
   * The system information that isolated jobs may read, for example `osRelease`
   * (`allow_sys`).
   * @default {undefined} none
   */
  readonly allowSys?: Permission | undefined;
  /**
   * The native libraries that isolated jobs may load (`allow_ffi`).
   * @default {undefined} none
   */
  readonly allowFfi?: Permission | undefined;
  /**
   * The hosts that isolated jobs may import code from, besides the host of this
   * package (`allow_import`).
   * @default {undefined} none
   */
  readonly allowImport?: Permission | undefined;
  /**
   * Whether isolated jobs have every Deno permission (`allow_all`).
   * @default {false}
   */
  readonly allowAll?: boolean | undefined;
  /**
   * Whether `allowWrite` may cover the ini file, the worker's modules, Deno's
   * configuration or Deno's cache (`allow_write_code`).
   * @default {false}
   */
  readonly allowWriteCode?: boolean | undefined;
  /**
   * The path of the ini file that the settings are from, for messages and for
   * relative paths of `worker`. Not in ini files.
   * @default {undefined} none
   */
  readonly file?: string | undefined;
}

/**
 * What isolated jobs are allowed: one value, values separated by commas, an
 * array of values, or `true` for all.
 */
export type Permission = string | readonly string[] | true;
