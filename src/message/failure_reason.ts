/**
 * The reason that a failed message carries to its failures queue.
 *
 * @module
 */

import { errorSummary } from "../logging/error_data.ts";
import type { WireAttributes } from "../sqs/connection.ts";
import { parsed } from "./body.ts";
import { jsonString } from "./strict_json.ts";

/** The message attribute that holds the reason. */
export const FAILURE_ATTRIBUTE = "zsqs.failure";

/** The reason that a failed message carries. */
export interface FailureReason {
  /** The name of the queue that it came from. */
  readonly queue: string;
  /** Its id there. */
  readonly messageId: string;
  /** The error's name. */
  readonly error: string;
  readonly message: string;
  /** The frames of the user's code, where there is room for them. */
  readonly stack?: string;
  readonly receiveCount: number;
  readonly time: string;
  /** How often the message was sent to a failures queue, this time included. */
  readonly hops?: number;
  /** Whether the message could not be read: its copy lacks a part of it. */
  readonly unreadable?: boolean;
}

/** The most hops that are believed: anybody may have written them. */
const MOST_HOPS = 1_000;

/** Reads the reason of a failed message; anybody may have written it. */
export function readReason(
  attributes: WireAttributes,
): FailureReason | undefined {
  const reason = parse(attributes);
  const { queue, messageId, error, message, receiveCount, time } = reason;
  const { stack = "" } = reason;
  const texts = [queue, messageId, error, message, stack, time];
  return texts.every((text) => typeof text === "string") &&
      typeof receiveCount === "number"
    ? reason as unknown as FailureReason
    : undefined;
}

/**
 * How often a message was sent to a failures queue. Anybody may have written the
 * number. A wrong one counts as none, so that nobody can go below it.
 */
export function hopsOf(attributes: WireAttributes): number {
  const { hops } = parse(attributes);
  const isCount = Number.isInteger(hops) && Number(hops) > 0;
  return isCount ? Math.min(Number(hops), MOST_HOPS) : 0;
}

/**
 * The reason as ASCII JSON. If there is not enough room, the last frames of the
 * stack go first, then the end of the error's message.
 *
 * @returns The text, or `undefined` if there is no room for a reason.
 */
export function reasonText(
  { queue, messageId, ...rest }: Omit<
    FailureReason,
    "error" | "message" | "stack"
  >,
  error: unknown,
  maxBytes: number,
): string | undefined {
  const described = errorSummary(error);
  const name = described.name.slice(0, 100);
  const json = (message: string, stack?: string) =>
    asciiJson({
      ...{ queue, messageId, error: name, message },
      ...(stack ? { stack } : {}),
      ...rest,
    });
  let { message } = described;
  for (;;) {
    const over = json(message).length - maxBytes;
    if (over <= 0) break;
    if (message === "") return undefined;
    const length = message.length - Math.ceil(over / 6) - 1;
    message = message.slice(0, Math.max(0, length));
  }
  const frames = described.frames.slice(0, maxBytes).split("\n");
  while (json(message, frames.join("\n")).length > maxBytes) frames.pop();
  return json(message, frames.join("\n"));
}

/** The last reason: a list of messages asks for each one several times. */
let last: {
  readonly of: WireAttributes;
  readonly reason: Readonly<Record<string, unknown>>;
} | undefined;

function parse(attributes: WireAttributes): Readonly<Record<string, unknown>> {
  if (last?.of !== attributes) {
    const { value } = attributes[FAILURE_ATTRIBUTE] ?? {};
    last = { of: attributes, reason: Object(parsed(String(value))) };
  }
  return last.reason;
}

function asciiJson(
  value: Readonly<Record<string, string | number | boolean>>,
): string {
  const members = Object.entries(value).map(([key, member]) =>
    `${jsonString(key)}:${
      typeof member === "string" ? jsonString(member) : member
    }`
  );
  return `{${members.join(",")}}`.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
