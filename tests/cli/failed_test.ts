/**
 * `zsqs failed`: failed messages are listed, sent back and deleted.
 *
 * @module
 */

import { TransientError } from "../../src/job_errors.ts";
import { SqsError } from "../../src/errors.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { stub } from "@std/testing/mock";
import process from "node:process";
import { openQueue } from "../../src/connect/open_queue.ts";
import type { OutgoingMessage } from "../../src/sqs/connection.ts";
import { runContainer } from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp, type TestQueues } from "../../testing.ts";
import { cli, type CliResult } from "../support/cli.ts";
import { replaceCalls } from "../support/call_faults.ts";
import { kept } from "../support/kept_messages.ts";

const KEPT = "adder-failed";

/** Puts messages into a queue as they are. */
async function put(
  queue: string,
  ...messages: readonly OutgoingMessage[]
): Promise<void> {
  const { connection, url } = await openQueue(queue);
  for (let i = 0; i < messages.length; i += 10) {
    const results = await connection.send(url, messages.slice(i, i + 10));
    assert(results.every(({ ok }) => ok));
  }
}

async function putKept(count: number): Promise<void> {
  await put(KEPT, ...Array.from({ length: count }, (_, i) => kept(i)));
}

function start(queues: string[] = []): TestQueues {
  return setUp({
    queues: ["adder", KEPT, ...queues],
    silent: true,
    startTime: new Date(3 * 3600_000),
  });
}

/** The numbers that jobs in a queue have, in order. */
function numbers(queues: TestQueues, queue: string): number[] {
  return queues.get(queue).jobs.map(([number]) => number as number)
    .sort((a, b) => a - b);
}

const upTo = (count: number) => [...Array(count).keys()];

Deno.test("zsqs failed lists messages with age, source, error and body", async () => {
  await using queues = start();
  await put(KEPT, kept(0), kept(1), {
    body: btoa('[["\\u001b[31m"],{}]'),
    attributes: {},
  });
  const ids = queues.get(KEPT).messages.map(({ messageId }) => messageId);
  assertEquals(await cli(["failed", KEPT]), {
    status: 0,
    stdout: [
      `${ids[0]}     3 h  adder  TypeError: 0 is bad  [[0],{}]`,
      `${ids[1]}     3 h  adder  RangeError: 1 is bad  [[1],{}]`,
      `${ids[2]}     0 s  -  received 1 time  [["\\u001b[31m"],{}]`,
    ],
    stderr: [
      "Listed 3 messages of adder-failed, each received and released",
    ],
  });
  const { messages } = queues.get(KEPT);
  assertEquals(
    messages.map(({ visible, receiveCount }) => [visible, receiveCount]),
    [[true, 1], [true, 1], [true, 1]],
  );
  const terminal = { stdout: true, stderr: true, color: true };
  const { stdout } = await cli(["failed", KEPT], [], {
    ...terminal,
    columns: 40,
  });
  assertEquals(stdout, [
    "\x1b[2m   3 h\x1b[0m\x1b[1m  adder\x1b[0m\x1b[31m  TypeError: 0 is bad\x1b[0m  [[0…",
    "\x1b[2m   3 h\x1b[0m\x1b[1m  adder\x1b[0m\x1b[31m  RangeError: 1 is bad\x1b[0m  [[…",
    '\x1b[2m   0 s\x1b[0m\x1b[1m  -\x1b[0m\x1b[31m  received 2 times\x1b[0m  [["\\u001b[…',
  ]);
});

Deno.test("zsqs failed shows a dash for a time that a server does not give", async () => {
  await using _queues = start();
  await put(KEPT, { body: "[[],{}]", attributes: {} });
  for (const sentAtMs of [0, NaN]) {
    using _calls = replaceCalls({
      async receive(real, url, options) {
        const messages = await real.receive(url, options);
        return messages.map((message) => ({ ...message, sentAtMs }));
      },
    });
    const { stdout: [line] } = await cli(["failed", KEPT]);
    assertMatch(line!, / {7}- {2}- {2}received \d times? {2}\[\[\],\{\}\]$/);
    const { stdout } = await cli(["failed", "--json", KEPT]);
    const { sentAt, ageSeconds } = JSON.parse(stdout[0]!);
    assertEquals([sentAt, ageSeconds], [null, null]);
  }
});

