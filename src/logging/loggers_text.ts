/**
 * The value of a container's `loggers` option, parsed: ZConfig's `<logger>` and
 * `<logfile>` sections, `json`, or the default.
 *
 * @module
 */

import { quote, suggest } from "../text.ts";
import {
  compileAsctime,
  compileFormat,
  type RecordFormatter,
} from "./format.ts";
import {
  BOOLEAN,
  COUNT,
  LEVEL,
  NAME,
  SIZE,
  TEXT,
  type ValueType,
} from "./values.ts";
import {
  parseZConfig,
  type ZConfigProblem,
  type ZConfigSection,
} from "./zconfig.ts";

/** Where a logger's records go: a `<logfile>`. */
export interface LogFileConfig {
  /** The file's path, `STDOUT` or `STDERR`. */
  readonly path: string;
  /** Records below this level are not written, 0 to 50. */
  readonly level: number;
  /** Writes a record as text; `json`: as one JSON object. */
  readonly format: RecordFormatter | "json";
  /** The size in bytes that the file stays below; 0 for any. */
  readonly maxSize: number;
  /** How many full files are kept; 0 if `maxSize` is 0. */
  readonly oldFiles: number;
  /** The line of the section. */
  readonly line: number;
}

/** A `<logger>`. */
export interface LoggerConfig {
  /** The canonical name; empty for the root. */
  readonly name: string;
  /** Records below this level are not made, 0 to 50; 0: as the parent has it. */
  readonly level: number;
  /** Whether the parents' files get its records too. */
  readonly propagate: boolean;
  readonly files: readonly LogFileConfig[];
  /** The line of the section. */
  readonly line: number;
}

/** A container's loggers. */
export type LoggersConfig = readonly LoggerConfig[];

/** Loggers as far as they can be read. */
interface ParsedLoggers {
  readonly config: LoggersConfig;
  /** Predicates with their lines, such as `never closes <logger>`. */
  readonly problems: readonly ZConfigProblem[];
}

const FORMAT = {
  wanted: "a format",
  // The escapes that ZConfig knows mean the same in JSON.
  parse: (text: string, problems: string[]) =>
    compileFormat(
      text.replace(/\\[bfnrt]/g, (escape) => JSON.parse(`"${escape}"`)),
      problems,
    ),
};
const DATE_FORMAT = { wanted: "a date format", parse: compileAsctime };

const DEFAULT_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s";

/** ZConfig's defaults. */
const ZCONFIG_FORMAT = compileFormat(`------\n${DEFAULT_FORMAT}`, []);
const ASCTIME = compileAsctime("%Y-%m-%dT%H:%M:%S", []);

const write = compileFormat(DEFAULT_FORMAT, []);

/** Without the option: INFO on standard error. */
const DEFAULT = rootOnly((record) => write(record, ASCTIME));

const JSON_LINES = rootOnly("json");

function rootOnly(format: LogFileConfig["format"]): LoggersConfig {
  const file = { level: 0, format, maxSize: 0, oldFiles: 0, line: 1 };
  const files = [{ ...file, path: "STDERR" }];
  return [{ name: "", level: 20, propagate: true, files, line: 1 }];
}

const LOGGER_KEYS = { level: LEVEL, name: NAME, propagate: BOOLEAN };
const LOGFILE_KEYS = {
  dateformat: DATE_FORMAT,
  format: FORMAT,
  level: LEVEL,
  "max-size": SIZE,
  "old-files": COUNT,
  path: TEXT,
};

type KeyTypes = Readonly<Record<string, ValueType<unknown>>>;

/** Values by key. The value of a key that cannot be read is `undefined`. */
type Values<T extends KeyTypes> = {
  [K in keyof T]?: ReturnType<T[K]["parse"]> | undefined;
};

/** Keys and sections that ZConfig has and this package does not. */
const UNSUPPORTED_KEY =
  /^(?:arbitrary-fields|delay|encoding|formatter|interval|style|when)$/;
const UNSUPPORTED_SECTION =
  /^(?:email-notifier|eventlog|http-logger|syslog|win32-eventlog)$/;

/**
 * Parses a `loggers` option. It opens no file.
 *
 * @param text The option's value: ZConfig text or `json`. Empty text configures
 * nothing, as in Python: warnings and worse go to standard error. `undefined`:
 * INFO on standard error.
 * @param lines The number of each of the text's lines in its file, if the lines
 * do not count from 1.
 * @returns The loggers, as far as they can be read, and all problems, by line.
 */
export function parseLoggers(
  text: string | undefined,
  lines?: readonly number[],
): ParsedLoggers {
  if (text === undefined) return { config: DEFAULT, problems: [] };
  if (text.trim() === "json") return { config: JSON_LINES, problems: [] };
  const { root, problems } = parseZConfig(text, lines);
  const config = new Reader(problems).root(root);
  problems.sort((a, b) => a.line - b.line);
  return { config, problems };
}

/** The log files of parsed loggers, without the standard streams. */
export function listLogFiles(config: LoggersConfig): LogFileConfig[] {
  return config.flatMap(({ files }) => files)
    .filter(({ path }) => !isStream(path));
}

