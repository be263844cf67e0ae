/**
 * Attacks: messages that break who reads them. Anybody who may send can send
 * the attributes; the rest is what a server's fault would bring.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { openQueue } from "../../src/connect/open_queue.ts";
import { runContainer } from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { cli } from "../support/cli.ts";
import { Folder } from "../support/folder.ts";
import { runForced } from "../support/run_forced.ts";
import {
  accepted,
  json,
  messages,
  ScriptedServer,
} from "../support/scripted_server.ts";

type Json = Record<string, unknown>;

/** Attributes as JSON text: an object literal cannot name `__proto__`. */
function withAttributes(text: string): (message: Json) => Json {
  return (message) => ({ ...message, MessageAttributes: JSON.parse(text) });
}

/** What is wrong with a message, and the reason in the log. */
const BAD: [what: string, spoil: (message: Json) => Json, reason: RegExp][] = [
  [
    "an attribute named __proto__",
    withAttributes('{"__proto__":{"DataType":"String","StringValue":"x"}}'),
    /its attribute "__proto__" has a name/,
  ],
  [
    "an attribute that is null",
    withAttributes('{"a":null}'),
    /its attribute "a" is malformed/,
  ],
  [
    "an attribute without a value",
    withAttributes('{"a":{"DataType":"String"}}'),
    /its attribute "a" is malformed/,
  ],
  [
    "an attribute that is not Base64",
    withAttributes('{"a":{"DataType":"Binary","BinaryValue":"*"}}'),
    /its attribute "a" is malformed/,
  ],
  [
    "attributes that are text",
    withAttributes('"x"'),
    /its attributes are not an object/,
  ],
  ["no body", ({ Body: _, ...rest }) => rest, /it has no body/],
  ["a body that is a number", (m) => ({ ...m, Body: 5 }), /it has no body/],
];

/** What cannot be settled. */
const LEFT: [what: string, spoil: (message: Json) => unknown, RegExp][] = [
  ["no id", ({ MessageId: _, ...rest }) => rest, /a message has no id/],
  [
    "no receipt handle",
    ({ ReceiptHandle: _, ...rest }) => rest,
    /message [\w-]+ has no receipt handle/,
  ],
  ["nothing", () => null, /a message has no id/],
  [
    "another body than SQS hashed",
    (m) => ({ ...m, Body: "[[9],{}]" }),
    /the body of message [\w-]+ is not what SQS hashed/,
  ],
];

/** Serves one bad message before a good one, then nothing. */
function serve(spoil: (message: Json) => unknown) {
  let receives = 0;
  const deleted: string[] = [];
  const server = new ScriptedServer((operation, { body }) => {
    if (operation === "ReceiveMessage") {
      const [bad, good] = messages(0) as Json[];
      return json(receives++ === 0 ? { Messages: [spoil(bad!), good] } : {});
    }
    const { Entries = [] } = JSON.parse(String(body));
    if (operation === "DeleteMessageBatch") {
      deleted.push(...Entries.map((each: Json) => each.ReceiptHandle));
    }
    return accepted(body);
  });
  return { server, deleted };
}

for (const [what, spoil, reason] of [...BAD, ...LEFT]) {
  Deno.test(`a message with ${what} does not stop the one behind it`, async () => {
    await using folder = await Folder.with();
    const log = `${folder.path}/log`;
    const { server, deleted } = serve(spoil);
    await using _server = server;
    const endpoint = await server.listen();
    const stop = new AbortController();
    const jobs: number[] = [];
    const { failed } = await runForced({
      queue: `${endpoint}/000000000000/adder`,
      region: "us-east-1",
      endpoint,
      visibilityTimeoutSeconds: 30,
      concurrency: 2,
      deleteDelaySeconds: 0,
      loggers: `<logger>\n <logfile>\n  path ${log}\n </logfile>\n</logger>`,
      worker: () => (i: number) => {
        jobs.push(i);
        stop.abort();
      },
    }, { signal: stop.signal, forceSignal: new AbortController().signal });
    assertEquals(jobs, [1]);
    const isBad = BAD.some(([bad]) => bad === what);
    assertEquals(failed, isBad ? 1 : 0);
    assertEquals(deleted.sort(), isBad ? ["0", "1"] : ["1"]);
    assertMatch(await Deno.readTextFile(log), reason);
  });
}

for (const [what, spoil] of [...BAD, ...LEFT]) {
  Deno.test(`zsqs failed --purge survives a message with ${what}`, async () => {
    const { server, deleted } = serve(spoil);
    await using _server = server;
    const endpoint = await server.listen();
    const { status } = await cli(
      ["failed", "--purge", "--yes", `${endpoint}/000000000000/adder`],
    );
    assertEquals(status, 0);
    const isBad = BAD.some(([bad]) => bad === what);
    assertEquals(deleted.sort(), isBad ? ["0", "1"] : ["1"]);
  });
}

Deno.test("zsqs failed --redrive leaves a message that cannot be read", async () => {
  const [, spoil] = BAD[0]!;
  const { server } = serve(spoil);
  await using _server = server;
  const endpoint = await server.listen();
  const { status, stderr } = await cli([
    ...["failed", "--redrive", "--yes", `--to=${endpoint}/000000000000/b`],
    `${endpoint}/000000000000/adder`,
  ]);
  assertEquals(status, 1);
  assertMatch(stderr.join("\n"), /cannot be read: its attribute "__proto__"/);
  assertEquals(server.count("SendMessageBatch"), 1);
});

Deno.test("the double has no job for a message that SQS's connection cannot read", async () => {
  await using queues = setUp({ silent: true, queues: ["adder", "failed"] });
  const jobs: unknown[] = [];
  await runContainer({
    queue: "adder",
    failures: { queue: "failed" },
    loggers: "<logger>\n level CRITICAL\n</logger>",
    handler: (...args: unknown[]) => void jobs.push(args),
  });
  const { connection, url } = await openQueue("adder");
  await connection.send(
    url,
    ["__proto__", "constructor"].map((name, i) => ({
      body: `[[${i}],{}]`,
      attributes: Object.fromEntries([[name, { type: "String", value: "x" }]]),
    })),
  );
  assertEquals(jobs, [[1]]);
  const [kept] = queues.get("failed").messages;
  const reason = String(kept?.attributes["zsqs.failure"]);
  assertMatch(reason, /its attribute \\"__proto__\\" has a name/);
  // What a connection to SQS sends on lacks the attribute, and can be read.
  await connection.send((await openQueue("failed")).url, [{
    body: "[[2],{}]",
    attributes: { "zsqs.failure": { type: "String", value: reason } },
  }]);
  const { status, stderr } = await cli(
    ["failed", "--redrive", "--yes", "failed"],
  );
  assertEquals(status, 1);
  assertMatch(
    stderr.join("\n"),
    /Left 1 message of failed: it is a copy of a message that could not be read, and lacks a part of it/,
  );
  assertEquals(jobs, [[1]]);
});

const NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty"];

for (const name of NAMES) {
  Deno.test(`Queue.send() refuses an attribute named ${name}`, async () => {
    using _queues = setUp({ silent: true });
    const queue = await Queue("adder");
    await assertRejects(
      () => queue.send([1], { attributes: { [name]: "x" } }),
      TypeError,
      `Cannot send job with an attribute named "${name}"`,
    );
  });
}
