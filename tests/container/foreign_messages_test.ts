/**
 * Messages that other programs and AWS wrote, from the producer to the container,
 * on the double.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import {
  type ContainerSettings,
  currentJob,
  type Job,
  PermanentError,
  runContainer,
  TransientError,
} from "../../container.ts";
import { kwargs, Queue, type QueueOptions } from "../../producer.ts";
import { setUp, type TestQueues } from "../../testing.ts";
import {
  confirmation,
  eventBridgeEvent,
  notification,
  S3_EVENT,
  TOPIC,
} from "../support/aws_bodies.ts";
import { cli, Folder } from "../support/cli.ts";

/** A container for `orders`, its jobs and its log. */
class Stage implements AsyncDisposable {
  readonly jobs: Job[] = [];
  readonly #folder: Folder;
  readonly queues: TestQueues;

  private constructor(folder: Folder, queues: TestQueues) {
    this.#folder = folder;
    this.queues = queues;
  }

  static async start(
    settings: Partial<ContainerSettings>,
    handle: (...args: unknown[]) => void = () => {},
  ): Promise<Stage> {
    const folder = await Folder.with({ log: "" });
    const stage = new Stage(folder, setUp({ silent: true }));
    await runContainer({
      queue: "orders",
      handler: (...args: unknown[]) => {
        stage.jobs.push(currentJob());
        handle(...args);
      },
      loggers: `<logger>\nlevel INFO\n<logfile>\npath ${folder.at("log")}\n` +
        "format %(levelname)s %(name)s %(message)s\n</logfile>\n</logger>",
      ...settings,
    });
    return stage;
  }

  /** Sends a body as it is. */
  async send(body: string): Promise<void> {
    await using queue = await Queue("orders", { body: "text" });
    await queue(body);
  }

  get left(): readonly string[] {
    return this.queues.get("orders").bodies;
  }

