/**
 * Large jobs on the testing double: pointers, bad input, FIFO, batches, failures.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { startContainer } from "../../container.ts";
import {
  currentJob,
  type Job,
  PermanentError,
  Queue,
  TransientError,
} from "../../mod.ts";
import { setUp, type TestQueues } from "../../testing.ts";
import { parseQueueRef } from "../../src/sqs/queue_ref.ts";
import { cli } from "../support/cli.ts";
import { startWeb, Visitor } from "../support/visitor.ts";
import { isWithin, parseObjectFolder } from "../../src/sqs/objects.ts";

const FOLDER = "s3://bucket/jobs";
const MIB = 1_048_576;
const POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer";

/** Sends a message as an Extended Client does. */
async function sendPointer(
  queue: string,
  place: { bucket?: string; key: string },
  {
    name = POINTER,
    attribute = "ExtendedPayloadSize",
    bytes = 10,
    body = "json" as const,
    ...options
  } = {} as {
    name?: string;
    attribute?: string;
    bytes?: number;
    body?: "json";
    groupId?: string;
    deduplicationId?: string;
  },
): Promise<void> {
  const sender = await Queue(queue, { body });
  await sender.send([[name, {
    s3BucketName: place.bucket ?? "bucket",
    s3Key: place.key,
  }]], { attributes: { [attribute]: bytes }, ...options });
}

function bodies(queues: TestQueues, queue: string): number {
  return queues.get(queue).messages.length;
}

/** Runs a container that logs to an array. */
async function run(
  settings: Parameters<typeof startContainer>[0] & object,
): Promise<void> {
  await startContainer({ large: FOLDER, ...settings });
}

Deno.test("a job over 1 MiB goes to S3 and back, and its object goes after its message", async () => {
  await using queues = setUp({ silent: true });
  const text = "é".repeat(MIB);
  const sender = await Queue<[string]>("adder", { large: FOLDER });
  await sender.send([text], { attributes: { color: "red" } });

  const { body, attributes, args } = queues.get("adder").messages[0]!;
  const [url] = [...queues.objects.keys()];
  const key = url!.slice("s3://bucket/".length);
  assertEquals(
    body,
    `["${POINTER}",{"s3BucketName":"bucket","s3Key":"${key}"}]`,
  );
  const size = String(
    new TextEncoder().encode(queues.objects.get(url!)).length,
  );
  assertEquals(attributes, { color: "red", ExtendedPayloadSize: Number(size) });
  assertEquals(args, [text]);
  assertEquals(queues.get("adder").jobs, [[text]]);

  const seen: unknown[] = [];
  await run({
    queue: "adder",
    handler: (given: string) => {
      seen.push(given === text, currentJob().attributes, queues.objects.size);
    },
  });
  assertEquals(seen, [true, { color: "red" }, 1]);
  assertEquals([bodies(queues, "adder"), queues.objects.size], [0, 0]);
});

Deno.test("both classes and both attributes are read", async () => {
  await using queues = setUp({ silent: true });
  const older = "com.amazon.sqs.javamessaging.MessageS3Pointer";
  const seen: unknown[] = [];
  await run({
    queue: "adder",
    handler: (...args: unknown[]) => {
      seen.push(args);
    },
  });
  for (const name of [POINTER, older]) {
    for (const attribute of ["ExtendedPayloadSize", "SQSLargePayloadSize"]) {
      queues.objects.set("s3://bucket/jobs/a", "[[1,2],{}]");
      await sendPointer("adder", { key: "jobs/a" }, { name, attribute });
    }
  }
  assertEquals(seen, [[1, 2], [1, 2], [1, 2], [1, 2]]);
  assertEquals(queues.objects.size, 0);
});

Deno.test("large_from sends smaller jobs to S3, and others stay on the wire", async () => {
  await using queues = setUp({ silent: true });
  const sender = await Queue<[string]>("adder", {
    large: "s3://bucket",
    largeFrom: 100,
  });
  await sender("a".repeat(10));
  await sender("a".repeat(100));
  assertEquals(
    queues.get("adder").jobs.map(([text]) => (text as string).length),
    [
      10,
      100,
    ],
  );
  assertMatch(
    [...queues.objects.keys()].join(),
    /^s3:\/\/bucket\/[0-9a-f-]{36}$/,
  );
});

