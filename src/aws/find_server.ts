/**
 * Finds the server that a connection would call.
 *
 * @module
 */

import { GetQueueUrlCommand, SQSClient } from "@aws-sdk/client-sqs";
import type { ConnectOptions } from "../sqs/connection.ts";
import { clientConfig } from "./client_config.ts";
import { sqsError } from "./sqs_error.ts";

/** The server and the region of a connection. */
interface SqsServer {
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
 * Finds the server that a connection would call, without calling it:
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
