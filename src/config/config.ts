/**
 * Checks a container's options, and parses each once.
 *
 * @module
 */

import { dirname, resolve } from "node:path";
import { ConfigError, messageOf } from "../errors.ts";
import { hooksProblem } from "../job/hooks.ts";
import {
  type GivenHandler,
  unrunHandler,
  type WorkerConfig,
} from "../job/worker.ts";
import { parseLoggers } from "../logging/loggers_text.ts";
import type { ConnectOptions } from "../sqs/connection.ts";
import { isSameQueue } from "../sqs/queue_ref.ts";
import { quote, show, withValue } from "../text.ts";
import { unknownOption } from "./values.ts";
import {
  CONTAINER_OPTIONS,
  type ContainerConfig,
  type ContainerOption,
  PERMISSION_KEYS,
} from "./options.ts";
import type { ContainerSettings } from "./settings.ts";

/** The most messages that a container may hold: SQS's limit for a FIFO queue. */
const MAX_MESSAGES = 20_000;

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

/** A container's configuration from a program's settings, or throws. */
export function configOf<Config>(
  settings: ContainerSettings<Config>,
): ContainerConfig {
  return validOrThrow(checkSettings({ ...settings }));
}

/** Returns the configuration, or throws its problems. */
export function validOrThrow(
  { config, problems }: CheckedSettings,
): ContainerConfig {
  if (problems.length > 0) throw new ConfigError(problems);
  return config as ContainerConfig;
}

/** How messages name options, by the place where they were given. */
export interface Place {
  name(option: ContainerOption): string;
  subject(option: ContainerOption): string;
  /** That a required option is not there, and how to give it. */
  missing(option: ContainerOption): string;
  allowed(option: ContainerOption): string;
  shown(option: ContainerOption, value: unknown): string;
  /** The option `loggers`; each of its problems names a line. */
  readonly loggers: string;
  /** The line in the file of each line of `loggers`, from 1. */
  readonly loggersLines?: readonly number[] | undefined;
}

const IN_PROGRAM: Place = {
  name: ({ key }) => key,
  subject: ({ key }) => quote(key),
  missing: ({ key, required }) =>
    key === "worker"
      ? '"worker" is missing: give a "worker", "handler" or "handleBatch"'
      : `${quote(key)} is missing: ${required}`,
  allowed: (option) => option.allowedInProgram ?? option.allowed,
  shown: (_option, value) => show(value),
  loggers: '"loggers"',
};

const SETTINGS: readonly string[] = [
  ...CONTAINER_OPTIONS.map((option) => option.key),
  ...[
    "handler",
    "handleBatch",
    "workerConfig",
    "file",
  ] satisfies (keyof ContainerSettings)[],
];

type Given = Readonly<Record<string, unknown>>;

type Draft = {
  -readonly [Key in keyof ContainerConfig]?: ContainerConfig[Key];
};

/** What a problem is about, without `Cannot start container as`. */
type Problems = Iterable<string>;

/** Applies defaults, and checks all options, each alone and together. */
export function checkSettings(
  given: Given,
  place: Place = IN_PROGRAM,
  earlier: readonly string[] = [],
): CheckedSettings {
  const config: Draft = {};
  const wrong = new Set<keyof ContainerSettings>();
  const problems = [
    ...earlier,
    ...checkNames(given),
    ...checkWorkerConfig(given, config),
    ...checkTable(given, place, config, wrong),
    ...checkHandlers(given, config),
    ...checkGivenHooks(given),
    ...checkLoggers(place, config),
    ...checkTogether(config),
    ...checkStats(place, config),
    ...checkLargeKeep(place, config),
    ...checkBatch(given, place, config),
    ...checkIsolation(given, place, config),
  ];
  const lines = problems.map((text) => `Cannot start container as ${text}`);
  return { config: Object.freeze(config), problems: lines, wrong };
}

