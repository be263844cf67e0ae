/**
 * A container's configuration: applies defaults, parses every option once, and
 * reports all problems together.
 *
 * @module
 */

import { dirname, resolve } from "node:path";
import { ConfigError, messageOf } from "../errors.ts";
import type { GivenHandler, WorkerConfig, WorkerLike } from "../job/worker.ts";
import { parseLoggers } from "../logging/loggers_text.ts";
import type { ConnectOptions } from "../sqs/connection.ts";
import { quote, show, suggest } from "../text.ts";
import {
  CONTAINER_OPTIONS,
  type ContainerConfig,
  type ContainerOption,
  PERMISSION_KEYS,
} from "./options.ts";
import type { ContainerSettings } from "./settings.ts";

/** A configuration with all its problems. */
export interface CheckedSettings {
  /** The options that are right, and defaults. */
  readonly config: Partial<ContainerConfig>;
  /** One line for each problem. */
  readonly problems: readonly string[];
  /** The options whose values are wrong. */
  readonly wrong: ReadonlySet<keyof ContainerSettings>;
}

/**
 * Checks a container's settings, without starting the container.
 *
 * @typeParam Config The type of `workerConfig`.
 * @param settings The settings.
 * @returns The settings with their defaults.
 * @throws {ConfigError} If a setting is wrong. The error lists all problems.
 *
 * @example Print all problems
 * ```ts
 * import { checkConfig, ConfigError } from "@zsqs/cli/container";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const settings = checkConfig({ queue: "adder", worker: "adder.ts" });
 * assertEquals(settings.waitTimeSeconds, 20);
 *
 * const error = assertThrows(
 *   () => checkConfig({ queue: "a b", worker: "w.ts", concurrency: 0 }),
 *   ConfigError,
 * );
 * assertEquals(error.problems.length, 2);
 * ```
 */
export function checkConfig<Config = WorkerConfig>(
  settings: ContainerSettings<Config>,
): ContainerSettings<Config> {
  const config = configOf(settings);
  const filled: Record<string, unknown> = { ...settings };
  for (const option of CONTAINER_OPTIONS) {
    const value = defaultOf(option, config);
    if (value !== undefined) filled[option.key] ??= value;
  }
  return Object.freeze(filled) as unknown as ContainerSettings<Config>;
}

/**
 * Makes a container's configuration from a program's settings.
 *
 * @throws {ConfigError} If a setting is wrong. The error lists all problems.
 */
export function configOf<Config>(
  settings: ContainerSettings<Config>,
): ContainerConfig {
  return validOrThrow(checkSettings({ ...settings }));
}

/** The configuration, if it has no problems. */
export function validOrThrow(
  { config, problems }: CheckedSettings,
): ContainerConfig {
  if (problems.length > 0) throw new ConfigError(problems);
  return config as ContainerConfig;
}

/** How messages speak of options, by the place where they were given. */
export interface Place {
  /** The option, and its line. */
  subject(option: ContainerOption): string;
  /** That a required option is not there, and how to give it. */
  missing(option: ContainerOption): string;
  /** The allowed values. */
  allowed(option: ContainerOption): string;
  /** The value as it was given. */
  shown(option: ContainerOption, value: unknown): string;
  /** The option `loggers`; each of its problems names a line. */
  readonly loggers: string;
  /** The line in the file of each line of `loggers`, from 1. */
  readonly loggersLines?: readonly number[] | undefined;
}

const IN_PROGRAM: Place = {
  subject: (option) => quote(option.key),
  missing: (option) =>
    `${quote(option.key)} is missing: ${
      option.key === "worker"
        ? 'give a "worker" or a "handler"'
        : option.required
    }`,
  allowed: (option) => option.allowedInProgram ?? option.allowed,
  shown: (_option, value) => show(value),
  loggers: '"loggers"',
};

/** The settings that are not in the table. */
const OTHER_SETTINGS: readonly (keyof ContainerSettings)[] = [
  "handler",
  "workerConfig",
  "file",
];

const SETTINGS: readonly string[] = [
  ...CONTAINER_OPTIONS.map((option) => option.key),
  ...OTHER_SETTINGS,
];

/**
 * Applies defaults, and checks all options, each alone and together.
 *
 * @param settings The settings as they were given.
 * @param place How messages speak of them.
 * @param earlier Problems found earlier, which come first.
 */
export function checkSettings(
  settings: Readonly<Record<string, unknown>>,
  place: Place = IN_PROGRAM,
  earlier: readonly string[] = [],
): CheckedSettings {
  const checker = new Checker(settings, place);
  checker.checkNames();
  checker.checkWorkerConfig();
  checker.checkTable();
  checker.checkHandler();
  checker.checkLoggers();
  checker.checkTogether();
  const { config, problems, wrong } = checker;
  return {
    config: Object.freeze(config) as Partial<ContainerConfig>,
    problems: [...earlier, ...problems],
    wrong,
  };
}

const NO_CONFIG = {};

class Checker {
  readonly config: { -readonly [Key in keyof ContainerConfig]?: unknown } = {};
  readonly problems: string[] = [];
  readonly wrong = new Set<keyof ContainerSettings>();
  readonly #settings: Readonly<Record<string, unknown>>;
  readonly #place: Place;

  constructor(settings: Readonly<Record<string, unknown>>, place: Place) {
    this.#settings = settings;
    this.#place = place;
  }

