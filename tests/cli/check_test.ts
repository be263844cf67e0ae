/**
 * What `zsqs check` warns of: queues whose redrive policy does not fit.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { cli, Folder } from "../support/cli.ts";
import { TestServer } from "../support/server.ts";

const WORKER = "export default () => () => {};";

/** Checks containers on a server, with an ini file in a folder. */
async function check(folder: Folder, endpoint: string, options: string) {
  if (!options.includes("failures")) options += "\nfailures = kept";
  const file = await folder.write(
    "jobs.ini",
    `[container]\nworker = worker.ts\nregion = us-east-1\n` +
      `endpoint = ${endpoint}\n${options}\n`,
  );
  const { status, stdout, stderr } = await cli(["check", file]);
  return [status, stdout.map((line) => line.replace(file, "FILE")), stderr];
}

Deno.test("zsqs check warns where a queue gives jobs up early, or never", async () => {
  await using folder = await Folder.with({ "worker.ts": WORKER });
  await using server = await TestServer.start();
  const { endpoint } = server;
  await server.createQueue("dead");
  await server.createQueue("kept");
  await server.createQueue("dead.fifo", { FifoQueue: "true" });
  const redrive = (target: string, maxReceiveCount: number) => ({
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${target}`,
      maxReceiveCount,
    }),
  });
  const urls = [
    await server.createQueue("one", redrive("dead", 1)),
    await server.createQueue("two", redrive("dead", 2)),
    await server.createQueue("three", redrive("dead", 3)),
  ];
  const fifo = { FifoQueue: "true" };
  await server.createQueue("f4.fifo", { ...fifo, ...redrive("dead.fifo", 4) });
  await server.createQueue("f5.fifo", { ...fifo, ...redrive("dead.fifo", 5) });
  const fine = ["FILE is fine"];
  const warning = (queue: string, receives: string, least: number) =>
    `Warning: queue ${queue} moves a message to its dead-letter queue after ${receives}. Every receive counts, even if the job never ran: set its maxReceiveCount to ${least} or more`;

  for (const queue of ["one", urls[0]]) {
    assertEquals(await check(folder, endpoint, `queue = ${queue}`), [0, fine, [
      warning("one", "1 receive", 3),
    ]]);
  }
  assertEquals(await check(folder, endpoint, "queue = two"), [0, fine, [
    warning("two", "2 receives", 3),
  ]]);
  assertEquals(await check(folder, endpoint, "queue = three"), [0, fine, []]);
  assertEquals(await check(folder, endpoint, "queue = f4.fifo"), [0, fine, [
    warning("f4.fifo", "4 receives", 5),
  ]]);
  assertEquals(await check(folder, endpoint, "queue = f5.fifo"), [0, fine, []]);

  assertEquals(await check(folder, endpoint, "queue = dead"), [0, fine, []]);
  assertEquals(await check(folder, endpoint, "queue = dead\nfailures = keep"), [
    0,
    fine,
    [
      "Warning: queue dead has no dead-letter queue: with failures = keep, failed messages come back until the queue's retention period ends",
    ],
  ]);
  assertEquals(
    await check(folder, endpoint, "queue = three\nfailures = keep"),
    [0, fine, []],
  );
  // What becomes of kept failures is their queue's own.
  assertEquals(
    await check(folder, endpoint, "queue = three\nfailures = one"),
    [0, fine, []],
  );
});

Deno.test("zsqs check warns of failed jobs that are lost, or come back without end", async () => {
  await using folder = await Folder.with({ "worker.ts": WORKER });
  await using server = await TestServer.start();
  for (const name of ["dead", "kept", "plain"]) await server.createQueue(name);
  const deadLetterTargetArn = "arn:aws:sqs:us-east-1:000000000000:dead";
  await server.createQueue("three", {
    RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 3 }),
  });
  const deleted = (queue: string) =>
    `Warning: failed jobs of ${queue} are deleted after logging: to keep them, set "failures" to a queue`;
  const early = (attempts: number, more: string, least: number) =>
    `Warning: queue three may move a message to its dead-letter queue before attempts = ${attempts} is reached${more}, as its maxReceiveCount is 3: set it to ${least} or more`;
  const endless =
    `Warning: queue plain has no dead-letter queue: without "attempts", a job that ends its process comes back until the queue's retention period ends`;
  const cases: [options: string, warnings: string[]][] = [
    ["queue = plain\nfailures = delete", [deleted("plain")]],
    ["queue = three\nattempts = 2", []],
    ["queue = three\nattempts = 3", [early(3, " and without the reason", 4)]],
    ["queue = three\nattempts = 3\nfailures = keep", []],
    ["queue = three\nattempts = 4\nfailures = keep", [early(4, "", 4)]],
    ["queue = plain\nattempts = 5", []],
    ["queue = plain\nisolation = process", [endless]],
    ["queue = plain\nisolation = process\nattempts = 5", []],
    ["queue = three\nisolation = process", []],
  ];
  for (const [options, warnings] of cases) {
    assertEquals(
      await check(folder, server.endpoint, options),
      [0, ["FILE is fine"], warnings],
      options,
    );
  }
  await folder.write(
    "jobs.ini",
    `[container]\nworker = worker.ts\nqueue = plain\nregion = us-east-1\nendpoint = ${server.endpoint}\n`,
  );
  const { stderr } = await cli(["check", folder.at("jobs.ini")]);
  assertEquals(stderr, [deleted("plain")]);
});

Deno.test("zsqs check warns of nothing where it may not ask for a queue's attributes", async () => {
  await using folder = await Folder.with({ "worker.ts": WORKER });
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) =>
      request.headers.get("x-amz-target") === "AmazonSQS.GetQueueUrl"
        ? Response.json({
          QueueUrl:
            new URL(`/1/${(await request.json()).QueueName}`, request.url).href,
        })
        : Response.json({
          __type: "com.amazonaws.sqs#AccessDeniedException",
          message: "not authorized to perform: sqs:getqueueattributes",
        }, { status: 403 }),
  );
  const endpoint = `http://127.0.0.1:${server.addr.port}`;
  assertEquals(
    await check(folder, endpoint, "queue = adder"),
    [0, ["FILE is fine"], []],
  );
});

