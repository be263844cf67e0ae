/**
 * The move from sqs-consumer, by its guide.
 *
 * @module
 */

import { Queue } from "../producer.ts";
import { Folder } from "./support/folder.ts";
import { codeBlock } from "./support/pages.ts";
import {
  runCli,
  servePackage,
  TestProcess,
  TestServer,
} from "./support/server.ts";

Deno.test("the worker, the ini file and the program of the guide from sqs-consumer work unchanged", async () => {
  await using registry = await servePackage();
  await using server = await TestServer.start("eu-west-1");
  await server.createQueue("orders");
  await server.createQueue("orders-failed");
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
    env: { ...registry.env, ...server.env, AWS_REGION: "eu-west-1" },
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
