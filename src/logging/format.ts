/**
 * Log formats as Python's `logging` has them: `%(levelname)-8s %(message)s`.
 *
 * @module
 */

import type { LogRecord } from "@std/log/logger";
import process from "node:process";
import { escapeControls, printableLines, quote, suggest } from "../text.ts";
import {
  encodeError,
  type ErrorData,
  errorJson,
  errorText,
  reasonOf,
} from "./error_data.ts";
import { isError } from "./value_text.ts";
import { compileDateFormat, type DateFormat } from "./strftime.ts";

/** Writes a record as text. */
export type RecordFormatter = (record: LogRecord) => string;

/** A format, ready to use. */
export interface RecordFormat {
  /** Writes a record, with the errors that were logged with it below. */
  readonly format: RecordFormatter;
  /** Clauses, such as `"%d" names no field`. */
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

const CONVERSION =
  /%(?:\(([^()]*)\))?([#0 +-]*)(\*|\d+)?(?:(\.)(\*|\d+)?)?[hlL]?(.)?/gsu;

const CONVERSIONS = "sdfrx";
const MAX_WIDTH = 1000;

/** More digits than any number has. */
const MAX_PRECISION = 50;

/** Digits that hold the exact value of any number that is not tiny. */
const EXACT_DIGITS = 100;

/** A part of a format: text, or the match of a conversion. */
type Part = string | RegExpExecArray;

/** Writes a part of a format for a record. */
type FieldWriter = (source: FieldSource) => string;

/** What a value is to Python, which decides how it can be written. */
type Kind = "text" | "integer" | "float";

/** How to write a value: `%08.3f`, for example. */
interface Conversion {
  /** Any of `-`, `0`, `+`, space and `#`. */
  readonly flags: string;
  /** The least number of characters. */
  readonly width: number;
  readonly precision: number | undefined;
  /** One of {@linkcode CONVERSIONS}. */
  readonly type: string;
}

/**
 * Compiles a format in Python's `%` style.
 *
 * Only the format's own text begins a line. Further lines of a field's value are
 * indented, and so are the errors below.
 *
 * @param text The format, such as `%(levelname)s %(message)s`; empty, the
 * message alone.
 * @param asctime Writes the time for the field of that name.
 * @returns The format and its problems.
 */
export function compileFormat(
  text: string,
  asctime: DateFormat["format"],
): RecordFormat {
  const problems: string[] = [];
  const parts = partsOf(text || "%(message)s");
  if (!parts.some((part) => typeof part !== "string" && part[0] !== "%%")) {
    problems.push("it has no field, such as %(message)s");
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
 * Compiles the format of the field `asctime`.
 *
 * @param text The format, for `strftime`; empty, Python's own format with
 * milliseconds.
 * @returns The format and its problems.
 */
export function compileAsctime(text: string): DateFormat {
  if (text !== "") return compileDateFormat(text);
  const { format, problems } = compileDateFormat("%Y-%m-%d %H:%M:%S");
  const msecs = (date: Date) => String(date.getMilliseconds()).padStart(3, "0");
  return { format: (date) => `${format(date)},${msecs(date)}`, problems };
}

/** Python's name of a record's level, such as `WARNING`. */
function levelName(record: LogRecord): string {
  return LEVEL_NAMES.get(record.level) ?? `Level ${record.level}`;
}

function withErrors(text: string, record: LogRecord): string {
  return errorsOf(record).reduce((text, error) => {
    const newline = text.endsWith("\n") ? "" : "\n";
    return `${text}${newline}  ${printableLines(errorText(error))}`;
  }, text);
}

/** The errors that a record was logged with. */
function errorsOf(record: LogRecord): readonly ErrorData[] {
  return record.args as readonly ErrorData[];
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
  const [all, name, flags = "", width = "0", point, digits = "0", type = ""] =
    part;
  const field = name === undefined ? undefined : FIELDS.get(name);
  if (field === undefined) {
    problems.push(fieldProblem(all, name));
    return () => "";
  }
  const precision = point === undefined ? undefined : Number(digits);
  const conversion = { flags, width: Number(width), precision, type };
  const problem = conversionProblem(conversion, field.kind);
  if (problem !== undefined) problems.push(`${quote(all)} ${problem}`);
  return (source) =>
    printableLines(convert(field.get(source), field.kind, conversion));
}

function fieldProblem(all: string, name: string | undefined): string {
  if (name === undefined) {
    return `${quote(all)} names no field: write %(message)s for a field, and ` +
      `%% for a percent sign`;
  }
  return UNSUPPORTED_FIELDS.has(name)
    ? `the field "${name}" is not supported: remove it`
    : `the field ${quote(name)} is not known: ` +
      suggest(name, [...FIELDS.keys()], "fields");
}

function conversionProblem(
  { type, width, precision = 0 }: Conversion,
  kind: Kind,
): string | undefined {
  if (type === "" || !CONVERSIONS.includes(type)) {
    return `must end in one of ${[...CONVERSIONS].join(", ")}`;
  }
  if ((type === "d" || type === "f") && kind === "text") {
    return "is for a number, which the field is not: end it in s";
  }
  if (type === "x" && kind !== "integer") {
    return "is for an integer, which the field is not: end it in s";
  }
  // A "*", which takes a number from the arguments in Python, is NaN here.
  if (width <= MAX_WIDTH && precision <= MAX_PRECISION) return undefined;
  return `needs a width of at most ${MAX_WIDTH} and a precision of at most ` +
    `${MAX_PRECISION}`;
}

function convert(
  value: string | number,
  kind: Kind,
  conversion: Conversion,
): string {
  const { flags, precision, type } = conversion;
  if (typeof value === "string" || type === "s" || type === "r") {
    const text = textOf(value, kind, type);
    return pad("", [...text].slice(0, precision).join(""), conversion);
  }
  const size = Math.abs(type === "f" ? value : Math.trunc(value));
  const digits = type === "f"
    ? fixed(size, precision ?? 6)
    : size.toString(type === "x" ? 16 : 10).padStart(precision ?? 0, "0");
  const prefix = flags.includes("#") && type === "x" ? "0x" : "";
  return pad(signOf(value, flags) + prefix, digits, conversion);
}

function pad(
  prefix: string,
  text: string,
  { flags, width, type }: Conversion,
): string {
  const missing = Math.max(0, width - [...prefix + text].length);
  if (flags.includes("-")) return prefix + text + " ".repeat(missing);
  return flags.includes("0") && type !== "s" && type !== "r"
    ? prefix + "0".repeat(missing) + text
    : " ".repeat(missing) + prefix + text;
}

function textOf(value: string | number, kind: Kind, type: string): string {
  if (typeof value === "string") return type === "r" ? repr(value) : value;
  return kind === "float" && Number.isInteger(value)
    ? value.toFixed(1)
    : String(value);
}

/** A string as Python's `repr()` writes it. */
function repr(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[^ \P{Z}]|[\p{C}\\'"]/gu, (char) => {
    if (char === "'" || char === '"') {
      return char === mark ? `\\${char}` : char;
    }
    const short = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
    return short ?? escapeOf(char.codePointAt(0)!);
  });
  return mark + escaped + mark;
}

function escapeOf(code: number): string {
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  if (code <= 0xffff) return `\\u${hex.padStart(4, "0")}`;
  return `\\U${hex.padStart(8, "0")}`;
}

function signOf(value: number, flags: string): string {
  if (value < 0) return "-";
  if (flags.includes("+")) return "+";
  return flags.includes(" ") ? " " : "";
}

/**
 * A number with `digits` after the point. Halfway between two numbers Python
 * takes the even one, where `toFixed()` rounds up.
 */
function fixed(value: number, digits: number): string {
  const exact = value.toFixed(EXACT_DIGITS);
  const end = exact.length - EXACT_DIGITS + digits;
  const kept = exact.slice(0, end).replace(/\.$/, "");
  const isHalf = /^50*$/.test(exact.slice(end));
  return isHalf && /[02468]$/.test(kept) ? kept : value.toFixed(digits);
}

/** Fields that are added to a record. */
type LogContext = Readonly<Record<string, unknown>>;

/**
 * Makes a formatter that writes a record as one JSON object on one line.
 *
 * @param context Gives more fields, when a record is written. They do not
 * replace the record's own.
 * @returns The formatter, which throws for no value of a field.
 */
export function jsonFormatter(context: () => LogContext): RecordFormatter {
  return (record) => {
    const own = fieldsOf(record);
    try {
      // Twice: the first gives the record's fields their place, the second
      // their values.
      return stringify({ ...own, ...context(), ...own });
    } catch (error) {
      return stringify({ ...own, contextError: reasonOf(error) });
    }
  };
}

function fieldsOf(record: LogRecord): Record<string, unknown> {
  const [error, ...others] = errorsOf(record).map(errorJson);
  return {
    time: record.datetime.toISOString(),
    level: levelName(record),
    logger: record.loggerName,
    message: record.msg,
    ...(error === undefined ? {} : { error }),
    ...(others.length === 0 ? {} : { otherErrors: others }),
  };
}

/** Writes JSON on one line, with text in place of what JSON cannot hold. */
function stringify(fields: Record<string, unknown>): string {
  const ancestors: unknown[] = [];
  const json = JSON.stringify(
    fields,
    function (this: unknown, _key, value: unknown) {
      if (typeof value === "bigint") return String(value);
      if (typeof value !== "object" || value === null) return value;
      while (ancestors.length > 0 && ancestors.at(-1) !== this) ancestors.pop();
      if (ancestors.includes(value)) return "[circular]";
      const plain = isError(value) ? errorJson(encodeError(value)) : value;
      ancestors.push(plain);
      return plain;
    },
  );
  return escapeControls(json);
}
