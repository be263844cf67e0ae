/**
 * A made-up run for the tests of verdicts.
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

/** When processes `killed-1` and `p-2` were killed. */
export const KILLED_AT = 1_500;

/** A message that was sent, done and deleted, and what a test adds. */
export function evidence(more: {
  readonly sent?: readonly SentLine[];
  readonly done?: readonly DoneLine[];
  readonly requests?: readonly RequestLine[];
  readonly ends?: readonly EndLine[];
  readonly outages?: readonly OutageLine[];
  readonly log?: string;
}): Evidence {
  return {
    leaseMs: 8_000,
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

/** A job that was done. */
export function done(
  job: number,
  id: string,
  t: number,
  more: Partial<DoneLine> = {},
): DoneLine {
  return { job, id, t, by: "c-1", pid: 7, running: 1, count: 1, ...more };
}

/** A request with one message. */
export function request(
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

/** A run, and its problems. */
export type Case = [what: string, evidence: Evidence, problems: string[]];

/** Tests the problems that are found in runs. */
export function testVerdicts(cases: readonly Case[]): void {
  for (const [what, given, problems] of cases) {
    Deno.test(`judge() judges ${what}`, () => {
      assertEquals(judge(given).problems, problems);
    });
  }
}
