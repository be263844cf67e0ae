/**
 * The frames between a container and its child processes: jobs, errors and log
 * lines cross unchanged, within bounds, and nobody else can write one.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import process from "node:process";
import type { Readable } from "node:stream";
import { childCommand } from "../../src/isolation/child_command.ts";
import { HAS_PIPE, readMarks } from "../../src/isolation/child_marks.ts";
import type { ChildEnd } from "../../src/isolation/child_jobs.ts";
import { Child } from "../../src/isolation/child_process.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import { parseWorkerSpec } from "../../src/job/worker_spec.ts";
import { spawn } from "node:child_process";
import { messageOf } from "../../src/errors.ts";
import type { JobMessage } from "../../src/sqs/connection.ts";
import {
  decodeFromChild,
  decodeToChild,
  encodeToChild,
  MAX_FRAME_BYTES,
  MAX_TEXT_BYTES,
  type ToChild,
} from "../../src/isolation/protocol.ts";
import { readMessage } from "../../src/message/reading.ts";
import { withFetched } from "../../src/message/s3_pointer.ts";
import { kwargs } from "../../producer.ts";
import { JobControl } from "../../src/job/runner.ts";
import { Folder } from "../support/cli.ts";
import { Stage, WORKER } from "../support/isolation_stage.ts";

const MESSAGE: JobMessage = {
  body: '[["pid"],{}]',
  messageId: "message",
  attributes: {},
  receiveCount: 1,
  sentAtMs: 0,
};

Deno.test("jobs, errors and log lines cross unchanged", async (t) => {
  await using stage = await Stage.start("act");

  await t.step(
    "currentJob(), arguments and attributes are the same in a child process",
    async () => {
      const big = "ü𠮷".repeat(1000);
      const attributes = {
        text: "a",
        number: 5,
        bytes: new Uint8Array([0, 255]),
      };
      const before = (await stage.log()).length;
      await stage.queue.send(
        [
          "job",
          process.pid,
          { "__proto__": 1, a: [null, big] },
          kwargs({ x: 3 }),
        ],
        { attributes, groupId: "group" },
      );
      const line = (await stage.log()).slice(before);
      assertEquals(JSON.parse(line.slice("INFO worker job: ".length)), {
        args: ["job", process.pid, { a: [null, big] }],
        kwargs: { x: 3 },
        queue: "adder",
        receiveCount: 1,
        groupId: "group",
        attributes: { text: "a", number: 5, bytes: { 0: 0, 1: 255 } },
        given: [process.pid, { a: [null, big] }, { x: 3 }],
        sentAt: true,
        aborted: false,
        frozen: true,
      });
      assertEquals(stage.left, []);
    },
  );

  await t.step(
    "a message that cannot be read has no job in a child process, either",
    async () => {
      const before = (await stage.log()).length;
      const { connection, url } = await openQueue("adder");
      await connection.send(url, [{
        body: '[["pid"],{}]',
        attributes: Object.fromEntries([
          ["__proto__", { type: "String", value: "x" }],
        ]),
      }]);
      assertMatch(
        (await stage.log()).slice(before),
        /^ERROR zsqs Handling a message failed: .*\n {2}TypeError: Cannot read message: its attribute "__proto__"/,
      );
      assertEquals(stage.left, []);
    },
  );

  await t.step(
    "getLogger() writes to the container's loggers from a child process",
    async () => {
      for (const level of ["debug", "info", "warn", "error", "critical"]) {
        const name = level === "warn" ? "WARNING" : level.toUpperCase();
        const text = await stage.do("log", level);
        assert(text.startsWith(`${name} worker text { a: 1 }\n`), text);
        assertMatch(
          text,
          /TypeError: logged\n {6}at .*isolated_worker\.ts:[^]*\n {2}Caused by: RangeError: the cause\n {6}at .*isolated_worker\.ts:/,
        );
      }
    },
  );

  await t.step(
    "errors of a child process keep name, message, stack and causes",
    async () => {
      const text = await stage.do("fail");
      assertMatch(
        text,
        /^ERROR zsqs Handling a message failed: adder, message ID, receive 1\n {2}TypeError: bad\n {4}input\n {6}at .*isolated_worker\.ts:[^]*\n {2}Caused by: AggregateError: several\n {6}at [^]*\n {4}Error 1: Error: one\n[^]*\n {4}Error 2: two\nINFO zsqs\.messages \[\["fail"\],\{\}\]$/,
      );
      assertStringIncludes(
        await stage.do("throwText"),
        'ERROR zsqs Handling a message failed: adder, message ID, receive 1: threw "text"\n',
      );
      assertStringIncludes(
        await stage.do("throwObject"),
        "ERROR zsqs Handling a message failed: adder, message ID, receive 1: threw { a: [ 1 ] }\n",
      );
      assertStringIncludes(
        await stage.do("throwProxy"),
        "ERROR zsqs Handling a message failed: adder, message ID, receive 1",
      );
      // What a job throws cannot pass for what this process knows.
      assertStringIncludes(
        await stage.do("lostName"),
        "ERROR zsqs Handling a message failed: adder, message ID, receive 1\n  LostJobError: not really\n",
      );
      assertEquals(stage.left, []);
    },
  );

  await t.step(
    "an error in work that a job left behind does not end its process",
    async () => {
      const pid = await stage.value("pid");
      await stage.do("timer");
      await stage.do("rejection");
      await stage.logged("too late");
      await stage.logged("nobody awaits me");
      assertEquals(await stage.value("pid"), pid);
      const log = await stage.log();
      assertMatch(
        log,
        /ERROR zsqs Work that a job left behind failed\n {2}Error: too late\n/,
      );
      assertMatch(
        log,
        /ERROR zsqs Work that a job left behind failed: adder, message ID, receive 1\n {2}Error: nobody awaits me\n/,
      );
    },
  );

  await t.step("a job cannot reach the channel", async () => {
    assertEquals(await stage.value("channel"), [
      "undefined",
      "undefined",
      "undefined",
    ]);
    // It hears no message of its process, and makes none up.
    assertEquals(await stage.value("overhear"), ["test"]);
    await stage.do("pid");
    assertEquals(await stage.value("overhear"), ["test"]);
    assertEquals(stage.left, []);
  });

  await t.step(
    "errors and log lines of any size arrive, within bounds",
    async () => {
      for (const what of ["throwLong", "throwDeep"]) {
        const text = await stage.do(what);
        assertMatch(
          text,
          /^ERROR zsqs Handling a message failed: adder, message ID, receive 1/,
        );
        assert(text.length < MAX_FRAME_BYTES, what);
      }
      const text = await stage.do("logLong");
      assert(
        text.startsWith(`INFO worker ${"x".repeat(MAX_TEXT_BYTES - 100)}`),
      );
      assert(text.length < MAX_FRAME_BYTES);
      assert(text.endsWith("INFO worker logLong: done"));
      const [named, wide, ...rest] = (await stage.do("logWide")).split("\n");
      const cut = "€".repeat(Math.floor(MAX_TEXT_BYTES / 3));
      assertEquals(named, `INFO ${"n".repeat(MAX_TEXT_BYTES)} ${cut}`);
      assertEquals(wide, `INFO worker ${cut} [an error too large to send]`);
      assertEquals(rest.at(-1), "INFO worker logWide: done");
      assertEquals(stage.left, []);
    },
  );

  await t.step(
    "TransientError of a child process keeps its delay",
    async () => {
      assertMatch(
        await stage.do("later", 7),
        /^INFO zsqs Job will be retried in 7 s: adder, message ID, receive 1\n {2}TransientError: later\n/,
      );
      const { now } = stage.queues;
      const [message] = stage.queues.get("adder").messages;
      assertEquals(message!.visibleAt.getTime() - now.getTime(), 7_000);
      // Also one whose delay is wrong, which carries the brand as well.
      assertMatch(
        await stage.do("later", -1),
        /^INFO zsqs Job will be retried in 30 s: adder, message ID, receive 1\n {2}RangeError: Cannot create TransientError/,
      );
      assertEquals(stage.left.length, 2);
    },
  );
});

Deno.test("a body from S3 of any 64 MiB fits into a frame, in a notification, too", () => {
  const bytes = 1000;
  const text = "\u0001".repeat(bytes); // JSON makes six characters of one
  const body = JSON.stringify({
    ...{ Type: "Notification", MessageId: "m", Message: "a pointer" },
    TopicArn: "arn:aws:sns:us-east-1:1:t",
  });
  for (const envelope of [undefined, "sns"] as const) {
    const reading = {
      body: "text" as const,
      ...(envelope === undefined ? {} : { envelope }),
    };
    const message = withFetched({ ...MESSAGE, body }, text, reading);
    const run = { id: "1", messages: [message], withMarks: false };
    const frame = encodeToChild("key", { type: "run", ...run });
    const read = decodeToChild("key", frame);
    assert(read?.type === "run");
    assertEquals(readMessage(read.messages[0]!, reading).args, [text]);
    // The channel writes the frame as JSON again. A string of V8 has 512 MiB.
    const { length } = JSON.stringify(frame);
    assert(length < 8 * bytes, `${length} characters`);
  }
});

Deno.test("a child process checks its jobs by the worker's schema", async () => {
  await using stage = await Stage.start("checked", {
    worker: `${import.meta.dirname}/schema_worker.ts:checked`,
    failures: { queue: "failed" },
  });
  assertEquals(await stage.do(7), "INFO worker true 7");
  assertMatch(
    await stage.do("x"),
    /^ERROR zsqs Handling a message failed: adder, message ID, receive 1\n {2}SchemaError: Job does not fit the schema:\n {4}args\[0\]: Invalid input: expected number, received string\n/,
  );
  const [failed] = stage.queues.get("failed").messages;
  assertMatch(String(failed!.attributes["zsqs.failure"]), /"SchemaError"/);
});

Deno.test("a child process checks each job of a batch", async () => {
  await using stage = await Stage.start("batched", {
    worker: `${import.meta.dirname}/schema_worker.ts:batched`,
    batch: 3,
  });
  await stage.queue.sendAll([[1], ["x"], [3]]);
  const log = await stage.log();
  assertMatch(log, /INFO worker 1,3\n/);
  assertMatch(
    log,
    /SchemaError: Job does not fit the schema:\n {4}args\[0\]: /,
  );
  assertEquals(stage.left, []);
});

Deno.test("forged frames on streams and descriptors settle no job", async () => {
  await using stage = await Stage.start("forge", { concurrency: 2 });
  await Promise.all([stage.queue("0"), stage.queue("1")]);
  assertEquals(stage.left.toSorted(), ['[["0"],{}]', '[["1"],{}]']);
  const warnings = (await stage.log()).split("\n")
    .filter((line) => !line.startsWith("INFO zsqs Job runs again"));
  assertEquals(
    warnings.join("\n"),
    ("INFO zsqs Job will be retried in 30 s: adder, message ID, receive 1\n" +
      "  LostJobError: Its process was killed as a job wrote to its channel\n")
      .repeat(2),
  );
});

/** A program in place of a child's: it answers each job by the given code. */
function impostor(code: string): Child {
  const worker = parseWorkerSpec(`${WORKER}:act`, "/");
  const input = `import process from "node:process";
let keys;
const send = (frame, key = keys.fromChild) =>
  process.send(key + JSON.stringify(frame));
process.on("message", (text) => {
  const frame = JSON.parse(keys ? text.slice(keys.toChild.length) : text);
  keys ??= frame.keys;
  const { id } = frame;
  if (frame.type === "run") ${code};
  else send({ type: "ok" });
});
process.send("zsqs");`;
  return new Child({
    command: { ...childCommand(worker, {}), input },
    worker,
    onLog: () => {},
  });
}

