/**
 * Failed messages that are kept in a queue, with the reason.
 *
 * @module
 */

import { SqsError } from "../../src/errors.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { openQueue } from "../../src/connect/open_queue.ts";
import {
  MAX_BYTES,
  type OutgoingMessage,
  type ReceivedMessage,
  type WireAttribute,
  type WireAttributes,
} from "../../src/sqs/connection.ts";
import { type Handler, runContainer, startContainer } from "../../container.ts";
import { Queue, type QueueOptions } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { cli } from "../support/cli.ts";
import { replaceCalls } from "../support/call_faults.ts";
import { Printed } from "../support/printed.ts";
import { TestServer } from "../support/server.ts";
import { runForced } from "../support/run_forced.ts";

const bad: Handler = () => {
  throw new TypeError("\x1b[31mbad\x1b[0m 漢字 \u{1f600}");
};

async function receiveAll(
  name: string,
  options: QueueOptions = {},
): Promise<ReceivedMessage[]> {
  const { connection, url } = await openQueue(name, options);
  const messages = await connection.receive(url, {
    maxMessages: 10,
    waitTimeSeconds: 0,
  });
  connection.close();
  return messages;
}

async function sendRaw(
  name: string,
  message: OutgoingMessage,
  options: QueueOptions = {},
): Promise<void> {
  const { connection, url } = await openQueue(name, options);
  const [result] = await connection.send(url, [message]);
  connection.close();
  assert(result!.ok);
}

function reasonOf(message: ReceivedMessage): Record<string, unknown> {
  const { type, value } = message.attributes["zsqs.failure"]!;
  assertEquals(type, "String");
  assert(/^[\x20-\x7e]+$/.test(value as string), "the reason is ASCII");
  assert((value as string).length <= 4096, "the reason is at most 4 KiB");
  return JSON.parse(value as string);
}

async function failInto(
  failures: string,
  queue = "adder",
  worker = bad,
  forceSignal?: AbortSignal,
  server: { readonly endpoint?: string } = {},
): Promise<void> {
  const settings = {
    queue,
    failures: { queue: failures },
    handler: worker,
    loggers: "",
    ...server,
  };
  if (forceSignal === undefined) await runContainer(settings);
  else await runForced(settings, { forceSignal });
}

Deno.test("failures = QUEUE keeps the body, the attributes and the reason", async () => {
  using _printed = new Printed();
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
  const { stack, ...reason } = reasonOf(kept!);
  assertMatch(
    String(stack),
    /^ {4}at .*\/failure_queue_test\.ts:\d+:\d+\)?$/,
  );
  assertEquals(reason, {
    queue: "adder",
    messageId,
    error: "TypeError",
    message: "\x1b[31mbad\x1b[0m 漢字 \u{1f600}",
    receiveCount: 1,
    hops: 1,
    time: "1970-01-01T00:00:00.000Z",
  });
});

Deno.test("failures = QUEUE shortens a long reason", async () => {
  using _printed = new Printed();
  await using _queues = setUp({ silent: true });
  await runContainer({
    queue: "adder",
    failures: { queue: "adder-failed" },
    worker: () => () => {
      throw new Error("漢".repeat(5000));
    },
    loggers: "",
  });
  await (await Queue("adder"))(1);
  const [kept] = await receiveAll("adder-failed");
  const { message, queue, stack } = reasonOf(kept!);
  assertEquals([queue, stack], ["adder", undefined]);
  assert((message as string).length > 600);
});

Deno.test("failures = QUEUE keeps the first frames of a long stack", async () => {
  using _printed = new Printed();
  await using _queues = setUp({ silent: true });
  const error = new Error("deep");
  const frames = Array.from(
    { length: 1000 },
    (_, i) => `    at é${i} (file:///srv/worker.ts:${i + 1}:1)`,
  );
  error.stack = `Error: deep\n${frames.join("\n")}`;
  await failInto("adder-failed", "adder", () => {
    throw error;
  });
  await (await Queue("adder"))(1);
  const [kept] = await receiveAll("adder-failed");
  const { stack, message } = reasonOf(kept!);
  assertEquals(message, "deep");
  const lines = String(stack).split("\n");
  assert(lines.length > 50, `${lines.length} frames`);
  assertEquals(lines, frames.slice(0, lines.length));
});

