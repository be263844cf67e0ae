/**
 * A container's loggers: Python's hierarchy of loggers, over `@std/log`.
 *
 * @module
 */

import { type LevelName, LogLevelNames, LogLevels } from "@std/log/levels";
import { Logger as StdLogger } from "@std/log/logger";
import { ConfigError } from "../errors.ts";
import { quote } from "../text.ts";
import { encodeError, errorSummary, reasonOf } from "./error_data.ts";
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
  type LoggerConfig,
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
interface LoggerNode extends Pick<LoggerConfig, "level" | "propagate"> {
  readonly handlers: readonly LogHandler[];
}

type Method = keyof Logger;

/** The methods of a logger. */
export const LOG_METHODS: readonly Method[] = LogLevelNames.slice(1)
  .map((name) => name.toLowerCase() as Method);

const message = compileFormat("%(message)s", []);

/** What Python falls back on if a record would reach no handler. */
const LAST_RESORT = new StreamHandler(
  "STDERR",
  LogLevels.WARN,
  (record) => message(record, String),
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
    const nodes = this.#lineage(canonical);
    const { level = ROOT_LEVEL } = nodes.find(({ level }) => level > 0) ??
      this.#nodes.get("") ?? {};
    const last = nodes.findIndex(({ propagate }) => !propagate);
    const reached = last < 0 ? nodes : nodes.slice(0, last + 1);
    const logger = new StdLogger(canonical || "root", levelFrom(level), {
      handlers: nodes.length === 0
        ? [LAST_RESORT]
        : reached.flatMap(({ handlers }) => handlers),
    });
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
    return this.#handlers().reduce((sum, { lostLines }) => sum + lostLines, 0);
  }

  /**
   * Closes the files, to which nothing is written any more; the standard
   * streams stay in use. Again, it does nothing.
   */
  close(): void {
    for (const handler of this.#handlers()) handler.destroy();
  }

  /** Closes the files at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }

  #handlers(): LogHandler[] {
    return [...this.#nodes.values()].flatMap(({ handlers }) => handlers);
  }

  /** The configured loggers from a name up to the root. */
  #lineage(name: string): LoggerNode[] {
    return [...lineage(name)].map((ancestor) => this.#nodes.get(ancestor))
      .filter((node) => node !== undefined);
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
  const nodes = config.map(({ files, ...logger }) => {
    const handlers = files.flatMap((file) =>
      tryFile(file, where, problems, () => openHandler(file, context))
    );
    return [logger.name, { ...logger, handlers }] as const;
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
  const problems: string[] = [];
  for (const file of listLogFiles(config)) {
    tryFile(file, where, problems, () => checkLogFile(file.path));
  }
  return problems;
}

/** What the opening of a file gives: nothing if it fails, which is a problem. */
function tryFile<T>(
  { path, line }: LogFileConfig,
  where: string,
  problems: string[],
  open: () => T,
): T[] {
  try {
    return [open()];
  } catch (error) {
    const reason = `cannot open log file ${quote(path)}: ${reasonOf(error)}`;
    problems.push(`${where} (line ${line}) ${reason}`);
    return [];
  }
}

let shared: Loggers | undefined;

/**
 * The loggers for code that runs outside a container: INFO on standard error.
 *
 * @returns The same tree each time.
 */
export function defaultLoggers(): Loggers {
  return shared ??= createLoggers(parseLoggers(undefined).config, {
    where: "",
  });
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
  const first = isError(message) ? errorSummary(message).message : message;
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
