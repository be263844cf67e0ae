/**
 * Retries by count of jobs in child processes.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Reports, Stage } from "../support/isolation_stage.ts";

/** Starts a container that moves failed jobs to a second queue. */
function start(worker: string, settings: Parameters<typeof Stage.start>[1]) {
  const failures = { queue: "failed" };
  return Stage.start(worker, { failures, retryDelaySeconds: 5, ...settings });
}

function reasonOf({ queues }: Stage): Record<string, unknown> {
  const [message] = queues.get("failed").messages;
  return JSON.parse(String(message?.attributes["zsqs.failure"]));
}

Deno.test("attempts ends the retries of a job that ends its process", async () => {
  await using stage = await start("act", { attempts: 2 });
  await stage.queue("exit", "7");
  assertEquals(stage.left, ['[["exit","7"],{}]']);
  await stage.queues.advance(5);
  assertEquals(stage.left, []);
  const { error, receiveCount } = reasonOf(stage);
  assertEquals([error, receiveCount], ["LostJobError", 2]);
  assertMatch(
    await stage.log(),
    /INFO zsqs Job will be retried in 5 s: adder, message ID, receive 1\n[^]*ERROR zsqs Handling a message failed: adder, message ID, receive 2\n/,
  );
});

Deno.test("attempts ends the retries of a job that is killed past its timeout", async () => {
  await using reports = new Reports();
  await using stage = await start("tell", {
    attempts: 1,
    timeoutSeconds: 5,
    allowNet: reports.host,
    workerConfig: { report: reports.url },
  });
  const sent = stage.queue("loop");
  await reports.next();
  await stage.logged("loop begins");
  const advanced = stage.queues.advance(7);
  await Promise.all([sent, advanced]);
  assertEquals(stage.left, []);
  assertEquals(reasonOf(stage).error, "LostJobError");
});

Deno.test("a PermanentError fails a job of a child process immediately, after its timeout too", async () => {
  await using stage = await start("act", { attempts: 5, timeoutSeconds: 5 });
  await stage.queue("never");
  const { error, message, stack } = reasonOf(stage);
  assertEquals([error, message], ["PermanentError", "never"]);
  assertMatch(String(stack), /^ {4}at .*isolated_worker\.ts:\d+:\d+/);
  const sent = stage.queue("neverLate");
  await stage.logged("neverLate begins");
  await stage.queues.advance(5);
  await sent;
  assertEquals(stage.left, []);
  assertEquals(stage.queues.get("failed").messages.length, 2);
});