Deno.test("a producer refuses what neither SQS nor S3 takes", async () => {
  using queues = setUp({ silent: true });
  const sender = await Queue<[string]>("adder", {
    large: FOLDER,
    largeFrom: 1000,
  });
  const big = "a".repeat(1000);
  const attributes = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`a${i}`, i]),
  );
  await assertRejects(
    () => sender("a".repeat(64 * MIB)),
    RangeError,
    "67108864",
  );
  await assertRejects(
    () => sender.send([big], { attributes }),
    RangeError,
    "may have 9",
  );
  await assertRejects(
    () => sender.send([big], { attributes: { ExtendedPayloadSize: 1 } }),
    TypeError,
    "body in S3",
  );
  for (
    const large of [
      "s3:/b",
      "s3://B/x",
      "s3://b",
      "s3://bucket/../x",
      "s3://bucket//x",
      "s3://bucket//",
      "https://bucket/x",
      "s3://bucket/a b",
      7 as unknown as string,
    ]
  ) {
    const { message } = await assertRejects(
      () => Queue("adder", { large }),
      TypeError,
    );
    assertMatch(
      message,
      /^Cannot open queue as "large" must be a place in S3 .*: current value is /,
    );
  }
  await assertRejects(
    () => Queue("adder", { largeFrom: 1 }),
    TypeError,
    '"largeFrom" needs "large"',
  );
  for (const largeFrom of [0, 1.5, MIB + 1]) {
    await assertRejects(
      () => Queue("adder", { large: FOLDER, largeFrom }),
      RangeError,
    );
  }
  assertEquals([bodies(queues, "adder"), queues.objects.size], [0, 0]);
});

Deno.test("equal large jobs of a FIFO queue are one, and keep the order of their calls", async () => {
  await using queues = setUp({ silent: true });
  const sender = await Queue<[string]>("adder.fifo", {
    large: FOLDER,
    largeFrom: 50,
  });
  const send = (text: string) => sender.send([text], { groupId: "g" });
  const [a, b] = ["a".repeat(50), "b".repeat(50)];
  await Promise.all([send(a), send("small"), send(b), send(a)]);
  assertEquals(queues.get("adder.fifo").jobs, [[a], ["small"], [b]]);
});

Deno.test("pointers that lead elsewhere touch nothing, and their messages stay", async () => {
  await using queues = setUp({ silent: true });
  const elsewhere = [
    { bucket: "other", key: "jobs/a" },
    { key: "a" },
    { key: "jobs" },
    { key: "jobsx/a" },
    { key: "jobs/../a" },
    { key: "jobs/" },
  ];
  for (const { bucket = "bucket", key } of elsewhere) {
    queues.objects.set(`s3://${bucket}/${key}`, "[[],{}]");
    await sendPointer("adder", { bucket, key });
  }
  let runs = 0;
  await run({ queue: "adder", handler: () => void runs++ });
  assertEquals(runs, 0);
  assertEquals(bodies(queues, "adder"), elsewhere.length);
  assertEquals(queues.objects.size, elsewhere.length);
});

Deno.test("with failures written out, a pointer that leads elsewhere is bad input", async () => {
  await using queues = setUp({ silent: true });
  queues.objects.set("s3://other/a", "[[],{}]");
  await sendPointer("adder", { bucket: "other", key: "a" });
  await run({ queue: "adder", handler: () => {}, failures: "delete" });
  assertEquals([bodies(queues, "adder"), queues.objects.size], [0, 1]);
});

Deno.test("a container without large keeps pointers", async () => {
  await using queues = setUp({ silent: true });
  await sendPointer("adder", { key: "jobs/a" });
  await startContainer({ queue: "adder", handler: () => {} });
  assertEquals(bodies(queues, "adder"), 1);
});

Deno.test("a missing object is tried three times, then bad input", async () => {
  await using queues = setUp({ silent: true });
  await sendPointer("adder", { key: "jobs/late" });
  await sendPointer("adder", { key: "jobs/never" });
  const seen: unknown[] = [];
  await run({
    queue: "adder",
    handler: (...args: unknown[]) => void seen.push(args),
    failures: { queue: "failed" },
  });
  await queues.advance(31);
  queues.objects.set("s3://bucket/jobs/late", "[[1],{}]");
  assertEquals(bodies(queues, "adder"), 2);
  await queues.advance(31);
  assertEquals(seen, [[1]]);
  const [failed, ...others] = queues.get("failed").messages;
  assertEquals(others.length, 0);
  assertMatch(
    String(failed!.attributes["zsqs.failure"]),
    /there is no such object/,
  );
  assertEquals(bodies(queues, "adder"), 0);
});

