/**
 * How many messages a queue holds, and its dead-letter queue.
 *
 * @module
 */

import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import { messageOf, SqsError } from "../errors.ts";
import {
  type ConnectOptions,
  isDenied,
  type QueueAttributes,
} from "../sqs/connection.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";

/** Approximate numbers of a queue's messages; `null` if SQS gives none. */
export interface QueueDepth {
  readonly visible: number | null;
  readonly inFlight: number | null;
  readonly delayed: number | null;
}

export interface QueueStatus extends QueueDepth {
  readonly queue: string;
  readonly region: string;
  readonly deadLetter: DeadLetterStatus | null;
}

/** A dead-letter queue: its depth, or the reason why it is unknown. */
export type DeadLetterStatus =
  & { readonly queue: string }
  & (QueueDepth | { readonly error: string });

/**
 * Asks SQS for the state of a queue, given by its name, URL or ARN, and of its
 * dead-letter queue.
 *
 * @throws {TypeError} If `queue` is not the name, URL or ARN of a queue.
 * @throws {NonExistentQueueError} If the queue does not exist.
 * @throws {SqsError} If SQS cannot be reached or refuses.
 */
export async function queueStatus(
  queue: string,
  where: ConnectOptions,
): Promise<QueueStatus> {
  const { name, region, attributes } = await ask(queue, where);
  const deadLetter = attributes.redrive?.deadLetterQueue;
  return {
    queue: name,
    region,
    ...depthOf(attributes),
    deadLetter: deadLetter ? await deadLetterStatus(deadLetter, where) : null,
  };
}

/** A queue's attributes, or `undefined` without the right to read them. */
export async function readAttributes(
  { connection, url }: OpenQueue,
): Promise<QueueAttributes | undefined> {
  try {
    return await connection.attributes(url);
  } catch (error) {
    if (isDenied(error)) return undefined;
    throw error;
  }
}

async function ask(queue: string, where: ConnectOptions) {
  const { ref: { name }, url, connection } = await openQueue(queue, where);
  try {
    const attributes = await connection.attributes(url);
    return { name, region: connection.region, attributes };
  } catch (error) {
    if (!(error instanceof SqsError)) throw error;
    const { code, senderFault, message } = error;
    throw new SqsError(
      `Cannot get the status of queue "${name}": ${message}`,
      { code, senderFault, cause: error },
    );
  } finally {
    connection.close();
  }
}

async function deadLetterStatus(
  arn: string,
  where: ConnectOptions,
): Promise<DeadLetterStatus> {
  const queue = parseQueueRef(arn)?.name ?? arn;
  try {
    const { attributes } = await ask(arn, where);
    return { queue, ...depthOf(attributes) };
  } catch (error) {
    return { queue, error: messageOf(error) };
  }
}

function depthOf(attributes: QueueAttributes): QueueDepth {
  const { visible = null, inFlight = null, delayed = null } = attributes;
  return { visible, inFlight, delayed };
}
