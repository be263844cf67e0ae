/**
 * `zsqs send`: jobs from the command line and from standard input.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { stub } from "@std/testing/mock";
import process from "node:process";
import { runContainer } from "../../container.ts";
import { setUp, type TestMessage, type TestQueues } from "../../testing.ts";
import type { Screen } from "../../cli.ts";
import { cli, freeAddress } from "../support/cli.ts";
import { replaceCalls } from "../support/call_faults.ts";
import { runCli, servePackage, TestServer } from "../support/server.ts";

/** Sends a job to a queue of the double, and tells its message. */
async function sendOne(
  queues: TestQueues,
  args: readonly string[],
  queue = "adder",
): Promise<TestMessage> {
  const before = queues.get(queue).messages.length;
  const { status, stdout, stderr } = await cli(["send", ...args]);
  assertEquals([status, stderr], [0, []]);
  const messages = queues.get(queue).messages;
  assertEquals(messages.length, before + 1);
  const message = messages.at(-1)!;
  assertEquals(stdout, [`Sent to ${queue}: ${message.messageId}`]);
  return message;
}

const BODIES: [texts: string[], body: string][] = [
  [[], "[[],{}]"],
  [["1", "2.5", "-1", "1e3"], "[[1,2.5,-1,1000],{}]"],
  [
    ["true", "null", "[1, 2]", '{"x": 1}', '"1"'],
    '[[true,null,[1,2],{"x":1},"1"],{}]',
  ],
  [
    ["later", "0123", "", "a b", "NaN", "[1"],
    '[["later","0123","","a b","NaN","[1"],{}]',
  ],
  [
    ["1", "x=3", "name=a=b", "empty=", "list=[1]"],
    '[[1],{"x":3,"name":"a=b","empty":"","list":[1]}]',
  ],
  [["été=1", "_x=2"], '[[],{"été":1,"_x":2}]'],
  [
    ["1=2", "a-b=3", "=4", "https://x.y/?z=1"],
    '[["1=2","a-b=3","=4","https://x.y/?z=1"],{}]',
  ],
  [["__proto__=1"], '[[],{"__proto__":1}]'],
  [
    ["--", "1", "--", "--delay=3", "-x", "--help"],
    '[["--",1,"--","--delay=3","-x","--help"],{}]',
  ],
  [
    ["9007199254740992", "1.0", "100000000000000000000"],
    "[[9007199254740992,1,100000000000000000000],{}]",
  ],
];

Deno.test("zsqs send takes all after QUEUE as arguments", async (t) => {
  using queues = setUp({ queues: ["adder"], silent: true });
  for (const [texts, body] of BODIES) {
    await t.step(texts.join(" ") || "no arguments", async () => {
      const message = await sendOne(queues, ["adder", ...texts]);
      assertEquals(message.body, body);
    });
  }
});

Deno.test("zsqs send takes options before QUEUE, and -- before it", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const { args, visible } = await sendOne(queues, [
    "--delay",
    "3",
    "--",
    "adder",
    "1",
  ]);
  assertEquals([args, visible], [[1], false]);
});

Deno.test("zsqs send refuses a number that JavaScript would change", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const texts = ["N", "x=N", "[1, N]", '{"x": N}'];
  for (const text of texts) {
    const arg = text.replace("N", "12345678901234567890");
    assertEquals(await cli(["send", "adder", arg]), {
      status: 2,
      stdout: [],
      stderr: [
        'Cannot send 12345678901234567890 as a number as JavaScript would change it to 12345678901234567000: send it as a string, "12345678901234567890" with the quotes',
      ],
    });
  }
  assertEquals(queues.get("adder").bodies, []);
  const quoted = await sendOne(queues, ["adder", '"12345678901234567890"']);
  assertEquals(quoted.args, ["12345678901234567890"]);
});

Deno.test("zsqs send --delay hides the message", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const { visible, visibleAt } = await sendOne(queues, [
    "--delay=900",
    "adder",
  ]);
  assertEquals(visible, false);
  assertEquals(visibleAt.getTime() - queues.now.getTime(), 900_000);
});

Deno.test("zsqs send --attribute gives message attributes", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const { attributes } = await sendOne(queues, [
    "--attribute=trace=a=b",
    "--attribute",
    "who=me and\nyou",
    "adder",
  ]);
  assertEquals(attributes, { trace: "a=b", who: "me and\nyou" });
});

Deno.test("zsqs send --base64 writes the body as zc.sqs does", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const { body, args, kwargs } = await sendOne(queues, [
    "--base64",
    "adder",
    "1",
    "x=3",
  ]);
  assertEquals(body, btoa('[[1],{"x":3}]'));
  assertEquals([args, kwargs], [[1], { x: 3 }]);
});

