import { SqsError } from "../../src/errors.ts";
import { testMode } from "../../src/connect/test_mode.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { openQueue } from "../../src/connect/open_queue.ts";
import type { ReceivedMessage } from "../../src/sqs/connection.ts";
import { currentJob, runContainer, TransientError } from "../../container.ts";
import { kwargs, NonExistentQueueError, Queue } from "../../producer.ts";
import { setUp, type TestQueues } from "../../testing.ts";
import { Printed } from "../support/printed.ts";

/** A queue of the double as SQS shows it. */
async function open(name = "adder") {
  const { url, connection } = await openQueue(name);
  return {
    attributes: () => connection.attributes(url),
    send: async (body: string, options: object = {}) => {
      const [result] = await connection.send(url, [
        { body, attributes: {}, ...options },
      ]);
      return result!.ok ? result!.value : result!.failure.code;
    },
    receive: (options: object = {}) =>
      connection.receive(url, {
        maxMessages: 10,
        waitTimeSeconds: 0,
        ...options,
      }),
    delete: async ({ receiptHandle }: { receiptHandle: string }) => {
      const [result] = await connection.delete(url, [receiptHandle]);
      return result!.ok ? "ok" : result!.failure.code;
    },
    hide: async (
      { receiptHandle }: { receiptHandle: string },
      visibilityTimeoutSeconds: number,
    ) => {
      const [result] = await connection.changeVisibility(url, [
        { receiptHandle, visibilityTimeoutSeconds },
      ]);
      return result!.ok ? "ok" : result!.failure.code;
    },
    connection,
    url,
  };
}

function bodies(messages: readonly ReceivedMessage[]): string[] {
  return messages.map(({ body }) => body);
}

Deno.test("setUp() prints what zc.sqs prints", async () => {
  using printed = new Printed();
  await using queues = setUp();
  const queue = await Queue("adder");
  assertEquals(printed.take(), ["Connected to region us-east-1."]);
  await queue(1, 2, kwargs({ x: 3 }));
  assertEquals(printed.take(), ['[[1,2],{"x":3}]']);
  await Queue("adder", { region: "eu-west-1" });
  assertEquals(printed.take(), ["Connected to region eu-west-1."]);
  const base64 = await Queue("base64", { encoding: "base64" });
  await base64("é");
  assertEquals(printed.take(), [
    "Connected to region us-east-1.",
    '[["é"],{}]',
  ]);

  await runContainer({
    queue: "adder",
    loggers: "",
    worker: () => (a: unknown) => {
      globalThis.console.log(`job ${a}`);
      if (a === "later") throw new TransientError();
    },
  });
  assertEquals(printed.take(), [
    "Connected to region us-east-1.",
    "job 1",
    `deleted '[[1,2],{"x":3}]'`,
  ]);
  await queue("é");
  assertEquals(printed.take(), ["job é", `deleted '[["é"],{}]'`]);
  await queue("later");
  assertEquals(printed.take(), ["job later"]);
  await queues.advance(30);
  assertEquals(printed.take(), ["job later"]);
  await base64("other");
  assertEquals(printed.take(), ['[["other"],{}]']);
});

Deno.test("Queues.beSilent() stops the printing and starts it again", async () => {
  using printed = new Printed();
  using queues = setUp({ silent: true });
  const queue = await Queue("adder");
  await queue(1);
  assertEquals(printed.take(), []);
  queues.beSilent(false);
  await queue(2);
  assertEquals(printed.take(), ["[[2],{}]"]);
  queues.beSilent();
  await queue(3);
  assertEquals(printed.take(), []);
  assertEquals(queues.get("adder").jobs, [[1], [2], [3]]);
});

Deno.test("Queues.get() shows what a queue holds and held", async () => {
  const startTime = new Date("2024-05-06T07:08:09Z");
  await using queues = setUp({ silent: true, startTime });
  const queue = await Queue("adder");
  const { messageId } = await queue.send([1, kwargs({ x: 3 })], {
    attributes: { a: 1 },
    groupId: "g",
  });
  const { send } = await open();
  await send("no job");
  await queue.send([2], { delaySeconds: 60 });

  const shown = queues.get("adder");
  assertEquals(shown.name, "adder");
  assertEquals(shown.url, queue.url);
  assertEquals(shown.bodies, ['[[1],{"x":3}]', "no job", "[[2],{}]"]);
  const [first, bad, delayed] = shown.messages;
  assertEquals({ ...first!, kwargs: { ...first!.kwargs } }, {
    messageId,
    body: '[[1],{"x":3}]',
    args: [1],
    kwargs: { x: 3 },
    attributes: { a: 1 },
    groupId: "g",
    sentAt: startTime,
    receiveCount: 0,
    visible: true,
    visibleAt: startTime,
  });
  assertEquals([bad!.args, bad!.kwargs], [undefined, undefined]);
  assertEquals([first!.visible, delayed!.visible], [true, false]);
  assertEquals(delayed!.visibleAt, new Date("2024-05-06T07:09:09Z"));
  assertEquals(queues.now, startTime);
});

Deno.test("Queues.get() shows jobs as a handler gets them", async () => {
  using queues = setUp({ silent: true });
  const queue = await Queue("adder");
  await queue(1, kwargs({ x: 3 }));
  await queue(kwargs({}));
  assertEquals(queues.get("adder").jobs, [[1, { x: 3 }], []]);
  const { send } = await open("bad");
  await send("no job");
  // What is no job cannot be shown as one; the rest can.
  const error = assertThrows(() => queues.get("bad").jobs, TypeError);
  const [message] = queues.get("bad").messages;
  assertEquals(
    error.message,
    `Cannot read message ${
      message!.messageId
    } of "bad" as a job: wanted [args, kwargs], its body is "no job"`,
  );
});