Deno.test("an object is kept for a failures queue, and deleted with bad input", async () => {
  await using queues = setUp({ silent: true });
  const fail = () => {
    throw new PermanentError("no");
  };
  for (
    const [queue, failures] of [["a", { queue: "failed" }], ["b", "delete"], [
      "c",
      "keep",
    ]] as const
  ) {
    queues.objects.set(`s3://bucket/jobs/${queue}`, "[[],{}]");
    await sendPointer(queue, { key: `jobs/${queue}` });
    await run({ queue, handler: fail, failures });
  }
  assertEquals([...queues.objects.keys()], [
    "s3://bucket/jobs/a",
    "s3://bucket/jobs/c",
  ]);
  const [failed] = queues.get("failed").messages;
  assertMatch(failed!.body, /PayloadS3Pointer/);
  assertEquals(failed!.attributes.ExtendedPayloadSize, 10);
});

Deno.test("a failed large job comes back by the command line and by the page, with its object", async () => {
  await using queues = setUp({ silent: true });
  const sender = await Queue<[string]>("adder.fifo", {
    large: FOLDER,
    largeFrom: 50,
  });
  await sender.send(["a".repeat(50)], { groupId: "g" });
  let runs = 0;
  const failed = "adder-failed.fifo";
  await run({
    queue: "adder.fifo",
    failures: { queue: failed },
    handler: () => {
      if (++runs < 3) throw new PermanentError("no");
    },
  });
  const kept = () => [bodies(queues, failed), queues.objects.size];
  assertEquals([runs, ...kept()], [1, 1, 1]);
  assertEquals((await cli(["failed", failed, "--redrive", "--yes"])).status, 0);
  assertEquals([runs, ...kept()], [2, 1, 1]);

  await using page = await startWeb([
    { name: "adder.fifo", failures: parseQueueRef(failed) },
  ]);
  const visitor = await Visitor.open(page);
  const list = `/queues/${failed}/failed`;
  const { text } = await visitor.post(`${list}/look`);
  const id = /name="id" value="([^"]+)"/.exec(text)![1]!;
  const action = { action: "redrive", scope: "selected", id };
  const asked = await visitor.post(`${list}/actions`, action);
  const [, path] = /action="(\/actions\/[\w-]+\/run)"/.exec(asked.text)!;
  await visitor.post(path!);
  assertEquals([runs, ...kept()], [3, 0, 0]);
});

Deno.test("large_keep keeps all objects", async () => {
  await using queues = setUp({ silent: true });
  queues.objects.set("s3://bucket/jobs/a", "[[],{}]");
  await sendPointer("adder", { key: "jobs/a" });
  await run({ queue: "adder", handler: () => {}, largeKeep: true });
  assertEquals([bodies(queues, "adder"), queues.objects.size], [0, 1]);
});

Deno.test("an object of a job that is retried is there for the next attempt", async () => {
  await using queues = setUp({ silent: true });
  queues.objects.set("s3://bucket/jobs/a", "[[],{}]");
  await sendPointer("adder", { key: "jobs/a" });
  let runs = 0;
  await run({
    queue: "adder",
    handler: () => {
      if (++runs === 1) throw new TransientError("later", { delaySeconds: 5 });
    },
  });
  assertEquals(queues.objects.size, 1);
  await queues.advance(6);
  assertEquals([runs, queues.objects.size], [2, 0]);
});

Deno.test("an object that is larger than its pointer says is read, up to 64 MiB", async () => {
  await using queues = setUp({ silent: true });
  const text = "a".repeat(2 * MIB);
  queues.objects.set("s3://bucket/jobs/more", JSON.stringify([[text], {}]));
  queues.objects.set("s3://bucket/jobs/much", "a".repeat(64 * MIB + 1));
  queues.objects.set("s3://bucket/jobs/odd", "\ud800");
  for (const key of ["more", "much"]) {
    await sendPointer("adder", { key: `jobs/${key}` });
  }
  const seen: unknown[] = [];
  await run({
    queue: "adder",
    handler: (given: string) => void seen.push(given === text),
    failures: { queue: "failed" },
  });
  assertEquals(seen, [true]);
  const [failed] = queues.get("failed").messages;
  assertMatch(
    String(failed!.attributes["zsqs.failure"]),
    /has more than 67108864 bytes/,
  );
});

