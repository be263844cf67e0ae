/**
 * Any thrown value as plain data, by one bounded walk. Log lines, the reasons of
 * failed messages and the reports of child processes all use it.
 *
 * @module
 */

import { inspect } from "node:util";
import { BRANDS, isMarked, mark } from "../brand.ts";
import { printable } from "../text.ts";
import {
  cut,
  firstElements,
  isError,
  MAX_TEXT,
  thrownText,
  UNREADABLE,
  valueText,
} from "./value_text.ts";

/**
 * A thrown value as plain data. It holds at most 100 errors, 20 causes deep. A
 * text has at most 64 Ki characters, and all have 128 Ki: its JSON stays below
 * 1 MiB.
 */
export type ErrorData =
  /** An error. */
  | {
    readonly name: string;
    readonly message: string;
    /** The stack without its heading: lines that begin with `    at `. */
    readonly frames: string;
    /** The brands of this package that the error has. */
    readonly brands: readonly string[];
    /** Further members, such as `code`. */
    readonly data: Readonly<Record<string, Plain>>;
    readonly cause?: ErrorData;
    /** The errors of an `AggregateError` or a `SuppressedError`. */
    readonly errors: readonly ErrorData[];
  }
  /** A value that JSON holds unchanged. */
  | { readonly value: string | number | boolean | null }
  /** Any other value, as the console shows it. */
  | { readonly text: string };

/** A member of an error that crosses processes. */
type Plain = string | number | boolean | string[];

/** Which frames of stacks are kept. */
type Frames = "all" | "user";

const MAX_ERRORS = 100;
const MAX_DEPTH = 20;
const MAX_CHARACTERS = 2 * MAX_TEXT;

/** The members that errors keep beside name, message and cause. */
const MEMBERS = [
  "code",
  "delaySeconds",
  "index",
  "problems",
  "queue",
  "reason",
  "senderFault",
] as const;