Deno.test("a child is killed for a frame that its program never sends", async () => {
  const endOf = async (code: string): Promise<ChildEnd> => {
    const child = impostor(code);
    try {
      await child.load();
      return await child.run([MESSAGE], new JobControl());
    } finally {
      child.kill("was killed by the test");
      await child.ended;
    }
  };
  assertEquals(await endOf('send({ type: "ended", id, kind: "done" })'), {
    outcome: { kind: "done" },
    own: [],
  });
  const lostBy = async (code: string) => {
    const end = await endOf(code);
    assert("error" in end);
    const how = messageOf(end.error);
    return how.slice("Its process was killed as ".length);
  };
  const forged = [
    'send({ type: "ended", id: crypto.randomUUID(), kind: "done" })',
    'send({ type: "ended", id: [id], kind: "done" })',
    'send({ type: "ended", id, kind: "fine" })',
    // A job may change how the list of outcomes is written.
    ...[
      "own: {}",
      "own: [], count: 1",
      "own: [{ kind: 'failed' }]",
      "own: [{ kind: 'failed' }], count: 1",
      "own: [{ kind: 'fine', position: 0 }], count: 1",
      "own: [{ kind: 'failed', position: 1 }], count: 1",
      "own: [null], count: 1",
    ].map((own) => `send({ type: "ended", id, kind: "done", ${own} })`),
    'send({ type: "ended", id, kind: "done" }, keys.toChild)',
    'send({ type: "ended", id, kind: "done" }, "")',
    "send({})",
    "send(null)",
    'process.send("zsqs")',
    'process.send(keys.fromChild + "{")',
    "process.send({ toString: 1, valueOf: 1 })",
    'send({ type: "log", level: "info", text: "", name: { toString: 1 }, errors: [] })',
    'send({ type: "log", level: "info", text: "", name: "" })',
  ];
  for (const code of forged) {
    assertEquals(await lostBy(code), "a job wrote to its channel", code);
  }
  assertEquals(
    await lostBy(
      `send({ type: "log", text: "€".repeat(${MAX_FRAME_BYTES / 3}) })`,
    ),
    "it sent more than 1 MiB at once",
  );
});

