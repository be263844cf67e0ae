/**
 * Message attributes: as users write them, and as SQS sends them.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  MAX_ATTRIBUTES,
  type WireAttribute,
  type WireAttributes,
} from "../sqs/connection.ts";
import { quote } from "../text.ts";
import { isPlainObject } from "./strict_json.ts";

/** A message attribute's value: SQS's String, Number or Binary. */
export type AttributeValue = string | number | Uint8Array;

/**
 * Message attributes by name: at most ten, names of up to 256 letters, digits,
 * `_`, `-` and `.`, values never empty (SQS, "Message attributes").
 */
export type Attributes = { readonly [name: string]: AttributeValue };

/** A character that SQS refuses in a body or attribute (SQS, "SendMessage"). */
export const FORBIDDEN =
  /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u;

/** The first character that SQS refuses in a text, such as `U+0000`. */
export function forbiddenCharacter(text: string): string | undefined {
  const character = FORBIDDEN.exec(text)?.[0];
  if (character === undefined) return undefined;
  const code = character.codePointAt(0)!.toString(16).padStart(4, "0");
  return `U+${code.toUpperCase()}`;
}

/**
 * Checks attributes and gives each its SQS data type.
 *
 * @param attributes The attributes, as a user writes them.
 * @returns The attributes, as SQS takes them.
 * @throws {TypeError} If SQS would refuse a name or value.
 * @throws {RangeError} If there are more than ten.
 */
export function toWire(attributes: Attributes): WireAttributes {
  if (Object(attributes) !== attributes || !isPlainObject(attributes)) {
    throw new TypeError(
      "Cannot send job as its attributes are not a plain object: give an object of strings, finite numbers and Uint8Arrays",
    );
  }
  const names = Object.keys(attributes);
  if (names.length > MAX_ATTRIBUTES) {
    throw new RangeError(
      `Cannot send job as it has ${names.length} attributes: SQS takes at most ${MAX_ATTRIBUTES}`,
    );
  }
  return Object.fromEntries(names.map((name) => {
    if (name in Object.prototype) {
      throw new TypeError(
        `Cannot send job with an attribute named ${
          quote(name)
        }: every JavaScript object has a member of that name`,
      );
    }
    if (isAttributeName(name)) {
      return [name, wireAttribute(name, attributes[name])];
    }
    throw new TypeError(
      `Cannot send job as SQS refuses the attribute name ${
        quote(name)
      }. Use up to 256 letters, digits, "_" and "-", with single "." between them, and no "AWS." or "Amazon." first`,
    );
  }));
}

/**
 * Gives attributes as a user reads them. A number that JavaScript would change
 * stays text. Bytes are copies: a job may change them, and a message is kept as
 * it came.
 */
export function fromWire(attributes: WireAttributes): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { type, value }]) => [
      name,
      type.startsWith("Number") && String(Number(value)) === value
        ? Number(value)
        : typeof value === "string"
        ? value
        : new Uint8Array(value),
    ]),
  );
}

/** A message's size as SQS counts it: body, attribute names, types, values. */
export function messageBytes(body: string, attributes: WireAttributes): number {
  const parts = Object.entries(attributes)
    .flatMap(([name, { type, value }]) => [name, type, value]);
  return parts.reduce<number>(
    (bytes, part) => bytes + Buffer.byteLength(part),
    Buffer.byteLength(body),
  );
}

/** The limit in bytes that SQS names when it refuses a message's size. */
export function sizeLimit(refusal: string): number | undefined {
  const match = /(?:must be shorter than|cannot be longer than) (\d+) bytes/i
    .exec(refusal);
  return match === null ? undefined : Number(match[1]);
}

/** Whether SQS accepts a name of a message attribute. */
export function isAttributeName(name: string): boolean {
  return /^[\w-]+(?:\.[\w-]+)*$/.test(name) && name.length <= 256 &&
    !/^(?:aws|amazon)\./i.test(name);
}

function wireAttribute(name: string, value: unknown): WireAttribute {
  const refuse = (what: string) =>
    new TypeError(
      `Cannot send job as attribute "${name}" is ${what}: give a string, a finite number or a Uint8Array that is not empty`,
    );
  if (value instanceof Uint8Array) {
    if (value.byteLength === 0) throw refuse("empty");
    // A copy: the caller may change its bytes before they are sent.
    return { type: "Binary", value: new Uint8Array(value) };
  }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw refuse(String(value));
    return { type: "Number", value: String(value) };
  }
  if (typeof value !== "string") {
    throw refuse(value === null ? "null" : `of type ${typeof value}`);
  }
  if (value === "") throw refuse("empty");
  const forbidden = forbiddenCharacter(value);
  if (forbidden !== undefined) {
    throw refuse(`text with the character ${forbidden}`);
  }
  return { type: "String", value };
}
