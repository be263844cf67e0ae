/**
 * The embedded SQS server: fauxqs, on this machine's loopback.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";

export const LOCAL_PORT = 4566;

/** The region of local queues if nothing names another. */
export const LOCAL_REGION = "us-east-1";

/** The part of fauxqs that is used: an application of Fastify. */
interface Fauxqs {
  /** Resolves to the server's URL. */
  listen(address: { host: string; port: number }): Promise<string>;
  /** Answers a request without the network. */
  inject(request: object): Promise<{ statusCode: number; body: string }>;
  close(): Promise<void>;
}

export interface LocalServer extends AsyncDisposable {
  readonly port: number;
  readonly endpoint: string;
  /** Creates a queue, given by its name, URL or ARN, if it does not exist. */
  makeQueue(queue: string, region: string): Promise<void>;
}

/**
 * Starts an SQS server on 127.0.0.1; port 0 takes a free one.
 *
 * @throws {Error} If its port is taken.
 */
export async function startLocalServer(
  { port }: { readonly port: number },
): Promise<LocalServer> {
  const { buildApp } = await importFauxqs();
  const app = buildApp({ logger: false });
  let endpoint: string;
  try {
    endpoint = await app.listen({ host: "127.0.0.1", port });
  } catch (error) {
    throw new Error(startProblem(port, error), { cause: error });
  }
  const { host, port: listening } = new URL(endpoint);
  return {
    port: Number(listening),
    endpoint,
    async makeQueue(queue, region) {
      const { name, fifo } = parseQueueRef(queue)!;
      const { statusCode, body } = await app.inject({
        method: "POST",
        url: "/",
        headers: {
          host,
          "content-type": "application/x-amz-json-1.0",
          "x-amz-target": "AmazonSQS.CreateQueue",
          // The server reads the region from here.
          authorization:
            `AWS4-HMAC-SHA256 Credential=local/19700101/${region}/sqs/aws4_request`,
        },
        payload: JSON.stringify({
          QueueName: name,
          Attributes: fifo
            ? { FifoQueue: "true", ContentBasedDeduplication: "true" }
            : {},
        }),
      });
      if (statusCode === 200) return;
      throw new Error(`Cannot create local queue "${name}": ${body}`);
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
}

function startProblem(port: number, error: unknown): string {
  return (error as { code?: string }).code === "EADDRINUSE"
    ? `Cannot start local SQS server as port ${port} is in use: stop the other program, or give another port with --port=PORT`
    : `Cannot start local SQS server: ${messageOf(error)}`;
}

/** A literal specifier would make every user download the server. */
async function importFauxqs(): Promise<{
  buildApp(options: { readonly logger: boolean }): Fauxqs;
}> {
  const specifier = ["npm", "fauxqs@^2.4.1"].join(":");
  return await import(specifier);
}
