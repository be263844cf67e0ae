/**
 * The engine if SQS, the network or a job does not play along: late time-outs,
 * answers that never come, jobs that keep the CPU.
 *
 * @module
 */

import { systemClock } from "../../src/clock.ts";
import { SqsError } from "../../src/errors.ts";
import { assert, assertEquals } from "@std/assert";
import type {
  EntryResult,
  VisibilityChange,
} from "../../src/sqs/connection.ts";
import { currentJob } from "../../src/job/current_job.ts";
import { Turns } from "../../src/cpu_turns.ts";
import { Visibility } from "../../src/engine/visibility.ts";
import { EngineRig, pass } from "../support/engine_rig.ts";
import { turn } from "../support/turn.ts";

const REFUSED: EntryResult = {
  ok: false,
  failure: { code: "InternalError", message: "not now", senderFault: false },
};

function reset(): SqsError {
  return new SqsError("reset", {
    code: "ECONNRESET",
    senderFault: false,
  });
}

/** Lets time jump while a job keeps the CPU: no timer fires. */
function jumping(engine: EngineRig): (seconds: number) => void {
  let jumpedMs = 0;
  const now = engine.clock.now.bind(engine.clock);
  engine.clock.now = () => now() + jumpedMs;
  return (seconds) => jumpedMs += seconds * 1000;
}

/** How many receives were given up as nothing answered them. */
function unanswered({ log }: EngineRig): number {
  return log.filter((line) => line.includes("no answer")).length;
}

Deno.test("Engine lets others have their turn after a job that kept the CPU", async () => {
  let cpuMs = 0;
  const keepCpu = () => {
    cpuMs += 60;
  };
  for (const [concurrency, isAsync] of [[1, false], [4, false], [1, true]]) {
    const events: string[] = [];
    const engine: EngineRig = new EngineRig((i: number) => {
      events.push(`job ${i}`);
      setTimeout(() => events.push(`turn ${i}`), 0);
      return isAsync ? Promise.resolve().then(keepCpu) : keepCpu();
    }, { concurrency: Number(concurrency), prefetch: 3 });
    Object.assign(engine.clock, { cpuNow: () => cpuMs });
    for (let i = 0; i < 3; i++) engine.send([i]);
    await engine.start();
    await engine.advance(0);
    await engine.end();
    assertEquals(
      events.filter((event) => event !== "turn 2"),
      ["job 0", "turn 0", "job 1", "turn 1", "job 2"],
    );
  }
});

Deno.test("Engine deletes the message of a job that kept the CPU until a forced stop", async () => {
  let cpuMs = 0;
  const engine: EngineRig = new EngineRig(() => {}, {
    concurrency: 2,
    runner: {
      run() {
        cpuMs += 60;
        forceSoon();
        return Promise.resolve({ kind: "done" });
      },
    },
  });
  // After the job has ended, and before others have had their turn.
  const forceSoon = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    await engine.force();
  };
  Object.assign(engine.clock, { cpuNow: () => cpuMs });
  engine.send([1]);
  await engine.start();
  await engine.advance(1);
  await engine.end();
  assertEquals(engine.left, []);
});

Deno.test("Engine does not start a message whose lease ended while a job kept the CPU", async () => {
  const started: number[] = [];
  const engine: EngineRig = new EngineRig((i: number) => {
    started.push(i);
    if (i === 0) jump(31);
  }, { concurrency: 1, prefetch: 1 });
  const jump = jumping(engine);
  engine.faults = {
    receive: (real, url, options) =>
      started.length > 0 ? new Promise(() => {}) : real.receive(url, options),
  };
  engine.send([0]);
  engine.send([1]);
  await engine.start();
  await engine.advance(0);
  assertEquals(started, [0]);
  await engine.force();
});

for (
  const [what, timeoutSeconds, keptSeconds] of [
    ["its timeout", 10, 15],
    ["its lease", undefined, 31],
  ] as const
) {
  Deno.test(`Engine keeps the message of a job that kept the CPU past ${what}, whatever it throws`, async () => {
    let runs = 0;
    const engine: EngineRig = new EngineRig(() => {
      if (++runs > 1) return pass(engine.clock, 100);
      jump(keptSeconds);
      throw new TypeError("too late");
    }, { ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }) });
    const jump = jumping(engine);
    engine.send([0]);
    await engine.start();
    await engine.advance(2);
    assertEquals(engine.left.length, 1);
    assertEquals(engine.summary.failed, 0);
    await engine.force();
  });
}

