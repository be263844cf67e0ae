/**
 * What an engine does while its jobs have no place to run.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import type { JobRoom } from "../../src/job/runner.ts";
import { EngineRig, pass } from "../support/engine_rig.ts";

/** A place for jobs that a test fills and breaks. */
class Room implements JobRoom {
  hasRoom = true;
  problem: string | undefined;
  onChange: (() => void) | undefined;

  set(state: Partial<JobRoom>): void {
    Object.assign(this, state);
    this.onChange!();
  }
}

Deno.test("Engine starts a job only if there is room for it, and keeps its lease", async () => {
  const room = new Room();
  room.hasRoom = false;
  const engine = new EngineRig(() => {}, { concurrency: 4, room });
  engine.send(["a"]);
  await engine.start();
  await engine.advance(100);
  assertEquals([engine.jobs, engine.summary.received], [[], 1]);
  assertEquals(engine.engine.problem, undefined);
  room.set({ hasRoom: true });
  await engine.advance(10);
  assertEquals([engine.jobs, engine.left], [["a"], []]);
  await engine.end();
});

Deno.test("Engine receives nothing and releases waiting messages, once each, while no job can start", async () => {
  const room = new Room();
  const engine: EngineRig = new EngineRig(async () => {
    await pass(engine.clock, 1);
    room.set({ problem: "no process lives" });
  }, { concurrency: 2, prefetch: 40, room });
  for (let i = 0; i < 40; i++) engine.send([i]);
  await engine.start();
  // A receive in flight must not bring released messages again.
  await engine.advance(600);
  const counts = engine.queue.messages.map((message) => message.receiveCount);
  assertEquals(Math.max(...counts), 1);
  assertEquals(engine.left.every(([, visible]) => visible), true);
  assertEquals(engine.engine.problem, "no worker process");
  assertEquals(engine.summary.done, 2);
  room.set({ problem: undefined });
  await engine.advance(1);
  assertEquals(engine.engine.problem, "no worker process");
  await engine.end();
});

Deno.test("Engine stops while no job can start, and strands no message", async () => {
  const room = new Room();
  const engine = new EngineRig(() => {}, { concurrency: 2, room });
  room.hasRoom = false;
  engine.send([1]);
  await engine.start();
  room.set({ problem: "no process lives" });
  await engine.end();
  assertEquals(engine.left, [["[[1],{}]", true]]);
});

Deno.test("Engine makes a message visible immediately if no process could run its job", async () => {
  const room = new Room();
  const error = new Error("no process lives");
  const engine = new EngineRig(() => {}, {
    room,
    debug: true,
    runner: {
      run() {
        room.problem = error.message;
        return Promise.resolve({ kind: "released", error });
      },
    },
  });
  engine.send([1]);
  await engine.start();
  await engine.advance(1);
  assertEquals(engine.left, [["[[1],{}]", true]]);
  const { received, released, retried } = engine.summary;
  assertEquals([received, released, retried], [1, 1, 0]);
  await engine.end();
});