/** Fails messages of "adder", whose failures are kept in "adder-failed". */
type Fail = (
  messages: readonly OutgoingMessage[],
  options: { readonly maximumMessageSize: number; readonly worker: Handler },
) => Promise<ReceivedMessage[]>;

const BACKENDS: Record<string, Fail> = {
  async double(messages, { maximumMessageSize, worker }) {
    await using queues = setUp({
      silent: true,
      queues: ["adder", { name: "adder-failed", maximumMessageSize }],
    });
    for (const message of messages) await sendRaw("adder", message);
    await failInto("adder-failed", "adder", worker);
    assertEquals(queues.get("adder").messages, []);
    return await receiveAll("adder-failed");
  },
  async fauxqs(messages, { maximumMessageSize, worker }) {
    await using server = await TestServer.start();
    const where = { endpoint: server.endpoint };
    const url = await server.createQueue("adder");
    await server.createQueue("adder-failed", {
      MaximumMessageSize: String(maximumMessageSize),
    });
    for (const message of messages) await sendRaw("adder", message, where);
    const stop = new AbortController();
    const container = failInto(
      "adder-failed",
      "adder",
      worker,
      stop.signal,
      where,
    );
    await server.left(url, 0);
    stop.abort();
    await container;
    return await receiveAll("adder-failed", where);
  },
};

function text(value: string): WireAttribute {
  return { type: "String", value };
}

/** As many attributes as are asked for. */
function attributes(count: number): WireAttributes {
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`a${i}`, text("x")]),
  );
}

/** A body of so many bytes, told apart from others by its first character. */
function bodyOf(bytes: number, first: string): string {
  return `[["${first}${"x".repeat(bytes - 10)}"],{}]`;
}

for (const [backend, fail] of Object.entries(BACKENDS)) {
  Deno.test(`failures = QUEUE keeps body and attributes, and the reason where there is room (${backend})`, async () => {
    using printed = new Printed();
    // A former reason so short that there is no room for a new one.
    const former = { "zsqs.failure": text("{}") };
    const cases: [OutgoingMessage, WireAttributes, reason: boolean][] = [
      [{ body: bodyOf(10, "a"), attributes: attributes(10) }, {}, false],
      [{ body: bodyOf(MAX_BYTES, "b"), attributes: {} }, {}, false],
      [{ body: bodyOf(10, "c"), attributes: attributes(9) }, former, true],
      [
        { body: bodyOf(MAX_BYTES - 20, "d"), attributes: {} },
        former,
        false,
      ],
    ];
    const kept = await fail(
      cases.map(([message, more]) => ({
        ...message,
        attributes: { ...message.attributes, ...more },
      })),
      { maximumMessageSize: MAX_BYTES, worker: bad },
    );
    assertEquals(kept.length, cases.length);
    for (const [message, _, reason] of cases) {
      const found = kept.find(({ body }) => body === message.body);
      assert(found !== undefined, `no ${message.body.slice(0, 20)}`);
      const { "zsqs.failure": _reason, ...unchanged } = found.attributes;
      assertEquals(unchanged, message.attributes);
      if (reason) assertEquals(reasonOf(found).queue, "adder");
      else assertEquals(_reason, undefined);
    }
    assertEquals(
      printed.err.join("\n").split("without its reason").length - 1,
      3,
    );
  });

  Deno.test(`failures = QUEUE keeps to a lower limit of that queue (${backend})`, async () => {
    using printed = new Printed();
    const kept = await fail(
      [500, 1000, 1024].map((bytes, i) => ({
        body: bodyOf(bytes, String(i)),
        attributes: {},
      })),
      {
        maximumMessageSize: 1024,
        worker: () => {
          throw new Error("y".repeat(2000));
        },
      },
    );
    const sorted = kept.toSorted((a, b) => a.body.length - b.body.length);
    assertEquals(sorted.map(({ body }) => body.length), [500, 1000, 1024]);
    assert((reasonOf(sorted[0]!).message as string).length > 100);
    assertEquals(sorted.slice(1).map((each) => each.attributes), [{}, {}]);
    assertEquals(
      printed.err.join("\n").split("without its reason").length - 1,
      2,
    );
  });
}

