/**
 * The one table of the `[container]` options: reading files, checking, messages
 * and the command line's help are made from it.
 *
 * @module
 */

import { isVisibilitySeconds, MAX_VISIBILITY_SECONDS } from "../errors.ts";
import type { RetryDelay } from "../job/decide.ts";
import {
  isHttpUrl,
  isRegion,
  parseQueueRef,
  QUEUE_REF_HINT,
} from "../sqs/queue_ref.ts";
import type { WorkerConfig, WorkerFactory } from "../job/worker.ts";
import { parseWorkerSpec, type WorkerSpec } from "../job/worker_spec.ts";

/**
 * A container's configuration, with defaults applied and all of it checked.
 */
export interface ContainerConfig {
  /**
   * The module that holds the worker, and the path into it. A program may give
   * the factory itself.
   */
  readonly worker: WorkerSpec | WorkerFactory;
  /** What the worker's factory is given. */
  readonly workerConfig: WorkerConfig;
  /** The SQS queue's name, URL or ARN. */
  readonly queue: string;
  /** The AWS region; where it is absent the SDK finds it. */
  readonly region?: string;
  /** The SQS endpoint's URL; where it is absent the SDK finds it. */
  readonly endpoint?: string;
  /** The text of the `loggers` option, which is not looked into here. */
  readonly loggers?: string;
  /** The line in the file of each line of `loggers`, from 1, for messages. */
  readonly loggersLines?: readonly number[];
  /** Jobs at a time. */
  readonly concurrency: number;
  /** Messages received and waiting beyond those that run. */
  readonly prefetch: number;
  /** How long a poll waits for messages, in seconds. */
  readonly waitTimeSeconds: number;
  /** Asked for at every receive; where it is absent, the queue's own. */
  readonly visibilityTimeoutSeconds?: number;
  /** How long a delete may wait for company, in seconds. */
  readonly deleteDelaySeconds: number;
  /** After which a job's signal aborts, in seconds; never where it is absent. */
  readonly timeoutSeconds?: number;
  /**
   * How long a transient failure stays away that does not say so itself; until
   * its visibility timeout ends where it is absent.
   */
  readonly retryDelay?: RetryDelay;
  /** What becomes of bad input: `delete`, `keep`, or a queue that keeps it. */
  readonly failures: string;
  /** From the stop signal to giving up on running jobs, in seconds. */
  readonly shutdownTimeoutSeconds: number;
  /**
   * Where `/healthz` is answered, as `host:port`: 503 with the reason where
   * receives have failed for a minute with none succeeding, and while stopping,
   * else 200. Nowhere where it is absent, or while the testing double is set
   * up; port 0 takes a free one, which is logged.
   */
  readonly health?: string;
  /** Whether jobs run in processes of their own. */
  readonly isolation: "none" | "process";
  /** How many processes share the jobs, where they run in such. */
  readonly processes?: number;
  /** Hosts and ports that isolated jobs may reach, as Deno's flag has them. */
  readonly allowNet?: string;
  /** Paths that isolated jobs may read, relative to the current folder. */
  readonly allowRead?: string;
  /** Paths that isolated jobs may write, relative to the current folder. */
  readonly allowWrite?: string;
  /** Environment variables that isolated jobs are given and may read. */
  readonly allowEnv?: string;
  /** Programs that isolated jobs may start. */
  readonly allowRun?: string;
  /** What isolated jobs may ask of the system, such as `osRelease`. */
  readonly allowSys?: string;
  /** Native libraries that isolated jobs may load. */
  readonly allowFfi?: string;
  /** Hosts that isolated jobs may import code from, beside JSR and npm. */
  readonly allowImport?: string;
  /** Whether isolated jobs may do all that Deno may. */
  readonly allowAll?: boolean;
  /** The ini file's path as the user gave it, for messages. */
  readonly file?: string;
}

/**
 * A container's configuration as a program gives it: what has a default may be
 * left out.
 */
export interface ContainerSettings
  extends Partial<Omit<ContainerConfig, "worker" | "queue" | "retryDelay">> {
  /** Seconds, or a range such as `"1..600"`, which doubles per receive. */
  readonly retryDelay?: number | string | RetryDelay;
  /**
   * The worker's factory, or `MODULE:expr` as in an ini file, or what that was
   * parsed to. Paths are relative to the folder of `file`, else to the current
   * one.
   */
  readonly worker: string | WorkerSpec | WorkerFactory;
  /** The SQS queue's name, URL or ARN. */
  readonly queue: string;
}

/** What is allowed, for messages. */
export const ADDRESS_HINT =
  'host:port such as "127.0.0.1:8080", "0.0.0.0:8080" or "[::]:8080", where port 0 takes a free one';

/** More processes than this would be more than a machine has cores for. */
const MAX_PROCESSES = 64;

const RETRY_DELAY = "seconds from 0 to 43200 such as 30, or two such as 1..600";

const PERMISSION_LIST =
  'a list such as Deno\'s flag takes, separated by commas, or "true" for all';

/**
 * The permissions that a job in a process of its own may be given, as Deno
 * names them, and the option of each.
 */
