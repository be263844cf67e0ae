/**
 * Errors as they are logged: with their stacks and causes.
 *
 * @module
 */

import { inspect, types } from "node:util";
import { Brand } from "../brand.ts";

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

/** The brands that errors keep across processes. */
const BRANDS = [
  "NonExistentQueueError",
  "ConfigError",
  "TransientError",
  "JobAbortedError",
  "SendError",
].map((name) => ({ name, brand: new Brand(name) }));

/** What errors of those brands have beside a message. */
const DATA = ["delaySeconds", "reason", "problems", "queue", "code"] as const;

/** How deep causes go: an error may be made to have no end. */
const MAX_DEPTH = 20;

/** What was thrown, as plain data. */
export type WireError =
  /** An error. */
  | {
    readonly name: string;
    readonly message: string;
    readonly stack: string;
    readonly brands?: readonly string[];
    readonly data?: Readonly<Record<string, unknown>>;
    readonly cause?: WireError;
    readonly errors?: readonly WireError[];
  }
  /** What is the same as JSON. */
  | { readonly value: string | number | boolean | null }
  /** What is not, as it is shown. */
  | { readonly text: string };

/**
 * Turns what was thrown into plain data.
 *
 * @param thrown An error, or anything else.
 * @returns The data; it never throws.
 */
export function encodeError(thrown: unknown): WireError {
  try {
    return encode(thrown, [], 0);
  } catch (trap) {
    // A proxy, for example, or a getter that throws.
    return { text: `a value that cannot be looked at: ${typeof trap}` };
  }
}

/**
 * Turns plain data back into what was thrown. What is in it is taken from a
 * process that is not trusted: whatever it holds, an error or value comes out.
 *
 * @param wire What {@linkcode encodeError} made.
 * @returns An error, or what stands for the value that was thrown.
 */
export function decodeError(wire: unknown): unknown {
  return decode(wire, 0);
}

function decode(wire: unknown, depth: number): unknown {
  const fields = Object(wire) as Record<string, unknown>;
  if ("value" in fields) return fields.value;
  if (typeof fields.message !== "string" || depth > MAX_DEPTH + 1) {
    return new Shown(String(fields.text));
  }
  const error = new Error(
    fields.message,
    "cause" in fields ? { cause: decode(fields.cause, depth + 1) } : undefined,
  );
  const set = (name: string, value: unknown) =>
    Object.defineProperty(error, name, {
      value,
      writable: true,
      configurable: true,
    });
  set("name", String(fields.name));
  set("stack", String(fields.stack));
  const data = Object(fields.data) as Record<string, unknown>;
  for (const name of DATA) {
    if (isData(data[name])) set(name, data[name]);
  }
  const brands: unknown[] = Array.isArray(fields.brands) ? fields.brands : [];
  for (const { name, brand } of BRANDS) {
    if (brands.includes(name)) brand.mark(error);
  }
  if (Array.isArray(fields.errors)) {
    const errors = fields.errors.map((each) => decode(each, depth + 1));
    if (fields.name === "SuppressedError") {
      set("error", errors[0]);
      set("suppressed", errors[1]);
    } else set("errors", errors);
  }
  return error;
}

/** Stands for a value that is no error and not the same as JSON. */
class Shown {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }

  [inspect.custom](): string {
    return this.#text;
  }
}

function encode(
  thrown: unknown,
  above: readonly unknown[],
  depth: number,
): WireError {
  if (!isError(thrown)) return encodeValue(thrown);
  if (above.includes(thrown) || depth > MAX_DEPTH) {
    return { text: `${thrown.name}: ${thrown.message} (see above)` };
  }
  const inner = (error: unknown) =>
    encode(error, [...above, thrown], depth + 1);
  const { errors, error, suppressed } = thrown as Error & {
    errors?: unknown;
    error?: unknown;
    suppressed?: unknown;
  };
  const name = String(thrown.name);
  const list = name === "SuppressedError"
    ? [error, suppressed]
    : Array.isArray(errors)
    ? errors
    : [];
  const brands = BRANDS.filter(({ brand }) => brand.has(thrown))
    .map((each) => each.name);
  const data: Record<string, unknown> = {};
  for (const key of DATA) {
    const value = (thrown as unknown as Record<string, unknown>)[key];
    if (isData(value)) data[key] = value;
  }
  return {
    name,
    message: String(thrown.message),
    stack: String(thrown.stack),
    ...(brands.length === 0 ? {} : { brands }),
    ...(Object.keys(data).length === 0 ? {} : { data }),
    ...(thrown.cause === undefined ? {} : { cause: inner(thrown.cause) }),
    ...(list.length === 0 ? {} : { errors: list.map(inner) }),
  };
}

function encodeValue(value: unknown): WireError {
  switch (typeof value) {
    case "string":
    case "boolean":
      return { value };
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? { value }
        : { text: valueText(value) };
    default:
      return value === null ? { value } : { text: valueText(value) };
  }
}

function isData(value: unknown): boolean {
  return typeof value === "string" || Number.isFinite(value) ||
    (Array.isArray(value) && value.every((each) => typeof each === "string"));
}