Deno.test("setUp() with queues has no others", async () => {
  await using queues = setUp({
    silent: true,
    queues: ["one", { name: "two.fifo" }],
  });
  await Queue("one");
  await Queue("two.fifo");
  await assertRejects(() => Queue("three"), NonExistentQueueError);
  await assertRejects(
    () => runContainer({ queue: "three", worker: () => () => {} }),
    NonExistentQueueError,
  );
  assertEquals(
    assertThrows(() => queues.get("three"), Error).message,
    'Cannot get queue "three" as it does not exist: the testing double has "one", "two.fifo"',
  );
});

Deno.test("setUp() without queues has every queue, and no bad name", () => {
  using queues = setUp({ silent: true });
  assertEquals(queues.get("any").messages, []);
  for (
    const name of ["", "two words", "https://sqs.us-east-1.amazonaws.com/1/x"]
  ) {
    const error = assertThrows(() => queues.get(name), TypeError);
    assertMatch(
      error.message,
      /^Cannot make queue ".*": give a queue's name, URL/,
    );
    assertThrows(() => setUp({ queues: [name] }), TypeError);
  }
});

Deno.test("setUp() restores the state from before", async () => {
  assertEquals(testMode(), undefined);
  {
    using outer = setUp({ silent: true });
    const mode = testMode();
    const queue = await Queue("adder");
    {
      using inner = setUp({ silent: true });
      await (await Queue("adder"))("inner");
      await queue("outer");
      assertEquals(inner.get("adder").jobs, [["inner"]]);
      assertNotEquals(testMode(), mode);
    }
    assertStrictEquals(testMode(), mode);
    await (await Queue("adder"))("again");
    assertEquals(outer.get("adder").jobs, [["outer"], ["again"]]);
  }
  assertEquals(testMode(), undefined);
  assertEquals(
    Reflect.ownKeys(globalThis).filter((key) =>
      typeof key === "symbol" &&
      (globalThis as Record<symbol, unknown>)[key] !== undefined &&
      String(key).includes("zsqs/1/test")
    ),
    [],
  );
});

Deno.test("setUp() stands in for SQS in every copy of the package", async () => {
  using queues = setUp({ silent: true });
  const copy = await import(`../../producer.ts?copy=${crypto.randomUUID()}`);
  assert(copy.Queue !== Queue);
  await (await copy.Queue("adder"))(1);
  assertEquals(queues.get("adder").jobs, [[1]]);
});

Deno.test("Queues.advance() brings a message back when its visibility ends", async () => {
  await using queues = setUp({ silent: true });
  const counts: number[] = [];
  await runContainer({
    queue: "adder",
    worker: () => () => {
      if (counts.push(currentJob().receiveCount) < 3) {
        throw new TransientError();
      }
    },
  });
  await (await Queue("adder"))();
  assertEquals(counts, [1]);
  await queues.advance(29.999);
  assertEquals(counts, [1]);
  assertEquals(queues.get("adder").messages[0]!.visible, false);
  await queues.advance(0.001);
  assertEquals(counts, [1, 2]);
  await queues.advance(3600);
  assertEquals(counts, [1, 2, 3]);
  assertEquals(queues.get("adder").deleted[0]!.receiveCount, 3);
});

Deno.test("Queues.advance() runs each retry on the way, in time", async () => {
  const startTime = new Date(0);
  await using queues = setUp({ silent: true, startTime });
  const at: number[] = [];
  await runContainer({
    queue: "adder",
    visibilityTimeoutSeconds: 100,
    worker: () => () => {
      at.push(queues.now.getTime() / 1000);
      const { receiveCount } = currentJob();
      throw new TransientError(
        "",
        receiveCount === 2 ? {} : { delaySeconds: 10 },
      );
    },
  });
  await (await Queue("adder"))();
  await queues.advance(140);
  assertEquals(at, [0, 10, 110, 120, 130, 140]);
  assertEquals(queues.now, new Date(140_000));
});

Deno.test("Queues.advance() waits for no job that was under way, whoever else moves the clock", async () => {
  await using queues = setUp({ silent: true });
  const begun = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  await runContainer({
    queue: "adder",
    worker: () => async () => {
      begun.resolve();
      await release.promise;
    },
  });
  const sent = (await Queue("adder"))();
  await begun.promise;
  // Stops on the way of the longer move, after the shorter one has ended.
  const other = await Queue("other");
  for (const delaySeconds of [2, 4, 6, 8]) {
    await other.send([], { delaySeconds });
  }
  await Promise.all([queues.advance(1), queues.advance(10)]);
  release.resolve();
  await sent;
  assertEquals(queues.get("adder").deleted.length, 1);
});

Deno.test("Queues.advance() runs a delayed job when its delay ends", async () => {
  await using queues = setUp({
    silent: true,
    queues: ["adder", { name: "slow", delaySeconds: 60 }],
  });
  const done: unknown[] = [];
  for (const queue of ["adder", "slow"]) {
    await runContainer({
      queue,
      worker: () => (a: number) => done.push(a),
    });
  }
  await (await Queue("adder")).send([1], { delaySeconds: 5 });
  const slow = await Queue("slow");
  await slow(2);
  await slow.send([3], { delaySeconds: 0 });
  assertEquals(done, [3]);
  await queues.advance(5);
  assertEquals(done, [3, 1]);
  await queues.advance(54);
  assertEquals(done, [3, 1]);
  await queues.advance(1);
  assertEquals(done, [3, 1, 2]);
});