Deno.test("zsqs send --group and --deduplication-id work on FIFO queues", async () => {
  using queues = setUp({ queues: ["adder.fifo", "adder"], silent: true });
  const options = ["--group=a", "--deduplication-id=1"];
  const message = await sendOne(
    queues,
    [...options, "adder.fifo", "1"],
    "adder.fifo",
  );
  assertEquals(message.groupId, "a");
  const again = await cli(["send", ...options, "adder.fifo", "2"]);
  assertEquals(again.status, 0);
  assertEquals(queues.get("adder.fifo").jobs, [[1]]);
  assertEquals((await sendOne(queues, ["--group=a", "adder"])).groupId, "a");
});

Deno.test("zsqs send refuses what the queue does not take", async () => {
  using queues = setUp({ queues: ["adder.fifo", "adder"], silent: true });
  const refused: [args: string[], line: string][] = [
    [
      ["adder.fifo", "1"],
      'Cannot send job to "adder.fifo" without "groupId": a FIFO queue requires it, and runs the jobs of one group in order',
    ],
    [
      ["--group=a", "--delay=1", "adder.fifo", "1"],
      'Cannot send job to "adder.fifo" with "delaySeconds": a FIFO queue has one delay for all messages',
    ],
    [
      ["--deduplication-id=1", "adder", "1"],
      'Cannot send job to "adder" with "deduplicationId": only FIFO queues accept it (their names end in ".fifo")',
    ],
    [
      ["--group=a b", "adder", "1"],
      'Cannot send job as "groupId" must be 1 to 128 letters, digits and punctuation: current value is "a b"',
    ],
    [
      ["absent", "1"],
      'Cannot find queue "absent" in region "us-east-1": create it first, or check its name and region',
    ],
    [
      ["--region=eu-west-1", "absent", "1"],
      'Cannot find queue "absent" in region "eu-west-1": create it first, or check its name and region',
    ],
    [
      ["my queue", "1"],
      'Cannot open queue "my queue": wanted the name, URL or ARN of an SQS queue: a name has 1 to 80 letters, digits, "_" and "-", including the ".fifo" of a FIFO queue',
    ],
    [
      ["--endpoint=127.0.0.1", "adder", "1"],
      'Cannot open queue as "endpoint" must be an http or https URL: current value is "127.0.0.1"',
    ],
  ];
  for (const [args, line] of refused) {
    assertEquals(await cli(["send", ...args]), {
      status: 2,
      stdout: [],
      stderr: [line],
    });
  }
  assertEquals(queues.get("adder").bodies, []);
  assertEquals(queues.get("adder.fifo").bodies, []);
});

Deno.test("zsqs send says what to do where the server cannot be reached", async () => {
  const address = freeAddress();
  const where = ["--region=us-east-1", `--endpoint=http://${address}`];
  assertEquals(await cli(["send", ...where, "adder", "1"]), {
    status: 1,
    stdout: [],
    stderr: [
      `Cannot open queue "adder" in region "us-east-1": GetQueueUrl failed: connect ECONNREFUSED ${address}`,
      "Check the region and endpoint, and that the server runs",
    ],
  });
});

Deno.test("zsqs send --stdin sends a job for each line", async () => {
  using queues = setUp({
    queues: ["adder", "adder.fifo"],
    silent: true,
  });
  const lines = [
    "[1, 2]",
    "",
    " \t",
    '{"args": [3], "kwargs": {"x": "é"}}',
    '{"args": [], "delaySeconds": 5, "attributes": {"who": "me"}}',
    ' ["a"] ',
  ];
  assertEquals(await cli(["send", "--stdin", "--delay=9", "adder"], lines), {
    status: 0,
    stdout: ["Sent 4 jobs to adder"],
    stderr: [],
  });
  const { messages } = queues.get("adder");
  const seen = messages.map(({ body, visibleAt, attributes }) => [
    body,
    (visibleAt.getTime() - queues.now.getTime()) / 1000,
    attributes,
  ]);
  assertEquals(seen, [
    ["[[1,2],{}]", 9, {}],
    ['[[3],{"x":"é"}]', 9, {}],
    ["[[],{}]", 5, { who: "me" }],
    ['[["a"],{}]', 9, {}],
  ]);
  await cli(["send", "--stdin", "--group=a", "adder.fifo"], [
    "[1]",
    '{"args": [2], "groupId": "b"}',
    '{"args": [1], "deduplicationId": "again"}',
  ]);
  assertEquals(
    queues.get("adder.fifo").messages.map((
      { args, groupId },
    ) => [args, groupId]),
    [[[1], "a"], [[2], "b"], [[1], "a"]],
  );
});

