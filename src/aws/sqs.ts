/**
 * The connection to SQS through the AWS SDK. It is loaded when the first queue
 * is opened: everything else loads fast and without permissions.
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
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
  type SQSClientConfig,
} from "@aws-sdk/client-sqs";
import {
  agentMaker,
  type Agents,
  Md5,
  ReceiveMiddleware,
  Sha256,
} from "./sdk_workarounds.ts";
import {
  byPosition,
  mapValues,
  queueAttributes,
  received,
  sent,
  SETTLED,
  sqsError,
  toSdk,
} from "./sqs_values.ts";
import type {
  CallOptions,
  Connection,
  ConnectOptions,
  EntryResult,
  OutgoingMessage,
  QueueAttributes,
  ReceivedMessage,
  ReceiveOptions,
  Sent,
  VisibilityChange,
} from "../sqs/connection.ts";
import { isNotCapable, SqsError } from "../errors.ts";

/** The time limit of each try of a call other than a receive. */
const TRY_TIMEOUT_MS = 5_000;

/** The region if nothing names another, as in zc.sqs. */
const DEFAULT_REGION = "us-east-1";

/**
 * Connects to SQS.
 *
 * @param options The region and endpoint.
 * @param origin The origin of the queue's URL: the server if neither the options
 * nor the environment name another.
 */
export async function connectToSqs(
  options: ConnectOptions,
  origin?: string,
): Promise<Connection> {
  const config = await clientConfig(options, origin);
  const makeAgents = await agentMaker(config.endpoint);
  return new SqsConnection(config, makeAgents);
}

/** The server and the region of a connection. */
export interface SqsServer {
  readonly url: URL;
  readonly region: string;
}

/** The part of the SDK's requests that names the server. */
interface SqsRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
}

/**
 * Finds the server that {@linkcode connectToSqs} would call, without calling it:
 * the SDK prepares a request that is not sent.
 *
 * @param options The region and endpoint.
 * @param origin The origin of the queue's URL.
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
    if (url === undefined) throw sqsError("GetQueueUrl", error);
  } finally {
    client.destroy();
  }
  return { url: url!, region: config.region };
}

/** A client's configuration with a known region. */
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
    // Some servers answer with queue URLs whose host does not resolve.
    useQueueUrlAsEndpoint: false,
    ...(endpoint ? { endpoint } : {}),
    ...(options.local
      ? { credentials: { accessKeyId: "local", secretAccessKey: "local" } }
      : {}),
  };
  // The SDK prefers the environment to the profiles, too.
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
    // The SDK ignores a profile that it has no permission to read.
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
      `Cannot find the AWS region, as a profile that may name it is not readable: ${
        (error as Error).message
      }`,
      { code: "RegionDenied", senderFault: true, cause: error },
    );
  }
}

class SqsConnection implements Connection {
  readonly region: string;
  readonly #config: ClientConfig;
  readonly #makeAgents: () => Agents;
  readonly #receives = new ReceiveMiddleware();
  #callsClient: SQSClient | undefined;
  #pollsClient: SQSClient | undefined;

  constructor(config: ClientConfig, makeAgents: () => Agents) {
    this.region = config.region;
    this.#config = config;
    this.#makeAgents = makeAgents;
  }

  /** The client of all calls but receives: it limits each try, and retries. */
  get #calls(): SQSClient {
    return this.#callsClient ??= this.#client({
      maxAttempts: 3,
      cacheMiddleware: true,
      requestHandler: {
        ...this.#makeAgents(),
        // Counted from the start of a try, before the connection.
        requestTimeout: TRY_TIMEOUT_MS,
        throwOnRequestTimeout: true,
      },
    });
  }

  /**
   * The client of receives: one try each, which the caller aborts. Its sockets
   * are separate, so that no other call waits for a long poll.
   */
  get #polls(): SQSClient {
    return this.#pollsClient ??= this.#client({
      maxAttempts: 1,
      requestHandler: { ...this.#makeAgents() },
    });
  }

  /** Makes a client that shares the other one's credentials. */
  #client(config: SQSClientConfig): SQSClient {
    const other = this.#callsClient ?? this.#pollsClient;
    return new SQSClient({
      md5: Md5,
      sha256: Sha256,
      ...this.#config,
      ...config,
      ...(other === undefined ? {} : { credentials: other.config.credentials }),
    });
  }

  async queueUrl(
    name: string,
    options: CallOptions & { readonly accountId?: string } = {},
  ): Promise<string> {
    const command = new GetQueueUrlCommand({
      QueueName: name,
      QueueOwnerAWSAccountId: options.accountId,
    });
    const { QueueUrl } = await this.#call(
      "GetQueueUrl",
      options,
      (http) => this.#calls.send(command, http),
    );
    return QueueUrl!;
  }

  async attributes(
    url: string,
    options: CallOptions = {},
  ): Promise<QueueAttributes> {
    const command = new GetQueueAttributesCommand({
      QueueUrl: url,
      AttributeNames: ["All"],
    });
    const { Attributes } = await this.#call(
      "GetQueueAttributes",
      options,
      (http) => this.#calls.send(command, http),
    );
    return queueAttributes(Attributes);
  }

  async send(
    url: string,
    messages: readonly OutgoingMessage[],
    options: CallOptions = {},
  ): Promise<EntryResult<Sent>[]> {
    const command = new SendMessageBatchCommand({
      QueueUrl: url,
      Entries: messages.map((message, position) => ({
        Id: String(position),
        MessageBody: message.body,
        DelaySeconds: message.delaySeconds,
        MessageGroupId: message.groupId,
        MessageDeduplicationId: message.deduplicationId,
        MessageAttributes: mapValues(message.attributes, toSdk),
      })),
    });
    const output = await this.#call(
      "SendMessage",
      options,
      (http) => this.#calls.send(command, http),
    );
    return byPosition(messages.length, output, sent);
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
      (http) => this.#receives.send(this.#polls, command, http),
    );
    return (output.Messages ?? []).map(received);
  }

  async delete(
    url: string,
    receiptHandles: readonly string[],
    options: CallOptions = {},
  ): Promise<EntryResult[]> {
    const command = new DeleteMessageBatchCommand({
      QueueUrl: url,
      Entries: receiptHandles.map((ReceiptHandle, position) => ({
        Id: String(position),
        ReceiptHandle,
      })),
    });
    const output = await this.#call(
      "DeleteMessage",
      options,
      (http) => this.#calls.send(command, http),
    );
    return byPosition(receiptHandles.length, output, () => SETTLED);
  }

  async changeVisibility(
    url: string,
    changes: readonly VisibilityChange[],
    options: CallOptions = {},
  ): Promise<EntryResult[]> {
    const command = new ChangeMessageVisibilityBatchCommand({
      QueueUrl: url,
      Entries: changes.map((change, position) => ({
        Id: String(position),
        ReceiptHandle: change.receiptHandle,
        VisibilityTimeout: change.visibilityTimeoutSeconds,
      })),
    });
    const output = await this.#call(
      "ChangeMessageVisibility",
      options,
      (http) => this.#calls.send(command, http),
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
      throw sqsError(operation, error);
    }
  }
}