export const PERMISSION_KEYS = {
  net: "allowNet",
  read: "allowRead",
  write: "allowWrite",
  env: "allowEnv",
  run: "allowRun",
  sys: "allowSys",
  ffi: "allowFfi",
  import: "allowImport",
} as const;

/** A permission that a job in a process of its own may be given. */
export type PermissionName = keyof typeof PERMISSION_KEYS;

/** A row of {@linkcode CONTAINER_OPTIONS}. */
export interface ContainerOption {
  /** The name in the `[container]` section, in lower case. */
  readonly name: string;
  /** The name in {@linkcode ContainerConfig}. */
  readonly key: keyof ContainerConfig;
  /** The meaning, in one line. */
  readonly meaning: string;
  /** What a value may be: continues `must be`. */
  readonly allowed: string;
  /**
   * The value where the option is left out, which may depend on options above
   * it; without one it stays absent.
   */
  readonly default?:
    | string
    | number
    | ((config: Partial<ContainerConfig>) => number | undefined);
  /** What to give where the option is missing; only required options have it. */
  readonly required?: string;
  /**
   * Makes a value of the text in an ini file. Text that it cannot read it
   * leaves as it is, for `check` to refuse; without it all text is the value.
   */
  readonly fromText?: (text: string) => unknown;
  /**
   * Checks a value.
   *
   * @returns The value to use.
   * @throws {Error} With a message such as `must be an integer`.
   */
  readonly check: (value: unknown, baseDir: string) => unknown;
}

/** The options of the `[container]` section. */
export const CONTAINER_OPTIONS: readonly ContainerOption[] = [
  {
    name: "worker",
    key: "worker",
    meaning: "the worker to run, as MODULE or MODULE:expr",
    allowed: 'a path, or a "file:", "jsr:" or "npm:" specifier, with :expr ' +
      "for what is not the default export",
    required: "give the worker as MODULE or MODULE:expr",
    check: checkWorker,
  },
  textOption({
    name: "queue",
    key: "queue",
    meaning: "the SQS queue to listen to",
    allowed: QUEUE_REF_HINT,
    required: "give the name, URL or ARN of an SQS queue",
    test: isQueue,
  }),
  textOption({
    name: "region",
    key: "region",
    meaning: "the AWS region, else the environment's or profile's",
    allowed: 'the name of an AWS region such as "eu-west-1"',
    test: isRegion,
  }),
  textOption({
    name: "endpoint",
    key: "endpoint",
    meaning: "the URL of the SQS endpoint, for servers other than AWS",
    allowed: "an http or https URL",
    test: isHttpUrl,
  }),
  textOption({
    name: "loggers",
    key: "loggers",
    meaning: "ZConfig text, or json; else INFO on standard error",
    allowed: "text",
    test: () => true,
  }),
  integerOption({
    name: "concurrency",
    key: "concurrency",
    meaning: "jobs at a time",
    min: 1,
    max: 1000,
    default: 1,
  }),
  integerOption({
    name: "prefetch",
    key: "prefetch",
    meaning: "messages received and waiting, 0 to 10 by concurrency",
    min: 0,
    max: 1000,
    default: ({ concurrency = 1 }) =>
      concurrency === 1 ? 0 : Math.min(10, concurrency),
  }),
  integerOption({
    name: "wait_time",
    key: "waitTimeSeconds",
    meaning: "how long a poll waits for messages",
    min: 1,
    max: 20,
    default: 20,
  }),
  integerOption({
    name: "visibility_timeout",
    key: "visibilityTimeoutSeconds",
    meaning: "how long received ones are hidden; else the queue's own",
    min: 1,
    max: 43_200,
  }),
  integerOption({
    name: "delete_delay",
    key: "deleteDelaySeconds",
    meaning: "how long a delete may wait for company",
    min: 0,
    max: 10,
    default: 1,
  }),
  integerOption({
    name: "timeout",
    key: "timeoutSeconds",
    meaning: "until a job's signal aborts, and an isolated one ends",
    min: 1,
    max: MAX_VISIBILITY_SECONDS,
  }),
  {
    name: "retry_delay",
    key: "retryDelay",
    meaning: "until a transient failure is tried again: 30, or 1..600",
    allowed: RETRY_DELAY,
    check: checkRetryDelay,
  },
  textOption({
    name: "failures",
    key: "failures",
    meaning: "bad input: delete, keep or a queue",
    allowed: `"delete", "keep", or ${QUEUE_REF_HINT}`,
    default: "delete",
    test: isQueue,
  }),
  integerOption({
    name: "shutdown_timeout",
    key: "shutdownTimeoutSeconds",
    meaning: "from the stop signal to giving jobs up",
    min: 0,
    max: 3600,
    default: 25,
  }),
  textOption({
    name: "health",
    key: "health",
    meaning: "where to answer /healthz, as host:port; nowhere by default",
    allowed: ADDRESS_HINT,
    test: (text) => parseAddress(text) !== undefined,
  }),
  textOption({
    name: "isolation",
    key: "isolation",
    meaning: "process gives jobs processes of their own",
    allowed: '"none" or "process"',
    default: "none",
    test: (text) => text === "none" || text === "process",
  }),
  integerOption({
    name: "processes",
    key: "processes",
    meaning: "how many processes share the jobs; 1 by default",
    min: 1,
    max: MAX_PROCESSES,
    default: ({ isolation }) => isolation === "process" ? 1 : undefined,
  }),
  permissionOption("net", "hosts and ports that jobs may reach"),
  permissionOption("read", "paths that jobs may read"),
  permissionOption("write", "paths that jobs may write"),
  permissionOption("env", "environment variables that jobs are given"),
  permissionOption("run", "programs that jobs may start"),
  permissionOption("sys", "what of the system jobs may ask for"),
  permissionOption("ffi", "native libraries that jobs may load"),
  permissionOption("import", "hosts that jobs may import code from"),
  {
    name: "allow_all",
    key: "allowAll",
    meaning: "true lets isolated jobs do all that Deno may",
    allowed: '"true" or "false"',
    fromText: (text) =>
      text === "true" ? true : text === "false" ? false : text,
    check(value) {
      if (typeof value === "boolean") return value;
      throw new TypeError('must be "true" or "false"');
    },
  },
];