Deno.test("in batches, each body is fetched, and the others run without one that is missing", async () => {
  await using queues = setUp({ silent: true });
  for (const i of [1, 2, 3]) {
    if (i !== 2) queues.objects.set(`s3://bucket/jobs/${i}`, `[[${i}],{}]`);
    await sendPointer("adder", { key: `jobs/${i}` });
  }
  await (await Queue("adder"))(4);
  const seen: unknown[] = [];
  await run({
    queue: "adder",
    batch: 10,
    handleBatch: (jobs: readonly Job[]) => {
      seen.push(jobs.map(({ args }) => args[0]));
    },
  });
  assertEquals(seen, [[1, 3, 4]]);
  assertEquals([bodies(queues, "adder"), queues.objects.size], [1, 0]);
});

Deno.test("a batch holds 64 MiB of bodies, whatever their pointers say, and wastes no receive", async () => {
  await using queues = setUp({ silent: true });
  for (const i of [1, 2, 3]) {
    const text = `[[${i}],{}]` + " ".repeat(i === 3 ? 0 : 40 * MIB);
    queues.objects.set(`s3://bucket/jobs/${i}`, text);
  }
  const seenOf = async (queue: string, fifo?: { groupId: string }) => {
    for (const i of [1, 2, 3]) {
      const options = { ...fifo, ...fifo && { deduplicationId: `${i}` } };
      await sendPointer(queue, { key: `jobs/${i}` }, { bytes: 0, ...options });
    }
    const seen: unknown[] = [];
    await run({
      queue,
      batch: 10,
      largeKeep: true,
      handleBatch: (jobs: readonly Job[]) => {
        seen.push(jobs.map(({ args: [i], receiveCount }) => [i, receiveCount]));
      },
    });
    return seen;
  };
  const once = [[[1, 1]], [[2, 1], [3, 1]]];
  assertEquals(await seenOf("adder"), once);
  assertEquals(await seenOf("adder.fifo", { groupId: "g" }), once);
});

Deno.test("a batch that throws is tried in halves, and what had no room once", async () => {
  await using queues = setUp({ silent: true });
  for (const i of [1, 2, 3, 4]) {
    const text = `[[${i}],{}]` + " ".repeat(i === 4 ? 0 : 30 * MIB);
    queues.objects.set(`s3://bucket/jobs/${i}`, text);
    await sendPointer("adder", { key: `jobs/${i}` }, { bytes: 0 });
  }
  const seen: unknown[] = [];
  await run({
    queue: "adder",
    batch: 10,
    failures: { queue: "failed" },
    handleBatch: (jobs: readonly Job[]) => {
      const numbers = jobs.map(({ args: [i] }) => i);
      seen.push(numbers);
      if (numbers.includes(2)) throw new Error("no");
    },
  });
  assertEquals(seen, [[1, 2], [3, 4], [1], [2]]);
  assertEquals([bodies(queues, "adder"), bodies(queues, "failed")], [0, 1]);
});

Deno.test("a small object holds no more than its bytes while its job runs", async () => {
  await using queues = setUp({ silent: true });
  for (const i of [1, 2, 3, 4, 5]) {
    queues.objects.set(`s3://bucket/jobs/${i}`, "[[],{}]");
    await sendPointer("adder", { key: `jobs/${i}` }, { attribute: "other" });
  }
  const all = Promise.withResolvers<void>();
  let running = 0;
  await run({
    queue: "adder",
    concurrency: 5,
    handler: async () => {
      if (++running === 5) all.resolve();
      await all.promise;
    },
  });
  assertEquals(bodies(queues, "adder"), 0);
});

