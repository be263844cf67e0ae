/** The end of an invocation, on the double's clock. */

import { assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import {
  currentJob,
  type HookJob,
  type Job,
  JobAbortedError,
  type JobEnd,
  lambdaHandler,
  TransientError,
} from "../../lambda.ts";
import { setUp } from "../../testing.ts";
import { replaceCalls } from "../support/call_faults.ts";
import { Printed } from "../support/printed.ts";
import { record, returned, withTime } from "../support/trigger.ts";

/** Loggers that write nothing. */
const loggers = "<logger>\n level CRITICAL\n</logger>";

/** A response, and whether it is there. */
function watch(response: ReturnType<ReturnType<typeof lambdaHandler>>) {
  const watched = { isThere: false, ids: returned(response) };
  watched.ids.then(() => watched.isThere = true);
  return watched;
}

Deno.test("the signal aborts 1 s before the end; who obeys returns, who is done is done", async () => {
  await using queues = setUp({ silent: true });
  using printed = new Printed();
  const reasons: unknown[] = [];
  const handler = lambdaHandler(() => (id: string) => {
    const { signal } = currentJob();
    return new Promise<void>((resolve, reject) => {
      signal.addEventListener("abort", () => {
        reasons.push(signal.reason);
        if (id === "obeys") reject(signal.reason);
        if (id === "permanent") reject(new TypeError("after the abort"));
        if (id === "hurries") resolve();
      });
    });
  });
  const ids = ["obeys", "hurries", "permanent"];
  const Records = ids.map((id) => record(id, [id]));
  const response = watch(handler({ Records }, withTime(10_000)));
  await queues.advance(8.9);
  assertEquals(reasons, []);
  await queues.advance(0.1);
  assertEquals(response.isThere, true);
  assertEquals(await response.ids, ["obeys", "permanent"]);
  const [reason] = reasons;
  assertInstanceOf(reason, JobAbortedError);
  assertEquals(reason.reason, "stopping");
  assertMatch(
    printed.err.join("\n"),
    /WARNING zsqs The time of the function is nearly over: aborting 3 running jobs of adder, and returning 0 that have not started\. Raise its timeout, or lower the trigger's batch size/,
  );
});

Deno.test("a message that is not settled 0.5 s before the end returns, and may end later", async () => {
  await using queues = setUp({ silent: true });
  using printed = new Printed();
  const ends: JobEnd[] = [];
  const stuck = Promise.withResolvers<void>();
  const handler = lambdaHandler(() => async (id: string) => {
    if (id === "stuck") await stuck.promise;
  }, {
    failures: "keep",
    hooks: { jobEnded: (_job: HookJob, end: JobEnd) => void ends.push(end) },
  });
  const Records = [record("stuck", ["stuck"]), record("done", ["done"])];
  const response = watch(handler({ Records }, withTime(10_000)));
  await queues.advance(9.4);
  assertEquals(response.isThere, false);
  await queues.advance(0.1);
  assertEquals(await response.ids, ["stuck"]);
  assertMatch(
    printed.err.join("\n"),
    /WARNING zsqs Gave up running jobs as the time of the function is over; they will be received again: adder, message stuck, receive 1/,
  );
  const lines = printed.err.length;
  // The handler continues in the next invocation, whose response it changes not.
  const next = handler(
    { Records: [record("done", ["done"])] },
    withTime(9_000),
  );
  stuck.resolve();
  assertEquals(await returned(next), []);
  assertEquals(printed.err.length, lines);
  assertEquals(ends.map(({ outcome }) => outcome), [
    "done",
    "released",
    "done",
  ]);
});

Deno.test("jobs that have not started return 1 s before the end", async () => {
  await using queues = setUp({ silent: true });
  const started: string[] = [];
  const handler = lambdaHandler(() => (id: string) => {
    started.push(id);
    const { signal } = currentJob();
    return new Promise<void>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  }, { loggers, concurrency: 2, attempts: 1, failures: "delete" });
  const ids = ["a", "b", "c", "d"];
  const Records = ids.map((id) => record(id, [id]));
  const response = watch(handler({ Records }, withTime(3_000)));
  await queues.advance(2);
  assertEquals(await response.ids, ids);
  assertEquals(started, ["a", "b"]);
});

Deno.test("a batch is aborted as a whole, and returns", async () => {
  await using queues = setUp({ silent: true });
  let runs = 0;
  const handler = lambdaHandler(() => ({
    handleBatch(_jobs: Job[], { signal }: { signal: AbortSignal }) {
      runs++;
      return new Promise<void>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    },
  }), { loggers, batch: 10, attempts: 1 });
  const ids = Array.from({ length: 12 }, (_, i) => `m${i}`);
  const Records = ids.map((id) => record(id, []));
  const response = watch(handler({ Records }, withTime(5_000)));
  await queues.advance(4);
  assertEquals(await response.ids, ids);
  assertEquals(runs, 1);
});

Deno.test("a job past its own timeout counts as an attempt", async () => {
  await using queues = setUp({ silent: true });
  const handler = lambdaHandler(() => () => {
    const { signal } = currentJob();
    return new Promise<void>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  }, { loggers, timeoutSeconds: 5, attempts: 2 });
  const late = record("late", [], {
    attributes: { ApproximateReceiveCount: "2", SentTimestamp: "1" },
  });
  const Records = [record("first", []), late];
  const response = watch(handler({ Records }, withTime(60_000)));
  await queues.advance(5);
  assertEquals(await response.ids, ["first"]);
});

Deno.test("no job starts with less than 1 s left, or without a worker", async () => {
  await using queues = setUp({ silent: true });
  using printed = new Printed();
  let started = 0;
  const made = Promise.withResolvers<void>();
  const handler = lambdaHandler(async () => {
    await made.promise;
    return () => void started++;
  });
  const event = { Records: [record("a", [])] };
  const response = watch(handler(event, withTime(10_000)));
  await queues.advance(9.5);
  assertEquals(await response.ids, ["a"]);
  made.resolve();
  assertEquals(await returned(handler(event, withTime(900))), ["a"]);
  assertEquals(started, 0);
  assertEquals(await returned(handler(event, withTime(2_000))), []);
  assertEquals(started, 1);
  const lines = printed.err.map((line) => line.replace(/^\S+ /, ""));
  assertEquals(lines.filter((line) => line.startsWith("WARNING")), [
    "WARNING zsqs No job starts, as the worker was not made in time: raise the timeout of the function",
    "WARNING zsqs No job of adder starts, as the function has less than 1 s left: raise its timeout",
  ]);
});

Deno.test("a delay or a failed message that takes too long holds up no response", async () => {
  await using queues = setUp({ silent: true });
  using printed = new Printed();
  using _calls = replaceCalls({
    changeVisibility: () => new Promise(() => {}),
    send: () => new Promise(() => {}),
  });
  const handler = lambdaHandler(() => (what: string) => {
    if (what === "fails") throw new Error("bad");
    if (what === "waits") throw new TransientError("", { delaySeconds: 5 });
  }, { failures: { queue: "adder-failed" } });
  const names = ["fails", "waits", "done"];
  const Records = names.map((name) => record(name, [name]));
  const response = watch(handler({ Records }, withTime(10_000)));
  await queues.advance(9.75);
  assertEquals(await response.ids, ["fails", "waits"]);
  assertMatch(
    printed.err.join("\n"),
    /WARNING zsqs Retries of adder are not delayed, and wait for the visibility timeout: no time is left in this invocation/,
  );
});
