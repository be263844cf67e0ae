/**
 * The short way for the calls of a sweep, of which there are thousands: a call
 * through the SDK's middleware takes three times the CPU, and leaves garbage.
 *
 * Only plain success counts. After anything else the SDK makes the call again,
 * with its retries and its errors.
 *
 * @module
 */

import type { SQSClient } from "@aws-sdk/client-sqs";
import { Buffer } from "node:buffer";
import { createHmac, hash } from "node:crypto";
import type { Readable } from "node:stream";
import { readBody } from "./answers.ts";
import type { AwsCredentials, ClockSkew } from "./sdk_workarounds.ts";

const CONTENT_TYPE = "application/x-amz-json-1.0";

/** The part of the SDK's requests that names the server. */
interface Server {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
}

/** A command of the SDK, such as `ReceiveMessageCommand`. */
interface Command {
  readonly input: object;
}

type CallOptions = { readonly abortSignal: AbortSignal } | undefined;

/** Makes calls of SDK clients without their middleware. */
export class ShortCalls {
  readonly #region: string;
  readonly #skew: ClockSkew;
  /** By client: the SDK's first request shows it. */
  readonly #servers = new WeakMap<SQSClient, Server>();
  /** The signing key of a day. */
  #key: { readonly of: string; readonly bytes: Buffer } | undefined;

  constructor(region: string, skew: ClockSkew) {
    this.#region = region;
    this.#skew = skew;
  }

  /** Learns the server that a client calls. */
  watch(client: SQSClient): void {
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        this.#servers.set(client, args.request as Server);
        return result;
      },
      { step: "deserialize", priority: "low", name: "zsqsWatchServer" },
    );
  }

  /**
   * Makes a call.
   *
   * @returns The answer's JSON, or `undefined` if the SDK must make the call.
   * @throws The signal's reason if that aborts.
   */
  async send(
    client: SQSClient,
    command: Command,
    options: CallOptions,
  ): Promise<Buffer | undefined> {
    const server = this.#servers.get(client);
    if (server?.path !== "/") return undefined;
    const operation = command.constructor.name.replace(/Command$/, "");
    const body = JSON.stringify(command.input);
    const { protocol, hostname, port } = server;
    const host = port === undefined ? hostname : `${hostname}:${port}`;
    try {
      const credentials = await client.config.credentials() as AwsCredentials;
      const headers = this.#sign(credentials, host, operation, body);
      const { response } = await client.config.requestHandler.handle({
        ...{ protocol, hostname, port, method: "POST", path: "/", query: {} },
        ...{ headers, body },
      } as never, options);
      const bytes = await readBody(response.body as Readable);
      return response.statusCode === 200 ? bytes : undefined;
    } catch (error) {
      if (options?.abortSignal.aborted) throw error;
      return undefined;
    }
  }

  /** Headers with a signature by AWS's Signature Version 4. */
  #sign(
    { accessKeyId, secretAccessKey, sessionToken }: AwsCredentials,
    host: string,
    operation: string,
    body: string,
  ): Record<string, string> {
    const time = new Date(Date.now() + this.#skew.systemClockOffset)
      .toISOString().replace(/[-:]|\.\d+/g, "");
    const scope = `${time.slice(0, 8)}/${this.#region}/sqs/aws4_request`;
    // In the order of their names, as they are signed.
    const headers = {
      "content-type": CONTENT_TYPE,
      host,
      "x-amz-date": time,
      ...(sessionToken ? { "x-amz-security-token": sessionToken } : {}),
      "x-amz-target": `AmazonSQS.${operation}`,
    };
    const names = Object.keys(headers).join(";");
    const lines = Object.entries(headers)
      .map(([name, value]) => `${name}:${value}\n`).join("");
    const request = `POST\n/\n\n${lines}\n${names}\n${hash("sha256", body)}`;
    const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${
      hash("sha256", request)
    }`;
    const signature = hmac(this.#signingKey(secretAccessKey, scope), text)
      .toString("hex");
    return {
      ...headers,
      "content-length": String(Buffer.byteLength(body)),
      authorization:
        `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
    };
  }

  #signingKey(secret: string, scope: string): Buffer {
    const of = `${scope} ${secret}`;
    if (this.#key?.of !== of) {
      const first = Buffer.from(`AWS4${secret}`);
      this.#key = { of, bytes: scope.split("/").reduce(hmac, first) };
    }
    return this.#key.bytes;
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
