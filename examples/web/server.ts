/**
 * A web handler that enqueues: it answers when SQS has the job, so that every
 * accepted job is done.
 *
 * ```sh
 * deno serve -A server.ts
 * curl -d '{"a":1,"b":2}' http://127.0.0.1:8000/sums
 * ```
 *
 * On Bun and Node 24 import from `@zsqs/cli/producer`, after
 * `npx jsr add @zsqs/cli`: `bun server.ts` serves this module as it is then.
 *
 * @module
 */

import { Queue, type Queue as Open } from "jsr:@zsqs/cli@^0.1.0/producer";

type Sums = Open<[a: number, b: number]>;

let opening: Promise<Sums> | undefined;

/** Opens the queue once, and again where that failed. */
function sums(): Promise<Sums> {
  return opening ??= Queue<[a: number, b: number]>("sums").catch((error) => {
    opening = undefined;
    throw error;
  });
}

/** Takes a job, and tells its id. */
async function enqueue(request: Request): Promise<Response> {
  const { a, b } = await request.json().catch(() => ({}));
  if (typeof a !== "number" || typeof b !== "number") {
    return Response.json({ error: '"a" and "b" must be numbers' }, {
      status: 400,
    });
  }
  try {
    const queue = await sums();
    const { messageId } = await queue(a, b);
    return Response.json({ messageId }, { status: 202 });
  } catch (error) {
    console.error(error);
    return Response.json({ error: "Cannot take the job now" }, {
      status: 503,
      headers: { "retry-after": "5" },
    });
  }
}

/** The server. */
const server: { fetch(request: Request): Promise<Response> | Response } = {
  fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/sums" && request.method === "POST") {
      return enqueue(request);
    }
    return new Response("Not found", { status: 404 });
  },
};

export default server;