Deno.test({
  name:
    "a child that has exited ends, though its program left another one behind",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using folder = await Folder.with({});
    const left = folder.at("left");
    // The program left behind holds the channel and the streams open.
    const script = `sleep 60 & echo $! >${left}`;
    const child = new Child({
      command: {
        ...childCommand(parseWorkerSpec(`${WORKER}:act`, "/"), {}),
        file: "/bin/sh",
        args: ["-c", script],
        input: "",
      },
      worker: parseWorkerSpec(`${WORKER}:act`, "/"),
      onLog: () => {},
    });
    await child.run([MESSAGE], new JobControl());
    assertEquals(await child.ended, "ended with exit code 0");
    // It is still there.
    Deno.kill(Number(await folder.read("left")), "SIGKILL");
  },
});

Deno.test("a child refuses frames without its key, and an id that is running", async () => {
  const worker = parseWorkerSpec(`${WORKER}:act`, "/");
  const { file, args, env, input, denied } = childCommand(worker, {});
  const child = spawn(file, [...args], {
    env: { ...env },
    stdio: ["pipe", "inherit", "inherit", "ipc", "pipe"],
  });
  const keys = { toChild: "to child ", fromChild: "from child " };
  const send = (key: string, frame: ToChild) =>
    child.send(encodeToChild(key, frame));
  const frames: unknown[] = [];
  let answered = Promise.withResolvers<void>();
  const take = (text: unknown) => {
    frames.push(decodeFromChild(keys.fromChild, text));
    answered.resolve();
  };
  child.on("message", take);
  if (HAS_PIPE) readMarks(child.stdio[4] as Readable, take);
  const exited = new Promise((resolve) => child.on("exit", resolve));
  const step = async (key: string, frame: ToChild) => {
    answered = Promise.withResolvers();
    send(key, frame);
    // A child that ends early fails the test, which would wait otherwise.
    await Promise.race([answered.promise, exited]);
  };
  child.stdin!.end(input);
  await Promise.race([answered.promise, exited]);
  await step("", { type: "load", keys, worker, denied });
  await step(keys.toChild, {
    type: "make",
    config: {},
    queue: "adder",
    reading: { body: "job" },
  });

  for (const key of ["", keys.fromChild, "another key"]) {
    send(key, { type: "exit" });
    send(key, { type: "load", keys, worker, denied });
  }
  frames.length = 0;
  const run = { type: "run", messages: [MESSAGE], withMarks: true } as const;
  send(keys.toChild, { ...run, id: "1" });
  send(keys.toChild, { ...run, id: "1" });
  send(keys.toChild, { ...run, id: "2" });
  child.on("message", (text) => {
    const ends = String(text).includes("ended") && String(text).includes("2");
    if (ends) send(keys.toChild, { type: "exit" });
  });
  await exited;
  const ids = frames.map((frame) => {
    const { type, id } = frame as { type: string; id?: string };
    return [type, id].join(" ").trim();
  });
  assertEquals(
    [...new Set(ids.filter((each) => each !== "log"))].toSorted(),
    ["ended", "returned", "started"].flatMap((type) => [
      `${type} 1`,
      `${type} 2`,
    ]),
  );
});