for (const seconds of [-1, NaN, Infinity]) {
  Deno.test(`Queues.advance() refuses ${seconds}`, async () => {
    using queues = setUp({ silent: true });
    const error = await assertRejects(() => queues.advance(seconds));
    assertInstanceOf(error, RangeError);
    assertEquals(
      error.message,
      `Cannot advance the clock by ${seconds}: wanted seconds, 0 or more`,
    );
  });
}

Deno.test("setUp() rejects a send whose job is retried without end and delay", async () => {
  await using queues = setUp({ silent: true });
  await runContainer({
    queue: "adder",
    worker: () => () => {
      throw new TransientError("", { delaySeconds: 0 });
    },
  });
  const queue = await Queue("adder");
  const error = await assertRejects(() => queue(1), Error);
  const { messageId, receiveCount } = queues.get("adder").messages[0]!;
  assertEquals(
    error.message,
    `Cannot deliver message ${messageId} of "adder" again after 1000 receives while the clock stood still: retry its job with a delay. Its body is "[[1],{}]"`,
  );
  assertEquals(receiveCount, 1000);
});

Deno.test("a queue of the double hides a received message", async () => {
  using queues = setUp({ silent: true });
  const { send, receive, attributes } = await open();
  await send("a");
  const [first] = await receive();
  assertEquals(first!.receiveCount, 1);
  assertEquals(await receive(), []);
  assertEquals(await attributes(), {
    messageRetentionSeconds: 345_600,
    delaySeconds: 0,
    maximumMessageSize: 1_048_576,
    visibilityTimeoutSeconds: 30,
    visible: 0,
    inFlight: 1,
    delayed: 0,
  });
  await queues.advance(30);
  const [second] = await receive({ visibilityTimeoutSeconds: 5 });
  assertEquals(second!.receiveCount, 2);
  assertEquals(second!.messageId, first!.messageId);
  assertNotEquals(second!.receiptHandle, first!.receiptHandle);
  await queues.advance(5);
  assertEquals(bodies(await receive()), ["a"]);
});

Deno.test("a queue of the double deletes by the last receipt handle alone", async () => {
  using queues = setUp({ silent: true });
  const queue = await open();
  await queue.send("a");
  const [old] = await queue.receive();
  await queues.advance(30);
  const [last] = await queue.receive();
  assertEquals(await queue.delete(old!), "ok");
  assertEquals(queues.get("adder").bodies, ["a"]);
  assertEquals(await queue.hide(old!, 0), "MessageNotInflight");
  // The last one deletes even after its time.
  await queues.advance(60);
  assertEquals(await queue.delete(last!), "ok");
  assertEquals(queues.get("adder").bodies, []);
  assertEquals(queues.get("adder").deleted.length, 1);
  // Again, and with unknown handles.
  assertEquals(await queue.delete(last!), "ok");
  assertEquals(queues.get("adder").deleted.length, 1);
  assertEquals(await queue.hide(last!, 0), "MessageNotInflight");
  assertEquals(
    await queue.delete({ receiptHandle: "x" }),
    "ReceiptHandleIsInvalid",
  );
  assertEquals(
    await queue.hide({ receiptHandle: "x" }, 0),
    "ReceiptHandleIsInvalid",
  );
});

Deno.test("a FIFO queue of the double refuses an expired receipt handle", async () => {
  using queues = setUp({ silent: true });
  const queue = await open("adder.fifo");
  await queue.send("a", { groupId: "g" });
  const [message] = await queue.receive();
  await queues.advance(30);
  assertEquals(await queue.delete(message!), "InvalidParameterValue");
  assertEquals(queues.get("adder.fifo").bodies, ["a"]);
  const [again] = await queue.receive();
  assertEquals(await queue.delete(again!), "ok");
  assertEquals(queues.get("adder.fifo").bodies, []);
});

Deno.test("a queue of the double changes a message's visibility", async () => {
  using queues = setUp({ silent: true });
  const queue = await open();
  await queue.send("a");
  const [first] = await queue.receive();
  assertEquals(await queue.hide(first!, 100), "ok");
  await queues.advance(99);
  assertEquals(await queue.receive(), []);
  assertEquals(await queue.hide(first!, 0), "ok");
  const [second] = await queue.receive();
  assertEquals(second!.receiveCount, 2);
  await queues.advance(30);
  assertEquals(await queue.hide(second!, 10), "MessageNotInflight");
});

Deno.test("a queue of the double hides a message for 12 hours after its receive at most", async () => {
  using queues = setUp({ silent: true });
  const queue = await open();
  await queue.send("a");
  const [message] = await queue.receive();
  await queues.advance(10);
  assertEquals(await queue.hide(message!, 43_191), "InvalidParameterValue");
  assertEquals(await queue.hide(message!, 43_190), "ok");
  await queues.advance(43_189);
  assertEquals(await queue.hide(message!, 2), "InvalidParameterValue");
  assertEquals(await queue.hide(message!, 1), "ok");
  await queues.advance(1);
  const [again] = await queue.receive();
  assertEquals(await queue.hide(again!, 43_200), "ok");
});