Deno.test("a pointer to a pointer is not followed, and a hint names what follows one", async () => {
  await using queues = setUp({ silent: true });
  const pointer = [POINTER, { s3BucketName: "bucket", s3Key: "jobs/b" }];
  queues.objects.set("s3://bucket/jobs/a", JSON.stringify(pointer));
  queues.objects.set("s3://bucket/jobs/b", "[[],{}]");
  const failures = { queue: "failed" };
  const problem = async (
    queue: string,
    options: { envelope?: "sns"; large?: string },
  ) => {
    await sendPointer(queue, { key: "jobs/a" });
    const handler = () => Promise.reject(new Error("it ran"));
    await startContainer({ queue, handler, failures, ...options });
    const { attributes } = queues.get("failed").messages.at(-1)!;
    return JSON.parse(String(attributes["zsqs.failure"])).message;
  };
  const fetches = "a container with large = s3://BUCKET/PREFIX fetches it";
  assertEquals(
    await problem("a", { large: FOLDER }),
    'Cannot read message body: "s3://bucket/jobs/a" is a pointer, too, and only one is followed',
  );
  assertEquals(
    await problem("b", {}),
    `Cannot read message body: it is a pointer to S3; ${fetches}`,
  );
  assertEquals(
    await problem("c", { envelope: "sns" }),
    `Cannot read message body: it is a pointer to S3, not an SNS notification; remove envelope = sns; ${fetches}`,
  );
  assertEquals(queues.objects.size, 2);
});

Deno.test("on FIFO queues, nothing runs behind a job whose body is missing", async () => {
  await using queues = setUp({ silent: true });
  queues.objects.set("s3://bucket/jobs/2", "[[2],{}]");
  for (const i of [1, 2]) {
    await sendPointer("adder.fifo", { key: `jobs/${i}` }, {
      groupId: "g",
      deduplicationId: `${i}`,
    });
  }
  await sendPointer("adder.fifo", { key: "jobs/3" }, {
    groupId: "h",
    deduplicationId: "3",
  });
  queues.objects.set("s3://bucket/jobs/3", "[[3],{}]");
  const seen: unknown[] = [];
  await run({
    queue: "adder.fifo",
    batch: 10,
    handleBatch: (jobs: readonly Job[]) =>
      void seen.push(jobs.map(({ args }) => args[0])),
  });
  assertEquals(seen, [[3]]);
  queues.objects.set("s3://bucket/jobs/1", "[[1],{}]");
  await queues.advance(31);
  assertEquals(seen, [[3], [1, 2]]);
});

Deno.test("with envelope = sns, the pointer is in Message, and the rest stays", async () => {
  await using queues = setUp({ silent: true });
  queues.objects.set("s3://bucket/jobs/a", '{"id":1}');
  const sender = await Queue("events", { body: "json" });
  await sender({
    Type: "Notification",
    MessageId: "m",
    TopicArn: "arn:aws:sns:us-east-1:1:t",
    Message: JSON.stringify([POINTER, {
      s3BucketName: "bucket",
      s3Key: "jobs/a",
    }]),
    MessageAttributes: {
      ExtendedPayloadSize: { Type: "Number", Value: "8" },
      color: { Type: "String", Value: "red" },
    },
  });
  const seen: unknown[] = [];
  await run({
    queue: "events",
    body: "json",
    envelope: "sns",
    handler: (value: unknown) =>
      void seen.push(value, currentJob().notification?.attributes),
  });
  assertEquals(seen, [{ id: 1 }, { color: "red" }]);
  assertEquals(queues.objects.size, 0);
});

Deno.test("hooks see a large job without its arguments", async () => {
  await using queues = setUp({ silent: true });
  queues.objects.set("s3://bucket/jobs/a", "[[1],{}]");
  await sendPointer("adder", { key: "jobs/a" });
  const seen: unknown[] = [];
  await run({
    queue: "adder",
    handler: () => {},
    hooks: {
      jobStarted: ({ args }) => void seen.push("started", args),
      jobEnded: ({ args }, { outcome, durationMs }) =>
        void seen.push(outcome, args, typeof durationMs),
    },
  });
  assertEquals(seen, ["started", [], "done", [], "number"]);
});

Deno.test("an object is in a folder only below its prefix", () => {
  const folder = parseObjectFolder("s3://bucket/a/b/")!;
  assertEquals(folder.prefix, "a/b");
  const within = (key: string, bucket = "bucket") =>
    isWithin({ bucket, key }, folder);
  assertEquals(["a/b/c", "a/b/c/d"].map((key) => within(key)), [true, true]);
  for (
    const key of [
      "a/b",
      "a/b/",
      "a/bc",
      "a/b/../c",
      "a/b/..",
      "/a/b/c",
      "a/b/\ud800",
      "a/b/./c",
      `a/b/${"x".repeat(1024)}`,
    ]
  ) {
    assertEquals(within(key), false, key);
  }
  assertEquals(within("a/b/c", "bucket2"), false);
});
