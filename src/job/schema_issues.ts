/**
 * The issues that a schema finds, as lines of text. A schema quotes its input,
 * which anybody may have sent, so all of it is bounded.
 *
 * @module
 */

import { UNREADABLE } from "../logging/value_text.ts";
import { memberPath } from "../message/strict_json.ts";
import { printable, show } from "../text.ts";

/** The most issues that are listed. */
const MAX_ISSUES = 20;

/** The most steps of a path that are shown. */
const MAX_STEPS = 20;

/** The most characters of a path, and of a message. */
const MAX_LENGTH = 300;

const UNEXPLAINED = "the schema gives no reason";

/**
 * Lists a schema's issues.
 *
 * @param issues What the schema gave as its issues, whatever it is.
 * @param root The name of the checked value, for example `args`.
 * @returns One line for each issue: its path and its message.
 */
export function issueLines(issues: unknown, root: string): string[] {
  try {
    if (!Array.isArray(issues) || issues.length === 0) {
      return [`${root}: ${UNEXPLAINED}`];
    }
    const { length } = issues;
    const lines: string[] = [];
    for (let i = 0; i < Math.min(length, MAX_ISSUES); i++) {
      lines.push(issueLine(issues, i, root));
    }
    return length > MAX_ISSUES
      ? [...lines, `and ${length - MAX_ISSUES} more`]
      : lines;
  } catch {
    return [`${root}: ${UNREADABLE}`]; // A proxy that throws.
  }
}

function issueLine(
  issues: readonly unknown[],
  index: number,
  root: string,
): string {
  try {
    const { path, message } = Object(issues[index]);
    const text = typeof message === "string" && message !== ""
      ? message
      : UNEXPLAINED;
    return `${oneLine(pathText(path, root))}: ${oneLine(text)}`;
  } catch {
    return `${root}: ${UNREADABLE}`; // A getter that throws.
  }
}

function pathText(path: unknown, root: string): string {
  if (!Array.isArray(path)) return root;
  let text = root;
  for (let i = 0; i < Math.min(path.length, MAX_STEPS); i++) {
    text = stepText(text, path[i]);
  }
  return path.length > MAX_STEPS ? `${text}...` : text;
}

/** A step is a key, or an object that holds one. A map's key may be anything. */
function stepText(path: string, step: unknown): string {
  const key: unknown = typeof step === "object" && step !== null
    ? (step as { readonly key?: unknown }).key
    : step;
  return typeof key === "string" || typeof key === "symbol"
    ? memberPath(path, typeof key === "string" ? shortened(key) : key)
    : `${path}[${show(key)}]`;
}

/** Text of any length and form on one line. */
function oneLine(text: string): string {
  return printable(shortened(text).replaceAll(/\s*\n\s*/g, " "));
}

function shortened(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}...` : text;
}
