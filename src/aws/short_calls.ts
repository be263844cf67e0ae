/**
 * The short way for the calls of a sweep, of which there are thousands. They are
 * signed and sent by the SDK, but without its middleware, which takes CPU and
 * leaves garbage.
 *
 * Only plain success counts. After anything else the SDK makes the call again,
 * with its retries and its errors.
 *
 * @module
 */

import type { SQSClient } from "@aws-sdk/client-sqs";
import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { readBody } from "./answers.ts";
import type { ClockSkew } from "./sdk_workarounds.ts";

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

/** The part of the SDK's signer that is used. */
interface Signer {
  sign(
    request: object,
    options: { readonly signingDate: Date },
  ): Promise<object>;
}

type CallOptions = { readonly abortSignal: AbortSignal } | undefined;

/** Makes calls of SDK clients without their middleware. */
export class ShortCalls {
  readonly #skew: ClockSkew;
  /** By client: the SDK's first request shows it. */
  readonly #servers = new WeakMap<SQSClient, Server>();

  constructor(skew: ClockSkew) {
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
    const { protocol, hostname, port } = server;
    const body = JSON.stringify(command.input);
    const request = {
      ...{ protocol, hostname, port, method: "POST", path: "/", query: {} },
      headers: {
        host: port === undefined ? hostname : `${hostname}:${port}`,
        "content-type": CONTENT_TYPE,
        "content-length": String(Buffer.byteLength(body)),
        "x-amz-target": `AmazonSQS.${operation}`,
      },
      body,
    };
    try {
      const signer = await client.config.signer!() as Signer;
      const signingDate = new Date(Date.now() + this.#skew.systemClockOffset);
      const signed = await signer.sign(request, { signingDate });
      const { response } = await client.config.requestHandler
        .handle(signed as never, options);
      const bytes = await readBody(response.body as Readable);
      return response.statusCode === 200 ? bytes : undefined;
    } catch (error) {
      if (options?.abortSignal.aborted) throw error;
      return undefined;
    }
  }
}
