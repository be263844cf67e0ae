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
  return new SqsConnection(config, makeAgents, options.sweeps);
}

export { findSqsServer } from "./find_server.ts";

class SqsConnection implements Connection {
  readonly region: string;
  readonly #clients: SqsClients;
  readonly #receives = new ReceiveMiddleware();

  constructor(
    config: ClientConfig,
    makeAgents: () => Agents,
    sweeps: boolean = false,
  ) {
    this.region = config.region;
    this.#clients = new SqsClients(config, makeAgents, sweeps);
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
        const json = await this.#clients.short?.send(client, command, http);
        if (json !== undefined) return receivedJson({ statusCode: 200, json });
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
      async (client, http) => {
        const json = await this.#clients.short?.send(client, command, http);
        return json === undefined
          ? await client.send(command, http)
          : JSON.parse(json.toString());
      },
    );
    return byPosition(changes.length, output, () => SETTLED);
  }

  close(): void {
    this.#clients.close();
  }
}
