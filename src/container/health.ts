/**
 * The HTTP server that answers a service manager's health probes.
 *
 * It speaks HTTP by itself: Deno's server has no limits of connections and time,
 * so that clients which never ask could keep the probes from an answer.
 *
 * @module
 */

import type { Address } from "../config/values.ts";
import type { AddressInfo, Server, Socket } from "node:net";
import process from "node:process";
import type { Problem } from "../engine/engine.ts";
import { ConfigError, messageOf } from "../errors.ts";
import { list } from "../text.ts";

/** How long a connection may last: probes ask immediately. */
const CONNECTION_MS = 5_000;

/** The most connections; one more ends the oldest. */
const MAX_CONNECTIONS = 64;

/** The longest request, without a body. */
const MAX_HEAD_BYTES = 8_192;

/** The process runs; jobs get done; both of it, as one answer. */
const PATHS = ["/livez", "/readyz", "/healthz"];

/** What the container did, as JSON. */
const STATS = "/stats";

/** Why a container is not ready, in words that tell strangers nothing. */
export type Unready = "starting" | Problem;

/** Options of {@linkcode serveHealth}. */
interface HealthOptions {
  readonly address: Address;
  /** Why no job gets done, or `undefined`. */
  readonly problem: () => Unready | undefined;
}

/** A running server. */
export interface HealthServer extends Disposable {
  readonly url: string;
  /** Asked from now on. */
  problem: HealthOptions["problem"];
  /** Answers `GET /stats`, if it is set. */
  stats: (() => unknown) | undefined;
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
  const { createServer } = await import("node:net");
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    const [oldest] = open;
    if (open.size >= MAX_CONNECTIONS) {
      open.delete(oldest!);
      oldest!.destroy();
    }
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    answer(socket, (head) => answerTo(head, health));
  });
  await listen(server, address);
  // Its trouble is not the container's.
  server.on("error", () => {});
  const own = server.address() as AddressInfo;
  const shown = own.family === "IPv6" ? `[${own.address}]` : own.address;
  const health: HealthServer = {
    url: `http://${shown}:${own.port}/healthz`,
    problem,
    stats: undefined,
    [Symbol.dispose]() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
  return health;
}

/** Reads one request, answers, and closes the connection, all in time. */
function answer(socket: Socket, answerTo: (head: string) => string): void {
  let head = "";
  let isAnswered = false;
  const late = setTimeout(() => socket.destroy(), CONNECTION_MS);
  socket.once("close", () => clearTimeout(late));
  socket.on("error", () => {}); // The client went away.
  socket.on("data", (bytes) => {
    // What follows a head is read and dropped: a reset would take the answer.
    if (isAnswered) return;
    head += bytes.toString("latin1");
    const isWhole = head.includes("\r\n\r\n");
    if (!isWhole && head.length <= MAX_HEAD_BYTES) return;
    isAnswered = true;
    socket.end(isWhole ? answerTo(head) : response(431, "request too long"));
  });
}

function answerTo(
  head: string,
  { problem, stats }: Pick<HealthServer, "problem" | "stats">,
): string {
  const line = /^([A-Z]+) (?:https?:\/\/[^/ ]*)?(\/[^? ]*)\S* HTTP\/1\.\d\r\n/i;
  const [, method = "", path = ""] = line.exec(head) ?? [];
  if (method === "") return response(400, "bad request");
  const paths = stats === undefined ? PATHS : [...PATHS, STATS];
  if (!paths.includes(path)) {
    return response(404, `not found: ask for ${list(paths)}`);
  }
  if (!["GET", "HEAD"].includes(method)) {
    return response(405, "use GET or HEAD");
  }
  const isBare = method === "HEAD";
  if (path === STATS) {
    return response(200, JSON.stringify(stats!()), isBare, "application/json");
  }
  const why = path === "/livez" ? undefined : problem();
  return why === undefined
    ? response(200, "ok", isBare)
    : response(503, why, isBare);
}

const PHRASES: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  431: "Request Header Fields Too Large",
  503: "Service Unavailable",
};

function response(
  status: number,
  text: string,
  isBare = false,
  type = "text/plain; charset=utf-8",
): string {
  const lines = [
    `HTTP/1.1 ${status} ${PHRASES[status]}`,
    `content-type: ${type}`,
    `content-length: ${text.length + 1}`,
    "cache-control: no-store",
    "connection: close",
    ...(status === 405 ? ["allow: GET, HEAD"] : []),
  ];
  return `${lines.join("\r\n")}\r\n\r\n${isBare ? "" : `${text}\n`}`;
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
      `${what}, which is not an address of this machine: give one that is, or 0.0.0.0`,
      { cause: error },
    )
    : new Error(`${what}: ${messageOf(error)}`, { cause: error });
}