Deno.test("zsqs failed draws a bar only where it does not list on the same terminal", async () => {
  await using _queues = start();
  await putKept(20);
  const drawnWith = async (stdout: boolean) => {
    const { drawn } = await cli(["failed", KEPT], [], { stdout, stderr: true });
    return drawn?.[0];
  };
  assertEquals(
    await drawnWith(false),
    "\r\x1b[K[##########----------]  50 % Listed 10 of about 20 messages",
  );
  assertEquals(await drawnWith(true), undefined);
});

Deno.test("zsqs failed --json writes a line for each message", async () => {
  await using queues = start();
  await put(
    KEPT,
    kept(0, {
      attributes: {
        who: { type: "String", value: "me" },
        n: { type: "Number", value: "5" },
        raw: { type: "Binary", value: Uint8Array.of(0, 255) },
      },
    }),
    { body: "no job", attributes: {} },
  );
  const [first, second] = queues.get(KEPT).messages;
  const { status, stdout } = await cli(["failed", "--json", KEPT]);
  assertEquals(status, 0);
  const common = { sentAt: "1970-01-01T03:00:00.000Z", groupId: null };
  assertEquals(stdout.map((line) => JSON.parse(line)), [
    {
      messageId: first!.messageId,
      from: "adder",
      fromMessageId: "source-0",
      error: "TypeError",
      message: "0 is bad",
      stack: null,
      receiveCount: 2,
      failedAt: "1970-01-01T00:00:00.000Z",
      ...common,
      ageSeconds: 10_800,
      body: "[[0],{}]",
      attributes: { who: "me", n: 5, raw: "AP8=" },
    },
    {
      messageId: second!.messageId,
      from: null,
      fromMessageId: null,
      error: null,
      message: null,
      stack: null,
      receiveCount: 1,
      failedAt: null,
      ...common,
      ageSeconds: 0,
      body: "no job",
      attributes: {},
    },
  ]);
});

Deno.test("zsqs failed --error selects by text and by regular expression", async () => {
  await using queues = start();
  await putKept(25);
  await put(KEPT, { body: "[[25],{}]", attributes: {} });
  const cases: [pattern: string, count: number][] = [
    ["TypeError", 13],
    ["typeerror: 2", 4],
    [".", 0],
    ["/./", 25],
    ["/^RangeError: 1/", 6],
    ["/^rangeerror: 1/", 0],
    ["/^rangeerror: 1/i", 6],
    ["/", 0],
  ];
  for (const [pattern, count] of cases) {
    const { status, stdout, stderr } = await cli([
      "failed",
      `--error=${pattern}`,
      KEPT,
    ]);
    assertEquals([status, stdout.length, stderr], [0, count, [
      `Listed ${count} of 26 messages of adder-failed, each received and released`,
    ]]);
  }
  assertEquals(
    await cli(["failed", "--redrive", "--yes", "--error=/^TypeError/", KEPT]),
    {
      status: 0,
      stdout: ["Sent back 13 of 26 messages of adder-failed: 13 to adder"],
      stderr: [],
    },
  );
  assertEquals(
    numbers(queues, "adder"),
    upTo(25).filter((i) => i % 2 === 0),
  );
  assertEquals(queues.get(KEPT).messages.length, 13);
});

Deno.test("zsqs failed works on messages by id, age and number", async () => {
  await using queues = start();
  await putKept(4);
  await put(KEPT, { body: "[[9],{}]", attributes: {} });
  const [first] = queues.get(KEPT).messages;
  const listed = async (...options: string[]) => {
    const { stdout } = await cli(["failed", "--json", ...options, KEPT]);
    return stdout.map((line) => JSON.parse(JSON.parse(line).body)[0][0]);
  };
  assertEquals(await listed(`--id=${first!.messageId}`), [0]);
  assertEquals(await listed("--id=source-2", "--id=source-3"), [2, 3]);
  assertEquals(await listed("--id=other"), []);
  assertEquals(await listed("--older-than=2h"), [0, 1, 2, 3]);
  assertEquals(await listed("--older-than=181min"), []);
  assertEquals(await listed("--limit=2"), [0, 1]);
  assertEquals(await listed("--limit=1", "--error=range"), [1]);

  const { stdout } = await cli([
    "failed",
    "--redrive",
    "--yes",
    "--limit=3",
    KEPT,
  ]);
  assertEquals(stdout, [
    "Sent back 3 of 5 messages of adder-failed: 3 to adder",
  ]);
  assertEquals(numbers(queues, "adder"), [0, 1, 2]);
  assertEquals(numbers(queues, KEPT), [3, 9]);
});

