/**
 * The part of SQS that this package uses, and SQS's limits. The AWS SDK's
 * connection and the testing double implement it.
 *
 * A batch call takes 1 to 10 entries. Its results have the order of its
 * entries, so that no caller handles the ids of SQS's batches.
 *
 * @module
 */

import { SqsError } from "../errors.ts";

/** The most entries of a batch, and the most messages of a receive. */
export const MAX_BATCH = 10;

/** The most receives that a connection has sockets for. */
export const MAX_POLLS = 50;

/** The size limit of a message and of a whole batch, in bytes: 1 MiB. */
export const MAX_BYTES = 1_048_576;

/** The most attributes of a message (SQS, "Message quotas"). */
export const MAX_ATTRIBUTES = 10;

/** The longest delay of a message, in seconds: 15 minutes. */
export const MAX_DELAY_SECONDS = 900;

/** The longest long poll, in seconds. */
export const MAX_WAIT_SECONDS = 20;

/** The most messages of a queue in flight (SQS, "Quotas related to queues"). */
export const MAX_IN_FLIGHT = 120_000;

/** A message attribute as SQS has it. */
export interface WireAttribute {
  /** `String`, `Number` or `Binary`; a custom label may follow (`Number.int`). */
  readonly type: string;
  readonly value: string | Uint8Array;
}

/** Message attributes by name. */
export type WireAttributes = Readonly<Record<string, WireAttribute>>;

/** Why a message with these attributes cannot be read, if so. */
export function unreadableAttribute(attributes: object): string | undefined {
  // The SDK loses its value, and assigning it changes an object's prototype.
  return Object.hasOwn(attributes, "__proto__")
    ? 'its attribute "__proto__" has a name that no JavaScript program can use'
    : undefined;
}

/** A message to send. */
export interface OutgoingMessage {
  readonly body: string;
  readonly attributes: WireAttributes;
  readonly delaySeconds?: number;
  readonly groupId?: string;
  readonly deduplicationId?: string;
}

/** A received message. */
export interface ReceivedMessage {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: WireAttributes;
  /** How often SQS has delivered the message, this receive included. */
  readonly receiveCount: number;
  /** In milliseconds since the Unix epoch. */
  readonly sentAtMs: number;
  readonly groupId?: string;
  readonly deduplicationId?: string;
  /** The ARN of the queue from which SQS moved it to this dead-letter queue. */
  readonly deadLetterSource?: string;
  /** Why the message cannot be read; its job is bad input and never starts. */
  readonly unreadable?: string;
}

/** The part of a message that a job sees; it cannot settle the message. */
export type JobMessage =
  & Pick<
    ReceivedMessage,
    | "body"
    | "messageId"
    | "attributes"
    | "receiveCount"
    | "sentAtMs"
    | "groupId"
    | "unreadable"
  >
  & {
    /** The text that came from S3 in place of the notification's. */
    readonly fetched?: string;
  };

/** Why SQS refused an entry of a batch. */
export interface EntryFailure {
  readonly code: string;
  readonly message: string;
  readonly senderFault: boolean;
}

/** The result of an entry of a batch. */
export type EntryResult<T = unknown> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: EntryFailure };

/** The result of an entry that is missing in the server's answer. */
export const UNANSWERED: EntryResult<never> = {
  ok: false,
  failure: {
    code: "MissingResult",
    message: "SQS did not answer for this entry",
    senderFault: false,
  },
};

/** A message that SQS accepted. */
export interface Sent {
  readonly messageId: string;
  /** The position in its FIFO queue. */
  readonly sequenceNumber?: string;
}

/** The options of a receive. */
export interface ReceiveOptions {
  /** The most messages to receive, 1 to 10. */
  readonly maxMessages: number;
  /** How long SQS waits for a message, 0 to 20 seconds. */
  readonly waitTimeSeconds: number;
  /**
   * 0 to 43,200 seconds.
   *
   * @default {undefined} the queue's visibility timeout
   */
  readonly visibilityTimeoutSeconds?: number;
  /** FIFO queues: after a lost answer, the same id gives the same messages. */
  readonly attemptId?: string;
  /**
   * Called with the reason for each message that cannot be settled, or differs
   * from the sent one. It is not returned, and stays in the queue.
   */
  readonly onLeft?: (problem: string) => void;
  readonly signal?: AbortSignal;
}

