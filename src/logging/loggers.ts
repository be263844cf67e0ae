/**
 * A container's loggers: Python's hierarchy of loggers, over `@std/log`.
 *
 * @module
 */

import { type LogLevel, LogLevels } from "@std/log/levels";
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

const METHOD_LEVELS: Readonly<Record<Method, LogLevel>> = {
  debug: LogLevels.DEBUG,
  info: LogLevels.INFO,
  warn: LogLevels.WARN,
  error: LogLevels.ERROR,
  critical: LogLevels.CRITICAL,
};

/** What Python falls back on if a record would reach no handler. */
const LAST_RESORT = new StreamHandler("STDERR", {
  level: LogLevels.WARN,
  formatter: compileFormat("%(message)s", String).format,
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
   * root. `zc.sqs` and the names below it stand for `zsqs`.
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
  options: LoggersOptions,
): Loggers {
  return new Loggers(openAll(config, options));
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

/** Opens all files, or none. */
function openAll(
  { loggers }: LoggersConfig,
  { where, context = () => ({}) }: LoggersOptions,
): ReadonlyMap<string, LoggerNode> {
  const problems: string[] = [];
  const nodes = new Map<string, LoggerNode>();
  for (const { name, level, propagate, files } of loggers) {
    const handlers = files.flatMap((file) => {
      try {
        return [openHandler(file, context)];
      } catch (error) {
        problems.push(openProblem(file, error, where));
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
  { path, level, format, maxSize, oldFiles }: LogFileConfig,
  context: NonNullable<LoggersOptions["context"]>,
): LogHandler {
  const formatter = format === "json" ? jsonFormatter(context) : format;
  return isStream(path)
    ? new StreamHandler(path, { level, formatter })
    : new FileHandler(path, { level, formatter, maxSize, oldFiles });
}
