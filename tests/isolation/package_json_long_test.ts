/**
 * A `package.json` in the current folder, and the flag that helps.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Folder } from "../support/cli.ts";
import { TestProcess, TestServer } from "../support/server.ts";

Deno.test({
  name: "--node-modules-dir reaches isolated jobs, and the error names it",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = await TestServer.start();
    const url = await server.createQueue("jobs");
    await server.send(url, "[[],{}]");
    await using folder = await Folder.with({
      "package.json": { dependencies: {} },
      "worker.ts": `import "jsr:@zsqs/cli";\nimport "npm:tslib@2";
export default () => () => console.log("did it");`,
      "jobs.ini":
        "[container]\nworker = worker.ts\nqueue = jobs\nisolation = process\nwait_time = 1\n",
    });
    const run = (...flags: string[]) =>
      new TestProcess(
        ["run", "-q", "-A", ...flags, "jsr:@zsqs/cli", "jobs.ini"],
        {
          cwd: folder.path,
          env: { ...server.env, JSR_URL: Deno.env.get("JSR_URL")! },
        },
      );
    await using failing = run();
    assertEquals(await failing.status() === 0, false);
    assertStringIncludes(failing.stderr, "--node-modules-dir");
    await using container = run("--node-modules-dir=none");
    await container.saw("did it");
    await server.left(url, 0);
    container.kill("SIGTERM");
    assertEquals(await container.status(), 0);
  },
});