/** A message's new visibility timeout. */
export interface VisibilityChange {
  readonly receiptHandle: string;
  /** From now on, 0 to 43,200 seconds. */
  readonly visibilityTimeoutSeconds: number;
}

/** A queue's attributes, as far as the server reports them. */
export interface QueueAttributes {
  readonly visibilityTimeoutSeconds?: number;
  readonly messageRetentionSeconds?: number;
  readonly delaySeconds?: number;
  /** In bytes. */
  readonly maximumMessageSize?: number;
  readonly visible?: number;
  readonly inFlight?: number;
  readonly delayed?: number;
  /** The queue's redrive policy. */
  readonly redrive?: {
    /** The dead-letter queue's ARN. */
    readonly deadLetterQueue: string;
    readonly maxReceiveCount: number;
  };
}

/** Options of every call. */
export interface CallOptions {
  readonly signal?: AbortSignal;
}

/**
 * A connection to SQS. Each call rejects with an `SqsError` if SQS refuses the
 * request or cannot be reached, and with the signal's reason if that aborts.
 */
export interface Connection {
  readonly region: string;
  /**
   * How far the server's clock is ahead of this machine's, in milliseconds. The
   * server gives its time in seconds: less than two of them count as 0.
   */
  readonly clockAheadMs: number;
  /** Looks up a queue's URL. */
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
  /** Closes the connection's sockets and cancels its timers. */
  close(): void;
}

/** The part of a connection that a producer uses. */
export type SendConnection = Pick<Connection, "send">;

/** The server that a connection uses. */
export interface ConnectOptions {
  /**
   * The AWS region.
   *
   * @default {undefined} the region of the AWS environment or profile, or
   * `us-east-1`
   */
  readonly region?: string;
  /**
   * The server's URL.
   *
   * @default {undefined} the region's SQS server
   */
  readonly endpoint?: string;
  /**
   * Whether to sign with made-up credentials, for a server on this machine.
   *
   * @default {false}
   */
  readonly local?: boolean;
  /**
   * Whether thousands of receives and releases follow, and nothing else that
   * matters: they take less CPU and memory.
   *
   * @default {false}
   */
  readonly sweeps?: boolean;
}

/** Whether an error means that a queue does not exist. */
export function isMissingQueue(error: unknown): boolean {
  return error instanceof SqsError && error.code === "QueueDoesNotExist";
}

/** Whether an error means that the AWS identity lacks a permission. */
export function isDenied(error: unknown): boolean {
  return error instanceof SqsError && error.code === "AccessDenied";
}

/** The codes of refusals that stay: no credentials, or ones AWS knows nothing of. */
const NO_CREDENTIALS: ReadonlySet<string> = new Set([
  "CaBundleUnreadable",
  "CredentialsProviderError",
  "InvalidAccessKeyId",
  "InvalidClientTokenId",
  "MissingAuthenticationToken",
  "RegionDenied",
  "UnrecognizedClientException",
]);

/**
 * Whether no further try can help: the queue is missing, access is denied, there
 * are no valid credentials, or the error is not SQS's. Everything else passes,
 * also if SQS blames the sender: a skewed clock, too many messages in flight,
 * expired credentials.
 */
export function isFinal(error: unknown): boolean {
  return !(error instanceof SqsError) || isMissingQueue(error) ||
    isDenied(error) || NO_CREDENTIALS.has(error.code);
}

/**
 * Whether SQS refuses a call because of who makes it, how or of what, so that
 * somebody must do something if that stays. Expired credentials may be renewed.
 */
export function isRefusal(error: unknown): boolean {
  return isFinal(error) ||
    (error instanceof SqsError && error.senderFault &&
      error.code !== "OverLimit");
}
export { MAX_VISIBILITY_SECONDS } from "../job_errors.ts";
