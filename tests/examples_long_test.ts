/**
 * The examples, run word for word as processes.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { USAGE } from "../src/cli/errors.ts";
import { readConfig } from "../container.ts";
import manifest from "../deno.json" with { type: "json" };
import { startLocalServer } from "../src/cli/local_server.ts";
import {
  eventBridgeEvent,
  S3_EVENT,
  S3_TEST_EVENT,
} from "./support/aws_bodies.ts";
import { examplePath, readExample } from "./support/examples.ts";
import { Folder } from "./support/folder.ts";
import {
  CREDENTIALS,
  runCli,
  servePackage,
  TestProcess,
  TestServer,
} from "./support/server.ts";

/** A copy of an example, whose containers end a drain after short polls. */
async function quickCopy(...names: readonly string[]): Promise<Folder> {
  const files: Record<string, string> = {};
  for (const name of names) {
    const text = await readExample(name);
    files[name.split("/").at(-1)!] = name.endsWith(".ini")
      ? text.replace("[container]", "[container]\nwait_time = 1")
      : text;
  }
  return await Folder.with(files);
}

Deno.test("examples/orders does each order's steps in order, a busy bank or not", async () => {
  await using registry = await servePackage();
  await using server = await TestServer.start();
  const fifo = { FifoQueue: "true" };
  const url = await server.createQueue("orders.fifo", fifo);
  await server.createQueue("orders-failed.fifo", fifo);
  const receipts = await server.createQueue("receipts");
  await server.createQueue("receipts-failed");
  const options = {
    cwd: examplePath("orders"),
    env: { ...registry.env, ...server.env },
  };
  await using container = runCli(["orders.ini", "receipts.ini"], options);
  await using producer = new TestProcess(
    ["run", "-q", "-A", "place.ts", "A-1", "A-2"],
    options,
  );
  assertEquals([await producer.status(), producer.stderr], [0, ""]);
  assertEquals(producer.stdout, "6 steps sent\n");
  await container.saw(": receipt sent", 2);
  await server.left(url, 0);
  await server.left(receipts, 0);
  const steps = (order: string) =>
    [...container.stderr.matchAll(new RegExp(`${order}: (.*)`, "g"))]
      .map(([, step]) => step)
      .filter((step) => step !== "receipt sent");
  assertEquals(steps("A-1"), ["reserve done", "charge done", "ship done"]);
  assertEquals(steps("A-2"), [
    "reserve done",
    "the bank is busy, its next steps wait",
    "charge done",
    "ship done",
  ]);
  for (const order of ["A-1", "A-2"]) {
    assertStringIncludes(container.stderr, `${order}: receipt sent\n`);
  }
});

Deno.test("examples/cpu computes in two processes that may do nothing else", async () => {
  await using registry = await servePackage();
  await using server = await TestServer.start();
  const url = await server.createQueue("primes");
  await server.createQueue("primes-failed");
  const options = {
    cwd: examplePath("cpu"),
    env: { ...registry.env, ...server.env },
  };
  await using check = runCli(["check", "primes.ini"], options);
  assertEquals([await check.status(), check.stderr], [0, ""]);
  await using container = runCli(["primes.ini"], options);
  for (const range of [["0", "10000"], ["10000", "20000"]]) {
    await using send = runCli(["send", "primes", ...range], options);
    assertEquals(await send.status(), 0, send.stderr);
  }
  await container.saw(" 1229 primes from 0 to 10000\n");
  await container.saw(" 1033 primes from 10000 to 20000\n");
  await server.left(url, 0);
  const config = await readConfig(examplePath("cpu/primes.ini"));
  assertEquals([config.isolation, config.processes], ["process", 2]);
});

/** What an example of events gets, logs and keeps in its failures queue. */
interface EventsRun {
  readonly queue: string;
  readonly events: readonly string[];
  readonly line: string;
  readonly kept: readonly string[];
}

/** Runs an example of events until its queue is empty. */
async function drainEvents(
  name: string,
  { queue, events, line, kept }: EventsRun,
): Promise<void> {
  await using registry = await servePackage();
  await using server = await TestServer.start();
  await using files = await quickCopy(
    `events/${name}.ini`,
    `events/${name}.ts`,
  );
  const url = await server.createQueue(queue);
  const failed = await server.createQueue(`${queue}-failed`);
  for (const event of events) await server.send(url, event);
  await using container = runCli([`${name}.ini`, "--drain"], {
    cwd: files.path,
    env: { ...registry.env, ...server.env },
  });
  assertEquals(await container.status(), 0, container.stderr);
  assertStringIncludes(container.stderr, line);
  await server.left(url, 0);
  await server.left(failed, kept.length);
  assertEquals(await server.receive(failed), kept);
}

Deno.test("examples/events reads S3's events, the first of which is a test", async () => {
  await drainEvents("s3", {
    queue: "uploads",
    events: [S3_TEST_EVENT, S3_EVENT].map((event) => JSON.stringify(event)),
    line: "ObjectCreated:Put: photos/red flower+é.jpg\n",
    kept: [],
  });
});

Deno.test("examples/events reads EventBridge's events, and keeps events of another type", async () => {
  const [placed, cancelled] = ["Order Placed", "Order Cancelled"]
    .map((type) => JSON.stringify(eventBridgeEvent(type)));
  await drainEvents("eventbridge", {
    queue: "order-events",
    events: [placed!, cancelled!],
    line: "order A-1 placed, event 6a7e8feb-b491-4cf7-a9f1-bf3703467718\n",
    kept: [cancelled!],
  });
});

