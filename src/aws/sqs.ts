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
} from "@aws-sdk/client-sqs";
import { receivedJson } from "./answers.ts";
import { caBundle, type ClientConfig, clientConfig } from "./client_config.ts";
import { SqsClients } from "./clients.ts";
import { received } from "./received.ts";
import {
  agentMaker,
  type Agents,
  ReceiveMiddleware,
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

/** The pause after an answer of which no message can be used. */
const LEFT_PAUSE_MS = 1_000;

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
  readonly #clients: SqsClients;
  readonly #receives = new ReceiveMiddleware();

  constructor(config: ClientConfig, makeAgents: () => Agents) {
    this.region = config.region;
    this.#clients = new SqsClients(config, makeAgents);
  }

  get clockAheadMs(): number {
    return this.#clients.clockAheadMs;
  }

  async queueUrl(
    name: string,
    options: CallOptions & { readonly accountId?: string } = {},
  ): Promise<string> {
    const command = new GetQueueUrlCommand({
      QueueName: name,
      QueueOwnerAWSAccountId: options.accountId,
    });
    const { QueueUrl } = await this.#clients.call(
      "GetQueueUrl",
      options,
      (client, http) => client.send(command, http),
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
    const { Attributes } = await this.#clients.call(
      "GetQueueAttributes",
      options,
      (client, http) => client.send(command, http),
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
    const output = await this.#clients.call(
      "SendMessage",
      options,
      (client, http) => client.send(command, http),
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
    const messages = await this.#clients.receive(
      options,
      async (client, http) => {
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
    const output = await this.#clients.call(
      "DeleteMessage",
      options,
      (client, http) => client.send(command, http),
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
    const output = await this.#clients.call(
      "ChangeMessageVisibility",
      options,
      (client, http) => client.send(command, http),
    );
    return byPosition(changes.length, output, () => SETTLED);
  }

  close(): void {
    this.#clients.close();
  }
}
