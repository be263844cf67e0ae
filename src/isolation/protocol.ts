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

import { isVisibilitySeconds, type JobAbortReason } from "../job_errors.ts";
import { Buffer } from "node:buffer";
import type { Outcome } from "../job/decide.ts";
import type { BatchOutcome } from "../job/runner.ts";
import type { WorkerConfig } from "../job/worker.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import {
  decodeError,
  encodeError,
  type ErrorData,
} from "../logging/error_data.ts";
import type { Reading } from "../message/reading.ts";
import { LOG_METHODS, type Logger } from "../logging/loggers.ts";
import type { PermissionName } from "../permission_names.ts";
import type { JobMessage, WireAttribute } from "../sqs/connection.ts";

// A job may replace what all code of its process shares.
const { parse, stringify } = JSON;
const { byteLength } = Buffer;
const slice = Function.prototype.call.bind(String.prototype.slice) as (
  text: string,
  ...range: number[]
) => string;

/** The longest text of a log line from a child, in bytes of UTF-8. */
export const MAX_TEXT_BYTES = 65_536;

/** The longest frame from a child, in bytes of UTF-8. */
export const MAX_FRAME_BYTES = 1_048_576;

/** The longest name or message of an error in a frame that is too long. */
const MAX_SHORT = 100;

/** Takes the place of an error that makes a frame too long. */
const TOO_LARGE: ErrorData = { text: "[an error too large to send]" };

/** The first message of a child: it listens. */
export const HELLO = "zsqs";

/** What frames begin with, to and from one child: random, so hard to guess. */
export interface FrameKeys {
  readonly toChild: string;
  readonly fromChild: string;
}

/** What a child's worker is made with. */
export interface WorkerSetting {
  readonly config: WorkerConfig;
  readonly queue: string;
  readonly reading: Reading;
}

/** A frame from the container. */
export type ToChild = Readonly<
  /** Import the worker, unless a denied permission is held; it has no key. */
  | {
    type: "load";
    keys: FrameKeys;
    worker: WorkerSpec;
    file?: string | undefined;
    batch?: number | undefined;
    denied: readonly PermissionName[];
  }
  /** Call the worker's factory. */
  | ({ type: "make" } & WorkerSetting)
  /** `withMarks` asks for {@linkcode Mark}s. */
  | {
    type: "run";
    id: string;
    /** One, or all of a batch. */
    messages: readonly JobMessage[];
    withMarks: boolean;
  }
  | { type: "abort"; id: string; reason: JobAbortReason }
  | { type: "dispose" | "exit" }
>;

/** A frame from a child. */
export type FromChild = Readonly<
  /** The `load`, `make` or `dispose` step is done. */
  | { type: "ok" }
  | { type: "failed"; error: ErrorData }
  | Mark
  /** The run ended; the other members are its outcome. */
  | (OutcomeData & {
    type: "ended";
    id: string;
    /** The outcomes of single jobs, ... */
    own?: readonly OutcomeData[] | undefined;
    /** ... and how many: a job may change how arrays are written. */
    count?: number;
  })
  | ({ type: "log"; errors: readonly ErrorData[] } & LogText)
>;

/** An outcome that crosses processes. */
interface OutcomeData {
  readonly kind: Outcome["kind"];
  readonly error?: ErrorData;
  readonly delaySeconds?: number;
  /** In a batch, the job's position. */
  readonly position?: number;
}

/**
 * The job's handler is called next; it has returned, and may have left a promise;
 * its signal aborts next.
 */
export interface Mark {
  readonly type: "started" | "returned" | "aborting";
  readonly id: string;
}

/** A log line, without its errors. */
export interface LogText {
  readonly name: string;
  readonly level: keyof Logger;
  readonly text: string;
}

/** A decoded frame of a child; a job may have put anything into it. */
export type Untrusted = { readonly [Key in string]?: unknown };

