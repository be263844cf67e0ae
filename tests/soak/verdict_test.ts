/**
 * What the verdict of a soak finds.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { DoneLine, RequestLine, SentLine } from "./journal.ts";
import { type Evidence, judge } from "./verdict.ts";

const KILLED_AT = 1_500;

/** A message that was sent, done and deleted, and what a test adds. */
function evidence(more: {
  readonly sent?: readonly SentLine[];
  readonly done?: readonly DoneLine[];
  readonly requests?: readonly RequestLine[];
  readonly log?: string;
}): Evidence {
  return {
    sent: [
      { job: 1, by: "p-1", id: "a", fresh: true },
      ...more.sent ?? [],
    ],
    done: more.done ?? [done(1, "a", 1_000)],
    requests: [
      request("SendMessageBatch", 0, { job: 1, id: "a", by: "p-1" }),
      ...more.requests ?? [],
    ],
    killed: new Map([["killed-1", KILLED_AT], ["p-2", KILLED_AT]]),
    logs: new Map([["c-1.log", more.log ?? ""]]),
  };
}

function done(
  job: number,
  id: string,
  t: number,
  more: Partial<DoneLine> = {},
): DoneLine {
  return { job, id, t, by: "c-1", count: 1, ...more };
}

function request(
  op: string,
  t: number,
  entry: Partial<RequestLine["entries"][0]>,
  fault?: string,
): RequestLine {
  return {
    op,
    queue: "soak",
    t,
    ms: 1,
    entries: [{ ok: true, ...entry }],
    ...(fault === undefined ? {} : { fault }),
  };
}

const KEPT: RequestLine = {
  ...request("SendMessageBatch", 1, { job: 1, id: "kept", by: "p-1" }),
  queue: "soak-failed",
};

const TWICE = [done(1, "a", 1_000), done(1, "a", 9_000)];

const VERDICTS: [what: string, evidence: Evidence, problems: string[]][] = [
  ["a job done once", evidence({}), []],
  ["a lost job", evidence({ done: [] }), ["lost: job 1"]],
  [
    "a job done twice for no reason",
    evidence({ done: TWICE }),
    ["done twice, unexplained: message a"],
  ],
  [
    "a job done twice by a process that was killed later",
    evidence({ done: TWICE.map((line) => ({ ...line, by: "c-1" })) }),
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
  [
    "a message that was deleted, but not done",
    evidence({
      requests: [request("DeleteMessageBatch", 1, { id: "b" })],
    }),
    ["deleted without being done: message b"],
  ],
  [
    "a failed job that was kept",
    evidence({
      done: [done(1, "a", 1_000, { failed: true })],
      requests: [KEPT, request("DeleteMessageBatch", 2, { id: "a" })],
    }),
    [],
  ],
  [
    "a failed job that was deleted before it was kept",
    evidence({
      done: [done(1, "a", 1_000, { failed: true })],
      requests: [request("DeleteMessageBatch", 2, { id: "a" }), KEPT],
    }),
    ["deleted before it was kept: message a"],
  ],
  [
    "a failed job that was not kept",
    evidence({ done: [done(1, "a", 1_000, { failed: true })] }),
    ["lost: job 1"],
  ],
  [
    "other arguments",
    evidence({ done: [done(1, "a", 1_000, { wrong: true })] }),
    ["done with other arguments than sent: job 1"],
  ],
  [
    "a group out of order",
    evidence({
      requests: ["1", "2"].map((sequence) =>
        request("SendMessageBatch", 1, {
          job: Number(sequence) + 1,
          id: `f${sequence}`,
          by: "p-1",
          group: "g",
          sequence,
        })
      ),
      done: [
        done(1, "a", 1_000),
        done(3, "f2", 1_000, { group: "g" }),
        done(2, "f1", 1_001, { group: "g" }),
      ],
    }),
    ["out of order in g: message f1"],
  ],
  [
    "sends of a group out of order",
    evidence({
      sent: ["2", "1"].map((sequence, i) => ({
        job: i + 2,
        by: "p-1",
        id: `f${sequence}`,
        group: "g",
        sequence,
        fresh: true,
      })),
      done: [1, 2, 3].map((job) => done(job, ["a", "f2", "f1"][job - 1]!, job)),
    }),
    ["sent out of order in g: job 3"],
  ],
];

for (const [what, given, problems] of VERDICTS) {
  Deno.test(`judge() judges ${what}`, () => {
    assertEquals(judge(given).problems, problems);
  });
}
