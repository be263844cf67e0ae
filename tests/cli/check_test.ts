/**
 * What `zsqs check` warns of: queues whose redrive policy does not fit.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { setUp } from "../../testing.ts";
import { cli, Folder, textsOf } from "../support/cli.ts";
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
  const summary = stdout.at(-1)!.replace(file, "FILE");
  return [status, summary, textsOf(stderr)] as const;
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
  const fine = "Checked FILE: no problems";
  const warned = `${fine}, 1 warning`;
  const warning = (queue: string, receives: string, least: number) =>
    `Warning: queue ${queue} moves a message to its dead-letter queue after ${receives}. Every receive counts, even if the job never ran: set its maxReceiveCount to ${least} or more`;

  for (const queue of ["one", urls[0]]) {
    assertEquals(await check(folder, endpoint, `queue = ${queue}`), [
      0,
      warned,
      [
        warning("one", "1 receive", 3),
      ],
    ]);
  }
  assertEquals(await check(folder, endpoint, "queue = two"), [0, warned, [
    warning("two", "2 receives", 3),
  ]]);
  assertEquals(await check(folder, endpoint, "queue = three"), [0, fine, []]);
  assertEquals(await check(folder, endpoint, "queue = f4.fifo"), [0, warned, [
    warning("f4.fifo", "4 receives", 5),
  ]]);
  assertEquals(await check(folder, endpoint, "queue = f5.fifo"), [0, fine, []]);

  assertEquals(await check(folder, endpoint, "queue = dead"), [0, fine, []]);
  assertEquals(await check(folder, endpoint, "queue = dead\nfailures = keep"), [
    0,
    warned,
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
    `Warning: queue three may move a message to its dead-letter queue before attempts = ${attempts} is reached${more}. Its maxReceiveCount is 3: set it to ${least} or more`;
  const endless =
    `Warning: queue plain has no dead-letter queue: without "attempts", a job that ends its process comes back until the queue's retention period ends`;
  const cases: [options: string, warnings: string[]][] = [
    ["queue = plain\nfailures = delete", [deleted("plain")]],
    ["queue = three\nattempts = 2", []],
    ["queue = three\nattempts = 3", [early(3, ", and without the reason", 4)]],
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
      [
        0,
        `Checked FILE: no problems${warnings.length > 0 ? ", 1 warning" : ""}`,
        warnings,
      ],
      options,
    );
  }
  await folder.write(
    "jobs.ini",
    `[container]\nworker = worker.ts\nqueue = plain\nregion = us-east-1\nendpoint = ${server.endpoint}\n`,
  );
  const { stderr } = await cli(["check", folder.at("jobs.ini")]);
  assertEquals(textsOf(stderr), [deleted("plain")]);
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
    [0, "Checked FILE: no problems", []],
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
  assertEquals(fine.slice(0, 2), [0, "Checked FILE: no problems, 1 warning"]);
  const problem = async (hooks: string) => {
    const [status, summary, stderr] = await check(
      folder,
      endpoint,
      `queue = adder\nhooks = ${hooks}`,
    );
    assertEquals([status, summary], [2, "Checked FILE: 2 problems"]);
    return stderr[0]!.replace(folder.path, "FOLDER");
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

Deno.test("zsqs check prints a line for each check with its finding, and counts", async () => {
  await using folder = await Folder.with({
    "worker.ts": WORKER,
    "good.ini": `\
[container]
worker = worker.ts
queue = adder
failures = kept
attempts = 3
concurrency = 10
timeout = 60
body = json
[worker]
Scale = 2
`,
    "shut.ini": `\
[container]
worker = worker.ts
queue = slow
failures = keep
visibility_timeout = 90
isolation = process
allow_net = example.com,localhost
allow_read = true
`,
  });
  await using _queues = setUp({
    silent: true,
    queues: [
      {
        name: "adder",
        redrive: { deadLetterQueue: "dead", maxReceiveCount: 5 },
      },
      { name: "slow", visibilityTimeoutSeconds: 600 },
      "dead",
      "kept",
    ],
  });
  const good = folder.at("good.ini");
  const used = "GetQueueUrl, GetQueueAttributes: allowed; not tried: ";
  const needed = "ReceiveMessage, DeleteMessage, ChangeMessageVisibility";
  assertEquals(await cli(["check", good]), {
    status: 0,
    stdout: [
      good,
      "  Configuration   10 jobs at a time, timeout 60 s, body = json, 1 option of [worker]",
      "  Worker          worker.ts, imported but not called",
      "  Job rights      the container's own, as jobs run in its process",
      "  Queue           adder in us-east-1, visibility timeout 30 s",
      "  Redrive policy  after 5 receives to dead",
      "  Failed jobs     are retried up to 3 times, then moved to kept",
      "  Failures queue  kept in us-east-1",
      `  SQS rights      ${used}${needed}, and SendMessage on kept`,
      `Checked ${good}: no problems`,
    ],
    stderr: [],
  });
  const shut = folder.at("shut.ini");
  const { stdout } = await cli(["check", shut]);
  assertEquals(stdout.slice(1, -2), [
    "  Configuration   one job at a time",
    "  Worker          worker.ts, imported in a child process but not called",
    "  Job rights      net (example.com, localhost), read; no others, in child processes",
    "  Queue           slow in us-east-1, visibility timeout 90 s",
    "  Redrive policy  none: the queue has no dead-letter queue",
    "  Failed jobs     stay in the queue and are retried",
  ]);
  const both = await cli(["check", good, shut]);
  assertEquals(both.stdout.at(-1), "Checked 2 files: no problems, 2 warnings");
  assertEquals(both.stdout.filter((line) => line === good || line === shut), [
    good,
    shut,
  ]);
});

Deno.test("zsqs check wraps its lines under one another on a terminal", async () => {
  await using folder = await Folder.with({
    "worker.ts": WORKER,
    "a.ini": "[container]\nworker = worker.ts\nqueue = absent\n",
  });
  await using _queues = setUp({ silent: true, queues: ["adder"] });
  const screen = { stdout: true, stderr: true, columns: 60 };
  const file = folder.at("a.ini");
  const { stderr } = await cli(["check", file], [], { ...screen, color: true });
  assertEquals(stderr, [
    `  Queue           \x1b[31mCannot find queue "absent" in region\x1b[0m`,
    `                  \x1b[31m"us-east-1": create it first, or check its\x1b[0m`,
    `                  \x1b[31mname and region\x1b[0m`,
  ]);
  const plain = await cli(["check", file], [], screen);
  assertEquals(
    plain.stderr[0],
    '  Queue           Cannot find queue "absent" in region',
  );
});

Deno.test("zsqs check adds stacks with --debug", async () => {
  await using folder = await Folder.with({
    "worker.ts": 'throw new Error("no database");',
    "a.ini": "[container]\nworker = worker.ts\nqueue = adder\n",
  });
  await using _queues = setUp({ silent: true, queues: ["adder"] });
  const file = folder.at("a.ini");
  const { stderr } = await cli(["check", "--debug", file]);
  assertMatch(
    stderr.join("\n"),
    /Caused by: Error: no database\n.* at .*worker\.ts:1:7/,
  );
  const plain = await cli(["check", file]);
  assertEquals(plain.stderr.length, 2);
});
