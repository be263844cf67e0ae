/**
 * What the verdict of a soak finds.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { Evidence } from "./evidence.ts";
import type {
  DoneLine,
  EndLine,
  OutageLine,
  RequestLine,
  SentLine,
} from "./journal.ts";
import { judge } from "./verdict.ts";

const KILLED_AT = 1_500;

/** A message that was sent, done and deleted, and what a test adds. */
function evidence(more: {
  readonly sent?: readonly SentLine[];
  readonly done?: readonly DoneLine[];
  readonly requests?: readonly RequestLine[];
  readonly ends?: readonly EndLine[];
  readonly outages?: readonly OutageLine[];
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
    ends: [
      { t: KILLED_AT, by: "killed-1", killed: true },
      { t: KILLED_AT, by: "p-2", killed: true },
      ...more.ends ?? [],
    ],
    outages: more.outages ?? [],
    logs: new Map([["c-1.log", more.log ?? ""]]),
  };
}

function done(
  job: number,
  id: string,
  t: number,
  more: Partial<DoneLine> = {},
): DoneLine {
  return { job, id, t, by: "c-1", pid: 7, running: 1, count: 1, ...more };
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

/** The log line of a poll, as containers write it: in local time. */
function pollGivenUp(ms: number): string {
  const minutes = new Date(ms).getTimezoneOffset();
  const time = new Date(ms - minutes * 60_000).toISOString()
    .replace("T", " ").replace(".", ",").replace("Z", "");
  return `${time} ERROR zsqs Receive from soak failed; retrying: ReceiveMessage failed: no answer within 12 s`;
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
    "a poll that was given up for no reason",
    evidence({ log: pollGivenUp(60_000) }),
    ["gave up a poll for no reason: c-1.log"],
  ],
  [
    "a poll that was given up as another queue's was silent",
    evidence({
      log: pollGivenUp(60_000),
      requests: [
        {
          ...request("ReceiveMessage", 50_000, {}, "silent after the effect"),
          queue: "soak.fifo",
        },
      ],
    }),
    ["gave up a poll for no reason: c-1.log"],
  ],
  [
    "a poll that was given up as it was silent",
    evidence({
      log: pollGivenUp(60_000),
      requests: [
        request("ReceiveMessage", 50_000, {}, "silent after the effect"),
      ],
    }),
    [],
  ],
  [
    "a poll that was given up as it was silent long before",
    evidence({
      log: pollGivenUp(60_000),
      requests: [
        request("ReceiveMessage", 5_000, {}, "silent after the effect"),
      ],
    }),
    ["gave up a poll for no reason: c-1.log"],
  ],
  [
    "a poll that was given up as the server was away",
    evidence({
      log: pollGivenUp(60_000),
      outages: [{ from: 40_000, to: 50_000, kind: "silent" }],
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
    "a job of a group that nobody sent",
    evidence({
      done: [done(1, "a", 1_000), done(2, "x", 1_000, { group: "g" })],
    }),
    ["done, but not sent: message x"],
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

Deno.test("judge() lists what outlived its container", () => {
  const ends = [
    { t: 1, by: "isolated-0-1", killed: true, orphans: [31, 32] },
    { t: 2, by: "isolated-0-2", killed: false, orphans: [] },
  ];
  assertEquals(judge(evidence({ ends })).orphans, [
    "outlived its container: process 31 of isolated-0-1",
    "outlived its container: process 32 of isolated-0-1",
  ]);
});

Deno.test("judge() tells how many jobs ran at a time, and how often the server was away", () => {
  const { widest, outages } = judge(evidence({
    done: [done(1, "a", 1_000, { running: 3 }), done(1, "a", 1_000)],
    outages: [{ from: 0, to: 9_000, kind: "reset" }],
  }));
  assertEquals([widest, outages], [3, 1]);
});
