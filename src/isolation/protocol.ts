/**
 * The frames that a container and its child processes exchange.
 *
 * A frame is a key and then JSON text: the channel's own encoding changes some
 * strings and numbers. A child gets its two keys before it loads the worker: a job
 * that finds the channel's descriptor cannot write a valid frame.
 * Jobs of one process share a heap and trust each other.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { PermissionName } from "../config/options.ts";
import { isVisibilitySeconds, type JobAbortReason } from "../errors.ts";
import type { Outcome } from "../job/decide.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import { decodeError, type ErrorData } from "../logging/error_data.ts";
import type { Logger } from "../logging/loggers.ts";
import type { JobMessage, WireAttributes } from "../sqs/connection.ts";

// A job may replace what all code of its process shares.
const { parse, stringify } = JSON;
const slice = Function.prototype.call.bind(String.prototype.slice) as (
  text: string,
  ...range: number[]
) => string;

/** The longest text in a frame from a child, in UTF-16 units. */
export const MAX_TEXT_LENGTH = 65_536;

/** The longest frame from a child, in UTF-16 units. */
export const MAX_FRAME_LENGTH = 1_048_576;

/** Takes the place of an error that makes a frame too long. */
const TOO_LARGE: ErrorData = { text: "[an error too large to send]" };

/** The first message of a child: it listens. */
export const HELLO = "zsqs";

/** What frames begin with, to and from one child: random, so hard to guess. */
export interface FrameKeys {
  readonly toChild: string;
  readonly fromChild: string;
}

/** A frame from the container. */
export type ToChild =
  /** Import the worker, unless a denied permission is held; it has no key. */
  | {
    readonly type: "load";
    readonly keys: FrameKeys;
    readonly worker: WorkerSpec;
    readonly file?: string;
    readonly denied: readonly PermissionName[];
  }
  /** Call the worker's factory. */
  | {
    readonly type: "make";
    readonly config: Readonly<Record<string, string | undefined>>;
    readonly queue: string;
  }
  | {
    readonly type: "run";
    readonly id: string;
    readonly message: JobMessage;
    /** Whether to send `started`, which costs a quarter of the throughput. */
    readonly reportStart: boolean;
  }
  | {
    readonly type: "abort";
    readonly id: string;
    readonly reason: JobAbortReason;
  }
  | { readonly type: "dispose" }
  | { readonly type: "exit" };

/** A frame from a child. */
export type FromChild =
  /** The `load`, `make` or `dispose` step is done. */
  | { readonly type: "ok" }
  /** The step failed. */
  | { readonly type: "failed"; readonly error: ErrorData }
  /** The job's handler is called next. */
  | { readonly type: "started"; readonly id: string }
  /** The job ended; the other members are its outcome. */
  | {
    readonly type: "ended";
    readonly id: string;
    readonly kind: Outcome["kind"];
    readonly error?: ErrorData;
    readonly delaySeconds?: number;
  }
  | {
    readonly type: "log";
    readonly name: string;
    readonly level: keyof Logger;
    readonly text: string;
    readonly errors: readonly ErrorData[];
  };

/** A decoded frame of a child; a job may have put anything into it. */
export type Untrusted = { readonly [Key in string]?: unknown };

/** Writes a frame for a child; before `load` the key is empty. */
export function encodeToChild(key: string, frame: ToChild): string {
  return key + stringify(
    frame.type === "run"
      ? { ...frame, message: packMessage(frame.message) }
      : frame,
  );
}

/**
 * Reads a frame from the container.
 *
 * @returns The frame, or `undefined` if it does not begin with the key.
 */
export function decodeToChild(key: string, text: unknown): ToChild | undefined {
  if (typeof text !== "string" || slice(text, 0, key.length) !== key) {
    return undefined;
  }
  const frame = parse(slice(text, key.length)) as ToChild;
  return frame.type === "run"
    ? { ...frame, message: unpackMessage(frame.message) }
    : frame;
}

/**
 * Writes a frame for the container. A frame that is too long loses its errors,
 * and then always fits.
 */
export function encodeFromChild(key: string, frame: FromChild): string {
  const text = stringified(frame);
  if (text !== undefined && text.length + key.length <= MAX_FRAME_LENGTH) {
    return key + text;
  }
  return key + stringified({
    ...frame,
    ...("error" in frame ? { error: TOO_LARGE } : {}),
    ...("errors" in frame ? { errors: [TOO_LARGE] } : {}),
  });
}

/**
 * Reads a frame of a child.
 *
 * @returns The frame, or `undefined` if something else than the child's own
 * program wrote it.
 */
export function decodeFromChild(
  key: string,
  text: unknown,
): Untrusted | undefined {
  if (typeof text !== "string" || !text.startsWith(key)) return undefined;
  try {
    return Object(parse(text.slice(key.length)));
  } catch {
    return undefined;
  }
}

/**
 * Reads the outcome in an `ended` frame.
 *
 * @returns The outcome, or `undefined` if there is no such kind.
 */
export function decodeOutcome(
  { kind, error, delaySeconds }: Untrusted,
): Outcome | undefined {
  switch (kind) {
    case "done":
      return { kind };
    case "transient":
      return {
        kind,
        error: decodeError(error),
        ...(isVisibilitySeconds(delaySeconds) ? { delaySeconds } : {}),
      };
    case "aborted":
    case "notCapable":
    case "failed":
      return { kind, error: decodeError(error) };
  }
}

/** Without a prototype, as a job may give `Object.prototype` a `toJSON`. */
function stringified(frame: FromChild): string | undefined {
  try {
    return stringify({ __proto__: null, ...frame });
  } catch {
    // JSON that is longer than a string can be.
    return undefined;
  }
}

function packMessage(message: JobMessage): JobMessage {
  const { body, messageId, attributes, receiveCount, sentAtMs, groupId } =
    message;
  return {
    body,
    messageId,
    attributes: mapValues(
      attributes,
      (value) =>
        typeof value === "string"
          ? value
          : { base64: Buffer.from(value).toString("base64") },
    ),
    receiveCount,
    sentAtMs,
    ...(groupId === undefined ? {} : { groupId }),
  };
}

function unpackMessage(message: JobMessage): JobMessage {
  const attributes = mapValues(
    message.attributes,
    (value) =>
      typeof value === "string" ? value : new Uint8Array(
        Buffer.from((value as unknown as { base64: string }).base64, "base64"),
      ),
  );
  return { ...message, attributes };
}

function mapValues(
  attributes: WireAttributes,
  map: (value: string | Uint8Array) => unknown,
): WireAttributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { type, value }]) => [
      name,
      { type, value: map(value) },
    ]),
  ) as WireAttributes;
}