Deno.test("a queue of the double gives at most what a receive asks for", async () => {
  using _queues = setUp({ silent: true });
  const queue = await open();
  for (const body of ["a", "b", "c"]) await queue.send(body);
  assertEquals(bodies(await queue.receive({ maxMessages: 2 })), ["a", "b"]);
  assertEquals(bodies(await queue.receive({ maxMessages: 2 })), ["c"]);
});

Deno.test("a queue of the double moves a message received too often to its dead-letter queue", async () => {
  using queues = setUp({
    silent: true,
    queues: [
      {
        name: "adder",
        redrive: { deadLetterQueue: "dead", maxReceiveCount: 2 },
      },
      "dead",
    ],
  });
  const queue = await open();
  const { messageId } = await queue.send("a") as { messageId: string };
  for (let i = 0; i < 2; i++) {
    assertEquals((await queue.receive()).length, 1);
    await queues.advance(30);
  }
  assertEquals(await queue.receive(), []);
  assertEquals(queues.get("adder").messages, []);
  const [dead] = queues.get("dead").messages;
  assertEquals(dead!.messageId, messageId);
  assertEquals(dead!.visible, true);
});

Deno.test("a dead-letter queue of the double keeps what SQS keeps of a message", async () => {
  for (const type of ["", ".fifo"]) {
    using queues = setUp({
      silent: true,
      queues: [
        {
          name: `adder${type}`,
          redrive: { deadLetterQueue: `dead${type}`, maxReceiveCount: 1 },
        },
        {
          name: `dead${type}`,
          redrive: { deadLetterQueue: `buried${type}`, maxReceiveCount: 2 },
        },
        `buried${type}`,
      ],
    });
    const queue = await open(`adder${type}`);
    const sentAt = queues.now;
    await queue.send("a", type === "" ? {} : { groupId: "g" });
    const [old] = await queue.receive();
    await queues.advance(30);
    assertEquals(await queue.receive(), []);
    // An old receipt handle deletes nothing there.
    assertEquals(await queue.delete(old!), "ok");
    const dead = await open(`dead${type}`);
    const [message] = await dead.receive();
    assertEquals(
      [message!.messageId, message!.receiveCount, message!.groupId],
      [old!.messageId, 2, old!.groupId],
    );
    assertEquals(
      message!.sentAtMs,
      (type === "" ? sentAt : queues.now).getTime(),
    );
    // It was received here once.
    await queues.advance(30);
    assertEquals((await dead.receive()).length, 1);
    await queues.advance(30);
    assertEquals(await dead.receive(), []);
    assertEquals(queues.get(`buried${type}`).messages[0]!.receiveCount, 3);
  }
});

Deno.test("a queue of the double drops a message when its retention ends", async () => {
  using queues = setUp({
    silent: true,
    queues: [
      "adder",
      { name: "short", messageRetentionSeconds: 60 },
      { name: "short.fifo", messageRetentionSeconds: 60 },
    ],
  });
  const queue = await open();
  await queue.send("a");
  const short = await open("short");
  await short.send("a");
  const fifo = await open("short.fifo");
  await fifo.send("a1", { groupId: "a" });
  await fifo.receive();
  await fifo.send("b1", { groupId: "b" });
  await queues.advance(59.999);
  assertEquals(queues.get("short").bodies, ["a"]);
  await fifo.send("a2", { groupId: "a" });
  await queues.advance(0.001);
  assertEquals(queues.get("short").messages, []);
  assertEquals(bodies(await fifo.receive()), ["a2"]);
  await queues.advance(345_600 - 61);
  assertEquals(bodies(await queue.receive()), ["a"]);
  await queues.advance(1);
  assertEquals(queues.get("adder").messages, []);
});

Deno.test("a FIFO queue of the double gives the same messages for the same attempt id", async () => {
  using queues = setUp({ silent: true });
  const queue = await open("adder.fifo");
  for (const body of ["a", "b"]) await queue.send(body, { groupId: "g" });
  const attempt = { attemptId: "one", maxMessages: 2 };
  const first = await queue.receive(attempt);
  assertEquals(bodies(first), ["a", "b"]);
  await queues.advance(20);
  assertEquals(await queue.receive({ attemptId: "two" }), []);
  // The same handles, and hidden anew.
  assertEquals(await queue.receive(attempt), first);
  await queues.advance(29);
  assertEquals(await queue.receive(), []);
  assertEquals(await queue.delete(first[0]!), "ok");
  // One was touched: the attempt is over.
  assertEquals(await queue.receive(attempt), []);
  await queues.advance(1);
  const [again] = await queue.receive(attempt);
  assertEquals([again!.body, again!.receiveCount], ["b", 2]);
  // A change of its visibility ends it too.
  assertEquals(await queue.hide(again!, 600), "ok");
  assertEquals(await queue.receive(attempt), []);
  // So do five minutes.
  await queues.advance(600);
  const long = { ...attempt, visibilityTimeoutSeconds: 3600 };
  assertEquals(bodies(await queue.receive(long)), ["b"]);
  await queues.advance(299);
  assertEquals(bodies(await queue.receive(long)), ["b"]);
  await queues.advance(1);
  assertEquals(await queue.receive(long), []);
});

Deno.test("a FIFO queue of the double delays its messages alike", async () => {
  using queues = setUp({
    silent: true,
    queues: [{ name: "adder.fifo", delaySeconds: 10 }],
  });
  const queue = await open("adder.fifo");
  await queue.send("a", { groupId: "g" });
  await queues.advance(6);
  await queue.send("b", { groupId: "g" });
  await queues.advance(4);
  // What is delayed is not in flight: it holds nothing up.
  assertEquals(bodies(await queue.receive()), ["a"]);
  assertEquals(
    await queue.send("c", { groupId: "g", delaySeconds: 1 }),
    "InvalidParameterValue",
  );
});