function permissionOption(
  name: PermissionName,
  meaning: string,
): ContainerOption {
  return {
    name: `allow_${name}`,
    key: PERMISSION_KEYS[name],
    meaning,
    allowed: PERMISSION_LIST,
    check(value) {
      const items = typeof value === "string"
        ? value.split(",").map((item) => item.trim())
        : [];
      // Deno would take an empty item for one that names nothing, or all.
      if (items.length > 0 && items.every(isPermissionItem)) {
        return items.join(",");
      }
      throw new TypeError(`must be ${PERMISSION_LIST}`);
    },
  };
}

function isPermissionItem(item: string): boolean {
  return item !== "" && item !== "false" && !/\p{Cc}/u.test(item);
}

function checkRetryDelay(value: unknown): RetryDelay {
  const { minSeconds, maxSeconds } = parseRetryDelay(value) ?? {};
  const fits = isVisibilitySeconds(minSeconds) &&
    isVisibilitySeconds(maxSeconds) && minSeconds <= maxSeconds;
  if (!fits) throw new RangeError(`must be ${RETRY_DELAY}`);
  return { minSeconds, maxSeconds };
}

function parseRetryDelay(value: unknown): Partial<RetryDelay> | undefined {
  if (typeof value === "number") {
    return { minSeconds: value, maxSeconds: value };
  }
  if (typeof value === "object" && value !== null) return value;
  const match = /^(0|[1-9]\d*)(?:\.\.(0|[1-9]\d*))?$/.exec(String(value));
  if (match === null) return undefined;
  const [, min, max = min] = match;
  return { minSeconds: Number(min), maxSeconds: Number(max) };
}

function checkWorker(
  value: unknown,
  baseDir: string,
): WorkerSpec | WorkerFactory {
  if (typeof value === "string") return parseWorkerSpec(value, baseDir);
  if (typeof value === "function") return value as WorkerFactory;
  if (isWorkerSpec(value)) return value;
  throw new TypeError("must be a factory or MODULE:expr");
}

function isWorkerSpec(value: unknown): value is WorkerSpec {
  if (typeof value !== "object" || value === null) return false;
  const { text, module, specifier, expr } = value as Partial<WorkerSpec>;
  return [text, module, specifier].every((part) => typeof part === "string") &&
    (expr === undefined || typeof expr === "string");
}

function textOption(
  row: Omit<ContainerOption, "check" | "fromText"> & {
    readonly test: (text: string) => boolean;
  },
): ContainerOption {
  const { test, ...option } = row;
  return {
    ...option,
    check(value) {
      if (typeof value === "string" && test(value)) return value;
      throw new TypeError(`must be ${option.allowed}`);
    },
  };
}

function integerOption(
  row: Omit<ContainerOption, "allowed" | "check" | "fromText"> & {
    readonly allowed?: string;
    readonly min: number;
    readonly max: number;
  },
): ContainerOption {
  const { min, max, ...option } = row;
  const allowed = row.allowed ?? `an integer from ${min} to ${max}`;
  return {
    ...option,
    allowed,
    fromText: (text) =>
      /^(?:0|-?[1-9][0-9]*)$/.test(text) ? Number(text) : text,
    check(value) {
      if (isInteger(value) && value >= min && value <= max) return value;
      throw new RangeError(`must be ${allowed}`);
    },
  };
}

function isInteger(value: unknown): value is number {
  return Number.isInteger(value);
}

function isQueue(text: string): boolean {
  return parseQueueRef(text) !== undefined;
}

/** Where to listen. */
export interface Address {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Reads `host:port`, an IPv6 address in brackets. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([\da-f:.]+)\]|([a-z\d](?:[a-z\d.-]*[a-z\d])?)):(\d+)$/i
    .exec(text);
  const port = Number(match?.[3]);
  return match !== null && port <= 65_535
    ? { host: (match[1] ?? match[2])!, port }
    : undefined;
}