function* checkNames(given: Given): Problems {
  for (const name of Object.keys(given)) {
    if (SETTINGS.includes(name)) continue;
    yield `${quote(name)} ${unknownOption(name, SETTINGS)}`;
  }
}

/** A function or class takes any value, as its type says. */
function* checkWorkerConfig(given: Given, config: Draft): Problems {
  const { worker, workerConfig = {} } = given;
  if (typeof worker === "function" && given.workerConfig !== undefined) {
    config.workerConfig = workerConfig as WorkerConfig;
    return;
  }
  const values: Record<string, string> = Object.create(null);
  config.workerConfig = values;
  if (typeof workerConfig !== "object" || workerConfig === null) {
    const shown = show(workerConfig);
    yield `"workerConfig" must be an object of strings: current value is ${shown}`;
    return;
  }
  for (const [name, value] of Object.entries(workerConfig)) {
    if (typeof value === "string") values[name] = value;
    else if (value !== undefined) {
      const subject = `${quote(name)} in "workerConfig"`;
      yield `${subject} must be a string: current value is ${show(value)}`;
    }
  }
  Object.freeze(values);
}

function* checkTable(
  given: Given,
  place: Place,
  config: Draft,
  wrong: Set<keyof ContainerSettings>,
): Problems {
  const { file, handler, handleBatch } = given;
  if (typeof file === "string") config.file = file;
  else if (file !== undefined) {
    yield `"file" must be a path: current value is ${show(file)}`;
  }
  const { file: path } = config;
  const folder = path === undefined ? resolve() : dirname(resolve(path));
  for (const option of CONTAINER_OPTIONS) {
    const { key, target = key, check, required } = option;
    const { [key]: value = defaultOf(option, config) } = given;
    if (value === undefined) {
      const isGiven = key === "worker" &&
        (handler !== undefined || handleBatch !== undefined);
      if (required && !isGiven) yield place.missing(option);
      continue;
    }
    let problem = `must be ${place.allowed(option)}`;
    try {
      const parsed = check(value, folder);
      if (parsed !== undefined) {
        Object.assign(config, { [target]: parsed });
        continue;
      }
    } catch (error) {
      problem = messageOf(error);
    }
    wrong.add(key);
    const shown = place.shown(option, value);
    yield withValue(`${place.subject(option)} ${problem}`, shown);
  }
}

/** What a program may give in place of `worker`. */
const HANDLERS = {
  handler: { method: "handle", hint: ', or an object with a "handle" method' },
  handleBatch: { method: undefined, hint: " that takes an array of jobs" },
} as const;

function* checkHandlers(given: Given, config: Draft): Problems {
  const keys = ["worker", "handler", "handleBatch"] as const;
  const all = keys.filter((key) => given[key] !== undefined);
  for (const key of ["handler", "handleBatch"] as const) {
    const handler = given[key];
    if (handler === undefined) continue;
    const { method, hint } = HANDLERS[key];
    const member = method && (Object(handler) as Given)[method];
    if (typeof handler !== "function" && typeof member !== "function") {
      const shown = show(handler);
      yield `"${key}" must be a function${hint}: current value is ${shown}`;
    }
    const unrun = unrunHandler(handler);
    if (unrun !== undefined) yield `"${key}" is ${unrun}`;
    for (const other of [...all, "workerConfig"]) {
      if (other === key || given[other] === undefined) continue;
      if (other === "handler") continue; // It has its own line.
      yield `"${other}" must not be given together with "${key}": give one of them`;
    }
    if (given.worker !== undefined) continue;
    config.worker = { [key]: handler } as unknown as GivenHandler;
  }
}

function* checkGivenHooks({ hooks }: Given): Problems {
  if (typeof hooks !== "object" || hooks === null) return;
  const problem = hooksProblem(hooks);
  if (problem !== undefined) yield `"hooks" is ${problem}`;
}

