/**
 * The connection to SQS through the AWS SDK. It is loaded when the first queue
 * is opened: everything else loads fast and without permissions.
 *
 * @module
 */

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
import { readAnswers, receivedJson } from "./answers.ts";
import { caBundle, type ClientConfig, clientConfig } from "./client_config.ts";
import { received } from "./received.ts";
import {
  agentMaker,
  type Agents,
  areCredentialsOver,
  type ClockSkew,
  isClockCorrected,
  Md5,
  ReceiveMiddleware,
  renewCredentials,
  Sha256,
  shareClock,
} from "./sdk_workarounds.ts";
import { sqsError } from "./sqs_error.ts";
import {
  byPosition,
  mapValues,
  queueAttributes,
  sent,
  SETTLED,
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
import { sleep, systemClock } from "../clock.ts";
import { SqsError } from "../errors.ts";

/** The time limit of each try of a call other than a receive. */
const TRY_TIMEOUT_MS = 5_000;

/**
 * The time limit of a call other than a receive, in milliseconds. Its tries end
 * earlier; looking for credentials may not.
 */
const CALL_LIMIT_MS = 60_000;

/** The pause after an answer of which no message can be used. */
const LEFT_PAUSE_MS = 1_000;

/** A larger difference is more than the precision of the server's clock. */
const CLOCK_PRECISION_MS = 2_000;

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
  const makeAgents = await agentMaker(config.endpoint, caBundle);
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

class SqsConnection implements Connection {
  readonly region: string;
  readonly #config: ClientConfig;
  readonly #makeAgents: () => Agents;
  readonly #receives = new ReceiveMiddleware();
  readonly #skew: ClockSkew = { systemClockOffset: 0 };
  #callsClient: SQSClient | undefined;
  #pollsClient: SQSClient | undefined;
  /** How often the credentials were replaced. */
  #renewals = 0;
  #renewing: Promise<void> | undefined;

  constructor(config: ClientConfig, makeAgents: () => Agents) {
    this.region = config.region;
    this.#config = config;
    this.#makeAgents = makeAgents;
  }

  get clockAheadMs(): number {
    const { systemClockOffset } = this.#skew;
    const isKnown = Math.abs(systemClockOffset) >= CLOCK_PRECISION_MS;
    return isKnown ? systemClockOffset : 0;
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

  /** Makes a client that shares the other one's credentials and clock. */
  #client(config: SQSClientConfig): SQSClient {
    const other = this.#callsClient ?? this.#pollsClient;
    const client = new SQSClient({
      md5: Md5,
      sha256: Sha256,
      ...this.#config,
      ...config,
      ...(other === undefined ? {} : { credentials: other.config.credentials }),
    });
    readAnswers(client);
    shareClock(client, this.#skew);
    return client;
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
    const messages = await this.#request(
      "ReceiveMessage",
      options,
      async (http) => {
        const client = this.#polls;
        const { response } = await this.#receives.send(client, command, http);
        return receivedJson(response);
      },
    );
    const usable = received(messages, options.onLeft);
    if (usable.length === 0 && messages.length > 0) {
      // A server that repeats such an answer is not asked without a pause.
      await sleep(systemClock, LEFT_PAUSE_MS, options.signal);
    }
    return usable;
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

  /** Calls SQS within a time limit. */
  async #call<T>(
    operation: string,
    options: CallOptions,
    run: Run<T>,
  ): Promise<T> {
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const { signal } = options;
    const onAbort = () => reject(signal!.reason);
    const timer = setTimeout(
      () => reject(noAnswer(operation)),
      CALL_LIMIT_MS,
    );
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      // The SDK does not look at the signal while it waits for credentials.
      return await Promise.race([
        this.#request(operation, options, run),
        ended,
      ]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** Calls SQS, and again if credentials or clock were wrong and no longer are. */
  async #request<T>(
    operation: string,
    { signal }: CallOptions,
    run: Run<T>,
  ): Promise<T> {
    const http = signal && { abortSignal: signal };
    const credentials = this.#renewals;
    try {
      try {
        return await run(http);
      } catch (error) {
        if (signal?.aborted) throw error;
        if (isClockCorrected(error)) return await run(http);
        if (!areCredentialsOver(error)) throw error;
        if (credentials === this.#renewals) await this.#renewCredentials();
        if (credentials === this.#renewals) throw error;
        return await run(http);
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw sqsError(operation, error, this.#config.endpoint);
    }
  }

  /** Reads the credentials again: somebody may have replaced a profile's. */
  #renewCredentials(): Promise<void> {
    return this.#renewing ??= renewCredentials(this.#calls).then((renewed) => {
      if (renewed) this.#renewals++;
    }).finally(() => this.#renewing = undefined);
  }
}

/** A request with the SDK. */
type Run<T> = (
  http: { readonly abortSignal: AbortSignal } | undefined,
) => Promise<T>;

function noAnswer(operation: string): SqsError {
  return new SqsError(
    `${operation} failed: no answer within ${CALL_LIMIT_MS / 1000} s`,
    { code: "TimeoutError", senderFault: false },
  );
}
