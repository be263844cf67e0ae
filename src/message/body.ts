/**
 * A job's body: the JSON text of `[args, kwargs]`, plain or, as zc.sqs sends it,
 * in Base64.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { strictJson } from "./strict_json.ts";

// A job may replace what all code of its process shares.
const { parse } = JSON;
const { isArray } = Array;
const { keys } = Object;
const { apply } = Reflect;
const { concat } = Array.prototype;

/** The most arguments of a call that every JavaScript engine takes. */
const MAX_ARGUMENTS = 65_535;

const KWARGS = Symbol.for("zsqs/1/kwargs");

/** How a producer writes bodies: plain JSON, or zc.sqs's Base64. */
export type Encoding = "json" | "base64";

/**
 * Keyword arguments of a job. A worker that takes an object of type `T` takes
 * them, too.
 *
 * @typeParam T The object's type.
 */
export type Kwargs<T extends object> = T & {
  readonly [Symbol.toStringTag]: "Kwargs";
};

/** A job's arguments as they were received. */
export interface DecodedJob {
  /** The positional arguments. */
  readonly args: unknown[];
  /** The keyword arguments; empty if there are none. */
  readonly kwargs: Record<string, unknown>;
}

/**
 * Marks an object as a job's keyword arguments, which must be its last argument.
 *
 * A Python worker gets them as `**kw`. A worker of this package gets the object
 * after its positional arguments, unless it has no members.
 *
 * @typeParam T The object's type.
 * @param members The keyword arguments: a plain object that JSON can hold.
 * @returns A copy that `Queue` sends as keyword arguments.
 * @throws {TypeError} If `members` is not an object.
 *
 * @example Keyword arguments
 * ```ts
 * import { kwargs, Queue } from "@zsqs/cli";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * using queues = setUp({ silent: true });
 * const queue = await Queue("adder");
 *
 * await queue(1, 2, kwargs({ x: 3 }));
 *
 * assertEquals(queues.get("adder").bodies, ['[[1,2],{"x":3}]']);
 * ```
 */
export function kwargs<T extends object>(members: T): Kwargs<T> {
  if (!isRecord(members)) {
    throw new TypeError(
      `Cannot make keyword arguments of ${
        isArray(members) ? "an array" : String(members)
      }: wanted an object`,
    );
  }
  return Object.create(Object.getPrototypeOf(members), {
    ...Object.getOwnPropertyDescriptors(members),
    [KWARGS]: { value: true },
    [Symbol.toStringTag]: { value: "Kwargs" },
  });
}

/**
 * Writes a job's body.
 *
 * @param args The arguments; a last one made by {@linkcode kwargs} becomes the
 * keyword arguments.
 * @param encoding Plain JSON or Base64.
 * @returns The body as it goes to SQS.
 * @throws {TypeError} If JSON would drop or change an argument, or keyword
 * arguments are not in the last place.
 */
export function encodeBody(
  args: readonly unknown[],
  encoding: Encoding,
): string {
  checkCount(args.length, "Cannot send job");
  const last = args.at(-1);
  const positional = isKwargs(last) ? args.slice(0, -1) : args;
  const misplaced = positional.findIndex(isKwargs);
  if (misplaced >= 0) {
    throw new TypeError(
      `Cannot send job as args[${misplaced}] is keyword arguments: they go in the last place`,
    );
  }
  const keywords = isKwargs(last) ? strictJson(last, "kwargs") : "{}";
  if (!keywords.startsWith("{")) {
    throw new TypeError(
      `Cannot send job as kwargs is written as ${keywords}: wanted an object`,
    );
  }
  const text = `[${strictJson(positional, "args")},${keywords}]`;
  return encoding === "base64" ? Buffer.from(text).toString("base64") : text;
}

/**
 * Reads a job's body: JSON, or strict Base64 of JSON.
 *
 * @param body The body as it was received.
 * @param subject The body's name in errors.
 * @returns The arguments.
 * @throws {SyntaxError} If the body is neither JSON nor Base64 of JSON.
 * @throws {TypeError} If it is JSON, but not `[args, kwargs]`.
 */
export function decodeBody(
  body: string,
  subject: string = "message body",
): DecodedJob {
  const json = jsonIn(body);
  if (json === undefined) {
    throw new SyntaxError(
      `Cannot read ${subject}: it is neither JSON nor Base64 of JSON; ${
        takenBy("text")
      }`,
    );
  }
  const { value } = json;
  if (!isJob(value)) {
    const format = json.text === body ? "json" : "text";
    throw new TypeError(
      `Cannot read ${subject}: it is JSON, but not [args, kwargs]; ${
        takenBy(format)
      }`,
    );
  }
  return { args: value[0], kwargs: value[1] };
}

/** Whether JSON is `[args, kwargs]`. */
export function isJob(
  value: unknown,
): value is [args: unknown[], kwargs: Record<string, unknown>] {
  return isArray(value) && value.length === 2 &&
    isArray(value[0]) && isRecord(value[1]);
}

/** The option that makes a container take a body. */
export function takenBy(format: "json" | "text"): string {
  return `set body = ${format} to take it as it is`;
}

/** What a handler is called with: keyword arguments come last, if there are any. */
export function callArguments(
  { args, kwargs }: {
    readonly args: readonly unknown[];
    readonly kwargs: Readonly<Record<string, unknown>>;
  },
): readonly unknown[] {
  return keys(kwargs).length > 0 ? apply(concat, args, [kwargs]) : args;
}

/** Refuses more arguments than a handler can be called with. */
export function checkCount(count: number, action: string): void {
  if (count <= MAX_ARGUMENTS) return;
  throw new RangeError(
    `${action} as the job has ${count} arguments: the limit is ${MAX_ARGUMENTS}, put them in an array`,
  );
}

/** Whether a value was made by {@linkcode kwargs}, of any copy. */
export function isKwargs(value: unknown): boolean {
  return typeof value === "object" && value !== null && KWARGS in value;
}

/** Whether a value of JSON is an object. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !isArray(value);
}

/** The JSON in a body, plain or in Base64. */
export function jsonIn(
  body: string,
): { readonly text: string; readonly value: unknown } | undefined {
  return jsonText(body) ?? jsonText(decodeBase64(body));
}

/** Not a loop: a job may replace how all arrays are iterated. */
function jsonText(text: string | undefined): ReturnType<typeof jsonIn> {
  const value = text === undefined ? undefined : parsed(text);
  return value === undefined ? undefined : { text: text!, value };
}

/** The value of JSON text; `undefined` if it is no JSON. */
export function parsed(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

/** Decodes Base64 of UTF-8; `undefined` unless each character is right. */
function decodeBase64(text: string): string | undefined {
  if (text === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64");
  // Buffer ignores missing padding and superfluous bits.
  if (bytes.toString("base64") !== text) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    return undefined;
  }
}
