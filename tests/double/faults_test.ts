/**
 * Scripted faults: each kind, on a queue as SQS shows it, and on producers and
 * containers that get over them.
 *
 * @module
 */

import { SqsError } from "../../src/errors.ts";
import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { openQueue } from "../../src/connect/open_queue.ts";
import type { OutgoingMessage } from "../../src/sqs/connection.ts";
import { currentJob, runContainer, TransientError } from "../../container.ts";
import { Queue, SendError } from "../../producer.ts";
import { type Fault, setUp, type TestQueues } from "../../testing.ts";
import { playFaults } from "../support/fault_rounds.ts";

/** A queue as SQS shows it. */
async function open(name = "adder") {
  const { url, connection } = await openQueue(name);
  const message = (body: string): OutgoingMessage => ({
    body,
    attributes: {},
    ...(name.endsWith(".fifo") ? { groupId: "g" } : {}),
  });
  return {
    url,
    connection,
    send: (...bodies: string[]) => connection.send(url, bodies.map(message)),
    receive: (options: object = {}) =>
      connection.receive(url, {
        maxMessages: 10,
        waitTimeSeconds: 0,
        ...options,
      }),
    bodies: async (options: object = {}) =>
      (await connection.receive(url, {
        maxMessages: 10,
        waitTimeSeconds: 0,
        ...options,
      })).map(({ body }) => body),
  };
}

async function codeOf(call: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(call, SqsError);
  return error.code;
}

Deno.test('Queues.inject() "error" fails a call before its effect, once', async () => {
  using queues = setUp({ silent: true });
  const { send, receive, connection, url } = await open();
  const fault = queues.inject({ kind: "error", operation: "SendMessage" });
  assertEquals(await codeOf(() => send("a")), "InternalError");
  assertEquals(queues.get("adder").bodies, []);
  await send("a");
  assertEquals([queues.get("adder").bodies, fault.hits], [["a"], 1]);

  queues.inject({
    kind: "error",
    code: "AccessDenied",
    senderFault: true,
    operation: ["DeleteMessage", "ReceiveMessage", "ChangeMessageVisibility"],
    times: 3,
  });
  assertEquals(await codeOf(receive), "AccessDenied");
  assertEquals(
    await codeOf(() => connection.delete(url, ["x"])),
    "AccessDenied",
  );
  const error = await assertRejects(
    () =>
      connection.changeVisibility(url, [
        { receiptHandle: "x", visibilityTimeoutSeconds: 0 },
      ]),
    SqsError,
  );
  assert(error.senderFault);
  assertEquals((await receive()).length, 1);
});

Deno.test("Queues.inject() hits the calls that open a queue", async () => {
  using queues = setUp({ silent: true });
  queues.inject({ kind: "error", operation: "GetQueueUrl", queue: "adder" });
  await open("other");
  assertEquals(await codeOf(open), "InternalError");
  const { connection, url } = await open();
  queues.inject({ kind: "error", operation: "GetQueueAttributes" });
  assertEquals(
    await codeOf(() => connection.attributes(url)),
    "InternalError",
  );
});

Deno.test('Queues.inject() "lostAnswer" fails a call after its effect', async () => {
  using queues = setUp({ silent: true });
  const { send, receive, connection, url } = await open();
  queues.inject({ kind: "lostAnswer", operation: "SendMessage" });
  assertEquals(await codeOf(() => send("a")), "ECONNRESET");
  assertEquals(queues.get("adder").bodies, ["a"]);

  // An answer that holds nothing is none to lose.
  const lost = queues.inject({ kind: "lostAnswer" });
  assertEquals(await (await open("empty")).receive(), []);
  assertEquals(lost.hits, 0);
  assertEquals(await codeOf(receive), "ECONNRESET");
  assertEquals(queues.get("adder").messages[0]!.receiveCount, 1);
  await queues.advance(30);

  const [message] = await receive();
  queues.inject({ kind: "lostAnswer" });
  assertEquals(
    await codeOf(() => connection.delete(url, [message!.receiptHandle])),
    "ECONNRESET",
  );
  assertEquals(queues.get("adder").messages, []);
});