  async log(): Promise<string> {
    return await this.#folder.read("log");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.queues[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

interface Order {
  readonly id: string;
}

Deno.test("body = json gives the handler the parsed value, and the double shows it", async () => {
  await using queues = setUp({ silent: true });
  await using queue = await Queue<[Order]>("orders", { body: "json" });
  await queue({ id: "o1\u2028" });
  await queue.send([{ id: "o2" }], { attributes: { tenant: "blue" } });
  await queue.sendAll([[{ id: "o3" }], { args: [{ id: "o4" }] }]);
  assertEquals(queues.get("orders").bodies.slice(0, 2), [
    '{"id":"o1\\u2028"}',
    '{"id":"o2"}',
  ]);
  const jobs = [
    [{ id: "o1\u2028" }],
    ...["o2", "o3", "o4"].map((id) => [{ id }]),
  ];
  assertEquals(queues.get("orders").jobs, jobs);

  const got: unknown[][] = [];
  await runContainer({
    queue: "orders",
    body: "json",
    handler: (...args: unknown[]) => {
      got.push(args);
      assertEquals(currentJob().kwargs, {});
      assertEquals(currentJob().notification, undefined);
    },
  });
  assertEquals(got, jobs);
  assertEquals(queues.get("orders").messages, []);
});

Deno.test("body = text gives the handler the string, whatever it holds", async () => {
  await using stage = await Stage.start({ body: "text" });
  const texts = ["hello\r\n", "[[1],{}]", btoa("[[1],{}]"), " ", "😀"];
  for (const text of texts) await stage.send(text);
  assertEquals(stage.jobs.map(({ args }) => args), texts.map((text) => [text]));
  assertEquals(stage.left, []);
});

Deno.test("envelope = sns opens notifications, and currentJob() has the rest", async () => {
  await using stage = await Stage.start({ body: "json", envelope: "sns" });
  await stage.send(notification('{"id":"o1"}', {
    Subject: "An order",
    MessageAttributes: { tenant: { Type: "String", Value: "blue" } },
  }));
  const [job] = stage.jobs;
  assertEquals(job!.args, [{ id: "o1" }]);
  assertEquals(job!.notification, {
    topicArn: TOPIC,
    messageId: "da41e39f-ea4d-435a-b922-c6aae3915ebe",
    subject: "An order",
    timestampMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    attributes: { tenant: "blue" },
  });
  assertEquals(job!.attributes, {});
  assertEquals(stage.left, []);
});

Deno.test("a job after its end still has its notification", async () => {
  await using queues = setUp({ silent: true });
  const { promise, resolve } = Promise.withResolvers<Job>();
  await runContainer({
    queue: "orders",
    envelope: "sns",
    handler: () => {
      setTimeout(() => resolve(currentJob()), 0);
    },
  });
  await using queue = await Queue("orders", { body: "text" });
  await queue(notification("[[1],{}]"));
  const { args, notification: got } = await promise;
  assertEquals([args, got?.topicArn], [[1], TOPIC]);
  assertEquals(queues.get("orders").messages, []);
});

Deno.test("body = json keeps the order of a FIFO group", async () => {
  await using queues = setUp({ silent: true });
  const done: string[] = [];
  await runContainer({
    queue: "orders.fifo",
    body: "json",
    concurrency: 5,
    handler: ({ id }: Order) => {
      if (id === "o2" && currentJob().receiveCount === 1) {
        throw new TransientError("later", { delaySeconds: 5 });
      }
      done.push(id);
    },
  });
  await using queue = await Queue<[Order]>("orders.fifo", { body: "json" });
  const jobs = ["o1", "o2", "o3"].map((id) => ({
    args: [{ id }] as [Order],
    groupId: "g",
    deduplicationId: id,
  }));
  await queue.sendAll(jobs);
  assertEquals(done, ["o1"]);
  assertEquals(queues.get("orders.fifo").jobs, [[{ id: "o2" }], [{
    id: "o3",
  }]]);
  await queues.advance(60);
  assertEquals(done, ["o1", "o2", "o3"]);
});

Deno.test("failed foreign messages reach the failures queue as they came, and come back", async () => {
  await using stage = await Stage.start({
    body: "json",
    envelope: "sns",
    failures: { queue: "orders-failed" },
  }, () => {
    throw new PermanentError("no such product");
  });
  const body = notification('{"id":"o1"}');
  await using queue = await Queue("orders", { body: "text" });
  await queue.send([body], { attributes: { a: "b" } });
  assertEquals(stage.left, []);
  const { messages: [kept], jobs } = stage.queues.get("orders-failed");
  assertEquals([kept!.body, kept!.attributes.a], [body, "b"]);
  assertEquals(jobs, [[{ id: "o1" }]]);

  const { stdout } = await cli(["failed", "--json", "orders-failed"]);
  const listed = JSON.parse(stdout[0]!);
  assertEquals([listed.body, listed.message], [body, "no such product"]);
  await cli(["failed", "--redrive", "--yes", "orders-failed"]);
  assertEquals(stage.jobs.length, 2);
  assertEquals(stage.jobs[1]!.args, [{ id: "o1" }]);
});

Deno.test("zsqs failed shows a body of text as it is", async () => {
  await using stage = await Stage.start({
    body: "text",
    failures: { queue: "orders-failed" },
  }, () => {
    throw new PermanentError("no");
  });
  const texts = [btoa("[1]"), "two\nlines"];
  for (const text of texts) await stage.send(text);
  const { stdout } = await cli(["failed", "orders-failed"]);
  assertEquals(stdout.map((line) => line.split("  ").at(-1)), [
    texts[0],
    "two\\nlines",
  ]);
});

Deno.test("the jobs of a dead-letter queue are read as jobs of its source", async () => {
  await using queues = setUp({
    silent: true,
    queues: ["dead", {
      name: "orders",
      redrive: { deadLetterQueue: "dead", maxReceiveCount: 1 },
    }],
  });
  await runContainer({
    queue: "orders",
    body: "json",
    failures: "keep",
    loggers: "",
    handler: () => {
      throw new Error("no");
    },
  });
  await using queue = await Queue<[Order]>("orders", { body: "json" });
  await queue({ id: "o1" });
  await queues.advance(60);
  assertEquals(queues.get("dead").jobs, [[{ id: "o1" }]]);
});

const S3 = JSON.stringify(S3_EVENT);
const BRIDGE = JSON.stringify(eventBridgeEvent("Order Placed"));

const AWS_BODIES: [what: string, body: string, option: string][] = [
  ["an S3 event", S3, "body = json"],
  ["an EventBridge event", BRIDGE, "body = json"],
  ["an SNS notification", notification("[[1],{}]"), "envelope = sns"],
];

for (const [what, body, option] of AWS_BODIES) {
  Deno.test(`${what} stays if failures is not set, and the log names ${option}`, async () => {
    await using stage = await Stage.start({ retryDelaySeconds: 60 });
    await stage.send(body);
    await stage.send("[[1],{}]");
    assertEquals(stage.left, [body]);
    assertEquals(stage.jobs.length, 1);
    const log = await stage.log();
    assertMatch(
      log,
      /^ERROR zsqs Job will be retried in \d+ s: orders, message \S+, receive 1: Cannot read message body: it is an .*, or set failures\n$/,
    );
    assertStringIncludes(log, `set ${option} to take it`);
    await stage.queues.advance(60);
    assertEquals(stage.left, [body]);
    assertMatch(await stage.log(), /^ERROR .* receive 2/m);
  });

  Deno.test(`${what} goes as failures says if that is set`, async () => {
    for (const failures of ["delete", "keep", { queue: "failed" }] as const) {
      await using stage = await Stage.start({ failures });
      await stage.send(body);
      const isKept = failures === "keep";
      assertEquals(stage.left, isKept ? [body] : []);
      assertEquals(
        stage.queues.get("failed").bodies,
        typeof failures === "object" ? [body] : [],
      );
      const log = await stage.log();
      assertMatch(log, /^ERROR zsqs Handling a message failed: orders, /);
      assertStringIncludes(log, `set ${option} to take it`);
    }
  });
}

Deno.test("an event of AWS that stays holds up its FIFO group, and no other", async () => {
  await using stage = await Stage.start({
    queue: "orders.fifo",
    concurrency: 5,
    retryDelaySeconds: 60,
  });
  await using queue = await Queue("orders.fifo", { body: "text" });
  const sent = [[S3, "g"], ["[[1],{}]", "g"], ["[[2],{}]", "h"]] as const;
  for (const [i, [body, groupId]] of sent.entries()) {
    await queue.send([body], { groupId, deduplicationId: String(i) });
  }
  assertEquals(stage.jobs.map(({ args }) => args), [[2]]);
  await stage.queues.advance(600);
  assertEquals(stage.queues.get("orders.fifo").bodies, [S3, "[[1],{}]"]);
});

for (
  const [message, option] of [
    [S3, "body = json"],
    ['{"id":1}', "body = json"],
    ["hello", "body = text"],
  ] as const
) {
  Deno.test(`a notification stays, though envelope = sns is set, if ${option} is forgotten: ${message.slice(0, 20)}`, async () => {
    await using stage = await Stage.start({ envelope: "sns" });
    const body = notification(message);
    await stage.send(body);
    assertEquals(stage.left, [body]);
    assertMatch(await stage.log(), /^ERROR zsqs Job will be retried in /);
    assertStringIncludes(await stage.log(), `set ${option}`);

    await using deleting = await Stage.start({
      envelope: "sns",
      failures: "delete",
    });
    await deleting.send(body);
    assertEquals(deleting.left, []);
  });
}

const OTHERS: [
  body: string,
  settings: Partial<ContainerSettings>,
  says: string,
][] = [
  ['{"id":1}', {}, "set body = json"],
  ["hello", {}, "set body = text"],
  ["hello", { body: "json" }, "set body = text"],
  ["hello", { envelope: "sns" }, "it is not an SNS notification"],
  [notification("hello"), { envelope: "sns", body: "json" }, "set body = text"],
  [confirmation(), { envelope: "sns" }, TOPIC],
];

for (const [body, settings, says] of OTHERS) {
  Deno.test(`the line about a bad body says "${says}": ${body.slice(0, 30)}`, async () => {
    await using stage = await Stage.start(settings);
    await stage.send(body);
    assertEquals([stage.left, stage.jobs], [[], []]);
    const log = await stage.log();
    assertMatch(log, /^ERROR zsqs Handling a message failed: orders, /);
    assertStringIncludes(log, says);
    assertStringIncludes(log, `INFO zsqs.messages ${body}`);
  });
}

Deno.test("the log has a failed job's text as it is, not decoded", async () => {
  await using stage = await Stage.start({ body: "text" }, () => {
    throw new PermanentError("no");
  });
  await stage.send(btoa("[1]"));
  assertStringIncludes(await stage.log(), "INFO zsqs.messages WzFd\n");
});

Deno.test("a hostile topic forges no log line, and no long one", async () => {
  await using stage = await Stage.start({ envelope: "sns" });
  const TopicArn = "arn:\nERROR zsqs forged\u001b[31m" + "x".repeat(100_000);
  await stage.send(confirmation({ TopicArn }));
  const log = await stage.log();
  const line = log.split("\n").find((each) => each.includes("SNS topic"))!;
  assert(line.length < 1_000);
  assert(!/^ERROR zsqs forged/m.test(log));
});

Deno.test("the double prints bodies of text as they are", async () => {
  const { log } = console;
  const printed: string[] = [];
  console.log = (text: string) => printed.push(text);
  try {
    await using _queues = setUp();
    await using queue = await Queue("orders", { body: "text" });
    await queue(btoa("[1]"));
    await runContainer({ queue: "orders", body: "text", handler: () => {} });
  } finally {
    console.log = log;
  }
  assertEquals(printed, [
    "Connected to region us-east-1.",
    "WzFd",
    "Connected to region us-east-1.",
    "deleted 'WzFd'",
  ]);
});

const REFUSED: [
  what: string,
  options: object,
  args: unknown[],
  says: string,
][] = [
  [
    "keyword arguments in JSON",
    { body: "json" },
    [kwargs({ x: 1 })],
    'Cannot send job with keyword arguments, as "body" is "json": give one argument',
  ],
  [
    "two values",
    { body: "json" },
    [1, 2],
    'Cannot send job with 2 arguments, as "body" is "json": give one argument',
  ],
  [
    "no text",
    { body: "text" },
    [],
    'Cannot send job with 0 arguments, as "body" is "text": give one argument',
  ],
  [
    "what JSON changes",
    { body: "json" },
    [{ a: [undefined] }],
    "Cannot send job as args[0].a[0] is undefined: arguments must survive JSON unchanged",
  ],
  [
    "a number as text",
    { body: "text" },
    [5],
    'Cannot send job as args[0] is 5, and "body" is "text": give a string',
  ],
  [
    "empty text",
    { body: "text" },
    [""],
    "Cannot send job as args[0] is empty: SQS takes no empty body",
  ],
  [
    "a character that SQS refuses",
    { body: "text" },
    ["a\0b"],
    "Cannot send job as args[0] has the character U+0000, which SQS refuses: remove it, or send JSON, which escapes it",
  ],
  [
    "half a character",
    { body: "text" },
    ["\ud83d"],
    "Cannot send job as args[0] has the character U+D83D, which SQS refuses: remove it, or send JSON, which escapes it",
  ],
];

for (const [what, options, args, says] of REFUSED) {
  Deno.test(`Queue() refuses to send ${what}`, async () => {
    using queues = setUp({ silent: true });
    await using queue = await Queue("orders", options);
    await assertRejects(() => queue(...args), TypeError, says);
    await assertRejects(() => queue.send(args), TypeError, says);
    await assertRejects(() => queue.sendAll([args]), TypeError, says);
    assertEquals(queues.get("orders").messages, []);
  });
}

const BAD_OPTIONS: [options: object, says: string][] = [
  [
    { body: "xml" },
    'Cannot open queue as "body" must be "job", "json" or "text": current value is "xml"',
  ],
  [
    { body: "json", encoding: "base64" },
    'Cannot open queue as "encoding" needs "body" to be "job": current value is "json"',
  ],
  [
    { body: "text", encoding: "json" },
    'Cannot open queue as "encoding" needs "body" to be "job": current value is "text"',
  ],
  [{ envelope: "sns" }, '"envelope" is not an option'],
];

Deno.test("Queue() refuses options that make no sense together", async () => {
  using _queues = setUp({ silent: true });
  for (const [options, says] of BAD_OPTIONS) {
    await assertRejects(
      () => Queue("orders", options as QueueOptions),
      TypeError,
      says,
    );
  }
});