Deno.test("a container gets a message moved to its dead-letter queue", async () => {
  await using queues = setUp({
    silent: true,
    queues: [
      "dead",
      {
        name: "adder",
        redrive: { deadLetterQueue: "dead", maxReceiveCount: 2 },
      },
    ],
  });
  const dead: unknown[] = [];
  await runContainer({
    queue: "dead",
    worker: () => (a: number) => dead.push(a),
  });
  await runContainer({
    queue: "adder",
    worker: () => () => {
      throw new TransientError();
    },
  });
  const queue = await Queue("adder");
  await queue(1);
  await queues.advance(30);
  assertEquals(dead, []);
  await queues.advance(30);
  assertEquals(dead, [1]);
  assertEquals(queues.get("dead").deleted.length, 1);
});

Deno.test("a FIFO queue of the double keeps each group's order", async () => {
  using queues = setUp({ silent: true });
  const queue = await open("adder.fifo");
  for (const body of ["a1", "b1", "a2", "b2"]) {
    await queue.send(body, { groupId: body[0] });
  }
  const [a1] = await queue.receive({ maxMessages: 1 });
  assertEquals(a1!.body, "a1");
  assertEquals(a1!.groupId, "a");
  // While a message of a group is in flight, none of that group is given.
  assertEquals(bodies(await queue.receive()), ["b1", "b2"]);
  assertEquals(await queue.receive(), []);
  assertEquals(await queue.hide(a1!, 0), "ok");
  assertEquals(bodies(await queue.receive({ maxMessages: 1 })), ["a1"]);
  await queues.advance(30);
  const [again] = await queue.receive({ maxMessages: 1 });
  assertEquals(await queue.delete(again!), "ok");
  assertEquals(bodies(await queue.receive()), ["b1", "a2", "b2"]);
});

Deno.test("a FIFO queue of the double drops a duplicate for 5 minutes", async () => {
  using queues = setUp({
    silent: true,
    queues: ["adder.fifo", {
      name: "explicit.fifo",
      contentBasedDeduplication: false,
    }],
  });
  const queue = await open("adder.fifo");
  const first = await queue.send("a", { groupId: "g" });
  assertEquals(await queue.send("a", { groupId: "other" }), first);
  await queue.send("a", { groupId: "g", deduplicationId: "d" });
  assertEquals(queues.get("adder.fifo").bodies, ["a", "a"]);
  // Deleting it does not end the five minutes.
  const [message] = await queue.receive({ maxMessages: 1 });
  await queue.delete(message!);
  await queues.advance(299);
  await queue.send("a", { groupId: "g" });
  assertEquals(queues.get("adder.fifo").bodies, ["a"]);
  await queues.advance(1);
  assertNotEquals(await queue.send("a", { groupId: "g" }), first);
  assertEquals(queues.get("adder.fifo").bodies, ["a", "a"]);

  const explicit = await open("explicit.fifo");
  assertEquals(
    await explicit.send("a", { groupId: "g" }),
    "InvalidParameterValue",
  );
  assertEquals(await explicit.send("a"), "MissingParameter");
});

Deno.test("a container keeps a group waiting behind a job that is retried", async () => {
  await using queues = setUp({ silent: true });
  const done: unknown[] = [];
  await runContainer({
    queue: "adder.fifo",
    worker: () => (a: string) => {
      const { receiveCount } = currentJob();
      done.push(`${a} ${receiveCount}`);
      if (a === "a1" && receiveCount === 1) throw new TransientError();
    },
  });
  const queue = await Queue("adder.fifo");
  for (const job of ["a1", "a2", "b1"]) {
    await queue.send([job], { groupId: job[0]! });
  }
  assertEquals(done, ["a1 1", "b1 1"]);
  await queues.advance(30);
  assertEquals(done, ["a1 1", "b1 1", "a1 2", "a2 1"]);
});

Deno.test("a queue of the double refuses what SQS refuses", async () => {
  using queues = setUp({
    silent: true,
    queues: [{ name: "adder", maximumMessageSize: 1024 }, "large"],
  });
  const queue = await open();
  assertEquals(await queue.send("x".repeat(1025)), "InvalidParameterValue");
  assertEquals(
    await queue.send("x".repeat(1020), {
      attributes: { a: { type: "String", value: "x" } },
    }),
    "InvalidParameterValue",
  );
  for (const body of ["\0", "\ud800", "\uffff", "\x1f"]) {
    assertEquals(await queue.send(body), "InvalidMessageContents");
  }
  assertEquals(queues.get("adder").messages, []);
  await queue.send("x".repeat(1024));
  await queue.send("\t\n\r é😀\u{10ffff}\ufffd");
  assertEquals(queues.get("adder").messages.length, 2);
});

