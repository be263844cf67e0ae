/**
 * A container's loggers: Python's hierarchy of loggers, over `@std/log`.
 *
 * @module
 */

import { type LevelName, LogLevels } from "@std/log/levels";
import { Logger as StdLogger } from "@std/log/logger";
import { ConfigError } from "../errors.ts";
import { quote } from "../text.ts";
import { encodeError, nameAndMessage, reasonOf } from "./error_data.ts";
import { compileFormat, jsonFormatter } from "./format.ts";
import {
  checkLogFile,
  FileHandler,
  levelFrom,
  type LogHandler,
  StreamHandler,
} from "./handlers.ts";
import {
  isStream,
  listLogFiles,
  type LogFileConfig,
  type LoggersConfig,
  parseLoggers,
} from "./loggers_text.ts";
import { isError, valueText } from "./value_text.ts";
import { canonicalName } from "./values.ts";

/**
 * Writes log messages.
 *
 * A line joins the message and further arguments by spaces: strings unchanged,
 * other values as the console shows them. An `Error` among them follows below,
 * with its stack and causes. As the message, an error gives its message, too.
 *
 * Stacks show the frames of your own code. A logger at level DEBUG shows all of
 * them. Control characters are escaped, and all lines of a message but the first
 * are indented, so that no message can pass for two. A method never throws.
 */
export interface Logger {
  /** Logs what helps to find a fault, at level 10. */
  debug(message: unknown, ...args: unknown[]): void;
  /** Logs what happens normally, at level 20. */
  info(message: unknown, ...args: unknown[]): void;
  /** Logs what may need a look, at level 30. */
  warn(message: unknown, ...args: unknown[]): void;
  /** Logs a failure, at level 40. */
  error(message: unknown, ...args: unknown[]): void;
  /** Logs what keeps the program from working, at level 50. */
  critical(message: unknown, ...args: unknown[]): void;
}

/** Options of {@linkcode createLoggers}. */
export interface LoggersOptions {
  /**
   * Where the configuration is from: the start of each problem's line, such as
   * `Cannot start container as "loggers" in [container] of adder.ini`.
   */
  readonly where: string;
  /**
   * Gives more fields for JSON lines, when a record is written.
   *
   * @default {undefined} no more fields
   */
  readonly context?: (() => Readonly<Record<string, unknown>>) | undefined;
}

/** A logger that was configured. */
interface LoggerNode {
  readonly level: number;
  readonly propagate: boolean;
  readonly handlers: readonly LogHandler[];
}

type Method = keyof Logger;

/** The methods of a logger. */
export const LOG_METHODS: readonly Method[] = [
  "debug",
  "info",
  "warn",
  "error",
  "critical",
];

/** What Python falls back on if a record would reach no handler. */
const LAST_RESORT = new StreamHandler(
  "STDERR",
  LogLevels.WARN,
  compileFormat("%(message)s", String, []),
);

/** The level of Python's root logger where it is not configured. */
const ROOT_LEVEL = LogLevels.WARN;

/** A tree of loggers. */
export class Loggers {
  readonly #nodes: ReadonlyMap<string, LoggerNode>;

  /**
   * Constructs a new instance.
   *
   * @param nodes The loggers that were configured, by canonical name.
   */
  constructor(nodes: ReadonlyMap<string, LoggerNode>) {
    this.#nodes = nodes;
  }

  /**
   * Gives a logger. What it writes goes where its nearest configured ancestors
   * say, up to the first that does not propagate.
   *
   * @param name The name; dots make a hierarchy, and the empty name is the
   * root. `zc.sqs` and the names below it stand for `zsqs`.
   * @returns The logger.
   */
  get(name: string): Logger {
    const canonical = canonicalName(name);
    const level = levelFrom(this.#level(canonical));
    const handlers = this.#handlers(canonical);
    const logger = new StdLogger(canonical || "root", level, { handlers });
    const frames = logger.level <= LogLevels.DEBUG ? "all" : "user";
    return loggerOf((method, values) => {
      const level = LogLevels[method.toUpperCase() as LevelName];
      if (level < logger.level) return;
      writeRecord(values, (text, errors) => {
        const data = errors.map((error) => encodeError(error, { frames }));
        logger[method](text, ...data);
      });
    });
  }

  /** How many lines could not be written anywhere. */
  get lostLines(): number {
    const handlers = [...this.#nodes.values()].flatMap((node) => node.handlers);
    return handlers.reduce((lost, handler) => lost + handler.lostLines, 0);
  }

  /**
   * Closes the files, to which nothing is written any more; the standard
   * streams stay in use. Again, it does nothing.
   */
  close(): void {
    for (const { handlers } of this.#nodes.values()) {
      for (const handler of handlers) handler.destroy();
    }
  }

  /** Closes the files at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The level from which records of a logger are made. */
  #level(name: string): number {
    for (const ancestor of lineage(name)) {
      const level = this.#nodes.get(ancestor)?.level;
      if (level) return level;
    }
    return this.#nodes.get("")?.level ?? ROOT_LEVEL;
  }

  #handlers(name: string): LogHandler[] {
    const nodes: LoggerNode[] = [];
    for (const ancestor of lineage(name)) {
      const node = this.#nodes.get(ancestor);
      if (node !== undefined) nodes.push(node);
      if (node?.propagate === false) break;
    }
    return nodes.length === 0
      ? [LAST_RESORT]
      : nodes.flatMap(({ handlers }) => handlers);
  }
}

