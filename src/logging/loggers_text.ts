/**
 * What the text of a container's `loggers` option asks for: the meaning of
 * ZConfig's `<logger>` and `<logfile>` sections.
 *
 * @module
 */

import { suggest } from "../text.ts";
import {
  compileAsctime,
  compileFormat,
  type RecordFormatter,
} from "./format.ts";
import {
  parseZConfig,
  type ZConfigKey,
  type ZConfigProblem,
  type ZConfigSection,
} from "./zconfig.ts";

/** A `<logfile>`. */
export interface LogFileConfig {
  /** The file's path, `STDOUT` or `STDERR`. */
  readonly path: string;
  /** Records below this level are not written, 0 to 50. */
  readonly level: number;
  /** Writes a record as text. */
  readonly format: RecordFormatter;
  /** The size in bytes that the file stays below; 0 for any. */
  readonly maxSize: number;
  /** How many full files are kept; 0 where `maxSize` is. */
  readonly oldFiles: number;
  /** The line of the section. */
  readonly line: number;
}

/** A `<logger>`. */
export interface LoggerConfig {
  /** The logger's name, canonical; empty for the root. */
  readonly name: string;
  /** Records below this level are not made, 0 to 50; 0: as the parent has it. */
  readonly level: number;
  /** Whether the parents' files get its records too. */
  readonly propagate: boolean;
  /** Where its records go. */
  readonly files: readonly LogFileConfig[];
  /** The line of the section. */
  readonly line: number;
}

/** What a text asks for. */
export interface LoggersConfig {
  /** The loggers, as far as they can be read. */
  readonly loggers: readonly LoggerConfig[];
  /** What is wrong, by line. */
  readonly problems: readonly ZConfigProblem[];
}

/** The keys a section may have. */
interface SectionType {
  readonly keys: readonly string[];
  /** Keys that ZConfig has, each with what there is in their place. */
  readonly unsupported: ReadonlyMap<string, string>;
}

const LEVELS: ReadonlyMap<string, number> = new Map([
  ["critical", 50],
  ["fatal", 50],
  ["error", 40],
  ["warn", 30],
  ["warning", 30],
  ["info", 20],
  ["blather", 15],
  ["debug", 10],
  ["trace", 5],
  ["all", 1],
  ["notset", 0],
]);

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["yes", true],
  ["true", true],
  ["on", true],
  ["no", false],
  ["false", false],
  ["off", false],
]);

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["kb", 1024],
  ["mb", 1024 ** 2],
  ["gb", 1024 ** 3],
]);

/** Each is renamed whenever the file is full. */
const MAX_OLD_FILES = 10_000;

const CONTROL_CHARACTERS: ReadonlyMap<string, string> = new Map([
  ["\\b", "\b"],
  ["\\f", "\f"],
  ["\\n", "\n"],
  ["\\r", "\r"],
  ["\\t", "\t"],
]);

const DEFAULT_FORMAT =
  "------\\n%(asctime)s %(levelname)s %(name)s %(message)s";

/** ZConfig's date format where none is given. */
export const DEFAULT_DATE_FORMAT = "%Y-%m-%dT%H:%M:%S";

const LOGGER: SectionType = {
  keys: ["level", "name", "propagate"],
  unsupported: new Map(),
};

const ROTATION = 'files are rotated by size, with "max-size" and "old-files"';

const LOGFILE: SectionType = {
  keys: ["dateformat", "format", "level", "max-size", "old-files", "path"],
  unsupported: new Map([
    ["arbitrary-fields", "records have no other fields"],
    ["delay", "files are opened at the start"],
    ["encoding", "files are written in UTF-8"],
    ["formatter", 'lines are formatted with "format" and "dateformat"'],
    ["interval", ROTATION],
    ["style", 'the style of "format" is classic, as in %(message)s'],
    ["when", ROTATION],
  ]),
};

/** Sections that ZConfig has, each with what there is in their place. */
const UNSUPPORTED_SECTIONS: ReadonlyMap<string, string> = new Map([
  ["eventlog", "<logger> without a name is the root logger"],
  ...["email-notifier", "http-logger", "syslog", "win32-eventlog"].map(
    (type) =>
      [type, "records go to <logfile>, whose path may be STDERR"] as const,
  ),
]);

/**
 * Reads the text of a `loggers` option.
 *
 * @param text The text.
 * @param lines The number of each of its lines; from 1 without it.
 * @returns What it asks for and what is wrong with it; no file is looked at.
 */
export function readLoggers(
  text: string,
  lines?: readonly number[],
): LoggersConfig {
  const { root, problems } = parseZConfig(text, lines);
  const reader = new Reader(problems);
  const loggers = reader.root(root);
  problems.sort((a, b) => a.line - b.line);
  return { loggers, problems };
}

/**
 * Gives a logger the name it is known by: what zc.sqs called `zc.sqs` is
 * `zsqs`, and the root, which Python calls `root` too, has none.
 *
 * @param name A name as users write it.
 * @returns The canonical name.
 */
