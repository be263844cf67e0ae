/**
 * The HTTP server of the page: Node's, which limits time, size and connections
 * on every runtime. An application gets requests without bodies, and reads the
 * form only after its checks.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../clock.ts";
import type { Address } from "../config/values.ts";
import { messageOf } from "../errors.ts";

/** Far more than event streams: those have a separate limit. */
const MAX_CONNECTIONS = 400;

const TIMES = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 5_000,
  maxHeaderSize: 16_384,
};

/** How long requests under way may end when the server stops, in milliseconds. */
const STOP_MS = 1_000;

/** What an application may do with a request beyond its head. */
export interface Exchange {
  /** The fields of its form; `undefined` if it has more bytes than `most`. */
  readForm(most: number): Promise<URLSearchParams | undefined>;
  /** The address that it came from. */
  readonly sender: string;
  /** The answer, for a stream: an application that writes its head owns it. */
  readonly outgoing: ServerResponse;
}

/** Answers requests. */
type Application = (
  request: Request,
  exchange: Exchange,
) => Response | Promise<Response>;

export interface WebServer extends AsyncDisposable {
  /** The port that it listens on. */
  readonly port: number;
}

/**
 * Serves an application until it is disposed.
 *
 * @throws {Error} If the address cannot be listened on.
 */
export async function serveHttp(
  { host, port, text }: Address,
  app: Application,
  clock: Clock,
): Promise<WebServer> {
  const { createServer } = await import("node:http");
  const server = createServer(TIMES, (incoming, outgoing) => {
    outgoing.on("error", () => {}); // The client went away.
    answer(app, incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on("clientError", (_error, socket) => socket.destroy());
  await listen(server, host, port, text);
  server.on("error", () => {});
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => stop(server, clock),
  };
}

async function answer(
  app: Application,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { method = "GET", url = "/", headers } = incoming;
  const request = requestOf(method, url, headers);
  const response = request === undefined
    ? new Response("Bad request", { status: 400 })
    : await app(request, {
      outgoing,
      sender: incoming.socket.remoteAddress ?? "",
      readForm: (most) => readForm(incoming, most),
    });
  if (outgoing.headersSent) return;
  const body = Buffer.from(await response.arrayBuffer());
  // What was not read would be taken for the next request.
  if (!incoming.complete) outgoing.setHeader("connection", "close");
  for (const [name, value] of response.headers) {
    outgoing.appendHeader(name, value);
  }
  outgoing.setHeader("content-length", body.length);
  outgoing.writeHead(response.status);
  outgoing.end(method === "HEAD" ? undefined : body);
}

/** The path alone counts: `GET http://evil/` names another server. */
function requestOf(
  method: string,
  path: string,
  headers: IncomingMessage["headers"],
): Request | undefined {
  if (!path.startsWith("/")) return undefined;
  try {
    const given = Object.entries(headers).map(([name, value]) =>
      [name, String(value)] as [string, string]
    );
    return new Request(`http://page${path}`, { method, headers: given });
  } catch {
    return undefined; // A method or header that Fetch knows nothing of.
  }
}

async function readForm(
  incoming: IncomingMessage,
  most: number,
): Promise<URLSearchParams | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > most) return undefined;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

async function listen(
  server: Server,
  host: string,
  port: number,
  text: string,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  try {
    server.listen(port, host, resolve);
    await promise;
  } catch (error) {
    const { code, name } = error as { code?: string; name?: string };
    if (name === "NotCapable") throw error;
    const why = code === "EADDRINUSE"
      ? "it is in use: stop the program that uses it, or give another --address"
      : messageOf(error);
    throw new Error(`Cannot serve the page at ${text}: ${why}`, {
      cause: error,
    });
  } finally {
    server.off("error", reject);
  }
}

/** Waits for answers under way, and for no client that stays. */
async function stop(server: Server, clock: Clock): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const cancel = clock.timer(STOP_MS, () => server.closeAllConnections());
  await promise;
  cancel();
}
