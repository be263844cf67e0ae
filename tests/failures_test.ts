/**
 * Failed messages that are kept in a queue, with the reason.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { stub } from "@std/testing/mock";
import { openQueue } from "../_connect.ts";
import type { OutgoingMessage, ReceivedMessage } from "../_connection.ts";
import { type Handler, runContainer } from "../container.ts";
import { Queue } from "../producer.ts";
import { setUp } from "../testing.ts";

const bad: Handler = () => {
  throw new TypeError("\x1b[31mbad\x1b[0m 漢字 \u{1f600}");
};

async function receiveAll(name: string): Promise<ReceivedMessage[]> {
  const { connection, url } = await openQueue(name);
  return await connection.receive(url, { maxMessages: 10, waitTimeSeconds: 0 });
}

async function sendRaw(name: string, message: OutgoingMessage): Promise<void> {
  const { connection, url } = await openQueue(name);
  const [result] = await connection.send(url, [message]);
  assert(result!.ok);
}

function reasonOf(message: ReceivedMessage): Record<string, unknown> {
  const { type, value } = message.attributes["zsqs.failure"]!;
  assertEquals(type, "String");
  assert(/^[\x20-\x7e]+$/.test(value as string), "the reason is ASCII");
  assert((value as string).length <= 1024, "the reason is at most 1 KiB");
  return JSON.parse(value as string);
}

async function failInto(failures: string, queue = "adder"): Promise<void> {
  await runContainer({
    queue,
    failures,
    worker: () => bad,
    loggers: "",
  });
}

Deno.test("failures = QUEUE keeps the body, the attributes and the reason", async () => {
  using _error = stub(console, "error", () => {});
  await using queues = setUp({ silent: true, startTime: new Date(0) });
  await failInto("adder-failed");
  const adder = await Queue("adder");
  const { messageId } = await adder.send([1, "x"], {
    attributes: { tenant: "acme", n: 5, raw: Uint8Array.of(0, 255) },
  });
  assertEquals(queues.get("adder").messages, []);
  const [kept] = await receiveAll("adder-failed");
  const { "zsqs.failure": _reason, ...attributes } = kept!.attributes;
  assertEquals(kept!.body, '[[1,"x"],{}]');
  assertEquals(attributes, {
    tenant: { type: "String", value: "acme" },
    n: { type: "Number", value: "5" },
    raw: { type: "Binary", value: Uint8Array.of(0, 255) },
  });
  assertEquals(reasonOf(kept!), {
    queue: "adder",
    messageId,
    error: "TypeError",
    message: "\x1b[31mbad\x1b[0m 漢字 \u{1f600}",
    receiveCount: 1,
    time: "1970-01-01T00:00:00.000Z",
  });
});

Deno.test("failures = QUEUE shortens a long reason", async () => {
  using _error = stub(console, "error", () => {});
  await using _queues = setUp({ silent: true });
  await runContainer({
    queue: "adder",
    failures: "adder-failed",
    worker: () => () => {
      throw new Error("漢".repeat(5000));
    },
    loggers: "",
  });
  await (await Queue("adder"))(1);
  const [kept] = await receiveAll("adder-failed");
  const { message, queue } = reasonOf(kept!);
  assertEquals(queue, "adder");
  assert((message as string).length > 100);
});

Deno.test("failures = QUEUE leaves the reason out where there is no room", async () => {
  const ten = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`a${i}`, "x"]),
  );
  const mebibyte = `[["${"x".repeat(1_048_576 - 9)}"],{}]`;
  const cases: [string, OutgoingMessage][] = [
    ["ten attributes", {
      body: "[[1],{}]",
      attributes: Object.fromEntries(
        Object.entries(ten).map(([k, value]) => [k, { type: "String", value }]),
      ),
    }],
    ["1 MiB", { body: mebibyte, attributes: {} }],
  ];
  for (const [what, message] of cases) {
    const logged: string[] = [];
    using _error = stub(console, "error", (line) => void logged.push(line));
    await using queues = setUp({ silent: true });
    await sendRaw("adder", message);
    await failInto("adder-failed");
    assertEquals(queues.get("adder").messages, [], what);
    const [kept] = await receiveAll("adder-failed");
    assertEquals(kept!.body, message.body, what);
    assertEquals(kept!.attributes, message.attributes, what);
    assertStringIncludes(logged.join("\n"), "without its reason");
  }
});

Deno.test("failures = QUEUE deletes nothing where the sending fails", async () => {
  using _error = stub(console, "error", () => {});
  await using queues = setUp({
    silent: true,
    queues: ["adder", { name: "small", maximumMessageSize: 1024 }],
  });
  await failInto("small");
  await (await Queue("adder"))("a job of more than a kibibyte".repeat(40));
  assertEquals(queues.get("adder").messages.length, 1);
  assertEquals(queues.get("small").messages.length, 0);
});

Deno.test("failures = QUEUE.fifo keeps groups, and takes no two for one", async () => {
  using _error = stub(console, "error", () => {});
  await using queues = setUp({ silent: true });
  await failInto("failed.fifo", "adder.fifo");
  const adder = await Queue("adder.fifo");
  // Equal jobs, told apart by their deduplication ids.
  for (const deduplicationId of ["one", "two"]) {
    await adder.send([1], { groupId: "g", deduplicationId });
  }
  const kept = await receiveAll("failed.fifo");
  assertEquals(kept.map(({ groupId }) => groupId), ["g", "g"]);
  assertEquals(queues.get("adder.fifo").messages, []);
});

Deno.test("runContainer() refuses a failures queue that does not exist, or is its own", async () => {
  using _queues = setUp({ silent: true, queues: ["adder"] });
  for (
    const [failures, message] of [
      ["nowhere", 'Cannot find queue "nowhere"'],
      ["adder", '"failures" must be another queue than "queue"'],
    ] as const
  ) {
    let error: unknown;
    try {
      await failInto(failures);
    } catch (caught) {
      error = caught;
    }
    assertStringIncludes((error as Error).message, message);
  }
});

Deno.test("failures = QUEUE keeps jobs whatever they throw", async () => {
  const thrown: unknown[] = [
    Object.assign(new Error("no name"), { name: undefined }),
    Object.create(null),
    Object.defineProperty(new Error(), "message", {
      get() {
        throw new Error("unreadable");
      },
    }),
    undefined,
  ];
  for (const [i, value] of thrown.entries()) {
    using _error = stub(console, "error", () => {});
    await using queues = setUp({ silent: true });
    await runContainer({
      queue: "adder",
      failures: "adder-failed",
      worker: () => () => {
        throw value;
      },
      loggers: "",
    });
    await (await Queue("adder"))(i);
    assertEquals(queues.get("adder").messages, []);
    assertEquals(queues.get("adder-failed").jobs, [[i]]);
  }
});