Deno.test("a queue of the double refuses the parameters that SQS refuses", async () => {
  using queues = setUp({ silent: true });
  const queue = await open();
  const fifo = await open("adder.fifo");
  const attributes = (name: string, type: string, value: unknown) => ({
    attributes: { [name]: { type, value } },
  });
  const messages: [body: string, options: object][] = [
    ["", {}],
    ["a", { delaySeconds: 901 }],
    ["a", { delaySeconds: 0.5 }],
    ["a", { deduplicationId: "d" }],
    ["a", { groupId: "" }],
    ["a", { groupId: "with space" }],
    ["a", { groupId: "x".repeat(129) }],
    ["a", attributes("AWS.x", "String", "x")],
    ["a", attributes("a..b", "String", "x")],
    ["a", attributes("a", "Text", "x")],
    ["a", attributes("a", "String", "")],
    ["a", attributes("a", "String", "\0")],
    ["a", attributes("a", "Number", "one")],
    ["a", attributes("a", "Number", " ")],
    ["a", attributes("a", "String", new Uint8Array([1]))],
    ["a", attributes("a", "Binary", "x")],
    ["a", attributes("a", "Binary", new Uint8Array())],
    [
      "a",
      {
        attributes: Object.fromEntries(
          Array.from(
            { length: 11 },
            (_, i) => [`a${i}`, { type: "String", value: "x" }],
          ),
        ),
      },
    ],
  ];
  for (const [body, options] of messages) {
    assertEquals(
      await queue.send(body, options),
      body === "" ? "MissingParameter" : "InvalidParameterValue",
      JSON.stringify([body, options]),
    );
  }
  assertEquals(queues.get("adder").messages, []);
  await queue.send("a", {
    groupId: "fair",
    delaySeconds: 900,
    ...attributes("a-b.c_1", "Number.int", "-1.5e3"),
  });
  assertEquals(queues.get("adder").messages.length, 1);
  await fifo.send("a", { groupId: "g" });

  for (
    const options of [
      { maxMessages: 0 },
      { maxMessages: 11 },
      { waitTimeSeconds: -1 },
      { waitTimeSeconds: 21 },
      { visibilityTimeoutSeconds: -1 },
      { visibilityTimeoutSeconds: 43_201 },
    ]
  ) {
    const error = await assertRejects(() => queue.receive(options));
    assertInstanceOf(error, SqsError);
    assertEquals(error.code, "InvalidParameterValue");
  }
  const [message] = await fifo.receive();
  assertEquals(await fifo.hide(message!, 43_201), "InvalidParameterValue");
  assertEquals(await fifo.hide(message!, -1), "InvalidParameterValue");
  assertEquals(await fifo.hide(message!, 0), "ok");
});

Deno.test("setUp() refuses settings that SQS refuses", () => {
  const cases: [queue: object, type: ErrorConstructor, message: string][] = [
    [
      { visibilityTimeoutSeconds: 43_201 },
      RangeError,
      'Cannot make queue "adder" as "visibilityTimeoutSeconds" must be an integer from 0 to 43200: current value is 43201',
    ],
    [{ delaySeconds: 901 }, RangeError, "from 0 to 900"],
    [{ messageRetentionSeconds: 59 }, RangeError, "from 60 to 1209600"],
    [{ maximumMessageSize: 1023 }, RangeError, "from 1024 to 1048576"],
    [
      { visibilityTimeout: 1 },
      TypeError,
      'did you mean "visibilityTimeoutSeconds"?',
    ],
    [
      { contentBasedDeduplication: "no" },
      TypeError,
      '"contentBasedDeduplication" must be a boolean: current value is "no"',
    ],
    [
      { redrive: { deadLetterQueue: "dead", maxReceiveCount: 0 } },
      RangeError,
      '"maxReceiveCount" must be an integer from 1 to 1000: current value is 0',
    ],
    [
      { redrive: { deadLetterQueue: "dead.fifo", maxReceiveCount: 1 } },
      TypeError,
      '"deadLetterQueue" must be a standard queue, like "adder": current value is "dead.fifo"',
    ],
  ];
  for (const [settings, type, message] of cases) {
    const error = assertThrows(
      () => setUp({ queues: [{ name: "adder", ...settings }] }),
      type,
    );
    assert(error.message.includes(message), error.message);
  }
  const error = assertThrows(() => setUp({ quiet: true } as object), TypeError);
  assertMatch(error.message, /^Cannot set up the testing double as "quiet" is/);
  assertEquals(testMode(), undefined);
});

Deno.test("setUp() refuses options of a wrong type", () => {
  const cases: [options: object, message: string][] = [
    [
      { queues: "adder" },
      '"queues" must be an array: current value is "adder"',
    ],
    [{ queues: [{}] }, "Cannot make queue undefined: give a queue's name"],
    [{ queues: [{ name: 1 }] }, "Cannot make queue 1: give a queue's name"],
    [{ silent: "no" }, '"silent" must be a boolean: current value is "no"'],
    [
      { startTime: new Date("never") },
      '"startTime" must be a valid Date: current value is an object',
    ],
    [
      { startTime: "2030" },
      '"startTime" must be a valid Date: current value is "2030"',
    ],
    [
      {
        queues: [{
          name: "a",
          redrive: { deadLetterQueue: "b", maxReceiveCount: 1, max: 1 },
        }],
      },
      '"max" is not an option',
    ],
  ];
  for (const [options, message] of cases) {
    const error = assertThrows(() => setUp(options), TypeError);
    assert(error.message.includes(message), error.message);
  }
  assertEquals(testMode(), undefined);
});

Deno.test("setUp() takes undefined for an option that is left out", async () => {
  using queues = setUp({
    silent: true,
    startTime: undefined,
    seed: undefined,
    queues: [{ name: "adder", delaySeconds: undefined, redrive: undefined }],
  });
  await (await open()).send("a");
  assertEquals(queues.get("adder").messages[0]!.visible, true);
});

