/**
 * Workarounds for the AWS SDK and for Deno. The tests in
 * `tests/aws/sdk_workarounds_test.ts` fail if the SDK no longer needs or uses
 * them.
 *
 * @module
 */

import type { ReceiveMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Buffer } from "node:buffer";
import { createHmac, hash } from "node:crypto";
import { Agent as HttpAgent, ClientRequest } from "node:http";
import type { Agent as HttpsAgent, AgentOptions } from "node:https";
import type { Duplex } from "node:stream";
import { MAX_POLLS } from "../sqs/connection.ts";

/** The agent that an SDK client needs for its server. */
export type Agents =
  | { readonly httpAgent: HttpAgent }
  | { readonly httpsAgent: HttpsAgent };

/**
 * Loads what agents for a server need.
 *
 * @param endpoint The server's URL; AWS if absent.
 * @param certificates Reads those to trust in place of the system's, if any.
 * @returns A function that makes an agent.
 */
export async function agentMaker(
  endpoint: string | undefined,
  certificates: () => Buffer | undefined = () => undefined,
): Promise<() => Agents> {
  const options = { keepAlive: true, maxSockets: MAX_POLLS };
  if (endpoint !== undefined && new URL(endpoint).protocol === "http:") {
    return () => ({ httpAgent: withOneTry(new HttpAgent(options)) });
  }
  // TLS takes long to load.
  const { Agent } = await import("node:https");
  const ca = certificates();
  const secure: AgentOptions = {
    ...options,
    ...(ca === undefined ? {} : { ca }),
  };
  return () => ({ httpsAgent: withOneTry(new Agent(secure)) });
}

/**
 * Keeps Deno from sending an aborted request again. Deno 2.9 takes the abort for
 * a stale socket, and repeats the request on a new one. A send that timed out is
 * sent twice, and an aborted receive hides messages that no consumer gets.
 *
 * Remove when Deno fixes it: https://github.com/denoland/deno/issues/36786
 */
function withOneTry<A extends HttpAgent>(agent: A): A {
  const reuse = agent.reuseSocket;
  agent.reuseSocket = (socket: Duplex, request: ClientRequest) => {
    Reflect.apply(reuse, agent, [socket, request]);
    request.destroy = destroyForGood;
  };
  return agent;
}

const { destroy } = ClientRequest.prototype;

/** One function for all requests: a closure for each costs CPU. */
function destroyForGood(this: ClientRequest, error?: Error): ClientRequest {
  this.reusedSocket = false;
  return Reflect.apply(destroy, this, [error]);
}

/**
 * A checksum in one call of `node:crypto`. The SDK's own keep an object of the
 * system for each request: without these, the bench row "100,000 jobs" grows by
 * a tenth.
 */
abstract class Checksum {
  #data: Uint8Array = new Uint8Array();

  protected abstract compute(data: Uint8Array): Uint8Array;

  /** Adds data. The SDK calls it once, with all data. */
  update(data: Uint8Array): void {
    this.#data = this.#data.length === 0
      ? data
      : Buffer.concat([this.#data, data]);
  }

  // deno-lint-ignore require-await
  async digest(): Promise<Uint8Array> {
    return this.compute(this.#data);
  }

  reset(): void {
    this.#data = new Uint8Array();
  }
}

/** MD5: the SDK checks the bodies in SQS's answers with it. */
export class Md5 extends Checksum {
  protected compute(data: Uint8Array): Uint8Array {
    return hash("md5", data, "buffer");
  }
}

/** SHA-256, or its HMAC with a secret: the SDK signs requests with it. */
export class Sha256 extends Checksum {
  readonly #secret: string | Uint8Array | undefined;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    super();
    this.#secret = typeof secret === "object" ? bytesOf(secret) : secret;
  }

  protected compute(data: Uint8Array): Uint8Array {
    return this.#secret === undefined
      ? hash("sha256", data, "buffer")
      : createHmac("sha256", this.#secret).update(data).digest();
  }
}

function bytesOf(data: ArrayBuffer | ArrayBufferView): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

type Handler = ReturnType<ReceiveMessageCommand["resolveMiddleware"]>;

/**
 * Resolves the SDK's middleware for receives once for each signal: the SDK's
 * `cacheMiddleware` works for calls without a signal only. Without this, a
 * receive takes a sixth more CPU (bench row "small jobs").
 */
export class ReceiveMiddleware {
  readonly #handlers = new WeakMap<object, Handler>();

  /** Receives as `client.send()` does. */
  send(
    client: SQSClient,
    command: ReceiveMessageCommand,
    options: { readonly abortSignal: AbortSignal } | undefined,
  ): ReturnType<Handler> {
    const key = options?.abortSignal ?? client;
    let handler = this.#handlers.get(key);
    if (handler === undefined) {
      const { middlewareStack, config } = client;
      handler = command.resolveMiddleware(middlewareStack, config, options);
      this.#handlers.set(key, handler);
    }
    return handler(command);
  }
}

/** What the SDK knows of the server's clock: ahead of ours, in milliseconds. */
export interface ClockSkew {
  systemClockOffset: number;
}

/**
 * Lets clients share their knowledge of the server's clock. The SDK corrects it
 * only on a further try of the same client, and receives have no further try.
 */
export function shareClock({ config }: SQSClient, skew: ClockSkew): void {
  Object.defineProperty(config, "systemClockOffset", {
    enumerable: true,
    get: () => skew.systemClockOffset,
    set: (ms: number) => skew.systemClockOffset = ms,
  });
}

/** Whether a request failed by a clock that the SDK has corrected since. */
export function isClockCorrected(error: unknown): boolean {
  const { $metadata } = Object(error) as {
    $metadata?: { clockSkewCorrected?: boolean };
  };
  return $metadata?.clockSkewCorrected === true;
}

/** Whether SQS refused a request since its credentials are no longer valid. */
export function areCredentialsOver(error: unknown): boolean {
  return error instanceof Error &&
    /^(?:ExpiredToken|TokenRefreshRequired|InvalidClientTokenId|UnrecognizedClient)/
      .test(error.name);
}

/**
 * Reads a client's credentials again. The SDK keeps a profile's credentials, and
 * its file, until the process ends.
 *
 * @returns Whether the credentials have changed.
 */
export async function renewCredentials(client: SQSClient): Promise<boolean> {
  const credentials = client.config.credentials as (
    options?: { forceRefresh?: boolean },
  ) => Promise<AwsCredentials>;
  const former = await credentials();
  // Another search reads the file anew, for all clients.
  const search = client.config.credentialDefaultProvider({ ignoreCache: true });
  await search();
  const { accessKeyId, sessionToken } = await credentials({
    forceRefresh: true,
  });
  return accessKeyId !== former.accessKeyId ||
    sessionToken !== former.sessionToken;
}

/** AWS credentials. */
interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}
