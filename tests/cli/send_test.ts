/**
 * `zsqs send`: jobs from the command line and from standard input.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { stub } from "@std/testing/mock";
import process from "node:process";
import { runContainer } from "../../container.ts";
import { setUp, type TestMessage, type TestQueues } from "../../testing.ts";
import { main, type Screen } from "../../cli.ts";
import { SqsError } from "../../src/errors.ts";
import { cli, freeAddress } from "../support/cli.ts";
import { replaceCalls } from "../support/call_faults.ts";
import { runCli, servePackage, TestServer } from "../support/server.ts";
import { turn } from "../support/turn.ts";

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
        'Cannot send the number 12345678901234567890, which JavaScript would change to 12345678901234567000: send it as a string, "12345678901234567890" with the quotes',
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

Deno.test("zsqs send refuses jobs that the queue does not take", async () => {
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
      `Cannot open queue "my queue": give a queue's name, URL or ARN. A name has up to 80 letters, digits, "_" and "-", including a ".fifo" at its end`,
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
    stdout: [],
    stderr: ["Sent 4 jobs to adder"],
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
  ["[1", /^Line 3 refused: Expected .+ in JSON at position 2/],
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
    'Cannot send the number 12345678901234567890, which JavaScript would change to 12345678901234567000: send it as a string, "12345678901234567890" with the quotes',
  ],
];

Deno.test("zsqs send --stdin copies a bad line, and sends the others", async (t) => {
  for (const [line, problem] of BAD_LINES) {
    await t.step(line, async () => {
      using queues = setUp({ queues: ["adder"], silent: true });
      const { status, stdout, stderr } = await cli(
        ["send", "--stdin", "adder"],
        ["[1]", "", line, "[2]"],
      );
      assertEquals([status, stdout], [1, [line]]);
      const [first, ...rest] = stderr;
      if (typeof problem === "string") {
        assertEquals(first, `Line 3 refused: ${problem}`);
      } else assertMatch(first!, problem);
      assertEquals(rest, [
        "Sent 2 jobs to adder",
        "Copied 1 refused line to standard output: fix and resend them",
      ]);
      assertEquals(queues.get("adder").jobs, [[1], [2]]);
    });
  }
});

Deno.test("zsqs send --stdin copies the lines that SQS refuses, in order, and names five", async () => {
  using queues = setUp({
    queues: [{ name: "adder", maximumMessageSize: 1024 }],
    silent: true,
  });
  const large = JSON.stringify(["x".repeat(1017)]);
  const lines = Array.from(
    { length: 400 },
    (_, i) => i % 57 === 0 ? large : i % 91 === 90 ? `[${i}` : `[${i}]`,
  );
  const { status, stdout, stderr } = await cli(
    ["send", "--stdin", "adder"],
    lines,
  );
  const refused = lines.filter((line) => line === large || !line.endsWith("]"));
  assertEquals([status, stdout], [1, refused]);
  const sent = lines.filter((line) => !refused.includes(line));
  assertEquals(
    queues.get("adder").jobs,
    sent.map((line) => JSON.parse(line)),
  );
  assertEquals(
    stderr[0],
    "Line 1 refused: Cannot send job as it has 1026 bytes including attributes: the limit is 1024 bytes",
  );
  assertEquals(
    stderr.map((line) => /^Line (\d+) refused: /.exec(line)?.[1]),
    ["1", "58", "91", "115", "172", undefined, undefined],
  );
  assertEquals(stderr.slice(5), [
    `Sent ${sent.length} jobs to adder`,
    `Copied ${refused.length} refused lines to standard output: fix and resend them`,
  ]);
});

Deno.test("zsqs send --large sends large jobs, from lines, too", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const large = "--large=s3://bucket/jobs";
  const [small, long] = ["x".repeat(100), "x".repeat(9_000_000)];
  await sendOne(queues, [large, "--large-from=100", "adder", small]);
  const lines = JSON.stringify([long]) + "\n[1]\n";
  const status = await main(["send", large, "--stdin", "adder"], {
    stderr: () => {},
    async *stdin() {
      for (let i = 0; i < lines.length; i += 65_536) {
        yield new TextEncoder().encode(lines.slice(i, i + 65_536));
      }
    },
  });
  assertEquals(status, 0);
  assertEquals(queues.get("adder").jobs, [[small], [long], [1]]);
  assertEquals(queues.objects.size, 2);
  const { stderr } = await cli(["send", "--large-from=9", "adder", "1"]);
  assertEquals(stderr[0], "Option --large-from needs --large");
});

Deno.test("zsqs send --stdin refuses a line over the limit, whether it fits in memory or not", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const cases: [length: number, problem: string][] = [
    [
      1_048_576,
      "Cannot send job as it has 1048585 bytes including attributes: the limit is 1048576 bytes",
    ],
    [30_000_000, "it is over 8388608 bytes"],
  ];
  for (const [length, problem] of cases) {
    const line = JSON.stringify(["x".repeat(length)]);
    const bytes = new TextEncoder().encode(`[1]\n${line}\r\n\n[3]`);
    const copied: Uint8Array[] = [];
    const stderr: string[] = [];
    const status = await main(["send", "--stdin", "adder"], {
      stderr: (text) => stderr.push(text),
      write: (part) => copied.push(part),
      async *stdin() {
        for (let i = 0; i < bytes.length; i += 65_536) {
          yield bytes.subarray(i, i + 65_536);
        }
      },
    });
    assertEquals([status, stderr], [1, [
      `Line 2 refused: ${problem}`,
      "Sent 2 jobs to adder",
      "Copied 1 refused line to standard output: fix and resend them",
    ]]);
    assert(Buffer.concat(copied).equals(Buffer.from(`${line}\r\n`)));
    assert(copied.every((part) => part.length < 9_000_000));
  }
  assertEquals(queues.get("adder").jobs, [[1], [3], [1], [3]]);
});

Deno.test("zsqs send --stdin copies refused lines byte for byte", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const lines = ["\ufeff[1]\n", "[2\r\n", "\r\n", '["\xff"]\n', "[3]\n", "[4"];
  const input = Buffer.concat(
    lines.map((line) =>
      Buffer.from(line, line.includes("\xff") ? "latin1" : "utf8")
    ),
  );
  const copied: Uint8Array[] = [];
  const stderr: string[] = [];
  const status = await main(["send", "--stdin", "adder"], {
    stderr: (text) => stderr.push(text),
    write: (part) => copied.push(part),
    async *stdin() {
      // A byte at a time: lines are put together from any parts.
      for (const byte of input) yield Uint8Array.of(byte);
    },
  });
  assertEquals([status, stderr[1]], [1, "Line 4 refused: it is not UTF-8"]);
  assertEquals(
    Buffer.concat(copied),
    Buffer.concat([
      Buffer.from("[2\r\n"),
      Buffer.from('["\xff"]\n', "latin1"),
      Buffer.from("[4"),
    ]),
  );
  assertEquals(queues.get("adder").jobs, [[1], [3]]);
});

Deno.test("zsqs send --from starts at a line", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const { status, stdout, stderr } = await cli(
    ["send", "--stdin", "--from=3", "adder"],
    ["[1", "[2]", "[3]", "[4", "[5]"],
  );
  assertEquals([status, stdout, stderr.slice(1)], [1, ["[4"], [
    "Sent 2 jobs to adder",
    "Copied 1 refused line to standard output: fix and resend them",
  ]]);
  assertMatch(stderr[0]!, /^Line 4 refused: /);
  assertEquals(queues.get("adder").jobs, [[3], [5]]);
});

Deno.test("zsqs send --stdin stops at a failure that all lines share", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const lines = Array.from({ length: 400 }, (_, i) => `[${i}]`);
  let requests = 0;
  const cutOff = () =>
    new SqsError("SendMessage failed: socket hang up", {
      code: "ECONNRESET",
      senderFault: false,
    });
  const call = replaceCalls({
    send(real, url, messages) {
      if (++requests > 2) throw cutOff();
      return real.send(url, messages);
    },
  });
  const { status, stdout, stderr } = await cli(
    ["send", "--stdin", "adder"],
    lines,
  );
  call[Symbol.dispose]();
  const sent = queues.get("adder").jobs.length;
  const next = sent + stdout.length;
  assert(sent > 0 && stdout.length > 0 && next < lines.length);
  assertEquals(stdout, lines.slice(sent, next));
  assertEquals([status, stderr], [1, [
    `Sent ${sent} jobs to adder`,
    `Copied ${stdout.length} refused lines to standard output: resend them`,
    `Stopped before line ${next + 1}: rerun with --from=${
      next + 1
    } to send the rest`,
    'Cannot send job to "adder": ECONNRESET: SendMessage failed: socket hang up',
  ]]);
  // As it says.
  await cli(["send", "--stdin", "adder"], stdout);
  await cli(["send", "--stdin", `--from=${next + 1}`, "adder"], lines);
  assertEquals(
    queues.get("adder").jobs.flat(),
    Array.from(lines.keys()),
  );
});

Deno.test("zsqs send --stdin stops when it cannot copy a line", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const stderr: string[] = [];
  const status = await main(["send", "--stdin", "adder"], {
    stderr: (text) => stderr.push(text),
    write: () => {
      throw new Error("No space left on device");
    },
    async *stdin() {
      yield* ["[1]\n", "[x\n", "[3]\n"].map((line) => Buffer.from(line));
    },
  });
  assertEquals([status, stderr.slice(1)], [1, [
    "Sent 1 job to adder",
    "Stopped before line 3: rerun with --from=3 to send the rest",
    "No space left on device",
  ]]);
  assertEquals(queues.get("adder").jobs, [[1]]);
});

Deno.test("zsqs send --stdin stops at the first refused line of a FIFO queue", async () => {
  using queues = setUp({ queues: ["adder.fifo"], silent: true });
  const lines = ["[1]", "[2", "[3]"];
  const send = ["send", "--stdin", "--group=a", "adder.fifo"];
  assertEquals((await cli(send, lines)).stderr.slice(1), [
    "Sent 1 job to adder.fifo",
    "Copied 1 refused line to standard output: fix and resend them",
    "Stopped before line 3: rerun with --from=3 to send the rest",
  ]);
  assertEquals(queues.get("adder.fifo").jobs, [[1]]);
});

Deno.test("zsqs send --from refuses anything but a line number", async () => {
  using _queues = setUp({ queues: ["adder"], silent: true });
  for (const from of ["0", "x", "3-", "1.5"]) {
    assertEquals(await cli(["send", "--stdin", `--from=${from}`, "adder"]), {
      status: 2,
      stdout: [],
      stderr: [
        `Option --from must be an integer from 1 to 1000000000: current value is "${from}"`,
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
    stdout: [],
    stderr: ["Sent 1,000 jobs", "Sent 2,000 jobs", "Sent 2,500 jobs to adder"],
  });
  // The double's time stands still: the first drawing stays.
  const bar = await send({ stderr: true, inputBytes, columns: 60 });
  assertEquals([bar.status, bar.stderr], [0, ["Sent 2,500 jobs to adder"]]);
  assertEquals(bar.drawn, [
    `\r\x1b[K[${"-".repeat(20)}]   2 % Sent 1 job`,
    "\r\x1b[K",
  ]);
  const piped = await send({ stderr: true });
  assertEquals(piped.drawn, ["\r\x1b[KSent 1 job", "\r\x1b[K"]);
  assertEquals(queues.get("adder").messages.length, 7500);
});

Deno.test("zsqs send --stdin sends each line when it comes", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  async function* feed() {
    for (let i = 0; i < 20; i++) {
      yield `[${i}]`;
      while (queues.get("adder").messages.length <= i) await turn();
    }
  }
  const { status, stderr } = await cli(["send", "--stdin", "adder"], feed());
  assertEquals([status, stderr], [0, ["Sent 20 jobs to adder"]]);
});

Deno.test("zsqs send --stdin reads not far ahead of its sends", async () => {
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
  const { status, stderr } = await cli(["send", "--stdin", "adder"], feed());
  assertEquals([status, stderr, done], [0, ["Sent 500 jobs to adder"], 500]);
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
  const many = await send(["--stdin", url], '[1]\r\n\n{"args":[2]}\n[x\n[3]');
  assertEquals([many.status, many.stdout], [1, "[x\n"]);
  assertMatch(many.stderr, /^Sent 3 jobs to adder$/m);
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
      `Sent ${text} as an argument: options must come before the queue`
    ),
  );
  assertEquals(queues.get("adder").jobs, [[
    1,
    "--local",
    "--delay=3",
    "--other",
  ]]);
});

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

Deno.test("zsqs send --stdin stops at a signal, and says how to continue", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const feed = linesAndSignal(
    ["[1]", "", "[3]"],
    () => queues.get("adder").messages.length === 2,
    () => process.emit("SIGINT"),
  );
  assertEquals(await cli(["send", "--stdin", "adder"], feed), {
    status: 0,
    stdout: [],
    stderr: [
      "Sent 2 jobs to adder",
      "Stopped before line 4: rerun with --from=4 to send the rest",
    ],
  });
});

Deno.test("zsqs send --stdin ends at a second signal, and says which jobs are in doubt", async () => {
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
    stderr: [
      "Stopped immediately: it is unknown whether lines 1 to 2 went out",
    ],
  });
});

const FORMATS: [args: string[], body: string, got: unknown][] = [
  [["--body=json", "adder", '{"id": 1}'], '{"id":1}', { id: 1 }],
  [["--body=json", "adder", "later"], '"later"', "later"],
  [["--body=json", "adder", "[[1], {}]"], "[[1],{}]", [[1], {}]],
  [["--body=text", "adder", "x=3"], "x=3", "x=3"],
  [["--body=text", "adder", '{"id": 1}\n'], '{"id": 1}\n', '{"id": 1}\n'],
  [["--body", "text", "adder", "MTI="], "MTI=", "MTI="],
];

Deno.test("zsqs send --body sends JSON or text alone", async (t) => {
  using queues = setUp({ queues: ["adder"], silent: true });
  for (const [args, body, got] of FORMATS) {
    await t.step(args.join(" "), async () => {
      const message = await sendOne(queues, args);
      assertEquals([message.body, message.args], [body, [got]]);
    });
  }
  const job = await sendOne(queues, ["--body=job", "adder", "1", "x=2"]);
  assertEquals(job.body, '[[1],{"x":2}]');
});

const BAD_FORMATS: [args: string[], says: string][] = [
  [
    ["--body=xml", "adder", "1"],
    'Option --body must be job, json or text: current value is "xml"',
  ],
  [
    ["--body=json", "--base64", "adder", "1"],
    "Give --base64 or --body=json, not both",
  ],
  [["--body=text", "adder"], "Option --body=text takes one argument: got 0"],
  [
    ["--body=json", "adder", "1", "2"],
    "Option --body=json takes one argument: got 2",
  ],
  [
    ["--body=json", "adder", "x=3"],
    'Cannot send job with keyword arguments, as "body" is "json": give one argument',
  ],
  [
    ["--body=text", "adder", ""],
    "Cannot send job as args[0] is empty: SQS takes no empty body",
  ],
];

Deno.test("zsqs send --body refuses what makes no sense, in one line", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  for (const [args, says] of BAD_FORMATS) {
    const { status, stdout, stderr } = await cli(["send", ...args]);
    assertEquals([status, stdout, stderr[0]], [2, [], says]);
  }
  assertEquals(queues.get("adder").messages, []);
});

Deno.test("zsqs send --stdin --body=json sends each line as a body", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const lines = ['{"args":[1]}', "", "[[1], {}]", "{id:1}", '"é"', "1e999"];
  const { status, stdout, stderr } = await cli(
    ["send", "--stdin", "--body=json", "--from=2", "adder"],
    lines,
  );
  assertEquals([status, stdout], [1, ["{id:1}", "1e999"]]);
  assertMatch(stderr[0]!, /^Line 4 refused: /);
  assertEquals(
    stderr[1],
    "Line 6 refused: Cannot send job as args[0] is Infinity: arguments must survive JSON unchanged",
  );
  assertEquals(queues.get("adder").bodies, ["[[1],{}]", '"é"']);
});

Deno.test("zsqs send --stdin --body=text sends each line unchanged", async () => {
  using queues = setUp({ queues: ["adder"], silent: true });
  const lines = ["  a ", "", '{"args":[1]}\r', "\ufeffb", "a\0b", "last"];
  const { status, stdout } = await cli(
    ["send", "--stdin", "--body=text", "adder"],
    lines,
  );
  assertEquals([status, stdout], [1, ["a\0b"]]);
  assertEquals(queues.get("adder").bodies, [
    "  a ",
    '{"args":[1]}',
    "\ufeffb",
    "last",
  ]);
});