Deno.test("examples/bulk inserts rows in batches, and keeps the bad one", async () => {
  await using registry = await servePackage();
  await using server = await TestServer.start();
  await using files = await quickCopy("bulk/readings.ini", "bulk/readings.ts");
  const url = await server.createQueue("readings");
  const failed = await server.createQueue("readings-failed");
  const options = { cwd: files.path, env: { ...registry.env, ...server.env } };
  await using check = runCli(["check", "readings.ini"], options);
  assertEquals([await check.status(), check.stderr], [0, ""]);
  const jobs = Array.from({ length: 60 }, (_, i) => [`sensor ${i}`, i]);
  jobs[33] = ["broken", -1000];
  await using send = runCli(["send", "--stdin", "readings"], {
    ...options,
    stdin: jobs.map((job) => JSON.stringify(job)).join("\n"),
  });
  assertEquals(await send.status(), 0, send.stderr);
  await using container = runCli(["readings.ini", "--drain"], options);
  assertEquals(await container.status(), 0, container.stderr);
  await server.left(url, 0);
  const bodies = await server.receive(failed);
  assertEquals(bodies, ['[["broken",-1000],{}]']);
  using database = new DatabaseSync(files.at("readings.db"));
  const [row] = database
    .prepare("SELECT count(*) AS rows, max(celsius) AS hottest FROM readings")
    .all();
  assertEquals({ ...row }, { rows: 59, hottest: 59 });
  // Whole batches were inserted: many rows in few transactions.
  assert(container.stderr.split("inserted").length < 20, container.stderr);
  assertStringIncludes(
    container.stderr,
    "running its halves to find the cause",
  );
});

Deno.test("examples/error_reporting reports jobs that fail or end their process", async () => {
  const reports: Record<string, unknown>[] = [];
  const isReported = Promise.withResolvers<void>();
  await using service = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      reports.push(await request.json());
      if (reports.length === 3) isReported.resolve();
      return new Response();
    },
  );
  await using registry = await servePackage();
  await using server = await TestServer.start();
  const url = await server.createQueue("invoices");
  await server.createQueue("invoices-failed");
  const options = {
    cwd: examplePath("error_reporting"),
    env: {
      ...registry.env,
      ...server.env,
      ERRORS_URL: `http://127.0.0.1:${service.addr.port}/reports`,
    },
  };
  await using check = runCli(["check", "invoices.ini"], options);
  assertEquals(await check.status(), 0, check.stderr);
  await using container = runCli(["invoices.ini"], options);
  await server.send(url, '[["A-1",20],{}]');
  await container.saw("A-1 sent\n");
  await server.send(url, '[["A-2",-5],{}]');
  await container.saw("Handling a message failed");
  await server.send(url, '[["A-3",0],{}]');
  await isReported.promise;
  assertMatch(String(reports[0]!.stack), /invoices\.ts:\d+:\d+/);
  const [failed, ended, again] = reports.map((
    { messageId: _id, stack: _stack, ...report },
  ) => report);
  assertEquals(failed, {
    what: "job failed",
    name: "PermanentError",
    message: "Invoice A-2 is of -5 euros",
    queue: "invoices",
    receiveCount: 1,
  });
  assertEquals(ended, {
    what: "job retried",
    name: "LostJobError",
    message: "Its process ended with exit code 3",
    queue: "invoices",
    receiveCount: 1,
  });
  assertEquals(again, { ...ended, what: "job failed", receiveCount: 2 });
});

Deno.test("examples/deploy starts with its flags, and fails with the status that is not to be tried again", async () => {
  const command: string[] = JSON.parse(
    /^CMD (\[.*\])$/m.exec(await readExample("deploy/Dockerfile"))![1]!,
  );
  const unit = /^ExecStart=\S*\/(deno .*)$/m.exec(
    await readExample("deploy/adder.service"),
  )![1]!;
  assertEquals(
    command.filter((arg) => arg !== "--cached-only").join(" "),
    unit,
  );
  assertEquals(command.slice(-2), [
    `jsr:@zsqs/cli@${manifest.version}`,
    "adder.ini",
  ]);

  await using registry = await servePackage();
  await using server = await startLocalServer({ port: 0 });
  const options = {
    cwd: examplePath("deploy"),
    env: {
      ...registry.env,
      ...CREDENTIALS,
      AWS_ENDPOINT_URL: server.endpoint,
    },
  };
  // What the image's build leaves in the cache must be enough.
  const cached = /^RUN deno (cache .*)$/m.exec(
    await readExample("deploy/Dockerfile"),
  );
  await using build = new TestProcess(cached![1]!.split(" "), options);
  assertEquals(await build.status(), 0, build.stderr);
  await using lost = new TestProcess(command.slice(1), options);
  assertEquals(await lost.status(), USAGE);
  assertStringIncludes(lost.stderr, 'queue "adder"');

  await server.makeQueue("adder", "eu-west-1");
  await server.makeQueue("adder-failed", "eu-west-1");
  await using container = new TestProcess(command.slice(1), options);
  await container.saw("Listening to adder");
  await using send = runCli(
    ["send", "--region=eu-west-1", "adder", "1", "2"],
    options,
  );
  assertEquals(await send.status(), 0, send.stderr);
  await container.saw("3\n");
});

Deno.test("examples/demo shows the fate of each job, and of a failure only the worker's line", async () => {
  await using registry = await servePackage();
  await using demo = new TestProcess(["run", "-q", "-A", "demo.ts"], {
    cwd: examplePath("demo"),
    env: registry.env,
  });
  assertEquals(await demo.status(), 0, demo.stderr);
  const output = demo.stdout + demo.stderr;
  assertStringIncludes(output, "2 * (1 + 2 + 3) = 12");
  assertStringIncludes(output, "done: every job ended as it should");
  assertMatch(output, /TypeError: x must be a number.*\n.*worker\.ts:\d+:\d+/);
  assert(!output.includes("/src/"), output);
});
