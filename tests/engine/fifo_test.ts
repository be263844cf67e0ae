/**
 * FIFO queues: each group's jobs in order and one at a time, whatever happens.
 *
 * @module
 */

import { TransientError } from "../../src/job_errors.ts";
import { assert, assertEquals } from "@std/assert";
import { SqsError } from "../../src/errors.ts";
import { randomOf } from "../../src/double/random.ts";
import { currentJob } from "../../src/job/current_job.ts";
import { EngineRig, pass } from "../support/engine_rig.ts";

Deno.test("Engine runs a group's jobs one at a time and other groups beside", async () => {
  const running = new Map<string, number>();
  let most = 0;
  const order: string[] = [];
  const engine = new EngineRig(async (group: string, i: number) => {
    running.set(group, (running.get(group) ?? 0) + 1);
    assertEquals(running.get(group), 1);
    most = Math.max(most, [...running.values()].reduce((a, b) => a + b));
    await pass(engine.clock, 1);
    order.push(`${group}${i}`);
    running.set(group, 0);
  }, { fifo: true, concurrency: 10 });
  for (let i = 0; i < 5; i++) {
    for (const group of ["a", "b", "c"]) {
      engine.send([group, i], { groupId: group });
    }
  }
  await engine.start();
  await engine.advance(30);
  await engine.end();
  assertEquals(most, 3);
  for (const group of ["a", "b", "c"]) {
    assertEquals(
      order.filter((name) => name.startsWith(group)),
      [0, 1, 2, 3, 4].map((i) => group + i),
    );
  }
  assertEquals(engine.left, []);
});

Deno.test("Engine releases the messages behind a job that will be retried", async () => {
  const started: number[] = [];
  const engine = new EngineRig((i: number) => {
    started.push(i);
    if (i === 0 && currentJob().receiveCount === 1) {
      throw new TransientError("", { delaySeconds: 10 });
    }
  }, { fifo: true, concurrency: 5 });
  for (let i = 0; i < 4; i++) engine.send([i], { groupId: "g" });
  await engine.start();
  await engine.advance(9);
  assertEquals(started, [0]);
  await engine.advance(15);
  assertEquals(started, [0, 0, 1, 2, 3]);
  await engine.end();
  assertEquals(engine.left, []);
});

Deno.test("Engine lets no slow group stop the others", async () => {
  const done: string[] = [];
  const engine = new EngineRig(async (group: string, i: number) => {
    await pass(engine.clock, group === "slow" && i === 0 ? 600 : 1);
    done.push(group);
  }, { fifo: true, concurrency: 5 });
  for (let i = 0; i < 10; i++) engine.send(["slow", i], { groupId: "slow" });
  for (let i = 0; i < 20; i++) {
    engine.send([`g${i}`, i], { groupId: `g${i}` });
  }
  await engine.start();
  await engine.advance(60);
  assertEquals(done.length, 20);
  await engine.advance(620);
  await engine.end();
  assertEquals([done.length, engine.left], [30, []]);
});

Deno.test("Engine holds at most ten messages of groups that wait for each job at a time", async () => {
  const engine = new EngineRig(
    () => pass(engine.clock, 60),
    { fifo: true, concurrency: 3, prefetch: 27 },
  );
  for (let group = 0; group < 10; group++) {
    for (let i = 0; i < 10; i++) {
      engine.send([group, i], { groupId: `g${group}` });
    }
  }
  await engine.start();
  await engine.advance(30);
  assertEquals(engine.left.filter(([, visible]) => !visible).length, 30);
  await engine.end();
});

Deno.test("Engine starts the next job of a group only when the last is deleted", async () => {
  const started: number[] = [];
  const engine = new EngineRig((i: number) => void started.push(i), {
    fifo: true,
    concurrency: 5,
  });
  const { promise: hold, resolve: go } = Promise.withResolvers<void>();
  engine.faults = {
    async delete(real, ...args) {
      await hold;
      return real.delete(...args);
    },
  };
  engine.send([0], { groupId: "g" });
  engine.send([1], { groupId: "g" });
  await engine.start();
  await engine.advance(5);
  assertEquals(started, [0]);
  go();
  await engine.advance(5);
  assertEquals(started, [0, 1]);
  await engine.end();
});

Deno.test("Engine asks for a lost answer again with the same attempt id", async () => {
  const ids: (string | undefined)[] = [];
  const engine = new EngineRig(() => {}, { fifo: true });
  engine.faults = {
    receive(real, url, options) {
      ids.push(options.attemptId);
      return ids.length === 1
        ? Promise.reject(
          new SqsError("reset", {
            code: "ECONNRESET",
            senderFault: false,
          }),
        )
        : real.receive(url, options);
    },
  };
  await engine.start();
  await engine.advance(40);
  await engine.end();
  assert(ids[0] !== undefined);
  assertEquals(ids[1], ids[0]);
  assert(ids[2] !== ids[0]);
});

for (const seed of [1, 2, 3, 4, 5]) {
  Deno.test(`Engine keeps 20 groups in order through failures, seed ${seed}`, async () => {
    const random = randomOf(seed);
    const done = new Map<string, number[]>();
    const running = new Set<string>();
    const engine = new EngineRig(async (group: string, i: number) => {
      assert(!running.has(group), `${group} runs twice at once`);
      running.add(group);
      try {
        const { signal } = currentJob();
        const dice = random();
        await pass(engine.clock, random() * 4);
        if (dice < 0.1) throw new TransientError();
        if (dice < 0.2) {
          throw new TransientError("", { delaySeconds: Math.floor(dice * 50) });
        }
        // Some take longer than their timeout, or than their lease lasts.
        if (dice < 0.25) await pass(engine.clock, 40);
        signal.throwIfAborted();
        done.set(group, [...done.get(group) ?? [], i]);
      } finally {
        running.delete(group);
      }
    }, { fifo: true, concurrency: 10, timeoutSeconds: 20 });
    engine.faults = {
      changeVisibility(real, ...args) {
        return random() < 0.2
          ? Promise.reject(
            new SqsError("reset", {
              code: "ECONNRESET",
              senderFault: false,
            }),
          )
          : real.changeVisibility(...args);
      },
    };
    const groups = Array.from({ length: 20 }, (_, i) => `group-${i}`);
    for (let i = 0; i < 10; i++) {
      for (const group of groups) engine.send([group, i], { groupId: group });
    }
    await engine.start();
    for (let i = 0; i < 200 && engine.left.length > 0; i++) {
      await engine.advance(30);
    }
    await engine.end();
    assertEquals(engine.left, []);
    for (const group of groups) {
      assertEquals(done.get(group), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
  });
}
