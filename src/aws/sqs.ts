/**
 * The one module that speaks to the AWS SDK. It is loaded when the first queue
 * is opened, so that all else loads fast and with no permission.
 *
 * @module
 */

import { lstatSync } from "node:fs";
import process from "node:process";
import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageBatchCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type Message,
  type MessageAttributeValue,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  type SendMessageBatchResultEntry,
  SQSClient,
  type SQSClientConfig,
} from "@aws-sdk/client-sqs";
import { agentMaker, type Agents } from "./sdk_workarounds.ts";
import { Md5, Sha256 } from "./sdk_workarounds.ts";
import {
  type CallOptions,
  type Connection,
  type ConnectOptions,
  type EntryResult,
  type OutgoingMessage,
  type QueueAttributes,
  type ReceivedMessage,
  type ReceiveOptions,
  type Sent,
  UNANSWERED,
  type VisibilityChange,
  type WireAttribute,
  type WireAttributes,
} from "../sqs/connection.ts";
import { isNotCapable, SqsError } from "../errors.ts";

/** How long a try of a call other than a receive may take, in milliseconds. */
const TRY_TIMEOUT_MS = 5_000;

/** The region where nothing else names one, as in zc.sqs. */
const DEFAULT_REGION = "us-east-1";

/**
 * Connects to SQS.
 *
 * @param options The region and endpoint, where they are given.
 * @param origin The server that a queue's URL names: used where neither the
 * options nor the environment name another.
 * @returns The connection.
 */
export async function connectToSqs(
  options: ConnectOptions,
  origin?: string,
): Promise<Connection> {
  const config = await clientConfig(options, origin);
  const makeAgents = await agentMaker(config.endpoint);
  return new SqsConnection(config, makeAgents);
}

/** The server that a connection would call, and the region it would sign for. */
export interface SqsServer {
  readonly url: URL;
  readonly region: string;
}

/** The part of a request of the SDK that tells where it goes. */
interface SqsRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
}

/**
 * Finds the server that {@linkcode connectToSqs} would call, as the SDK itself
 * does, and calls nothing there.
 *
 * @param options The region and endpoint, where they are given.
 * @param origin The server that a queue's URL names.
 * @returns The server.
 */
export async function findSqsServer(
  options: ConnectOptions,
  origin?: string,
): Promise<SqsServer> {
  const config = await clientConfig({ ...options, local: true }, origin);
  let url: URL | undefined;
  const client = new SQSClient({
    ...config,
    maxAttempts: 1,
    requestHandler: {
      handle({ protocol, hostname, port }: SqsRequest) {
        url = new URL(`${protocol}//${hostname}${port ? `:${port}` : ""}`);
        return Promise.reject(new Error("Not sent"));
      },
    },
  });
  try {
    await client.send(new GetQueueUrlCommand({ QueueName: "queue" }));
  } catch (error) {
    if (url === undefined) throw connectionError("GetQueueUrl", error);
  } finally {
    client.destroy();
  }
  return { url: url!, region: config.region };
}

/** What a client is made of, its region known. */
type ClientConfig = Omit<SQSClientConfig, "region" | "endpoint"> & {
  readonly region: string;
  readonly endpoint?: string;
};

async function clientConfig(
  options: ConnectOptions,
  origin: string | undefined,
): Promise<ClientConfig> {
  const endpoint = options.endpoint ??
    process.env.AWS_ENDPOINT_URL_SQS ?? process.env.AWS_ENDPOINT_URL ?? origin;
  const config: Omit<ClientConfig, "region"> = {
    // Servers answer with queue URLs whose host does not always resolve.
    useQueueUrlAsEndpoint: false,
    ...(endpoint ? { endpoint } : {}),
    ...(options.local
      ? { credentials: { accessKeyId: "local", secretAccessKey: "local" } }
      : {}),
  };
  // Where the environment names it the SDK looks no further.
  const region = options.region || process.env.AWS_REGION ||
    await environmentRegion(config);
  return { ...config, region };
}

