/**
 * `zsqs status`: how many messages queues hold.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import process from "node:process";
import type { Screen } from "../../cli.ts";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { replaceCalls } from "../support/call_faults.ts";
import { SqsError } from "../../src/errors.ts";
import { cli, type CliResult, freeAddress } from "../support/cli.ts";
import { turn } from "../support/turn.ts";
import { TestServer } from "../support/server.ts";

Deno.test("zsqs status prints the depths of queues and of their dead letters", async () => {
  await using queues = setUp({
    queues: [
      {
        name: "adder",
        redrive: { deadLetterQueue: "adder-dead", maxReceiveCount: 1 },
      },
      "adder-dead",
      "mul",
      {
        name: "lost",
        redrive: { deadLetterQueue: "nowhere", maxReceiveCount: 1 },
      },
    ],
    silent: true,
  });
  const adder = await Queue("adder");
  await adder();
  await cli(["failed", "adder"]);
  // That was its one receive: the next finds it spent.
  await cli(["failed", "adder"]);
  await adder();
  await adder.send([], { delaySeconds: 60 });
  assertEquals(queues.get("adder-dead").messages.length, 1);
  const header = "QUEUE  VISIBLE  IN FLIGHT  DELAYED  DEAD LETTERS";
  assertEquals(await cli(["status", "adder", "mul", "lost"]), {
    status: 0,
    stdout: [
      header,
      "adder        1          0        1  1 in adder-dead",
      "mul          0          0        0  -",
      "lost         0          0        0  unknown, in nowhere",
    ],
    stderr: [
      'Cannot find queue "arn:aws:sqs:us-east-1:000000000000:nowhere" in region "us-east-1": create it first, or check its name and region',
    ],
  });
  const { stdout } = await cli(["status", "adder"], [], {
    stdout: true,
    color: true,
  });
  assertEquals(stdout, [
    `\x1b[1m${header}\x1b[0m`,
    "adder        1          0        1  \x1b[31m1 in adder-dead\x1b[0m",
  ]);
});

Deno.test("zsqs status --json writes a line for each queue", async () => {
  await using _queues = setUp({
    queues: [
      {
        name: "adder",
        redrive: { deadLetterQueue: "dead", maxReceiveCount: 9 },
      },
      "dead",
      {
        name: "lost",
        redrive: { deadLetterQueue: "nowhere", maxReceiveCount: 1 },
      },
    ],
    silent: true,
  });
  await (await Queue("adder"))();
  const { status, stdout, stderr } = await cli([
    "status",
    "--json",
    "adder",
    "dead",
    "lost",
  ]);
  const depth = { visible: 0, inFlight: 0, delayed: 0 };
  const region = "us-east-1";
  assertEquals([status, stderr], [0, []]);
  assertEquals(stdout.map((line) => JSON.parse(line)), [
    {
      queue: "adder",
      region,
      ...depth,
      visible: 1,
      deadLetter: { queue: "dead", ...depth },
    },
    { queue: "dead", region, ...depth, deadLetter: null },
    {
      queue: "lost",
      region,
      ...depth,
      deadLetter: {
        queue: "nowhere",
        error:
          'Cannot find queue "arn:aws:sqs:us-east-1:000000000000:nowhere" in region "us-east-1": create it first, or check its name and region',
      },
    },
  ]);
});

Deno.test("zsqs status prints the other queues where one cannot be asked", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  const hint = "Try deno run -A jsr:@zsqs/cli status --help";
  const table = [
    "QUEUE  VISIBLE  IN FLIGHT  DELAYED  DEAD LETTERS",
    "adder        0          0        0  -",
  ];
  const cases: [args: string[], stdout: string[], stderr: string[]][] = [
    [
      ["absent", "adder"],
      table,
      [
        'Cannot find queue "absent" in region "us-east-1": create it first, or check its name and region',
      ],
    ],
    [
      ["adder", "a b"],
      table,
      [
        `Cannot open queue "a b": give a queue's name, URL or ARN. A name has up to 80 letters, digits, "_" and "-", including a ".fifo" at its end`,
      ],
    ],
    [[], [], ["No queue given: name the queues to look at", hint]],
    [["--port=1", "adder"], [], ["Option --port needs --local", hint]],
  ];
  for (const [args, stdout, stderr] of cases) {
    assertEquals(await cli(["status", ...args]), { status: 2, stdout, stderr });
  }
});

Deno.test("zsqs status shows a dash where a server gives no number", async () => {
  await using _queues = setUp({ queues: ["adder", "dead"], silent: true });
  using _calls = replaceCalls({
    attributes: (_real, url) =>
      Promise.resolve(
        url.endsWith("/dead") ? { visible: NaN } : {
          visible: 3,
          redrive: {
            deadLetterQueue: "arn:aws:sqs:us-east-1:000000000000:dead",
            maxReceiveCount: 3,
          },
        },
      ),
  });
  assertEquals((await cli(["status", "adder"])).stdout, [
    "QUEUE  VISIBLE  IN FLIGHT  DELAYED  DEAD LETTERS",
    "adder        3          -        -  - in dead",
  ]);
  const { stdout } = await cli(["status", "--json", "adder"]);
  assertEquals(JSON.parse(stdout[0]!).inFlight, null);
});

Deno.test("zsqs status asks a server", async () => {
  await using server = await TestServer.start();
  const where = ["--region=us-east-1", `--endpoint=${server.endpoint}`];
  await server.createQueue("dead");
  const url = await server.createQueue("adder", {
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: "arn:aws:sqs:us-east-1:000000000000:dead",
      maxReceiveCount: 3,
    }),
  });
  await server.send(url, "[[],{}]");
  await server.send(url, "[[],{}]");
  await server.receive(url);
  await server.send(url, "[[],{}]");
  for (
    const queue of ["adder", url, "arn:aws:sqs:us-east-1:000000000000:adder"]
  ) {
    assertEquals(await cli(["status", ...where, queue]), {
      status: 0,
      stdout: [
        "QUEUE  VISIBLE  IN FLIGHT  DELAYED  DEAD LETTERS",
        "adder        1          2        0  0 in dead",
      ],
      stderr: [],
    });
  }
  const address = freeAddress();
  const away = ["--region=us-east-1", `--endpoint=http://${address}`];
  assertEquals(await cli(["status", ...away, "adder"]), {
    status: 1,
    stdout: [],
    stderr: [
      `Cannot open queue "adder" in region "us-east-1": GetQueueUrl failed: connect ECONNREFUSED ${address}`,
      "Check the region and endpoint, and that the server runs",
    ],
  });
});

/** Runs `status --watch`, moves time by three looks, and stops it. */
async function watchStatus(
  args: readonly string[],
  onLook: (look: number) => Promise<unknown> | void = () => {},
  screen: Partial<Screen> = {},
): Promise<CliResult & { readonly calls: number }> {
  await using queues = setUp({
    queues: ["adder", "mul", "lost"],
    silent: true,
  });
  let calls = 0;
  let look = 0;
  let ended = false;
  using _calls = replaceCalls({
    attributes: (real, url) => {
      calls++;
      // SQS is away from the second look on.
      return args.includes("lost") && look > 0
        ? Promise.reject(
          new SqsError("no answer", { code: "ETIMEDOUT", senderFault: false }),
        )
        : real.attributes(url);
    },
    queueUrl: (real, name) => {
      calls++;
      return real.queueUrl(name);
    },
  });
  const running = cli(["status", "--watch", ...args], [], screen)
    .finally(() => ended = true);
  while (!ended) {
    for (let i = 0; i < 50; i++) await turn();
    if (++look === 3) process.emit("SIGINT");
    else {
      await onLook(look);
      await queues.advance(10);
    }
  }
  return { ...await running, calls };
}