Deno.test("zsqs failed --show writes all of one message", async () => {
  await using queues = start();
  await put(
    KEPT,
    kept(0),
    kept(1, {
      body: '[["a\\u001b[31m\nb"],{}]',
      attributes: { customer: { type: "String", value: "x\ny" } },
    }),
  );
  const id = queues.get(KEPT).messages[1]!.messageId;
  assertEquals(await cli(["failed", "--show=source-1", KEPT]), {
    status: 0,
    stdout: [
      `Message             ${id}`,
      "Source              adder, message source-1",
      "Error               RangeError: 1 is bad",
      "Failed              1970-01-01T00:00:00.000Z, 3 h ago",
      "Sent                1970-01-01T03:00:00.000Z",
      "Receives            2",
      "Attribute customer  x\\ny",
      "Body",
      '  [["a\\u001b[31m',
      '  b"],{}]',
    ],
    stderr: [
      "Listed 1 of 2 messages of adder-failed, each received and released",
    ],
  });
  const { status, stderr } = await cli(["failed", "--show=gone", KEPT]);
  assertEquals(status, 1);
  assertEquals(
    stderr.at(-1),
    "adder-failed has no such message: list it without --show",
  );
});

Deno.test("zsqs failed --redrive sends bodies and attributes as they were", async () => {
  using _error = stub(console, "error", () => {});
  await using queues = setUp({ silent: true });
  let bad = true;
  const done: unknown[] = [];
  await runContainer({
    queue: "adder",
    failures: { queue: KEPT },
    loggers: "",
    worker: () => (...args: unknown[]) => {
      if (bad) throw new TypeError("bad");
      done.push(args);
    },
  });
  const adder = await Queue("adder");
  await adder.send([1, "é"], {
    attributes: { who: "me", n: 5, raw: Uint8Array.of(0, 255) },
  });
  await (await Queue("adder", { encoding: "base64" }))(2);
  bad = false;
  const sent: OutgoingMessage[] = [];
  {
    using _calls = replaceCalls({
      send(real, url, messages) {
        sent.push(...messages);
        return real.send(url, messages);
      },
    });
    assertEquals(await cli(["failed", "--redrive", "--yes", KEPT]), {
      status: 0,
      stdout: ["Sent back 2 messages of adder-failed: 2 to adder"],
      stderr: [],
    });
  }
  assertEquals(done, [[1, "é"], [2]]);
  assertEquals(queues.get(KEPT).messages, []);
  assertEquals(sent, [
    {
      body: '[[1,"é"],{}]',
      attributes: {
        who: { type: "String", value: "me" },
        n: { type: "Number", value: "5" },
        raw: { type: "Binary", value: Uint8Array.of(0, 255) },
      },
    },
    { body: btoa("[[2],{}]"), attributes: {} },
  ]);
});

Deno.test("zsqs failed --redrive keeps groups and their order on FIFO queues", async () => {
  await using queues = setUp({ silent: true });
  // Equal jobs, and more than a receive brings of one group.
  const messages = upTo(45).map((i) => ({
    ...kept(i, { groupId: i % 3 === 0 ? "b" : "a" }),
    body: "[[1],{}]",
    deduplicationId: `source-${i}`,
  }));
  const reasons = messages.map(({ attributes, ...rest }) => ({
    ...rest,
    attributes: {
      i: { type: "Number", value: rest.deduplicationId.slice(7) },
      "zsqs.failure": {
        type: "String",
        value: (attributes["zsqs.failure"]!.value as string)
          .replace('"adder"', '"adder.fifo"'),
      },
    },
  }));
  await put("failed.fifo", ...reasons);
  const ids = queues.get("failed.fifo").messages.map((each) => each.messageId);
  const sent: OutgoingMessage[] = [];
  {
    using _calls = replaceCalls({
      send(real, url, batch) {
        sent.push(...batch);
        return real.send(url, batch);
      },
    });
    assertEquals(await cli(["failed", "--redrive", "--yes", "failed.fifo"]), {
      status: 0,
      stdout: ["Sent back 45 messages of failed.fifo: 45 to adder.fifo"],
      stderr: [],
    });
  }
  assertEquals(queues.get("failed.fifo").messages, []);
  assertEquals(
    queues.get("adder.fifo").messages.map(({ groupId, attributes }) => [
      groupId,
      attributes.i,
    ]).sort(([a], [b]) => a! < b! ? -1 : a! > b! ? 1 : 0),
    [
      ...upTo(45).filter((i) => i % 3 !== 0).map((i) => ["a", i]),
      ...upTo(45).filter((i) => i % 3 === 0).map((i) => ["b", i]),
    ],
  );
  assertEquals(sent.map((each) => each.deduplicationId).sort(), ids.sort());
});

