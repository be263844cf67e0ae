/**
 * Log formats as Python's `logging` has them: `%(levelname)-8s %(message)s`.
 *
 * @module
 */

import type { LogRecord } from "@std/log/logger";
import { closestString } from "@std/text/closest-string";
import process from "node:process";
import { errorText } from "./_log_error.ts";
import {
  type Conversion,
  CONVERSIONS,
  convert,
  type Kind,
  MAX_PRECISION,
  neededKind,
} from "./_percent.ts";
import { compileDateFormat, type DateFormat } from "./_strftime.ts";

/** Writes a record as text. */
export type RecordFormatter = (record: LogRecord) => string;

/** A format, ready to use. */
export interface RecordFormat {
  /** Writes a record, with the errors that were logged with it below. */
  readonly format: RecordFormatter;
  /** What is wrong with the format: clauses, such as `"%d" names no field`. */
  readonly problems: readonly string[];
}

/** What a record looks like to a format's fields. */
interface FieldSource {
  readonly record: LogRecord;
  readonly asctime: DateFormat["format"];
}

/** A field of a record. */
interface Field {
  readonly kind: Kind;
  readonly get: (source: FieldSource) => string | number;
}

const LEVEL_NAMES: ReadonlyMap<number, string> = new Map([
  [10, "DEBUG"],
  [20, "INFO"],
  [30, "WARNING"],
  [40, "ERROR"],
  [50, "CRITICAL"],
]);

const LOADED_AT = Date.now();

const FIELDS: ReadonlyMap<string, Field> = new Map<string, Field>([
  ["asctime", {
    kind: "text",
    get: ({ record, asctime }) => asctime(record.datetime),
  }],
  ["created", {
    kind: "float",
    get: ({ record }) => record.datetime.getTime() / 1000,
  }],
  ["levelname", { kind: "text", get: ({ record }) => levelName(record) }],
  ["levelno", { kind: "integer", get: ({ record }) => record.level }],
  ["message", { kind: "text", get: ({ record }) => record.msg }],
  ["msecs", {
    kind: "float",
    get: ({ record }) => record.datetime.getMilliseconds(),
  }],
  ["name", { kind: "text", get: ({ record }) => record.loggerName }],
  ["process", { kind: "integer", get: () => process.pid }],
  ["processName", { kind: "text", get: () => "MainProcess" }],
  ["relativeCreated", {
    kind: "float",
    get: ({ record }) => record.datetime.getTime() - LOADED_AT,
  }],
  ["threadName", { kind: "text", get: () => "MainThread" }],
]);

/** Fields that Python has and that would mean nothing here. */
const UNSUPPORTED_FIELDS: ReadonlySet<string> = new Set([
  "filename",
  "funcName",
  "lineno",
  "module",
  "pathname",
  "taskName",
  "thread",
]);

const MAX_WIDTH = 1000;

const CONVERSION =
  /%(?:\(([^()]*)\))?([#0 +-]*)(\*|\d+)?(?:(\.)(\*|\d+)?)?[hlL]?(.)?/gsu;

/** A part of a format: text as it stands, or the match of a conversion. */
type Part = string | RegExpExecArray;

/** Writes a part of a format for a record. */
type FieldWriter = (source: FieldSource) => string;

/**
 * Makes a format of a text in Python's `%` style.
 *
 * @param text The text, such as `%(levelname)s %(message)s`; empty, the
 * message alone.
 * @param asctime Writes the time for the field of that name.
 * @returns The format and what is wrong with it.
 */
export function compileFormat(
  text: string,
  asctime: DateFormat["format"],
): RecordFormat {
  const problems: string[] = [];
  const parts = partsOf(text || "%(message)s");
  if (!parts.some((part) => typeof part !== "string" && part[0] !== "%%")) {
    problems.push("there is no field in it, such as %(message)s");
  }
  const writers = parts.map((part) => compilePart(part, problems));
  return {
    format(record) {
      const source = { record, asctime };
      return withErrors(writers.map((write) => write(source)).join(""), record);
    },
    problems,
  };
}

/**
 * Makes a format for the field `asctime`.
 *
 * @param text The text, for `strftime`; empty, Python's own format with
 * milliseconds.
 * @returns The format and what is wrong with it.
 */
export function compileAsctime(text: string): DateFormat {
  if (text !== "") return compileDateFormat(text);
  const { format, problems } = compileDateFormat("%Y-%m-%d %H:%M:%S");
  const msecs = (date: Date) => String(date.getMilliseconds()).padStart(3, "0");
  return { format: (date) => `${format(date)},${msecs(date)}`, problems };
}

/**
 * Gives a record's level the name Python has for it.
 *
 * @param record The record.
 * @returns The name, such as `WARNING`.
 */
export function levelName(record: LogRecord): string {
  return LEVEL_NAMES.get(record.level) ?? `Level ${record.level}`;
}

function withErrors(text: string, record: LogRecord): string {
  return record.args.reduce<string>((text, error) => {
    const newline = text.endsWith("\n") ? "" : "\n";
    return text + newline + errorText(error);
  }, text);
}

function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let end = 0;
  for (const match of text.matchAll(CONVERSION)) {
    parts.push(text.slice(end, match.index), match);
    end = match.index + match[0].length;
  }
  return [...parts, text.slice(end)];
}

function compilePart(part: Part, problems: string[]): FieldWriter {
  if (typeof part === "string") return () => part;
  if (part[0] === "%%") return () => "%";
  const { all, name, conversion } = readConversion(part);
  const field = name === undefined ? undefined : FIELDS.get(name);
  if (field === undefined) {
    problems.push(fieldProblem(all, name));
    return () => "";
  }
  const problem = conversionProblem(conversion, field.kind);
  if (problem !== undefined) problems.push(`"${all}" ${problem}`);
  return (source) => convert(field.get(source), field.kind, conversion);
}

function readConversion(match: RegExpExecArray) {
  const [all, name, flags = "", width = "0", point, digits = "0", type = ""] =
    match;
  const precision = point === undefined ? undefined : Number(digits);
  return {
    all,
    name,
    conversion: { flags, width: Number(width), precision, type },
  };
}

function fieldProblem(all: string, name: string | undefined): string {
  if (name === undefined) {
    return `"${all}" names no field: write %(message)s for a field, and %% ` +
      `for a percent sign`;
  }
  const names = [...FIELDS.keys()];
  return UNSUPPORTED_FIELDS.has(name)
    ? `the field "${name}" is not supported: supported fields are ${
      names.join(", ")
    }`
    : `the field "${name}" is not known: did you mean "${
      closestString(name, names)
    }"? Known fields are ${names.join(", ")}`;
}

function conversionProblem(
  { type, width, precision = 0 }: Conversion,
  kind: Kind,
): string | undefined {
  if (type === "" || !CONVERSIONS.includes(type)) {
    return `has to end in a conversion, one of ${[...CONVERSIONS].join(" ")}`;
  }
  const needed = neededKind(type, kind);
  if (needed !== undefined) {
    return `is for ${needed}, which the field is not: end it in s`;
  }
  // A "*", which takes a number from the arguments in Python, is NaN here.
  if (width <= MAX_WIDTH && precision <= MAX_PRECISION) return undefined;
  return `needs a width of at most ${MAX_WIDTH} and a precision of at most ` +
    `${MAX_PRECISION}`;
}