  #refuse(problem: string): void {
    this.problems.push(`Cannot start container as ${problem}`);
  }

  checkNames(): void {
    for (const name of Object.keys(this.#settings)) {
      if (SETTINGS.includes(name)) continue;
      this.#refuse(
        `${quote(name)} is not an option: ${
          suggest(name, SETTINGS, "options")
        }`,
      );
    }
  }

  checkTable(): void {
    const { file, handler } = this.#settings;
    if (typeof file === "string") this.config.file = file;
    else if (file !== undefined) {
      this.#refuse(
        `"file" must be a path: current value is ${show(file)}`,
      );
    }
    const folder = typeof file === "string"
      ? dirname(resolve(file))
      : resolve();
    for (const option of CONTAINER_OPTIONS) {
      const given = this.#settings[option.key];
      const value = given === undefined
        ? defaultOf(option, this.config as Partial<ContainerConfig>)
        : given;
      if (value !== undefined) this.#check(option, value, folder);
      else if (option.key === "worker" && handler !== undefined) continue;
      else if (option.required) this.#refuse(this.#place.missing(option));
    }
  }

  #check(option: ContainerOption, value: unknown, folder: string): void {
    const { key, target = key as keyof ContainerConfig } = option;
    let problem = `must be ${this.#place.allowed(option)}`;
    try {
      const parsed = option.check(value, folder);
      if (parsed !== undefined) {
        this.config[target] = parsed;
        return;
      }
    } catch (error) {
      problem = messageOf(error);
    }
    this.wrong.add(key);
    this.#refuse(
      `${this.#place.subject(option)} ${problem}: current value is ${
        this.#place.shown(option, value)
      }`,
    );
  }

  /** A function or class takes any value, as its type says. */
  checkWorkerConfig(): void {
    const { worker, workerConfig = NO_CONFIG } = this.#settings;
    if (typeof worker === "function" && workerConfig !== NO_CONFIG) {
      this.config.workerConfig = workerConfig;
      return;
    }
    const config: Record<string, string> = Object.create(null);
    this.config.workerConfig = config;
    if (typeof workerConfig !== "object" || workerConfig === null) {
      this.#refuse(
        `"workerConfig" must be an object of strings: current value is ${
          show(workerConfig)
        }`,
      );
      return;
    }
    for (const [name, value] of Object.entries(workerConfig)) {
      if (typeof value === "string") config[name] = value;
      else if (value !== undefined) {
        this.#refuse(
          `${
            quote(name)
          } in "workerConfig" must be a string: current value is ${
            show(value)
          }`,
        );
      }
    }
    Object.freeze(config);
  }

  checkHandler(): void {
    const { handler, worker } = this.#settings;
    if (handler === undefined) return;
    const { handle } = Object(handler) as { handle?: unknown };
    if (typeof handler !== "function" && typeof handle !== "function") {
      this.#refuse(
        `"handler" must be a function, or an object with a "handle" method: current value is ${
          show(handler)
        }`,
      );
    }
    for (const key of ["worker", "workerConfig"]) {
      if (this.#settings[key] === undefined) continue;
      this.#refuse(
        `${
          quote(key)
        } must not be given together with "handler": give one of them`,
      );
    }
    if (worker === undefined) {
      const given: GivenHandler = { handler: handler as WorkerLike };
      this.config.worker = given;
    }
  }

  checkLoggers(): void {
    const { loggers, loggersLines } = this.#place;
    const text = this.config.loggers as string | undefined;
    const { config, problems } = parseLoggers(text, loggersLines);
    this.config.loggers = config;
    this.config.loggersWhere = `Cannot start container as ${loggers}`;
    for (const { line, text } of problems) {
      this.#refuse(`${loggers} (line ${line}) ${text}`);
    }
  }

  /** Checks options that are right each alone. */
  checkTogether(): void {
    const config = this.config as Partial<ContainerConfig>;
    const { queue, failures, isolation, worker } = config;
    const { concurrency, processes = 1 } = config;
    if (typeof failures === "object" && queue?.text === failures.text) {
      this.#refuse(
        `"failures" must be another queue than "queue": current value of both is ${
          show(queue.text)
        }`,
      );
    }
    if (concurrency !== undefined && concurrency < processes) {
      this.#refuse(
        `${
          this.#subject("concurrency")
        } must be at least "processes", because each child process runs a job: current values are ${concurrency} and ${processes}`,
      );
    }
    this.#checkPermissions(config);
    const isModule = worker !== undefined && "specifier" in worker;
    if (isolation === "process" && worker !== undefined && !isModule) {
      this.#refuse(
        `${
          this.#subject("worker")
        } must be MODULE:expr if "isolation" is "process": current value is ${
          show(this.#settings.worker ?? this.#settings.handler)
        }`,
      );
    }
  }

  #checkPermissions(config: Partial<ContainerConfig>): void {
    const { isolation, allowAll } = config;
    const allowed = Object.values(PERMISSION_KEYS)
      .filter((key) => config[key] !== undefined);
    if (isolation !== "process" && !this.wrong.has("isolation")) {
      for (const key of ["processes", ...allowed, "allowAll"] as const) {
        if (config[key] === undefined) continue;
        this.#refuse(
          `${
            this.#subject(key)
          } needs "isolation" to be "process": current value is ${
            show(isolation)
          }`,
        );
      }
    } else if (allowAll === true) {
      for (const key of allowed) {
        this.#refuse(
          `${this.#subject(key)} must not be given if ${
            this.#subject("allowAll")
          } is "true": give one of them`,
        );
      }
    }
  }

  #subject(key: keyof ContainerSettings): string {
    return this.#place.subject(
      CONTAINER_OPTIONS.find((option) => option.key === key)!,
    );
  }
}

function defaultOf(
  { default: value }: ContainerOption,
  config: Partial<ContainerConfig>,
): string | number | undefined {
  return typeof value === "function" ? value(config) : value;
}

/** The server of a container's queues. */
export function connectOptions(
  { region, endpoint }: Partial<ContainerConfig>,
): ConnectOptions {
  return {
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}