Deno.test("zsqs failed --redrive takes away the group that a kept message was given", async () => {
  await using queues = setUp({ silent: true });
  await put(
    "failed.fifo",
    kept(0, { groupId: "adder", deduplicationId: "0" }),
    kept(1, { groupId: "a", deduplicationId: "1" }),
  );
  assertEquals(
    (await cli(["failed", "--redrive", "--yes", "failed.fifo"])).status,
    0,
  );
  assertEquals(
    queues.get("adder").messages.map(({ groupId }) => groupId),
    [undefined, "a"],
  );
});

Deno.test("zsqs failed --redrive sends dead letters to the queue they came from, or to --to", async () => {
  await using queues = setUp({
    queues: [
      {
        name: "adder",
        redrive: { deadLetterQueue: "dead", maxReceiveCount: 1 },
      },
      "dead",
      "mul",
    ],
    silent: true,
  });
  let ready = false;
  await runContainer({
    queue: "adder",
    worker: () => () => {
      if (!ready) throw new TransientError("not now", { delaySeconds: 0 });
    },
  });
  const adder = await Queue("adder");
  for (const to of [undefined, "mul"]) {
    ready = false;
    await adder(1);
    await adder(2);
    ready = true;
    await queues.advance(1);
    assertEquals(numbers(queues, "dead"), [1, 2]);
    const { stdout } = await cli(["failed", "--json", "dead"]);
    assertEquals(stdout.map((line) => JSON.parse(line).from), [
      "adder",
      "adder",
    ]);
    assertEquals(
      await cli([
        "failed",
        "--redrive",
        "--yes",
        ...(to ? [`--to=${to}`] : []),
        "dead",
      ]),
      {
        status: 0,
        stdout: [`Sent back 2 messages of dead: 2 to ${to ?? "adder"}`],
        stderr: [],
      },
    );
    assertEquals(queues.get("dead").messages, []);
  }
  assertEquals(numbers(queues, "mul"), [1, 2]);
});

Deno.test("zsqs failed --redrive leaves the messages that it cannot send, and says why", async () => {
  await using queues = setUp({
    queues: [
      { name: "adder", maximumMessageSize: 1024 },
      "adder.fifo",
      KEPT,
    ],
    silent: true,
  });
  const from = (queue: string, i: number): OutgoingMessage => {
    const message = kept(i);
    const { value } = message.attributes["zsqs.failure"]!;
    return {
      ...message,
      attributes: {
        "zsqs.failure": {
          type: "String",
          value: (value as string).replace('"adder"', JSON.stringify(queue)),
        },
      },
    };
  };
  await put(
    KEPT,
    kept(0),
    { body: "[[1],{}]", attributes: {} },
    from("absent", 2),
    from("absent", 3),
    from(KEPT, 4),
    from("adder.fifo", 5),
    from("not a queue", 6),
    kept(7, { body: `[[7,"${"x".repeat(1020)}"],{}]` }),
    kept(8),
  );
  const message =
    "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.";
  assertEquals(await cli(["failed", "--redrive", "--yes", KEPT]), {
    status: 1,
    stdout: ["Sent back 2 of 9 messages of adder-failed: 2 to adder"],
    stderr: [
      "Left 2 messages of adder-failed: each names no source queue: give --to=QUEUE",
      'Left 2 messages of adder-failed: each came from "absent", which no longer exists: give --to=QUEUE',
      "Left 1 message of adder-failed: it came from this same queue: give --to=QUEUE",
      'Left 1 message of adder-failed: it has no message group, which FIFO queue "adder.fifo" needs',
      `Left 1 message of adder-failed: it was refused by "adder": InvalidParameterValue: ${message}`,
    ],
  });
  assertEquals(numbers(queues, "adder"), [0, 8]);
  assertEquals(numbers(queues, KEPT), [1, 2, 3, 4, 5, 6, 7]);
  assert(queues.get(KEPT).messages.every(({ visible }) => visible));
});

