/**
 * What zsqs asks of SQS where HTTP goes wrong, seen by a server that does no
 * more than note the requests and answer as it is told.
 *
 * @module
 */

import { SendError } from "../../src/errors.ts";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";
import type { ContainerSettings, ContainerSummary } from "../../container.ts";
import { Queue } from "../../producer.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  readRequests,
  writeAnswer,
} from "../soak/http.ts";
import { runForced } from "../support/run_forced.ts";

/** A server whose answers a test gives; without one it stays silent. */
class ScriptedServer implements AsyncDisposable {
  readonly requests: string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer(async (socket) => {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
    for await (const request of readRequests(socket)) {
      const operation = request.headers["x-amz-target"]?.split(".")[1] ?? "?";
      this.requests.push(operation);
      const answer = this.answer(operation, request);
      if (answer !== undefined) writeAnswer(socket, answer);
    }
  });

  constructor(
    readonly answer: (
      operation: string,
      request: HttpRequest,
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

function json(value: object, status = 200): HttpAnswer {
  return {
    status,
    headers: { "content-type": "application/x-amz-json-1.0" },
    body: JSON.stringify(value),
  };
}

/** Runs a container on a server's queue until it is stopped, at once then. */
function run(
  endpoint: string,
  signal: AbortSignal,
  settings: Omit<ContainerSettings, "queue">,
): Promise<ContainerSummary> {
  return runForced({
    queue: `${endpoint}/000000000000/adder`,
    region: "us-east-1",
    endpoint,
    loggers: "<logger>\n level CRITICAL\n</logger>",
    ...settings,
  }, { signal, forceSignal: signal });
}

Deno.test("a receive that is dropped on a used connection is not made again", async () => {
  const stop = new AbortController();
  const silent = Promise.withResolvers<void>();
  await using server = new ScriptedServer((operation) => {
    if (operation !== "ReceiveMessage") return json({});
    if (server.count("ReceiveMessage") === 1) return json({});
    silent.resolve();
  });
  const endpoint = await server.listen();
  const running = run(endpoint, stop.signal, {
    visibilityTimeoutSeconds: 30,
    waitTimeSeconds: 1,
    worker: () => () => {},
  });
  await silent.promise;
  stop.abort();
  await running;
  // What was sent before this is there when this is answered.
  for (let i = 0; i < 3; i++) await (await fetch(endpoint)).body?.cancel();
  assertEquals(server.count("ReceiveMessage"), 2);
});

Deno.test("an extension goes out while receives take all of their sockets", async () => {
  const stop = new AbortController();
  const extended = Promise.withResolvers<string[]>();
  let silent = 0;
  let receives = 0;
  await using server = new ScriptedServer((operation, { body }) => {
    if (operation === "GetQueueAttributes") return json({});
    if (operation === "ReceiveMessage") {
      // Full answers have it ask for more at once, on more sockets than it has.
      if (++receives <= 60) return json({ Messages: messages(receives * 10) });
      silent++;
      return;
    }
    const { Entries } = JSON.parse(String(body));
    const handles = Entries.map((entry: { ReceiptHandle: string }) =>
      entry.ReceiptHandle
    );
    if (operation === "ChangeMessageVisibilityBatch" && silent >= 50) {
      extended.resolve(handles);
    }
    return json({
      Successful: Entries.map(({ Id }: { Id: string }) => ({ Id })),
      Failed: [],
    });
  });
  const endpoint = await server.listen();
  const running = run(endpoint, stop.signal, {
    concurrency: 600,
    visibilityTimeoutSeconds: 2,
    worker: () => (i: number) => i === 10 ? new Promise(() => {}) : undefined,
  });
  assertEquals(await extended.promise, ["10"]);
  stop.abort();
  const { done, released, leasesLost } = await running;
  assertEquals([done, released, leasesLost], [599, 1, 0]);
  assert(silent >= 50);
});

Deno.test("a message that is not what SQS hashed is not run", async () => {
  const stop = new AbortController();
  const jobs: number[] = [];
  let receives = 0;
  await using server = new ScriptedServer((operation) => {
    if (operation !== "ReceiveMessage") return json({});
    const [first, second] = messages(receives++ * 2);
    const wrong = { ...second, Body: "[[5],{}]" };
    return json({ Messages: receives === 1 ? [first, wrong] : [first] });
  });
  const endpoint = await server.listen();
  await run(endpoint, stop.signal, {
    concurrency: 2,
    visibilityTimeoutSeconds: 30,
    worker: () => (i: number) => {
      jobs.push(i);
      stop.abort();
    },
  });
  assertEquals(jobs[0], 2);
});

/** Ten messages, jobs whose argument is their number. */
function messages(first: number): object[] {
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

Deno.test("a batch that is throttled is not made into ten requests", async () => {
  await using server = new ScriptedServer((operation) =>
    operation === "SendMessageBatch"
      ? {
        ...json({ __type: "com.amazonaws.sqs#RequestThrottled" }, 400),
        headers: { "x-amzn-query-error": "RequestThrottled;Sender" },
      }
      : json({})
  );
  const endpoint = await server.listen();
  await using queue = await Queue(`${endpoint}/000000000000/adder`, {
    endpoint,
    region: "us-east-1",
  });
  const sends = Array.from({ length: 10 }, (_, i) => queue(i));
  const errors = await Promise.all(
    sends.map((send) => assertRejects(() => send, SendError)),
  );
  assertEquals(
    errors.map(({ code, senderFault }) => [code, senderFault]),
    errors.map(() => ["RequestThrottled", false]),
  );
  assertEquals(server.count("SendMessageBatch"), 3);
});