const BAD_LINES: [line: string, problem: string | RegExp][] = [
  ["[1", /^Cannot send line 3: Expected .+ in JSON at position 2/],
  ["5", 'wanted a JSON array of arguments, or an object with "args"'],
  ["null", 'wanted a JSON array of arguments, or an object with "args"'],
  ["{}", 'wanted a JSON array of arguments, or an object with "args"'],
  ['{"args": 1}', '"args" must be an array'],
  [
    '{"args": [], "kwargs": [1]}',
    "Cannot make keyword arguments of an array: wanted an object",
  ],
  [
    '{"args": [], "kwarg": {}}',
    'Cannot send job as "kwarg" is not an option: did you mean "kwargs"?',
  ],
  [
    '{"args": [], "signal": 1}',
    'Cannot send job as "signal" is not an option: the options are "args", "kwargs", "delaySeconds", "groupId", "deduplicationId" and 1 more',
  ],
  [
    "[12345678901234567890]",
    'Cannot send 12345678901234567890 as a number as JavaScript would change it to 12345678901234567000: send it as a string, "12345678901234567890" with the quotes',
  ],
];

Deno.test("zsqs send --stdin names a bad line, and sends those before it only", async (t) => {
  for (const [line, problem] of BAD_LINES) {
    await t.step(line, async () => {
      using queues = setUp({ queues: ["adder"], silent: true });
      const { status, stdout, stderr } = await cli(
        ["send", "--stdin", "adder"],
        ["[1]", "", line, "[2]"],
      );
      assertEquals([status, stdout], [2, ["Sent 1 job to adder"]]);
      const [first, ...rest] = stderr;
      if (typeof problem === "string") {
        assertEquals(first, `Cannot send line 3: ${problem}`);
      } else assertMatch(first!, problem);
      assertEquals(rest, [
        "Mend what is wrong, and run it again with --lines=3-",
      ]);
      assertEquals(queues.get("adder").jobs, [[1]]);
    });
  }
});

Deno.test("zsqs send --stdin names the line of a job that is refused, and where it stopped", async () => {
  using queues = setUp({
    queues: [{ name: "adder", maximumMessageSize: 1024 }],
    silent: true,
  });
  const large = JSON.stringify(["x".repeat(1017)]);
  const small = Array.from({ length: 400 }, (_, i) => `[${i}]`);
  const { status, stdout, stderr } = await cli(
    ["send", "--stdin", "adder"],
    ["[-1]", "", large, ...small],
  );
  assertEquals(status, 1);
  const sent = queues.get("adder").jobs.map(([number]) => number as number);
  const next = 5 + sent.at(-1)!;
  assertEquals(stderr, [
    "Line 3: Cannot send job as it has 1026 bytes including attributes: the limit is 1024 bytes",
    `Mend what is wrong, and run it again with --lines=3,${next}-`,
  ]);
  assertEquals(sent, [-1, ...sent.keys().drop(1).map((i) => i - 1)]);
  assert(sent.length < small.length);
  assertEquals(stdout, [`Sent ${sent.length} jobs to adder`]);
  // As it says, with line 3 mended.
  await cli(["send", "--stdin", `--lines=3,${next}-`, "adder"], [
    "[-1]",
    "",
    "[-2]",
    ...small,
  ]);
  const all = queues.get("adder").jobs.map(([number]) => number as number);
  assertEquals(all.sort((a, b) => a - b), [-2, -1, ...small.keys()]);
});

Deno.test("zsqs send --stdin sends nothing after a line that is too large", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const tooLarge = JSON.stringify(["x".repeat(1_048_576)]);
  assertEquals(
    await cli(["send", "--stdin", "adder"], ["[1]", tooLarge, "[3]"]),
    {
      status: 2,
      stdout: ["Sent 1 job to adder"],
      stderr: [
        "Cannot send line 2: Cannot send job as it has 1048585 bytes including attributes: the limit is 1048576 bytes",
        "Mend what is wrong, and run it again with --lines=2-",
      ],
    },
  );
  assertEquals(queues.get("adder").jobs, [[1]]);
});

