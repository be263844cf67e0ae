/**
 * An SQS server that does no more than note the requests and answer as a test
 * tells it.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";
import {
  type HttpAnswer,
  type HttpRequest,
  readRequests,
  writeAnswer,
} from "../soak/http.ts";

export type { HttpAnswer, HttpRequest };

/** A server whose answers a test gives; without one it stays silent. */
export class ScriptedServer implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer(async (socket) => {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    for await (const request of readRequests(socket)) {
      const operation = request.headers["x-amz-target"]?.split(".")[1] ?? "?";
      this.requests.push(operation);
      const answer = this.answer(operation, request, socket);
      if (answer !== undefined) writeAnswer(socket, answer);
    }
  });

  constructor(
    readonly answer: (
      operation: string,
      request: HttpRequest,
      socket: Socket,
    ) => HttpAnswer | undefined,
  ) {}

  async listen(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    const { port } = this.#server.address() as { port: number };
    return `http://127.0.0.1:${port}`;
  }

  count(operation: string): number {
    return this.requests.filter((each) => each === operation).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** An answer as SQS gives it. */
export function json(value: object, status = 200): HttpAnswer {
  return {
    status,
    headers: { "content-type": "application/x-amz-json-1.0" },
    body: JSON.stringify(value),
  };
}

/** The answer to a batch, each of whose entries succeeds. */
export function accepted(body: HttpRequest["body"]): HttpAnswer {
  const { Entries = [] } = JSON.parse(String(body));
  return json({
    Successful: Entries.map(({ Id }: { Id: string }) => ({ Id })),
    Failed: [],
  });
}

/** Ten messages, jobs whose argument is their number. */
export function messages(first: number): object[] {
  return Array.from({ length: 10 }, (_, i) => {
    const body = JSON.stringify([[first + i], {}]);
    return {
      MessageId: crypto.randomUUID(),
      ReceiptHandle: String(first + i),
      Body: body,
      MD5OfBody: createHash("md5").update(body).digest("hex"),
    };
  });
}
