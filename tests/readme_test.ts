/**
 * The README's producer, worker and ini file, as they stand there, with the
 * command lines that it names.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { startLocalServer } from "../src/cli/local_server.ts";
import {
  CREDENTIALS,
  runCli,
  servePackage,
  TestProcess,
} from "./support/server.ts";

/** The README's code of a language that holds a text. */
async function codeBlock(language: string, text: string): Promise<string> {
  const readme = await Deno.readTextFile(
    join(import.meta.dirname!, "..", "README.md"),
  );
  const blocks = readme.matchAll(/^```(\w+)[^\n]*\n(.*?)^```$/gms);
  for (const [, name, code] of blocks) {
    if (name === language && code!.includes(text)) return code!;
  }
  throw new Error(`The README has no ${language} code with "${text}"`);
}

Deno.test("the README's producer, worker and ini file work as they stand", async () => {
  const folder = await Deno.makeTempDir();
  await using registry = await servePackage();
  await using server = await startLocalServer({ port: 0 });
  await server.makeQueue("adder", "eu-west-1");
  await server.makeQueue("adder-failed", "eu-west-1");
  const files = {
    "producer.ts": await codeBlock("ts", "await using queue"),
    "worker.ts": await codeBlock("ts", "// worker.ts"),
    "adder.ini": await codeBlock("ini", "; adder.ini"),
  };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(join(folder, name), text);
  }
  const options = {
    cwd: folder,
    env: {
      ...registry.env,
      ...CREDENTIALS,
      AWS_REGION: "eu-west-1",
      AWS_ENDPOINT_URL: server.endpoint,
    },
  };

  await using check = runCli(["check", "adder.ini"], options);
  assertEquals(await check.status(), 0);
  assertStringIncludes(check.stdout, "\nChecked adder.ini: no problems");

  await using producer = new TestProcess(
    ["run", "-q", "--check", "-A", "producer.ts"],
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
