/**
 * What a container logs while it stops.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { reportStop } from "../../src/container/stop_report.ts";
import { VirtualClock } from "../../src/double/virtual_clock.ts";
import type { Remaining } from "../../src/engine/engine.ts";
import type { ReceivedMessage } from "../../src/sqs/connection.ts";

function message(id: number): ReceivedMessage {
  return {
    messageId: `m${id}`,
    receiptHandle: "",
    body: "",
    attributes: {},
    receiveCount: 2,
    sentAtMs: 0,
  };
}

Deno.test("a stopping container logs every ten seconds why it waits", async () => {
  const clock = new VirtualClock(0);
  const lines: string[] = [];
  const info = (line: unknown) => lines.push(String(line));
  const logger = { debug() {}, info, warn() {}, error() {}, critical() {} };
  const steps: Remaining[] = [
    { polls: 1, running: [], settling: 0 },
    { polls: 0, running: [message(1)], settling: 2 },
    { polls: 2, running: [1, 2, 3, 4, 5, 6, 7].map(message), settling: 0 },
    { polls: 0, running: [], settling: 0 },
  ];
  {
    using _report = reportStop({
      ...{ clock, logger, queue: "jobs" },
      remaining: () => steps.shift()!,
    });
    await clock.advance(40_000, async () => {});
  }
  await clock.advance(60_000, async () => {});
  assertEquals(lines, [
    "Still stopping after 10 s: waiting for 1 poll of jobs",
    "Still stopping after 20 s: waiting for 1 running job, 2 messages to be deleted or released. Running: jobs, message m1, receive 2",
    "Still stopping after 30 s: waiting for 2 polls, 7 running jobs. Running: jobs, message m1, receive 2; message m2, receive 2; message m3, receive 2; message m4, receive 2; message m5, receive 2; 2 more",
    "Still stopping after 40 s: waiting for the worker of jobs to be disposed",
  ]);
});
