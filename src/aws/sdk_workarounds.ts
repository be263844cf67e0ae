/**
 * Sockets that the SDK keeps and uses again.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHmac, hash } from "node:crypto";
import { Agent as HttpAgent, ClientRequest } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import type { Duplex } from "node:stream";

/** How many sockets a client may have open, as in the SDK. */
const MAX_SOCKETS = 50;

/**
 * True for an agent, which then turns TCP keep-alive on for each of its sockets.
 * The SDK compares with `true`, and has a timer for each request do that again.
 */
const KEEP_ALIVE = 1 as unknown as boolean;

/** Agents for an SDK client: the one that its server needs. */
export type Agents =
  | { readonly httpAgent: HttpAgent }
  | { readonly httpsAgent: HttpsAgent };

/**
 * What makes agents for a server, the AWS one by default, on whose kept sockets
 * a request that is given up is over. Deno 2.9 takes its end for that of a stale
 * socket, and sends it once more on a new one (denoland/deno#36786): a send that
 * timed out would be made twice, and a receive that was dropped would hide
 * messages that nobody gets.
 */
export async function agentMaker(
  endpoint: string | undefined,
): Promise<() => Agents> {
  const options = { keepAlive: KEEP_ALIVE, maxSockets: MAX_SOCKETS };
  if (endpoint !== undefined && new URL(endpoint).protocol === "http:") {
    return () => ({ httpAgent: withOneTry(new HttpAgent(options)) });
  }
  // Not where it is not needed: TLS takes long to load.
  const { Agent } = await import("node:https");
  return () => ({ httpsAgent: withOneTry(new Agent(options)) });
}

function withOneTry<A extends HttpAgent>(agent: A): A {
  const reuse = agent.reuseSocket;
  agent.reuseSocket = (socket: Duplex, request: ClientRequest) => {
    Reflect.apply(reuse, agent, [socket, request]);
    request.destroy = destroyForGood;
  };
  return agent;
}

const { destroy } = ClientRequest.prototype;

/** One function for all requests: a closure for each costs a tenth of the CPU. */
function destroyForGood(this: ClientRequest, error?: Error): ClientRequest {
  this.reusedSocket = false;
  return Reflect.apply(destroy, this, [error]);
}

/** A checksum of what it is given. */
abstract class Checksum {
  #data: Uint8Array = new Uint8Array();

  protected abstract compute(data: Uint8Array): Uint8Array;

  /** Adds data; the SDK gives all of it at once. */
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

/** MD5, with which SQS's answers are checked. */
export class Md5 extends Checksum {
  protected compute(data: Uint8Array): Uint8Array {
    return hash("md5", data, "buffer");
  }
}

/** SHA-256, or an HMAC of it, with which requests are signed. */
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
