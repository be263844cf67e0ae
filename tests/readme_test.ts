/**
 * The README's producer, worker and ini file, unchanged, with the command lines
 * that it names.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { Folder } from "./support/folder.ts";
import { codeBlock } from "./support/pages.ts";
import {
  runCli,
  servePackage,
  TestProcess,
  TestServer,
} from "./support/server.ts";

Deno.test("the README's producer, worker and ini file work as they stand", async () => {
  await using registry = await servePackage();
  await using server = await TestServer.start("eu-west-1");
  await server.createQueue("adder");
  await server.createQueue("adder-failed");
  const files = {
    "producer.ts": await codeBlock("ts", "await using queue"),
    "worker.ts": await codeBlock("ts", "// worker.ts"),
    "adder.ini": await codeBlock("ini", "; adder.ini"),
  };
  await using folder = await Folder.with(files);
  const options = {
    cwd: folder.path,
    env: { ...registry.env, ...server.env, AWS_REGION: "eu-west-1" },
  };

  await using check = runCli(["check", "adder.ini"], options);
  assertEquals(await check.status(), 0);
  assertStringIncludes(check.stdout, "\nChecked adder.ini: no problems");

  await using producer = new TestProcess(
    ["run", "-q", "-A", "producer.ts"],
    options,
  );
  assertEquals([await producer.status(), producer.stderr], [0, ""]);

  await using send = runCli(["send", "adder", "1", "2", "later"], options);
  assertEquals(await send.status(), 0);
  assertStringIncludes(send.stdout, "Sent to adder: ");

  await using container = runCli(["adder.ini"], options);
  await container.saw("12\n", 2);
  await container.saw("30\n");
});
