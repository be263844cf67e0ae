/**
 * Producers and tests on Node: the published files, as JSR's npm registry gives
 * them to Node and Bun, run by Node 24.
 *
 * JSR's own conversion is not tried: `support/npm_registry.ts` stands in for it.
 * Nor is an installation of the dependencies by npm.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { Folder } from "./support/cli.ts";
import { installForNode } from "./support/npm_registry.ts";
import { servePackage, TestServer } from "./support/server.ts";

const PRODUCER = `\
import assert from "node:assert/strict";
import { test } from "node:test";
import { runContainer } from "@zsqs/cli/container";
import { kwargs, NonExistentQueueError, Queue } from "@zsqs/cli/producer";

test("a producer sends jobs", async () => {
  await using adder = await Queue("adder");
  const { messageId } = await adder(1, 2, 3);
  assert.match(messageId, /^[0-9a-f-]{36}$/);
  const all = await adder.sendAll([[4, 5, 6], [7, 8, kwargs({ x: 9 })]]);
  assert.deepEqual(all, { sent: 2, failed: 0 });
  await assert.rejects(Queue("missing"), NonExistentQueueError);
});

test("a container does jobs", async () => {
  await using doubler = await Queue("doubler");
  await doubler(21);
  const stop = new AbortController();
  const done = [];
  const worker = () => (n) => {
    done.push(2 * n);
    stop.abort();
  };
  await runContainer(
    { queue: "doubler", waitTimeSeconds: 1, worker },
    { signal: stop.signal },
  );
  assert.deepEqual(done, [42]);
});
`;

const DOUBLE = `\
import assert from "node:assert/strict";
import { test } from "node:test";
import { currentJob, getLogger, Queue, TransientError } from "@zsqs/cli";
import { runContainer } from "@zsqs/cli/container";
import { setUp } from "@zsqs/cli/testing";

test("a job that cannot be done is retried", async () => {
  await using queues = setUp({ silent: true });
  const done = [];
  await runContainer({
    queue: "adder",
    worker: () => (a, b) => {
      if (currentJob().receiveCount === 1) throw new TransientError("not now");
      getLogger("adder").info("adding");
      done.push(a + b);
    },
  });
  await (await Queue("adder"))(1, 2);
  assert.deepEqual(done, []);
  await queues.advance(30);
  assert.deepEqual(done, [3]);
  assert.equal(queues.get("adder").deleted.length, 1);
});
`;

Deno.test("producers, the double and a container of a program run on Node 24", async () => {
  await using folder = await Folder.with({
    "producer.test.js": PRODUCER,
    "double.test.js": DOUBLE,
  });
  await using registry = await servePackage();
  await installForNode(folder.path, registry.env.JSR_URL!);
  await using server = await TestServer.start();
  const url = await server.createQueue("adder");
  await server.createQueue("doubler");
  const { code, stdout, stderr } = await new Deno.Command("npx", {
    args: ["-y", "node@24", "--test", "--test-reporter=tap"],
    cwd: folder.path,
    env: { ...server.env, NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  const output = decoder.decode(stdout) + decoder.decode(stderr);
  assertEquals(code, 0, output);
  assertEquals(
    [...output.matchAll(/^ok \d+ - (.+)$/gm)].map(([, name]) => name).sort(),
    [
      "a container does jobs",
      "a job that cannot be done is retried",
      "a producer sends jobs",
    ],
  );
  assertEquals((await server.receive(url)).sort(), [
    "[[1,2,3],{}]",
    "[[4,5,6],{}]",
    '[[7,8],{"x":9}]',
  ]);
});
