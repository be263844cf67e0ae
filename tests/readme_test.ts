/**
 * The README's producer, worker and ini file, unchanged, with the command lines
 * that it names; and the move from sqs-consumer, by its guide.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { Queue } from "../producer.ts";
import { startLocalServer } from "../src/cli/local_server.ts";
import { Folder } from "./support/cli.ts";
import {
  CREDENTIALS,
  runCli,
  servePackage,
  TestProcess,
} from "./support/server.ts";

/** A page's code of a language that holds a text. */
async function codeBlock(
  language: string,
  text: string,
  page = "README.md",
): Promise<string> {
  const markdown = await Deno.readTextFile(
    join(import.meta.dirname!, "..", page),
  );
  const blocks = markdown.matchAll(/^```(\w+)[^\n]*\n(.*?)^```$/gms);
  for (const [, name, code] of blocks) {
    if (name === language && code!.includes(text)) return code!;
  }
  throw new Error(`${page} has no ${language} code with "${text}"`);
}

Deno.test("the README's producer, worker and ini file work as they stand", async () => {
  await using registry = await servePackage();
  await using server = await startLocalServer({ port: 0 });
  await server.makeQueue("adder", "eu-west-1");
  await server.makeQueue("adder-failed", "eu-west-1");
  const files = {
    "producer.ts": await codeBlock("ts", "await using queue"),
    "worker.ts": await codeBlock("ts", "// worker.ts"),
    "adder.ini": await codeBlock("ini", "; adder.ini"),
  };
  await using folder = await Folder.with(files);
  const options = {
    cwd: folder.path,
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

Deno.test("the worker, the ini file and the program of the guide from sqs-consumer work unchanged", async () => {
  await using registry = await servePackage();
  await using server = await startLocalServer({ port: 0 });
  await server.makeQueue("orders", "eu-west-1");
  await server.makeQueue("orders-failed", "eu-west-1");
  const page = "docs/from-sqs-consumer.md";
  const files = {
    "deno.json": '{ "imports": { "@zsqs/cli": "jsr:@zsqs/cli@^0.1.0" } }',
    "orders.ts": await codeBlock("ts", "// orders.ts", page),
    "orders.ini": await codeBlock("ini", "; orders.ini", page),
    "program.ts": await codeBlock("ts", "startContainer", page),
  };
  await using folder = await Folder.with(files);
  const options = {
    cwd: folder.path,
    env: {
      ...registry.env,
      ...CREDENTIALS,
      AWS_REGION: "eu-west-1",
      AWS_ENDPOINT_URL: server.endpoint,
    },
  };
  await using queue = await Queue<[{ id?: string }]>("orders", {
    body: "json",
    endpoint: server.endpoint,
    region: "eu-west-1",
  });
  const send = (order: { id?: string }) =>
    queue.send([order], { attributes: { tenant: "ann" } });

  await send({ id: "o1" });
  {
    await using container = runCli(["orders.ini"], options);
    await container.saw("o1 of ann is saved\n");
  }

  await send({ id: "o2" });
  await send({});
  await using program = new TestProcess(
    ["run", "-q", "--check", "-A", "program.ts"],
    options,
  );
  await program.saw("o2 of ann is saved\n");
  await program.saw("TypeError: no id");
});