/** The region of the AWS environment and profile, as the SDK finds it. */
async function environmentRegion(config: SQSClientConfig): Promise<string> {
  const client = new SQSClient(config);
  try {
    return await client.config.region();
  } catch (error) {
    if (isNotCapable(error)) throw error;
    if (process.env.AWS_DEFAULT_REGION) return process.env.AWS_DEFAULT_REGION;
    // The SDK takes a profile that it may not read for none.
    const { profileFiles } = await import("./profiles.ts");
    for (const file of profileFiles(process.env)) mustBeReadable(file);
    return DEFAULT_REGION;
  } finally {
    client.destroy();
  }
}

function mustBeReadable(file: string): void {
  try {
    lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if (!isNotCapable(error)) return;
    throw new SqsError(
      `No AWS region is given, and a profile may name one: ${
        (error as Error).message
      }`,
      { code: "RegionDenied", senderFault: true, cause: error },
    );
  }
}

/** What leads receives to the wire. */
type Receiver = ReturnType<ReceiveMessageCommand["resolveMiddleware"]>;

class SqsConnection implements Connection {
  readonly region: string;
  readonly #config: ClientConfig;
  readonly #makeAgents: () => Agents;
  readonly #receivers = new WeakMap<object, Receiver>();
  #callsClient: SQSClient | undefined;
  #pollsClient: SQSClient | undefined;

  constructor(config: ClientConfig, makeAgents: () => Agents) {
    this.region = config.region;
    this.#config = config;
    this.#makeAgents = makeAgents;
  }

