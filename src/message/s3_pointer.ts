/**
 * Pointers to bodies in S3, as the Amazon SQS Extended Client Libraries for Java
 * and Python write and read them.
 *
 * @module
 */

import { cut } from "../logging/value_text.ts";
import type { JobMessage, WireAttributes } from "../sqs/connection.ts";
import {
  MAX_OBJECT_BYTES,
  type ObjectPlace,
  objectUrl,
} from "../sqs/objects.ts";
import { quote } from "../text.ts";
import { isRecord, parsed } from "./body.ts";
import { openEnvelope } from "./sns.ts";
import { jsonString } from "./strict_json.ts";

/** The Number attribute that has the size of the body in S3, in bytes. */
export const SIZE_ATTRIBUTE = "ExtendedPayloadSize";

/** The names of that attribute: the older one is read, too. */
const SIZE_ATTRIBUTES: readonly string[] = [
  SIZE_ATTRIBUTE,
  "SQSLargePayloadSize",
];

const POINTER_CLASS = "software.amazon.payloadoffloading.PayloadS3Pointer";

/** Most bodies are none: a look at their start is enough. */
const START =
  /^\s*\[\s*"(?:software\.amazon\.payloadoffloading\.PayloadS3Pointer|com\.amazon\.sqs\.javamessaging\.MessageS3Pointer)"/;

/** A key has 1024 bytes at most, which JSON may escape. */
const MAX_LENGTH = 10_000;

/** The most characters of an object's URL in a line. */
const MAX_URL = 300;

/** The part of a message that its pointer is in. */
type PointerMessage = Pick<JobMessage, "body" | "attributes">;

/** The part of how a queue is read that says where a pointer is. */
interface Enveloped {
  readonly envelope?: "sns";
}

/** Writes a pointer, byte for byte as the Java library does. */
export function writePointer({ bucket, key }: ObjectPlace): string {
  return `["${POINTER_CLASS}",{"s3BucketName":${jsonString(bucket)},"s3Key":${
    jsonString(key)
  }}]`;
}

/** The place that a text points to, if it is a pointer. */
export function parsePointer(text: string): ObjectPlace | undefined {
  if (text.length > MAX_LENGTH || !START.test(text)) return undefined;
  const value = parsed(text);
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const { s3BucketName: bucket, s3Key: key } = isRecord(value[1])
    ? value[1]
    : {} as Record<string, unknown>;
  return typeof bucket === "string" && typeof key === "string"
    ? { bucket, key }
    : undefined;
}

/** An object's URL on one line: anybody may have written the pointer. */
export function shownPlace(place: ObjectPlace): string {
  return quote(cut(objectUrl(place), MAX_URL));
}

/** Whether an attribute belongs to a pointer, and not to its job. */
export function isSizeAttribute(name: string): boolean {
  return SIZE_ATTRIBUTES.includes(name);
}

/** The place that a message points to: with `envelope = sns`, its `Message`. */
export function pointerOf(
  { body }: Pick<PointerMessage, "body">,
  { envelope }: Enveloped,
): ObjectPlace | undefined {
  if (envelope === undefined) return parsePointer(body);
  try {
    return parsePointer(openEnvelope(body).text);
  } catch {
    return undefined;
  }
}

/** The place that a message points to, in an SNS notification or without one. */
export function anyPointerOf(
  message: Pick<PointerMessage, "body">,
): ObjectPlace | undefined {
  return pointerOf(message, {}) ?? pointerOf(message, { envelope: "sns" });
}

/**
 * The size that a pointer says its object has, in bytes; the largest one if it
 * says nothing that can be true. Anybody may have written it.
 */
export function claimedBytes(
  { body, attributes }: PointerMessage,
  { envelope }: Enveloped,
): number {
  const sizes = envelope === undefined
    ? Object.entries(attributes).map(([name, { value }]) => [name, value])
    : Object.entries(openEnvelope(body).notification.attributes);
  const [, size] = sizes.find(([name]) => isSizeAttribute(String(name))) ?? [];
  const bytes = Number(size);
  return Number.isInteger(bytes) && bytes >= 0 && bytes <= MAX_OBJECT_BYTES
    ? bytes
    : MAX_OBJECT_BYTES;
}

/** A message with the body that it pointed to, and without the pointer's size. */
export function withFetched<M extends PointerMessage>(
  message: M,
  text: string,
  { envelope }: Enveloped,
): M {
  const attributes = withoutSize(message.attributes) as WireAttributes;
  if (envelope === undefined) return { ...message, body: text, attributes };
  const notification = parsed(message.body) as Record<string, unknown>;
  const { MessageAttributes: given } = notification;
  const body = JSON.stringify({
    ...notification,
    // As JSON in JSON, a text of 64 MiB can be too long for a child process.
    Message: "",
    ...(isRecord(given) ? { MessageAttributes: withoutSize(given) } : {}),
  });
  return { ...message, body, attributes, fetched: text };
}

function withoutSize(attributes: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(
    Object.entries(attributes).filter(([name]) => !isSizeAttribute(name)),
  );
}
