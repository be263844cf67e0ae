/**
 * The requests of zsqs if HTTP goes wrong: a server notes them, and answers as
 * the test wants.
 *
 * @module
 */

import { SendError } from "../../src/errors.ts";
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ContainerSettings, ContainerSummary } from "../../container.ts";
import { Queue } from "../../producer.ts";
import { runForced } from "../support/run_forced.ts";
import {
  accepted,
  json,
  messages,
  ScriptedServer,
} from "../support/scripted_server.ts";

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
      // Full answers have it ask for more immediately, on more sockets than it has.
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
    return accepted(body);
  });
  const endpoint = await server.listen();
  const running = run(endpoint, stop.signal, {
    concurrency: 600,
    // On a busy machine a shorter lease may end before the first extension.
    visibilityTimeoutSeconds: 10,
    worker: () => (i: number) => i === 10 ? new Promise(() => {}) : undefined,
  });
  assertEquals(await extended.promise, ["10"]);
  stop.abort();
  const { done, released, leasesLost } = await running;
  assertEquals([done, released, leasesLost], [599, 1, 0]);
  assert(silent >= 50);
});

Deno.test("a message that is not what SQS hashed is not run, the others are", async () => {
  const stop = new AbortController();
  const jobs: number[] = [];
  let receives = 0;
  await using server = new ScriptedServer((operation) => {
    if (operation !== "ReceiveMessage") return json({});
    const [first, second] = messages(receives++ * 2);
    const wrong = { ...second, Body: "[[5],{}]" };
    return json({ Messages: receives === 1 ? [wrong, first] : [first] });
  });
  const endpoint = await server.listen();
  await run(endpoint, stop.signal, {
    concurrency: 2,
    visibilityTimeoutSeconds: 30,
    worker: () => (i: number) => {
      jobs.push(i);
      if (i === 2) stop.abort();
    },
  });
  assertEquals(jobs, [0, 2]);
});

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
