/**
 * Objects in S3, as far as this package uses them. The AWS SDK's store and the
 * testing double's implement it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { messageOf, SqsError } from "../errors.ts";
import { isDenied, MAX_BYTES } from "./connection.ts";

/** The size limit of an object, in bytes: 64 MiB. */
export const MAX_OBJECT_BYTES = 64 * MAX_BYTES;

/** The longest key of an object, in bytes (S3, "Object key names"). */
const MAX_KEY_BYTES = 1024;

/** What follows the prefix in a key of ours: "/" and a UUID. */
const OWN_NAME_BYTES = 37;

/** A bucket, and the start of the keys in it. */
export interface ObjectFolder {
  /** The text that was parsed. */
  readonly text: string;
  readonly bucket: string;
  /** Without a "/" at its end; may be empty. */
  readonly prefix: string;
}

/** The allowed texts, for messages. */
export const OBJECT_FOLDER_HINT =
  'a place in S3 such as "s3://bucket/prefix". A bucket has 3 to 63 lower-case letters, digits, "." and "-"';

/** A name that a bucket, or an alias of an access point, can have. */
const BUCKET = /^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** Parses `s3://bucket/prefix`; `undefined` if the text is something else. */
export function parseObjectFolder(text: string): ObjectFolder | undefined {
  const [, bucket = "", path = ""] =
    /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(text) ??
      [];
  const prefix = path.replace(/(?<=.)\/$/s, "");
  const isSound = BUCKET.test(bucket) && !/[\s\p{C}?#\\]/u.test(prefix) &&
    Buffer.byteLength(prefix) <= MAX_KEY_BYTES - OWN_NAME_BYTES &&
    (prefix === "" || !prefix.split("/").some(isOdd));
  return isSound ? { text, bucket, prefix } : undefined;
}

/** Whether a part of a path is one that HTTP clients resolve or drop. */
function isOdd(part: string): boolean {
  return part === "" || part === "." || part === "..";
}

/** An object's place. */
export interface ObjectPlace {
  readonly bucket: string;
  readonly key: string;
}

/** An object's URL, for messages. */
export function objectUrl({ bucket, key }: ObjectPlace): string {
  return `s3://${bucket}/${key}`;
}

/** A new place in a folder. */
export function newPlace({ bucket, prefix }: ObjectFolder): ObjectPlace {
  const id = crypto.randomUUID();
  return { bucket, key: prefix === "" ? id : `${prefix}/${id}` };
}

/** Whether an object is in a folder. Anybody may have written its place. */
export function isWithin(
  { bucket, key }: ObjectPlace,
  folder: ObjectFolder,
): boolean {
  const start = folder.prefix === "" ? "" : `${folder.prefix}/`;
  return bucket === folder.bucket && key.startsWith(start) &&
    key.length > start.length && key.isWellFormed() &&
    Buffer.byteLength(key) <= MAX_KEY_BYTES &&
    !key.split("/").some((part) => part === ".." || part === ".");
}

/** What is done with objects. */
type ObjectRight = `s3:${"Get" | "Put" | "Delete"}Object`;

/** Why S3 did not do something with a folder's objects, and the next step. */
export function whyRefused(
  error: unknown,
  right: ObjectRight,
  folder: ObjectFolder,
): string {
  const { code = "" } = error instanceof SqsError ? error : {};
  const next = code === "NoSuchBucket"
    ? '; create the bucket, or correct "large"'
    : isDenied(error)
    ? `; allow this identity ${neededRight(right, folder)}`
    : "";
  return messageOf(error) + next;
}

function neededRight(
  right: ObjectRight,
  { bucket, prefix }: ObjectFolder,
): string {
  const start = prefix === "" ? "" : `${prefix}/`;
  const needed = `${right} on arn:aws:s3:::${bucket}/${start}*`;
  // Without it, S3 answers 403 for a missing object.
  return right === "s3:GetObject"
    ? `${needed} and s3:ListBucket on arn:aws:s3:::${bucket}`
    : needed;
}

/** An object has more bytes than a caller takes. */
export class ObjectTooLargeError extends Error {
  /** A number of bytes that is less than its size. */
  readonly bytes: number;

  constructor(bytes: number) {
    super(`the object has more than ${bytes} bytes`);
    this.bytes = bytes;
  }
}

/** Options of a call. */
interface ObjectCall {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The objects of one bucket. Calls reject with an `SqsError` if S3 refuses the
 * request or cannot be reached, and with the signal's reason if that aborts.
 */
export interface ObjectStore {
  /** @throws {ObjectTooLargeError} If it has more than `maxBytes`. */
  get(
    key: string,
    options: ObjectCall & { readonly maxBytes: number },
  ): Promise<Uint8Array>;
  put(key: string, body: Uint8Array, options?: ObjectCall): Promise<void>;
  delete(key: string, options?: ObjectCall): Promise<void>;
  /** Closes the store's sockets. */
  close(): void;
}
