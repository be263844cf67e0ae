/**
 * The values of keys in the `loggers` option, as ZConfig reads them.
 *
 * @module
 */

import { LogLevels } from "@std/log/levels";

const LEVELS: ReadonlyMap<string, number> = new Map(Object.entries({
  ...LogLevels,
  FATAL: 50,
  WARNING: 30,
  BLATHER: 15,
  TRACE: 5,
  ALL: 1,
}));

/** By powers of 1024. */
const SIZE_UNITS = ["", "kb", "mb", "gb"];

/** Each is renamed whenever the file is full. */
const MAX_OLD_FILES = 10_000;

/** How a key's value is read. */
export interface ValueType<T> {
  /** What it must be, for example `true or false`. */
  readonly wanted: string;
  /**
   * Gives `undefined` for a value that it cannot be. Problems with a part of the
   * value are added to the list.
   */
  readonly parse: (text: string, problems: string[]) => T | undefined;
}

/** Any text. */
export const TEXT: ValueType<string> = {
  wanted: "text",
  parse: (text) => text,
};

/** A level by name or number. */
export const LEVEL: ValueType<number> = {
  wanted:
    "an integer from 0 to 50, or a name such as error, warn, info or debug",
  parse: (text) => LEVELS.get(text.toUpperCase()) ?? integerUpTo(50, text),
};

/** A boolean. */
export const BOOLEAN: ValueType<boolean> = {
  wanted: "true or false",
  parse(text) {
    if (/^(?:yes|true|on)$/i.test(text)) return true;
    return /^(?:no|false|off)$/i.test(text) ? false : undefined;
  },
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
    const [, digits = "", unit = ""] = /^(.*?)\s*([kmg]b)?$/i.exec(text) ?? [];
    const count = integerUpTo(Number.MAX_SAFE_INTEGER, digits) ?? NaN;
    const size = count * 1024 ** SIZE_UNITS.indexOf(unit.toLowerCase());
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