/** Frames of the runtime: `ext:core/01_core.js`, `node:internal/process`. */
const RUNTIME_FRAME = /[ (](?:ext|node):/;

/** Where this package is, without the `file://` that Bun leaves out. */
const PACKAGE = new URL("../../", import.meta.url).href
  .replace(/^file:\/\//, "");

/**
 * Describes a thrown value.
 *
 * @param thrown An error, or anything else.
 * @param options Which frames of stacks to keep: all, or only the user's,
 * without the frames of this package and the runtime. A stack without
 * such frames is dropped: the message explains an error of this package.
 * @returns The data; it never throws.
 */
export function encodeError(
  thrown: unknown,
  { frames = "all" }: { readonly frames?: Frames } = {},
): ErrorData {
  return new Walk(frames).encode(thrown, 0);
}

/**
 * Turns data back into the thrown value. A child process is not trusted:
 * whatever the data holds, an error or a value results.
 *
 * @param data What {@linkcode encodeError} returned, or anything else.
 * @returns An error, or what stands for the value that was thrown.
 */
export function decodeError(data: unknown): unknown {
  return decode(data, 0);
}

/** A thrown value in short. */
interface ErrorText {
  readonly name: string;
  readonly message: string;
  /** The frames of the user's code, in lines. */
  readonly frames: string;
}

/** Describes a thrown value by its own members, without causes; never throws. */
export function errorSummary(thrown: unknown): ErrorText {
  const data = encodeError(thrown, { frames: "user" });
  return "message" in data
    ? { name: data.name, message: data.message, frames: data.frames }
    : { name: "Error", message: thrownText(thrown), frames: "" };
}

/** What an error says, on one line; it never throws. */
export function reasonOf(thrown: unknown): string {
  const { message } = errorSummary(thrown);
  return printable(message.replaceAll(/\s*\n\s*/g, " "));
}

/**
 * Writes an error with its frames, then the errors that it stands for and its
 * cause, each with theirs.
 *
 * @param data The error.
 * @returns One or more lines.
 */
export function errorText(data: ErrorData): string {
  if (!("message" in data)) return shownValue(data).replaceAll("\n", "\n  ");
  const { frames, cause, errors } = data;
  const lines = [heading(data).replaceAll("\n", "\n  ")];
  if (frames !== "") lines.push(frames);
  for (const [index, error] of errors.entries()) {
    const text = `Error ${index + 1}: ${errorText(error)}`;
    lines.push(`  ${text.replaceAll("\n", "\n  ")}`);
  }
  if (cause !== undefined) lines.push(`Caused by: ${errorText(cause)}`);
  return lines.join("\n");
}

/**
 * An error as members of a JSON log line: `name`, `message`, `stack`, further
 * members such as `code`, `cause` and `errors`.
 *
 * @param data The error.
 * @returns An object; text for any other value.
 */
export function errorJson(data: ErrorData): unknown {
  if (!("message" in data)) return shownValue(data);
  const { name, message, cause, errors } = data;
  return {
    ...data.data,
    name,
    message,
    stack: stackOf(data),
    ...(cause === undefined ? {} : { cause: errorJson(cause) }),
    ...(errors.length === 0 ? {} : { errors: errors.map(errorJson) }),
  };
}

/** One walk over a thrown value. */
class Walk {
  readonly #frames: Frames;
  readonly #seen = new Set<unknown>();
  #room = MAX_CHARACTERS;

  constructor(frames: Frames) {
    this.#frames = frames;
  }

  encode(thrown: unknown, depth: number): ErrorData {
    if (!isError(thrown)) return this.#value(thrown);
    const name = this.#take(memberText(thrown, "name"));
    const message = this.#take(memberText(thrown, "message"));
    if (this.#seen.has(thrown)) {
      return { text: `${heading({ name, message })} (see above)` };
    }
    if (depth > MAX_DEPTH || this.#seen.size >= MAX_ERRORS) {
      return { text: `${heading({ name, message })} (and more errors)` };
    }
    this.#seen.add(thrown);
    const frames = this.#take(this.#framesOf(thrown));
    const brands = BRANDS.filter((brand) => isMarked(thrown, brand));
    const data = this.#membersOf(thrown);
    const errors = this.#errors(innerErrors(thrown, name), depth + 1);
    const cause = read(thrown, "cause");
    return {
      ...{ name, message, frames, brands, data, errors },
      ...(cause === undefined ? {} : { cause: this.encode(cause, depth + 1) }),
    };
  }

  #errors({ some, count }: InnerErrors, depth: number): ErrorData[] {
    const all: ErrorData[] = [];
    for (const error of some) {
      if (this.#seen.size >= MAX_ERRORS || this.#room === 0) break;
      all.push(this.encode(error, depth));
    }
    const more = count - all.length;
    return more === 0 ? all : [...all, { text: `and ${more} more` }];
  }

  #value(value: unknown): ErrorData {
    if (
      typeof value === "boolean" || value === null ||
      (Number.isFinite(value) && !Object.is(value, -0))
    ) return { value: value as boolean | number | null };
    const text = this.#take(valueText(value));
    return typeof value === "string" ? { value: text } : { text };
  }

  #membersOf(error: Error): Record<string, Plain> {
    const members = plainMembers(error);
    for (const [name, value] of Object.entries(members)) {
      if (typeof value === "string") members[name] = this.#take(value);
      if (Array.isArray(value)) {
        members[name] = value.map((text) => this.#take(text));
      }
    }
    return members;
  }

  /**
   * V8 writes a stack's heading while it constructs the error: with the message
   * of then, which may hold lines that look like frames.
   */
  #framesOf(error: Error): string {
    const stack = memberText(error, "stack");
    const message = memberText(error, "message");
    const at = stack.indexOf(message);
    const start = stack.indexOf("\n    at ", at < 0 ? 0 : at + message.length);
    if (start < 0) return "";
    const frames = stack.slice(start + 1, start + 1 + MAX_TEXT);
    return this.#frames === "all" ? frames : userFrames(frames);
  }

  #take(text: string): string {
    const taken = cut(text, Math.min(MAX_TEXT, this.#room));
    this.#room = Math.max(0, this.#room - taken.length);
    return taken;
  }
}

/**
 * The frames of the user's code. One without a place, such as `Array.map
 * (<anonymous>)`, belongs to its caller, the frame below.
 */
function userFrames(frames: string): string {
  let isUsers = false;
  return frames.split("\n").reverse().filter((frame) => {
    if (/:\d+:\d+\)?$/.test(frame)) {
      isUsers = !RUNTIME_FRAME.test(frame) && !isOwn(frame);
    }
    return isUsers;
  }).reverse().join("\n");
}

