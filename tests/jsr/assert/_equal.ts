/**
 * Deep equality and its failure text for the `@std/assert` stand-in.
 *
 * @module
 */

import { inspect } from "node:util";

const CONTEXT_LINES = 3;
const NO_MATCH: unique symbol = Symbol();

/** Tells whether two values are deeply equal. */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

/** Shows a value over several lines. */
export function show(value: unknown): string {
  // Node and Bun have no such object.
  if (typeof Deno === "undefined") return inspect(value, { depth: null });
  return Deno.inspect(value, {
    compact: false,
    depth: Infinity,
    iterableLimit: Infinity,
    sorted: true,
    strAbbreviateSize: Infinity,
    trailingComma: true,
  });
}

/** Shows the lines in which two values differ, with a few equal ones around. */
export function difference(actual: unknown, expected: unknown): string {
  const left = show(actual).split("\n");
  const right = show(expected).split("\n");
  const shorter = Math.min(left.length, right.length);
  let start = 0;
  while (start < shorter && left[start] === right[start]) start++;
  let end = 0;
  while (
    end < shorter - start && left.at(-1 - end) === right.at(-1 - end)
  ) end++;
  const mark = (lines: string[], sign: string): string[] =>
    lines.map((line) => `${sign}   ${line}`);
  return [
    "",
    "    [Diff] Actual (-) / Expected (+)",
    "",
    ...mark(left.slice(Math.max(0, start - CONTEXT_LINES), start), " "),
    ...mark(left.slice(start, left.length - end), "-"),
    ...mark(right.slice(start, right.length - end), "+"),
    ...mark(left.slice(left.length - end).slice(0, CONTEXT_LINES), " "),
    "",
  ].join("\n");
}

function compare(a: unknown, b: unknown, seen: Map<object, object>): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (a instanceof Date && b instanceof Date) {
    return Object.is(a.getTime(), b.getTime());
  }
  if (prototypeOf(a) !== prototypeOf(b)) return false;
  if (a instanceof ArrayBuffer) {
    return compare(new Uint8Array(a), new Uint8Array(b as ArrayBuffer), seen);
  }
  if (a instanceof RegExp || a instanceof URL || a instanceof URLSearchParams) {
    return String(a) === String(b);
  }
  // An object met again inside itself: equal as far as it was compared.
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  const same = compareContents(a, b, seen);
  if (!same) seen.delete(a);
  return same;
}

function compareContents(
  a: object,
  b: object,
  seen: Map<object, object>,
): boolean {
  if (a instanceof Uint8Array) {
    return a.length === (b as Uint8Array).length &&
      a.every((byte, index) => byte === (b as Uint8Array)[index]);
  }
  if (a instanceof Set || a instanceof Map) {
    return compareEntries(a, b as typeof a, seen);
  }
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  const keys = new Set([...keysOf(a), ...keysOf(b)]);
  for (const key of keys) {
    if ((key in a) !== (key in b)) return false;
    if (!compare(Reflect.get(a, key), Reflect.get(b, key), seen)) return false;
  }
  return true;
}

function compareEntries(
  a: Set<unknown> | Map<unknown, unknown>,
  b: Set<unknown> | Map<unknown, unknown>,
  seen: Map<object, object>,
): boolean {
  if (a.size !== b.size) return false;
  const unmatched = new Map<unknown, unknown>(b.entries());
  for (const [key, value] of a.entries()) {
    let match: unknown = unmatched.has(key) ? key : NO_MATCH;
    if (isObject(key) && match === NO_MATCH) {
      for (const [other, otherValue] of unmatched) {
        if (
          compare(key, other, seen) && compare(value, otherValue, seen)
        ) match = other;
      }
    }
    if (match === NO_MATCH) return false;
    if (!compare(value, unmatched.get(match), seen)) return false;
    unmatched.delete(match);
  }
  return true;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function prototypeOf(value: object): unknown {
  return Object.getPrototypeOf(value) ?? Object.prototype;
}

// Instances of classes are compared by their getters too, plain objects and
// arrays by what can be enumerated.
function keysOf(value: object): PropertyKey[] {
  const keys: PropertyKey[] = [];
  const plain = [Object.prototype, Array.prototype];
  if (plain.includes(prototypeOf(value) as typeof plain[number])) {
    return Reflect.ownKeys({ ...value });
  }
  let level: object | null = value;
  while (level !== null && level !== Object.prototype) {
    keys.push(...Reflect.ownKeys(level));
    level = Object.getPrototypeOf(level);
  }
  return keys;
}