Deno.test("zsqs failed --redrive sends each message once where they fail again", async () => {
  using _error = stub(console, "error", () => {});
  await using queues = setUp({ silent: true });
  let runs = 0;
  await runContainer({
    queue: "adder",
    failures: { queue: KEPT },
    loggers: "",
    worker: () => () => {
      runs++;
      throw new TypeError("bad");
    },
  });
  await (await Queue("adder")).sendAll(upTo(25).map((i) => [i]));
  for (const seconds of [0, 1]) {
    // At once, as if its clock were ahead, and later.
    using _calls = replaceCalls({
      async send(real, url, messages) {
        await queues.advance(seconds);
        return await real.send(url, messages);
      },
    });
    runs = 0;
    assertEquals(await cli(["failed", "--redrive", "--yes", KEPT]), {
      status: 0,
      stdout: ["Sent back 25 messages of adder-failed: 25 to adder"],
      stderr: ["Left 25 messages that arrived meanwhile"],
    });
    assertEquals(runs, 25);
  }
  assertEquals(numbers(queues, KEPT), upTo(25));
});

Deno.test("zsqs failed ends where messages come all the time, and leaves those", async () => {
  await using queues = start();
  await putKept(25);
  let came = 0;
  using _calls = replaceCalls({
    async receive(real, url, options) {
      await queues.advance(1);
      if (++came > 50) throw new Error("It has no end");
      await real.send(url, [kept(100 + came)]);
      return await real.receive(url, options);
    },
  });
  const { status, stdout, stderr } = await cli(["failed", KEPT]);
  assertEquals([status, stdout.length, stderr], [0, 25, [
    "Listed 25 messages of adder-failed, each received and released",
    `Left ${came} messages that arrived meanwhile`,
  ]]);
  assertEquals(queues.get(KEPT).messages.length, 25 + came);
});

Deno.test("zsqs failed handles a message once if SQS delivers it twice", async () => {
  await using queues = start();
  await putKept(3);
  using _calls = replaceCalls({
    async receive(real, url, options) {
      const messages = await real.receive(url, options);
      return [...messages, ...messages];
    },
  });
  assertEquals(await cli(["failed", "--redrive", "--yes", KEPT]), {
    status: 0,
    stdout: ["Sent back 3 messages of adder-failed: 3 to adder"],
    stderr: [],
  });
  assertEquals(numbers(queues, "adder"), upTo(3));
});

Deno.test("zsqs failed stops where it cannot delete, so that no more is there twice", async (t) => {
  const codes: [code: string, tries: number][] = [
    ["ECONNRESET", 4],
    ["AccessDenied", 1],
  ];
  for (const [code, tries] of codes) {
    await t.step(code, async () => {
      await using queues = start();
      await putKept(40);
      let deletes = 0;
      using _calls = replaceCalls({
        delete() {
          deletes++;
          return Promise.reject(
            new SqsError("DeleteMessage failed: not now", {
              code,
              senderFault: true,
            }),
          );
        },
      });
      const { status, stdout, stderr } = await cli([
        "failed",
        "--redrive",
        "--yes",
        KEPT,
      ]);
      assertEquals([status, stdout, stderr.slice(0, 2), deletes], [
        1,
        ["Sent back 10 messages of adder-failed: 10 to adder"],
        [
          "Could not delete 10 messages of adder-failed: sent, and sent again by the next run",
          "DeleteMessage failed: not now",
        ],
        tries,
      ]);
      assertEquals(numbers(queues, "adder"), upTo(10));
      assertEquals(
        queues.get(KEPT).messages.filter(({ visible }) => visible).length,
        30,
      );
    });
  }
});