/** Whether a path stands for standard output or error. */
export function isStream(path: string): path is "STDOUT" | "STDERR" {
  return path === "STDOUT" || path === "STDERR";
}

class Reader {
  readonly #problems: ZConfigProblem[];

  constructor(problems: ZConfigProblem[]) {
    this.#problems = problems;
  }

  root(root: ZConfigSection): LoggerConfig[] {
    for (const { name, line } of root.keys) {
      this.#problem(
        line,
        `has "${name}" outside a <logger> section: move it into one, or use json`,
      );
    }
    const lines = new Map<string, number>();
    return this.#sections(root, "logger").map((section) => {
      const logger = this.#logger(section);
      const { name, line } = logger;
      const first = lines.get(name) ?? line;
      lines.set(name, first);
      if (first !== line) {
        const which = name === "" ? "the root logger" : `logger "${name}"`;
        this.#problem(
          line,
          `configures ${which} again, after line ${first}: put all in one <logger>`,
        );
      }
      return logger;
    });
  }

  #logger(section: ZConfigSection): LoggerConfig {
    const { name = "", level = 20, propagate = true } = this.#read(
      section,
      LOGGER_KEYS,
    );
    const files = this.#sections(section, "logfile")
      .map((section) => this.#logFile(section));
    return { name, level, propagate, files, line: section.line };
  }

  #logFile(section: ZConfigSection): LogFileConfig {
    this.#sections(section, undefined);
    const values = this.#read(section, LOGFILE_KEYS);
    const { path = "", level = 0 } = values;
    const { "max-size": maxSize = 0, "old-files": oldFiles = 0 } = values;
    const { format = ZCONFIG_FORMAT, dateformat = ASCTIME } = values;
    const problem = logFileProblem(
      path,
      "max-size" in values && values["max-size"] !== 0,
      "old-files" in values && values["old-files"] !== 0,
    );
    if (problem !== undefined) this.#problem(section.line, problem);
    return {
      path,
      level,
      format: (record) => format(record, dateformat),
      maxSize,
      oldFiles,
      line: section.line,
    };
  }

  /** The sections of a type in another; all others are problems. */
  #sections(
    { type: outer, sections }: ZConfigSection,
    wanted: string | undefined,
  ): ZConfigSection[] {
    return sections.filter(({ type, line }) => {
      if (type === wanted) return true;
      this.#problem(line, sectionProblem(type, wanted, outer));
      return false;
    });
  }

  /** The values of a section's keys. */
  #read<T extends KeyTypes>(
    { type, keys }: ZConfigSection,
    types: T,
  ): Values<T> {
    const values: Record<string, unknown> = {};
    for (const [index, { name, value, line }] of keys.entries()) {
      const first = keys.findIndex((key) => key.name === name);
      if (first < index) {
        this.#problem(
          line,
          `has "${name}" in <${type}> again, after line ${keys[first]!.line}`,
        );
      } else if (!Object.hasOwn(types, name)) {
        this.#problem(line, unknownKey(name, type, Object.keys(types)));
      } else {
        const problems: string[] = [];
        const { wanted, parse } = types[name]!;
        values[name] = parse(value, problems);
        for (const problem of problems) {
          this.#problem(line, `has a bad "${name}" in <${type}>: ${problem}`);
        }
        if (values[name] !== undefined) continue;
        this.#problem(
          line,
          `has a bad "${name}" in <${type}>: ${quote(value)} is not ${wanted}`,
        );
      }
    }
    return values as Values<T>;
  }

  #problem(line: number, text: string): void {
    this.#problems.push({ line, text });
  }
}

function sectionProblem(
  type: string,
  wanted: string | undefined,
  outer: string,
): string {
  const where = outer === "" ? "outside a <logger> section" : `in <${outer}>`;
  if (UNSUPPORTED_SECTION.test(type)) {
    return `has <${type}>, which is not supported: use <logger> with <logfile>`;
  }
  if (type === "logger" || type === "logfile") {
    return `has <${type}> ${where}, where it cannot be`;
  }
  return wanted === undefined
    ? `has <${type}> ${where}, which holds no sections`
    : `has an unknown section <${type}>: did you mean <${wanted}>?`;
}

function unknownKey(
  name: string,
  section: string,
  known: readonly string[],
): string {
  return UNSUPPORTED_KEY.test(name)
    ? `has "${name}" in <${section}>, which is not supported: remove it`
    : `has an unknown key "${name}" in <${section}>: ${
      suggest(name, known, "keys")
    }`;
}

function logFileProblem(
  path: string,
  hasSize: boolean,
  hasOldFiles: boolean,
): string | undefined {
  if (path === "") {
    return 'has a <logfile> without a "path": a file, STDOUT or STDERR';
  }
  if (isStream(path) && (hasSize || hasOldFiles)) {
    return `has "max-size" or "old-files" for ${path}, which cannot be rotated: remove them`;
  }
  if (hasSize === hasOldFiles) return undefined;
  return hasSize
    ? 'has "max-size" without "old-files": add how many full files to keep'
    : 'has "old-files" without "max-size": add the size of a full file, such as 10MB';
}
