/**
 * Any value as text, bounded, without ever throwing.
 *
 * @module
 */

import { inspect, types } from "node:util";
import { printable } from "../text.ts";

/** The most characters that a text in a log line has. */
export const MAX_TEXT = 65_536;

/** The most members that the console may be asked to show. */
const MAX_MEMBERS = 5_000;

/** The largest integer that is written out: a larger one takes long. */
const MAX_INTEGER = 2n ** 4096n;

/** Stands for what throws when it is looked at. */
export const UNREADABLE = "[a value that cannot be read]";

const TOO_LARGE = "[a value too large to show]";

/**
 * Whether a value is an error, of another realm too.
 *
 * @param value The value.
 * @returns Whether it is an error; it never throws.
 */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error || types.isNativeError(value);
  } catch {
    return false;
  }
}

/**
 * Writes any value: a string unchanged, all others as the console shows them.
 *
 * @param value The value.
 * @returns At most 64 Ki characters; it never throws.
 */
export function valueText(value: unknown): string {
  try {
    if (typeof value === "string") return cut(value, MAX_TEXT);
    if (membersLeft(value, 2, MAX_MEMBERS) < 0) return TOO_LARGE;
    return cut(inspect(value, { breakLength: Infinity }), MAX_TEXT);
  } catch {
    return UNREADABLE;
  }
}

/** What was thrown, if it is no error: a bare value would explain nothing. */
export function thrownText(value: unknown): string {
  const text = valueText(value);
  return `threw ${typeof value === "string" ? `"${printable(text)}"` : text}`;
}

/** The values of a log line about a thrown value: an error follows below it. */
export function withThrown(
  line: string,
  thrown: unknown,
): [line: string, ...unknown[]] {
  return isError(thrown) ? [line, thrown] : [`${line}: ${thrownText(thrown)}`];
}

/** The first characters of a text, and how many follow. */
export function cut(text: string, length: number): string {
  const more = text.length - length;
  return more <= 0
    ? text
    : `${text.slice(0, length)}... (${more} more characters)`;
}

/** The first elements of an array, whose own `slice()` may hide or make some. */
export function firstElements(
  array: readonly unknown[],
  most: number,
): unknown[] {
  const length = Math.min(array.length, most);
  return Array.from({ length }, (_, i) => array[i]);
}

/**
 * How many of `left` members remain once the console has shown a value. The
 * console shows an object again wherever it is referred to, so a small value
 * can make a long text.
 */
function membersLeft(value: unknown, depth: number, left: number): number {
  if (
    typeof value === "bigint" && (value > MAX_INTEGER || -value > MAX_INTEGER)
  ) {
    return -1;
  }
  if (typeof value !== "object" || value === null || depth < 0) return left - 1;
  // Each of its characters is a member.
  if (types.isStringObject(value)) left -= value.length;
  for (const member of shownMembers(value)) {
    if (left < 0) break;
    left = membersLeft(member, depth - 1, left);
  }
  return left - 1;
}

/** What the console shows of an object; like the console, without getters. */
function shownMembers(value: object): unknown[] {
  if (ArrayBuffer.isView(value) || types.isStringObject(value)) return [];
  if (Array.isArray(value)) return firstElements(value, 100);
  // Of these, Deno's console shows all.
  if (types.isMap(value)) {
    const entries = Map.prototype.entries.call(value);
    return entries.take(MAX_MEMBERS + 1).toArray().flat();
  }
  if (types.isSet(value)) {
    return Set.prototype.values.call(value).take(MAX_MEMBERS + 1).toArray();
  }
  return Object.getOwnPropertyNames(value).slice(0, MAX_MEMBERS + 1)
    .map((name) => Object.getOwnPropertyDescriptor(value, name)?.value);
}