Deno.test('Queues.inject() "partialFailure" refuses entries of a batch', async () => {
  using queues = setUp({ silent: true, seed: 7 });
  const { send } = await open();
  queues.inject({ kind: "partialFailure", entries: [0, 2] });
  const results = await send("a", "b", "c");
  assertEquals(results.map(({ ok }) => ok), [false, true, false]);
  assert(!results[0]!.ok && !results[0]!.failure.senderFault);
  assertEquals(queues.get("adder").bodies, ["b"]);

  queues.inject({ kind: "partialFailure", entries: [1], afterEffect: true });
  // A batch without such an entry is not hit.
  assertEquals((await send("d"))[0]!.ok, true);
  assertEquals((await send("e", "f")).map(({ ok }) => ok), [true, false]);
  assertEquals(queues.get("adder").bodies, ["b", "d", "e", "f"]);

  queues.inject({ kind: "partialFailure", times: 20 });
  for (let i = 0; i < 20; i++) {
    const drawn = await send("0", "1", "2", "3");
    assert(drawn.some(({ ok }) => !ok), "one at least");
  }
});

Deno.test('Queues.inject() "throttle" refuses calls for a while', async () => {
  using queues = setUp({ silent: true });
  const { send, receive } = await open();
  queues.inject({
    kind: "throttle",
    operation: "SendMessage",
    durationSeconds: 10,
  });
  assertEquals(await codeOf(() => send("a")), "RequestThrottled");
  assertEquals(await receive(), []);
  await queues.advance(9.999);
  assertEquals(await codeOf(() => send("a")), "RequestThrottled");
  await queues.advance(0.001);
  await send("a");
  assertEquals(queues.get("adder").bodies, ["a"]);
});

Deno.test('Queues.inject() "duplicate" delivers a message once more', async () => {
  using queues = setUp({ silent: true });
  const { send, receive, connection, url, bodies } = await open();
  await send("a");
  queues.inject({ kind: "duplicate" });
  const [first] = await receive();
  const [again] = await receive();
  assertEquals(
    [again!.messageId, again!.receiveCount],
    [first!.messageId, 2],
  );
  assertNotEquals(again!.receiptHandle, first!.receiptHandle);
  assertEquals(await receive(), []);
  await connection.delete(url, [again!.receiptHandle]);

  // Though it was deleted meanwhile.
  await send("b");
  queues.inject({ kind: "duplicate", delaySeconds: 5 });
  const [message] = await receive();
  await connection.delete(url, [message!.receiptHandle]);
  assertEquals(queues.get("adder").messages, []);
  const polling = bodies({ waitTimeSeconds: 20 });
  await queues.advance(5);
  assertEquals(await polling, ["b"]);
});

Deno.test('Queues.inject() "lateAnswer" has the effect at once', async () => {
  using queues = setUp({ silent: true });
  const { send, receive } = await open();
  queues.inject({
    kind: "lateAnswer",
    operation: "SendMessage",
    delaySeconds: 4,
  });
  let answered = false;
  const sending = send("a").then(() => answered = true);
  await queues.advance(3.999);
  assertEquals([queues.get("adder").bodies, answered], [["a"], false]);
  await queues.advance(0.001);
  assert(await sending);

  queues.inject({
    kind: "lateAnswer",
    operation: "ReceiveMessage",
    delaySeconds: Infinity,
  });
  const controller = new AbortController();
  const receiving = receive({ signal: controller.signal });
  await queues.advance(29);
  assertEquals(queues.get("adder").messages[0]!.receiveCount, 1);
  const reason = new Error("enough");
  controller.abort(reason);
  assertEquals(await assertRejects(() => receiving), reason);
});

Deno.test('Queues.inject() "expiredHandle" ends the time of a message', async () => {
  for (const name of ["adder", "adder.fifo"]) {
    using queues = setUp({ silent: true });
    const { send, receive, connection, url } = await open(name);
    await send("a");
    for (const operation of ["delete", "changeVisibility"] as const) {
      const { receiptHandle } = (await receive())[0]!;
      queues.inject({ kind: "expiredHandle" });
      const [result] = operation === "delete"
        ? await connection.delete(url, [receiptHandle])
        : await connection.changeVisibility(url, [
          { receiptHandle, visibilityTimeoutSeconds: 60 },
        ]);
      assertEquals(
        result!.ok || result!.failure.code,
        name === "adder" ? "ReceiptHandleIsInvalid" : "InvalidParameterValue",
      );
      assertEquals(queues.get(name).messages[0]!.visible, true);
    }
  }
});

