/**
 * Serves the page for operators.
 *
 * @module
 */

import { timeAndChance } from "../connect/open_queue.ts";
import { isIP } from "node:net";
import { makeApp } from "./app.ts";
import { Checks } from "./checks.ts";
import { serveHttp, type WebServer } from "./http.ts";
import type { QueueSpec } from "./options.ts";
import { Password } from "./password.ts";
import { Queues } from "./queues.ts";
import { Site, type SiteParts } from "./site.ts";

interface WebOpenOptions extends Omit<SiteParts, "queues"> {
  readonly specs: readonly QueueSpec[];
  /** Gets a line if SQS is away. */
  readonly onWait: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The page of one server. */
export interface WebPage extends AsyncDisposable {
  /** The address to open, which holds the token unless there is a password. */
  readonly url: string;
}

/**
 * Opens the queues, and serves the page until it is disposed.
 *
 * @throws {NonExistentQueueError} If a queue does not exist.
 * @throws {SqsError} If SQS refuses a queue, or cannot be reached.
 * @throws {Error} If the address cannot be listened on.
 */
export async function serveWeb(parts: WebOpenOptions): Promise<WebPage> {
  const { options, specs } = parts;
  const { address, password } = options;
  const { clock } = timeAndChance();
  await using stack = new AsyncDisposableStack();
  const queues = await Queues.open(specs, parts);
  // The port is known once it listens, and requests may come immediately.
  let answer: Parameters<typeof serveHttp>[1] = () =>
    new Response("starting", { status: 503 });
  stack.defer(() => queues[Symbol.dispose]());
  const server = stack.use(
    await serveHttp(
      address,
      (request, exchange) => answer(request, exchange),
      clock,
    ),
  );
  const site = new Site({ ...parts, queues });
  const checks = new Checks(
    options,
    server.port,
    password === undefined
      ? undefined
      : new Password(password, clock, site.signal),
  );
  const app = makeApp(site, checks);
  answer = (request, exchange) => app.fetch(request, exchange);
  stack.move();
  const host = isIP(address.host) === 6 ? `[${address.host}]` : address.host;
  const token = password === undefined
    ? `?token=${checks.session.urlToken}`
    : "";
  return {
    url: `http://${host}:${server.port}/${token}`,
    [Symbol.asyncDispose]: () => stop(site, server),
  };
}

/** Streams end first: the server would wait for them. */
async function stop(site: Site, server: WebServer): Promise<void> {
  const stopping = site[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await stopping;
}
