/** Hooks of isolated jobs: they run in the container's process. */

import { assertEquals, assertMatch } from "@std/assert";
import type { Hooks } from "../../container.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import { Stage } from "../support/isolation_stage.ts";

Deno.test("hooks see isolated jobs, killed ones and unreadable ones too, once each", async () => {
  const calls: string[] = [];
  const errors: unknown[] = [];
  const hooks: Hooks = {
    jobStarted({ args }) {
      calls.push(`started ${args}`);
    },
    jobEnded({ args }, { outcome, error, durationMs }) {
      calls.push(`${outcome} ${args} ${typeof durationMs}`);
      if (error !== undefined) errors.push(error);
    },
  };
  await using stage = await Stage.start("act", { hooks });
  await stage.queue("pid");
  await stage.queue("fail");
  await stage.queue("exit", "7");
  const { connection, url } = await openQueue("adder");
  await connection.send(url, [{ body: "no job", attributes: {} }]);
  assertEquals(calls, [
    ...["started pid", "done pid number"],
    ...["started fail", "failed fail number"],
    // It ran twice, as nobody knew which job ended the process.
    ...["started exit,7", "retried exit,7 number"],
    "failed  undefined",
  ]);
  assertMatch(String(errors[0]), /^TypeError: bad\ninput/);
  assertEquals(
    String(errors[1]),
    "LostJobError: Its process ended with exit code 7",
  );
  assertMatch(String(errors[2]), /Cannot read message body/);
});
