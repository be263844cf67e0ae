/**
 * The engine on the double's clock: many jobs at a time, leases, batches, stops.
 *
 * @module
 */

import { JobAbortedError, TransientError } from "../../src/job_errors.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { EntryResult } from "../../src/sqs/connection.ts";
import { SqsError } from "../../src/errors.ts";
import type { Runner } from "../../src/job/runner.ts";
import { currentJob } from "../../src/job/current_job.ts";
import { EngineRig, pass } from "../support/engine_rig.ts";

const THROTTLED: EntryResult = {
  ok: false,
  failure: { code: "RequestThrottled", message: "slow", senderFault: false },
};

function refuse(code = "InternalError"): SqsError {
  return new SqsError(`${code} failed`, { code, senderFault: false });
}

Deno.test("Engine runs as many jobs at once as it may, and no more", async () => {
  let running = 0;
  let most = 0;
  const engine = new EngineRig(async () => {
    most = Math.max(most, ++running);
    await pass(engine.clock, 1);
    running--;
  }, { concurrency: 7 });
  for (let i = 0; i < 40; i++) engine.send([i]);
  await engine.start();
  await engine.advance(6);
  assertEquals(most, 7);
  await engine.end();
  assertEquals(engine.summary.done, 40);
  assertEquals(engine.left, []);
});

Deno.test("Engine does not let a slow job delay the others", async () => {
  const done: number[] = [];
  const engine = new EngineRig(async (i: number) => {
    await pass(engine.clock, i === 0 ? 1 : 0.01);
    done.push(i);
  }, { concurrency: 10 });
  for (let i = 0; i < 200; i++) engine.send([i]);
  await engine.start();
  // Nine slots take 199 jobs of 10 ms in 23 turns.
  await engine.advance(0.25);
  assertEquals(done.length, 199);
  assert(!done.includes(0));
  await engine.advance(1);
  assertEquals(done.at(-1), 0);
  await engine.end();
  assertEquals(engine.left, []);
});

Deno.test("Engine keeps on receiving while all but one slot is held", async () => {
  let quick = 0;
  const engine = new EngineRig(async (i: number) => {
    if (i < 9) await pass(engine.clock, 600);
    else quick++;
  }, { concurrency: 10 });
  for (let i = 0; i < 500; i++) engine.send([i]);
  await engine.start();
  await engine.advance(1);
  assertEquals(quick, 491);
  await engine.advance(600);
  await engine.end();
  assertEquals(engine.left, []);
});

Deno.test("Engine settles one message before it receives the next at concurrency 1", async () => {
  const calls: string[] = [];
  const engine = new EngineRig(() => void calls.push("job"));
  engine.faults = {
    receive(real, ...args) {
      calls.push(`receive ${args[1].maxMessages}`);
      return real.receive(...args);
    },
    delete(real, ...args) {
      calls.push(`delete ${args[1].length}`);
      return real.delete(...args);
    },
  };
  engine.send([1]);
  engine.send([2]);
  await engine.start();
  assertEquals(calls, [
    "receive 1",
    "job",
    "delete 1",
    "receive 1",
    "job",
    "delete 1",
    "receive 1",
  ]);
  await engine.end();
});

Deno.test("Engine receives and deletes by tens where jobs wait", async () => {
  const engine = new EngineRig(() => pass(engine.clock, 1), {
    concurrency: 10,
  });
  for (let i = 0; i < 200; i++) engine.send([i]);
  await engine.start();
  await engine.advance(21);
  const { requests, done } = engine.summary;
  assertEquals(done, 200);
  await engine.end();
  assert(requests.ReceiveMessage <= 24, `${requests.ReceiveMessage} receives`);
  assert(requests.DeleteMessage <= 24, `${requests.DeleteMessage} deletes`);
  assertEquals(requests.ChangeMessageVisibility, 0);
});

Deno.test("Engine deletes a lone message within the delete delay", async () => {
  const engine = new EngineRig(async (seconds: number) => {
    await pass(engine.clock, seconds);
  }, { concurrency: 2, deleteDelaySeconds: 3 });
  engine.send([0]);
  engine.send([60]);
  await engine.start();
  await engine.advance(2.9);
  assertEquals(engine.left.length, 2);
  await engine.advance(0.1);
  assertEquals(engine.left.length, 1);
  await engine.advance(60);
  await engine.end();
});

