/**
 * Receives that are refused for long after a good start, and more polls than
 * sockets.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { SqsError } from "../../src/errors.ts";
import { MAX_POLLS } from "../../src/sqs/connection.ts";
import { EngineRig, pass } from "../support/engine_rig.ts";

function sqsError(code: string, senderFault: boolean): SqsError {
  return new SqsError(`ReceiveMessage failed: ${code}`, { code, senderFault });
}

const REFUSALS = [
  "AccessDenied",
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidClientTokenId",
  "SignatureDoesNotMatch",
  "QueueDoesNotExist",
];

for (const code of REFUSALS) {
  Deno.test(`A drain ends after 60 s of nothing but ${code}`, async () => {
    const engine: EngineRig = new EngineRig(
      () => pass(engine.clock, 100),
      { concurrency: 2, waitTimeSeconds: 1 },
    );
    engine.send([1]);
    const run = engine.run({ drain: true });
    const rejected = assertRejects(() => run, SqsError);
    await engine.advance(1.5);
    const refusedSince = engine.clock.now();
    engine.faults.receive = () => Promise.reject(sqsError(code, true));
    await engine.advance(55);
    assertEquals(engine.ended, false);
    // The running job finishes.
    await engine.advance(30);
    assertEquals([engine.ended, engine.engine.problem], [false, "stopping"]);
    await engine.advance(20);
    assertEquals([engine.ended, engine.left], [true, []]);
    const error = await rejected;
    assertEquals(error.code, code);
    assertStringIncludes(
      error.message,
      "Cannot drain adder, as each receive for 60 s was refused: ReceiveMessage failed",
    );
    assert(refusedSince < 2000);
  });
}

Deno.test("A drain without a job ends 60 s after the first refusal", async () => {
  const engine = new EngineRig(() => {});
  const run = engine.run({ drain: true });
  const rejected = assertRejects(() => run, SqsError);
  engine.faults.receive = () => Promise.reject(sqsError("AccessDenied", true));
  await engine.advance(20);
  await engine.advance(59);
  assertEquals(engine.ended, false);
  await engine.advance(2);
  assertEquals(engine.ended, true);
  await rejected;
});

Deno.test("A drain outlives an outage and refusals that pass, but not one before its first answer", async () => {
  const engine = new EngineRig(() => {}, { waitTimeSeconds: 1 });
  engine.send([1]);
  await engine.start(true);
  let i = 0;
  engine.faults.receive = () =>
    Promise.reject(
      i++ % 3 === 0
        ? sqsError("ECONNRESET", false)
        : sqsError("ExpiredToken", true),
    );
  await engine.advance(600);
  assertEquals(engine.ended, false);
  engine.faults = {};
  await engine.advance(60);
  assertEquals([engine.ended, engine.left], [true, []]);

  const late = new EngineRig(() => {}, { isUnseen: true });
  late.faults.receive = () => Promise.reject(sqsError("ECONNREFUSED", false));
  const run = late.run({ drain: true });
  const rejected = assertRejects(() => run, SqsError);
  await late.advance(59);
  assertEquals(late.ended, false);
  await late.advance(2);
  assertEquals(late.ended, true);
  assertEquals((await rejected).code, "ECONNREFUSED");
});

Deno.test("A running container repeats why it receives nothing, and each change of it", async () => {
  const engine = new EngineRig(() => {}, { waitTimeSeconds: 1 });
  await engine.start();
  let code = "AccessDenied";
  engine.faults.receive = () => Promise.reject(sqsError(code, true));
  await engine.advance(700);
  const lines = () => engine.log.filter((line) => line.includes(code)).length;
  assertEquals(lines(), 3);
  assertEquals(engine.engine.problem, "receives failing");
  code = "ExpiredToken";
  await engine.advance(31);
  assertEquals(lines(), 1);
  await engine.end();
});

Deno.test("A container of 1,000 jobs polls no more than it has sockets", async () => {
  let polls = 0;
  let most = 0;
  const engine = new EngineRig(() => {}, {
    concurrency: 1000,
    waitTimeSeconds: 20,
  });
  engine.faults.receive = async (real, ...call) => {
    most = Math.max(most, ++polls);
    await pass(engine.clock, 0.05);
    return await real.receive(...call).finally(() => polls--);
  };
  for (let i = 0; i < 20_000; i++) engine.send([i]);
  await engine.start();
  await engine.advance(10);
  assertEquals(engine.left, []);
  assertEquals(most, MAX_POLLS);
  await engine.end();
});

for (
  const code of [
    "InvalidSignatureException",
    "RequestExpired",
    "ExpiredToken",
    "OverLimit",
    "ThrottlingException",
  ]
) {
  Deno.test(`A first receive from a queue's URL outlives ${code}`, async () => {
    const engine = new EngineRig(() => {}, { isUnseen: true });
    engine.send([1]);
    engine.faults.receive = () => Promise.reject(sqsError(code, true));
    await engine.start();
    await engine.advance(100);
    assertEquals(engine.ended, false);
    engine.faults = {};
    await engine.advance(31);
    assertEquals(engine.left, []);
    await engine.end();
  });
}
