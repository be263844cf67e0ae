/**
 * Text for messages: quoted values, short lists and nearest names.
 *
 * @module
 */

import { levenshteinDistance } from "@std/text/levenshtein-distance";

/** The most values that a message lists. */
const MAX_LISTED = 5;

/** The most characters of a text that a message shows. */
const MAX_SHOWN = 1_000;

/** The longest text that can be meant as a name. */
const MAX_NAME = 200;

/** The shortest name that is found at the end of a longer one. */
const MIN_END = 5;

/** What ends a line for some reader, drives a terminal or reorders text. */
const UNSAFE = /[^\P{Cc}\t\n]|[\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const PLAIN = /^[\t\n -~]*$/;

/**
 * Escapes what can forge lines or drive a terminal, except for tabs and line
 * feeds. In JSON text the escapes mean the same characters.
 */
export function escapeControls(text: string): string {
  // Most texts are plain, and looked at faster.
  if (PLAIN.test(text)) return text;
  return text.replace(UNSAFE, (char) => {
    const hex = char.charCodeAt(0).toString(16).padStart(4, "0");
    return char === "\r" ? "\\r" : `\\u${hex}`;
  });
}

/** Writes text on one line: control characters and line ends are escaped. */
export function printable(text: string): string {
  return escapeControls(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

/**
 * Writes text on one or more lines. All but the first are indented by two spaces:
 * none of them can pass for the start of another log record.
 */
export function printableLines(text: string): string {
  return escapeControls(text.replaceAll("\r\n", "\n"))
    .replaceAll("\n", "\n  ");
}

/** Writes the start of a text on one line. */
export function shortened(text: string, most = MAX_SHOWN): string {
  return printable(text.length > most ? `${text.slice(0, most)}...` : text);
}

/** Writes text on one line in double quotes: a message needs no more of it. */
export function quote(text: string): string {
  return `"${shortened(text)}"`;
}

/** Stands in text for what a server, a message or a clock did not give. */
const UNKNOWN = "unknown";

/** A number as text, or `unknown`. */
export function numberText(
  value: number | null | undefined,
  format: (value: number) => string = String,
): string {
  return Number.isFinite(value) ? format(value as number) : UNKNOWN;
}

/** A time in ISO 8601, or `undefined` if there is no such time. */
export function isoTime(ms: number | undefined): string | undefined {
  const date = new Date(ms ?? NaN);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** A value as messages show it. */
export function show(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? "an array" : "an object";
  }
  return typeof value === "function" ? "a function" : String(value);
}

/**
 * Adds the current value to what a value must be.
 *
 * @param wanted What it must be. Sentences after the first are hints, and follow
 * the value.
 * @param shown The value as the message shows it.
 */
export function withValue(wanted: string, shown: string): string {
  const [problem, ...hints] = wanted.split(". ");
  return [`${problem}: current value is ${shown}`, ...hints].join(". ");
}

/** Lists texts for a message, at most five of them. */
export function list(texts: readonly string[]): string {
  const rest = texts.length - MAX_LISTED;
  return texts.slice(0, MAX_LISTED).join(", ") +
    (rest > 0 ? ` and ${rest} more` : "");
}

/**
 * Finds the known name that an unknown one was probably meant to be.
 *
 * Spellings of one name are equal: `wait_time`, `wait-time` and
 * `waitTimeSeconds`. The first part of a name is near to it, and so is a longer
 * name with that end, such as `messageGroupId` to `groupId`.
 *
 * @param name The unknown name.
 * @param known The known names.
 * @returns The nearest of the known names, or `undefined` if none is near.
 */
export function nearest(
  name: string,
  known: readonly string[],
): string | undefined {
  if (name.length > MAX_NAME) return undefined;
  const given = fold(name);
  const same = known.find((each) => fold(each) === given) ??
    known.find((each) => given !== "" && fold(each).startsWith(given)) ??
    known.find((each) => each.length >= MIN_END && given.endsWith(fold(each)));
  if (same !== undefined) return same;
  const [closest] = known.map((each) => {
    const wanted = fold(each);
    const edits = levenshteinDistance(given, wanted);
    // Four letters of ten: "prot" is near to "port", "proto" not to "worker".
    const most = 0.4 * Math.max(given.length, wanted.length) + 0.5;
    return { each, edits, isNear: edits <= most };
  }).filter(({ isNear }) => isNear).sort((a, b) => a.edits - b.edits);
  return closest?.each;
}

/**
 * Says which name was probably meant; if none is near, which names there are.
 *
 * @param name The unknown name.
 * @param known The known names, of which there is at least one.
 * @param kind What they name, for example `options`.
 * @param format Writes a name.
 * @returns Text such as `did you mean "queue"?`.
 */
export function suggest(
  name: string,
  known: readonly string[],
  kind: string,
  format: (name: string) => string = quote,
): string {
  const near = nearest(name, known);
  return near === undefined
    ? `the ${kind} are ${list(known.map(format))}`
    : `did you mean ${format(near)}?`;
}

function fold(name: string): string {
  return name
    .replace(/[_-]?(?:milliseconds?|seconds?|secs)$|[_-]ms$/i, "")
    .replace(/(?<=[a-z])Ms$/, "")
    .replace(/[\s_-]/g, "")
    .toLowerCase();
}