Deno.test("zsqs check imports the hooks without calling them, and reports their faults", async () => {
  await using folder = await Folder.with({
    "worker.ts": WORKER,
    "hooks.ts":
      'export default () => { throw new Error("called"); };\nexport const bad = { jobsEnded() {} };',
  });
  await using server = await TestServer.start();
  const { endpoint } = server;
  await server.createQueue("adder");
  const fine = await check(
    folder,
    endpoint,
    "queue = adder\nfailures = delete\nhooks = hooks.ts",
  );
  assertEquals(fine.slice(0, 2), [0, ["FILE is fine"]]);
  const problem = async (hooks: string) => {
    const [status, stdout, stderr] = await check(
      folder,
      endpoint,
      `queue = adder\nhooks = ${hooks}`,
    );
    assertEquals([status, stdout], [2, []]);
    return (stderr as string[])[0]!.replace(folder.path, "FOLDER");
  };
  const head = (hooks: string) =>
    `Cannot start container as hooks "${hooks}" of FOLDER/jobs.ini`;
  assertEquals(
    await problem("hooks.ts:bad"),
    `${
      head("hooks.ts:bad")
    } is an object with the unknown hook "jobsEnded": did you mean "jobEnded"?`,
  );
  assertEquals(
    await problem("hooks.ts:dab"),
    `${head("hooks.ts:dab")} has no "dab": it exports "bad", "default"`,
  );
  assertEquals(
    await problem("hook.ts"),
    `${head("hook.ts")} does not exist: there is no ${folder.url}/hook.ts`,
  );
});