Deno.test("a queue of the double says which queues there are, five at most", async () => {
  using queues = setUp({
    silent: true,
    queues: [
      {
        name: "a",
        redrive: { deadLetterQueue: "dead", maxReceiveCount: 1 },
      },
      ..."bcdef",
    ],
  });
  const queue = await open("a");
  await queue.send("x");
  await queue.receive();
  await queues.advance(30);
  const listed = 'the testing double has "a", "b", "c", "d", "e" and 1 more';
  const dead = await assertRejects(() => queue.receive(), Error);
  assertMatch(
    dead.message,
    /^Cannot move message \S+ of "a" to its dead-letter queue "dead" as that/,
  );
  assert(dead.message.endsWith(listed), dead.message);
  const error = await assertRejects(() => open("z"), NonExistentQueueError);
  assertMatch(String(error.cause), new RegExp(listed));
});

Deno.test("a queue of the double gives each of 5,000 messages once, in order", async () => {
  using queues = setUp({ silent: true });
  for (const name of ["adder", "adder.fifo"]) {
    const queue = await open(name);
    const fifo = name.endsWith(".fifo");
    const batch = Array.from({ length: 10 }, (_, i) => i);
    for (let i = 0; i < 500; i++) {
      await queue.connection.send(
        queue.url,
        batch.map((j) => ({
          body: `${i} ${j}`,
          attributes: {},
          ...(fifo ? { groupId: `g${(i * 10 + j) % 500}` } : {}),
        })),
      );
    }
    const order: string[] = [];
    for (let received = await queue.receive(); received.length > 0;) {
      order.push(...bodies(received));
      await queue.connection.delete(
        queue.url,
        received.map(({ receiptHandle }) => receiptHandle),
      );
      received = await queue.receive();
    }
    assertEquals(order.length, 5000);
    assertEquals(order.at(-1), "499 9");
    assertEquals(queues.get(name).messages, []);
  }
});

Deno.test("a queue of the double refuses batches that SQS refuses", async () => {
  using queues = setUp({ silent: true });
  const { connection, url } = await open();
  const of = <T>(length: number, value: T) =>
    Array.from({ length }, () => value);
  const message = { body: "x", attributes: {} };
  const large = { body: "x".repeat(600_000), attributes: {} };
  const change = { receiptHandle: "x", visibilityTimeoutSeconds: 0 };
  const cases: [call: () => Promise<unknown>, code: string][] = [
    [() => connection.send(url, []), "EmptyBatchRequest"],
    [
      () => connection.send(url, of(11, message)),
      "TooManyEntriesInBatchRequest",
    ],
    [() => connection.send(url, of(2, large)), "BatchRequestTooLong"],
    [() => connection.delete(url, []), "EmptyBatchRequest"],
    [() => connection.delete(url, of(11, "x")), "TooManyEntriesInBatchRequest"],
    [() => connection.changeVisibility(url, []), "EmptyBatchRequest"],
    [
      () => connection.changeVisibility(url, of(11, change)),
      "TooManyEntriesInBatchRequest",
    ],
  ];
  for (const [call, code] of cases) {
    const error = await assertRejects(call);
    assertInstanceOf(error, SqsError);
    assertEquals([error.code, error.senderFault], [code, true]);
  }
  assertEquals(queues.get("adder").messages, []);
  assertEquals((await connection.send(url, of(10, message))).length, 10);
});

Deno.test("a queue of the double polls until there is a message", async () => {
  using queues = setUp({ silent: true });
  const queue = await open();
  const states: string[] = [];
  const polling = queue.receive({ waitTimeSeconds: 20 });
  polling.then(() => states.push("answered"));
  await queues.advance(19);
  assertEquals(states, []);
  await queue.send("a");
  assertEquals(bodies(await polling), ["a"]);

  const hidden = queue.receive({ waitTimeSeconds: 20 });
  await queues.advance(11);
  // 30 s after it was received at 19 s.
  const until = queue.receive({ waitTimeSeconds: 20 });
  await queues.advance(19);
  assertEquals(await hidden, []);
  assertEquals(bodies(await until), ["a"]);
});

Deno.test("a queue of the double ends a poll when its time is over or its signal aborts", async () => {
  using queues = setUp({ silent: true });
  const queue = await open();
  let answered = false;
  const polling = queue.receive({ waitTimeSeconds: 20 });
  polling.then(() => answered = true);
  await queues.advance(19.999);
  assertEquals(answered, false);
  await queues.advance(0.001);
  assertEquals(await polling, []);

  const controller = new AbortController();
  const reason = new Error("enough");
  const aborted = queue.receive({
    waitTimeSeconds: 20,
    signal: controller.signal,
  });
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => aborted), reason);
  // It took nothing: the message is for the next.
  await queue.send("a");
  assertEquals(bodies(await queue.receive()), ["a"]);
});

/** Jobs that count down; each chooses its next queues. */
async function countDown(
  queues: string[],
  next: (queue: string, n: number) => string[],
): Promise<string[]> {
  const done: string[] = [];
  for (const queue of queues) {
    await runContainer({
      queue,
      worker: () => async (n: number) => {
        done.push(`${queue} ${n}`);
        if (n === 0) return;
        await Promise.all(
          next(queue, n).map(async (name) => await (await Queue(name))(n - 1)),
        );
        done.push(`${queue} ${n} sent`);
      },
    });
  }
  await (await Queue(queues[0]!))(2);
  return done;
}

function assertAllDone(
  queues: TestQueues,
  expected: Record<string, number>,
): void {
  for (const [name, deleted] of Object.entries(expected)) {
    const queue = queues.get(name);
    assertEquals([queue.messages.length, queue.deleted.length], [0, deleted]);
  }
}

