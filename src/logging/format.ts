/**
 * Log formats as Python's `logging` has them: `%(levelname)-8s %(message)s`.
 *
 * @module
 */

import type { LogRecord } from "@std/log/logger";
import { suggest } from "../text.ts";
import process from "node:process";
import { escapeControls, printableLines } from "../text.ts";
import {
  encodeError,
  type ErrorData,
  errorJson,
  errorText,
  isError,
  reasonOf,
} from "./error_data.ts";
import { compileDateFormat, type DateFormat } from "./strftime.ts";

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
  const { all, name, conversion } = readConversion(part);
  const field = name === undefined ? undefined : FIELDS.get(name);
  if (field === undefined) {
    problems.push(fieldProblem(all, name));
    return () => "";
  }
  const problem = conversionProblem(conversion, field.kind);
  if (problem !== undefined) problems.push(`"${all}" ${problem}`);
  return (source) =>
    printableLines(convert(field.get(source), field.kind, conversion));
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
    : `the field "${name}" is not known: ${suggest(name, names, "fields")}`;
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

/** What a value is to Python, which decides how it can be written. */
export type Kind = "text" | "integer" | "float";

/** How a value is to be written: what `%08.3f` says, for example. */
export interface Conversion {
  /** Any of `-`, `0`, `+`, space and `#`. */
  readonly flags: string;
  /** The least number of characters. */
  readonly width: number;
  /** The number after the point, at most {@linkcode MAX_PRECISION}. */
  readonly precision: number | undefined;
  /** The letter, one of {@linkcode CONVERSIONS}. */
  readonly type: string;
}

/** The letters of conversions. */
export const CONVERSIONS = "sracdiuoxXeEfFgG";

/** The greatest precision: more digits than any number has. */
export const MAX_PRECISION = 50;

/** Digits that hold the exact value of any number that is not tiny. */
const EXACT_DIGITS = 100;

/**
 * Tells what a conversion needs that a value is not.
 *
 * @param type The conversion's letter.
 * @param kind What the value is.
 * @returns What it needs, or `undefined` if it can write the value.
 */
export function neededKind(type: string, kind: Kind): string | undefined {
  if ("sra".includes(type) || kind === "integer") return undefined;
  if ("coxX".includes(type)) return "an integer";
  return kind === "float" ? undefined : "a number";
}

/**
 * Writes a value.
 *
 * @param value The value: a number unless its kind is `"text"`.
 * @param kind What it is.
 * @param conversion How to write it, fit for its kind.
 * @returns The text.
 */
export function convert(
  value: string | number,
  kind: Kind,
  conversion: Conversion,
): string {
  if (typeof value === "string" || "srac".includes(conversion.type)) {
    return pad("", textOf(value, kind, conversion), conversion, false);
  }
  const number = "diuoxX".includes(conversion.type) ? Math.trunc(value) : value;
  const prefix = signOf(number, conversion) + basePrefix(conversion);
  const digits = digitsOf(Math.abs(number), conversion);
  return pad(prefix, digits, conversion, conversion.flags.includes("0"));
}

function pad(
  prefix: string,
  text: string,
  { flags, width }: Conversion,
  withZeros: boolean,
): string {
  const missing = Math.max(0, width - [...prefix + text].length);
  if (flags.includes("-")) return prefix + text + " ".repeat(missing);
  if (withZeros) return prefix + "0".repeat(missing) + text;
  return " ".repeat(missing) + prefix + text;
}

function textOf(
  value: string | number,
  kind: Kind,
  { type, precision }: Conversion,
): string {
  if (type === "c") return characterOf(Number(value));
  const text = typeof value === "string"
    ? type === "s" ? value : repr(value, type === "a")
    : kind === "float" && Number.isInteger(value)
    ? value.toFixed(1)
    : String(value);
  return precision === undefined
    ? text
    : [...text].slice(0, precision).join("");
}

function characterOf(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
}

/** A string as Python's `repr()`, or `ascii()`, writes it. */
function repr(text: string, isAscii: boolean): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const special = isAscii ? /[^ -~]|[\\'"]/gu : /[^ \P{Z}]|[\p{C}\\'"]/gu;
  const escaped = text.replace(special, (char) => {
    if (char === "'" || char === '"') {
      return char === quote ? `\\${char}` : char;
    }
    const short = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
    return short ?? escapeOf(char.codePointAt(0) ?? 0);
  });
  return quote + escaped + quote;
}

function escapeOf(code: number): string {
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  if (code <= 0xffff) return `\\u${hex.padStart(4, "0")}`;
  return `\\U${hex.padStart(8, "0")}`;
}

function signOf(value: number, { flags }: Conversion): string {
  if (value < 0) return "-";
  if (flags.includes("+")) return "+";
  return flags.includes(" ") ? " " : "";
}

function basePrefix({ flags, type }: Conversion): string {
  return flags.includes("#") && "oxX".includes(type) ? `0${type}` : "";
}

function digitsOf(value: number, conversion: Conversion): string {
  const { type, precision } = conversion;
  const lower = type.toLowerCase();
  const digits = "diuox".includes(lower)
    ? integerDigits(value, lower).padStart(precision ?? 0, "0")
    : realDigits(value, lower, conversion);
  return type === lower ? digits : digits.toUpperCase();
}

function integerDigits(value: number, type: string): string {
  return value.toString(type === "x" ? 16 : type === "o" ? 8 : 10);
}

function realDigits(
  value: number,
  type: string,
  { flags, precision = 6 }: Conversion,
): string {
  const keepPoint = flags.includes("#");
  if (type === "g") return generalDigits(value, precision || 1, keepPoint);
  const digits = type === "f"
    ? fixed(value, precision)
    : exponential(value, precision);
  return keepPoint && precision === 0
    ? digits.replace(/^\d+/, (whole) => `${whole}.`)
    : digits;
}

function generalDigits(
  value: number,
  precision: number,
  keepZeros: boolean,
): string {
  const scientific = exponential(value, precision - 1);
  const exponent = Number(scientific.split("e")[1]);
  const text = exponent >= -4 && exponent < precision
    ? fixed(value, precision - 1 - exponent)
    : scientific;
  if (!keepZeros) return text.replace(/\.0+(?=e|$)|(\.\d*?)0+(?=e|$)/, "$1");
  return text.includes(".")
    ? text
    : text.replace(/^\d+/, (whole) => `${whole}.`);
}

function fixed(value: number, digits: number): string {
  return roundHalfEven(value.toFixed(EXACT_DIGITS), digits) ??
    value.toFixed(digits);
}

function exponential(value: number, digits: number): string {
  const [mantissa = "", exponent = ""] = value.toExponential(EXACT_DIGITS)
    .split("e");
  const half = roundHalfEven(mantissa, digits);
  const text = half === undefined
    ? value.toExponential(digits)
    : `${half}e${exponent}`;
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

/**
 * The even neighbour below of a number halfway between two, which JavaScript's
 * own conversions round up; `undefined` for all other numbers.
 */
function roundHalfEven(exact: string, digits: number): string | undefined {
  const end = exact.length - EXACT_DIGITS + digits;
  const kept = exact.slice(0, end).replace(/\.$/, "");
  const isHalf = /^50*$/.test(exact.slice(end));
  return isHalf && /[02468]$/.test(kept) ? kept : undefined;
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