/**
 * Makes a container's own tree of loggers, and opens its files.
 *
 * @param config The loggers.
 * @param options How to report problems, and more fields for JSON.
 * @returns The tree, to be closed.
 * @throws {ConfigError} With each file that cannot be opened.
 */
export function createLoggers(
  config: LoggersConfig,
  { where, context = () => ({}) }: LoggersOptions,
): Loggers {
  const problems: string[] = [];
  const nodes = config.map(({ name, level, propagate, files }) => {
    const handlers = files.flatMap((file) => {
      try {
        return [openHandler(file, context)];
      } catch (error) {
        problems.push(openProblem(file, error, where));
        return [];
      }
    });
    return [name, { level, propagate, handlers }] as const;
  });
  const loggers = new Loggers(new Map(nodes));
  if (problems.length === 0) return loggers;
  loggers.close();
  throw new ConfigError(problems);
}

/**
 * Finds which log files could not be opened, without making one.
 *
 * @param config The loggers.
 * @param where The start of each line, as for {@linkcode createLoggers}.
 * @returns One line for each file.
 */
export function checkLogFiles(config: LoggersConfig, where: string): string[] {
  return listLogFiles(config).flatMap((file) => {
    try {
      checkLogFile(file.path);
      return [];
    } catch (error) {
      return [openProblem(file, error, where)];
    }
  });
}

let shared: Loggers | undefined;

/**
 * The loggers for code that runs outside a container: INFO on standard error.
 *
 * @returns The same tree each time.
 */
export function defaultLoggers(): Loggers {
  const { config } = parseLoggers(undefined);
  return shared ??= createLoggers(config, { where: "" });
}

/** Makes a logger of one function, which must not throw. */
export function loggerOf(
  log: (method: Method, values: [unknown, ...unknown[]]) => void,
): Logger {
  const methods = LOG_METHODS.map((method) => [
    method,
    (...values: [unknown, ...unknown[]]) => log(method, values),
  ]);
  return Object.fromEntries(methods);
}

/**
 * Writes what a logger was given as one text and the errors in it. It never
 * throws: what only reports must not end a job.
 *
 * @param values What the logger was given.
 * @param write Writes it.
 */
export function writeRecord(
  values: readonly unknown[],
  write: (text: string, errors: readonly Error[]) => void,
): void {
  const [message, ...args] = values;
  const first = isError(message) ? nameAndMessage(message).message : message;
  const text = [first, ...args.filter((arg) => !isError(arg))].map(valueText)
    .join(" ");
  try {
    write(text, values.filter(isError));
  } catch {
    // Handlers count the lines that they lose.
  }
}

function* lineage(name: string): Generator<string> {
  for (let end = name.length; end > 0; end = name.lastIndexOf(".", end - 1)) {
    yield name.slice(0, end);
  }
  yield "";
}

function openProblem(
  { path, line }: LogFileConfig,
  error: unknown,
  where: string,
): string {
  return `${where} (line ${line}) cannot open log file ${quote(path)}: ${
    reasonOf(error)
  }`;
}

function openHandler(
  file: LogFileConfig,
  context: NonNullable<LoggersOptions["context"]>,
): LogHandler {
  const { path, level, format } = file;
  const formatter = format === "json" ? jsonFormatter(context) : format;
  return isStream(path)
    ? new StreamHandler(path, level, formatter)
    : new FileHandler(file, formatter);
}