const HEADER = "QUEUE  VISIBLE  IN FLIGHT  DELAYED  DEAD LETTERS";

Deno.test("zsqs status --watch appends a line at each look, and asks SQS once for each", async () => {
  const { status, stdout, stderr, calls } = await watchStatus(
    ["adder", "mul"],
    async (look) => {
      if (look === 1) await (await Queue("adder"))();
    },
  );
  assertEquals([status, stderr], [0, []]);
  const time = "2000-01-01T00:00:00Z";
  assertEquals(stdout.map((line) => line.replace(/^\d.*?Z/, time)), [
    `${"TIME".padEnd(22)}${HEADER}`,
    `${time}  adder        0          0        0  -`,
    `${time}  mul          0          0        0  -`,
    `${time}  adder        1          0        0  -`,
    `${time}  mul          0          0        0  -`,
    `${time}  adder        1          0        0  -`,
    `${time}  mul          0          0        0  -`,
  ]);
  const seconds = stdout.slice(1).map((line) => Date.parse(line.slice(0, 20)));
  assertEquals(seconds[2]! - seconds[0]!, 10_000);
  // Each queue is found once, then asked at each of the three looks.
  assertEquals(calls, 2 + 1 + 3 * 2);
});

Deno.test("zsqs status --watch redraws a terminal, cut to its width", async () => {
  const columns = 30;
  const { stdout } = await watchStatus(
    ["adder"],
    undefined,
    { stdout: true, columns },
  );
  const up = "\x1b[3A\x1b[J";
  const table = [
    `${HEADER.slice(0, columns - 2)}…`,
    "adder        0          0   …",
  ];
  assertEquals(stdout.filter((line) => !line.startsWith("At ")), [
    ...table,
    ...[up, ...table],
    ...[up, ...table],
  ]);
});

Deno.test("zsqs status --watch --json writes lines with the time", async () => {
  const { stdout } = await watchStatus(["--json", "adder"]);
  assertEquals(
    stdout.map((line) => Object.keys(JSON.parse(line))[0]),
    ["time", "time", "time"],
  );
});

Deno.test("zsqs status --watch says once that SQS is away, and ends for a queue that never was", async () => {
  const { status, stdout, stderr } = await watchStatus(["lost"]);
  assertEquals([status, stdout.length, stderr], [0, 2, [
    'Cannot get the status of queue "lost": no answer',
  ]]);
  const absent = await watchStatus(["adder", "absent"]);
  assertEquals([absent.status, absent.stdout.length], [2, 2]);
});
