/**
 * A container's configuration, from a program or, by `_config_file.ts`, from an
 * ini file.
 *
 * The options stand in `_container_options.ts`; here defaults are applied, and
 * all that is wrong is gathered.
 *
 * @module
 */

import { closestString } from "@std/text/closest-string";
import { dirname, resolve } from "node:path";
import { ConfigError, messageOf } from "../errors.ts";
import { quote } from "./ini.ts";
import {
  CONTAINER_OPTIONS,
  type ContainerOption,
  PERMISSION_KEYS,
} from "./options.ts";
import type { RetryDelay } from "../job/decide.ts";
import type { WorkerFactory } from "../job/worker.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";

/**
 * What a worker's factory is given: the options of the ini file's `[worker]`
 * section, each as the exact string in the file. Names are as written and
 * also, as Python has them, in lower case.
 *
 * It has no prototype and is frozen.
 *
 * @example Read the options of a worker
 * ```ts
 * import type { WorkerConfig } from "@zsqs/cli";
 * import { assertEquals } from "@std/assert";
 *
 * const scaleOf = (config: WorkerConfig) => Number(config.scale ?? 1);
 *
 * assertEquals(scaleOf({ scale: "2" }), 2);
 * assertEquals(scaleOf({}), 1);
 * ```
 */
export interface WorkerConfig {
  /** An option's value, by its name. */
  readonly [name: string]: string | undefined;
}

/**
 * A container's configuration, with defaults applied and all of it checked.
 *
 * @example Look at the defaults
 * ```ts
 * import { type ContainerConfig, resolveConfig } from "@zsqs/cli/container";
 * import { assertEquals } from "@std/assert";
 *
 * const config: ContainerConfig = resolveConfig({
 *   queue: "adder",
 *   worker: () => () => {},
 * });
 *
 * assertEquals(config.concurrency, 1);
 * assertEquals(config.failures, "delete");
 * ```
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
 *
 * @example Settings that containers share
 * ```ts
 * import { type ContainerSettings, resolveConfig } from "@zsqs/cli/container";
 * import { assertEquals } from "@std/assert";
 *
 * const shared: Partial<ContainerSettings> = {
 *   concurrency: 100,
 *   retryDelay: "1..600",
 * };
 * const config = resolveConfig({
 *   ...shared,
 *   queue: "adder",
 *   worker: "worker.ts",
 * });
 *
 * assertEquals(config.retryDelay, { minSeconds: 1, maxSeconds: 600 });
 * ```
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

/** A configuration as far as it is right, and all that is wrong with it. */
export interface InspectedConfig {
  /** The options that are right; defaults are applied. */
  readonly config: Partial<ContainerConfig>;
  /** One line for each problem. */
  readonly problems: readonly string[];
  /** The options whose values are wrong. */
  readonly wrong: ReadonlySet<keyof ContainerConfig>;
}

/**
 * Makes a container's configuration from what a program gives. What it
 * returns may be given to it again.
 *
 * @param settings The configuration without its defaults.
 * @returns The configuration.
 * @throws {ConfigError} For all that is wrong in it at once.
 *
 * @example All that is wrong at once
 * ```ts
 * import { ConfigError, resolveConfig } from "@zsqs/cli/container";
 * import { assertThrows } from "@std/assert";
 *
 * const error = assertThrows(
 *   () => resolveConfig({ queue: "adder", worker: "w.ts", concurrency: 0 }),
 *   ConfigError,
 * );
 *
 * console.log(error.problems);
 * ```
 */
export function resolveConfig(settings: ContainerSettings): ContainerConfig {
  const problems: string[] = [];
  const keys = [...KEYS];
  for (const key of Object.keys(settings)) {
    if (keys.includes(key)) continue;
    problems.push(
      `Cannot start container as ${quote(key)} is not an option: ` +
        nearest(key, keys, quote, "options"),
    );
  }
  return settled(settle({ ...settings }, problems, IN_PROGRAM));
}

/** How messages speak of options where they were given. */
export interface Place {
  /** The option and where it stands. */
  subject(option: ContainerOption): string;
  /** That it is not there. */
  missing(option: ContainerOption): string;
  /** The value as it was given. */
  shown(option: ContainerOption, value: unknown): string;
}

const IN_PROGRAM: Place = {
  subject: (option) => quote(option.key),
  missing: (option) => `${quote(option.key)} is missing`,
  shown: (_option, value) => show(value),
};

/** What {@linkcode ContainerConfig} has beside the table's options. */
const OTHER_KEYS: readonly (keyof ContainerConfig)[] = [
  "workerConfig",
  "loggersLines",
  "file",
];

const KEYS: ReadonlySet<string> = new Set([
  ...CONTAINER_OPTIONS.map((option) => option.key),
  ...OTHER_KEYS,
]);