Deno.test('Queues.inject() "reordering" mixes visible messages', async () => {
  using queues = setUp({ silent: true });
  const { send, bodies } = await open();
  const all = Array.from({ length: 10 }, (_, i) => String(i));
  await send(...all);
  const fault = queues.inject({ kind: "reordering", times: 2 });
  const taken = [
    ...await bodies({ maxMessages: 4 }),
    ...await bodies({ maxMessages: 6 }),
  ];
  assertNotEquals(taken, all);
  assertEquals(taken.sort(), all);
  assertEquals([fault.hits, await bodies()], [2, []]);
});

Deno.test("Queues.inject() leaves FIFO queues their order and their one delivery", async () => {
  using queues = setUp({ silent: true });
  const { send, receive, bodies } = await open("adder.fifo");
  await send("a", "b", "c");
  const faults = [
    queues.inject({ kind: "reordering", times: 10 }),
    queues.inject({ kind: "duplicate", times: 10 }),
  ];
  assertEquals(await bodies(), ["a", "b", "c"]);
  assertEquals(await receive(), []);
  assertEquals(faults.map(({ hits }) => hits), [0, 0]);
});

Deno.test("Queues.inject() hits one queue and ends with its scope", async () => {
  using queues = setUp({ silent: true });
  const adder = await open();
  const other = await open("other");
  {
    using fault = queues.inject({ kind: "error", queue: "adder", times: 9 });
    assertEquals(await codeOf(() => adder.send("a")), "InternalError");
    await other.send("a");
    assertEquals(await codeOf(adder.receive), "InternalError");
    assertEquals(fault.hits, 2);
  }
  await adder.send("a");
  assertEquals(
    queues.faults.map(({ kind, operation, queue, bodies }) => ({
      kind,
      operation,
      queue,
      bodies,
    })),
    [
      {
        kind: "error",
        operation: "SendMessage",
        queue: "adder",
        bodies: ["a"],
      },
      {
        kind: "error",
        operation: "ReceiveMessage",
        queue: "adder",
        bodies: [],
      },
    ],
  );
  assertEquals(queues.faults[0]!.at, queues.now);
});

Deno.test("Queues.inject() draws from the seed, and the same seed gives the same run", async () => {
  const run = async (seed?: number) => {
    using queues = setUp({
      silent: true,
      startTime: new Date(0),
      ...(seed === undefined ? {} : { seed }),
    });
    const { send } = await open();
    queues.inject({
      kind: "error",
      operation: "SendMessage",
      probability: 0.5,
    });
    const ids: string[] = [];
    const outcomes: boolean[] = [];
    for (let i = 0; i < 50; i++) {
      try {
        const [result] = await send("a");
        ids.push(result!.ok ? result!.value.messageId : "");
        outcomes.push(true);
      } catch {
        outcomes.push(false);
      }
    }
    return { outcomes, ids };
  };
  const first = await run(1);
  assert(first.outcomes.includes(true) && first.outcomes.includes(false));
  assertEquals(await run(1), first);
  assertNotEquals((await run(2)).outcomes, first.outcomes);
  assertNotEquals((await run(2)).ids[0], first.ids[0]);
  // Without a seed chance is the same, but message ids are new.
  const free = [await run(), await run()];
  assertEquals(free[0]!.outcomes, free[1]!.outcomes);
  assertNotEquals(free[0]!.ids, free[1]!.ids);
});

for (const seed of [0.5, NaN, "1"]) {
  Deno.test(`setUp() refuses ${JSON.stringify(seed)} as a seed`, () => {
    const error = assertThrows(
      () => setUp({ seed: seed as number }),
      typeof seed === "number" ? RangeError : TypeError,
    );
    assertEquals(
      error.message,
      `Cannot set up the testing double as "seed" must be a whole number: current value is ${
        typeof seed === "string" ? `"${seed}"` : seed
      }`,
    );
  });
}