export function canonicalName(name: string): string {
  return name === "root" ? "" : name.replace(/^zc\.sqs(?=\.|$)/, "zsqs");
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
      name: this.#name(keys.get("name")),
      level: this.#level(section, keys.get("level"), 20),
      propagate: this.#propagate(keys.get("propagate")),
      files: this.#sections(section, "logfile")
        .map((section) => this.#logFile(section)),
      line: section.line,
    };
  }

  #logFile(section: ZConfigSection): LogFileConfig {
    const keys = this.#keys(section, LOGFILE);
    this.#sections(section, undefined);
    const path = keys.get("path")?.value ?? "";
    const maxSize = this.#size(keys.get("max-size"));
    const oldFiles = this.#oldFiles(keys.get("old-files"));
    const problem = pathProblem(path) ??
      rotationProblem(path, maxSize, oldFiles);
    if (problem !== undefined) this.#problem(section.line, problem);
    return {
      path,
      level: this.#level(section, keys.get("level"), 0),
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
        `has <${section.type} ${section.name}>, and what follows ` +
          `"${section.type}" there has no meaning: leave it out`,
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

  #name(key: ZConfigKey | undefined): string {
    if (key === undefined) return "";
    if (!/^[^\s.]+(\.[^\s.]+)*$/.test(key.value)) {
      this.#wrongValue(key, "logger", "a dotted name, such as zsqs.messages");
    }
    return canonicalName(key.value);
  }

  #level(
    { type }: ZConfigSection,
    key: ZConfigKey | undefined,
    byDefault: number,
  ): number {
    if (key === undefined) return byDefault;
    const level = LEVELS.get(key.value.toLowerCase()) ?? toInteger(key.value);
    if (level !== undefined && level >= 0 && level <= 50) return level;
    const names = [...LEVELS.keys()].join(", ");
    this.#wrongValue(key, type, `an integer from 0 to 50 or one of ${names}`);
    return byDefault;
  }

  #propagate(key: ZConfigKey | undefined): boolean {
    if (key === undefined) return true;
    const propagate = BOOLEANS.get(key.value.toLowerCase());
    if (propagate === undefined) {
      const names = [...BOOLEANS.keys()].join(", ");
      this.#wrongValue(key, "logger", `one of ${names}`);
    }
    return propagate ?? true;
  }

  #format(keys: ReadonlyMap<string, ZConfigKey>): RecordFormatter {
    const dateFormat = keys.get("dateformat");
    const asctime = compileAsctime(dateFormat?.value ?? DEFAULT_DATE_FORMAT);
    const format = keys.get("format");
    const text = unescapeControls(format?.value ?? DEFAULT_FORMAT);
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

  #size(key: ZConfigKey | undefined): number | undefined {
    if (key === undefined) return 0;
    const size = toSize(key.value);
    if (size === undefined) {
      this.#wrongValue(
        key,
        "logfile",
        "a number of bytes, or of KB, MB or GB, such as 10MB",
      );
    }
    return size;
  }

  #oldFiles(key: ZConfigKey | undefined): number | undefined {
    if (key === undefined) return 0;
    const count = toInteger(key.value);
    if (count !== undefined && count >= 0 && count <= MAX_OLD_FILES) {
      return count;
    }
    const wanted = `an integer from 0 to ${MAX_OLD_FILES}`;
    this.#wrongValue(key, "logfile", wanted);
    return undefined;
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

  #wrongValue(key: ZConfigKey, section: string, wanted: string): void {
    this.#problem(
      key.line,
      `needs "${key.name}" in <${section}> to be ${wanted}: ` +
        `current value is "${key.value}"`,
    );
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
  const instead = UNSUPPORTED_SECTIONS.get(type);
  if (instead !== undefined) {
    return `has <${type}>, which is not supported: ${instead}`;
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
  const instead = unsupported.get(name);
  if (instead !== undefined) {
    return `has "${name}" in <${section}>, which is not supported: ${instead}`;
  }
  if (keys.includes(name)) return undefined;
  return `has an unknown key "${name}" in <${section}>: ${
    suggest(name, keys, "keys")
  }`;
}

function pathProblem(path: string): string | undefined {
  return path === ""
    ? 'has a <logfile> without a "path": a file, STDOUT or STDERR'
    : undefined;
}

/** What is wrong with the rotation; sizes that cannot be read are not its. */
function rotationProblem(
  path: string,
  maxSize: number | undefined,
  oldFiles: number | undefined,
): string | undefined {
  if (isStream(path) && (maxSize || oldFiles)) {
    return `has "max-size" or "old-files" in <logfile> with path ${path}, ` +
      `which cannot be rotated: leave them out`;
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

/** A number of bytes, as ZConfig's `byte-size` has it. */
function toSize(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^(.*?)([kmg]b)?$/i.exec(text) ?? [];
  const count = toInteger(digits.trim());
  const bytes = SIZE_UNITS.get(unit.toLowerCase());
  if (count === undefined || bytes === undefined || count < 0) return undefined;
  const size = count * bytes;
  return Number.isSafeInteger(size) ? size : undefined;
}

/** The integers Python's `int()` takes, as far as they are decimal. */
function toInteger(text: string): number | undefined {
  return /^[+-]?\d+(_\d+)*$/.test(text)
    ? Number(text.replaceAll("_", ""))
    : undefined;
}

function unescapeControls(text: string): string {
  return text.replace(
    /\\[bfnrt]/g,
    (escaped) => CONTROL_CHARACTERS.get(escaped) ?? escaped,
  );
}
