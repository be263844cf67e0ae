/**
 * A queue of the testing double as a test sees it.
 *
 * @module
 */

import { type Attributes, fromWire } from "../message/attributes.ts";
import { callArguments } from "../message/body.ts";
import {
  type Reading,
  type ReadMessage,
  readMessage,
} from "../message/reading.ts";
import { pointerOf, withFetched } from "../message/s3_pointer.ts";
import { objectUrl } from "../sqs/objects.ts";
import { shortBody, type StoredMessage } from "./message.ts";
import type { DoubleQueue } from "./queue.ts";

/** A message in a queue of the double. */
export interface TestMessage {
  /** SQS's id of the message. */
  readonly messageId: string;
  /** The body on the wire. */
  readonly body: string;
  /**
   * The positional arguments, as the queue's container reads them; otherwise as
   * its producer wrote them. `undefined` if the body cannot be read.
   */
  readonly args: readonly unknown[] | undefined;
  /** The keyword arguments; `undefined` if the body cannot be read. */
  readonly kwargs: Readonly<Record<string, unknown>> | undefined;
  /** The message's attributes. */
  readonly attributes: Attributes;
  /** The message's group, if it has one. */
  readonly groupId: string | undefined;
  /** When it was sent. */
  readonly sentAt: Date;
  /** How often it was received. */
  readonly receiveCount: number;
  /** Whether a receive would find it now. */
  readonly visible: boolean;
  /** When it becomes visible; a time in the past if it is visible. */
  readonly visibleAt: Date;
}

/** A queue of the double at one moment. */
export interface TestQueue {
  /** The queue's name. */
  readonly name: string;
  /** The queue's URL. */
  readonly url: string;
  /** The messages in the queue, visible or not, oldest first. */
  readonly messages: readonly TestMessage[];
  /** The bodies of the messages in the queue. */
  readonly bodies: readonly string[];
  /**
   * The arguments of each job, as a handler gets them: positional arguments,
   * then one object with the keyword arguments, if any.
   *
   * @throws {TypeError} If a body cannot be read; `messages` shows it.
   */
  readonly jobs: readonly (readonly unknown[])[];
  /** The deleted messages, in the order of their deletion. */
  readonly deleted: readonly TestMessage[];
}

/** How the messages of a queue are shown. */
interface ViewOptions {
  readonly reading: Reading;
  /** The texts that pointers lead to, by URL. */
  readonly objects: ReadonlyMap<string, string>;
}

/** Shows a queue at one moment. */
export function viewQueue(
  queue: DoubleQueue,
  nowMs: number,
  how: ViewOptions,
): TestQueue {
  const { name, url, deleted } = queue;
  const view = (message: StoredMessage) => viewOf(message, nowMs, how);
  const messages = queue.messages.map(view);
  return {
    name,
    url,
    messages,
    bodies: messages.map(({ body }) => body),
    // Computed on demand: it throws if a body cannot be read.
    get jobs() {
      return messages.map((message) => jobOf(name, message, how.reading));
    },
    deleted: deleted.map(view),
  };
}

function viewOf(
  message: StoredMessage,
  nowMs: number,
  how: ViewOptions,
): TestMessage {
  const job = tryRead(message, how);
  const { messageId, body, groupId, receiveCount, visibleAtMs } = message;
  return {
    messageId,
    body,
    args: job?.args,
    kwargs: job?.kwargs,
    attributes: fromWire(message.attributes),
    groupId,
    sentAt: new Date(message.sentAtMs),
    receiveCount,
    visible: visibleAtMs <= nowMs,
    visibleAt: new Date(visibleAtMs),
  };
}

function jobOf(
  queue: string,
  message: TestMessage,
  reading: Reading,
): readonly unknown[] {
  const { args, kwargs, body, messageId } = message;
  if (args === undefined || kwargs === undefined) {
    throw new TypeError(
      `Cannot read message ${messageId} of "${queue}" as a job: wanted ${
        wantedBody(reading)
      }, its body is ${shortBody(body)}`,
    );
  }
  return callArguments({ args, kwargs });
}

function wantedBody({ body, envelope }: Reading): string {
  const wanted = body === "job" ? "[args, kwargs]" : body;
  return envelope === undefined ? wanted : `an SNS notification of ${wanted}`;
}

function tryRead(
  message: StoredMessage,
  { reading, objects }: ViewOptions,
): ReadMessage | undefined {
  try {
    const place = pointerOf(message, reading);
    const text = place && objects.get(objectUrl(place));
    const whole = text === undefined
      ? message
      : withFetched(message, text, reading);
    return readMessage(whole, reading);
  } catch {
    return undefined;
  }
}
