/**
 * An SQS trigger of AWS Lambda. It receives from a queue, calls a function with
 * the event, and deletes the messages that the function does not return.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { LambdaHandler, SqsRecord } from "../../lambda.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import type {
  ConnectOptions,
  OutgoingMessage,
  ReceivedMessage,
  WireAttribute,
} from "../../src/sqs/connection.ts";

const ARN = "arn:aws:sqs:us-east-1:000000000000:";

/** A record of a test, whose message was never in a queue. */
export function record(
  id: string,
  args: readonly unknown[],
  more: Partial<SqsRecord> & { queue?: string; groupId?: string } = {},
): SqsRecord {
  const { queue = "adder", groupId, ...members } = more;
  return {
    messageId: id,
    receiptHandle: `handle of ${id}`,
    body: JSON.stringify([args, {}]),
    attributes: {
      ApproximateReceiveCount: "1",
      SentTimestamp: "1700000000000",
      ...(groupId === undefined ? {} : { MessageGroupId: groupId }),
    },
    messageAttributes: {},
    eventSourceARN: ARN + queue,
    ...members,
  };
}

/** A received message as Lambda's record of it. */
function recordOf(message: ReceivedMessage, queue: string): SqsRecord {
  const { messageId, receiptHandle, body, receiveCount, sentAtMs, groupId } =
    message;
  return {
    messageId,
    receiptHandle,
    body,
    attributes: {
      ApproximateReceiveCount: String(receiveCount),
      SentTimestamp: String(sentAtMs),
      ...(groupId === undefined ? {} : { MessageGroupId: groupId }),
    },
    messageAttributes: Object.fromEntries(
      Object.entries(message.attributes).map(([name, each]) => [
        name,
        attributeOf(each),
      ]),
    ),
    eventSourceARN: ARN + queue,
  };
}

function attributeOf({ type, value }: WireAttribute) {
  return typeof value === "string"
    ? { dataType: type, stringValue: value }
    : { dataType: type, binaryValue: Buffer.from(value).toString("base64") };
}

/** The context of an invocation that has so many milliseconds left. */
export function withTime(leftMs: number) {
  return { getRemainingTimeInMillis: () => leftMs };
}

/** The ids in a response. */
export async function returned(
  response: ReturnType<LambdaHandler>,
): Promise<string[]> {
  const { batchItemFailures } = await response;
  return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
}

/** A trigger on a queue of the double, or of a server. */
export class Trigger {
  readonly #queue: string;
  readonly #server: ConnectOptions;

  constructor(queue: string, server: ConnectOptions = {}) {
    this.#queue = queue;
    this.#server = server;
  }

  /** Sends messages as they are. */
  async send(...messages: readonly Partial<OutgoingMessage>[]): Promise<void> {
    const { connection, url } = await openQueue(this.#queue, this.#server);
    const whole = messages.map((message) => ({
      body: "[[],{}]",
      attributes: {},
      ...message,
    }));
    await connection.send(url, whole);
    connection.close();
  }

  /** Receives up to ten messages, and returns their event. */
  async receive(): Promise<{ readonly Records: readonly SqsRecord[] }> {
    const { connection, url } = await openQueue(this.#queue, this.#server);
    const messages = await connection.receive(url, {
      maxMessages: 10,
      waitTimeSeconds: 0,
    });
    connection.close();
    return {
      Records: messages.map((message) => recordOf(message, this.#queue)),
    };
  }

  /** Calls the function for the visible messages; returns how many came back. */
  async invoke(handler: LambdaHandler, leftMs = 30_000): Promise<number> {
    const event = await this.receive();
    const ids = await returned(handler(event, withTime(leftMs)));
    await this.settle(event.Records, ids);
    return ids.length;
  }

  /** Deletes the messages that a function has not returned, as Lambda does. */
  async settle(
    records: readonly SqsRecord[],
    ids: readonly string[],
  ): Promise<void> {
    const known = new Set(records.map(({ messageId }) => messageId));
    // Lambda takes an unknown id for the failure of all.
    if (ids.some((id) => !known.has(id))) return;
    const done = records.filter(({ messageId }) => !ids.includes(messageId))
      .map(({ receiptHandle }) => receiptHandle);
    if (done.length === 0) return;
    const { connection, url } = await openQueue(this.#queue, this.#server);
    await connection.delete(url, done);
    connection.close();
  }
}
