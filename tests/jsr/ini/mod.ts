/**
 * A stand-in for `@std/ini`, for networks that do not reach jsr.io: written
 * for this project, and no more than it uses.
 *
 * @module
 */

/** Decides what a key's value becomes. */
export type ReviverFunction = (
  key: string,
  value: string | number | boolean | null,
  section?: string,
) => unknown;

/** Options for {@linkcode parse}. */
export interface ParseOptions {
  /** Called for each key; returns the value. */
  reviver?: ReviverFunction;
}

/** Reads INI text into an object with one object for each section. */
export function parse<T extends object>(
  text: string,
  options: ParseOptions = {},
): T {
  if (typeof text !== "string") {
    throw new SyntaxError(`Unexpected token ${text} in INI at line 0`);
  }
  const root = {} as T;
  let target: object = root;
  let section: string | undefined;
  for (const [index, untrimmed] of text.split(/\r\n|\r|\n/).entries()) {
    const line = untrimmed.trim();
    const at = `at line ${index + 1}`;
    if (line === "" || /^(#|;|\/\/)/.test(line)) continue;
    if (line.startsWith("[")) {
      if (!line.endsWith("]")) {
        throw new SyntaxError(`Unexpected end of INI section ${at}`);
      }
      section = line.slice(1, -1);
      if (section.trim() === "") {
        throw new SyntaxError(`Unexpected empty section name ${at}`);
      }
      define(root, section, target = {});
      continue;
    }
    const equals = line.indexOf("=");
    if (equals === -1) {
      throw new SyntaxError(`Unexpected token ${line[0]} in INI ${at}`);
    }
    const key = line.slice(0, equals).trimEnd();
    if (key === "") {
      throw new SyntaxError(`Unexpected empty key name ${at}`);
    }
    const value = convert(line.slice(equals + 1).trimStart());
    define(
      target,
      key,
      options.reviver ? options.reviver(key, value, section) : value,
    );
  }
  return root;
}

function convert(value: string): string | number | boolean | null {
  switch (value) {
    case "null":
      return null;
    case "true":
      return true;
    case "false":
      return false;
  }
  if (/^".*"$/.test(value)) return value.slice(1, -1);
  return Number.isNaN(Number(value)) ? value : Number(value);
}

// A plain assignment of "__proto__" would change the object's prototype.
function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    writable: true,
    enumerable: true,
    configurable: true,
  });
}