Deno.test("Queues.inject() refuses wrong options", () => {
  using queues = setUp({ silent: true });
  const cases: [
    fault: object | null,
    type: ErrorConstructor,
    message: string,
  ][] = [
    [{ kind: "boom" }, TypeError, '"kind" must be one of "error", "lost'],
    [{}, TypeError, '"kind" must be one of'],
    [
      { kind: "error", time: 1 },
      TypeError,
      '"time" is not an option: did you mean "times"?',
    ],
    [
      { kind: "lostAnswer", code: "x" },
      TypeError,
      '"code" is not an option',
    ],
    [
      { kind: "duplicate", operation: "SendMessage" },
      TypeError,
      '"operation" must be one of "ReceiveMessage": current value is "SendMessage"',
    ],
    [
      { kind: "reordering", queue: "adder.fifo" },
      TypeError,
      'Cannot inject fault "reordering" into "adder.fifo": SQS rules it out on FIFO queues',
    ],
    [
      { kind: "error", times: 0 },
      RangeError,
      '"times" must be an integer of 1 or more: current value is 0',
    ],
    [
      { kind: "error", probability: 0 },
      RangeError,
      '"probability" must be above 0 and up to 1: current value is 0',
    ],
    [{ kind: "error", probability: 1.1 }, RangeError, "current value is 1.1"],
    [
      { kind: "throttle" },
      TypeError,
      '"durationSeconds" must be a number of seconds, 0 or more: current value is undefined',
    ],
    [
      { kind: "lateAnswer", delaySeconds: Infinity },
      RangeError,
      '"delaySeconds" must be a number of seconds, 0 or more: current value is Infinity',
    ],
    [
      { kind: "partialFailure", entries: [10] },
      TypeError,
      '"entries" must be positions from 0 to 9: current value is [10]',
    ],
    [
      { kind: "partialFailure", entries: [] },
      TypeError,
      "current value is []",
    ],
    [{ kind: "error", code: "" }, TypeError, '"code" must be the code of an'],
    [{ kind: "error", queue: 1 }, TypeError, '"queue" must be the name of a'],
    [
      { kind: "lost answer" },
      TypeError,
      '"kind" must be one of "error", "lostAnswer", "partialFailure", "throttle", "duplicate" and 3 more: current value is "lost answer"',
    ],
    [{ kind: "toString" }, TypeError, 'current value is "toString"'],
    [
      { kind: "error", senderFault: 1 },
      TypeError,
      '"senderFault" must be a boolean: current value is 1',
    ],
    [
      { kind: "partialFailure", afterEffect: "no" },
      TypeError,
      '"afterEffect" must be a boolean: current value is "no"',
    ],
    [null, TypeError, '"kind" must be one of'],
    [
      { kind: "duplicate", delaySeconds: "1" },
      TypeError,
      '"delaySeconds" must be a number of seconds, 0 or more: current value is "1"',
    ],
  ];
  for (const [fault, type, message] of cases) {
    const error = assertThrows(() => queues.inject(fault as Fault), type);
    assert(error.message.includes(message), error.message);
  }
});

/** A container whose jobs note their argument and how often it came. */
async function noting(
  queues: TestQueues,
  options: { queue?: string; fail?: (name: string) => void } = {},
): Promise<string[]> {
  const done: string[] = [];
  const start = queues.now.getTime();
  await runContainer({
    queue: options.queue ?? "adder",
    loggers: "",
    worker: () => (name: string) => {
      const seconds = Math.floor((queues.now.getTime() - start) / 1000);
      done.push(`${name} ${currentJob().receiveCount} ${seconds}`);
      options.fail?.(name);
    },
  });
  return done;
}

Deno.test("a container gets over a receive that fails, when time passes", async () => {
  await using queues = setUp({ silent: true });
  const done = await noting(queues);
  const queue = await Queue("adder");
  queues.inject({ kind: "error", operation: "ReceiveMessage" });
  await queue("a");
  assertEquals(done, []);
  await queues.advance(5);
  assertEquals(done.map((line) => line.slice(0, 3)), ["a 1"]);
  assertEquals(queues.get("adder").messages, []);
});