  /**
   * Sends, deletes and changes: each try is cut short, and tried again. What
   * leads to the wire is put together once for all calls that cannot be aborted.
   */
  get #calls(): SQSClient {
    return this.#callsClient ??= this.#client({
      maxAttempts: 3,
      cacheMiddleware: true,
      requestHandler: {
        ...this.#makeAgents(),
        // From the start of a try: connecting counts.
        requestTimeout: TRY_TIMEOUT_MS,
        throwOnRequestTimeout: true,
      },
    });
  }

  /**
   * Receives: one try each, with sockets that no other call waits for. Who asks
   * cuts them.
   */
  get #polls(): SQSClient {
    return this.#pollsClient ??= this.#client({
      maxAttempts: 1,
      requestHandler: { ...this.#makeAgents() },
    });
  }

  /** A client that finds its credentials where the other one has. */
  #client(config: SQSClientConfig): SQSClient {
    const other = this.#callsClient ?? this.#pollsClient;
    return leanClient({
      ...this.#config,
      ...config,
      ...(other === undefined ? {} : { credentials: other.config.credentials }),
    });
  }

  async queueUrl(
    name: string,
    options: CallOptions & { readonly accountId?: string } = {},
  ): Promise<string> {
    const { QueueUrl } = await this.#call(
      "GetQueueUrl",
      options,
      (http) =>
        this.#calls.send(
          new GetQueueUrlCommand({
            QueueName: name,
            QueueOwnerAWSAccountId: options.accountId,
          }),
          http,
        ),
    );
    return QueueUrl!;
  }

  async attributes(
    url: string,
    options: CallOptions = {},
  ): Promise<QueueAttributes> {
    const { Attributes } = await this.#call(
      "GetQueueAttributes",
      options,
      (http) =>
        this.#calls.send(
          new GetQueueAttributesCommand({
            QueueUrl: url,
            AttributeNames: ["All"],
          }),
          http,
        ),
    );
    return {
      ...count("visibilityTimeoutSeconds", Attributes?.VisibilityTimeout),
      ...count("visible", Attributes?.ApproximateNumberOfMessages),
      ...count("inFlight", Attributes?.ApproximateNumberOfMessagesNotVisible),
      ...count("delayed", Attributes?.ApproximateNumberOfMessagesDelayed),
      ...redrive(Attributes?.RedrivePolicy),
    };
  }

  async send(
    url: string,
    messages: readonly OutgoingMessage[],
    options: CallOptions = {},
  ): Promise<EntryResult<Sent>[]> {
    const output = await this.#call(
      "SendMessage",
      options,
      (http) =>
        this.#calls.send(
          new SendMessageBatchCommand({
            QueueUrl: url,
            Entries: messages.map((message, position) => ({
              Id: String(position),
              MessageBody: message.body,
              DelaySeconds: message.delaySeconds,
              MessageGroupId: message.groupId,
              MessageDeduplicationId: message.deduplicationId,
              MessageAttributes: mapValues(message.attributes, toSdk),
            })),
          }),
          http,
        ),
    );
    return byPosition<SendMessageBatchResultEntry, Sent>(
      messages.length,
      output,
      (entry) => ({
        ok: true,
        value: {
          messageId: entry.MessageId!,
          ...(entry.SequenceNumber === undefined
            ? {}
            : { sequenceNumber: entry.SequenceNumber }),
        },
      }),
    );
  }

  async receive(
    url: string,
    options: ReceiveOptions,
  ): Promise<ReceivedMessage[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl: url,
      MaxNumberOfMessages: options.maxMessages,
      WaitTimeSeconds: options.waitTimeSeconds,
      VisibilityTimeout: options.visibilityTimeoutSeconds,
      ReceiveRequestAttemptId: options.attemptId,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
    });
    const { output } = await this.#call(
      "ReceiveMessage",
      options,
      (http) => this.#receiver(command, http)(command),
    );
    return (output.Messages ?? []).map(received);
  }

  /**
   * What leads a receive to the wire, put together once for each signal: the
   * client's `send` does that for calls without one alone, and else each time.
   */
  #receiver(
    command: ReceiveMessageCommand,
    http: { readonly abortSignal: AbortSignal } | undefined,
  ): Receiver {
    const key = http?.abortSignal ?? this;
    const known = this.#receivers.get(key);
    if (known !== undefined) return known;
    const { middlewareStack, config } = this.#polls;
    const made = command.resolveMiddleware(middlewareStack, config, http);
    this.#receivers.set(key, made);
    return made;
  }

  async delete(
    url: string,
    receiptHandles: readonly string[],
    options: CallOptions = {},
  ): Promise<EntryResult[]> {
    const output = await this.#call(
      "DeleteMessage",
      options,
      (http) =>
        this.#calls.send(
          new DeleteMessageBatchCommand({
            QueueUrl: url,
            Entries: receiptHandles.map((ReceiptHandle, position) => ({
              Id: String(position),
              ReceiptHandle,
            })),
          }),
          http,
        ),
    );
    return byPosition(receiptHandles.length, output, () => SETTLED);
  }

  async changeVisibility(
    url: string,
    changes: readonly VisibilityChange[],
    options: CallOptions = {},
  ): Promise<EntryResult[]> {
    const output = await this.#call(
      "ChangeMessageVisibility",
      options,
      (http) =>
        this.#calls.send(
          new ChangeMessageVisibilityBatchCommand({
            QueueUrl: url,
            Entries: changes.map((change, position) => ({
              Id: String(position),
              ReceiptHandle: change.receiptHandle,
              VisibilityTimeout: change.visibilityTimeoutSeconds,
            })),
          }),
          http,
        ),
    );
    return byPosition(changes.length, output, () => SETTLED);
  }

  close(): void {
    this.#callsClient?.destroy();
    this.#pollsClient?.destroy();
  }

  async #call<T>(
    operation: string,
    { signal }: CallOptions,
    run: (http: { abortSignal: AbortSignal } | undefined) => Promise<T>,
  ): Promise<T> {
    try {
      return await run(signal && { abortSignal: signal });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw connectionError(operation, error);
    }
  }
}

/**
 * A client that does less for each request. It prepares no log records: the SDK
 * copies every input and output for its default logger, which drops them. And it
 * makes its user agent once: the SDK asks the system for its release each time.
 */
function leanClient(config: SQSClientConfig): SQSClient {
  const client = new SQSClient({ ...config, md5: Md5, sha256: Sha256 });
  const logger: { info?: unknown } = client.config.logger;
  logger.info = undefined;
  const userAgent = client.config.defaultUserAgentProvider;
  let known: ReturnType<typeof userAgent> | undefined;
  client.config.defaultUserAgentProvider = () => known ??= userAgent();
  return client;
}

/** What a delete or a change of visibility that was done gives. */
const SETTLED: EntryResult = { ok: true, value: undefined };

