/**
 * Many jobs at once over HTTP: a container as a process, on fauxqs.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { Queue } from "../../producer.ts";
import { TestServer } from "../support/server.ts";
import { runCli, servePackage } from "../support/server.ts";

const WORKER = `
import { currentJob, TransientError } from "jsr:@zsqs/cli";

export default () => async (what: string, i: number) => {
  const { receiveCount, signal } = currentJob();
  if (what === "bad") throw new TypeError("bad " + i);
  if (what === "later" && receiveCount === 1) throw new TransientError();
  if (what === "stuck" && receiveCount === 1) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    console.log("aborted:", signal.reason.message);
    signal.throwIfAborted();
  }
  console.log("done", what, i);
};
`;

const INI = `
[container]
worker = worker.ts
queue = adder
concurrency = 10
wait_time = 1
visibility_timeout = 4
timeout = 1
retry_delay = 1
failures = adder-failed
loggers = json
`;

Deno.test("a container runs ten jobs at a time over HTTP, and keeps the failed jobs", async () => {
  const folder = await Deno.makeTempDir();
  await using registry = await servePackage();
  await using server = await TestServer.start();
  const url = await server.createQueue("adder");
  const failedUrl = await server.createQueue("adder-failed");
  await Deno.writeTextFile(join(folder, "worker.ts"), WORKER);
  await Deno.writeTextFile(join(folder, "adder.ini"), INI);
  const jobs = [
    ...Array.from({ length: 100 }, (_, i) => ["good", i] as const),
    ["bad", 1],
    ["later", 1],
    ["stuck", 1],
    ["bad", 2],
  ] as const;
  {
    await using adder = await Queue("adder", {
      endpoint: server.endpoint,
      region: "us-east-1",
    });
    await Promise.all(jobs.map((job) => adder(...job)));
  }
  await using container = runCli(["adder.ini"], {
    cwd: folder,
    env: { ...registry.env, ...server.env },
  });
  await container.saw("done stuck 1\n");
  await container.saw("done later 1\n");
  await server.left(url, 0);
  container.kill("SIGTERM");
  assertEquals(await container.status(), 0);

  const done = container.stdout.split("\n").filter((line) =>
    line.startsWith("done")
  );
  assertEquals(
    done.toSorted(),
    jobs.filter(([what]) => what !== "bad")
      .map(([what, i]) => `done ${what} ${i}`).toSorted(),
  );
  assertMatch(container.stdout, /^aborted: Job aborted: timed out$/m);
  assertEquals((await server.receive(failedUrl)).toSorted(), [
    '[["bad",1],{}]',
    '[["bad",2],{}]',
  ]);
  const summary = container.stderr.split("\n").find((line) =>
    line.includes("Stopped listening")
  )!;
  assertMatch(
    summary,
    /received 106, done 102, failed 2, retried 2, released 0, leases lost 0/,
  );
  const deletes = Number(/(\d+) DeleteMessage/.exec(summary)![1]);
  assert(deletes <= 30, `${deletes} deletes of 104 messages`);
  await Deno.remove(folder, { recursive: true });
});
