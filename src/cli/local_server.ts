/**
 * The embedded SQS server: fauxqs, on this machine's loopback.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import { importPackage } from "../npm_import.ts";
import { MAX_BYTES } from "../sqs/connection.ts";
import { MAX_OBJECT_BYTES } from "../sqs/objects.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";

export const LOCAL_PORT = 4566;

/** The URL of the server at a port. */
export function localEndpoint(port: number): string {
  return `http://127.0.0.1:${port}`;
}

/** The region of local queues if nothing names another. */
export const LOCAL_REGION = "us-east-1";

/** A request as Fastify has it before its body is read. */
interface LocalRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

interface LocalReply {
  code(status: number): { send(body: object): void };
}

/** The part of fauxqs that is used: an application of Fastify. */
interface App {
  addHook(
    name: "onRequest",
    hook: (request: LocalRequest, reply: LocalReply, done: () => void) => void,
  ): void;
  removeContentTypeParser(type: string): void;
  addContentTypeParser(
    type: string,
    options: { readonly parseAs: "buffer"; readonly bodyLimit: number },
    parse: (
      request: LocalRequest,
      body: Uint8Array,
      done: (error: null, body: Uint8Array) => void,
    ) => void,
  ): void;
  /** Resolves to the server's URL. */
  listen(address: { host: string; port: number }): Promise<string>;
  /** Answers a request without the network. */
  inject(request: object): Promise<{ statusCode: number; body: string }>;
  close(): Promise<void>;
}

interface Fauxqs {
  buildApp(options: { readonly logger: boolean }): App;
}

export interface LocalServer extends AsyncDisposable {
  readonly port: number;
  readonly endpoint: string;
  /** The number of its AWS account. */
  readonly account: string;
  /** Creates a queue, given by its name, URL or ARN, if it does not exist. */
  makeQueue(
    queue: string,
    region: string,
    attributes?: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** Creates a bucket if it does not exist. */
  makeBucket(name: string): Promise<void>;
}

/**
 * Starts an SQS server on 127.0.0.1; port 0 takes a free one.
 *
 * @throws {Error} If its port is taken.
 */
export async function startLocalServer(
  { port }: { readonly port: number },
): Promise<LocalServer> {
  const { buildApp } = await importPackage<Fauxqs>(
    "fauxqs",
    "^2.4.1",
    "Cannot start local SQS server",
  );
  const app = buildApp({ logger: false });
  takeLargeObjects(app);
  app.addHook("onRequest", (request, reply, done) => {
    const problem = problemOf(request);
    if (problem === undefined) done();
    else reply.code(403).send({ __type: "AccessDenied", message: problem });
  });
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
    account: "000000000000",
    async makeQueue(queue, region, attributes = {}) {
      const { name, fifo } = parseQueueRef(queue)!;
      const { statusCode, body } = await app.inject({
        method: "POST",
        url: "/",
        headers: {
          host,
          "content-type": SDK_CONTENT_TYPE,
          "x-amz-target": "AmazonSQS.CreateQueue",
          // The server reads the region from here.
          authorization:
            `AWS4-HMAC-SHA256 Credential=local/19700101/${region}/sqs/aws4_request`,
        },
        payload: JSON.stringify({
          QueueName: name,
          Attributes: {
            ...attributes,
            ...(fifo
              ? { FifoQueue: "true", ContentBasedDeduplication: "true" }
              : {}),
          },
        }),
      });
      if (statusCode === 200) return;
      throw new Error(`Cannot create local queue "${name}": ${body}`);
    },
    async makeBucket(name) {
      const { statusCode, body } = await app.inject({
        method: "PUT",
        url: `/${name}`,
        headers: {
          host,
          authorization:
            `AWS4-HMAC-SHA256 Credential=local/19700101/${LOCAL_REGION}/s3/aws4_request`,
        },
      });
      if (statusCode === 200) return;
      throw new Error(`Cannot create local bucket "${name}": ${body}`);
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
}

const SDK_CONTENT_TYPE = "application/x-amz-json-1.0";

/** fauxqs takes bodies of up to 11 MiB: here is another parser for S3's. */
function takeLargeObjects(app: App): void {
  app.removeContentTypeParser("*");
  app.addContentTypeParser(
    "*",
    // The SDK sends an object in chunks, and starts each with a line.
    { parseAs: "buffer", bodyLimit: MAX_OBJECT_BYTES + MAX_BYTES },
    (_request, body, done) => done(null, body),
  );
}

/** The names of this machine's loopback, which no DNS server can give away. */
const LOOPBACK = /^(?:127\.0\.0\.1|\[::1\]|(?:[\w-]+\.)*localhost)(?::\d+)?$/i;

/**
 * Why a request is refused. Every page in a browser on this machine can send
 * requests here, and a DNS name of the page lets it read the answers.
 */
function problemOf({ method, headers }: LocalRequest): string | undefined {
  const { host = "", origin, "content-type": type = "", authorization = "" } =
    headers;
  if (origin !== undefined || headers["sec-fetch-site"] !== undefined) {
    return "the local SQS server takes no requests of browsers";
  }
  if (!LOOPBACK.test(host)) {
    return "the local SQS server is 127.0.0.1 or localhost: use one of them as the host";
  }
  // S3's requests: no page can send this header without asking first.
  if (authorization.startsWith("AWS4-HMAC-SHA256 ")) return undefined;
  return method === "POST" && type.split(";")[0]!.trim() === SDK_CONTENT_TYPE
    ? undefined
    : `the local SQS server takes requests of AWS SDKs alone: POST with ${SDK_CONTENT_TYPE}`;
}

function startProblem(port: number, error: unknown): string {
  return (error as { code?: string }).code === "EADDRINUSE"
    ? `Cannot start local SQS server as port ${port} is in use: stop the other program, or give another port with --port=PORT`
    : `Cannot start local SQS server: ${messageOf(error)}`;
}
