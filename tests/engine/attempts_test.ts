/**
 * Retries by count: every outcome with every number of attempts and every kind
 * of failures, through all receives on the double's clock.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  type ContainerSettings,
  currentJob,
  type Handler,
  PermanentError,
  runContainer,
  TransientError,
} from "../../container.ts";
import { Queue } from "../../producer.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import { setUp, type TestQueues } from "../../testing.ts";
import { Printed } from "../support/printed.ts";

/** Receives of a job that is never done: more than any number of attempts. */
const MOST = 6;

const ATTEMPTS = [undefined, 1, 2, 4];
const FAILURES = [undefined, "delete", "keep", { queue: "failed" }] as const;

const fail = (error: () => unknown) => (): Handler => () => {
  throw error();
};

/** Moves the clock past the timeout, then throws. */
const failLate = (error: () => unknown) => (queues: TestQueues) => async () => {
  const { signal } = currentJob();
  const aborted = new Promise((resolve) =>
    signal.addEventListener("abort", resolve)
  );
  const moved = queues.advance(10);
  await aborted;
  moved.catch(() => {});
  throw error();
};

interface Ending {
  readonly handler: (queues: TestQueues) => Handler;
  /** The body, if it is no job. */
  readonly body?: string;
  /** The receive that fails the job, without `attempts` and with them. */
  readonly last: (attempts: number | undefined) => number | undefined;
}

const ENDINGS: Record<string, Ending> = {
  "an error": {
    handler: fail(() => new TypeError("no")),
    last: (attempts) => attempts ?? 1,
  },
  "a TransientError": {
    handler: fail(() => new TransientError("later", { delaySeconds: 30 })),
    last: (attempts) => attempts,
  },
  "a timeout": {
    handler: failLate(() => new TypeError("late")),
    last: (attempts) => attempts,
  },
  "a PermanentError": {
    handler: fail(() => new PermanentError("never")),
    last: () => 1,
  },
  "a PermanentError after a timeout": {
    handler: failLate(() => new PermanentError("never")),
    last: () => 1,
  },
  "a body that is no job": {
    handler: () => () => {},
    body: "hello",
    last: () => 1,
  },
  "a missing permission": {
    handler: fail(() => new Deno.errors.NotCapable("Requires net access")),
    last: () => undefined,
  },
  "code that never ran": {
    handler: () => () => [].values(),
    last: () => undefined,
  },
};

/** Sends one job, and lets its message be received {@linkcode MOST} times. */
async function walk(
  queues: TestQueues,
  { handler, body = "[[1],{}]" }: Ending,
  settings: Partial<ContainerSettings>,
): Promise<void> {
  await runContainer({
    queue: "adder",
    loggers: "",
    timeoutSeconds: 10,
    retryDelaySeconds: 20,
    ...settings,
    handler: handler(queues),
  });
  const { connection, url } = await openQueue("adder");
  const sent = connection.send(url, [{ body, attributes: {} }]);
  for (let i = 0; i < MOST; i++) await queues.advance(30);
  await sent;
}

for (const [what, ending] of Object.entries(ENDINGS)) {
  Deno.test(`attempts and failures decide about ${what}`, async (t) => {
    for (const attempts of ATTEMPTS) {
      for (const failures of FAILURES) {
        const shown = JSON.stringify({ attempts, failures });
        await t.step(shown, async () => {
          using _printed = new Printed();
          await using queues = setUp({ silent: true });
          await walk(queues, ending, { attempts, failures });
          const last = ending.last(attempts);
          const { messages, deleted } = queues.get("adder");
          const stays = last === undefined || failures === "keep";
          assertEquals(messages.length, stays ? 1 : 0);
          assertEquals(deleted.length, stays ? 0 : 1);
          const receives = (stays ? messages[0] : deleted[0])!.receiveCount;
          if (stays) assert(receives >= MOST, `received ${receives} times`);
          else assertEquals(receives, last);
          if (typeof failures !== "object") return;
          const kept = queues.get("failed").messages;
          assertEquals(kept.length, stays ? 0 : 1);
          const reason = kept[0]?.attributes["zsqs.failure"];
          const { receiveCount } = JSON.parse(String(reason ?? "{}"));
          assertEquals(receiveCount, last);
        });
      }
    }
  });
}