/** The results of a batch at their entries' positions. */
function byPosition<S extends { Id?: string | undefined }, T>(
  length: number,
  output: {
    Successful?: S[] | undefined;
    Failed?:
      | {
        Id?: string | undefined;
        Code?: string | undefined;
        Message?: string | undefined;
        SenderFault?: boolean | undefined;
      }[]
      | undefined;
  },
  read: (entry: S) => EntryResult<T>,
): EntryResult<T>[] {
  const results: EntryResult<T>[] = Array.from({ length }, () => UNANSWERED);
  for (const entry of output.Successful ?? []) {
    results[Number(entry.Id)] = read(entry);
  }
  for (const entry of output.Failed ?? []) {
    results[Number(entry.Id)] = {
      ok: false,
      failure: {
        code: plainCode(entry.Code ?? "Unknown"),
        message: entry.Message ?? "no message",
        senderFault: isSendersFault(entry.SenderFault, entry.Code),
      },
    };
  }
  return results;
}

/** The attributes of most messages. */
const NONE: WireAttributes = Object.freeze({});

function received(message: Message): ReceivedMessage {
  const system = message.Attributes ?? {};
  return {
    messageId: message.MessageId!,
    receiptHandle: message.ReceiptHandle!,
    body: message.Body ?? "",
    attributes: message.MessageAttributes === undefined
      ? NONE
      : mapValues(message.MessageAttributes, fromSdk),
    receiveCount: Number(system.ApproximateReceiveCount ?? 1),
    sentAtMs: Number(system.SentTimestamp ?? 0),
    ...(system.MessageGroupId === undefined
      ? {}
      : { groupId: system.MessageGroupId }),
    ...(system.MessageDeduplicationId === undefined
      ? {}
      : { deduplicationId: system.MessageDeduplicationId }),
    ...(system.DeadLetterQueueSourceArn === undefined
      ? {}
      : { deadLetterSource: system.DeadLetterQueueSourceArn }),
  };
}

function toSdk({ type, value }: WireAttribute): MessageAttributeValue {
  return typeof value === "string"
    ? { DataType: type, StringValue: value }
    : { DataType: type, BinaryValue: value };
}

function fromSdk(attribute: MessageAttributeValue): WireAttribute {
  return {
    type: attribute.DataType ?? "String",
    value: attribute.BinaryValue ?? attribute.StringValue ?? "",
  };
}

function mapValues<A, B>(
  record: Readonly<Record<string, A>>,
  map: (value: A) => B,
): Record<string, B> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, map(value)]),
  );
}

function count<K extends string>(
  key: K,
  text: string | undefined,
): { [P in K]?: number } {
  return (text === undefined ? {} : { [key]: Number(text) }) as {
    [P in K]?: number;
  };
}

/** What a queue's redrive policy says, which is JSON. */
function redrive(policy: string | undefined): Pick<QueueAttributes, "redrive"> {
  if (!policy) return {};
  const { deadLetterTargetArn, maxReceiveCount } = JSON.parse(policy);
  return {
    redrive: {
      deadLetterQueue: deadLetterTargetArn,
      maxReceiveCount: Number(maxReceiveCount),
    },
  };
}

/** SQS's codes come with different namespaces from different servers. */
function plainCode(code: string): string {
  const plain = code.split(/[.#]/).at(-1)!;
  if (plain === "NonExistentQueue") return "QueueDoesNotExist";
  if (plain.startsWith("AccessDenied")) return "AccessDenied";
  return plain;
}

/** What the SDK threw, as an error that says which call failed and why. */
function connectionError(operation: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error instanceof SqsError || isNotCapable(error)) return error;
  const { code, errors, $fault, $metadata } = error as Error & {
    code?: string;
    errors?: readonly Error[];
    $fault?: string;
    $metadata?: { httpStatusCode?: number };
  };
  // A connection refused on every address of a host is an AggregateError.
  // The SDK's hints for programmers come on lines of their own.
  const said = error.message.split("\n")[0] ||
    (errors ?? []).map((each) => each.message).join(", ") || error.name;
  const message = said === "UnknownError"
    ? `the answer is not one of SQS (HTTP status ${$metadata?.httpStatusCode})`
    : said;
  return new SqsError(`${operation} failed: ${message}`, {
    code: plainCode(
      $fault === undefined ? (code ?? error.name) : error.name,
    ),
    senderFault: isSendersFault($fault === "client", error.name),
    cause: error,
  });
}

/** Throttling counts as the sender's fault in SQS; but a retry may help. */
function isSendersFault(
  isClients: boolean | undefined,
  code: string | undefined,
): boolean {
  return isClients === true && !/Throttl|TooManyRequests/.test(code ?? "");
}