Deno.test("Engine extends the leases of running and waiting messages", async () => {
  const receiveCounts: number[] = [];
  const engine = new EngineRig(async () => {
    receiveCounts.push(currentJob().receiveCount);
    await pass(engine.clock, 50);
  }, { concurrency: 1, prefetch: 9 });
  for (let i = 0; i < 10; i++) engine.send([i]);
  await engine.start();
  await engine.advance(501);
  const { leasesLost, requests } = engine.summary;
  await engine.end();
  assertEquals(receiveCounts, Array(10).fill(1));
  assertEquals([leasesLost, engine.left], [0, []]);
  // Ten leases travel in one request, every 22.5 s.
  assert(requests.ChangeMessageVisibility <= 23);
});

Deno.test("Engine tells a job that its lease is lost, and loses nothing", async () => {
  for (const ends of ["throws", "returns"]) {
    let reason: unknown;
    let tries = 0;
    const engine = new EngineRig(async () => {
      if (++tries > 1) return;
      const { signal } = currentJob();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reason = signal.reason;
      if (ends === "throws") throw new TypeError("interrupted");
    }, { concurrency: 2 });
    engine.faults = {
      changeVisibility: () => Promise.reject(refuse()),
    };
    engine.send([1]);
    await engine.start();
    await engine.advance(29);
    assertEquals(reason, undefined);
    await engine.advance(2);
    assert(reason instanceof JobAbortedError);
    assertEquals(reason.reason, "lease lost");
    await engine.advance(60);
    await engine.end();
    assertEquals(engine.left, []);
    assertEquals(engine.summary.leasesLost, 1);
    assertEquals(engine.summary.failed, 0);
    assertEquals(engine.log.filter((line) => line.startsWith("ERROR")), []);
  }
});

Deno.test("Engine never starts a message whose lease ended while it waited", async () => {
  const started: number[] = [];
  const engine = new EngineRig(async (i: number) => {
    started.push(i);
    if (i === 0) await pass(engine.clock, 45);
  }, { concurrency: 1, prefetch: 1 });
  engine.faults = { changeVisibility: () => Promise.reject(refuse()) };
  engine.send([0]);
  engine.send([1]);
  await engine.start();
  await engine.advance(44);
  assertEquals(started, [0]);
  engine.faults = {};
  // Message 1 was taken by nobody else: it comes back and runs then.
  await engine.advance(60);
  await engine.end();
  assertEquals(engine.summary.leasesLost, 2);
  assertEquals(engine.left, []);
});

Deno.test("Engine leaves a job that ignores its timeout its slot and its message", async () => {
  let running = 0;
  let most = 0;
  const engine = new EngineRig(async () => {
    most = Math.max(most, ++running);
    await pass(engine.clock, 100);
    running--;
    currentJob().signal.throwIfAborted();
  }, { timeoutSeconds: 10, failures: "delete", retryDelay: fixed(5) });
  engine.send([1]);
  engine.send([2]);
  await engine.start();
  await engine.advance(99);
  assertEquals([running, most], [1, 1]);
  await engine.advance(10);
  assertEquals(engine.left.length, 2);
  assertEquals(engine.summary.failed, 0);
  assertStringIncludes(engine.log.join("\n"), "timed out");
  await engine.end();
});

Deno.test("Engine counts a timeout from the start of the handler", async () => {
  for (const seconds of [9, 11]) {
    let aborted: boolean | undefined;
    const runner: Runner = {
      async run(_message, control) {
        // It waits for a process.
        await pass(engine.clock, 15);
        control.started();
        await pass(engine.clock, seconds);
        aborted = control.aborted;
        return { kind: "done" };
      },
    };
    const engine = new EngineRig(() => {}, { timeoutSeconds: 10, runner });
    engine.send([1]);
    await engine.start();
    await engine.advance(30);
    assertEquals(aborted, seconds > 10);
    await engine.end();
  }
});