/**
 * Applies defaults and checks all options, each by itself and together.
 *
 * @param settings The options as they were given.
 * @param problems What is known to be wrong before; more is added.
 * @param where How messages speak of options.
 * @returns What is right and what is wrong.
 */
export function settle(
  settings: Readonly<Record<string, unknown>>,
  problems: string[],
  where: Place,
): InspectedConfig {
  const { file, loggersLines } = settings;
  const baseDir = typeof file === "string" ? dirname(resolve(file)) : resolve();
  const config: Record<string, unknown> = {
    ...file === undefined ? {} : { file },
    ...loggersLines === undefined ? {} : { loggersLines },
    workerConfig: checkWorkerConfig(problems, settings.workerConfig),
  };
  const wrong = new Set<keyof ContainerConfig>();
  for (const option of CONTAINER_OPTIONS) {
    const given = settings[option.key];
    const value = given === undefined ? defaultOf(option, config) : given;
    if (value === undefined) {
      if (option.required) problems.push(missing(option, where));
      continue;
    }
    try {
      config[option.key] = option.check(value, baseDir);
    } catch (error) {
      wrong.add(option.key);
      problems.push(
        `Cannot start container as ${where.subject(option)} ` +
          `${messageOf(error)}: current value is ${where.shown(option, value)}`,
      );
    }
  }
  problems.push(...togetherProblems(config, wrong, where));
  return {
    config: Object.freeze(config) as Partial<ContainerConfig>,
    problems,
    wrong,
  };
}

/** What is wrong with options that are right each by itself. */
function togetherProblems(
  config: Partial<ContainerConfig>,
  wrong: ReadonlySet<keyof ContainerConfig>,
  where: Place,
): string[] {
  const { queue, failures, isolation, worker } = config;
  const { concurrency, processes = 1, allowAll } = config;
  const problems: string[] = [];
  const subject = (key: keyof ContainerConfig) =>
    where.subject(CONTAINER_OPTIONS.find((option) => option.key === key)!);
  if (queue !== undefined && queue === failures) {
    problems.push(
      `"failures" must be another queue than "queue": current value of both is ${
        show(queue)
      }`,
    );
  }
  const isolated = isolation === "process" || wrong.has("isolation");
  const allowed = Object.values(PERMISSION_KEYS)
    .filter((key) => config[key] !== undefined);
  const needing: readonly (keyof ContainerConfig)[] = [
    "processes",
    ...allowed,
    "allowAll",
  ];
  for (const key of isolated ? [] : needing) {
    if (config[key] === undefined) continue;
    problems.push(
      `${subject(key)} needs "isolation" to be "process": current value is ${
        show(isolation)
      }`,
    );
  }
  if (isolated && allowAll === true) {
    for (const key of allowed) {
      problems.push(
        `${subject(key)} must not be given where ${
          subject("allowAll")
        } is "true": give one of them`,
      );
    }
  }
  if (concurrency !== undefined && concurrency < processes) {
    problems.push(
      `${
        subject("concurrency")
      } must be at least "processes", as each runs a job at a time or more: current values are ${concurrency} and ${processes}`,
    );
  }
  if (isolation === "process" && typeof worker === "function") {
    problems.push(
      `${
        subject("worker")
      } must be MODULE:expr where "isolation" is "process": current value is a function`,
    );
  }
  return problems.map((problem) => `Cannot start container as ${problem}`);
}

/** A configuration that is right; throws all that is wrong with it. */
export function settled(
  { config, problems }: InspectedConfig,
): ContainerConfig {
  if (problems.length > 0) throw new ConfigError(problems);
  return config as ContainerConfig;
}

function defaultOf(
  { default: value }: ContainerOption,
  config: Partial<ContainerConfig>,
): string | number | undefined {
  return typeof value === "function" ? value(config) : value;
}

function missing(option: ContainerOption, where: Place): string {
  return `Cannot start container as ${where.missing(option)}: ` +
    option.required;
}

/** The nearest of the names that are known, and all of them. */
export function nearest(
  name: string,
  known: readonly string[],
  format: (name: string) => string,
  kind: string,
): string {
  return `the nearest is ${format(closestString(name, known))}, ` +
    `the ${kind} are ${known.map(format).join(", ")}`;
}

function checkWorkerConfig(
  problems: string[],
  value: unknown = {},
): WorkerConfig {
  const config: Record<string, string> = Object.create(null);
  if (typeof value !== "object" || value === null) {
    problems.push(
      'Cannot start container as "workerConfig" must be an object of ' +
        `strings: current value is ${show(value)}`,
    );
    return config;
  }
  for (const [name, option] of Object.entries(value)) {
    if (option === undefined) continue;
    if (typeof option === "string") config[name] = option;
    else {
      problems.push(
        `Cannot start container as ${quote(name)} in "workerConfig" ` +
          `must be a string: current value is ${show(option)}`,
      );
    }
  }
  return Object.freeze(config);
}

/** A value as messages show it. */
export function show(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}
