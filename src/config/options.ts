/**
 * The table of the options, for checks, messages and the command line's help.
 *
 * @module
 */

import { MAX_VISIBILITY_SECONDS } from "../job_errors.ts";
import type { RetryDelay } from "../job/decide.ts";
import type { LoadHooksOptions } from "../job/hooks.ts";
import type { LoadWorkerOptions } from "../job/worker.ts";
import type { LoggersConfig } from "../logging/loggers_text.ts";
import type { PermissionName } from "../permission_names.ts";
import { isBodyFormat, type Reading } from "../message/reading.ts";
import { OBJECT_FOLDER_HINT, parseObjectFolder } from "../sqs/objects.ts";
import {
  isHttpUrl,
  isRegion,
  QUEUE_REF_HINT,
  type QueueRef,
} from "../sqs/queue_ref.ts";
import type { ContainerSettings } from "./settings.ts";
import {
  type Address,
  booleanFromText,
  checkAddress,
  checkFailures,
  checkHooks,
  checkPermission,
  checkQueue,
  checkRetryDelay,
  checkWorker,
  failuresFromText,
  integerFromText,
  retryDelayFromText,
} from "./values.ts";

/** A container's configuration: checked, parsed, and with defaults. */
export interface ContainerConfig
  extends LoadWorkerOptions, LoadHooksOptions, GivenPermissions, Reading {
  readonly queue: QueueRef;
  readonly region?: string;
  readonly endpoint?: string;
  readonly largeKeep?: boolean;
  readonly loggers: LoggersConfig;
  /** The start of messages about log files. */
  readonly loggersWhere: string;
  readonly concurrency: number;
  readonly batchWaitSeconds?: number;
  readonly prefetch: number;
  readonly waitTimeSeconds: number;
  readonly visibilityTimeoutSeconds?: number;
  readonly deleteDelaySeconds: number;
  readonly timeoutSeconds?: number;
  readonly attempts?: number;
  readonly retryDelay?: RetryDelay;
  /** Absent: deleted, but events that AWS wrote stay. */
  readonly failures?: "delete" | "keep" | QueueRef;
  readonly shutdownTimeoutSeconds: number;
  readonly health?: Address;
  readonly stats?: boolean;
  readonly isolation: "none" | "process";
  readonly processes?: number;
  readonly allowAll?: boolean;
  readonly allowWriteCode?: boolean;
}

/** The permissions of isolated jobs, as Deno names them, and their options. */
export const PERMISSION_KEYS = {
  net: "allowNet",
  read: "allowRead",
  write: "allowWrite",
  env: "allowEnv",
  run: "allowRun",
  sys: "allowSys",
  ffi: "allowFfi",
  import: "allowImport",
} as const satisfies Record<PermissionName, string>;

/** Permissions: values joined by commas, or `true` for all. */
type GivenPermissions = {
  readonly [Key in (typeof PERMISSION_KEYS)[PermissionName]]?: string;
};

/** A row of {@linkcode CONTAINER_OPTIONS}. */
export interface ContainerOption {
  /** The name in the `[container]` section: `wait_time`. */
  readonly name: string;
  /** The name in {@linkcode ContainerSettings}: `waitTimeSeconds`. */
  readonly key: keyof ContainerSettings;
  /** The name in {@linkcode ContainerConfig}, if it is another one. */
  readonly target?: keyof ContainerConfig;
  /** The meaning, in one line of the command line's help. */
  readonly meaning: string;
  /**
   * The allowed values in an ini file: continues `must be`. More sentences are
   * hints.
   */
  readonly allowed: string;
  /** The allowed values in a program, if they are written in another way. */
  readonly allowedInProgram?: string;
  /** The default, which may depend on options above; without one: absent. */
  readonly default?: Default;
  /** How to give a missing option; only required options have it. */
  readonly required?: string;
  /** Converts an ini file's text to a program's value, or leaves it to `check`. */
  readonly fromText?: (text: string) => unknown;
  /**
   * Parses a program's value.
   *
   * @returns The parsed value, or `undefined` if it is not `allowed`.
   * @throws {Error} If there is more to say. The message starts with `must be`.
   */
  readonly check: (value: unknown, folder: string) => unknown;
}

