/**
 * Failures queues that lead back to where messages come from, and senders that
 * forge how often a message was sent there.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { startContainer } from "../../container.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import { FailureQueue } from "../../src/engine/failure_queue.ts";
import { setUp } from "../../testing.ts";
import { Printed } from "../support/printed.ts";
import { TestServer } from "../support/server.ts";

Deno.test("A message that two failures queues send to each other stays after three hops", async () => {
  using printed = new Printed();
  await using server = await TestServer.start();
  const [url] = [await server.createQueue("a"), await server.createQueue("b")];
  const handled: string[] = [];
  const start = (queue: string, failures: string) =>
    startContainer({
      queue,
      endpoint: server.endpoint,
      region: "us-east-1",
      waitTimeSeconds: 1,
      failures: { queue: failures },
      handler() {
        handled.push(queue);
        throw new TypeError("bad");
      },
    });
  await using _a = await start("a", "b");
  await using _b = await start("b", "a");
  await server.send(url!, "[[1],{}]");
  const line = await printed.line("3 times already");
  assertEquals(handled, ["a", "b", "a", "b"]);
  assertStringIncludes(line, "ERROR");
  assertStringIncludes(line, " s: b, message");
});

const FORGED: [reason: string, hops: number][] = [
  ['{"hops":-1000000}', 3],
  ['{"hops":0.5}', 3],
  ['{"hops":"1"}', 3],
  ['{"hops":null}', 3],
  ['{"hops":1e400}', 3],
  ["[", 3],
  ["null", 3],
  ['{"hops":2}', 1],
  ['{"hops":3}', 0],
  ['{"hops":999999999}', 0],
];

for (const [reason, most] of FORGED) {
  Deno.test(`A forged zsqs.failure brings a message no further: ${reason}`, async () => {
    await using _queues = setUp({ silent: true });
    const { connection, url } = await openQueue("adder");
    const receive = () =>
      connection.receive(url, { maxMessages: 1, waitTimeSeconds: 0 });
    const logger = { debug() {}, info() {}, warn() {}, error() {} };
    const failures = new FailureQueue({
      ...{ connection, url, fifo: false, source: "adder", now: Date.now },
      logger: { ...logger, critical() {} },
    });
    const attributes = { "zsqs.failure": { type: "String", value: reason } };
    await connection.send(url, [{ body: "[]", attributes }]);
    let hops = 0;
    for (; hops < 10; hops++) {
      const [message] = await receive();
      try {
        await failures.send(message!, new Error("bad"));
      } catch {
        break;
      }
      await connection.delete(url, [message!.receiptHandle]);
    }
    assertEquals(hops, most);
  });
}
