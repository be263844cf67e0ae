/**
 * What the verdict of a soak finds.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { RequestLine } from "./journal.ts";
import { done, evidence, request, testVerdicts } from "./made_up.ts";
import { judge } from "./verdict.ts";

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

testVerdicts([
  ["a job done once", evidence({}), []],
  ["a lost job", evidence({ done: [] }), ["lost: job 1"]],
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
]);

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

Deno.test("judge() returns how many jobs ran at a time, and how often the server was away", () => {
  const { widest, outages } = judge(evidence({
    done: [done(1, "a", 1_000, { running: 3 }), done(1, "a", 1_000)],
    outages: [{ from: 0, to: 9_000, kind: "reset" }],
  }));
  assertEquals([widest, outages], [3, 1]);
});