Deno.test("failures = QUEUE deletes nothing where the sending fails", async () => {
  using _printed = new Printed();
  await using queues = setUp({
    silent: true,
    queues: ["adder", { name: "small", maximumMessageSize: 1024 }],
  });
  await failInto("small");
  await (await Queue("adder"))("a job of more than a kibibyte".repeat(40));
  assertEquals(queues.get("adder").messages.length, 1);
  assertEquals(queues.get("small").messages.length, 0);
});

Deno.test("failures = QUEUE counts a job as failed once its message is there", async () => {
  await using queues = setUp({ silent: true });
  const ends: string[] = [];
  let isAway = true;
  using _calls = replaceCalls({
    send(real, url, messages) {
      if (!isAway || !url.endsWith("failed")) return real.send(url, messages);
      const options = { code: "InternalError", senderFault: false };
      throw new SqsError("SendMessage failed: away", options);
    },
  });
  const container = await startContainer({
    queue: "adder",
    failures: { queue: "adder-failed" },
    handler: bad,
    hooks: { jobEnded: (_job, { outcome }) => void ends.push(outcome) },
    loggers: "",
  });
  const counts = ({ failed, retried } = container.summary) => [failed, retried];
  await (await Queue("adder"))(1);
  assertEquals(counts(), [0, 1]);
  isAway = false;
  await queues.advance(30);
  assertEquals(counts(), [1, 1]);
  assertEquals(ends, ["retried", "failed"]);
  await container.stop();
});

Deno.test("failures = QUEUE.fifo keeps groups, and takes no two for one", async () => {
  using _printed = new Printed();
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

Deno.test("failures = QUEUE.fifo loses no job on the way back, again and again within 5 minutes", async () => {
  using _printed = new Printed();
  await using queues = setUp({ silent: true });
  let failed = 0;
  const done: unknown[] = [];
  await failInto("failed.fifo", "adder.fifo", (...args) => {
    if (failed++ < 4) throw new TypeError("bad");
    done.push(args);
  });
  const adder = await Queue("adder.fifo");
  for (const deduplicationId of ["one", "two"]) {
    await adder.send([1], { groupId: "g", deduplicationId });
  }
  for (const left of [2, 0]) {
    assertEquals(queues.get("failed.fifo").jobs, [[1], [1]]);
    await queues.advance(10);
    assertEquals(
      (await cli(["failed", "--redrive", "--yes", "failed.fifo"])).status,
      0,
    );
    assertEquals(queues.get("failed.fifo").messages.length, left);
  }
  assertEquals(done, [[1], [1]]);
  assertEquals(queues.get("adder.fifo").messages, []);
});

Deno.test("failures = QUEUE.fifo keeps a message once where the answer was lost", async () => {
  using _printed = new Printed();
  await using queues = setUp({
    silent: true,
    queues: ["failed.fifo", "adder.fifo"],
  });
  let sends = 0;
  using _calls = replaceCalls({
    async send(real, url, messages) {
      const results = await real.send(url, messages);
      if (url.endsWith("failed.fifo") && ++sends === 1) {
        throw new SqsError("send failed: reset", {
          code: "ECONNRESET",
          senderFault: false,
        });
      }
      return results;
    },
  });
  await failInto("failed.fifo", "adder.fifo");
  await (await Queue("adder.fifo")).send([1], { groupId: "g" });
  assertEquals(queues.get("adder.fifo").messages.length, 1);
  await queues.advance(60);
  assertEquals(sends, 2);
  assertEquals(queues.get("adder.fifo").messages, []);
  assertEquals(queues.get("failed.fifo").jobs, [[1]]);
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
    using _printed = new Printed();
    await using queues = setUp({ silent: true });
    await runContainer({
      queue: "adder",
      failures: { queue: "adder-failed" },
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