Deno.test("zsqs failed holds the messages that it leaves for as long as it works", async () => {
  await using queues = start();
  await putKept(60);
  using _calls = replaceCalls({
    async send(real, url, messages) {
      await queues.advance(100);
      return await real.send(url, messages);
    },
  });
  const { status, stdout, stderr } = await cli([
    "failed",
    "--redrive",
    "--yes",
    "--error=RangeError",
    KEPT,
  ]);
  assertEquals([status, stdout, stderr], [0, [
    "Sent back 30 of 60 messages of adder-failed: 30 to adder",
  ], []]);
  const { messages } = queues.get(KEPT);
  assertEquals(messages.length, 30);
  for (const { visible, receiveCount } of messages) {
    assertEquals([visible, receiveCount], [true, 1]);
  }
});

Deno.test("zsqs failed stops at a signal after the batch that is under way", async () => {
  await using queues = start();
  await putKept(100);
  let batches = 0;
  {
    using _calls = replaceCalls({
      send(real, url, messages) {
        if (++batches === 3) process.emit("SIGINT");
        return real.send(url, messages);
      },
    });
    assertEquals(await cli(["failed", "--redrive", "--yes", KEPT]), {
      status: 0,
      stdout: ["Sent back 30 messages of adder-failed: 30 to adder"],
      stderr: ["Stopped as asked: rerun for the rest"],
    });
  }
  assertEquals(queues.get(KEPT).messages.length, 70);
  assert(queues.get(KEPT).messages.every(({ visible }) => visible));
  assertEquals((await cli(["failed", "--redrive", "--yes", KEPT])).stdout, [
    "Sent back 70 messages of adder-failed: 70 to adder",
  ]);
  assertEquals(numbers(queues, "adder"), upTo(100));
});

Deno.test("zsqs failed ends at a second signal, and says how many messages are hidden", async () => {
  await using _queues = start();
  await putKept(3);
  let now = performance.now();
  using _now = stub(performance, "now", () => now);
  using _calls = replaceCalls({
    send() {
      process.emit("SIGTERM");
      now += 1001;
      process.emit("SIGTERM");
      return new Promise(() => {});
    },
  });
  assertEquals(await cli(["failed", "--redrive", "--yes", KEPT]), {
    status: 1,
    stdout: [],
    stderr: [
      "Stopped immediately: received messages are visible again within 120 s",
    ],
  });
});

Deno.test("zsqs failed says which messages it could not release, and does not try without end", async () => {
  await using _queues = start();
  await putKept(300);
  let calls = 0;
  using _calls = replaceCalls({
    changeVisibility() {
      calls++;
      return Promise.reject(
        new SqsError("ChangeMessageVisibility failed: cut off", {
          code: "ECONNRESET",
          senderFault: false,
        }),
      );
    },
  });
  const { status, stdout, stderr } = await cli(["failed", KEPT]);
  assertEquals([status, stdout.length, stderr.at(-1)], [
    0,
    300,
    "Could not release 300 messages: visible again within 120 s",
  ]);
  assert(calls <= 8 * 4, `${calls} calls`);
});

const cutOff = () =>
  new SqsError("SendMessage failed: socket hang up", {
    code: "ECONNRESET",
    senderFault: false,
  });

Deno.test("zsqs failed --redrive continues where it was cut off", async (t) => {
  const cuts = ["before the send", "after the send"] as const;
  for (const cut of cuts) {
    await t.step(cut, async () => {
      await using queues = start();
      await putKept(100);
      let batches = 0;
      {
        using _calls = replaceCalls({
          async send(real, url, messages) {
            batches++;
            if (batches === 3 && cut === "before the send") throw cutOff();
            const results = await real.send(url, messages);
            if (batches === 3) throw cutOff();
            return results;
          },
        });
        assertEquals(await cli(["failed", "--redrive", "--yes", KEPT]), {
          status: 1,
          stdout: [
            "Sent back 20 of 30 messages of adder-failed: 20 to adder",
          ],
          stderr: ["SendMessage failed: socket hang up"],
        });
      }
      assertEquals(
        (await cli(["failed", "--redrive", "--yes", KEPT])).status,
        0,
      );
      assertEquals(queues.get(KEPT).messages, []);
      const all = numbers(queues, "adder");
      assertEquals([...new Set(all)], upTo(100));
      assertEquals(all.length, cut === "before the send" ? 100 : 110);
    });
  }
});

