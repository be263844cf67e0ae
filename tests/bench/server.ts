/**
 * The benchmark's SQS server: fauxqs on loopback in a separate process. It adds
 * latency to each request, and counts them. A second HTTP server prepares and
 * ends a run.
 *
 * @module
 */

import { Server } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { startLocalServer } from "../../src/cli/local_server.ts";
import { jobBody, type Prepare, REGION, type ServerStats } from "./runs.ts";

/** How many requests fill a queue at a time. */
const FILLERS = 16;

const MAX_BATCH = 10;

/** What the requests of one run are counted in. */
class Counts {
  requests: Record<string, number> = {};
  firstReceiveMs: number | undefined;
  lastDeleteMs: number | undefined;
  latencyMs = 0;

  reset(latencyMs: number): void {
    this.requests = {};
    this.firstReceiveMs = undefined;
    this.lastDeleteMs = undefined;
    this.latencyMs = latencyMs;
  }

  /** Counts a request; the caller calls the result when it is answered. */
  count(request: IncomingMessage): () => void {
    const operation = String(request.headers["x-amz-target"])
      .replace("AmazonSQS.", "").replace("Batch", "");
    this.requests[operation] = (this.requests[operation] ?? 0) + 1;
    if (operation === "ReceiveMessage") {
      this.firstReceiveMs ??= performance.now();
    }
    return () => {
      if (operation === "DeleteMessage") this.lastDeleteMs = performance.now();
    };
  }
}

async function main(): Promise<void> {
  const counts = new Counts();
  wrapRequests(counts);
  await using server = await startLocalServer({ port: 0 });
  const control = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const body = await request.json();
      return Response.json(
        new URL(request.url).pathname === "/prepare"
          ? await prepare(body)
          : await end(body),
      );
    },
  );
  console.log(
    JSON.stringify({
      endpoint: server.endpoint,
      control: `http://127.0.0.1:${control.addr.port}`,
    }),
  );
  await control.finished;

  async function prepare({ queue, jobs, latencyMs }: Prepare) {
    counts.reset(0);
    await server.makeQueue(queue, REGION);
    const url = queueUrl(queue);
    await fill(url, jobs);
    counts.reset(latencyMs);
    return { url };
  }

  async function end({ queue }: { queue: string }): Promise<ServerStats> {
    const { requests, firstReceiveMs = 0, lastDeleteMs = 0 } = counts;
    counts.reset(0);
    const url = queueUrl(queue);
    const { Attributes } = await call("GetQueueAttributes", {
      QueueUrl: url,
      AttributeNames: ["All"],
    }) as { Attributes: Record<string, string> };
    await call("DeleteQueue", { QueueUrl: url });
    return {
      requests,
      seconds: (lastDeleteMs - firstReceiveMs) / 1000,
      left: Number(Attributes.ApproximateNumberOfMessages) +
        Number(Attributes.ApproximateNumberOfMessagesNotVisible),
    };
  }

  function queueUrl(queue: string): string {
    return `${server.endpoint}/000000000000/${queue}`;
  }

  async function fill(url: string, jobs: number): Promise<void> {
    let next = 0;
    await Promise.all(Array.from({ length: FILLERS }, async () => {
      while (next < jobs) {
        const first = next;
        next += MAX_BATCH;
        const length = Math.min(MAX_BATCH, jobs - first);
        await call("SendMessageBatch", {
          QueueUrl: url,
          Entries: Array.from({ length }, (_, i) => ({
            Id: String(i),
            MessageBody: jobBody(first + i),
          })),
        });
      }
    }));
  }

  /** A call without the SDK, which would take longer than the run. */
  async function call(operation: string, input: object): Promise<unknown> {
    const response = await fetch(server.endpoint, {
      method: "POST",
      headers: {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": `AmazonSQS.${operation}`,
      },
      body: JSON.stringify(input),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${operation} failed: ${text}`);
    return text === "" ? {} : JSON.parse(text);
  }
}

/** Has every request counted, and handled after the latency. */
function wrapRequests(counts: Counts): void {
  const emit = Server.prototype.emit as (...args: unknown[]) => boolean;
  Server.prototype.emit = function (this: Server, ...args: unknown[]): boolean {
    const handle = () => Reflect.apply(emit, this, args);
    const [event, request, response] = args;
    if (event !== "request") return handle();
    (response as ServerResponse).once(
      "finish",
      counts.count(request as IncomingMessage),
    );
    if (counts.latencyMs === 0) return handle();
    setTimeout(handle, counts.latencyMs);
    return true;
  };
}

if (import.meta.main) await main();
