/**
 * Objects in S3 through the AWS SDK. This module and the SDK's client of S3 are
 * loaded when a queue or container with large jobs first needs them.
 *
 * @module
 */

import type * as S3 from "@aws-sdk/client-s3";
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import { Buffer } from "node:buffer";
import process from "node:process";
import { importPackage } from "../npm_import.ts";
import { SqsError } from "../errors.ts";
import type { ConnectOptions } from "../sqs/connection.ts";
import { type ObjectStore, ObjectTooLargeError } from "../sqs/objects.ts";
import { isAwsUrl } from "../sqs/queue_ref.ts";
import { caBundle, clientConfig } from "./client_config.ts";
import { agentMaker } from "./sdk_workarounds.ts";
import { sqsError } from "./sqs_error.ts";

/** The time limit of each try of a call, without the body of an answer. */
const TRY_TIMEOUT_MS = 120_000;

/** For how long the next part of an answer may be awaited, in milliseconds. */
const STALL_MS = 30_000;

/** The SDK's client of S3, at the version of deno.json. */
const PACKAGE = ["@aws-sdk/client-s3", "^3.1175.0"] as const;

/** The part of the SDK's requests that names the server. */
interface PreparedRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
}

/** What the connection to a bucket depends on. */
interface StoreOptions extends ConnectOptions {
  readonly bucket: string;
  /** The origin of the queue's URL. */
  readonly origin?: string | undefined;
}

/** Connects to a bucket. */
export async function connectToS3(options: StoreOptions): Promise<ObjectStore> {
  const [sdk, config] = await Promise.all([loadSdk(), configOf(options)]);
  const makeAgents = await agentMaker(
    config.endpoint as string | undefined,
    caBundle,
  );
  const client = new sdk.S3Client({
    ...config,
    maxAttempts: 3,
    requestHandler: {
      ...makeAgents(),
      requestTimeout: TRY_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
  return new S3Store(sdk, client, options.bucket);
}

/** The URL of the server that calls for a bucket go to; none is made. */
export async function findS3Server(options: StoreOptions): Promise<URL> {
  const sdk = await loadSdk();
  let url: URL | undefined;
  const client = new sdk.S3Client({
    ...await configOf({ ...options, local: true }),
    maxAttempts: 1,
    requestHandler: {
      handle({ protocol, hostname, port }: PreparedRequest) {
        url = new URL(`${protocol}//${hostname}${port ? `:${port}` : ""}`);
        return Promise.reject(new Error("Not sent"));
      },
    },
  });
  const place = { Bucket: options.bucket, Key: "key" };
  try {
    await client.send(new sdk.GetObjectCommand(place));
  } catch (error) {
    if (url === undefined) throw sqsError("GetObject", error);
  } finally {
    client.destroy();
  }
  return url!;
}

function loadSdk(): Promise<typeof S3> {
  return importPackage(...PACKAGE, "Cannot send or fetch large jobs");
}

/**
 * A client's configuration. If SQS is on a server that is not AWS's, S3 is on the
 * same one, unless the environment names another.
 */
async function configOf(
  { bucket: _bucket, origin, ...options }: StoreOptions,
): Promise<S3ClientConfig> {
  const { region, credentials, endpoint: sqs } = await clientConfig(
    options,
    origin,
  );
  const own = process.env.AWS_ENDPOINT_URL_S3;
  const shared = sqs === undefined || isAwsUrl(sqs) ? undefined : sqs;
  const endpoint = own || shared;
  return {
    region,
    // The bucket may be in another one.
    followRegionRedirects: true,
    ...(credentials === undefined ? {} : { credentials }),
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
  };
}

class S3Store implements ObjectStore {
  readonly #sdk: typeof S3;
  readonly #client: S3Client;
  readonly #bucket: string;

  constructor(sdk: typeof S3, client: S3Client, bucket: string) {
    this.#sdk = sdk;
    this.#client = client;
    this.#bucket = bucket;
  }

  readonly get: ObjectStore["get"] = async (key, { maxBytes, signal }) =>
    await this.#call("GetObject", signal, async (http) => {
      const command = new this.#sdk.GetObjectCommand(this.#place(key));
      const { Body, ContentLength = 0 } = await this.#client
        .send(command, http);
      const body = Body as unknown as ObjectBody;
      if (ContentLength > maxBytes) {
        body.destroy();
        throw new ObjectTooLargeError(ContentLength - 1);
      }
      return await readAll(body, maxBytes);
    });

  readonly put: ObjectStore["put"] = async (key, body, { signal } = {}) => {
    const command = new this.#sdk.PutObjectCommand({
      ...this.#place(key),
      Body: body,
    });
    await this.#call(
      "PutObject",
      signal,
      (http) => this.#client.send(command, http),
    );
  };

  readonly delete: ObjectStore["delete"] = async (key, { signal } = {}) => {
    const command = new this.#sdk.DeleteObjectCommand(this.#place(key));
    await this.#call(
      "DeleteObject",
      signal,
      (http) => this.#client.send(command, http),
    );
  };

  close(): void {
    this.#client.destroy();
  }

  #place(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#bucket, Key: key };
  }

  async #call<T>(
    operation: string,
    signal: AbortSignal | undefined,
    run: (http: { readonly abortSignal?: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await run(signal === undefined ? {} : { abortSignal: signal });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (error instanceof ObjectTooLargeError) throw error;
      throw storeError(operation, error);
    }
  }
}

/** The body of an answer, as Node's HTTP client has it. */
interface ObjectBody extends AsyncIterable<Uint8Array> {
  destroy(error?: Error): void;
}

/** Reads a body, whatever length it was said to have. */
async function readAll(
  body: ObjectBody,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const watch = () => setTimeout(() => body.destroy(stalled()), STALL_MS);
  let timer = watch();
  try {
    for await (const chunk of body) {
      clearTimeout(timer);
      timer = watch();
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw new ObjectTooLargeError(maxBytes);
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
    body.destroy();
  }
  return Buffer.concat(chunks);
}

function stalled(): SqsError {
  return new SqsError(
    `GetObject failed: no data within ${STALL_MS / 1000} s`,
    { code: "TimeoutError", senderFault: false },
  );
}

/** An error of the SDK's client. */
interface S3Failure {
  readonly message?: string;
  /** Set if the answer has an error of S3. */
  readonly $fault?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** Proxies, and servers other than AWS's, may answer without an error of S3. */
function storeError(operation: string, error: unknown): unknown {
  const { message, $fault, $metadata } = Object(error) as S3Failure;
  const { httpStatusCode: status } = $metadata ?? {};
  const isS3 = $fault !== undefined && message !== "UnknownError";
  if (status === undefined || isS3) return sqsError(operation, error);
  const isDenied = status === 403;
  const reason = isDenied
    ? "Access Denied"
    : `the server's answer is not an S3 answer (HTTP status ${status})`;
  return new SqsError(`${operation} failed: ${reason}`, {
    code: isDenied ? "AccessDenied" : "Unknown",
    senderFault: isDenied,
    cause: error,
  });
}
