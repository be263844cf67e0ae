/** What a job changes never reaches the message that is kept. */

import { assertEquals } from "@std/assert";
import { currentJob, runContainer } from "../../container.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import { setUp } from "../../testing.ts";

type Args = [{ list: number[] }];

/** Changes all that a job can reach. */
function spoil(order: Args[0], keywords: { x: number[] }): void {
  const job = currentJob();
  const blob = job.attributes.blob as Uint8Array;
  blob.fill(0);
  structuredClone(blob, { transfer: [blob.buffer as ArrayBuffer] });
  const attributes = job.attributes as Record<string, unknown>;
  delete attributes.text;
  attributes.more = "x";
  order.list.length = 0;
  keywords.x.push(9);
  (job.args as unknown[]).length = 0;
  (job.kwargs as Record<string, unknown>).y = 1;
  job.sentAt.setTime(0);
}

for (const failures of ["queue", "keep"] as const) {
  Deno.test(`a job cannot change the message that is kept: ${failures}`, async () => {
    await using queues = setUp({ silent: true, queues: ["adder", "failed"] });
    const seen: unknown[] = [];
    await runContainer({
      queue: "adder",
      failures: failures === "keep" ? failures : { queue: "failed" },
      loggers: "<logger>\n level CRITICAL\n</logger>",
      handler: (order: Args[0], keywords: { x: number[] }) => {
        seen.push(structuredClone([order, keywords, currentJob().attributes]));
        spoil(order, keywords);
        throw new Error("no");
      },
    });
    const body = '[[{"list":[1,2]}],{"x":[3]}]';
    const { connection, url } = await openQueue("adder");
    await connection.send(url, [{
      body,
      attributes: {
        blob: { type: "Binary", value: new Uint8Array([1, 2, 3]) },
        text: { type: "String", value: "kept" },
      },
    }]);
    if (failures === "keep") {
      await queues.advance(30);
      assertEquals(seen.length, 2);
      assertEquals(seen[1], seen[0]);
    }
    const name = failures === "keep" ? "adder" : "failed";
    const [message] = queues.get(name).messages;
    assertEquals(message?.body, body);
    const { "zsqs.failure": _, ...attributes } = message!.attributes;
    assertEquals(attributes, { blob: new Uint8Array([1, 2, 3]), text: "kept" });
  });
}
