/**
 * What a service manager's probe asks: whether a container is well.
 *
 * @module
 */

import { parseAddress } from "../config/options.ts";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { ConfigError, messageOf } from "../errors.ts";

/** Where the question is answered. */
const PATH = "/healthz";

/** How long a client may take to ask, in milliseconds. */
const REQUEST_MS = 5_000;

/** What a health server works with. */
export interface HealthOptions {
  /** Where to listen: `host:port`. */
  readonly address: string;
  /** Why it is not well; nothing where it is. */
  readonly problem: () => string | undefined;
}

/** Answers whether a container is well, until it is disposed. */
export interface HealthServer extends Disposable {
  /** Where it answers. */
  readonly url: string;
}

/**
 * Starts to answer.
 *
 * @throws {ConfigError} If the address is none of this machine.
 * @throws {Error} If it is in use, or cannot be listened on.
 */
export async function serveHealth(
  { address, problem }: HealthOptions,
): Promise<HealthServer> {
  const { host, port } = parseAddress(address)!;
  const { createServer } = await import("node:http");
  const server = createServer({
    requestTimeout: REQUEST_MS,
    headersTimeout: REQUEST_MS,
  }, (request, response) => {
    const [path] = request.url!.split("?");
    const answer = path !== PATH
      ? { status: 404, text: `There is only ${PATH}` }
      : request.method !== "GET" && request.method !== "HEAD"
      ? { status: 405, text: "Ask with GET or HEAD" }
      : answerOf(problem());
    const body = new TextEncoder().encode(`${answer.text}\n`);
    response.writeHead(answer.status, {
      "content-type": "text/plain; charset=utf-8",
      "content-length": body.byteLength,
      "cache-control": "no-store",
      ...(answer.status === 405 ? { allow: "GET, HEAD" } : {}),
    });
    response.end(request.method === "HEAD" ? undefined : body);
  });
  try {
    await listen(server, host, port);
  } catch (error) {
    throw listenError(address, error);
  }
  const own = server.address() as AddressInfo;
  const shown = own.family === "IPv6" ? `[${own.address}]` : own.address;
  return {
    url: `http://${shown}:${own.port}${PATH}`,
    [Symbol.dispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answerOf(problem: string | undefined): {
  readonly status: number;
  readonly text: string;
} {
  return problem === undefined
    ? { status: 200, text: "ok" }
    : { status: 503, text: problem };
}

async function listen(
  server: Server,
  host: string,
  port: number,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  // Deno throws a missing permission where nobody can catch it.
  process.once("uncaughtException", reject);
  try {
    server.listen(port, host, resolve);
    await promise;
  } finally {
    server.off("error", reject);
    process.off("uncaughtException", reject);
  }
}

function listenError(address: string, error: unknown): unknown {
  const { code, name } = error as { code?: string; name?: string };
  if (name === "NotCapable") return error;
  const what = `Cannot start container as "health" cannot listen on ${address}`;
  switch (code) {
    case "EADDRINUSE":
      return new Error(
        `${what}, which is in use: stop what uses it, or give another port`,
        { cause: error },
      );
    // Deno says EINVAL where the address is another machine's.
    case "EINVAL":
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new ConfigError(
        `${what}, which is no address of this machine: give one, or 0.0.0.0 for all`,
        { cause: error },
      );
    default:
      return new Error(`${what}: ${messageOf(error)}`, { cause: error });
  }
}
