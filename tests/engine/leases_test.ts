/**
 * Leases: when they begin, how long they can be, and for which messages.
 *
 * @module
 */

import { TransientError } from "../../src/job_errors.ts";
import { SqsError } from "../../src/errors.ts";
import { assert, assertEquals } from "@std/assert";
import type {
  EntryResult,
  ReceivedMessage,
  VisibilityChange,
} from "../../src/sqs/connection.ts";
import type { FailureQueue } from "../../src/engine/failure_queue.ts";
import { currentJob, JobAbortedError } from "../../container.ts";
import { EngineRig, pass } from "../support/engine_rig.ts";

const REFUSED = new SqsError("reset", {
  code: "ECONNRESET",
  senderFault: false,
});

/** A job that tells when and why its signal aborts. */
function watching(
  engine: () => EngineRig,
  seconds: number,
): { at: number | undefined; reason: unknown; handler: () => Promise<void> } {
  const seen = {
    at: undefined as number | undefined,
    reason: undefined as unknown,
    handler: async () => {
      const { signal } = currentJob();
      signal.addEventListener("abort", () => {
        seen.at = engine().clock.now() / 1000;
        seen.reason = signal.reason.reason;
      });
      await pass(engine().clock, seconds);
    },
  };
  return seen;
}

Deno.test("Engine counts an extended lease from the sending of the extension", async () => {
  let extensions = 0;
  const job = watching(() => engine, 200);
  const engine: EngineRig = new EngineRig(job.handler);
  engine.faults = {
    async changeVisibility(real, url, changes) {
      if (extensions++ > 0) throw REFUSED;
      const results = await real.changeVisibility(url, changes);
      await pass(engine.clock, 6);
      return results;
    },
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(120);
  // Sent at 22.5 s, answered at 28.5 s.
  assertEquals([job.at, job.reason], [52.5, "lease lost"]);
  await engine.force();
});

Deno.test("Engine extends a lease up to SQS's 12 hours, and no further", async () => {
  const job = watching(() => engine, 13 * 3600);
  const engine: EngineRig = new EngineRig(job.handler, {
    visibilityTimeoutSeconds: 10_000,
  });
  const refused: EntryResult[] = [];
  engine.faults = {
    async changeVisibility(real, url, changes) {
      const results = await real.changeVisibility(url, changes);
      refused.push(...results.filter(({ ok }) => !ok));
      return results;
    },
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(12 * 3600 - 10);
  assertEquals([job.at, refused], [undefined, []]);
  await engine.advance(20);
  assertEquals([job.reason, refused], ["lease lost", []]);
  await engine.force();
});

Deno.test("Engine tells a job at once that its message is no longer its own", async () => {
  const job = watching(() => engine, 200);
  const engine: EngineRig = new EngineRig(job.handler);
  engine.faults = {
    changeVisibility: (_real, _url, changes) =>
      Promise.resolve(changes.map(() => ({
        ok: false as const,
        failure: {
          code: "MessageNotInflight",
          message: "gone",
          senderFault: true,
        },
      }))),
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(25);
  assertEquals([job.at, job.reason], [22.5, "lease lost"]);
  await engine.force();
});

Deno.test("Engine tries to delete the message of a job that returns after its lease was lost", async () => {
  let runs = 0;
  const engine: EngineRig = new EngineRig(async () => {
    runs++;
    await pass(engine.clock, 40);
  });
  engine.faults = { changeVisibility: () => Promise.reject(REFUSED) };
  engine.send([1]);
  await engine.start();
  await engine.advance(31);
  // Nobody else has received it: the delete is still taken.
  engine.faults.receive = () => new Promise(() => {});
  await engine.advance(10);
  const { leasesLost, done, requests } = engine.summary;
  assertEquals([runs, leasesLost, done], [1, 1, 1]);
  assertEquals(requests.DeleteMessage, 1);
  await engine.force();
});

Deno.test("Engine waits for messages no longer than two thirds of the visibility timeout", async () => {
  const waits: number[] = [];
  const engine = new EngineRig(() => {}, { visibilityTimeoutSeconds: 9 });
  engine.faults = {
    receive(real, url, options) {
      waits.push(options.waitTimeSeconds);
      return real.receive(url, options);
    },
  };
  await engine.start();
  await engine.advance(1);
  await engine.end();
  assertEquals(waits[0], 6);
});

Deno.test("Engine keeps the lease of a failed message that is being kept", async () => {
  const kept: string[] = [];
  const failures = {
    async send({ body }: { body: string }) {
      await pass(engine.clock, 90);
      kept.push(body);
    },
  } as unknown as FailureQueue;
  const engine: EngineRig = new EngineRig(() => {
    throw new TypeError("bad");
  }, { failures });
  engine.send([1]);
  await engine.start();
  await engine.advance(95);
  assertEquals([kept, engine.left], [["[[1],{}]"], []]);
  const { leasesLost, requests } = engine.summary;
  assertEquals([leasesLost, requests.ChangeMessageVisibility], [0, 3]);
  await engine.end();
});

Deno.test("Engine releases at a stop what a poll brings, while a job runs on", async () => {
  const engine: EngineRig = new EngineRig(() => pass(engine.clock, 100), {
    concurrency: 2,
    deleteDelaySeconds: 10,
  });
  const late = Promise.withResolvers<void>();
  let polls = 0;
  engine.faults = {
    async receive(real, url, options) {
      if (++polls > 1) await late.promise;
      return await real.receive(url, options);
    },
  };
  engine.send([1]);
  await engine.start();
  engine.send([2]);
  await engine.stop();
  late.resolve();
  await engine.advance(1);
  assertEquals(engine.left, [["[[1],{}]", false], ["[[2],{}]", true]]);
  assertEquals(engine.summary.released, 1);
  await engine.end();
});

Deno.test("Engine deletes with the newest of the receipt handles that an answer brings", async () => {
  let polls = 0;
  const engine: EngineRig = new EngineRig(() => pass(engine.clock, 5), {
    concurrency: 2,
    visibilityTimeoutSeconds: 30,
  });
  engine.faults = {
    async receive(real, url, options) {
      if (++polls !== 1) return await real.receive(url, options);
      const [first] = await real.receive(url, options);
      await real.changeVisibility(url, [{
        receiptHandle: first!.receiptHandle,
        visibilityTimeoutSeconds: 0,
      }]);
      const [second] = await real.receive(url, options);
      assert(first!.receiptHandle !== second!.receiptHandle);
      return [first!, second!];
    },
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(10);
  const { done, requests } = engine.summary;
  assertEquals([done, requests.DeleteMessage, engine.left], [1, 1, []]);
  await engine.end();
});

for (const how of ["retry", "release"] as const) {
  Deno.test(`Engine sends a ${how} after an extension under way`, async () => {
    const engine: EngineRig = new EngineRig(async () => {
      if (how === "release") return await pass(engine.clock, 100);
      await pass(engine.clock, 23);
      throw new TransientError("", { delaySeconds: 0 });
    }, { concurrency: 2, deleteDelaySeconds: 10 });
    const seconds: number[] = [];
    engine.faults = {
      async changeVisibility(real, url, changes) {
        const [{ visibilityTimeoutSeconds }] = changes as [VisibilityChange];
        // The extension is sent at 22.5 s, and taken 2 s later.
        if (visibilityTimeoutSeconds > 0) await pass(engine.clock, 2);
        seconds.push(visibilityTimeoutSeconds);
        return await real.changeVisibility(url, changes);
      },
    };
    engine.send([1]);
    await engine.start();
    await engine.advance(23);
    if (how === "release") await engine.force();
    await engine.advance(1);
    assertEquals(seconds, []);
    await engine.advance(1);
    assertEquals(seconds, [30, 0]);
    await engine.force();
  });
}

Deno.test("Engine releases after an extension under way, though an answer came twice", async () => {
  const engine: EngineRig = new EngineRig(
    () => pass(engine.clock, 100),
    { concurrency: 2, waitTimeSeconds: 1 },
  );
  const seconds: number[] = [];
  let first: ReceivedMessage[] | undefined;
  engine.faults = {
    async receive(real, url, options) {
      const messages = await real.receive(url, options);
      first ??= messages;
      const isExtending = engine.clock.now() >= 22_500;
      return isExtending && seconds.length === 0 ? first : messages;
    },
    async changeVisibility(real, url, changes) {
      const [{ visibilityTimeoutSeconds }] = changes as [VisibilityChange];
      if (visibilityTimeoutSeconds > 0) await pass(engine.clock, 3);
      seconds.push(visibilityTimeoutSeconds);
      return await real.changeVisibility(url, changes);
    },
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(24);
  await engine.force();
  await engine.advance(3);
  assertEquals(seconds, [30, 0]);
});

Deno.test("Engine does not wait without end for an extension that is not answered", async () => {
  const engine: EngineRig = new EngineRig(
    () => pass(engine.clock, 100),
    { concurrency: 2 },
  );
  engine.faults = {
    changeVisibility: (real, url, changes) =>
      changes[0]!.visibilityTimeoutSeconds > 0
        ? new Promise(() => {})
        : real.changeVisibility(url, changes),
  };
  engine.send([1]);
  await engine.start();
  await engine.advance(23);
  await engine.force();
  await engine.advance(4);
  assertEquals(engine.left, [["[[1],{}]", false]]);
  await engine.advance(2);
  assertEquals(engine.left, [["[[1],{}]", true]]);
  // The extension may come now: the release is sent again.
  await engine.advance(4);
  assertEquals(engine.ended, true);
});

Deno.test("JobAbortedError has the reasons", () => {
  const reasons = ["timed out", "lease lost", "stopping"] as const;
  assertEquals(
    reasons.map((reason) => new JobAbortedError(reason).message),
    reasons.map((reason) => `Job aborted: ${reason}`),
  );
});
