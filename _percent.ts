/**
 * Values as Python's `%` operator writes them.
 *
 * @module
 */

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
