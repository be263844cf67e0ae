/**
 * Jobs that end while SQS is away: they do not run again, and what may run again
 * is logged and counted.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { stub } from "@std/testing/mock";
import { RecentIds } from "../../src/engine/recent_ids.ts";
import { SqsError } from "../../src/errors.ts";
import type { EntryResult } from "../../src/sqs/connection.ts";
import type { CallFaults } from "../support/call_faults.ts";
import { EngineRig, pass, type RigOptions } from "../support/engine_rig.ts";

const AWAY = new SqsError("connect refused", {
  code: "ECONNREFUSED",
  senderFault: false,
});

const away = () => Promise.reject(AWAY);

const refusing = (code: string) => (): Promise<EntryResult[]> =>
  Promise.resolve([
    { ok: false, failure: { code, message: "no", senderFault: true } },
  ]);

/** A rig whose jobs end after 5 s, when calls begin to fail. */
async function playOutage(
  jobs: number,
  faults: CallFaults,
  options: RigOptions = {},
): Promise<EngineRig> {
  const engine: EngineRig = new EngineRig(
    () => pass(engine.clock, 5),
    { concurrency: 10, waitTimeSeconds: 1, ...options },
  );
  for (let i = 0; i < jobs; i++) {
    engine.send(
      [i],
      options.fifo ? { groupId: "g", deduplicationId: `${i}` } : {},
    );
  }
  await engine.start();
  await engine.advance(4);
  engine.faults = faults;
  return engine;
}

function counts(engine: EngineRig): [done: number, undeleted: number] {
  return [engine.summary.done, engine.summary.undeleted];
}

const OUTAGES: [what: string, faults: CallFaults][] = [
  ["SQS is away", { delete: away, receive: away, changeVisibility: away }],
  ["deletes alone are not answered", { delete: away, changeVisibility: away }],
  ["deletes alone fail at SQS", { delete: refusing("InternalError") }],
  ["the credentials are expired", {
    delete: () =>
      Promise.reject(
        new SqsError("expired", { code: "ExpiredToken", senderFault: true }),
      ),
  }],
];

for (const fifo of [false, true]) {
  const jobs = fifo ? 1 : 10;
  const queue = fifo ? "FIFO" : "standard";
  for (const [what, faults] of OUTAGES) {
    Deno.test(`Jobs of a ${queue} queue that end while ${what} run once`, async () => {
      // The longest pauses between receives: the delete is tried before them.
      using _chance = stub(Math, "random", () => 0.99);
      const engine = await playOutage(jobs, faults, { fifo });
      await engine.advance(100);
      engine.faults = {};
      await engine.advance(40);
      assertEquals([engine.jobs.length, engine.left], [jobs, []]);
      // SQS refuses an expired receipt handle of a FIFO queue: others may have
      // received the message.
      const expired = fifo && faults.receive !== undefined ? 1 : 0;
      assertEquals(counts(engine), [jobs, expired]);
      await engine.end();
    });
  }
}

Deno.test("Jobs of a full queue run once though their deletes fail, one at a time too", async () => {
  for (const concurrency of [1, 2]) {
    const engine = await playOutage(30, { delete: away }, { concurrency });
    await engine.advance(200);
    engine.faults = {};
    await engine.advance(200);
    assertEquals([engine.jobs.length, engine.left.length], [30, 0]);
    await engine.end();
  }
});

Deno.test("A job whose delete deletes nothing as it is late does not run again", async () => {
  // fauxqs answers so, as AWS does for older receipt handles.
  const OK: EntryResult[] = [{ ok: true, value: undefined }];
  const engine = await playOutage(1, {
    async delete() {
      await pass(engine.clock, 60);
      engine.faults = {};
      return OK;
    },
  });
  await engine.advance(120);
  assertEquals([engine.jobs.length, engine.left], [1, []]);
  await engine.end();
});

Deno.test("A job whose receipt handle SQS refuses does not run again, and is counted", async () => {
  const engine = await playOutage(1, {
    delete: refusing("ReceiptHandleIsInvalid"),
  });
  await engine.advance(3);
  assertEquals(counts(engine), [1, 1]);
  engine.faults = {};
  await engine.advance(40);
  assertEquals([engine.jobs.length, engine.left], [1, []]);
  await engine.end();
});

Deno.test("A stop while SQS is away names each job that may run again", async () => {
  const silent = () => new Promise<never>(() => {});
  for (const gone of [away, silent]) {
    const engine = await playOutage(12, { delete: gone, receive: away });
    await engine.advance(10);
    await engine.force();
    await engine.advance(11);
    assert(engine.ended);
    assertEquals(counts(engine), [12, 12]);
    const named = new Set(
      engine.log.filter((line) => line.includes("may run again"))
        .flatMap((line) => line.match(/message \S+(?=, receive 1)/g)),
    );
    assertEquals(named.size, 12);
  }
});

Deno.test("A long outage is logged again every five minutes", async () => {
  const engine = await playOutage(1, { delete: away });
  await engine.advance(620);
  const lines = engine.log.filter((line) => line.includes("Delete failed"));
  assertEquals(lines.length, 3);
  for (const line of lines) assertMatch(line, /; retrying: .*ECONNREFUSED/);
  engine.faults = {};
  await engine.end();
});

Deno.test("RecentIds remembers the last 10,000", () => {
  const finished = new RecentIds();
  for (let i = 0; i < 10_001; i++) finished.add(`${i}`);
  assertEquals(["0", "1", "10000"].map((id) => finished.has(id)), [
    false,
    true,
    true,
  ]);
});
