/**
 * How many messages a queue holds, and its dead-letter queue.
 *
 * @module
 */

import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import { messageOf, SqsError } from "../errors.ts";
import {
  type CallOptions,
  type ConnectOptions,
  isDenied,
  type QueueAttributes,
} from "../sqs/connection.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";

/** Approximate numbers of a queue's messages; `null` if SQS gives none. */
interface QueueDepth {
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
type DeadLetterStatus =
  & { readonly queue: string }
  & (QueueDepth | { readonly error: string });

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

/**
 * Reads the status of a queue, given by its name, URL or ARN, and of its
 * dead-letter queue. It opens each of them once, however often it reads.
 */
export class StatusReader implements Disposable {
  readonly #queue: string;
  readonly #where: ConnectOptions;
  #open: OpenQueue | undefined;
  /** Reads the dead-letter queue with this ARN. */
  #deadLetter:
    | { readonly arn: string; readonly reader: StatusReader }
    | undefined;

  constructor(queue: string, where: ConnectOptions) {
    this.#queue = queue;
    this.#where = where;
  }

  /**
   * Asks SQS.
   *
   * @throws {TypeError} If the queue is not a name, URL or ARN of a queue.
   * @throws {NonExistentQueueError} If the queue does not exist.
   * @throws {SqsError} If SQS cannot be reached or refuses.
   */
  async read(options: CallOptions = {}): Promise<QueueStatus> {
    const attributes = await this.#ask(options);
    const { ref: { name }, connection: { region } } = this.#open!;
    const arn = attributes.redrive?.deadLetterQueue;
    return {
      queue: name,
      region,
      ...depthOf(attributes),
      deadLetter: arn ? await this.#readDeadLetter(arn, options) : null,
    };
  }

  async #ask(options: CallOptions): Promise<QueueAttributes> {
    this.#open ??= await openQueue(this.#queue, { ...this.#where, ...options });
    const { ref: { name }, url, connection } = this.#open;
    try {
      return await connection.attributes(url, options);
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      const { code, senderFault, message } = error;
      throw new SqsError(
        `Cannot get the status of queue "${name}": ${message}`,
        { code, senderFault, cause: error },
      );
    }
  }

  async #readDeadLetter(
    arn: string,
    options: CallOptions,
  ): Promise<DeadLetterStatus> {
    if (this.#deadLetter?.arn !== arn) {
      this.#deadLetter?.reader[Symbol.dispose]();
      this.#deadLetter = { arn, reader: new StatusReader(arn, this.#where) };
    }
    const queue = parseQueueRef(arn)?.name ?? arn;
    try {
      const attributes = await this.#deadLetter.reader.#ask(options);
      return { queue, ...depthOf(attributes) };
    } catch (error) {
      return { queue, error: messageOf(error) };
    }
  }

  [Symbol.dispose](): void {
    this.#open?.connection.close();
    this.#deadLetter?.reader[Symbol.dispose]();
  }
}

function depthOf(attributes: QueueAttributes): QueueDepth {
  const { visible = null, inFlight = null, delayed = null } = attributes;
  return { visible, inFlight, delayed };
}