/** Whether a frame is in `src/` or in an entry point, such as `mod.ts`. */
function isOwn(frame: string): boolean {
  const [, path] = frame.split(PACKAGE);
  return path !== undefined &&
    (path.startsWith("src/") || !path.includes("/"));
}

/** The first errors that an error stands for, and how many there are. */
interface InnerErrors {
  readonly some: readonly unknown[];
  readonly count: number;
}

function innerErrors(error: Error, name: string): InnerErrors {
  if (name === "SuppressedError") {
    return {
      some: [read(error, "error"), read(error, "suppressed")],
      count: 2,
    };
  }
  const errors = read(error, "errors");
  try {
    if (Array.isArray(errors)) {
      const some = firstElements(errors, MAX_ERRORS);
      return { some, count: errors.length };
    }
  } catch {
    // A proxy that throws.
  }
  return { some: [], count: 0 };
}

function read(value: object, member: string): unknown {
  try {
    return (value as Record<string, unknown>)[member];
  } catch {
    return UNREADABLE;
  }
}

function memberText(error: Error, member: string): string {
  const value = read(error, member);
  return typeof value === "string" || value === undefined
    ? value ?? ""
    : valueText(value);
}

function plainMembers(source: object): Record<string, Plain> {
  const members = MEMBERS.map((name) => [name, read(source, name)] as const);
  return Object.fromEntries(
    members.filter(([, value]) => isPlain(value)),
  ) as Record<string, Plain>;
}

function isPlain(value: unknown): boolean {
  if (typeof value === "string") return value !== UNREADABLE;
  if (typeof value === "boolean" || Number.isFinite(value)) return true;
  try {
    return Array.isArray(value) && value.length <= MAX_ERRORS &&
      value.every((each) => typeof each === "string");
  } catch {
    return false;
  }
}

function heading(
  { name, message }: { readonly name: string; readonly message: string },
): string {
  return [name, message].filter((text) => text !== "").join(": ");
}

function stackOf(
  error: { name: string; message: string; frames: string },
): string {
  const { frames } = error;
  return frames === "" ? heading(error) : `${heading(error)}\n${frames}`;
}

function shownValue(data: Exclude<ErrorData, { name: string }>): string {
  return "text" in data ? data.text : String(data.value);
}

function decode(data: unknown, depth: number): unknown {
  const fields = Object(data) as Record<string, unknown>;
  if ("value" in fields) return fields.value;
  if (typeof fields.message !== "string" || depth > MAX_DEPTH + 1) {
    return shown(textOf(fields.text));
  }
  const error = new Error(
    fields.message,
    "cause" in fields ? { cause: decode(fields.cause, depth + 1) } : undefined,
  );
  const name = textOf(fields.name);
  const frames = textOf(fields.frames);
  const stack = stackOf({ name, message: fields.message, frames });
  Object.assign(error, { name, stack, ...plainMembers(Object(fields.data)) });
  const brands: unknown[] = Array.isArray(fields.brands) ? fields.brands : [];
  for (const brand of BRANDS) if (brands.includes(brand)) mark(error, brand);
  if (!Array.isArray(fields.errors) || fields.errors.length === 0) return error;
  const errors = fields.errors.map((each) => decode(each, depth + 1));
  const [first, second] = errors;
  return Object.assign(
    error,
    name === "SuppressedError"
      ? { error: first, suppressed: second }
      : { errors },
  );
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Stands for a value that is no error and that JSON would change. */
function shown(text: string): unknown {
  const toString = () => text;
  return { toString, [inspect.custom]: toString };
}