Deno.test("Engine reads an answer that came while a job kept the CPU", async () => {
  const done: number[] = [];
  const engine: EngineRig = new EngineRig(async (i: number) => {
    done.push(i);
    if (i > 1) return;
    await pass(engine.clock, 5);
    jump(40);
  }, { concurrency: 2, visibilityTimeoutSeconds: 120 });
  const jump = jumping(engine);
  let polls = 0;
  engine.faults = {
    async receive(real, url, options) {
      if (++polls === 1) return await real.receive(url, options);
      // There in time, but not read until the job is done and a timer late.
      const messages = await real.receive(url, options);
      await pass(engine.clock, 30.5);
      return messages;
    },
  };
  engine.send([0]);
  await engine.start();
  engine.send([1]);
  await engine.advance(1);
  // The next receive is given its time as this one is.
  engine.send([2]);
  await engine.advance(61);
  assertEquals(unanswered(engine), 0);
  assertEquals(done, [0, 1, 2]);
  await engine.force();
});

Deno.test("Engine cuts off a receive that stays silent after a job kept the CPU", async () => {
  const engine: EngineRig = new EngineRig(async () => {
    await pass(engine.clock, 5);
    jump(40);
  }, { concurrency: 2, visibilityTimeoutSeconds: 120 });
  const jump = jumping(engine);
  let polls = 0;
  engine.faults = {
    receive: (real, url, options) =>
      ++polls === 2 ? new Promise(() => {}) : real.receive(url, options),
  };
  engine.send([0]);
  await engine.start();
  await engine.advance(30.5);
  assertEquals([polls, unanswered(engine)], [2, 0]);
  await engine.advance(1);
  assertEquals(unanswered(engine), 1);
  await engine.force();
});

Deno.test("Engine cuts off each of two receives that stay silent", async () => {
  const engine: EngineRig = new EngineRig(
    () => pass(engine.clock, 5),
    { concurrency: 30, visibilityTimeoutSeconds: 120 },
  );
  const dropped: number[] = [];
  let polls = 0;
  engine.faults = {
    receive(real, url, options) {
      const poll = ++polls;
      if (poll < 3 || poll > 4) return real.receive(url, options);
      return new Promise((_, reject) => {
        options.signal!.addEventListener("abort", () => {
          dropped.push(poll);
          reject(options.signal!.reason);
        });
      });
    },
  };
  for (let i = 0; i < 20; i++) engine.send([i]);
  await engine.start();
  await engine.advance(29);
  assertEquals(dropped, []);
  await engine.advance(10);
  assertEquals(dropped.toSorted(), [3, 4]);
  await engine.force();
});

Deno.test("Engine gives no turn away for jobs that wait", async () => {
  let cpuMs = 0;
  const clock = { ...systemClock, cpuNow: () => cpuMs };
  const turns = new Turns(clock, () => {});
  turns.begin();
  await turn();
  cpuMs += 1_000;
  assert(!turns.isLong);
  turns.begin();
  cpuMs += 60;
  assert(turns.isLong);
});

for (const seconds of [2, 5, 7, 8]) {
  Deno.test(`Engine extends a lease of 30 s where the queue's own visibility timeout is ${seconds} s`, async () => {
    let aborted: unknown;
    const visibility = new Visibility();
    const engine: EngineRig = new EngineRig(async () => {
      const { signal } = currentJob();
      await pass(engine.clock, 60);
      aborted = signal.reason;
    }, { visibility });
    engine.send([0]);
    await engine.start();
    visibility.seconds = seconds;
    await engine.advance(70);
    assertEquals([aborted, engine.summary.done], [undefined, 1]);
    await engine.end();
  });
}

for (const seconds of [120, 480, 3600]) {
  Deno.test(`Engine tries the extension of a lease of 30 s again where the queue's own visibility timeout is ${seconds} s`, async () => {
    const visibility = new Visibility();
    let extensions = 0;
    const engine: EngineRig = new EngineRig(
      () => pass(engine.clock, 60),
      { visibility },
    );
    engine.faults = {
      changeVisibility: (real, url, changes) =>
        extensions++ === 0
          ? Promise.reject(reset())
          : real.changeVisibility(url, changes),
    };
    engine.send([0]);
    await engine.start();
    visibility.seconds = seconds;
    await engine.advance(70);
    const { leasesLost, done } = engine.summary;
    assertEquals([leasesLost, done], [0, 1]);
    await engine.end();
  });
}

Deno.test("Engine is told by no change of its queue how long it holds a message", async () => {
  let late = 0;
  const engine: EngineRig = new EngineRig(async () => {
    const visible = engine.left.filter(([, visible]) => visible).length;
    if (visible > 0) late++;
    await pass(engine.clock, 60);
  }, { visibilityTimeoutSeconds: 300, concurrency: 1, prefetch: 1 });
  await engine.start();
  await engine.advance(30);
  Object.assign(engine.queue.settings, { visibilityTimeoutSeconds: 30 });
  engine.send([1]);
  engine.send([2]);
  await engine.advance(130);
  assertEquals([late, engine.summary.done], [0, 2]);
  await engine.end();
});

