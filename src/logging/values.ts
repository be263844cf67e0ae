/**
 * The values of keys in the `loggers` option, as ZConfig reads them.
 *
 * @module
 */

const LEVELS: Readonly<Record<string, number>> = {
  critical: 50,
  fatal: 50,
  error: 40,
  warn: 30,
  warning: 30,
  info: 20,
  blather: 15,
  debug: 10,
  trace: 5,
  all: 1,
  notset: 0,
};

const BOOLEANS: Readonly<Record<string, boolean>> = {
  yes: true,
  true: true,
  on: true,
  no: false,
  false: false,
  off: false,
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
};

/** Each is renamed whenever the file is full. */
const MAX_OLD_FILES = 10_000;

/** How a key's value is read. */
export interface ValueType<T> {
  /** What it must be, for example `true or false`. */
  readonly wanted: string;
  /** Gives `undefined` for a value that it cannot be. */
  readonly parse: (text: string) => T | undefined;
}

/** A level by name or number. */
export const LEVEL: ValueType<number> = {
  wanted:
    "an integer from 0 to 50 or a name, such as error, warn, info or debug",
  parse: (text) => member(LEVELS, text.toLowerCase()) ?? integerUpTo(50, text),
};

/** A boolean. */
export const BOOLEAN: ValueType<boolean> = {
  wanted: "true or false",
  parse: (text) => member(BOOLEANS, text.toLowerCase()),
};

/** A logger's name. */
export const NAME: ValueType<string> = {
  wanted: "a dotted name, such as zsqs.messages",
  parse: (text) =>
    /^[^\s.]+(\.[^\s.]+)*$/.test(text) ? canonicalName(text) : undefined,
};

/** How many old files. */
export const COUNT: ValueType<number> = {
  wanted: `an integer from 0 to ${MAX_OLD_FILES}`,
  parse: (text) => integerUpTo(MAX_OLD_FILES, text),
};

/** A size in bytes, as ZConfig's `byte-size`. */
export const SIZE: ValueType<number> = {
  wanted: "a number of bytes, or of KB, MB or GB, such as 10MB",
  parse(text) {
    const [, digits = "", unit = ""] = /^(.*?)([kmg]b)?$/i.exec(text) ?? [];
    const count = integerUpTo(Number.MAX_SAFE_INTEGER, digits.trim());
    const size = (count ?? NaN) * SIZE_UNITS[unit.toLowerCase()]!;
    return Number.isSafeInteger(size) ? size : undefined;
  },
};

/**
 * A logger's canonical name: zc.sqs's `zc.sqs` is `zsqs`, and the root, which
 * Python calls `root` too, has the empty name.
 */
export function canonicalName(name: string): string {
  return name === "root" ? "" : name.replace(/^zc\.sqs(?=\.|$)/, "zsqs");
}

/** An integer as Python's `int()` takes it, from 0. */
function integerUpTo(most: number, text: string): number | undefined {
  if (!/^[+-]?\d+(_\d+)*$/.test(text)) return undefined;
  const integer = Number(text.replaceAll("_", ""));
  return integer >= 0 && integer <= most ? integer : undefined;
}

function member<T>(
  members: Readonly<Record<string, T>>,
  name: string,
): T | undefined {
  return Object.hasOwn(members, name) ? members[name] : undefined;
}
