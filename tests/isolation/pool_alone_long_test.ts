/**
 * Child processes that end before their jobs do.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Reports, Stage, WORKER } from "../support/isolation_stage.ts";
import { setEnv } from "../support/server.ts";

Deno.test("a job that ends its process twice goes back to the queue, and no other job does", async (t) => {
  const ends: [what: string, arg: string | null, how: RegExp][] = [
    ["exit", "7", /Its process ended with exit code 7/],
    ["nodeExit", "0", /Its process ended with exit code 0/],
    ["disconnect", null, /Its process (ended with|was killed)/],
    ["memory", null, /Its process was ended by SIG(TRAP|ABRT|ILL|SEGV)/],
  ];
  using _env = setEnv({ DENO_V8_FLAGS: "--max-old-space-size=40" });
  for (const [what, arg, how] of ends) {
    await t.step(what, async () => {
      await using reports = new Reports();
      await using stage = await Stage.start("tell", {
        allowNet: reports.host,
        allowEnv: "DENO_V8_FLAGS",
        concurrency: 2,
        workerConfig: { report: reports.url, again: "fine" },
      });
      const release = Promise.withResolvers<void>();
      reports.holds.set("held", release.promise);
      const sent = Promise.all([stage.queue("held"), stage.queue(what, arg)]);
      const [[, pid], [, other]] = [await reports.next(), await reports.next()];
      assertEquals(pid, other);
      release.resolve();
      await sent;
      assertEquals(stage.left, [JSON.stringify([[what, arg], {}])]);
      const text = await stage.log();
      assertMatch(text, /INFO worker held: done\n/);
      assertEquals(
        text.match(
          /INFO zsqs Job will be retried in \d+ s: adder, message ID, receive 1\n {2}LostJobError: .*\n/g,
        )?.length,
        1,
        text,
      );
      assertMatch(text, how);

      await stage.queues.advance(30);
      assertEquals(stage.left, []);
      assertEquals(stage.queues.get("adder").deleted.length, 2);
    });
  }
});

Deno.test("a process that keeps crashing is replaced with exponential back-off and one log line", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/count`;
  await Deno.writeTextFile(file, "0");
  await using stage = await Stage.start("once", {
    allowRead: file,
    allowWrite: file,
    retryDelaySeconds: 0,
    workerConfig: { file },
  });
  const doing = stage.queue("exit", "9");
  await stage.logged("keep crashing");
  assertEquals(await Deno.readTextFile(file), "2");
  const advances: Promise<void>[] = [];
  while (!(await stage.log()).includes("finish jobs again")) {
    advances.push(stage.queues.advance(1));
  }
  await doing;
  await Promise.all(advances);
  assertEquals(stage.left, []);
  // The first died of the job, the next three at their start.
  assertEquals(await Deno.readTextFile(file), "5");
  const log = await stage.log();
  assertEquals(log.match(/^ERROR.*/gm)?.map(withoutPath), [
    'ERROR zsqs Child processes of worker "isolated_worker.ts:once" keep crashing before they finish a job. Restarting with exponential back-off, next in 1 s, at most every 30 s. Cannot start worker "isolated_worker.ts:once": its process ended with exit code 4 before it was ready',
  ]);
  await Deno.remove(folder, { recursive: true });
});

function withoutPath(line: string): string {
  return line.replaceAll(WORKER, "isolated_worker.ts");
}