Deno.test("zsqs send --lines sends only these lines, and reads no further", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const cases: [lines: string, sent: number[], read: number][] = [
    ["2", [2], 2],
    ["4,1-2", [1, 2, 4], 4],
    ["8-", [8, 9], 9],
    ["1,8-", [1, 8, 9], 9],
    ["12-", [], 9],
  ];
  for (const [lines, sent, wanted] of cases) {
    const before = queues.get("adder").jobs.length;
    let read = 0;
    const feed = async function* () {
      while (read < 9) yield `[${++read}]`;
    };
    const { status, stderr } = await cli(
      ["send", "--stdin", `--lines=${lines}`, "adder"],
      feed(),
    );
    assertEquals([status, stderr, read], [0, [], wanted]);
    assertEquals(
      queues.get("adder").jobs.slice(before),
      sent.map((number) => [number]),
    );
  }
  // What is left is told within what was asked for.
  const { stderr } = await cli(
    ["send", "--stdin", "--lines=1-3,7-8", "adder"],
    ["[1]", "[2", "[3]"],
  );
  assertEquals(
    stderr.at(-1),
    "Mend what is wrong, and run it again with --lines=2-3,7-8",
  );
});

Deno.test("zsqs send --lines refuses what names no lines", async () => {
  using _queues = setUp({ queues: ["adder"], silent: true });
  for (const lines of ["0", "x", "3-2", "-3", "1,,2", "1.5", "1-2-3"]) {
    assertEquals(await cli(["send", "--stdin", `--lines=${lines}`, "adder"]), {
      status: 2,
      stdout: [],
      stderr: [
        `Option --lines must be line numbers and ranges such as 7, 3,7-9 or 105-: current value is "${lines}"`,
        "Try deno run -A jsr:@zsqs/cli send --help",
      ],
    });
  }
});

Deno.test("zsqs send --stdin draws a bar on a terminal, and writes plain lines elsewhere", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const lines = Array.from({ length: 2500 }, (_, i) => `[${i}]`);
  const inputBytes = lines.join("\n").length + 1;
  const send = (screen: Partial<Screen>) =>
    cli(["send", "--stdin", "adder"], lines, screen);
  const plain = await send({ inputBytes });
  assertEquals(plain, {
    status: 0,
    stdout: ["Sent 2,500 jobs to adder"],
    stderr: ["Sent 1,000 jobs", "Sent 2,000 jobs"],
  });
  // The double's time stands still: what is drawn first is not drawn over.
  const bar = await send({ stderr: true, inputBytes, columns: 60 });
  assertEquals([bar.status, bar.stderr], [0, []]);
  assertEquals(bar.drawn, [
    `\r\x1b[K[${"-".repeat(20)}]   2 % Sent 1 job`,
    "\r\x1b[K",
  ]);
  const piped = await send({ stderr: true });
  assertEquals(piped.drawn, ["\r\x1b[KSent 1 job", "\r\x1b[K"]);
  assertEquals(queues.get("adder").messages.length, 7500);
});

/** Lets all go on that can. */
function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("zsqs send --stdin sends each line when it comes", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  async function* feed() {
    for (let i = 0; i < 20; i++) {
      yield `[${i}]`;
      while (queues.get("adder").messages.length <= i) await turn();
    }
  }
  const { status, stdout } = await cli(["send", "--stdin", "adder"], feed());
  assertEquals([status, stdout], [0, ["Sent 20 jobs to adder"]]);
});

Deno.test("zsqs send --stdin reads not far ahead of what is sent", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  let read = 0;
  let done = 0;
  let ahead = 0;
  // In the double a job is sent when its worker has run.
  const worker = () => async () => {
    for (let i = 0; done === 0 && i < 100; i++) await turn();
    ahead = Math.max(ahead, read - done++);
  };
  await runContainer({ queue: "adder", worker });
  async function* feed() {
    for (; read < 500; read++) yield "[]";
  }
  const { status, stdout } = await cli(["send", "--stdin", "adder"], feed());
  assertEquals([status, stdout, done], [0, ["Sent 500 jobs to adder"], 500]);
  assert(ahead <= 110, `read ${ahead} lines ahead`);
});

Deno.test("zsqs send sends to a server as a process", async () => {
  await using server = await TestServer.start();
  await using registry = await servePackage();
  const url = await server.createQueue("adder");
  const send = async (args: string[], stdin?: string) => {
    await using process = runCli(["send", "--region=us-east-1", ...args], {
      cwd: Deno.cwd(),
      env: { ...registry.env, ...server.env },
      ...(stdin === undefined ? {} : { stdin }),
    });
    const status = await process.status();
    return { status, stdout: process.stdout, stderr: process.stderr };
  };
  const one = await send(["adder", "-1", "x=é"]);
  assertEquals([one.status, one.stderr], [0, ""]);
  assertMatch(one.stdout, /^Sent to adder: [0-9a-f-]{36}\n$/);
  assertEquals(await send(["--stdin", url], '[1]\r\n\n{"args":[2]}\n[3]'), {
    status: 0,
    stdout: "Sent 3 jobs to adder\n",
    stderr: "",
  });
  assertEquals((await server.receive(url)).sort(), [
    '[[-1],{"x":"é"}]',
    "[[1],{}]",
    "[[2],{}]",
    "[[3],{}]",
  ]);
});

