/**
 * Errors as they are logged: with their stacks and causes.
 *
 * @module
 */

import { inspect, types } from "node:util";

/** An error, as JSON has it. */
export interface ErrorFields {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** What caused it: an error, or what was thrown in place of one. */
  readonly cause?: ErrorFields | string;
  /** The errors that an `AggregateError` or `SuppressedError` stands for. */
  readonly errors?: readonly (ErrorFields | string)[];
}

/**
 * Tells whether a value is an error, from another realm too.
 *
 * @param value The value.
 * @returns Whether it is an error.
 */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/**
 * Writes any value on as few lines as it needs: text as it is.
 *
 * @param value The value.
 * @returns The text.
 */
export function valueText(value: unknown): string {
  if (typeof value === "string") return value;
  return inspect(value, { breakLength: Infinity });
}

/**
 * Writes an error with its stack, then its causes and, indented, the errors it
 * stands for, each with theirs. What was written before is not written again.
 *
 * @param error The error, or what was thrown in place of one.
 * @returns One or more lines.
 */
export function errorText(error: unknown): string {
  return linesOf(error, new Set()).join("\n");
}

/**
 * Turns an error into plain data.
 *
 * @param error The error.
 * @returns Its name, message and stack, and its causes.
 */
export function errorFields(error: Error): ErrorFields {
  return fieldsOf(error, new Set());
}

/**
 * The reason an error gives, on one line.
 *
 * @param error What was thrown.
 * @returns The reason.
 */
export function reasonOf(error: unknown): string {
  const text = isError(error) ? error.message : valueText(error);
  return text.replaceAll(/\s*\n\s*/g, " ");
}

function linesOf(error: unknown, seen: Set<unknown>): string[] {
  if (!isError(error)) return [valueText(error)];
  if (seen.has(error)) return [`${heading(error)} (see above)`];
  seen.add(error);
  const lines = [stackOf(error)];
  for (const [index, inner] of innerErrors(error).entries()) {
    const text = linesOf(inner, seen).join("\n");
    lines.push(`  Error ${index + 1}: ${text.replaceAll("\n", "\n  ")}`);
  }
  if (error.cause === undefined) return lines;
  const [first, ...rest] = linesOf(error.cause, seen);
  return [...lines, `Caused by: ${first}`, ...rest];
}

function fieldsOf(error: Error, seen: Set<unknown>): ErrorFields {
  seen.add(error);
  const fields = (inner: unknown) => {
    if (!isError(inner)) return valueText(inner);
    return seen.has(inner) ? heading(inner) : fieldsOf(inner, seen);
  };
  const errors = innerErrors(error);
  return {
    name: String(error.name),
    message: String(error.message),
    stack: stackOf(error),
    ...(error.cause === undefined ? {} : { cause: fields(error.cause) }),
    ...(errors.length === 0 ? {} : { errors: errors.map(fields) }),
  };
}

function innerErrors(error: Error): readonly unknown[] {
  const { name, errors, error: thrown, suppressed } = error as
    & Error
    & { errors?: unknown; error?: unknown; suppressed?: unknown };
  if (name === "SuppressedError") return [thrown, suppressed];
  return Array.isArray(errors) ? errors : [];
}

function heading(error: Error): string {
  return error.message ? `${error.name}: ${error.message}` : String(error.name);
}

/**
 * The stack. V8 writes the name an error has while it is constructed, which
 * for most subclasses is `Error`: it is put right here.
 */
function stackOf(error: Error): string {
  const head = heading(error);
  const stack = typeof error.stack === "string" ? error.stack : "";
  if (stack.startsWith(head)) return stack;
  const message = String(error.message);
  const start = Math.max(0, stack.indexOf(message)) + message.length;
  const frames = stack.indexOf("\n    at ", start);
  if (frames !== -1) return head + stack.slice(frames);
  return stack === "" || stack.endsWith(message) ? head : stack;
}
