/**
 * A message in a queue of the testing double.
 *
 * @module
 */

import {
  type ReceivedMessage,
  unreadableAttribute,
} from "../sqs/connection.ts";
import { quote } from "../text.ts";

/**
 * How often a queue delivers a message while the clock stands still. Without a
 * limit, a job that is always retried with no delay would hang its test.
 */
const MAX_RECEIVES_AT_ONCE = 1000;

/** A message as a queue of the double stores it. */
export interface StoredMessage
  extends Omit<ReceivedMessage, "receiptHandle" | "receiveCount"> {
  /** How often it was received, in every queue that it has been in. */
  receiveCount: number;
  /** When it becomes visible, in milliseconds of the clock. */
  visibleAtMs: number;
  /** When it was last received: the 12-hour limit counts from here. */
  receivedAtMs?: number;
  /** The receipt handle of the last receive. */
  receiptHandle?: string;
  readonly note: Note;
}

/** What the queue that holds a message remembers about it. */
export interface Note {
  /** Its place among all messages sent to the queue. */
  readonly position: number;
  hidden: boolean;
  /** Whether it is received and hidden; a delayed message is only hidden. */
  inFlight: boolean;
  /** How often this queue delivered it; the redrive policy counts these. */
  receives: number;
  /** How often this queue delivered it since the clock last moved. */
  receivesAtOnce: number;
}

/** What a receive returns of a message. */
export function received(
  message: StoredMessage,
  receiptHandle: string,
): ReceivedMessage {
  const { visibleAtMs: _v, receivedAtMs: _r, note: _n, ...shown } = message;
  const unreadable = unreadableAttribute(message.attributes);
  return {
    ...shown,
    receiptHandle,
    ...(unreadable === undefined ? {} : { unreadable }),
  };
}

/**
 * Counts a receive.
 *
 * @throws {Error} If the message is received forever while no time passes.
 */
export function countReceive(
  message: StoredMessage,
  queue: string,
  nowMs: number,
): void {
  const { note, messageId, body, receivedAtMs } = message;
  note.receivesAtOnce = receivedAtMs === nowMs ? note.receivesAtOnce + 1 : 1;
  if (note.receivesAtOnce > MAX_RECEIVES_AT_ONCE) {
    throw new Error(
      `Cannot deliver message ${messageId} of "${queue}" again after ${MAX_RECEIVES_AT_ONCE} receives while the clock stood still: retry its job with a delay. Its body is ${
        shortBody(body)
      }`,
    );
  }
  note.receives++;
  message.receiveCount++;
}

/** A body for an error message: its start, quoted. */
export function shortBody(body: string): string {
  return quote(body.length > 200 ? `${body.slice(0, 200)}...` : body);
}
