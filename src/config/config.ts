/**
 * A container's configuration, from a program or, by `_config_file.ts`, from an
 * ini file.
 *
 * The options stand in `_container_options.ts`; here defaults are applied, and
 * all that is wrong is gathered.
 *
 * @module
 */

import { currentScope } from "../job/current_job.ts";
import type { LoggersOptions } from "../logging/loggers.ts";
import { type LoggersConfig, parseLoggers } from "../logging/loggers_text.ts";
import type { ConnectOptions } from "../sqs/connection.ts";
import { quote, show, suggest } from "../text.ts";
import { dirname, resolve } from "node:path";
import { ConfigError, messageOf } from "../errors.ts";
import {
  CONTAINER_OPTIONS,
  type ContainerConfig,
  type ContainerOption,
  type ContainerSettings,
  PERMISSION_KEYS,
} from "./options.ts";
import type { WorkerConfig } from "../job/worker.ts";

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
        suggest(key, keys, "options"),
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

/** Where a container's queue is looked for. */
export function connectOptions(
  config: Partial<ContainerConfig>,
): ConnectOptions {
  const { region, endpoint } = config;
  return {
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}

/** Whether a `failures` option names a queue. */
export function isFailureQueue(failures: string): boolean {
  return failures !== "delete" && failures !== "keep";
}

/** A container's loggers, parsed. */
interface ConfiguredLoggers extends LoggersOptions {
  readonly loggers: LoggersConfig;
  /** One line for each problem. */
  readonly problems: readonly string[];
}

/** Parses a container's loggers. */
export function loggersOptions(
  { file, loggers: text, loggersLines }: Partial<ContainerConfig>,
): ConfiguredLoggers {
  const where = file === undefined
    ? 'Cannot start container as "loggers"'
    : `Cannot start container as "loggers" in [container] of ${file}`;
  const { config, problems } = parseLoggers(text, loggersLines);
  return {
    loggers: config,
    problems: problems.map(({ line, text }) =>
      `${where} (line ${line}) ${text}`
    ),
    where,
    context: jobContext,
  };
}

/** What is added to JSON log lines. */
function jobContext(): Readonly<Record<string, unknown>> {
  const job = currentScope()?.job;
  return job === undefined
    ? {}
    : { queue: job.queue, messageId: job.messageId };
}