Deno.test("Engine says in one line that extensions fail", async () => {
  const engine: EngineRig = new EngineRig(() => pass(engine.clock, 100), {
    concurrency: 100,
  });
  engine.faults = { changeVisibility: () => Promise.reject(reset()) };
  for (let i = 0; i < 110; i++) engine.send([i]);
  await engine.start();
  await engine.advance(29);
  assertEquals(engine.log, [
    "WARNING zsqs Extending 10 leases of adder failed; retrying: reset",
  ]);
  await engine.force();
});

Deno.test("Engine says in one line for each request that deletes fail", async () => {
  const engine: EngineRig = new EngineRig(() => {}, { concurrency: 100 });
  engine.faults = {
    delete: (_real, _url, handles) =>
      Promise.resolve(handles.map(() => REFUSED)),
  };
  for (let i = 0; i < 50; i++) engine.send([i]);
  await engine.start();
  await engine.advance(10);
  const { requests } = engine.summary;
  assertEquals(engine.log.length, 5);
  assert(requests.DeleteMessage > 10, `${requests.DeleteMessage} requests`);
  await engine.force();
  await engine.advance(10);
});

Deno.test("Engine releases at a forced stop what SQS refuses once", async () => {
  let refusals = 1;
  const engine: EngineRig = new EngineRig(() => pass(engine.clock, 100), {
    concurrency: 2,
  });
  engine.faults = {
    changeVisibility: (real, url, changes) =>
      refusals-- > 0
        ? Promise.resolve(changes.map((_: VisibilityChange) => REFUSED))
        : real.changeVisibility(url, changes),
  };
  engine.send([1]);
  engine.send([2]);
  await engine.start();
  await engine.advance(1);
  await engine.force();
  await engine.advance(3);
  assertEquals(engine.left.map(([, visible]) => visible), [true, true]);
  assertEquals(engine.ended, true);
});

Deno.test("Engine deletes at a forced stop what SQS refuses once", async () => {
  let refusals = 1;
  const engine: EngineRig = new EngineRig(
    (i: number) => pass(engine.clock, i === 1 ? 1 : 100),
    { concurrency: 2, deleteDelaySeconds: 10 },
  );
  engine.faults = {
    delete: (real, url, handles) =>
      refusals-- > 0
        ? Promise.resolve(handles.map(() => REFUSED))
        : real.delete(url, handles),
  };
  engine.send([1]);
  engine.send([2]);
  await engine.start();
  await engine.advance(2);
  await engine.force();
  await engine.advance(3);
  assertEquals(engine.left.length, 1);
  assertEquals(engine.ended, true);
});

Deno.test("Engine cuts a receive that ignores its signal, and polls on", async () => {
  let polls = 0;
  const engine = new EngineRig(() => {});
  engine.faults = {
    receive: (real, url, options) =>
      ++polls === 1 ? new Promise(() => {}) : real.receive(url, options),
  };
  await engine.start();
  await engine.advance(33);
  engine.send([1]);
  await engine.advance(1);
  assertEquals(engine.summary.done, 1);
  await engine.end();
});

Deno.test("Engine ends a forced stop though no call is answered", async () => {
  const engine = new EngineRig(() => {}, { concurrency: 2 });
  engine.faults = { delete: () => new Promise(() => {}) };
  engine.send([1]);
  await engine.start();
  engine.faults.receive = () => new Promise(() => {});
  await engine.advance(40);
  await engine.force();
  await engine.advance(9);
  assertEquals(engine.ended, false);
  await engine.advance(2);
  assertEquals(engine.ended, true);
});

Deno.test("Engine leaves no timer of a job that ignores a forced stop", async () => {
  const engine = new EngineRig(() => new Promise(() => {}), {
    concurrency: 2,
    timeoutSeconds: 1000,
  });
  const open = new Set<() => void>();
  const timer = engine.clock.timer.bind(engine.clock);
  engine.clock.timer = (ms, callback) => {
    const close = () => {
      open.delete(close);
      cancel();
    };
    const cancel = timer(ms, () => {
      open.delete(close);
      callback();
    });
    open.add(close);
    return close;
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(1);
  await engine.force();
  await engine.advance(1);
  assertEquals([engine.ended, open.size], [true, 0]);
});

Deno.test("Engine receives as fast where SQS gives seven of ten", async () => {
  const done: Record<number, number> = {};
  for (const part of [10, 7]) {
    const engine: EngineRig = new EngineRig(() => pass(engine.clock, 0.1), {
      concurrency: 100,
    });
    engine.faults = {
      async receive(real, url, options) {
        await pass(engine.clock, 0.02);
        const maxMessages = Math.min(part, options.maxMessages);
        return await real.receive(url, { ...options, maxMessages });
      },
    };
    for (let i = 0; i < 1000; i++) engine.send([i]);
    await engine.start();
    await engine.advance(0.7);
    done[part] = engine.summary.done;
    await engine.force();
    await engine.advance(1);
  }
  assert(done[7]! > done[10]! * 0.8, JSON.stringify(done));
});