type Row = Omit<ContainerOption, "name">;

type Default =
  | string
  | number
  | ((config: Partial<ContainerConfig>) => number | undefined);

const RETRY_DELAY = `seconds from 0 to ${MAX_VISIBILITY_SECONDS}`;

const ROWS: readonly Row[] = [
  {
    key: "worker",
    meaning: "the worker to run, as MODULE or MODULE:expr",
    allowed: "MODULE or MODULE:expr",
    allowedInProgram: "a function, a class, or MODULE:expr",
    required: "give the worker as MODULE or MODULE:expr",
    check: checkWorker,
  },
  {
    key: "queue",
    meaning: "the SQS queue to receive from",
    allowed: QUEUE_REF_HINT,
    required: "give the name, URL or ARN of an SQS queue",
    check: checkQueue,
  },
  {
    key: "region",
    meaning: "the AWS region; the environment's or profile's by default",
    allowed: 'an AWS region such as "eu-west-1"',
    check: textThat(isRegion),
  },
  {
    key: "endpoint",
    meaning: "the URL of an SQS server other than AWS",
    allowed: "an http or https URL",
    check: textThat(isHttpUrl),
  },
  {
    key: "loggers",
    meaning: "ZConfig text or json; INFO on standard error by default",
    allowed: "text",
    check: textThat(() => true),
  },
  {
    key: "body",
    meaning: "what a body is: job, json or text",
    allowed: '"job", "json" or "text"',
    default: "job",
    check: textThat(isBodyFormat),
  },
  {
    key: "envelope",
    meaning: "sns for SNS notifications; none by default",
    allowed: '"sns"',
    check: textThat((text) => text === "sns"),
  },
  {
    key: "large",
    meaning: "where the bodies of large jobs are: s3://bucket/prefix",
    allowed: OBJECT_FOLDER_HINT,
    check: (value) =>
      typeof value === "string" ? parseObjectFolder(value) : undefined,
  },
  {
    key: "largeKeep",
    meaning: "true keeps the bodies of jobs that have ended in S3",
    allowed: '"true" or "false"',
    fromText: booleanFromText,
    check: (value) => typeof value === "boolean" ? value : undefined,
  },
  integer("concurrency", 1, 1000, "jobs or batches at a time", 1),
  integer("batch", 1, 1000, "jobs in a batch at most; for batch workers only"),
  integer(
    "batchWaitSeconds",
    0,
    60,
    "how long a batch waits to fill; 1 by default",
    ({ batch }) => batch === undefined ? undefined : 1,
  ),
  integer(
    "prefetch",
    0,
    1000,
    "messages received ahead; by concurrency or batch",
    ({ concurrency = 1, batch }) =>
      batch ?? (concurrency === 1 ? 0 : Math.min(10, concurrency)),
  ),
  integer("waitTimeSeconds", 1, 20, "how long a poll waits for messages", 20),
  integer(
    "visibilityTimeoutSeconds",
    1,
    MAX_VISIBILITY_SECONDS,
    "the messages' visibility timeout; the queue's by default",
  ),
  integer(
    "deleteDelaySeconds",
    0,
    10,
    "how long to hold a delete to fill a batch",
    1,
  ),
  integer(
    "timeoutSeconds",
    1,
    MAX_VISIBILITY_SECONDS,
    "until a job's signal aborts, and an isolated one ends",
  ),
  integer(
    "attempts",
    1,
    1000,
    "how often a job is tried before it fails; none by default",
  ),
  {
    key: "retryDelaySeconds",
    target: "retryDelay",
    meaning: "until a job is retried: 30, or 1..600",
    allowed: `${RETRY_DELAY}, or MIN..MAX`,
    allowedInProgram: `${RETRY_DELAY}, or { min, max }`,
    fromText: retryDelayFromText,
    check: checkRetryDelay,
  },
  {
    key: "failures",
    meaning: "failed jobs: delete, keep or a queue; delete by default",
    allowed: `"delete", "keep" or a queue. Give ${QUEUE_REF_HINT}`,
    allowedInProgram: `"delete", "keep" or { queue }. Give ${QUEUE_REF_HINT}`,
    fromText: failuresFromText,
    check: checkFailures,
  },
  integer(
    "shutdownTimeoutSeconds",
    0,
    3600,
    "from a stop until running jobs are aborted",
    25,
  ),
  {
    key: "health",
    meaning: "host:port of /livez, /readyz, /healthz; none by default",
    allowed: 'host:port such as "127.0.0.1:8080"',
    check: checkAddress,
  },
  {
    key: "stats",
    meaning: "on adds /stats to the health address; off by default",
    allowed: '"on" or "off"',
    allowedInProgram: "true or false",
    fromText: (text) => text === "on" ? true : text === "off" ? false : text,
    check: (value) => typeof value === "boolean" ? value : undefined,
  },
  {
    key: "hooks",
    meaning: "what to call when jobs end, as MODULE or MODULE:expr",
    allowed: "MODULE or MODULE:expr",
    allowedInProgram: "an object, a function, a class, or MODULE:expr",
    check: checkHooks,
  },
  {
    key: "isolation",
    meaning: "process runs jobs in child processes",
    allowed: '"none" or "process"',
    default: "none",
    check: textThat((text) => text === "none" || text === "process"),
  },
  integer(
    "processes",
    1,
    64,
    "child processes that share the jobs; 1 by default",
    ({ isolation }) => isolation === "process" ? 1 : undefined,
  ),
  permission("net", "hosts and ports that isolated jobs may reach"),
  permission("read", "paths that isolated jobs may read"),
  permission("write", "paths that isolated jobs may write"),
  permission("env", "environment variables that isolated jobs get"),
  permission("run", "programs that isolated jobs may start"),
  permission("sys", "system information that isolated jobs may read"),
  permission("ffi", "native libraries that isolated jobs may load"),
  permission("import", "hosts that isolated jobs may import code from"),
  {
    key: "allowAll",
    meaning: "true gives isolated jobs every permission",
    allowed: '"true" or "false"',
    fromText: booleanFromText,
    check: (value) => typeof value === "boolean" ? value : undefined,
  },
  {
    key: "allowWriteCode",
    meaning: "true lets allow_write cover code and configuration",
    allowed: '"true" or "false"',
    fromText: booleanFromText,
    check: (value) => typeof value === "boolean" ? value : undefined,
  },
];

export const CONTAINER_OPTIONS: readonly ContainerOption[] = ROWS.map(
  (row) => ({ name: iniName(row.key), ...row }),
);

function iniName(key: string): string {
  return key.replace(/Seconds$/, "")
    .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function integer(
  key: keyof ContainerSettings,
  min: number,
  max: number,
  meaning: string,
  value?: Default,
): Row {
  return {
    key,
    meaning,
    allowed: `an integer from ${min} to ${max}`,
    ...(value === undefined ? {} : { default: value }),
    fromText: integerFromText,
    check: (value) =>
      Number.isInteger(value) && Number(value) >= min && Number(value) <= max
        ? value
        : undefined,
  };
}

function permission(name: PermissionName, meaning: string): Row {
  return {
    key: PERMISSION_KEYS[name],
    meaning,
    allowed: 'values separated by commas, or "true"',
    allowedInProgram: "a list of texts, or true for all",
    check: checkPermission,
  };
}

function textThat(test: (text: string) => boolean): Row["check"] {
  return (value) =>
    typeof value === "string" && test(value) ? value : undefined;
}
