/**
 * The walkthrough of zc.sqs's own documentation, step by step. It runs against
 * the double, and against a server over HTTP with the command line as a process.
 * The ini file is the one there; only the worker's module has another
 * name.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "node:path";
import { sequential } from "../container.ts";
import { NonExistentQueueError, Queue } from "../producer.ts";
import { setUp } from "../testing.ts";
import { Printed } from "./support/printed.ts";
import { runCli, servePackage, TestServer } from "./support/server.ts";

const INI = `\
[container]
worker = worker.ts:scaled_addr
queue = adder
loggers =
   <logger>
     level INFO
     <logfile>
       path STDOUT
       format %(levelname)s %(name)s %(message)s
     </logfile>
   </logger>
   <logger>
     level INFO
     propagate false
     name zc.sqs.messages
     <logfile>
       path messages.log
       format %(message)s
     </logfile>
   </logger>

[worker]
scale = 2
`;

const workerModule = (zsqs: string) =>
  `\
import { TransientError } from "${zsqs}";

export function scaled_addr(config) {
  const scale = Number(config.scale ?? 1);
  return function add(a, b, x) {
    if (x === "later") {
      console.log("not now");
      throw new TransientError();
    }
    if (typeof x !== "number") {
      throw new TypeError("unsupported operand type for +: " + typeof x);
    }
    console.log(scale * (a + b + x));
  };
}
`;

async function makeFolder(zsqs: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(join(folder, "adder.ini"), INI);
  await Deno.writeTextFile(join(folder, "worker.ts"), workerModule(zsqs));
  return folder;
}

Deno.test("the walkthrough of zc.sqs works against the double", async () => {
  const folder = await makeFolder(import.meta.resolve("../mod.ts"));
  const home = Deno.cwd();
  using printed = new Printed();
  const output = () => printed.take();
  Deno.chdir(folder);
  try {
    await using queues = setUp();

    const myqueue = await Queue("myqueue");
    assertEquals(output(), ["Connected to region us-east-1."]);
    await myqueue(1, 2, { x: 3 });
    assertEquals(output(), ['[[1,2,{"x":3}],{}]']);

    await sequential(["adder.ini"]);
    assertEquals(output(), ["Connected to region us-east-1."]);
    const adder = await Queue("adder");
    assertEquals(output(), ["Connected to region us-east-1."]);

    await adder(1, 2, 3);
    assertEquals(output(), ["12", "deleted '[[1,2,3],{}]'"]);

    await adder(1, 2, "later");
    // zc.sqs retries without a word; each retry is a line here.
    const notNow = () => {
      const [said, retry = "", ...others] = output();
      assertEquals([said, others], ["not now", []]);
      assertMatch(retry, /^INFO zsqs Job will be retried in 30 s: adder, /);
    };
    notNow();
    assertEquals(queues.get("adder").bodies, ['[[1,2,"later"],{}]']);
    await queues.advance(29);
    assertEquals(output(), []);
    await queues.advance(1);
    notNow();

    await adder(1, 2, "");
    const [error = "", deleted] = output();
    assertMatch(
      error,
      /^ERROR zsqs Handling a message failed: adder, message [0-9a-f-]{36}, receive 1\n {2}TypeError: unsupported operand type for \+: string\n {6}at /,
    );
    assertEquals(deleted, `deleted '[[1,2,""],{}]'`);
    assertEquals(await Deno.readTextFile("messages.log"), '[[1,2,""],{}]\n');

    queues.beSilent();
    const quiet = await Queue("quiet");
    await quiet(1);
    assertEquals(output(), []);
    assertEquals(queues.get("quiet").bodies, ["[[1],{}]"]);
    queues.beSilent(false);
    const loud = await Queue("loud");
    await loud(1);
    assertEquals(output(), ["Connected to region us-east-1.", "[[1],{}]"]);
  } finally {
    Deno.chdir(home);
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the walkthrough of zc.sqs refuses a queue that does not exist", async () => {
  using _queues = setUp({ queues: ["adder"], silent: true });
  const error = await assertRejects(
    () => Queue("nonexistent"),
    NonExistentQueueError,
    'Cannot find queue "nonexistent" in region "us-east-1"',
  );
  assertEquals(error.queue, "nonexistent");
});

Deno.test("the walkthrough of zc.sqs works over HTTP with the container as a process", async () => {
  const folder = await makeFolder("jsr:@zsqs/cli");
  await using registry = await servePackage();
  await using server = await TestServer.start();
  const url = await server.createQueue("adder", { VisibilityTimeout: "2" });
  await using container = runCli(["adder.ini"], {
    cwd: folder,
    env: { ...registry.env, ...server.env },
  });
  await using adder = await Queue("adder", {
    endpoint: server.endpoint,
    region: "us-east-1",
  });
  const base64 = (text: string) => btoa(text);
  const log = () => Deno.readTextFile(join(folder, "messages.log"));

  // From zsqs, from Python as plain JSON, and as zc.sqs itself sends it.
  await adder(1, 2, 3);
  await container.saw("12\n");
  await server.send(url, "[[1, 2, 3], {}]");
  await container.saw("12\n", 2);
  await server.send(url, base64("[[1, 2, 3], {}]"));
  await container.saw("12\n", 3);

  await adder(1, 2, "");
  await container.saw("ERROR zsqs Handling a message");
  await server.send(url, base64('[[1, 2, ""], {}]'));
  await container.saw("ERROR zsqs Handling a message", 2);
  await adder(1, 2, 4);
  await container.saw("14\n");
  assertMatch(
    container.stdout,
    /ERROR zsqs Handling a message failed: adder, message \S+, receive 1\n {2}TypeError: unsupported operand type for \+: string\n {6}at /,
  );
  assertEquals(await log(), '[[1,2,""],{}]\n[[1, 2, ""], {}]\n');
  await server.left(url, 0);

  await adder(1, 2, "later");
  await container.saw("not now\n");
  await server.left(url, 1);
  await container.saw("not now\n", 2);

  container.kill("SIGTERM");
  assertEquals(await container.status(), 0);
  assertEquals(container.stderr, "");
  await server.left(url, 1);
  await Deno.remove(folder, { recursive: true });
});
