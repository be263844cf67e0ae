/**
 * A container's loggers: Python's hierarchy of loggers, over `@std/log`.
 *
 * @module
 */

import type { BaseHandler } from "@std/log/base-handler";
import { type LogLevel, LogLevels } from "@std/log/levels";
import { Logger as StdLogger } from "@std/log/logger";
import { ConfigError } from "../errors.ts";
import {
  encodeError,
  isError,
  nameAndMessage,
  reasonOf,
  valueText,
} from "./error_data.ts";
import {
  compileAsctime,
  compileFormat,
  type RecordFormatter,
} from "./format.ts";
import {
  checkLogFile,
  FileHandler,
  levelFrom,
  StreamHandler,
} from "./handlers.ts";
import { jsonFormatter } from "./format.ts";
import {
  canonicalName,
  DEFAULT_DATE_FORMAT,
  isStream,
  type LogFileConfig,
  type LoggerConfig,
  readLoggers,
} from "./loggers_text.ts";

/**
 * Writes log messages.
 *
 * A message and further arguments are joined by spaces, strings as they are,
 * other values as the console shows them. An `Error` among them is written
 * below, with its stack and causes; one in the message's place gives its message
 * too. A method never throws.
 */
export interface Logger {
  /** Logs what helps to find a fault, at level 10. */
  debug(message: unknown, ...args: unknown[]): void;
  /** Logs what happens normally, at level 20. */
  info(message: unknown, ...args: unknown[]): void;
  /** Logs what may need a look, at level 30. */
  warn(message: unknown, ...args: unknown[]): void;
  /** Logs what failed, at level 40. */
  error(message: unknown, ...args: unknown[]): void;
  /** Logs what keeps the program from working, at level 50. */
  critical(message: unknown, ...args: unknown[]): void;
}

/** Options for {@linkcode createLoggers} and {@linkcode checkLoggers}. */
export interface LoggersOptions {
  /**
   * The value of the `loggers` option: ZConfig text with `<logger>` sections,
   * or `json`.
   *
   * Empty text configures nothing, as in Python: warnings and worse go to
   * standard error.
   *
   * @default {undefined} INFO on standard error
   */
  readonly text?: string | undefined;
  /**
   * Where the text is from: the start of each problem's line, such as
   * `Cannot start container as "loggers" in [container] of adder.ini`.
   */
  readonly where: string;
  /**
   * Gives more fields for JSON lines, when a record is written.
   *
   * @default {undefined} no more fields
   */
  readonly context?: (() => Readonly<Record<string, unknown>>) | undefined;
  /**
   * The number of each of the text's lines in its file, from 1.
   *
   * @default {undefined} they count from 1
   */
  readonly lines?: readonly number[] | undefined;
}

/** A logger that was configured. */
interface LoggerNode {
  readonly level: number;
  readonly propagate: boolean;
  readonly handlers: readonly BaseHandler[];
}

type Method = keyof Logger;

const METHOD_LEVELS: Readonly<Record<Method, LogLevel>> = {
  debug: LogLevels.DEBUG,
  info: LogLevels.INFO,
  warn: LogLevels.WARN,
  error: LogLevels.ERROR,
  critical: LogLevels.CRITICAL,
};

const { format: formatDate } = compileAsctime(DEFAULT_DATE_FORMAT);

const { format: plainFormatter } = compileFormat(
  "%(asctime)s %(levelname)s %(name)s %(message)s",
  formatDate,
);

