import { assertEquals } from "@std/assert";
import { decide, type Outcome, type Policy } from "../../src/job/decide.ts";

const ERROR = new Error("no");
const DONE: Outcome = { kind: "done" };
const FAILED: Outcome = { kind: "failed", error: ERROR };
const TRANSIENT: Outcome = { kind: "transient", error: ERROR };
const LATER: Outcome = { kind: "transient", error: ERROR, delaySeconds: 7 };
const NOW: Outcome = { kind: "transient", error: ERROR, delaySeconds: 0 };
const ABORTED: Outcome = { kind: "aborted", error: ERROR };
const UNFIT: Outcome = { kind: "unfit", error: ERROR };
const AWS_EVENT: Outcome = { kind: "awsEvent", error: ERROR };
const TIMED_OUT: Outcome = { kind: "timedOut", error: ERROR };
const RELEASED: Outcome = { kind: "released", error: ERROR };
const NOT_CAPABLE: Outcome = { kind: "notCapable", error: ERROR };
const WORKER_ERROR: Outcome = { kind: "workerError", error: ERROR };

const FIXED = { minSeconds: 30, maxSeconds: 30 };
const DOUBLING = { minSeconds: 1, maxSeconds: 600 };

const hide = (seconds: number) =>
  ({ action: "changeVisibility", seconds }) as const;
const DELETE = { action: "delete" } as const;
const LEAVE = { action: "leave" } as const;
const SEND = { action: "sendToFailures" } as const;

/** Outcome, policy, receive count, chance, and the decision. */
const TABLE: [Outcome, Policy, number, number, ReturnType<typeof decide>][] = [
  [DONE, { failures: "delete" }, 1, 0, DELETE],
  [DONE, { failures: "keep", retryDelay: FIXED }, 9, 0.5, DELETE],
  [DONE, { failures: "send" }, 1, 0, DELETE],
  [FAILED, { failures: "delete" }, 1, 0, DELETE],
  [FAILED, { failures: "delete", retryDelay: FIXED }, 1, 0, DELETE],
  [FAILED, { failures: "send" }, 1, 0, SEND],
  [FAILED, { failures: "send", retryDelay: FIXED }, 1, 0, SEND],
  [FAILED, { failures: "keep" }, 1, 0, LEAVE],
  [FAILED, { failures: "keep", retryDelay: FIXED }, 1, 0, hide(30)],
  [TRANSIENT, { failures: "delete" }, 1, 0, LEAVE],
  [TRANSIENT, { failures: "send" }, 1, 0, LEAVE],
  [TRANSIENT, { failures: "delete", retryDelay: FIXED }, 5, 0.9, hide(30)],
  [LATER, { failures: "delete" }, 1, 0, hide(7)],
  [LATER, { failures: "keep", retryDelay: FIXED }, 1, 0, hide(7)],
  [NOW, { failures: "delete", retryDelay: FIXED }, 1, 0, hide(0)],
  [ABORTED, { failures: "send" }, 1, 0, LEAVE],
  [ABORTED, { failures: "send", retryDelay: FIXED }, 1, 0, hide(30)],
  [RELEASED, { failures: "delete", retryDelay: FIXED }, 9, 0.5, hide(0)],
  [NOT_CAPABLE, { failures: "delete" }, 1, 0, LEAVE],
  [NOT_CAPABLE, { failures: "delete", retryDelay: FIXED }, 1, 0, hide(30)],
  [WORKER_ERROR, { failures: "delete" }, 1, 0, LEAVE],
  [WORKER_ERROR, { failures: "send" }, 9, 0, LEAVE],
  [WORKER_ERROR, { failures: "delete", retryDelay: FIXED }, 1, 0, hide(30)],
  [UNFIT, {}, 1, 0, DELETE],
  [UNFIT, { failures: "send", attempts: 5 }, 1, 0, SEND],
  [UNFIT, { failures: "keep", retryDelay: FIXED }, 1, 0, hide(30)],
  [AWS_EVENT, {}, 9, 0, LEAVE],
  [AWS_EVENT, { attempts: 1, retryDelay: FIXED }, 9, 0, hide(30)],
  [AWS_EVENT, { failures: "delete" }, 1, 0, DELETE],
  [AWS_EVENT, { failures: "send", attempts: 5 }, 1, 0, SEND],
  [TIMED_OUT, {}, 9, 0, LEAVE],
  [TIMED_OUT, { attempts: 2, retryDelay: FIXED }, 1, 0, hide(30)],
  [TIMED_OUT, { attempts: 2, failures: "send" }, 2, 0, SEND],
  [FAILED, { attempts: 3 }, 2, 0, LEAVE],
  [FAILED, { attempts: 3 }, 3, 0, DELETE],
  [LATER, { attempts: 3, failures: "send" }, 2, 0, hide(7)],
  [LATER, { attempts: 3, failures: "send" }, 4, 0, SEND],
  [ABORTED, { attempts: 1 }, 9, 0, LEAVE],
  [NOT_CAPABLE, { attempts: 1 }, 9, 0, LEAVE],
  // Full jitter: from 1 second to what has doubled with each receive.
  [TRANSIENT, { failures: "keep", retryDelay: DOUBLING }, 1, 0.99, hide(1)],
  [TRANSIENT, { failures: "keep", retryDelay: DOUBLING }, 4, 0, hide(1)],
  [TRANSIENT, { failures: "keep", retryDelay: DOUBLING }, 4, 0.99, hide(8)],
  [TRANSIENT, { failures: "keep", retryDelay: DOUBLING }, 50, 0.5, hide(301)],
];

for (
  const [i, [outcome, policy, receiveCount, random, want]] of TABLE.entries()
) {
  const name =
    `${outcome.kind}, failures ${policy.failures}, receive ${receiveCount}`;
  Deno.test(`decide() takes ${want.action} for ${name} (row ${i})`, () => {
    assertEquals(decide(outcome, policy, { receiveCount, random }), want);
  });
}
