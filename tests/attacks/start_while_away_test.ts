/**
 * Containers that start, and checks, while SQS is away or throttles.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { setTestMode, testMode } from "../../src/connect/test_mode.ts";
import { SqsError } from "../../src/errors.ts";
import type { Connection } from "../../src/sqs/connection.ts";
import { setUp } from "../../testing.ts";
import { withFaults } from "../support/call_faults.ts";
import { cli, type CliResult, Folder } from "../support/cli.ts";
import { turn } from "../support/turn.ts";

const INI = `
[container]
worker = worker.ts
queue = adder
region = us-east-1
`;

/** Runs the command line while queues cannot be opened for some seconds. */
async function runWhile(
  { code, senderFault = false, seconds, command = [], ini = INI }: {
    readonly code: string;
    readonly senderFault?: boolean;
    readonly seconds: number;
    readonly command?: string[];
    readonly ini?: string;
  },
): Promise<{ readonly result: CliResult; readonly afterSeconds: number }> {
  await using folder = await Folder.with({
    "worker.ts": "export default () => () => {};\n",
    "adder.ini": ini,
  });
  using _queues = setUp({ silent: true, queues: ["adder", "adder-failed"] });
  const mode = testMode()!;
  const startMs = mode.clock.now();
  const refuse =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> =>
      mode.clock.now() - startMs < seconds * 1000
        ? Promise.reject(
          new SqsError(`GetQueueUrl failed: ${code}`, { code, senderFault }),
        )
        : call(...args);
  setTestMode({
    ...mode,
    // A clock as the system's: it moves by itself.
    clock: {
      now: () => mode.clock.now(),
      timer: (ms, onEnd) => mode.clock.timer(ms, onEnd),
    },
    connect: (options): Connection => {
      const real = withFaults(mode.connect(options), () => ({}));
      return {
        ...real,
        queueUrl: refuse(real.queueUrl),
        attributes: refuse(real.attributes),
      };
    },
  });
  let afterMs: number | undefined;
  const running = cli([...command, folder.at("adder.ini")])
    .finally(() => afterMs = mode.clock.now() - startMs);
  const clock = mode.clock as typeof mode.clock & {
    advance(ms: number, turn: () => Promise<void>): Promise<void>;
  };
  await import(`file://${folder.at("worker.ts")}`);
  for (let i = 0; i < 400 && afterMs === undefined; i++) {
    await turn();
    if (i > 40) await clock.advance(1000, turn);
  }
  return { result: await running, afterSeconds: afterMs! / 1000 };
}

const AWAY = [
  "ECONNREFUSED",
  "ENOTFOUND",
  "TimeoutError",
  "ThrottlingException",
];

for (const command of [[], ["--drain"], ["check"]]) {
  const name = command[0] ?? "a run";
  Deno.test(`Opening a queue outlives an outage of 30 s: ${name}`, async () => {
    for (const code of AWAY) {
      const { result } = await runWhile({ code, seconds: 30, command });
      assertEquals(result.status, 0, result.stderr.join("\n"));
      const lines = result.stderr.filter((line) => line.includes(code));
      // A container's own logger writes to standard error itself.
      assertEquals(lines.length, name === "check" ? 1 : 0);
    }
  });

  Deno.test(`Opening a queue ends with status 1 after 60 s: ${name}`, async () => {
    const { result, afterSeconds } = await runWhile(
      { code: "ECONNREFUSED", seconds: 1e9, command },
    );
    assertEquals(result.status, 1);
    assertStringIncludes(
      result.stderr.join("\n"),
      'Cannot open queue "adder" in region "us-east-1": GetQueueUrl failed: ECONNREFUSED',
    );
    assertEquals(Math.round(afterSeconds / 10), 6);
  });
}

Deno.test("Opening a failures queue by its URL outlives an outage", async () => {
  const url = "https://sqs.us-east-1.amazonaws.com/123456789012/adder-failed";
  const { result } = await runWhile({
    code: "ECONNRESET",
    seconds: 30,
    ini: `${INI}failures = ${url}\n`,
    command: ["check"],
  });
  assertEquals(result.status, 0, result.stderr.join("\n"));
});

Deno.test("Opening a queue does not wait for what does not pass", async () => {
  for (
    const code of [
      "AccessDenied",
      "CredentialsProviderError",
      "EPERM",
      "QueueDoesNotExist",
    ]
  ) {
    const senderFault = code !== "EPERM";
    const { result, afterSeconds } = await runWhile(
      { code, senderFault, seconds: 1e9 },
    );
    assertEquals(result.status, code === "QueueDoesNotExist" ? 2 : 1);
    assertEquals(afterSeconds, 0);
  }
});
