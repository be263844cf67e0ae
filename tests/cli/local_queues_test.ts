/**
 * The queues that `--local` makes, on a real local server.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { configOf } from "../../src/config/config.ts";
import { makeLocalQueues, onLocalServer } from "../../src/cli/local_queues.ts";
import { startLocalServer } from "../../src/cli/local_server.ts";
import { openQueue } from "../../src/connect/open_queue.ts";

const LONG = "l".repeat(80);

Deno.test("each local queue has a dead-letter queue that a container's attempts do not reach", async () => {
  await using server = await startLocalServer({ port: 0 });
  const configs = [
    { queue: "adder" },
    { queue: "orders.fifo", attempts: 20, failures: { queue: "kept.fifo" } },
    { queue: LONG },
  ].map((settings) =>
    onLocalServer(
      configOf({ handler: () => {}, ...settings }),
      server.endpoint,
    )
  );
  await makeLocalQueues(configs, server, undefined);
  const found: unknown[] = [];
  for (const { queue, region } of configs) {
    const where = { endpoint: server.endpoint, region, local: true };
    const { connection, url } = await openQueue(queue, where);
    const { redrive } = await connection.attributes(url);
    connection.close();
    found.push([
      redrive?.deadLetterQueue.split(":").at(-1),
      redrive?.maxReceiveCount,
    ]);
  }
  assertEquals(found, [
    ["adder-dead", 10],
    ["orders-dead.fifo", 21],
    [`${LONG.slice(5)}-dead`, 10],
  ]);
});