Deno.test("zsqs failed deletes again what could not be deleted, and says how many are left", async () => {
  await using queues = start();
  await putKept(15);
  const failure = { code: "InternalError", message: "later" };
  let calls = 0;
  using _calls = replaceCalls({
    async delete(real, url, handles) {
      // The first batch's second entry fails once, the second batch for good.
      const bad = ++calls === 1
        ? [1]
        : handles.length === 5
        ? [0, 1, 2, 3, 4]
        : [];
      const results = await real.delete(
        url,
        handles.filter((_, i) => !bad.includes(i)).concat(
          bad.length === handles.length ? "" : [],
        ),
      );
      return handles.map((_, i) =>
        bad.includes(i)
          ? {
            ok: false,
            failure: { ...failure, senderFault: handles.length === 5 },
          }
          : results[0]!
      );
    },
  });
  assertEquals(await cli(["failed", "--redrive", "--yes", KEPT]), {
    status: 1,
    stdout: ["Sent back 15 messages of adder-failed: 15 to adder"],
    stderr: [
      "Could not delete 5 messages of adder-failed: sent, and sent again by the next run",
      "InternalError: later",
    ],
  });
  assertEquals(numbers(queues, KEPT), [10, 11, 12, 13, 14]);
  assertEquals(numbers(queues, "adder"), upTo(15));
});

Deno.test("zsqs failed --purge deletes the selected messages, and asks before", async () => {
  await using queues = start();
  await putKept(24);
  const purge = (...args: string[]) => ["failed", "--purge", ...args, KEPT];
  const terminal = { stdin: true, stderr: true };
  for (const answer of [[], ["n"], [""], ["yikes"]]) {
    assertEquals(await cli(purge(), answer, terminal), {
      status: 0,
      stdout: [],
      stderr: ["Nothing done"],
      drawn: [
        "Delete about 24 messages in adder-failed for good? [y/N] ",
      ],
    });
  }
  assert(queues.get(KEPT).messages.every((each) => each.receiveCount === 0));
  const { stdout, drawn } = await cli(
    purge("--error=RangeError"),
    ["y"],
    terminal,
  );
  assertEquals(stdout, ["Deleted 12 of 24 messages of adder-failed"]);
  assertEquals(
    drawn![0],
    "Delete the matching ones of about 24 messages in adder-failed for good? [y/N] ",
  );
  for (const screen of [{ stdin: true }, { stderr: true }, {}]) {
    assertEquals(await cli(purge(), ["y"], screen), {
      status: 2,
      stdout: [],
      stderr: [
        "Option --purge needs --yes without a terminal to ask on",
        "Try deno run -A jsr:@zsqs/cli failed --help",
      ],
    });
  }
  assertEquals(await cli(purge("--yes", "--json")), {
    status: 0,
    stdout: [
      '{"queue":"adder-failed","seen":12,"selected":12,"deleted":12}',
    ],
    stderr: [],
  });
  assertEquals(queues.get(KEPT).messages, []);
});

Deno.test("zsqs failed --redrive asks on a terminal, and draws a bar", async () => {
  await using queues = start();
  await putKept(30);
  const terminal = { stdin: true, stderr: true, columns: 80 };
  const { status, stdout, stderr, drawn } = await cli(
    ["failed", "--redrive", "--json", KEPT],
    ["Yes"],
    terminal,
  );
  assertEquals([status, stderr], [0, [
    "The messages name the queues to send them to, as any sender could:",
    "  adder (30 messages)",
  ]]);
  assertEquals(stdout, [
    '{"queue":"adder-failed","seen":30,"selected":30,"sentBack":30,"sentTo":{"adder":30}}',
  ]);
  const clear = "\r\x1b[K";
  assertEquals(drawn, [
    `${clear}Looked at 10 messages`,
    clear,
    `${clear}Looked at 10 messages`,
    clear,
    "Send about 30 messages in adder-failed back to be retried? [y/N] ",
    `${clear}[######--------------]  33 % Sent back 10 of about 30 messages`,
    clear,
  ]);
  assertEquals(numbers(queues, "adder"), upTo(30));
});

