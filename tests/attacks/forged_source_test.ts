/**
 * Attacks: a message in a failures queue that lies about its source. A redrive
 * must not send it to a queue of the attacker's choice.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { openQueue } from "../../src/connect/open_queue.ts";
import { stub } from "@std/testing/mock";
import { runContainer } from "../../container.ts";
import { setUp } from "../../testing.ts";
import { cli } from "../support/cli.ts";
import { replaceCalls } from "../support/call_faults.ts";

const ADDER = "arn:aws:sqs:us-east-1:123456789012:adder";

const TERMINAL = { stdin: true, stderr: true };

/** Puts messages into a queue whose reasons name their source queues. */
async function forge(queue: string, ...sources: string[]): Promise<void> {
  const { connection, url } = await openQueue(queue);
  for (const source of sources) {
    const value = JSON.stringify({
      queue: source,
      messageId: "m",
      error: "Error",
      message: "forged",
      receiveCount: 1,
      time: "2026-01-01T00:00:00.000Z",
    });
    await connection.send(url, [{
      body: "[[],{}]",
      attributes: { "zsqs.failure": { type: "String", value } },
    }]);
  }
}

/** Has SQS say that it moved every received message from `adder`. */
function fromAdder(): Disposable {
  return replaceCalls({
    async receive(real, url, options) {
      const messages = await real.receive(url, options);
      return messages.map((each) => ({ ...each, deadLetterSource: ADDER }));
    },
  });
}

function start() {
  return setUp({ silent: true, queues: ["adder", "dead", "payments", "b"] });
}

Deno.test("zsqs failed --redrive follows SQS's own word, not the message's", async () => {
  await using queues = start();
  await forge("dead", "payments", "payments");
  using _calls = fromAdder();
  const { stdout } = await cli(["failed", "--json", "dead"]);
  assertEquals(stdout.map((line) => JSON.parse(line).from), ["adder", "adder"]);
  assertEquals(await cli(["failed", "--redrive", "dead"]), {
    status: 0,
    stdout: ["Sent back 2 messages of dead: 2 to adder"],
    stderr: [],
  });
  assertEquals(queues.get("payments").messages, []);
  assertEquals(queues.get("adder").messages.length, 2);
});

Deno.test("zsqs failed --redrive follows no message's word unasked", async () => {
  await using queues = start();
  await forge("dead", "payments", "b");
  assertEquals(await cli(["failed", "--redrive", "dead"]), {
    status: 1,
    stdout: ["Sent back 0 of 2 messages of dead"],
    stderr: [
      "Left 2 messages of dead: each names its source queue itself, as any sender could: check with --json, then give --yes or --to=QUEUE",
    ],
  });
  assertEquals(queues.get("payments").messages, []);
  const { status, stdout } = await cli([
    "failed",
    "--redrive",
    "--to=adder",
    "dead",
  ]);
  assertEquals([status, stdout], [
    0,
    ["Sent back 2 messages of dead: 2 to adder"],
  ]);
  await forge("dead", "payments");
  assertEquals(
    (await cli(["failed", "--redrive", "--yes", "dead"])).stdout,
    ["Sent back 1 message of dead: 1 to payments"],
  );
});

Deno.test("zsqs failed --redrive lists the queues that messages name, and asks", async () => {
  await using queues = start();
  await forge("dead", "payments", "b", "payments");
  const listed = [
    "The messages name the queues to send them to, as any sender could:",
    "  payments (2 messages)",
    "  b (1 message)",
  ];
  const args = ["failed", "--redrive", "dead"];
  assertEquals((await cli(args, ["no"], TERMINAL)).stderr, [
    ...listed,
    "Nothing done",
  ]);
  assertEquals(queues.get("dead").messages.length, 3);
  const { status, stdout, stderr } = await cli(args, ["y"], TERMINAL);
  assertEquals([status, stdout, stderr], [
    0,
    ["Sent back 3 messages of dead: 2 to payments, 1 to b"],
    listed,
  ]);
});

Deno.test("zsqs failed --redrive follows no queue that came after the answer", async () => {
  await using queues = start();
  await forge("dead", "b");
  const input = async function* () {
    await forge("dead", "payments");
    yield "y";
  };
  const { status, stdout } = await cli(
    ["failed", "--redrive", "dead"],
    input(),
    TERMINAL,
  );
  assertEquals([status, stdout], [
    1,
    ["Sent back 1 of 2 messages of dead: 1 to b"],
  ]);
  assertEquals(queues.get("payments").messages, []);
});

Deno.test("zsqs failed --redrive asks for 20 queues at most, and looks for 100", async () => {
  await using queues = start();
  const forged = Array.from({ length: 130 }, (_, i) => `forged-${i}`);
  await forge("dead", ...forged);
  const looked = new Set<string>();
  using _calls = replaceCalls({
    queueUrl(real, name, options) {
      if (name.startsWith("forged-")) looked.add(name);
      return real.queueUrl(name, options);
    },
  });
  const args = ["failed", "--redrive", "dead"];
  const asked = await cli(args, ["y"], TERMINAL);
  assertEquals([asked.status, looked.size], [1, 20]);
  looked.clear();
  const { status, stderr } = await cli([...args, "--yes"]);
  assertEquals([status, looked.size], [1, 100]);
  assertEquals(stderr.length, 6);
  assertEquals(queues.get("dead").messages.length, 130);
});

Deno.test("a container sends a failed message on without the reason that it came with", async () => {
  using _error = stub(console, "error", () => {});
  await using queues = start();
  await forge("adder", "payments");
  await runContainer({
    queue: "adder",
    failures: { queue: "dead" },
    loggers: "",
    handler: () => {
      throw new TypeError("bad");
    },
  });
  const [kept] = queues.get("dead").messages;
  const reason = JSON.parse(String(kept!.attributes["zsqs.failure"]));
  assertEquals([reason.queue, reason.message], ["adder", "bad"]);
});
