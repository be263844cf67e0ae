/**
 * Text for messages: quoted, on one line, with control characters escaped.
 *
 * @module
 */

import { closestString } from "@std/text/closest-string";

/**
 * Writes text of a file on one line, for messages, with control characters
 * escaped.
 *
 * @param text The text.
 * @returns The text as it is fit to print.
 */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, (char) => {
    const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[char];
    return short ?? "\\u" + hex(char);
  });
}

/**
 * Writes text of a file on one line in double quotes, for messages.
 *
 * @param text The text to quote.
 * @returns The quoted text.
 */
export function quote(text: string): string {
  return `"${printable(text)}"`;
}

/** A value as messages show it. */
export function show(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (typeof value === "object" && value !== null) return "an object";
  return typeof value === "function" ? "a function" : String(value);
}

/** The nearest of the names that are known, and all of them. */
export function nearest(
  name: string,
  known: readonly string[],
  format: (name: string) => string,
  kind: string,
): string {
  return `the nearest is ${format(closestString(name, known))}, ` +
    `the ${kind} are ${known.map(format).join(", ")}`;
}

function hex(unit: string): string {
  return unit.charCodeAt(0).toString(16).padStart(4, "0");
}
