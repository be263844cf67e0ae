/**
 * Log formats as Python's `logging` has them: `%(levelname)-8s %(message)s`.
 *
 * @module
 */

import type { LogRecord } from "@std/log/logger";
import process from "node:process";
import { inspect } from "node:util";
import { escapeControls, printableLines, quote, suggest } from "../text.ts";
import {
  encodeError,
  type ErrorData,
  errorJson,
  errorText,
  reasonOf,
} from "./error_data.ts";
import { compileDateFormat, type DateFormatter } from "./strftime.ts";
import { isError } from "./value_text.ts";

/** Writes a record as text. */
export type RecordFormatter = (record: LogRecord) => string;

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

const LOADED = Date.now();

type Field = readonly [
  kind: Kind,
  get: (record: LogRecord, asctime: DateFormatter) => string | number,
];

/** Writes a record, whose time a date format writes, or a part of it. */
type Writer = (record: LogRecord, asctime: DateFormatter) => string;

const FIELDS: ReadonlyMap<string, Field> = new Map<string, Field>([
  ["asctime", ["text", ({ datetime }, asctime) => asctime(datetime)]],
  ["created", ["float", ({ datetime }) => datetime.getTime() / 1000]],
  ["levelname", ["text", levelName]],
  ["levelno", ["integer", ({ level }) => level]],
  ["message", ["text", ({ msg }) => msg]],
  ["msecs", ["float", ({ datetime }) => datetime.getMilliseconds()]],
  ["name", ["text", ({ loggerName }) => loggerName]],
  ["process", ["integer", () => process.pid]],
  ["processName", ["text", () => "MainProcess"]],
  ["relativeCreated", [
    "float",
    ({ datetime }) => datetime.getTime() - LOADED,
  ]],
  ["threadName", ["text", () => "MainThread"]],
]);

/** Fields that Python has and that would mean nothing here. */
const UNSUPPORTED =
  /^(?:filename|funcName|lineno|module|pathname|taskName|thread)$/;

const CONVERSION =
  /%(?:\(([^()]*)\))?([#0 +-]*)(\*|\d+)?(?:(\.)(\*|\d+)?)?[hlL]?(.)?/gsu;

const CONVERSIONS = "sdfrx";
const MAX_WIDTH = 1000;

/** More digits than any number has. */
const MAX_PRECISION = 50;

/** Digits that hold the exact value of any number that is not tiny. */
const EXACT_DIGITS = 100;

/**
 * Compiles a format in Python's `%` style.
 *
 * Only the format's own text begins a line. Further lines of a field's value are
 * indented, and so are the errors below.
 *
 * @param text The format, such as `%(levelname)s %(message)s`; empty, the
 * message alone.
 * @param problems Gets its problems: clauses, such as `"%d" names no
 * field`.
 * @returns Writes a record, with the errors that were logged with it below.
 */
export function compileFormat(text: string, problems: string[]): Writer {
  const format = text || "%(message)s";
  const writers: Writer[] = [];
  let end = 0;
  let hasField = false;
  for (const match of format.matchAll(CONVERSION)) {
    const between = format.slice(end, match.index);
    const isPercent = match[0] === "%%";
    writers.push(
      () => between,
      isPercent ? () => "%" : compileField(match, problems),
    );
    hasField ||= !isPercent;
    end = match.index + match[0].length;
  }
  if (!hasField) problems.push("it has no field, such as %(message)s");
  const rest = format.slice(end);
  return (record, asctime) => {
    const text = writers.map((write) => write(record, asctime)).join("") + rest;
    return errorsOf(record).reduce((text, error) => {
      const newline = text.endsWith("\n") ? "" : "\n";
      return `${text}${newline}  ${printableLines(errorText(error))}`;
    }, text);
  };
}

/**
 * Compiles the format of the field `asctime`.
 *
 * @param text The format, for `strftime`; empty, Python's own format with
 * milliseconds.
 * @param problems Gets its problems.
 * @returns The format.
 */
export function compileAsctime(
  text: string,
  problems: string[],
): DateFormatter {
  if (text !== "") return compileDateFormat(text, problems);
  const format = compileDateFormat("%Y-%m-%d %H:%M:%S", problems);
  return (date) =>
    `${format(date)},${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Python's name of a record's level. */
function levelName({ levelName }: LogRecord): string {
  return levelName === "WARN" ? "WARNING" : levelName;
}

/** The errors that a record was logged with. */
function errorsOf(record: LogRecord): readonly ErrorData[] {
  return record.args as readonly ErrorData[];
}

function compileField(
  [all, name, flags = "", width = "0", point, digits = "0", type = ""]:
    RegExpExecArray,
  problems: string[],
): Writer {
  const field = FIELDS.get(name ?? "");
  if (field === undefined) {
    problems.push(fieldProblem(all, name));
    return () => "";
  }
  const [kind, get] = field;
  const precision = point === undefined ? undefined : Number(digits);
  const conversion = { flags, width: Number(width), precision, type };
  const problem = conversionProblem(conversion, kind);
  if (problem !== undefined) problems.push(`${quote(all)} ${problem}`);
  return (record, asctime) =>
    printableLines(convert(get(record, asctime), kind, conversion));
}

function fieldProblem(all: string, name: string | undefined): string {
  if (name === undefined) {
    return `${
      quote(all)
    } names no field: write %(message)s for a field, and %% for a percent sign`;
  }
  return UNSUPPORTED.test(name)
    ? `"${name}" is not a supported field: remove it`
    : `${quote(name)} is not a known field: ${
      suggest(name, [...FIELDS.keys()], "fields")
    }`;
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
  return `needs a width of at most ${MAX_WIDTH} and a precision of at most ${MAX_PRECISION}`;
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
  if (typeof value === "string") {
    return type === "r" ? inspect(value, { maxStringLength: Infinity }) : value;
  }
  return kind === "float" && Number.isInteger(value)
    ? value.toFixed(1)
    : String(value);
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

/**
 * Makes a formatter that writes a record as one JSON object on one line.
 *
 * @param context Gives more fields, when a record is written. They do not
 * replace the record's own.
 * @returns The formatter, which throws for no value of a field.
 */
export function jsonFormatter(
  context: () => Readonly<Record<string, unknown>>,
): RecordFormatter {
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