Deno.test("attempts logs each retry once with its delay, and the last failure", async () => {
  using printed = new Printed();
  await using queues = setUp({ silent: true });
  let tries = 0;
  await runContainer({
    queue: "adder",
    attempts: 4,
    retryDelaySeconds: 7,
    failures: { queue: "failed" },
    handler: () => {
      tries++;
      if (tries === 2) throw new TransientError("soon", { delaySeconds: 3 });
      throw new TypeError("no");
    },
  });
  const { messageId } = await (await Queue("adder"))(1);
  await queues.advance(100);
  const lines = printed.err.filter((line) => line.includes(messageId))
    .map((line) => line.replace(/^\S+ /, "").split("\n"));
  const name = `adder, message ${messageId}, receive`;
  assertEquals(lines.map(([line]) => line), [
    `INFO zsqs Job will be retried in 7 s: ${name} 1`,
    `INFO zsqs Job will be retried in 3 s: ${name} 2`,
    `INFO zsqs Job will be retried in 7 s: ${name} 3`,
    `ERROR zsqs Handling a message failed: ${name} 4`,
  ]);
  assertMatch(lines[0]![1]!, /^ {2}TypeError: no$/);
  assertEquals(queues.get("failed").jobs, [[1]]);
});

Deno.test("attempts does not count receives whose job never started", async () => {
  using _printed = new Printed();
  await using queues = setUp({ silent: true });
  const receives: Record<string, number[]> = { first: [], second: [] };
  await runContainer({
    queue: "adder.fifo",
    prefetch: 10,
    attempts: 3,
    retryDelaySeconds: 10,
    failures: { queue: "failed.fifo" },
    handler: (name: string) => {
      receives[name]!.push(currentJob().receiveCount);
      if (name === "second") throw new TypeError("no");
      if (receives.first!.length < 3) throw new TransientError("not now");
    },
  });
  const queue = await Queue("adder.fifo");
  // The second job is received behind the first one, and released with it.
  await queue.sendAll([
    { args: ["first"], groupId: "g", deduplicationId: "1" },
    { args: ["second"], groupId: "g", deduplicationId: "2" },
  ]);
  await queues.advance(100);
  assertEquals(receives, { first: [1, 2, 3], second: [3, 4, 5] });
  assertEquals(queues.get("failed.fifo").jobs, [["second"]]);
});

Deno.test("a line about a job has its queue, message and receive as JSON fields", async () => {
  using printed = new Printed();
  await using queues = setUp({ silent: true });
  await runContainer({
    queue: "adder",
    attempts: 2,
    loggers: "json",
    handler: fail(() => new TypeError("no"))(),
  });
  const { messageId } = await (await Queue("adder"))(1);
  await queues.advance(30);
  const about = printed.err.map((line) => {
    const { level, queue, messageId, receiveCount } = JSON.parse(line);
    return [level, queue, messageId, receiveCount];
  });
  assertEquals(about, [
    ["INFO", "adder", messageId, 1],
    ["ERROR", "adder", messageId, 2],
    ["INFO", "adder", messageId, 2],
  ]);
});

const AT_RISK: [Partial<ContainerSettings>, most: number, least?: number][] = [
  [{ attempts: 3 }, 4],
  [{ attempts: 3 }, 3, 4],
  [{ attempts: 3, visibilityTimeoutSeconds: 30 }, 1, 4],
  [{ attempts: 3, failures: "keep" }, 3],
  [{ attempts: 3, failures: "keep" }, 2, 3],
  [{}, 1],
];

for (const [settings, maxReceiveCount, least] of AT_RISK) {
  Deno.test(`a start warns of maxReceiveCount ${maxReceiveCount} with ${JSON.stringify(settings)}: ${least !== undefined}`, async () => {
    using printed = new Printed();
    const redrive = { deadLetterQueue: "dead", maxReceiveCount };
    await using _queues = setUp({
      silent: true,
      queues: ["dead", { name: "adder", redrive }],
    });
    await runContainer({ queue: "adder", handler: () => {}, ...settings });
    const queue = await Queue("adder");
    await queue(1);
    await queue(2);
    const warnings = printed.err
      .filter((line) => line.includes("dead-letter queue"));
    assertEquals(warnings.length, least === undefined ? 0 : 1);
    if (least === undefined) return;
    assertMatch(
      warnings[0]!,
      new RegExp(
        `WARNING zsqs Queue adder may move a message to its dead-letter queue before attempts = 3 is reached.*\\. Its maxReceiveCount is ${maxReceiveCount}: set it to ${least} or more$`,
      ),
    );
  });
}
