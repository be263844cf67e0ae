/**
 * Attacks: servers and messages that leave values out or give odd ones, and
 * workers that throw values that are no errors. No output shows `undefined`, `NaN` or a
 * bare value in place of an error.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { queueAttributes } from "../../src/aws/sqs_values.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import type { QueueAttributes } from "../../src/sqs/connection.ts";
import { runContainer } from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { cli, type CliResult, Folder, textsOf } from "../support/cli.ts";
import { replaceCalls } from "../support/call_faults.ts";

const ODD = /undefined|NaN|null|Infinity|Invalid|\[object/;

function assertPlain({ stdout, stderr }: CliResult): void {
  for (const line of [...stdout, ...stderr]) assert(!ODD.test(line), line);
}

/** Numbers that servers give, and values that are no numbers. */
const NUMBERS = [undefined, NaN, null, -1, -Infinity, -1e300];

Deno.test("zsqs failed shows odd times and counts as absent", async () => {
  await using _queues = setUp({ silent: true, queues: ["dead"] });
  const { connection, url } = await openQueue("dead");
  const times = ["", "soon", "+275760-09-13T00:00:00.001Z", "0", "-1"];
  const reasons = times.map((time) => ({
    ...{ queue: "adder", messageId: "m", error: "E", message: "", time },
    receiveCount: 1,
  }));
  await connection.send(url, [
    { body: "[[],{}]", attributes: {} },
    ...reasons.map((reason) => ({
      body: "[[],{}]",
      attributes: {
        "zsqs.failure": { type: "String", value: JSON.stringify(reason) },
      },
    })),
  ]);
  for (const odd of NUMBERS as number[]) {
    using _calls = replaceCalls({
      async receive(real, url, options) {
        const messages = await real.receive(url, options);
        return messages.map((message) => ({
          ...message,
          sentAtMs: odd,
          receiveCount: odd,
        }));
      },
    });
    const listed = await cli(["failed", "dead"]);
    assertEquals([listed.status, listed.stdout.length], [0, 6]);
    assertPlain(listed);
    const { status, stdout } = await cli(["failed", "--json", "dead"]);
    assertEquals(status, 0);
    for (const line of stdout) {
      const { sentAt, failedAt, receiveCount } = JSON.parse(line);
      for (const time of [sentAt, failedAt]) {
        assert(time === null || !Number.isNaN(Date.parse(time)));
      }
      assert(receiveCount === null || receiveCount >= 0);
    }
  }
});

Deno.test("a queue's odd attributes count as absent", () => {
  for (const text of ["", "x", "NaN", "-1", "1e3", "0x1"]) {
    assertEquals(
      queueAttributes({
        ApproximateNumberOfMessages: text,
        VisibilityTimeout: text,
      }),
      {},
    );
  }
  for (
    const policy of [
      "",
      "x",
      "null",
      "3",
      "[]",
      "{}",
      '{"deadLetterTargetArn":3,"maxReceiveCount":3}',
      '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:d"}',
      '{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:1:d","maxReceiveCount":"x"}',
    ]
  ) assertEquals(queueAttributes({ RedrivePolicy: policy }), {});
});

Deno.test("zsqs prints no absent count", async () => {
  await using folder = await Folder.with({
    "w.ts": "export default () => () => {};",
    "w.ini": "[container]\nworker = w.ts\nqueue = adder\nfailures = keep\n",
  });
  await using _queues = setUp({ silent: true, queues: ["adder"] });
  for (const odd of NUMBERS.slice(0, 3) as number[]) {
    const attributes = {
      visible: odd,
      inFlight: odd,
      delayed: odd,
      redrive: { deadLetterQueue: "x", maxReceiveCount: odd },
    } as QueueAttributes;
    using _calls = replaceCalls({ attributes: async () => await attributes });
    for (const json of [[], ["--json"]]) {
      const result = await cli(["status", ...json, "adder"]);
      if (json.length === 0) assertPlain(result);
    }
    assertPlain(await cli(["failed", "adder"]));
    assertPlain(await cli(["check", folder.at("w.ini")]));
  }
});

Deno.test("a job that throws another value than an error is logged as such", async (t) => {
  const thrown: [value: unknown, says: string][] = [
    [undefined, "threw undefined"],
    [3, "threw 3"],
    ["no database", 'threw "no database"'],
    ["", 'threw ""'],
    [{ code: 5 }, "threw { code: 5 }"],
  ];
  for (const [value, says] of thrown) {
    await t.step(says, async () => {
      await using folder = await Folder.with({ log: "" });
      await using queues = setUp({ silent: true, queues: ["adder", "dead"] });
      await runContainer({
        queue: "adder",
        failures: { queue: "dead" },
        loggers: `<logger>\n<logfile>\npath ${folder.at("log")}\n` +
          "format %(message)s\n</logfile>\n</logger>",
        handler: () => {
          throw value;
        },
      });
      await (await Queue("adder"))();
      const { messages: [message] } = queues.get("dead");
      const line = (await folder.read("log")).split("\n")[0]!;
      assert(line.startsWith("Handling a message failed: adder, message "));
      assert(line.endsWith(`, receive 1: ${says}`), line);
      const reason = JSON.parse(String(message?.attributes["zsqs.failure"]));
      assertEquals([reason.error, reason.message], ["Error", says]);
    });
  }
});

Deno.test("zsqs says what a worker threw that is no error", async (t) => {
  const workers: [module: string, says: RegExp][] = [
    ["throw 3", /something that is no error was thrown: 3$/],
    ["throw undefined", /something that is no error was thrown$/],
    ["throw null", /something that is no error was thrown$/],
    ["throw {}", /something that is no error was thrown$/],
    ['throw ""', /something that is no error was thrown$/],
    ['throw "no database"', /no database$/],
    ["throw new Error()", /Error$/],
    [
      "throw new Proxy(new Error('x'), { get() { throw 3 } })",
      /cannot be read/,
    ],
  ];
  const trap = "new Proxy({}, { get() { throw 3 }, ownKeys() { throw 3 } })";
  const modules: [name: string, text: string, says: RegExp][] = [
    ...workers.map(([text, says]) =>
      [`factory: ${text}`, `export default () => { ${text} }`, says] as const
    ).map((each) => [...each] as [string, string, RegExp]),
    [
      "a proxy",
      `export const a = ${trap}; export default a;`,
      /default|object/,
    ],
  ];
  for (const [name, text, says] of modules) {
    await t.step(name, async () => {
      await using folder = await Folder.with({
        "w.ts": text,
        "w.ini": "[container]\nworker = w.ts\nqueue = adder\n",
      });
      await using _queues = setUp({ silent: true, queues: ["adder"] });
      const { status, stderr } = await cli([folder.at("w.ini")]);
      assertEquals(status, 2);
      assertMatch(stderr[0]!, /^Cannot start container as worker /);
      assertMatch(stderr[0]!, says);
    });
  }
  await t.step("a member of a proxy", async () => {
    await using folder = await Folder.with({
      "w.ts": `export const a = ${trap};`,
      "w.ini": "[container]\nworker = w.ts:a.b\nqueue = adder\n",
    });
    await using _queues = setUp({ silent: true, queues: ["adder"] });
    for (const args of [[], ["check"]]) {
      const { status, stderr } = await cli([...args, folder.at("w.ini")]);
      assertEquals([status, textsOf(stderr).slice(0, 1)], [2, [
        `Cannot start container as worker "w.ts:a.b" of ${
          folder.at("w.ini")
        } cannot be read: something that is no error was thrown: 3`,
      ]]);
    }
  });
});
