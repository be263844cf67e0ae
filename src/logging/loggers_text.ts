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
import { BOOLEAN, COUNT, LEVEL, NAME, SIZE, type ValueType } from "./values.ts";
import {
  parseZConfig,
  type ZConfigKey,
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
export interface LoggersConfig {
  readonly loggers: readonly LoggerConfig[];
}

/** Loggers as far as they can be read. */
export interface ParsedLoggers {
  readonly config: LoggersConfig;
  /** Predicates with their lines, such as `never closes <logger>`. */
  readonly problems: readonly ZConfigProblem[];
}

/** The keys that a section may have. */
interface SectionType {
  readonly keys: readonly string[];
  /** Keys that ZConfig has and this package does not. */
  readonly unsupported: readonly string[];
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\\b", "\b"],
  ["\\f", "\f"],
  ["\\n", "\n"],
  ["\\r", "\r"],
  ["\\t", "\t"],
]);

const DEFAULT_FORMAT =
  "------\\n%(asctime)s %(levelname)s %(name)s %(message)s";

/** ZConfig's date format if none is given. */
const DEFAULT_DATE_FORMAT = "%Y-%m-%dT%H:%M:%S";

const { format: ASCTIME } = compileAsctime(DEFAULT_DATE_FORMAT);

/** Without the option: INFO on standard error. */
const DEFAULT = rootOnly(
  compileFormat("%(asctime)s %(levelname)s %(name)s %(message)s", ASCTIME)
    .format,
);

const JSON_LINES = rootOnly("json");

function rootOnly(format: LogFileConfig["format"]): LoggersConfig {
  const file = { level: 0, format, maxSize: 0, oldFiles: 0, line: 1 };
  const files = [{ ...file, path: "STDERR" }];
  return {
    loggers: [{ name: "", level: 20, propagate: true, files, line: 1 }],
  };
}

const LOGGER: SectionType = {
  keys: ["level", "name", "propagate"],
  unsupported: [],
};

const LOGFILE: SectionType = {
  keys: ["dateformat", "format", "level", "max-size", "old-files", "path"],
  unsupported: [
    "arbitrary-fields",
    "delay",
    "encoding",
    "formatter",
    "interval",
    "style",
    "when",
  ],
};

/** Sections that ZConfig has and this package does not. */
const UNSUPPORTED_SECTIONS = [
  "email-notifier",
  "eventlog",
  "http-logger",
  "syslog",
  "win32-eventlog",
];

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
  const loggers = new Reader(problems).root(root);
  problems.sort((a, b) => a.line - b.line);
  return { config: { loggers }, problems };
}

/**
 * Lists the log files of parsed loggers, without the standard streams.
 *
 * @param config The loggers.
 * @returns The files.
 */