/** What Python falls back on where a record would reach no handler. */
const LAST_RESORT: BaseHandler = new StreamHandler("STDERR", {
  level: LogLevels.WARN,
  formatter: compileFormat("%(message)s", formatDate).format,
});

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
   * root. `zc.sqs` and what is below it stand for `zsqs`.
   * @returns The logger.
   */
  get(name: string): Logger {
    const canonical = canonicalName(name);
    return new TreeLogger(
      new StdLogger(canonical || "root", levelFrom(this.#level(canonical)), {
        handlers: this.#handlers(canonical),
      }),
    );
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

  #handlers(name: string): BaseHandler[] {
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
 * @param options The text, and how to speak of it.
 * @returns The tree, to be closed.
 * @throws {ConfigError} With all that is wrong with the text, or else with each
 * file that cannot be opened.
 */
export function createLoggers(options: LoggersOptions): Loggers {
  const { text, context = () => ({}) } = options;
  if (text === undefined) return new Loggers(rootOnly(plainFormatter));
  if (isJson(text)) return new Loggers(rootOnly(jsonFormatter(context)));
  const { loggers, problems } = readLoggers(text, options.lines);
  if (problems.length > 0) {
    throw new ConfigError(problems.map((problem) => toLine(problem, options)));
  }
  return new Loggers(openAll(loggers, options));
}

/**
 * Finds what is wrong with a text, without opening a file.
 *
 * @param options The text, and how to speak of it.
 * @returns One line for each problem.
 */
export function checkLoggers(options: LoggersOptions): string[] {
  const { text } = options;
  if (text === undefined || isJson(text)) return [];
  return readLoggers(text, options.lines).problems
    .map((problem) => toLine(problem, options));
}

/**
 * Finds which log files of a text could not be opened, without making one.
 *
 * @param options The text, and how to speak of it.
 * @returns One line for each file.
 */
export function checkLogFiles(options: LoggersOptions): string[] {
  return listLogFiles(options).flatMap((file) => {
    try {
      checkLogFile(file.path);
      return [];
    } catch (error) {
      return [toLine(openProblem(file, error), options)];
    }
  });
}

/**
 * Lists the log files of a text, as far as it can be read.
 *
 * @param options The text, and how to speak of it.
 * @returns The files.
 */
export function listLogFiles({ text, lines }: LoggersOptions): LogFileConfig[] {
  if (text === undefined || isJson(text)) return [];
  const { loggers } = readLoggers(text, lines);
  return loggers.flatMap(({ files }) => files)
    .filter(({ path }) => !isStream(path));
}

let shared: Loggers | undefined;

/**
 * The loggers for code that runs outside a container: INFO on standard error.
 *
 * @returns The same tree each time.
 */
export function defaultLoggers(): Loggers {
  return shared ??= new Loggers(rootOnly(plainFormatter));
}

/** A logger of a tree, whose level and handlers are those in effect. */
class TreeLogger implements Logger {
  readonly #logger: StdLogger;

  constructor(logger: StdLogger) {
    this.#logger = logger;
  }

  debug(message: unknown, ...args: unknown[]): void {
    this.#log("debug", [message, ...args]);
  }

  info(message: unknown, ...args: unknown[]): void {
    this.#log("info", [message, ...args]);
  }

  warn(message: unknown, ...args: unknown[]): void {
    this.#log("warn", [message, ...args]);
  }

  error(message: unknown, ...args: unknown[]): void {
    this.#log("error", [message, ...args]);
  }

  critical(message: unknown, ...args: unknown[]): void {
    this.#log("critical", [message, ...args]);
  }

  #log(method: Method, values: readonly unknown[]): void {
    if (METHOD_LEVELS[method] < this.#logger.level) return;
    const frames = this.#logger.level <= LogLevels.DEBUG ? "all" : "user";
    writeRecord(values, (text, errors) => {
      const data = errors.map((error) => encodeError(error, { frames }));
      this.#logger[method](text, ...data);
    });
  }
}

/** The methods of a logger. */
export const LOG_METHODS = Object.keys(METHOD_LEVELS) as readonly Method[];

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

function rootOnly(formatter: RecordFormatter): ReadonlyMap<string, LoggerNode> {
  const handler = new StreamHandler("STDERR", { level: 0, formatter });
  const root = { level: LogLevels.INFO, propagate: true, handlers: [handler] };
  return new Map([["", root]]);
}

function isJson(text: string): boolean {
  return text.trim() === "json";
}

function toLine(
  { line, text }: { readonly line: number; readonly text: string },
  { where }: LoggersOptions,
): string {
  return `${where} (line ${line}) ${text}`;
}

/** Opens all files, or none. */
function openAll(
  loggers: readonly LoggerConfig[],
  options: LoggersOptions,
): ReadonlyMap<string, LoggerNode> {
  const problems: string[] = [];
  const nodes = new Map<string, LoggerNode>();
  for (const { name, level, propagate, files } of loggers) {
    const handlers = files.flatMap((file) => {
      try {
        return [openHandler(file)];
      } catch (error) {
        problems.push(toLine(openProblem(file, error), options));
        return [];
      }
    });
    nodes.set(name, { level, propagate, handlers });
  }
  if (problems.length > 0) {
    new Loggers(nodes).close();
    throw new ConfigError(problems);
  }
  return nodes;
}

function openProblem({ path, line }: LogFileConfig, error: unknown) {
  return { line, text: `cannot open log file "${path}": ${reasonOf(error)}` };
}

function openHandler(file: LogFileConfig): BaseHandler {
  const { path, level, format: formatter, maxSize, oldFiles } = file;
  return isStream(path)
    ? new StreamHandler(path, { level, formatter })
    : new FileHandler(path, { level, formatter, maxSize, oldFiles });
}
