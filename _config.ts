/**
 * A container's configuration, from an ini file or from a program.
 *
 * The options stand in `_container_options.ts`; here a file is read, defaults
 * are applied, and all that is wrong is gathered.
 *
 * @module
 */

import { closestString } from "@std/text/closest-string";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { ConfigError, messageOf } from "./_errors.ts";
import {
  DEFAULT_SECTION,
  type IniFile,
  type IniOption,
  type IniSection,
  parseIni,
  printable,
  quote,
} from "./_ini.ts";
import {
  CONTAINER_OPTIONS,
  type ContainerOption,
  PERMISSION_KEYS,
} from "./_container_options.ts";
import type { RetryDelay } from "./_retry_delay.ts";
import type { WorkerFactory } from "./_worker.ts";
import type { WorkerSpec } from "./_worker_spec.ts";

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

/**
 * Reads a container's configuration from an ini file.
 *
 * @param file The file's path.
 * @returns The configuration.
 * @throws {ConfigError} If the file cannot be read, or for all that is wrong
 * in it at once.
 *
 * @example Read a file and change it
 * ```ts
 * import { readConfig, resolveConfig } from "@zsqs/cli/container";
 * import { assertEquals } from "@std/assert";
 *
 * const file = await Deno.makeTempFile({ suffix: ".ini" });
 * await Deno.writeTextFile(
 *   file,
 *   "[container]\nworker = worker.ts\nqueue = adder\n",
 * );
 *
 * const config = await readConfig(file);
 * assertEquals(config.queue, "adder");
 * assertEquals(resolveConfig({ ...config, concurrency: 10 }).concurrency, 10);
 * ```
 */
export async function readConfig(file: string): Promise<ContainerConfig> {
  return settled(inspectText(await readText(file), file));
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
 * Reads a container's configuration from an ini file, and goes on where it is
 * wrong.
 *
 * @param file The file's path.
 * @returns What is right and what is wrong in it.
 */
export async function inspectConfig(file: string): Promise<InspectedConfig> {
  try {
    return inspectText(await readText(file), file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: { file }, problems: error.problems, wrong: new Set() };
  }
}

async function readText(file: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new ConfigError(readProblem(file, error), { cause: error });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch (error) {
    throw new ConfigError(
      `Cannot read ${file} as it is not UTF-8 text: save it as UTF-8`,
      { cause: error },
    );
  }
}

/**
 * Makes a container's configuration from an ini file's text.
 *
 * @param text The file's text.
 * @param file The file's path, for messages, and for paths in it, which are
 * relative to its folder.
 * @returns The configuration.
 * @throws {ConfigError} For all that is wrong in it at once.
 */
export function parseConfig(text: string, file: string): ContainerConfig {
  return settled(inspectText(text, file));
}

function inspectText(text: string, file: string): InspectedConfig {
  const ini = readIni(text, file);
  const problems = unknownSections(ini, file);
  const container = ini.sections.get("container");
  if (!container) {
    // A section with another name is most likely the one that is missing.
    if (problems.length > 0) {
      return { config: { file }, problems, wrong: new Set() };
    }
    problems.push(
      `Cannot start container as ${file} has no [container] section: ` +
        'give one with "worker" and "queue"',
    );
    return { config: { file }, problems, wrong: new Set() };
  }
  problems.push(...unknownOptions(container, file));
  const settings: Record<string, unknown> = {
    file,
    workerConfig: toWorkerConfig(ini.sections.get("worker")),
  };
  for (const option of CONTAINER_OPTIONS) {
    const given = container.options.get(option.name);
    if (!given) continue;
    settings[option.key] = option.fromText?.(given.value) ?? given.value;
    if (option.key === "loggers") settings.loggersLines = given.valueLines;
  }
  return settle(settings, problems, inFile(container, file));
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
interface Place {
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

function inFile(container: IniSection, file: string): Place {
  return {
    subject(option) {
      const given = container.options.get(option.name);
      return given ? place(given, container, file) : quote(option.name);
    },
    missing: (option) => `[container] of ${file} has no ${quote(option.name)}`,
    shown: (option, value) =>
      show(container.options.get(option.name)?.value ?? value),
  };
}

function place(option: IniOption, section: IniSection, file: string): string {
  const name = option.fromDefault ? DEFAULT_SECTION : section.name;
  return `${quote(option.name)} in [${name}] of ${file} (line ${option.line})`;
}

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

function settle(
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

function settled({ config, problems }: InspectedConfig): ContainerConfig {
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

function readIni(text: string, file: string): IniFile {
  try {
    return parseIni(text, { file });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ConfigError(error.message, { cause: error });
  }
}

function readProblem(file: string, error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (name === "NotCapable") {
    return `Cannot read ${file} without permission: ` +
      `run again with --allow-read=${file}`;
  }
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return `Cannot read ${file} as there is no such file: ` +
        "give the path of an ini file";
    case "EISDIR":
      return `Cannot read ${file} as it is a folder: ` +
        "give the path of an ini file";
    case "EACCES":
    case "EPERM":
      return `Cannot read ${file} as this user may not: ` +
        "check the permissions of the file and its folders";
    default:
      return `Cannot read ${file}: ${printable(messageOf(error))}`;
  }
}

const SECTIONS: readonly string[] = ["container", "worker", DEFAULT_SECTION];

function unknownSections(ini: IniFile, file: string): string[] {
  const bracket = (name: string) => `[${printable(name)}]`;
  return [...ini.sections.values()]
    .filter((section) => !SECTIONS.includes(section.name))
    .map(({ name, line }) =>
      `Cannot start container as ${bracket(name)} of ${file} (line ${line}) ` +
      `is not a section: ${nearest(name, SECTIONS, bracket, "sections")}`
    );
}

function unknownOptions(container: IniSection, file: string): string[] {
  const names = CONTAINER_OPTIONS.map((option) => option.name);
  return [...container.options]
    // What [DEFAULT] gives is there for all sections, as in Python.
    .filter(([name, option]) => !option.fromDefault && !names.includes(name))
    .map(([name, option]) =>
      `Cannot start container as ${place(option, container, file)} ` +
      `is not an option: ${nearest(name, names, quote, "options")}`
    );
}

function nearest(
  name: string,
  known: readonly string[],
  format: (name: string) => string,
  kind: string,
): string {
  return `the nearest is ${format(closestString(name, known))}, ` +
    `the ${kind} are ${known.map(format).join(", ")}`;
}

function toWorkerConfig(section: IniSection | undefined): WorkerConfig {
  const config: Record<string, string> = Object.create(null);
  for (const [lowerName, { name, value }] of section?.options ?? []) {
    config[name] = value;
    config[lowerName] = value;
  }
  return config;
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

function show(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}