Deno.test("a job may send to its own queue, which is done before the first send resolves", async () => {
  await using queues = setUp({ silent: true });
  assertEquals(await countDown(["a"], () => ["a"]), [
    "a 2",
    "a 2 sent",
    "a 1",
    "a 1 sent",
    "a 0",
  ]);
  assertAllDone(queues, { a: 3 });
});

Deno.test("a job may send to a queue that another container is wired up to", async () => {
  await using queues = setUp({ silent: true });
  const done = await countDown(
    ["a", "b"],
    (queue) => queue === "a" ? ["b"] : ["echo"],
  );
  assertEquals(done, ["a 2", "b 1", "b 1 sent", "a 2 sent"]);
  assertAllDone(queues, { a: 1, b: 1 });
  assertEquals(queues.get("echo").jobs, [[0]]);
});

Deno.test("two containers may send to each other, at the same time too", async () => {
  await using queues = setUp({ silent: true });
  await countDown(["a", "b"], () => ["a", "b", "b", "a"]);
  assertAllDone(queues, { a: 11, b: 10 });
  const both = [await Queue("a"), await Queue("b")];
  await Promise.all([...both, ...both].map((queue) => queue(1)));
  assertAllDone(queues, { a: 11 + 2 + 8, b: 10 + 2 + 8 });
});

Deno.test("a send waits for a container that another send has started", async () => {
  await using queues = setUp({ silent: true });
  const gate = Promise.withResolvers<void>();
  const done: number[] = [];
  await runContainer({
    queue: "adder",
    worker: () => async (n: number) => {
      await gate.promise;
      done.push(n);
    },
  });
  const queue = await Queue("adder");
  const resolved: number[] = [];
  const sending = [1, 2, 3].map((n) =>
    queue(n).then(() => {
      assert(done.includes(n));
      resolved.push(n);
    })
  );
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(resolved, []);
  gate.resolve();
  await Promise.all(sending);
  assertEquals(done, [1, 2, 3]);
  assertAllDone(queues, { adder: 3 });
});

Deno.test("a container leaves nothing that is sent while its round ends", async () => {
  await using queues = setUp({ silent: true });
  const queue = await Queue("adder");
  const sendAfter = async (ticks: number) => {
    while (ticks-- > 0) await undefined;
    await queue(0);
  };
  const left: Promise<void>[] = [];
  await runContainer({
    queue: "adder",
    worker: () => (ticks: number) => {
      if (ticks > 0) left.push(sendAfter(ticks));
    },
  });
  for (let ticks = 1; ticks <= 100; ticks++) {
    await queue(ticks);
    await Promise.all(left.splice(0));
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(queues.get("adder").messages.length, 0, `${ticks} ticks`);
  }
  assertAllDone(queues, { adder: 200 });
});

Deno.test("a container run again takes the place of the first", async () => {
  const events: string[] = [];
  const run = (name: string) =>
    runContainer({
      queue: "adder",
      worker: () => ({
        handle: (n: number) => void events.push(`${name} ${n}`),
        [Symbol.dispose]: () => void events.push(`${name} disposed`),
      }),
    });
  {
    await using _queues = setUp({ silent: true });
    const queue = await Queue("adder");
    await queue(0);
    await run("first");
    await queue(1);
    await run("second");
    await queue(2);
  }
  assertEquals(events, [
    "first 0",
    "first 1",
    "first disposed",
    "second 2",
    "second disposed",
  ]);
});

Deno.test("setUp() throws what a worker throws at disposal, and disposes all", async () => {
  const disposed: string[] = [];
  const failing = async (...queues: string[]) => {
    for (const queue of queues) {
      await runContainer({
        queue,
        worker: () => ({
          handle() {},
          [Symbol.asyncDispose]() {
            disposed.push(queue);
            return queue === "fine"
              ? Promise.resolve()
              : Promise.reject(new Error(`${queue} is stuck`));
          },
        }),
      });
    }
  };
  const one = await assertRejects(async () => {
    await using _queues = setUp({ silent: true });
    await failing("a", "fine");
  }, Error);
  assertEquals(one.message, "Cannot dispose the worker of a: a is stuck");
  const two = await assertRejects(async () => {
    await using _queues = setUp({ silent: true });
    await failing("b", "fine", "c");
  }, AggregateError);
  assertEquals(
    two.message,
    "Cannot dispose workers: Cannot dispose the worker of b: b is stuck; Cannot dispose the worker of c: c is stuck",
  );
  assertEquals(two.errors.map(({ message }) => message), [
    "Cannot dispose the worker of b: b is stuck",
    "Cannot dispose the worker of c: c is stuck",
  ]);
  assertEquals(disposed, ["a", "fine", "b", "fine", "c"]);
  assertEquals(testMode(), undefined);
});

Deno.test("setUp() without await prints what a worker throws at disposal", async () => {
  using printed = new Printed();
  {
    using _queues = setUp({ silent: true });
    await runContainer({
      queue: "adder",
      worker: () => ({
        handle() {},
        [Symbol.dispose]() {
          throw new Error("stuck");
        },
      }),
    });
  }
  assertEquals(testMode(), undefined);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(printed.take(), [
    "Cannot dispose the worker of adder: stuck",
  ]);
});

Deno.test("Queues is disposed once", async () => {
  const queues = setUp({ silent: true });
  queues[Symbol.dispose]();
  using _other = setUp({ silent: true });
  const mode = testMode();
  await queues[Symbol.asyncDispose]();
  assertStrictEquals(testMode(), mode);
});