Deno.test("Engine tries only the entry again that a batch refused", async () => {
  const handles: string[][] = [];
  const engine = new EngineRig(() => {}, { concurrency: 10 });
  engine.faults = {
    async delete(real, url, receiptHandles) {
      handles.push([...receiptHandles]);
      if (handles.length > 1) return real.delete(url, receiptHandles);
      const [, ...others] = receiptHandles;
      return [THROTTLED, ...await real.delete(url, others)];
    },
  };
  for (let i = 0; i < 10; i++) engine.send([i]);
  await engine.start();
  await engine.advance(5);
  assertEquals(handles.map((each) => each.length), [10, 1]);
  assertEquals(handles[1], [handles[0]![0]]);
  assertEquals(engine.left, []);
  await engine.end();
});

Deno.test("Engine runs a message once that a receive brings twice", async () => {
  let runs = 0;
  const engine = new EngineRig(async () => {
    runs++;
    await pass(engine.clock, 5);
  }, { concurrency: 10 });
  let doubled = false;
  engine.faults = {
    async receive(real, ...args) {
      const messages = await real.receive(...args);
      if (doubled || messages.length === 0) return messages;
      doubled = true;
      return [...messages, ...messages];
    },
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(10);
  await engine.end();
  assertEquals([runs, engine.left], [1, []]);
});

/** A call without an answer, until it is cut. */
function unanswered(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason))
  );
}

