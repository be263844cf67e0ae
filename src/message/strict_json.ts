/**
 * JSON without loss: it refuses values that JSON would drop or change.
 *
 * @module
 */

import { shortened } from "../text.ts";

/**
 * Characters written as `\u` escapes: all that are not printable, and all above
 * U+FFFD. SQS refuses some of them, and other servers refuse more.
 */
const ESCAPED = /[\p{C}\p{Zl}\p{Zp}]|[\u{fffe}-\u{10ffff}]/gu;

/**
 * Writes a job's value as JSON text that reads back deeply equal.
 *
 * @param value The value.
 * @param path The value's name in errors, for example `args`.
 * @returns JSON text, in characters that every SQS server takes.
 * @throws {TypeError} If JSON would drop or change a part of the value. The
 * message names the part.
 */
export function strictJson(value: unknown, path: string): string {
  try {
    return write(value, path, "", new Set());
  } catch (error) {
    throw isTooDeep(error) ? refusal(path, TOO_DEEP) : error;
  }
}

const TOO_DEEP = "nested too deeply";

/** Whether the stack overflowed, by V8's message. */
function isTooDeep(error: unknown): boolean {
  return error instanceof RangeError && /call stack/i.test(error.message);
}

/** JSON text of a string, in characters that every SQS server takes. */
export function jsonString(text: string): string {
  return JSON.stringify(text).replace(ESCAPED, escapeUnits);
}

function escapeUnits(character: string): string {
  let text = "";
  for (let i = 0; i < character.length; i++) {
    text += "\\u" + character.charCodeAt(i).toString(16).padStart(4, "0");
  }
  return text;
}

function refusal(path: string, what: string): TypeError {
  return new TypeError(
    `Cannot send job as ${path} is ${what}: arguments must survive JSON unchanged`,
  );
}

/**
 * Writes a value in the objects that are open. Its `toJSON()` gets the key, as
 * from `JSON.stringify()`.
 */
function write(
  value: unknown,
  path: string,
  key: string,
  open: Set<object>,
): string {
  const plain = hasToJson(value) ? value.toJSON(key) : value;
  // An invalid Date's toJSON() returns null.
  if (plain === null && value instanceof Date) {
    throw refusal(path, "an invalid Date");
  }
  switch (typeof plain) {
    case "string":
      return jsonString(plain);
    case "number":
      if (!Number.isFinite(plain)) throw refusal(path, String(plain));
      return Object.is(plain, -0) ? "-0" : String(plain);
    case "boolean":
      return String(plain);
    case "undefined":
      throw refusal(path, "undefined");
    case "object":
      return plain === null ? "null" : writeObject(plain, path, open);
    default:
      throw refusal(path, `a ${typeof plain}`);
  }
}

function writeObject(value: object, path: string, open: Set<object>): string {
  if (open.has(value)) throw refusal(path, "a cycle");
  open.add(value);
  const isPlain = Array.isArray(value)
    // Array.prototype is an array itself, in every realm.
    ? Array.isArray(Object.getPrototypeOf(value))
    : isPlainObject(value);
  if (!isPlain) throw refusal(path, instanceOf(value));
  const text = Array.isArray(value)
    ? `[${writeElements(value, path, open).join(",")}]`
    : `{${writeMembers(value, path, open).join(",")}}`;
  open.delete(value);
  return text;
}

function writeElements(
  value: readonly unknown[],
  path: string,
  open: Set<object>,
): string[] {
  const parts: string[] = [];
  for (let i = 0; i < value.length; i++) {
    parts.push(write(value[i], `${path}[${i}]`, String(i), open));
  }
  // The indices come first.
  const extra = ownKeys(value)[value.length];
  if (extra !== undefined) {
    throw refusal(memberPath(path, extra), "a named member of an array");
  }
  return parts;
}

function writeMembers(
  value: object,
  path: string,
  open: Set<object>,
): string[] {
  return ownKeys(value).map((key) => {
    const inner = memberPath(path, key);
    if (typeof key === "symbol") throw refusal(inner, "named by a symbol");
    const member = (value as Record<string, unknown>)[key];
    return `${jsonString(key)}:${write(member, inner, key, open)}`;
  });
}

function hasToJson(
  value: unknown,
): value is { toJSON(key: string): unknown } {
  return typeof value === "object" && value !== null &&
    typeof (value as { toJSON?: unknown }).toJSON === "function";
}

/** The own keys that `{...value}` copies, symbols included. */
function ownKeys(value: object): (string | symbol)[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}

/** Whether a value is `{...}` of any realm, or has no prototype. */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null ||
    (Object.getPrototypeOf(prototype) === null &&
      Object.hasOwn(prototype, "isPrototypeOf"));
}

function instanceOf(value: object): string {
  const name = value.constructor?.name;
  if (typeof name !== "string" || name === "") return "an instance of a class";
  return `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`;
}

/** The path of an object's member: `args[0].name`, `args["a b"]`. */
export function memberPath(path: string, key: string | symbol): string {
  if (typeof key === "symbol") return `${path}[${String(key)}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
    ? `${path}.${key}`
    : `${path}[${JSON.stringify(key)}]`;
}

/**
 * Parses JSON, but refuses integers that JavaScript would change.
 *
 * @throws {SyntaxError} If the text is not JSON.
 * @throws {RangeError} If it has such an integer, or is nested too deeply.
 */
export function parseExact(text: string): unknown {
  try {
    // TypeScript does not know the third parameter yet.
    return JSON.parse(text, refuseInexact as Parameters<typeof JSON.parse>[1]);
  } catch (error) {
    if (!isTooDeep(error)) throw error;
    throw new RangeError(refusal("its JSON", TOO_DEEP).message);
  }
}

function refuseInexact(
  _key: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  const source = context?.source ?? "";
  if (
    typeof value === "number" && /^-?\d+$/.test(source) &&
    !(Number.isFinite(value) && BigInt(source) === BigInt(value))
  ) {
    const shown = shortened(source);
    throw new RangeError(
      `Cannot send the number ${shown}, which JavaScript would change to ${value}: send it as a string, "${shown}" with the quotes`,
    );
  }
  return value;
}
