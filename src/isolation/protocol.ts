/**
 * What a container's process and those of its jobs tell each other.
 *
 * Messages are JSON text, as the channel's own encoding changes some strings
 * and numbers. A job can write to its process's end of the channel, and read
 * there, so a secret that the process is told before it loads the worker starts
 * what it tells, and signs what it is told.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { JobMessage, WireAttributes } from "../sqs/connection.ts";
import type { ErrorData } from "../logging/error_data.ts";
import type { JobAbortReason } from "../errors.ts";
import type { Logger } from "../logging/loggers.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";

// Jobs may replace what all code shares.
const { parse, stringify } = JSON;
const slice = Function.prototype.call.bind(String.prototype.slice) as (
  text: string,
  ...range: number[]
) => string;

const SIGNATURE_LENGTH = 64;

/** A process's first word, when it listens. */
export const HELLO = "zsqs";

/** What a job's process is told. */
export type ToChild =
  /** Import the worker, holding no permissions but these. */
  | {
    readonly type: "load";
    readonly secret: string;
    readonly worker: WorkerSpec;
    readonly file?: string;
    readonly granted: readonly string[];
  }
  /** Call the worker's factory. */
  | {
    readonly type: "make";
    readonly config: Readonly<Record<string, string | undefined>>;
    readonly queue: string;
  }
  | {
    readonly type: "run";
    readonly id: number;
    readonly message: JobMessage;
  }
  | {
    readonly type: "abort";
    readonly id: number;
    readonly reason: JobAbortReason;
  }
  /** Dispose the worker. */
  | { readonly type: "dispose" }
  /** End. */
  | { readonly type: "exit" };

/** What a job's process tells. */
export type FromChild =
  /** What it was told to do, other than to run a job, is done. */
  | { readonly type: "ok" }
  /** Or cannot be done. */
  | { readonly type: "failed"; readonly error: ErrorData }
  /** A job's handler returned. */
  | { readonly type: "done"; readonly id: number }
  | { readonly type: "threw"; readonly id: number; readonly error: ErrorData }
  /** Something is to be logged, by a job if its id is known. */
  | {
    readonly type: "log";
    readonly name: string;
    readonly level: keyof Logger;
    readonly text: string;
    readonly errors: readonly ErrorData[];
    readonly id?: number;
  };

/** What may be known of a message that a job's process sent. */
export type Untrusted = { readonly [Key in string]?: unknown };

/** Writes what a job's process is told. */
export function encodeToChild(secret: string, message: ToChild): string {
  const text = stringify(
    message.type === "run"
      ? { ...message, message: packMessage(message.message) }
      : message,
  );
  return sign(secret, text) + text;
}

/**
 * Reads what this process, of a job, was told.
 *
 * @returns The message; nothing where it is not from the container's process.
 */
export function decodeToChild(
  secret: string,
  text: unknown,
): ToChild | undefined {
  if (typeof text !== "string") return undefined;
  const signature = secret === "" ? "" : slice(text, 0, SIGNATURE_LENGTH);
  const rest = slice(text, signature.length);
  if (signature !== sign(secret, rest)) return undefined;
  const message = parse(rest) as ToChild;
  return message.type === "run"
    ? { ...message, message: unpackMessage(message.message) }
    : message;
}

/** Writes what this process, of a job, tells. */
export function encodeFromChild(secret: string, message: FromChild): string {
  return secret + stringify(message);
}

/**
 * Reads what a job's process told.
 *
 * @returns The message, in which anything may be; nothing for what the job
 * itself wrote to the channel.
 */
export function decodeFromChild(
  secret: string,
  text: unknown,
): Untrusted | undefined {
  if (typeof text !== "string" || !text.startsWith(secret)) return undefined;
  return parse(text.slice(secret.length)) as Untrusted;
}

/** Nothing is signed before the secret is known. */
function sign(secret: string, text: string): string {
  return secret === ""
    ? ""
    // The secret at both ends lets nobody go on from a hash that they saw.
    : createHash("sha256").update(secret + text + secret).digest("hex");
}

function packMessage(message: JobMessage): JobMessage {
  const { body, messageId, attributes, receiveCount, sentAtMs } = message;
  return {
    body,
    messageId,
    attributes: mapValues(
      attributes,
      (value) =>
        typeof value === "string"
          ? value
          : { base64: Buffer.from(value).toString("base64") },
    ) as WireAttributes,
    receiveCount,
    sentAtMs,
    ...(message.groupId === undefined ? {} : { groupId: message.groupId }),
  };
}

function unpackMessage(message: JobMessage): JobMessage {
  const attributes = mapValues(
    message.attributes,
    (value) =>
      typeof value === "string" ? value : new Uint8Array(
        Buffer.from(
          (value as unknown as { base64: string }).base64,
          "base64",
        ),
      ),
  ) as WireAttributes;
  return { ...message, attributes };
}

function mapValues(
  attributes: WireAttributes,
  map: (value: string | Uint8Array) => unknown,
): unknown {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { type, value }]) => [
      name,
      { type, value: map(value) },
    ]),
  );
}
