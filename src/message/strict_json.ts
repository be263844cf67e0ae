/**
 * JSON that loses nothing: what JSON would drop or change is refused, and
 * only characters that every SQS server takes are written.
 *
 * @module
 */

/**
 * Characters written as `\u` escapes: whatever is not printable, and all above
 * U+FFFD. SQS refuses some of them and other servers more.
 */
const ESCAPED = /[\p{C}\p{Zl}\p{Zp}]|[\u{fffe}-\u{10ffff}]/gu;

/**
 * Writes a value as JSON text that reads back deeply equal.
 *
 * @param value The value.
 * @param path What the value is called in errors, for example `args`.
 * @param action What fails where the value is refused.
 * @returns JSON text.
 * @throws {TypeError} If JSON would drop or change a part of the value: the
 * message says which.
 */
export function strictJson(
  value: unknown,
  path: string,
  action: string,
): string {
  const refuse = (where: string, what: string) =>
    new TypeError(
      `Cannot ${action} as ${where} is ${what}: wanted what JSON can hold`,
    );
  const open = new Set<object>();

  function write(value: unknown, path: string, key: string): string {
    const plain = hasToJson(value) ? value.toJSON(key) : value;
    // Its toJSON gives null, as JSON gives for NaN.
    if (plain === null && value instanceof Date) {
      throw refuse(path, "an invalid Date");
    }
    switch (typeof plain) {
      case "string":
        return jsonString(plain);
      case "number":
        if (!Number.isFinite(plain)) throw refuse(path, String(plain));
        return Object.is(plain, -0) ? "-0" : String(plain);
      case "boolean":
        return String(plain);
      case "object":
        return plain === null ? "null" : writeObject(plain, path);
      default:
        throw refuse(
          path,
          plain === undefined ? "undefined" : `a ${typeof plain}`,
        );
    }
  }

  function writeObject(value: object, path: string): string {
    if (open.has(value)) throw refuse(path, "a cycle");
    open.add(value);
    const text = Array.isArray(value)
      ? writeArray(value, path)
      : writeRecord(value, path);
    open.delete(value);
    return text;
  }

  function writeArray(value: readonly unknown[], path: string): string {
    // The prototype of plain arrays is one itself, in every realm.
    if (!Array.isArray(Object.getPrototypeOf(value))) {
      throw refuse(path, instanceOf(value));
    }
    const parts: string[] = [];
    for (let i = 0; i < value.length; i++) {
      parts.push(write(value[i], `${path}[${i}]`, String(i)));
    }
    const extra = ownKeys(value).find((key) => !isIndex(key, value.length));
    if (extra !== undefined) {
      throw refuse(memberPath(path, extra), "a named member of an array");
    }
    return `[${parts.join(",")}]`;
  }

  function writeRecord(value: object, path: string): string {
    if (!isPlain(value)) throw refuse(path, instanceOf(value));
    const parts: string[] = [];
    for (const key of ownKeys(value)) {
      if (typeof key === "symbol") {
        throw refuse(memberPath(path, key), "named by a symbol");
      }
      const member = (value as Record<string, unknown>)[key];
      parts.push(
        `${jsonString(key)}:${write(member, memberPath(path, key), key)}`,
      );
    }
    return `{${parts.join(",")}}`;
  }

  try {
    return write(value, path, "");
  } catch (error) {
    // The engine's own words for a stack that ran out.
    if (error instanceof RangeError && /call stack/i.test(error.message)) {
      throw refuse(path, "nested too deeply");
    }
    throw error;
  }
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

function hasToJson(
  value: unknown,
): value is { toJSON(key: string): unknown } {
  return typeof value === "object" && value !== null &&
    typeof (value as { toJSON?: unknown }).toJSON === "function";
}

/** Enumerable own keys, the symbols too: those that a copy would carry. */
function ownKeys(value: object): (string | symbol)[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}

function isIndex(key: string | symbol, length: number): boolean {
  return typeof key === "string" && /^(?:0|[1-9]\d*)$/.test(key) &&
    Number(key) < length;
}

/** Whether a value is `{...}` of this or another realm, or has no prototype. */
function isPlain(value: object): boolean {
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

function memberPath(path: string, key: string | symbol): string {
  if (typeof key === "symbol") return `${path}[${String(key)}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
    ? `${path}.${key}`
    : `${path}[${JSON.stringify(key)}]`;
}

/**
 * Reads JSON, refusing whole numbers that JavaScript would change.
 *
 * @throws {SyntaxError} If it is no JSON.
 * @throws {RangeError} If it holds such a number.
 */
export function parseExact(text: string): unknown {
  return JSON.parse(
    text,
    // TypeScript does not know the third parameter yet.
    ((_key: string, value: unknown, context?: { source?: string }) => {
      const source = context?.source ?? "";
      if (
        typeof value === "number" && /^-?\d+$/.test(source) &&
        !(Number.isFinite(value) && BigInt(source) === BigInt(value))
      ) {
        throw new RangeError(
          `Cannot send ${source} as a number as JavaScript would change it to ${value}: send it as a string, "${source}" with the quotes`,
        );
      }
      return value;
    }) as (key: string, value: unknown) => unknown,
  );
}