Deno.test("a container gets over a delete that fails, without a second run", async () => {
  await using queues = setUp({ silent: true });
  const done = await noting(queues);
  const queue = await Queue("adder");
  const fault = queues.inject({
    kind: "throttle",
    operation: "DeleteMessage",
    durationSeconds: 3,
  });
  await queue("a");
  assertEquals([done, queues.get("adder").jobs], [["a 1 0"], [["a"]]]);
  await queues.advance(2);
  assertEquals(queues.get("adder").jobs, [["a"]]);
  await queues.advance(5);
  assertEquals([done, queues.get("adder").jobs], [["a 1 0"], []]);
  assert(fault.hits > 1);
});

Deno.test("a container deletes a message whose handle had expired at its delete, and runs its job once", async () => {
  await using queues = setUp({ silent: true });
  const done = await noting(queues);
  queues.inject({ kind: "expiredHandle", operation: "DeleteMessage" });
  await (await Queue("adder"))("a");
  assertEquals(done, ["a 1 0"]);
  assertEquals(queues.get("adder").messages, []);
});

Deno.test("a container does a job again whose answer was lost", async () => {
  await using queues = setUp({ silent: true });
  const done = await noting(queues);
  queues.inject({ kind: "lostAnswer", operation: "ReceiveMessage" });
  await (await Queue("adder"))("a");
  assertEquals(done, []);
  await queues.advance(30);
  assertEquals(done, ["a 2 30"]);
});

Deno.test("a container of a FIFO queue asks again for an answer that was lost", async () => {
  await using queues = setUp({ silent: true });
  const done = await noting(queues, { queue: "adder.fifo" });
  queues.inject({ kind: "lostAnswer", operation: "ReceiveMessage" });
  await (await Queue("adder.fifo")).send(["a"], { groupId: "g" });
  assertEquals(done, []);
  await queues.advance(5);
  assertEquals(done.map((line) => line.slice(0, 3)), ["a 1"]);
  assertEquals(queues.get("adder.fifo").messages, []);
});

Deno.test("a container gets a late answer when time passes", async () => {
  await using queues = setUp({ silent: true });
  const done = await noting(queues);
  queues.inject({
    kind: "lateAnswer",
    operation: "ReceiveMessage",
    delaySeconds: 6,
  });
  const queue = await Queue("adder");
  await queue("a");
  await queue("b");
  assertEquals(done, []);
  await queues.advance(6);
  assertEquals(done, ["a 1 6", "b 1 6"]);
  assertEquals(queues.get("adder").messages, []);
});

Deno.test("a send whose answer is late resolves when time passes", async () => {
  await using queues = setUp({ silent: true });
  const done = await noting(queues);
  queues.inject({
    kind: "lateAnswer",
    operation: "SendMessage",
    delaySeconds: 2,
  });
  const sending = (await Queue("adder"))("a");
  await queues.advance(2);
  await sending;
  assertEquals(done, ["a 1 0"]);
});

Deno.test("a job that sends on gets over a late answer when time passes", async () => {
  await using queues = setUp({ silent: true });
  const done = await noting(queues, { queue: "next" });
  await runContainer({
    queue: "adder",
    loggers: "",
    worker: () => async (name: string) => {
      await (await Queue("next"))(name);
      done.push("sent");
    },
  });
  queues.inject({
    kind: "lateAnswer",
    operation: "SendMessage",
    queue: "next",
    delaySeconds: 2,
  });
  await (await Queue("adder"))("a");
  assertEquals(done, ["a 1 0"]);
  await queues.advance(2);
  assertEquals(done, ["a 1 0", "sent"]);
  assertEquals(queues.get("adder").messages, []);
});

Deno.test("a container keeps a failed job in its queue once that takes it", async () => {
  await using queues = setUp({ silent: true });
  await runContainer({
    queue: "adder",
    loggers: "",
    failures: { queue: "failed" },
    worker: () => () => {
      throw new TypeError("bad input");
    },
  });
  queues.inject({
    kind: "throttle",
    operation: "SendMessage",
    queue: "failed",
    durationSeconds: 10,
  });
  await (await Queue("adder"))("a");
  assertEquals(queues.get("failed").jobs, []);
  assertEquals(queues.get("adder").jobs, [["a"]]);
  await queues.advance(30);
  assertEquals(queues.get("failed").jobs, [["a"]]);
  assertEquals(queues.get("adder").jobs, []);
});