Deno.test("zsqs send says that an option after the queue is an argument", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const { status, stderr } = await cli([
    "send",
    "adder",
    "1",
    "--local",
    "--delay=3",
    "--other",
  ]);
  assertEquals(status, 0);
  assertEquals(
    stderr,
    ["--local", "--delay=3"].map((text) =>
      `Sent ${text} as an argument as it stands after the queue: options come before it`
    ),
  );
  assertEquals(queues.get("adder").jobs, [[
    1,
    "--local",
    "--delay=3",
    "--other",
  ]]);
});

Deno.test("zsqs send --stdin sends 100,000 lines once each, in constant memory, on from a bad one", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  const count = 100_000;
  const bad = 95_000;
  const times = new Uint8Array(count + 1);
  using _calls = replaceCalls({
    // Takes them and keeps nothing, as SQS does in this process.
    send(_real, _url, messages) {
      for (const { body } of messages) times[JSON.parse(body)[0][0]]!++;
      return Promise.resolve(
        messages.map(() => ({ ok: true, value: { messageId: "1" } })),
      );
    },
  });
  const heaps: number[] = [];
  const feed = async function* (mended: boolean) {
    for (let line = 1; line <= count; line++) {
      if (line % 20_000 === 0) heaps.push(await heapBytes());
      yield line === bad && !mended
        ? "[95000"
        : `[${line}, "${"x".repeat(99)}"]`;
    }
  };
  const first = await cli(["send", "--stdin", "adder"], feed(false));
  assertEquals([first.status, first.stdout], [2, [
    "Sent 94,999 jobs to adder",
  ]]);
  assertMatch(first.stderr.at(-2)!, /^Cannot send line 95000: /);
  assertEquals(
    first.stderr.at(-1),
    "Mend what is wrong, and run it again with --lines=95000-",
  );
  assertEquals(
    (await cli(["send", "--stdin", "--lines=95000-", "adder"], feed(true)))
      .stdout,
    ["Sent 5,001 jobs to adder"],
  );
  assert(times.subarray(1).every((each) => each === 1), "each is sent once");
  // Between lines 20,000 and 80,000: a number kept for each would be 0.5 MB.
  const grown = (heaps[3]! - heaps[0]!) / 1e6;
  assert(grown < 0.4, `The heap has grown by ${grown} MB`);
});

/** What the heap holds after a collection. */
async function heapBytes(): Promise<number> {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return Deno.memoryUsage().heapUsed;
}

/** Sends each line, and then a signal; the lines do not end before. */
async function* linesAndSignal(
  lines: readonly string[],
  sent: () => boolean,
  ...signals: (() => void)[]
): AsyncGenerator<string> {
  yield* lines;
  while (!sent()) await turn();
  for (const signal of signals) signal();
  await new Promise(() => {});
}

Deno.test("zsqs send --stdin stops at a signal, and says how to go on", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const feed = linesAndSignal(
    ["[1]", "", "[3]"],
    () => queues.get("adder").messages.length === 2,
    () => process.emit("SIGINT"),
  );
  assertEquals(await cli(["send", "--stdin", "adder"], feed), {
    status: 0,
    stdout: ["Sent 2 jobs to adder"],
    stderr: ["Stopped as asked: for the rest run it again with --lines=4-"],
  });
});

Deno.test("zsqs send --stdin ends at a second signal, and says what is not known", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  let begun = 0;
  const hang = Promise.withResolvers<never>();
  using _calls = replaceCalls({
    send: () => {
      begun++;
      return hang.promise;
    },
  });
  let now = performance.now();
  using _now = stub(performance, "now", () => now);
  const feed = linesAndSignal(
    ["[1]", "[2]"],
    () => begun > 0,
    () => process.emit("SIGTERM"),
    () => now += 1001,
    () => process.emit("SIGTERM"),
  );
  assertEquals(await cli(["send", "--stdin", "adder"], feed), {
    status: 1,
    stdout: [],
    stderr: ["Stopped at once: it is not known whether lines 1-2 went out"],
  });
});