function* checkLoggers(place: Place, config: Draft): Problems {
  const { loggers, loggersLines } = place;
  // The table has checked that it is text.
  const text = config.loggers as unknown as string | undefined;
  const parsed = parseLoggers(text, loggersLines);
  config.loggers = parsed.config;
  config.loggersWhere = `Cannot start container as ${loggers}`;
  for (const { line, text } of parsed.problems) {
    yield `${loggers} (line ${line}) ${text}`;
  }
}

function* checkTogether(config: Draft): Problems {
  const { queue, failures, region } = config;
  if (queue === undefined || typeof failures !== "object") return;
  if (!isSameQueue(queue, failures, region)) return;
  const values = queue.text === failures.text
    ? `value of both is ${show(queue.text)}`
    : `values are ${show(failures.text)} and ${show(queue.text)}`;
  yield `"failures" must be another queue than "queue": current ${values}`;
}

function* checkStats(place: Place, config: Draft): Problems {
  if (config.stats !== true || config.health !== undefined) return;
  yield `${
    subject(place, "stats")
  } needs "health", the address that answers /stats`;
}

function* checkLargeKeep(
  place: Place,
  { large, largeKeep }: Draft,
): Problems {
  if (largeKeep === undefined || large !== undefined) return;
  const name = subject(place, "largeKeep");
  yield `${name} needs "large": current value is ${show(largeKeep)}`;
}

function* checkBatch(given: Given, place: Place, config: Draft): Problems {
  const { batch, concurrency = 1, prefetch = 0 } = config;
  if (batch === undefined) {
    if (given.batch !== undefined) return;
    const missing = 'needs "batch", the largest number of jobs in a batch';
    if (given.handleBatch !== undefined) yield `"handleBatch" ${missing}`;
    if (config.batchWaitSeconds !== undefined) {
      yield `${subject(place, "batchWaitSeconds")} ${missing}`;
    }
    return;
  }
  const name = subject(place, "batch");
  if (given.handler !== undefined) {
    yield `${name} must not be given together with "handler": give "handleBatch", which takes an array of jobs`;
  }
  const messages = batch * concurrency + prefetch;
  if (messages <= MAX_MESSAGES) return;
  yield `${name} times "concurrency" plus "prefetch" must be at most ${MAX_MESSAGES}: it is ${messages}`;
}

function subject(place: Place, key: keyof ContainerSettings): string {
  return place.subject(optionOf(key));
}

function optionOf(key: keyof ContainerSettings): ContainerOption {
  return CONTAINER_OPTIONS.find((each) => each.key === key)!;
}

function* checkIsolation(given: Given, place: Place, config: Draft): Problems {
  const { isolation, worker, concurrency, processes = 1, allowAll } = config;
  if (concurrency !== undefined && concurrency < processes) {
    const values = `${concurrency} and ${processes}`;
    yield subject(place, "concurrency") +
      ` must be at least "processes": current values are ${values}`;
  }
  const allowed = Object.values(PERMISSION_KEYS)
    .filter((key) => config[key] !== undefined);
  if (isolation === "process") {
    const all = quote(place.name(optionOf("allowAll")));
    for (const key of allowAll === true ? allowed : []) {
      yield `${
        subject(place, key)
      } must not be given together with ${all}: give one of them`;
    }
    if (worker !== undefined && !("specifier" in worker)) {
      const shown = show(given.worker ?? given.handler ?? given.handleBatch);
      yield subject(place, "worker") +
        ` must be MODULE:expr if "isolation" is "process": current value is ${shown}`;
    }
  } else if (isolation === "none") {
    for (
      const key of [
        "processes",
        ...allowed,
        "allowAll",
        "allowWriteCode",
      ] as const
    ) {
      if (config[key] === undefined) continue;
      yield `${
        subject(place, key)
      } needs "isolation" to be "process": current value is "none"`;
    }
  }
}

function defaultOf(
  { default: value }: ContainerOption,
  config: Partial<ContainerConfig>,
): string | number | undefined {
  return typeof value === "function" ? value(config) : value;
}

export function connectOptions(
  { region, endpoint }: Partial<ContainerConfig>,
): ConnectOptions {
  return {
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}