Deno.test("a job that times out ends when the clock is moved", async () => {
  await using queues = setUp({ silent: true });
  const reasons: string[] = [];
  await runContainer({
    queue: "adder",
    loggers: "",
    timeoutSeconds: 5,
    worker: () => () => {
      if (currentJob().receiveCount > 1) return;
      const { promise, reject } = Promise.withResolvers<void>();
      const { signal } = currentJob();
      signal.addEventListener("abort", () => {
        reasons.push(String(signal.reason.message));
        reject(signal.reason);
      });
      return promise;
    },
  });
  const sending = (await Queue("adder"))("a");
  // Not yet: the clock is moved all the same.
  await queues.advance(4);
  assertEquals(reasons, []);
  await queues.advance(1);
  await sending;
  assertEquals(reasons.length, 1);
  await queues.advance(30);
  assertEquals(queues.get("adder").messages, []);
});

Deno.test("a send that is not awaited waits for its job though the clock is moved", async () => {
  await using queues = setUp({ silent: true });
  const done: string[] = [];
  const begun = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  await runContainer({
    queue: "adder",
    loggers: "",
    concurrency: 2,
    worker: () => async (name: string) => {
      if (name === "slow") {
        begun.resolve();
        await gate.promise;
      }
      done.push(name);
    },
  });
  const queue = await Queue("adder");
  let sent = false;
  const sending = Promise.all([queue("slow"), queue("quick")])
    .then(() => sent = true);
  await begun.promise;
  // The delete of the quick one goes out on the way.
  await queues.advance(1);
  assertEquals([done, sent], [["quick"], false]);
  gate.resolve();
  await sending;
  assertEquals(done, ["quick", "slow"]);
});

Deno.test("a double is taken away though a container is held up", async () => {
  const queues = setUp({ silent: true });
  const done = await noting(queues);
  queues.inject({
    kind: "throttle",
    operation: "DeleteMessage",
    durationSeconds: 1000,
  });
  await (await Queue("adder"))("a");
  await queues[Symbol.asyncDispose]();
  assertEquals(done, ["a 1 0"]);
});

Deno.test("Queues.advance() waits for a job that takes its time", async () => {
  await using queues = setUp({ silent: true });
  const done: number[] = [];
  await runContainer({
    queue: "adder",
    loggers: "",
    worker: () => async () => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      const { receiveCount } = currentJob();
      if (receiveCount < 3) throw new TransientError();
      done.push(queues.now.getTime());
    },
  });
  const start = queues.now.getTime();
  await (await Queue("adder"))("a");
  await queues.advance(3600);
  assertEquals(done, [start + 60_000]);
});

Deno.test("a send waits for a job of the queue that keeps failures", async () => {
  await using queues = setUp({ silent: true });
  const done: string[] = [];
  await runContainer({
    queue: "failed",
    loggers: "",
    worker: () => async (name: string) => {
      await new Promise((resolve) => setTimeout(resolve, 0));
      await new Promise((resolve) => setTimeout(resolve, 0));
      done.push(name);
    },
  });
  await runContainer({
    queue: "adder",
    loggers: "",
    failures: { queue: "failed" },
    worker: () => () => {
      throw new TypeError("bad input");
    },
  });
  await (await Queue("adder"))("a");
  assertEquals(done, ["a"]);
  assertEquals(queues.get("adder").messages, []);
});

Deno.test("a producer is told what its own entry's fault is", async () => {
  await using queues = setUp({ silent: true });
  const queue = await Queue("adder");
  queues.inject({ kind: "throttle", durationSeconds: 1 });
  const throttled = await assertRejects(() => queue("a"), SendError);
  assertEquals(throttled.code, "RequestThrottled");
  await queues.advance(1);

  // Refused by SQS once, it is sent again by the producer itself.
  queues.inject({ kind: "partialFailure", entries: [1] });
  await Promise.all([queue("a"), queue("b"), queue("c")]);
  assertEquals(queues.get("adder").jobs, [["a"], ["c"], ["b"]]);
});

Deno.test("containers of the double get over whatever fails, and no test hangs", async () => {
  await playFaults(1, 50);
});
