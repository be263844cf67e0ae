/**
 * What a job looks like on the wire: the JSON text of `[args, kwargs]`, plain
 * or in Base64 as zc.sqs sends it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { strictJson } from "./strict_json.ts";

/** JavaScript's calls take no more: engines differ, this all of them take. */
const MAX_ARGUMENTS = 65_535;

const KWARGS = Symbol.for("zsqs/1/kwargs");

/** How a producer writes bodies: plain JSON, or Base64 as zc.sqs does. */
export type Encoding = "json" | "base64";

/**
 * Keyword arguments of a Python worker; its type is that of the object, so it
 * fits where a worker takes that object.
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
  /** The keyword arguments, empty where there are none. */
  readonly kwargs: Record<string, unknown>;
}

/**
 * Marks an object as a job's keyword arguments. It goes in the last place.
 *
 * A Python worker gets it as `**kw`; a worker of this package gets the object
 * after its positional arguments. Without any member it is left out there.
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
  if (
    typeof members !== "object" || members === null || Array.isArray(members)
  ) {
    throw new TypeError(
      `Cannot make keyword arguments of ${
        Array.isArray(members) ? "an array" : String(members)
      }: wanted an object`,
    );
  }
  const copy = Object.defineProperties(
    Object.create(Object.getPrototypeOf(members)),
    Object.getOwnPropertyDescriptors(members),
  );
  Object.defineProperty(copy, KWARGS, { value: true });
  Object.defineProperty(copy, Symbol.toStringTag, { value: "Kwargs" });
  return copy;
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
  const keywords = isKwargs(last)
    ? strictJson(last, "kwargs", "send job")
    : "{}";
  if (!keywords.startsWith("{")) {
    throw new TypeError(
      `Cannot send job as kwargs is written as ${keywords}: wanted an object`,
    );
  }
  const text = `[${strictJson(positional, "args", "send job")},${keywords}]`;
  return encoding === "base64" ? Buffer.from(text).toString("base64") : text;
}

/**
 * Reads a job's body: JSON where it parses as JSON, else strict Base64 of JSON.
 *
 * @param body The body as SQS gave it.
 * @returns The arguments.
 * @throws {SyntaxError} If the body is neither JSON nor Base64 of JSON.
 * @throws {TypeError} If it is JSON, but not `[args, kwargs]`.
 */
export function decodeBody(body: string): DecodedJob {
  const value = parseJson(body) ?? parseJson(decodeBase64(body) ?? "");
  if (value === undefined) {
    throw new SyntaxError(
      "Cannot read message body: it is neither JSON nor Base64 of JSON, wanted [args, kwargs]",
    );
  }
  const job = value.json;
  if (
    !Array.isArray(job) || job.length !== 2 || !Array.isArray(job[0]) ||
    typeof job[1] !== "object" || job[1] === null || Array.isArray(job[1])
  ) {
    throw new TypeError(
      "Cannot read message body: it is JSON, but not [args, kwargs], an array and an object in an array",
    );
  }
  return { args: job[0], kwargs: job[1] };
}

/**
 * A body as a person reads it, in one line: the JSON inside where it came in
 * Base64, as zc.sqs logs it, else the body itself. Line ends are spaces in JSON,
 * which means the same, and escapes elsewhere, as are control characters, so that
 * no body can pass for other lines of a log.
 */
export function bodyText(body: string): string {
  for (const text of [body, decodeBase64(body)]) {
    if (text !== undefined && parseJson(text) !== undefined) {
      return escapeControls(text.replace(/[\r\n]+/g, " "));
    }
  }
  return escapeControls(body.replace(/\r/g, "\\r").replace(/\n/g, "\\n"));
}

/** What some reader takes for the end of a line, or a terminal for an order. */
function escapeControls(text: string): string {
  return text.replace(
    /[^\P{Cc}\t]|[\p{Zl}\p{Zp}]/gu,
    (character) =>
      `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Refuses more arguments than a handler can be called with. */
export function checkCount(count: number, action: string): void {
  if (count <= MAX_ARGUMENTS) return;
  throw new RangeError(
    `${action} as the job has ${count} arguments: the limit is ${MAX_ARGUMENTS}, put them in an array`,
  );
}

/** Whether a value was made by {@linkcode kwargs}, of any copy. */
function isKwargs(value: unknown): boolean {
  return typeof value === "object" && value !== null && KWARGS in value;
}

function parseJson(text: string): { json: unknown } | undefined {
  try {
    return { json: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** UTF-8 text that strict Base64 stands for; `undefined` where it is none. */
function decodeBase64(text: string): string | undefined {
  if (text === "" || text.length % 4 !== 0) return undefined;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    return undefined;
  }
}
