/**
 * JSON without loss: it refuses values that JSON would drop or change.
 *
 * @module
 */

/**
 * Characters written as `\u` escapes: all that are not printable, and all above
 * U+FFFD. SQS refuses some of them, and other servers refuse more.
 */
const ESCAPED = /[\p{C}\p{Zl}\p{Zp}]|[\u{fffe}-\u{10ffff}]/gu;

/**
 * Writes a value as JSON text that reads back deeply equal.
 *
 * @param value The value.
 * @param path The value's name in errors, for example `args`.
 * @param action What fails if the value is refused, for example `send job`.
 * @returns JSON text, in characters that every SQS server takes.
 * @throws {TypeError} If JSON would drop or change a part of the value. The
 * message names the part.
 */
export function strictJson(
  value: unknown,
  path: string,
  action: string,
): string {
  const writer = new Writer(action);
  try {
    return writer.write(value, path, "");
  } catch (error) {
    // V8's message when the stack overflows.
    if (error instanceof RangeError && /call stack/i.test(error.message)) {
      throw writer.refusal(path, "nested too deeply");
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

class Writer {
  readonly #action: string;
  /** The objects around the one that is being written. */
  readonly #open = new Set<object>();

  constructor(action: string) {
    this.#action = action;
  }

  refusal(path: string, what: string): TypeError {
    return new TypeError(
      `Cannot ${this.#action} as ${path} is ${what}: arguments must survive JSON unchanged`,
    );
  }

  /** Writes a value. Its `toJSON()` gets the key, as from `JSON.stringify()`. */
  write(value: unknown, path: string, key: string): string {
    const plain = hasToJson(value) ? value.toJSON(key) : value;
    // An invalid Date's toJSON() returns null.
    if (plain === null && value instanceof Date) {
      throw this.refusal(path, "an invalid Date");
    }
    switch (typeof plain) {
      case "string":
        return jsonString(plain);
      case "number":
        if (!Number.isFinite(plain)) throw this.refusal(path, String(plain));
        return Object.is(plain, -0) ? "-0" : String(plain);
      case "boolean":
        return String(plain);
      case "undefined":
        throw this.refusal(path, "undefined");
      case "object":
        return plain === null ? "null" : this.#object(plain, path);
      default:
        throw this.refusal(path, `a ${typeof plain}`);
    }
  }

  #object(value: object, path: string): string {
    if (this.#open.has(value)) throw this.refusal(path, "a cycle");
    this.#open.add(value);
    const text = Array.isArray(value)
      ? this.#array(value, path)
      : this.#record(value, path);
    this.#open.delete(value);
    return text;
  }

  #array(value: readonly unknown[], path: string): string {
    // Array.prototype is an array itself, in every realm.
    if (!Array.isArray(Object.getPrototypeOf(value))) {
      throw this.refusal(path, instanceOf(value));
    }
    const parts: string[] = [];
    for (let i = 0; i < value.length; i++) {
      parts.push(this.write(value[i], `${path}[${i}]`, String(i)));
    }
    // The indices come first.
    const extra = ownKeys(value)[value.length];
    if (extra !== undefined) {
      throw this.refusal(memberPath(path, extra), "a named member of an array");
    }
    return `[${parts.join(",")}]`;
  }

  #record(value: object, path: string): string {
    if (!isPlainObject(value)) throw this.refusal(path, instanceOf(value));
    const parts = ownKeys(value).map((key) => {
      const inner = memberPath(path, key);
      if (typeof key === "symbol") {
        throw this.refusal(inner, "named by a symbol");
      }
      const member = (value as Record<string, unknown>)[key];
      return `${jsonString(key)}:${this.write(member, inner, key)}`;
    });
    return `{${parts.join(",")}}`;
  }
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

function memberPath(path: string, key: string | symbol): string {
  if (typeof key === "symbol") return `${path}[${String(key)}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
    ? `${path}.${key}`
    : `${path}[${JSON.stringify(key)}]`;
}

/**
 * Parses JSON, but refuses integers that JavaScript would change.
 *
 * @throws {SyntaxError} If the text is not JSON.
 * @throws {RangeError} If it has such an integer.
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
          `Cannot send the number ${source}, which JavaScript would change to ${value}: send it as a string, "${source}" with the quotes`,
        );
      }
      return value;
    }) as (key: string, value: unknown) => unknown,
  );
}