/** Writes a frame for a child; before `load` the key is empty. */
export function encodeToChild(key: string, frame: ToChild): string {
  return key + stringify(
    frame.type === "run"
      ? { ...frame, messages: allWithValues(frame.messages, toJson) }
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
    ? { ...frame, messages: allWithValues(frame.messages, fromJson) }
    : frame;
}

/**
 * Writes a frame for the container. A frame that is too long loses its errors,
 * and then always fits. The errors of a batch's jobs keep names and messages, if
 * those fit.
 */
export function encodeFromChild(key: string, frame: FromChild): string {
  const text = key + stringified(frame);
  if (text !== key && !isTooLong(text)) return text;
  const own = "own" in frame ? frame.own : undefined;
  const short = own &&
    key + stringified({ ...frame, own: own.map(shortened) } as FromChild);
  if (short && short !== key && !isTooLong(short)) return short;
  return key + stringified({
    ...frame,
    ...("error" in frame ? { error: TOO_LARGE } : {}),
    ...("errors" in frame ? { errors: [TOO_LARGE] } : {}),
    ...(own === undefined ? {} : {
      own: own.map((each) => ({ ...each, error: TOO_LARGE })),
    }),
  } as FromChild);
}

/** An outcome whose error has its name and the start of its message. */
function shortened(outcome: OutcomeData): OutcomeData {
  const { error } = outcome;
  if (error === undefined || !("message" in error)) {
    return { ...outcome, error: TOO_LARGE };
  }
  const { brands } = error;
  const [name, message] = [error.name, error.message]
    .map((text) => slice(text, 0, MAX_SHORT)) as [string, string];
  const empty = { frames: "", data: {}, errors: [] };
  return { ...outcome, error: { ...empty, name, message, brands } };
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
 * Reads the log line in a `log` frame.
 *
 * @returns The line, or `undefined` if it is none.
 */
export function decodeLog(
  { name, level, text, errors }: Untrusted,
): (LogText & { readonly errors: readonly unknown[] }) | undefined {
  const known = LOG_METHODS.find((each) => each === level);
  return typeof name === "string" && typeof text === "string" &&
      Array.isArray(errors) && known !== undefined
    ? { name, level: known, text, errors: errors.map(decodeError) }
    : undefined;
}

/** Writes the members of an `ended` frame. */
export function encodeOutcomes(
  { outcome, own = [] }: BatchOutcome,
): OutcomeData & Pick<FromChild & { type: "ended" }, "own" | "count"> {
  if (own.length === 0) return encodeOutcome(outcome);
  return {
    ...encodeOutcome(outcome),
    own: own.map(({ position, outcome }) => ({
      ...encodeOutcome(outcome),
      position,
    })),
    count: own.length,
  };
}

function encodeOutcome(outcome: Outcome): OutcomeData {
  return {
    ...outcome,
    ...("error" in outcome ? { error: encodeError(outcome.error) } : {}),
  } as OutcomeData;
}

/**
 * Reads the outcomes in an `ended` frame.
 *
 * @param jobs How many jobs the run had.
 * @returns The outcomes, or `undefined` if they are not what a child writes.
 */
export function decodeOutcomes(
  frame: Untrusted,
  jobs: number,
): BatchOutcome | undefined {
  const outcome = decodeOutcome(frame);
  const { own = [], count = 0 } = frame;
  if (outcome === undefined || !Array.isArray(own) || own.length !== count) {
    return undefined;
  }
  const known = new Map<number, Outcome>();
  for (const each of own) {
    const data = Object(each) as Untrusted;
    const single = decodeOutcome(data);
    const { position } = data;
    const isPosition = Number.isInteger(position) && Number(position) >= 0 &&
      Number(position) < jobs;
    if (single === undefined || !isPosition) return undefined;
    known.set(position as number, single);
  }
  if (known.size !== count) return undefined;
  return {
    outcome,
    own: [...known].map(([position, outcome]) => ({ position, outcome })),
  };
}

function decodeOutcome(frame: Untrusted): Outcome | undefined {
  const { kind, error, delaySeconds } = frame;
  switch (kind) {
    case "done":
      return { kind };
    case "transient":
      return {
        kind,
        error: decodeError(error),
        ...(isVisibilitySeconds(delaySeconds) ? { delaySeconds } : {}),
      };
    case "failed":
    case "unfit":
    case "awsEvent":
    case "notCapable":
    case "workerError":
      return { kind, error: decodeError(error) };
  }
}

/** Whether a frame from a child is longer than one may be. */
export function isTooLong(frame: string): boolean {
  return byteLength(frame) > MAX_FRAME_BYTES;
}

const encoder = new TextEncoder();
const space = new Uint8Array(MAX_TEXT_BYTES);

/** The beginning of a text of a log line, as long as it may be. */
export function cutText(text: string): string {
  return slice(text, 0, encoder.encodeInto(text, space).read);
}

/** Without a prototype, as a job may give `Object.prototype` a `toJSON`. */
function stringified(frame: FromChild): string {
  try {
    return stringify({ __proto__: null, ...frame });
  } catch {
    return ""; // The JSON would be longer than a string can be.
  }
}

type Value = WireAttribute["value"];

function toJson(value: Value): Value {
  if (typeof value === "string") return value;
  // It has this form in the frame alone.
  const base64 = Buffer.from(value).toString("base64");
  return { base64 } as unknown as Uint8Array;
}

function fromJson(value: Value): Value {
  if (typeof value === "string") return value;
  const { base64 } = value as unknown as { base64: string };
  return new Uint8Array(Buffer.from(base64, "base64"));
}

/** Without a method of arrays, which a job may replace: none may get lost. */
function allWithValues(
  messages: readonly JobMessage[],
  map: typeof toJson,
): JobMessage[] {
  const changed: JobMessage[] = [];
  for (let i = 0; i < messages.length; i++) {
    changed[i] = withValues(messages[i]!, map);
  }
  return changed;
}

/** The part of a message that a job sees, the attributes' values changed. */
function withValues(message: JobMessage, map: typeof toJson): JobMessage {
  const { body, messageId, receiveCount, sentAtMs } = message;
  const { groupId, unreadable, fetched } = message;
  const attributes = Object.entries(message.attributes).map(
    ([name, { type, value }]) => [name, { type, value: map(value) }],
  );
  return {
    body,
    messageId,
    attributes: Object.fromEntries(attributes),
    receiveCount,
    sentAtMs,
    ...(groupId === undefined ? {} : { groupId }),
    ...(unreadable === undefined ? {} : { unreadable }),
    ...(fetched === undefined ? {} : { fetched }),
  };
}
