/**
 * Which duplicates the verdict of a soak explains.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { DoneLine, EndLine } from "./journal.ts";
import { done, evidence, KILLED_AT, request, testVerdicts } from "./made_up.ts";
import { judge } from "./verdict.ts";

const TWICE = [done(1, "a", 1_000), done(1, "a", 9_000)];

testVerdicts([
  [
    "a job done twice for no reason",
    evidence({ done: TWICE }),
    ["done twice, unexplained: message a"],
  ],
  [
    "a job done twice by a process that was killed later",
    evidence({
      done: TWICE.map((line) => ({
        ...line,
        by: "killed-1",
        t: line.t - 20_000,
      })),
    }),
    ["done twice, unexplained: message a"],
  ],
  [
    "a job done twice as its process was killed",
    evidence({ done: [done(1, "a", 1_000, { by: "killed-1" }), TWICE[1]!] }),
    [],
  ],
  [
    "a job done twice after its process was killed",
    evidence({
      done: [done(1, "a", 1_600, { by: "killed-1" }), TWICE[1]!].map((
        line,
      ) => ({
        ...line,
        t: line.t + 9_000,
      })),
    }),
    [],
  ],
  [
    "a job done twice as its delete failed",
    evidence({
      done: TWICE,
      requests: [
        request(
          "DeleteMessageBatch",
          1_100,
          { id: "a", ok: false },
          "throttled",
        ),
      ],
    }),
    [],
  ],
  [
    "a job done twice after a delete that succeeded",
    evidence({
      done: TWICE,
      requests: [request("DeleteMessageBatch", 1_100, { id: "a" })],
    }),
    ["done twice, unexplained: message a"],
  ],
  [
    "a job done twice as its lease was lost",
    evidence({
      done: TWICE,
      log:
        "Lost a lease, so that others may receive its message: jobs, message a, receive 1: why",
    }),
    [],
  ],
  [
    "a job done twice as it failed after its lease had ended",
    evidence({
      done: TWICE,
      log:
        "WARNING zsqs Job will be retried in 0 s: jobs, message a, receive 1",
    }),
    [],
  ],
  [
    "a job done twice as it was retried",
    evidence({
      done: TWICE,
      log: "INFO zsqs Job will be retried in 0 s: jobs, message a, receive 1",
    }),
    ["done twice, unexplained: message a"],
  ],
  [
    "a job done twice as the process that ran it was killed",
    evidence({
      done: TWICE,
      ends: [{ t: KILLED_AT, by: "c-1", killed: true, child: 7 }],
    }),
    [],
  ],
  [
    "a job done twice as another process of its container was killed",
    evidence({
      done: TWICE,
      ends: [{ t: KILLED_AT, by: "c-1", killed: true, child: 8 }],
    }),
    ["done twice, unexplained: message a"],
  ],
  [
    "a job done twice as its process was stopped",
    evidence({
      done: TWICE,
      ends: [{ t: KILLED_AT, by: "c-1", killed: false, orphans: [] }],
    }),
    ["done twice, unexplained: message a"],
  ],
  [
    "a job done twice as the server was away when it was done",
    evidence({
      done: TWICE,
      outages: [{ from: 900, to: 8_000, kind: "refused" }],
    }),
    [],
  ],
  [
    "a job done twice, with the server away before and long after",
    evidence({
      done: [TWICE[0]!, { ...TWICE[1]!, t: 90_000 }],
      outages: [
        { from: 100, to: 900, kind: "refused" },
        { from: 20_000, to: 30_000, kind: "silent" },
      ],
    }),
    ["done twice, unexplained: message a"],
  ],
  [
    "a job done twice as the clock was wrong for its delete",
    evidence({
      done: TWICE,
      requests: [
        request("DeleteMessageBatch", 1_100, { id: "a", ok: false }, "skewed"),
      ],
    }),
    [],
  ],
  [
    "a job done twice as its visibility could not be changed",
    evidence({
      done: TWICE,
      requests: [
        request("ChangeMessageVisibilityBatch", 900, { id: "a" }, "throttled"),
      ],
    }),
    [],
  ],
  [
    "a job done twice as its delete came when the lease ended",
    evidence({
      done: TWICE,
      requests: [
        request("ReceiveMessage", 900, { id: "a" }),
        request("ChangeMessageVisibilityBatch", 7_800, { id: "a", ok: false }),
        { ...request("DeleteMessageBatch", 7_800, { id: "a" }), ms: 1_500 },
      ],
    }),
    [],
  ],
  [
    "a job done twice though its delete came while the lease lived",
    evidence({
      done: TWICE,
      requests: [
        request("ReceiveMessage", 900, { id: "a" }),
        request("ChangeMessageVisibilityBatch", 5_000, { id: "a" }),
        { ...request("DeleteMessageBatch", 7_800, { id: "a" }), ms: 1_500 },
      ],
    }),
    ["done twice, unexplained: message a"],
  ],
  [
    "a job done twice as an answer was slow",
    evidence({
      done: TWICE,
      requests: [
        { ...request("DeleteMessageBatch", 1_100, { id: "a" }), ms: 2_500 },
      ],
    }),
    [],
  ],
  [
    "a failed job done twice as it could not be kept",
    evidence({
      done: TWICE,
      log:
        "Sending a failed message to its queue failed: soak, message a, receive 1: why",
    }),
    [],
  ],
  [
    "a job done twice as it was given up",
    evidence({
      done: TWICE,
      log:
        "Gave up running jobs: soak, message b, receive 2; message a, receive 1",
    }),
    [],
  ],
  [
    "a job done twice as another one was given up",
    evidence({
      done: TWICE,
      log: "Gave up running jobs: soak, message b, receive 2",
    }),
    ["done twice, unexplained: message a"],
  ],
  [
    "a job sent twice as an answer was slow",
    evidence({
      requests: [{
        ...request("SendMessageBatch", 1, { job: 1, id: "b", by: "p-1" }),
        ms: 2_500,
      }],
    }),
    [],
  ],
  [
    "a job sent twice for no reason",
    evidence({
      requests: [
        request("SendMessageBatch", 1, { job: 1, id: "b", by: "p-1" }),
      ],
    }),
    ["sent twice, unexplained: job 1"],
  ],
  [
    "a job sent twice as an answer was lost",
    evidence({
      requests: [
        request(
          "SendMessageBatch",
          1,
          { job: 1, id: "b", by: "p-1" },
          "reset after the effect",
        ),
      ],
    }),
    [],
  ],
  [
    "a job sent twice as its producer was killed",
    evidence({
      requests: [
        request("SendMessageBatch", 1, { job: 1, id: "b", by: "p-2" }),
      ],
    }),
    [],
  ],
]);

Deno.test("judge() lists what a container did again though it had done it", () => {
  const repeats = (runs: readonly DoneLine[], ends: readonly EndLine[] = []) =>
    judge(evidence({ done: runs, ends })).repeats;
  const [first, again] = TWICE as [DoneLine, DoneLine];
  const problem = "done again by the container that had done it: message a";
  assertEquals(repeats([first, again]), [problem]);
  assertEquals(repeats([first, { ...again, pid: 8 }]), [problem]);
  assertEquals(repeats([first, { ...again, by: "c-2" }]), []);
  assertEquals(
    repeats([first, again].map((run) => ({ ...run, failed: true }))),
    [],
  );
  const killed = { t: KILLED_AT, by: "c-1", killed: true, child: 7 };
  assertEquals(repeats([first, { ...again, pid: 8 }], [killed]), []);
});