Deno.test("Engine cuts a receive that goes silent, and polls on", async () => {
  let polls = 0;
  const engine = new EngineRig(() => {});
  engine.faults = {
    receive(real, url, options) {
      if (++polls > 1) return real.receive(url, options);
      return unanswered(options.signal!);
    },
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(29.9);
  assertEquals(polls, 1);
  await engine.advance(40);
  assertEquals(engine.left, []);
  assertStringIncludes(engine.log.join("\n"), "no answer within 30 s");
  await engine.end();
});

Deno.test("Engine extends a lease while a receive is silent", async () => {
  const engine = new EngineRig(() => pass(engine.clock, 70), {
    concurrency: 2,
  });
  let polls = 0;
  engine.faults = {
    receive(real, url, options) {
      if (++polls === 1) return real.receive(url, options);
      return unanswered(options.signal!);
    },
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(71);
  assertEquals(engine.summary.leasesLost, 0);
  assertEquals(engine.summary.done, 1);
  await engine.end();
});

Deno.test("Engine polls on after errors, slower each time, and says so once", async () => {
  const polledAt: number[] = [];
  const engine = new EngineRig(() => {});
  engine.faults = {
    receive(real, url, options) {
      polledAt.push(engine.clock.now());
      return polledAt.length <= 8
        ? Promise.reject(refuse("RequestThrottled"))
        : real.receive(url, options);
    },
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(300);
  const pauses = polledAt.slice(1, 9).map((at, i) => at - polledAt[i]!);
  assert(pauses.every((ms) => ms >= 1000 && ms <= 30_000), String(pauses));
  assertEquals(engine.log, [
    "ERROR zsqs Receive from adder failed; retrying: RequestThrottled failed",
    "INFO zsqs Receiving from adder again",
  ]);
  assertEquals(engine.left, []);
  await engine.end();
});

Deno.test("Engine spreads and doubles retry delays per receive", async () => {
  const receivedAt: number[] = [];
  const engine = new EngineRig(() => {
    receivedAt.push(engine.clock.now() / 1000);
    throw new TransientError();
  }, { retryDelay: { minSeconds: 2, maxSeconds: 16 } });
  engine.send([1]);
  await engine.start();
  await engine.advance(200);
  const longest = [2, 4, 8, 16, 16, 16];
  for (const [i, most] of longest.entries()) {
    const delay = receivedAt[i + 1]! - receivedAt[i]!;
    assert(delay >= 1 && delay <= most, `try ${i + 1}: ${delay} s`);
  }
  await engine.end();
});

Deno.test("Engine gives a bad message back where failures are kept", async () => {
  let tries = 0;
  const engine = new EngineRig(() => {
    if (++tries < 3) throw new TypeError("bad");
  }, { failures: "keep", retryDelay: fixed(7) });
  engine.send([1]);
  await engine.start();
  await engine.advance(6.9);
  assertEquals(tries, 1);
  await engine.advance(8);
  assertEquals([tries, engine.left], [3, []]);
  await engine.end();
});

Deno.test("Engine stops from an idle poll, and releases what that brings", async () => {
  let runs = 0;
  const engine = new EngineRig(() => void runs++, { concurrency: 10 });
  await engine.start();
  await engine.stop();
  assertEquals(engine.ended, false);
  engine.send([1]);
  await engine.advance(0);
  assertEquals([engine.ended, runs], [true, 0]);
  assertEquals(engine.left, [["[[1],{}]", true]]);
});

Deno.test("Engine stops after the jobs that run, and releases the waiting ones", async () => {
  const done: number[] = [];
  const engine = new EngineRig(async (i: number) => {
    await pass(engine.clock, 10);
    done.push(i);
  }, { concurrency: 2, prefetch: 8 });
  for (let i = 0; i < 10; i++) engine.send([i]);
  await engine.start();
  await engine.stop();
  assertEquals(engine.left.map(([, visible]) => visible), [
    false,
    false,
    ...Array(8).fill(true),
  ]);
  assertEquals(engine.ended, false);
  await engine.advance(10);
  assertEquals([engine.ended, done.length], [true, 2]);
  assertEquals(engine.left.length, 8);
});

Deno.test("Engine gives running jobs back when it is forced to stop", async () => {
  const reasons: unknown[] = [];
  const engine = new EngineRig(async () => {
    const { signal } = currentJob();
    signal.addEventListener("abort", () => reasons.push(signal.reason.reason));
    await new Promise(() => {});
  }, { concurrency: 3 });
  for (let i = 0; i < 5; i++) engine.send([i]);
  await engine.start();
  await engine.stop();
  await engine.force();
  await engine.advance(0);
  assertEquals(engine.ended, true);
  assertEquals(reasons, Array(3).fill("stopping"));
  assertEquals(engine.left.map(([, visible]) => visible), Array(5).fill(true));
  const lines = engine.log.filter((line) =>
    line.includes("Gave up running jobs ")
  );
  assertEquals(lines.length, 1);
});

Deno.test("Engine flushes its deletes before it ends, refused ones too", async () => {
  let refusals = 3;
  const engine = new EngineRig(() => {}, {
    concurrency: 10,
    deleteDelaySeconds: 10,
  });
  engine.faults = {
    delete(real, url, receiptHandles) {
      return refusals-- > 0
        ? Promise.resolve(receiptHandles.map(() => THROTTLED))
        : real.delete(url, receiptHandles);
    },
  };
  for (let i = 0; i < 5; i++) engine.send([i]);
  await engine.start();
  await engine.stop();
  await engine.advance(20);
  assertEquals([engine.ended, engine.left], [true, []]);
});

Deno.test("Engine deletes by tens while it stops too", async () => {
  const engine = new EngineRig(
    (i: number) => pass(engine.clock, i < 25 ? 1 : 2),
    { concurrency: 30, deleteDelaySeconds: 10 },
  );
  for (let i = 0; i < 30; i++) engine.send([i]);
  await engine.start();
  await engine.advance(0.5);
  await engine.stop();
  await engine.advance(0.5);
  assertEquals(engine.summary.requests.DeleteMessage, 2);
  assertEquals(engine.left.length, 10);
  await engine.end();
  assertEquals(engine.summary.requests.DeleteMessage, 3);
  assertEquals(engine.left, []);
});

Deno.test("Engine has each delete wait for company its own time", async () => {
  const seconds = [0, ...Array(9).fill(1), 9, 60];
  const engine = new EngineRig((i: number) => pass(engine.clock, seconds[i]!), {
    concurrency: 30,
    deleteDelaySeconds: 10,
    visibilityTimeoutSeconds: 300,
  });
  for (const i of seconds.keys()) engine.send([i]);
  await engine.start();
  // Ten have gone together by now; the one of 9 s has waited for a second.
  await engine.advance(10.5);
  assertEquals(engine.summary.requests.DeleteMessage, 1);
  await engine.advance(9);
  assertEquals(engine.summary.requests.DeleteMessage, 2);
  await engine.advance(60);
  await engine.end();
  assertEquals(engine.left, []);
});

Deno.test("Engine receives no more than it holds while its deletes are refused", async () => {
  const engine = new EngineRig(() => {}, { concurrency: 5, prefetch: 5 });
  let isAllowed = false;
  engine.faults = {
    delete(real, url, receiptHandles) {
      if (isAllowed) return real.delete(url, receiptHandles);
      throw refuse("AccessDenied");
    },
  };
  for (let i = 0; i < 100; i++) engine.send([i]);
  await engine.start();
  await engine.advance(25);
  const { done } = engine.summary;
  assert(done >= 10 && done <= 20, `${done} done`);
  isAllowed = true;
  await engine.advance(10);
  assertEquals(engine.left, []);
  await engine.end();
});

Deno.test("Engine drains when nothing runs and two long polls were empty", async () => {
  const engine = new EngineRig(() => pass(engine.clock, 100), {
    concurrency: 5,
  });
  for (let i = 0; i < 12; i++) engine.send([i]);
  await engine.start(true);
  await engine.advance(250);
  assertEquals(engine.ended, false);
  await engine.advance(90);
  assertEquals([engine.ended, engine.left], [true, []]);
});

Deno.test("Engine counts its work", async () => {
  const engine = new EngineRig((what: string) => {
    if (what === "later") throw new TransientError("", { delaySeconds: 600 });
    if (what === "bad") throw new TypeError("bad");
  }, { concurrency: 10 });
  for (const what of ["good", "good", "later", "bad"]) engine.send([what]);
  await engine.start();
  await engine.end();
  const { requests, emptyReceives, ...counts } = engine.summary;
  assertEquals(counts, {
    received: 4,
    done: 2,
    failed: 1,
    retried: 1,
    released: 0,
    leasesLost: 0,
    undeleted: 0,
  });
  assertEquals(requests.DeleteMessage, 1);
  assertEquals(requests.ChangeMessageVisibility, 1);
  assertEquals(requests.ReceiveMessage, emptyReceives + 1);
});

Deno.test("Engine.pause() releases waiting messages, and lets running jobs finish", async () => {
  const started: number[] = [];
  const engine = new EngineRig(async (i: number) => {
    started.push(i);
    await pass(engine.clock, 10);
  }, { concurrency: 2, prefetch: 8 });
  for (let i = 0; i < 6; i++) engine.send([i]);
  await engine.start();
  engine.engine.pause();
  await engine.advance(5);
  assertEquals(
    engine.left.map(([, visible]) => visible),
    [false, false, true, true, true, true],
  );
  await engine.advance(600);
  const { done, released, requests } = engine.summary;
  assertEquals([started.length, done, released], [2, 2, 4]);
  assertEquals([engine.left.length, engine.engine.problem], [4, undefined]);
  engine.engine.resume();
  await engine.advance(30);
  assertEquals([started.length, engine.left], [6, []]);
  assert(engine.summary.requests.ReceiveMessage > requests.ReceiveMessage);
  await engine.end();
});

Deno.test("Engine.pause() releases what a receive in flight brings", async () => {
  let runs = 0;
  const engine = new EngineRig(() => void runs++);
  await engine.start();
  engine.engine.pause();
  engine.send([1]);
  await engine.advance(60);
  assertEquals([runs, engine.summary.released], [0, 1]);
  assertEquals(engine.left, [["[[1],{}]", true]]);
  await engine.end();
  assertEquals([runs, engine.left.length], [0, 1]);
});

Deno.test("Engine does not end a drain while it is paused", async () => {
  const engine = new EngineRig(() => {}, { concurrency: 2 });
  await engine.start(true);
  engine.engine.pause();
  engine.send([1]);
  await engine.advance(300);
  assertEquals(engine.ended, false);
  engine.engine.resume();
  await engine.advance(60);
  assertEquals([engine.ended, engine.left], [true, []]);
});

Deno.test("Engine counts only empty polls after the last job for a drain", async () => {
  const engine: EngineRig = new EngineRig(async (i: number) => {
    if (engine.jobs.length > 1) return;
    await pass(engine.clock, 50);
    throw new TransientError(`again ${i}`, { delaySeconds: 0 });
  }, { concurrency: 2 });
  engine.faults = {
    receive(real, url, options) {
      // Two polls were empty, and the job ends in the pause after a failure.
      const now = engine.clock.now();
      if (now >= 40_000 && now < 60_000) return Promise.reject(new Error("no"));
      return real.receive(url, options);
    },
  };
  engine.send([1]);
  await engine.start(true);
  await engine.advance(200);
  assertEquals([engine.jobs, engine.left, engine.ended], [[1, 1], [], true]);
});

function fixed(seconds: number) {
  return { minSeconds: seconds, maxSeconds: seconds };
}
