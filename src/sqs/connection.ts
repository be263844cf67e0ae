/**
 * The small part of SQS that this package speaks: what the engine and the
 * producer see of a server, and what the testing double implements.
 *
 * Every call that takes entries takes 1 to 10 of them and answers for each at
 * its own position, so that nobody handles the ids of SQS's batches.
 *
 * @module
 */

import { SqsError } from "../errors.ts";

/** SQS's limit on the entries of a batch, and on what a receive brings. */
export const MAX_BATCH = 10;

/**
 * A message attribute as it is on the wire: SQS's data type, which may carry a
 * custom label (`Number.int`), and its value, binary ones as bytes.
 */
export interface WireAttribute {
  readonly type: string;
  readonly value: string | Uint8Array;
}

/** Message attributes by name. */
export type WireAttributes = Readonly<Record<string, WireAttribute>>;

/** A message to send. */
export interface OutgoingMessage {
  readonly body: string;
  readonly attributes: WireAttributes;
  readonly delaySeconds?: number;
  readonly groupId?: string;
  readonly deduplicationId?: string;
}

/** A message received. */
export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: WireAttributes;
  /** How often the message has been received, this time included. */
  readonly receiveCount: number;
  /** When it was sent, in milliseconds since the Unix epoch. */
  readonly sentAtMs: number;
  readonly groupId?: string;
  readonly deduplicationId?: string;
  /** The ARN of the queue from which SQS moved it here, as nobody did it. */
  readonly deadLetterSource?: string;
}

/** A message as a job has it: nothing with which to settle it. */
export type JobMessage = Pick<
  ReceivedMessage,
  | "body"
  | "messageId"
  | "attributes"
  | "receiveCount"
  | "sentAtMs"
  | "groupId"
>;

/** One entry of a batch that SQS refused. */
export interface EntryFailure {
  readonly code: string;
  readonly message: string;
  readonly senderFault: boolean;
}

/** One entry's result: a refusal, or what SQS answered. */
export type EntryResult<T = unknown> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: EntryFailure };

/** The result of an entry that a server does not answer for. */
export const UNANSWERED: EntryResult<never> = {
  ok: false,
  failure: {
    code: "MissingResult",
    message: "SQS did not answer for this entry",
    senderFault: false,
  },
};

/** A message sent. */
export interface Sent {
  readonly messageId: string;
  /** The position SQS gave it in its FIFO queue. */
  readonly sequenceNumber?: string;
}

/** What a receive asks for. */
export interface ReceiveOptions {
  /** How many messages at most, 1 to 10. */
  readonly maxMessages: number;
  /** How long SQS may wait for a first one, 0 to 20 seconds. */
  readonly waitTimeSeconds: number;
  /** Asked for in place of the queue's own, 0 to 43,200 seconds. */
  readonly visibilityTimeoutSeconds?: number;
  /** On FIFO queues: the same id after a lost answer gives the same messages. */
  readonly attemptId?: string;
  readonly signal?: AbortSignal;
}

/** A message's new visibility timeout. */
export interface VisibilityChange {
  readonly receiptHandle: string;
  /** From now on, 0 to 43,200 seconds. */
  readonly visibilityTimeoutSeconds: number;
}

/** What SQS tells of a queue. */
export interface QueueAttributes {
  /** The queue's own visibility timeout, in seconds. */
  readonly visibilityTimeoutSeconds?: number;
  readonly visible?: number;
  readonly inFlight?: number;
  readonly delayed?: number;
  /** Where SQS moves what is received too often. */
  readonly redrive?: {
    /** The dead-letter queue, by its ARN. */
    readonly deadLetterQueue: string;
    readonly maxReceiveCount: number;
  };
}

/** What a call may carry. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** SQS, as far as this package needs it. */
export interface Connection {
  /** The region that it speaks to. */
  readonly region: string;
  /**
   * A queue's URL.
   *
   * @throws {SqsError} `QueueDoesNotExist` where there is none.
   */
  queueUrl(
    name: string,
    options?: CallOptions & { readonly accountId?: string },
  ): Promise<string>;
  attributes(url: string, options?: CallOptions): Promise<QueueAttributes>;
  send(
    url: string,
    messages: readonly OutgoingMessage[],
    options?: CallOptions,
  ): Promise<EntryResult<Sent>[]>;
  receive(url: string, options: ReceiveOptions): Promise<ReceivedMessage[]>;
  delete(
    url: string,
    receiptHandles: readonly string[],
    options?: CallOptions,
  ): Promise<EntryResult[]>;
  changeVisibility(
    url: string,
    changes: readonly VisibilityChange[],
    options?: CallOptions,
  ): Promise<EntryResult[]>;
  /** Gives up what the connection holds: sockets, timers. */
  close(): void;
}

/** What a producer needs of a connection. */
export type SendConnection = Pick<Connection, "send">;

/** Where a connection leads. */
export interface ConnectOptions {
  /** The region; else the AWS environment's and profile's, else `us-east-1`. */
  readonly region?: string;
  /** The server's URL in place of the region's own. */
  readonly endpoint?: string;
  /** Signs with made-up credentials, for a server on this machine. */
  readonly local?: boolean;
}

/** Whether an error says that a queue does not exist. */
export function isMissingQueue(error: unknown): boolean {
  return error instanceof SqsError &&
    error.code === "QueueDoesNotExist";
}

/** Whether an error says that a right is missing. */
export function isDenied(error: unknown): boolean {
  return error instanceof SqsError && error.code === "AccessDenied";
}
