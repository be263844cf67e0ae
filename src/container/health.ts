/**
 * The HTTP server that answers a service manager's health probes.
 *
 * @module
 */

import type { Address } from "../config/values.ts";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { ConfigError, messageOf } from "../errors.ts";

const PATH = "/healthz";

/** How long a client may take to send its request. */
const REQUEST_MS = 5_000;

export interface HealthOptions {
  readonly address: Address;
  /** Why the container is unhealthy, or `undefined`. */
  readonly problem: () => string | undefined;
}

export interface HealthServer extends Disposable {
  readonly url: string;
}

/**
 * Answers probes until it is disposed.
 *
 * @throws {ConfigError} If the address does not belong to this machine.
 * @throws {Error} If the address is in use, or cannot be listened on.
 */
export async function serveHealth(
  { address, problem }: HealthOptions,
): Promise<HealthServer> {
  const { createServer } = await import("node:http");
  const limits = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS };
  const server = createServer(limits, ({ url, method = "" }, response) => {
    const found = url!.split("?")[0] === PATH;
    const why = problem();
    const [status, text] = !found
      ? [404, `Not found: ask for ${PATH}`]
      : !["GET", "HEAD"].includes(method)
      ? [405, "Use GET or HEAD"]
      : why === undefined
      ? [200, "ok"]
      : [503, why];
    const body = new TextEncoder().encode(`${text}\n`);
    response.writeHead(status, {
      "content-type": "text/plain; charset=utf-8",
      "content-length": body.byteLength,
      "cache-control": "no-store",
      ...(status === 405 ? { allow: "GET, HEAD" } : {}),
    });
    response.end(method === "HEAD" ? undefined : body);
  });
  await listen(server, address);
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

async function listen(
  server: Server,
  { text, host, port }: Address,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  // Deno throws a missing permission from outside of this call.
  process.once("uncaughtException", reject);
  try {
    server.listen(port, host, resolve);
    await promise;
  } catch (error) {
    throw listenError(text, error);
  } finally {
    server.off("error", reject);
    process.off("uncaughtException", reject);
  }
}

/** Deno reports `EINVAL` for another machine's address. */
const FOREIGN: ReadonlySet<string | undefined> = new Set(
  ["EINVAL", "EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN"],
);

function listenError(address: string, error: unknown): unknown {
  const { code, name } = error as { code?: string; name?: string };
  if (name === "NotCapable") return error;
  const what = `Cannot start container as "health" cannot listen on ${address}`;
  if (code === "EADDRINUSE") {
    return new Error(
      `${what}, which is in use: stop the program that uses it, or give another port`,
      { cause: error },
    );
  }
  return FOREIGN.has(code)
    ? new ConfigError(
      `${what}, which is not an address of this machine: give one that is, or 0.0.0.0 for all`,
      { cause: error },
    )
    : new Error(`${what}: ${messageOf(error)}`, { cause: error });
}
