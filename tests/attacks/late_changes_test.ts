/**
 * Extensions whose answer is late or lost, or which reach SQS late: the last
 * intention of a container wins.
 *
 * @module
 */

import { TransientError } from "../../src/job_errors.ts";
import { assert, assertEquals } from "@std/assert";
import { SqsError } from "../../src/errors.ts";
import type { ReceivedMessage } from "../../src/sqs/connection.ts";
import type { CallFaults } from "../support/call_faults.ts";
import { EngineRig, pass } from "../support/engine_rig.ts";

const RESET = new SqsError("reset", { code: "ECONNRESET", senderFault: false });

type Change = NonNullable<CallFaults["changeVisibility"]>;

/** When the job ends: 0.4 s after its extension was sent. */
const END_SECONDS = 6.4;

/** A job of a visibility timeout of 8 s; its extension is sent after 6 s. */
async function playTo(
  seconds: number,
  extend: (
    engine: EngineRig,
    ...call: Parameters<Change>
  ) => ReturnType<Change>,
  ends: "retry" | "forced stop",
): Promise<{ readonly engine: EngineRig; readonly extended: number }> {
  let runs = 0;
  let extended = 0;
  const engine: EngineRig = new EngineRig(async () => {
    if (++runs > 1) return;
    await pass(engine.clock, ends === "retry" ? END_SECONDS : 100);
    throw new TransientError("", { delaySeconds: 3 });
  }, { concurrency: 2, visibilityTimeoutSeconds: 8 });
  engine.faults = {
    changeVisibility(real, url, changes, options) {
      if (changes[0]!.visibilityTimeoutSeconds < 8) {
        return real.changeVisibility(url, changes, options);
      }
      extended++;
      return extend(engine, real, url, changes, options);
    },
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(END_SECONDS);
  if (ends === "forced stop") await engine.force();
  await engine.advance(seconds - END_SECONDS);
  return { engine, extended };
}

/** Whether the message can be received, or was, and is done. */
function isBack({ left }: EngineRig): boolean {
  return left.length === 0 || left[0]![1];
}

const EXTENSIONS: [
  how: string,
  extend: Parameters<typeof playTo>[1],
  backAfter: number,
][] = [
  ["takes 2 s", async (engine, real, ...call) => {
    await pass(engine.clock, 1.9);
    return await real.changeVisibility(...call);
  }, 10.1],
  ["is answered after 2 s", async (engine, real, ...call) => {
    const results = await real.changeVisibility(...call);
    await pass(engine.clock, 2);
    return results;
  }, 10.1],
  ["loses its answer, and comes late", async (engine, real, url, changes) => {
    late(engine, 1.5, () => real.changeVisibility(url, changes));
    await pass(engine.clock, 0.2);
    throw RESET;
  }, 10.5],
  [
    "is lost while the job ends, and comes late",
    async (engine, real, url, changes) => {
      late(engine, 3, () => real.changeVisibility(url, changes));
      await pass(engine.clock, 1);
      throw RESET;
    },
    11.5,
  ],
];

/** A request that reaches the server late, whoever waits for it. */
async function late(
  engine: EngineRig,
  seconds: number,
  call: () => Promise<unknown>,
): Promise<void> {
  await pass(engine.clock, seconds);
  await call();
}

for (const [how, extend, backAfter] of EXTENSIONS) {
  Deno.test(`A retry delay holds though an extension ${how}`, async () => {
    const { engine } = await playTo(9.3, extend, "retry");
    assertEquals(engine.left.map(([, isVisible]) => isVisible), [false]);
    await engine.advance(backAfter - 9.3);
    assert(isBack(engine), "It is hidden for longer than asked for");
    await engine.end();
  });

  Deno.test(`A forced stop shows a message though an extension ${how}`, async () => {
    const { engine } = await playTo(backAfter + 0.5, extend, "forced stop");
    assert(isBack(engine), "It is hidden though it was given up");
    await engine.end();
  });
}

Deno.test("An extension without an answer is not repeated once its job has ended", async () => {
  const signals: (AbortSignal | undefined)[] = [];
  const { engine, extended } = await playTo(11, (_engine, _real, ...call) => {
    signals.push(call[2]?.signal);
    return new Promise(() => {});
  }, "retry");
  assertEquals(extended, 1);
  assertEquals(signals.map((signal) => signal?.aborted), [false]);
  await engine.advance(1);
  // The SDK would try again, after the release.
  assertEquals(signals.map((signal) => signal?.aborted), [true]);
  await engine.end();
});

Deno.test("A repeated release leaves the message of another container alone", async () => {
  let other: (() => Promise<ReceivedMessage[]>) | undefined;
  const { engine } = await playTo(7, async (engine, real, url) => {
    other = () => real.receive(url, { maxMessages: 1, waitTimeSeconds: 0 });
    await pass(engine.clock, 0.2);
    throw RESET;
  }, "forced stop");
  // Released at 6.4 s; another container has it when the release is repeated.
  const [message] = await other!();
  assertEquals(message?.receiveCount, 2);
  await engine.advance(7.9);
  assertEquals([engine.ended, isBack(engine)], [true, false]);
});