Deno.test("zsqs failed writes plain lines where it is not on a terminal", async () => {
  await using queues = start();
  await putKept(2100);
  assertEquals((await cli(["failed", "--redrive", "--yes", KEPT])).stderr, [
    "Sent back 1,000 of about 2,100 messages",
    "Sent back 2,000 of about 2,100 messages",
  ]);
  assertEquals(numbers(queues, "adder"), upTo(2100));
});

Deno.test("zsqs failed needs no right to ask for the depth", async () => {
  await using queues = start();
  await putKept(3);
  using _calls = replaceCalls({
    attributes: () =>
      Promise.reject(
        new SqsError("denied", {
          code: "AccessDenied",
          senderFault: true,
        }),
      ),
  });
  const { status, drawn } = await cli(["failed", "--purge", KEPT], ["y"], {
    stdin: true,
    stderr: true,
  });
  assertEquals(status, 0);
  assertEquals(
    drawn![0],
    "Delete the messages in adder-failed for good? [y/N] ",
  );
  assertEquals(queues.get(KEPT).messages, []);
});

Deno.test("zsqs failed warns where its receives count", async () => {
  await using _queues = setUp({
    queues: [{
      name: "adder",
      redrive: { deadLetterQueue: "dead", maxReceiveCount: 3 },
    }, "dead"],
    silent: true,
  });
  assertEquals((await cli(["failed", "adder"])).stderr, [
    "Every receive counts: SQS moves a message of adder to dead after 3 receives",
    "Listed 0 messages of adder",
  ]);
});

Deno.test("zsqs failed refuses bad usage", async () => {
  await using _queues = start();
  const hint = "Try deno run -A jsr:@zsqs/cli failed --help";
  const cases: [args: string[], ...lines: string[]][] = [
    [[], "No queue given: name the queue that holds the failed messages", hint],
    [["a", "b"], "Give one queue: got a b", hint],
    [
      ["--redrive", "--purge", KEPT],
      "Give --redrive or --purge, not both",
      hint,
    ],
    [["--to=adder", KEPT], "Option --to needs --redrive", hint],
    [
      ["--older-than=1week", KEPT],
      'Option --older-than must be a number with s, min, h or d: current value is "1week"',
      hint,
    ],
    [
      ["--limit=0", KEPT],
      'Option --limit must be an integer from 1 to 1000000000: current value is "0"',
      hint,
    ],
    [
      ["--show=ID", "--purge", "--yes", KEPT],
      "Option --show only shows: give --id=ID to work on it",
      hint,
    ],
    [
      ["--redrive", `--to=${KEPT}`, KEPT],
      'Cannot send messages of "adder-failed" to "adder-failed" as that is the same queue',
    ],
    [
      ["--redrive", "--to=absent", KEPT],
      'Cannot find queue "absent" in region "us-east-1": create it first, or check its name and region',
    ],
    [
      ["absent"],
      'Cannot find queue "absent" in region "us-east-1": create it first, or check its name and region',
    ],
  ];
  for (const [args, ...stderr] of cases) {
    assertEquals(await cli(["failed", ...args]), {
      status: 2,
      stdout: [],
      stderr,
    });
  }
  const { status, stderr } = await cli(["failed", "--error=/(/", KEPT]);
  assertEquals(status, 2);
  assertMatch(
    stderr[0]!,
    /^Option --error must be text or a \/REGULAR EXPRESSION\/: Invalid regular expression/,
  );
});

Deno.test("zsqs failed ends where a receive gets no answer, not even to its signal", async () => {
  await using queues = setUp({ silent: true, queues: ["dead"] });
  // As while the SDK waits for credentials.
  using _calls = replaceCalls({ receive: () => new Promise(() => {}) });
  let result: CliResult | undefined;
  const listing = cli(["failed", "dead"]).then((ended) => result = ended);
  for (let i = 0; i < 20 && result === undefined; i++) await queues.advance(11);
  assertEquals(result?.status, 1);
  assertEquals((await listing).stderr.slice(-2), [
    "ReceiveMessage failed: no answer within 11 s",
    "Check the region and endpoint, and that the server runs",
  ]);
});