export function listLogFiles({ loggers }: LoggersConfig): LogFileConfig[] {
  return loggers.flatMap(({ files }) => files)
    .filter(({ path }) => !isStream(path));
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
        `has "${name}" outside a <logger> section: the text is made of them, ` +
          `or is just json`,
      );
    }
    const loggers = this.#sections(root, "logger")
      .map((section) => this.#logger(section));
    this.#checkNames(loggers);
    return loggers;
  }

  #logger(section: ZConfigSection): LoggerConfig {
    const keys = this.#keys(section, LOGGER);
    return {
      name: this.#value(keys.get("name"), section, NAME) ?? "",
      level: this.#value(keys.get("level"), section, LEVEL) ?? 20,
      propagate: this.#value(keys.get("propagate"), section, BOOLEAN) ?? true,
      files: this.#sections(section, "logfile")
        .map((section) => this.#logFile(section)),
      line: section.line,
    };
  }

  #logFile(section: ZConfigSection): LogFileConfig {
    const keys = this.#keys(section, LOGFILE);
    this.#sections(section, undefined);
    const [size, count] = [keys.get("max-size"), keys.get("old-files")];
    const maxSize = this.#value(size, section, SIZE);
    const oldFiles = this.#value(count, section, COUNT);
    const path = keys.get("path")?.value ?? "";
    const problem = logFileProblem(
      path,
      size === undefined ? 0 : maxSize,
      count === undefined ? 0 : oldFiles,
    );
    if (problem !== undefined) this.#problem(section.line, problem);
    return {
      path,
      level: this.#value(keys.get("level"), section, LEVEL) ?? 0,
      format: this.#format(keys),
      maxSize: maxSize ?? 0,
      oldFiles: oldFiles ?? 0,
      line: section.line,
    };
  }

  /** The sections of a type in another; all others are problems. */
  #sections(
    { type: outer, sections }: ZConfigSection,
    type: string | undefined,
  ): ZConfigSection[] {
    return sections.filter((section) => {
      if (section.type === type) return true;
      this.#problem(section.line, sectionProblem(section.type, type, outer));
      return false;
    });
  }

  /** The keys of a section by name. */
  #keys(
    section: ZConfigSection,
    type: SectionType,
  ): ReadonlyMap<string, ZConfigKey> {
    if (section.name !== undefined) {
      this.#problem(
        section.line,
        `has <${section.type} ${section.name}>: remove ${quote(section.name)}`,
      );
    }
    const keys = new Map<string, ZConfigKey>();
    for (const key of section.keys) {
      const problem = keyProblem(key, section.type, type, keys.get(key.name));
      if (problem === undefined) keys.set(key.name, key);
      else this.#problem(key.line, problem);
    }
    return keys;
  }

  /** A key's value; `undefined` without the key, or if it is a problem. */
  #value<T>(
    key: ZConfigKey | undefined,
    { type }: ZConfigSection,
    { wanted, parse }: ValueType<T>,
  ): T | undefined {
    if (key === undefined) return undefined;
    const value = parse(key.value);
    if (value === undefined) {
      this.#problem(
        key.line,
        `needs "${key.name}" in <${type}> to be ${wanted}: ` +
          `current value is ${quote(key.value)}`,
      );
    }
    return value;
  }

  #format(keys: ReadonlyMap<string, ZConfigKey>): RecordFormatter {
    const dateFormat = keys.get("dateformat");
    const asctime = compileAsctime(dateFormat?.value ?? DEFAULT_DATE_FORMAT);
    const format = keys.get("format");
    const text = unescape(format?.value ?? DEFAULT_FORMAT);
    const compiled = compileFormat(text, asctime.format);
    this.#badFormats(dateFormat, asctime.problems);
    this.#badFormats(format, compiled.problems);
    return compiled.format;
  }

  #badFormats(key: ZConfigKey | undefined, problems: readonly string[]): void {
    if (key === undefined) return;
    for (const problem of problems) {
      this.#problem(
        key.line,
        `has a bad "${key.name}" in <logfile>: ${problem}`,
      );
    }
  }

  #checkNames(loggers: readonly LoggerConfig[]): void {
    const lines = new Map<string, number>();
    for (const { name, line } of loggers) {
      const first = lines.get(name);
      if (first === undefined) lines.set(name, line);
      else {
        const which = name === "" ? "the root logger" : `logger "${name}"`;
        this.#problem(
          line,
          `configures ${which} again, after line ${first}: put all in one ` +
            `<logger>`,
        );
      }
    }
  }

  #problem(line: number, text: string): void {
    this.#problems.push({ line, text });
  }
}

/** Whether a path stands for standard output or error. */
export function isStream(path: string): path is "STDOUT" | "STDERR" {
  return path === "STDOUT" || path === "STDERR";
}

function sectionProblem(
  type: string,
  wanted: string | undefined,
  outer: string,
): string {
  const where = outer === "" ? "outside a <logger> section" : `in <${outer}>`;
  if (UNSUPPORTED_SECTIONS.includes(type)) {
    return `has <${type}>, which is not supported: use <logger> with ` +
      `<logfile>, whose path may be STDERR`;
  }
  if (type === "logger" || type === "logfile") {
    return `has <${type}> ${where}, where it cannot be`;
  }
  return wanted === undefined
    ? `has <${type}> ${where}, which holds no sections`
    : `has an unknown section <${type}>: did you mean <${wanted}>?`;
}

function keyProblem(
  { name }: ZConfigKey,
  section: string,
  { keys, unsupported }: SectionType,
  earlier: ZConfigKey | undefined,
): string | undefined {
  if (earlier !== undefined) {
    return `has "${name}" in <${section}> again, after line ${earlier.line}`;
  }
  if (unsupported.includes(name)) {
    return `has "${name}" in <${section}>, which is not supported: remove it`;
  }
  if (keys.includes(name)) return undefined;
  return `has an unknown key "${name}" in <${section}>: ${
    suggest(name, keys, "keys")
  }`;
}

/** What is wrong with a file; a size or count that is wrong is `undefined`. */
function logFileProblem(
  path: string,
  maxSize: number | undefined,
  oldFiles: number | undefined,
): string | undefined {
  if (path === "") {
    return 'has a <logfile> without a "path": a file, STDOUT or STDERR';
  }
  if (isStream(path) && (maxSize || oldFiles)) {
    return `has "max-size" or "old-files" in <logfile> with path ${path}, ` +
      `which cannot be rotated: remove them`;
  }
  if (maxSize && oldFiles === 0) {
    return `has "max-size" in <logfile> without "old-files": add how many ` +
      `full files to keep, at least 1`;
  }
  if (maxSize === 0 && oldFiles) {
    return `has "old-files" in <logfile> without "max-size": add the size ` +
      `at which a file is full, such as 10MB`;
  }
  return undefined;
}

function unescape(text: string): string {
  return text.replace(/\\[bfnrt]/g, (escaped) => ESCAPES.get(escaped)!);
}
