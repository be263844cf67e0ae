/**
 * Jobs in processes of their own: what they may do, how they end, and what
 * crosses the boundary.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import process from "node:process";
import {
  ConfigError,
  type ContainerSettings,
  runContainer,
} from "../../container.ts";
import { childCommand } from "../../src/isolation/child_command.ts";
import { Child } from "../../src/isolation/child_process.ts";
import { parseWorkerSpec } from "../../src/job/worker_spec.ts";
import { KILL_GRACE_SECONDS } from "../../src/isolation/pool.ts";
import { kwargs } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { Reports, SECRETS, Stage, WORKER } from "../support/isolation_stage.ts";

const NOT_DONE =
  "ERROR zsqs Job will be received again: adder, message ID, receive 1: start the container with the Deno permission that its worker needs\n";

/** What is logged of a job that Deno refused. */
function refused(text: string, kind: string): void {
  assert(text.startsWith(NOT_DONE), text);
  assertStringIncludes(
    text,
    `, run again with the --allow-${kind} flag, or give "allow_${kind}" in [container]\n      at `,
  );
  assertMatch(
    text.slice(NOT_DONE.length),
    kind === "import"
      ? /^ {2}TypeError: Requires /
      : /^ {2}NotCapable: Requires /,
  );
}

Deno.test("isolation = process gives jobs no permission at all", async () => {
  await using reports = new Reports();
  await using stage = await Stage.start("act");
  const states = Object.values(
    await stage.value("permissions") as Record<string, string>,
  );
  assertEquals(states.filter((state) => state !== "prompt"), []);
  assert(states.length > 10);
  const folder = stage.folder.path;
  const acts: [kind: string, what: string, ...args: string[]][] = [
    ["env", "env", "AWS_SECRET_ACCESS_KEY"],
    ["net", "net", reports.url],
    ["read", "read", WORKER],
    ["read", "read", "/proc/self/environ"],
    ["write", "write", `${folder}/out`],
    ["run", "run", process.execPath],
    ["sys", "sys"],
    ["ffi", "ffi", "./missing.so"],
    ["import", "import", `${reports.url}code.js`],
  ];
  for (const [kind, ...job] of acts) refused(await stage.do(...job), kind);
  assertMatch(
    await stage.do("nodeRun", process.execPath),
    /NotCapable: Requires (run|env) access/,
  );
  assertEquals(stage.left.length, acts.length + 1);
});

Deno.test("a process for jobs refuses to start with more than was given", async () => {
  const worker = parseWorkerSpec(`${WORKER}:act`, "/");
  const command = childCommand(worker, { allowNet: "127.0.0.1" });
  const start = async (...flags: string[]) => {
    const [run = "", ...args] = command.args;
    const child = new Child({
      command: { ...command, args: [run, ...flags, ...args] },
      worker,
      onLog: () => {},
    });
    try {
      await child.load();
    } finally {
      child.kill("was killed by the test");
      await child.ended;
    }
  };
  await start();
  const error = await assertRejects(
    () => start("--allow-env", "--allow-sys"),
  ) as Error;
  assertStringIncludes(
    error.message,
    "would hold permissions that were not given: env, sys",
  );
});

/** The options that grant one thing each, at one process and more. */
async function granted(
  settings: Partial<ContainerSettings>,
  test: (stage: Stage) => Promise<void>,
): Promise<void> {
  for (const processes of [1, 2]) {
    await using stage = await Stage.start("act", {
      processes,
      concurrency: processes,
      ...settings,
    }, { in: "read me", "code.js": "export default 'imported'" });
    await test(stage);
  }
}

Deno.test("allow_ options give jobs what they name, and nothing else", async () => {
  await using reports = new Reports();
  await using other = new Reports();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/in`, "read me");
  await granted({
    allowNet: reports.host,
    allowRead: `${folder}/in`,
    allowWrite: `${folder}/out`,
    allowEnv: "ZSQS_TEST_OWN,AWS_REGION",
    allowRun: process.execPath,
    allowSys: "osRelease",
    allowFfi: `${folder}/missing.so`,
  }, async (stage) => {
    assertEquals(await stage.value("net", reports.url), "go on");
    refused(await stage.do("net", other.url), "net");
    assertEquals(await stage.value("read", `${folder}/in`), "read me");
    refused(await stage.do("read", `${folder}/inn`), "read");
    await stage.value("write", `${folder}/out`);
    assertEquals(await Deno.readTextFile(`${folder}/out`), "written");
    refused(await stage.do("write", `${folder}/in`), "write");
    assertEquals(await stage.value("env", "ZSQS_TEST_OWN"), "own");
    refused(await stage.do("env", "AWS_SECRET_ACCESS_KEY"), "env");
    assertEquals(await stage.value("run", process.execPath), "deno");
    refused(await stage.do("run", "/bin/true"), "run");
    assertEquals(await stage.value("sys"), "string");
    assertMatch(
      await stage.do("ffi", `${folder}/missing.so`),
      /^ERROR zsqs Handling a message failed: adder, message ID, receive 1\n {2}Error: Could not open library/,
    );
    refused(await stage.do("ffi", `${folder}/other.so`), "ffi");
  });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("allow_import lets jobs import code from hosts", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () =>
      new Response("export default 'imported'", {
        headers: { "content-type": "text/javascript", connection: "close" },
      }),
  );
  const host = `127.0.0.1:${server.addr.port}`;
  // Deno keeps what it imported: the port may have served another test.
  const url = `http://${host}/${crypto.randomUUID()}.js`;
  await using stage = await Stage.start("act", { allowImport: host });
  assertEquals(await stage.value("import", url), "imported");
});

Deno.test("isolation = process builds the environment of jobs", async () => {
  const names = async (settings: Partial<ContainerSettings>) => {
    await using stage = await Stage.start("act", settings);
    return await stage.value("names") as string[];
  };
  const secret = (all: string[]) =>
    all.filter((name) => SECRETS.includes(name));
  for (const settings of [{ allowEnv: "true" }, { allowAll: true }]) {
    const all = await names(settings);
    assertEquals(secret(all), ["ZSQS_TEST_OWN"]);
    assert(all.includes("HOME") && all.includes("PATH"));
    assert(!all.some((name) => name.startsWith("AWS_")));
  }
  await using stage = await Stage.start("act", { allowEnv: "AWS_S*" });
  assertEquals(await stage.value("env", "AWS_SECRET_ACCESS_KEY"), "test");
  refused(await stage.do("env", "AWS_ACCESS_KEY_ID"), "env");
});

Deno.test("allow_all lets jobs do what Deno may", async () => {
  await using stage = await Stage.start("act", { allowAll: true });
  assertEquals(await stage.value("sys"), "string");
  assertEquals(
    await stage.value("read", "/proc/self/environ").then((text) =>
      String(text).includes("the secret")
    ),
    false,
  );
});

Deno.test("currentJob(), arguments and attributes are the same in a process of its own", async () => {
  await using stage = await Stage.start("act");
  const big = "ü𠮷".repeat(1000);
  const attributes = { text: "a", number: 5, bytes: new Uint8Array([0, 255]) };
  const before = (await stage.log()).length;
  await stage.queue.send(
    ["job", process.pid, { "__proto__": 1, a: [null, big] }, kwargs({ x: 3 })],
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
});

Deno.test("getLogger() writes to the container's loggers from a process of its own", async () => {
  await using stage = await Stage.start("act");
  for (const level of ["debug", "info", "warn", "error", "critical"]) {
    const name = level === "warn" ? "WARNING" : level.toUpperCase();
    const text = await stage.do("log", level);
    assert(text.startsWith(`${name} worker text { a: 1 }\n`), text);
    assertMatch(
      text,
      /TypeError: logged\n {6}at .*isolated_worker\.ts:[^]*\n {2}Caused by: RangeError: the cause\n {6}at .*isolated_worker\.ts:/,
    );
  }
});

Deno.test("errors keep name, message, stack and causes out of a process of its own", async () => {
  await using stage = await Stage.start("act");
  const text = await stage.do("fail");
  assertMatch(
    text,
    /^ERROR zsqs Handling a message failed: adder, message ID, receive 1\n {2}TypeError: bad\n {4}input\n {6}at .*isolated_worker\.ts:[^]*\n {2}Caused by: AggregateError: several\n {6}at [^]*\n {4}Error 1: Error: one\n[^]*\n {4}Error 2: two\nINFO zsqs\.messages \[\["fail"\],\{\}\]$/,
  );
  assertStringIncludes(
    await stage.do("throwText"),
    "ERROR zsqs Handling a message failed: adder, message ID, receive 1 text\n",
  );
  assertStringIncludes(
    await stage.do("throwObject"),
    "ERROR zsqs Handling a message failed: adder, message ID, receive 1 { a: [ 1 ] }\n",
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
});

Deno.test("TransientError keeps its delay out of a process of its own", async () => {
  await using stage = await Stage.start("act");
  assertMatch(
    await stage.do("later", 7),
    /^DEBUG zsqs Job will be received again: adder, message ID, receive 1\n {2}TransientError: later\n/,
  );
  const { now } = stage.queues;
  const [message] = stage.queues.get("adder").messages;
  assertEquals(message!.visibleAt.getTime() - now.getTime(), 7_000);
  // Also one whose delay is wrong, which carries the brand as well.
  assertMatch(
    await stage.do("later", -1),
    /^DEBUG zsqs Job will be received again: adder, message ID, receive 1\n {2}RangeError: Cannot create TransientError/,
  );
  assertEquals(stage.left.length, 2);
});

Deno.test("an error in work that a job left behind does not end its process", async () => {
  await using stage = await Stage.start("act");
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
});

Deno.test("timeout ends a job in an endless loop with its process, and no other", async () => {
  await using reports = new Reports();
  await using stage = await Stage.start("tell", {
    allowNet: reports.host,
    processes: 2,
    concurrency: 2,
    timeoutSeconds: 5,
    workerConfig: { report: reports.url, again: "fine" },
  });
  const release = Promise.withResolvers<void>();
  reports.holds.set("held", release.promise);
  const sent = stage.queue.sendAll([["loop"], ["held"], ["wait"]]);
  const begun = new Map(
    [await reports.next(), await reports.next()]
      .map(([what, pid]) => [what, pid]),
  );
  // Where an assertion fails nothing else would end the loop.
  using _loop = killing(begun.get("loop")!);
  assert(begun.get("loop") !== begun.get("held"));
  release.resolve();
  assertEquals(await reports.next(), ["held"]);
  // The third begins when the second is done.
  const [what, pid] = await reports.next();
  assertEquals([what, pid], ["wait", begun.get("held")]);
  const aborted = stage.queues.advance(5);
  await stage.logged("JobAbortedError: Job aborted: timed out");
  await stage.queues.advance(KILL_GRACE_SECONDS);
  await Promise.all([aborted, sent]);
  assertEquals(stage.left, ['[["loop"],{}]', '[["wait"],{}]']);
  const log = await stage.log();
  assertMatch(log, /INFO worker held: done\n/);
  assertMatch(log, /INFO worker wait: timed out, /);
  assertMatch(
    log,
    /WARNING zsqs Job will be received again: adder, message ID, receive 1\n {2}LostJobError: Its process was killed as job ID did not end within 2 s of its timeout\n/,
  );
  await stage.queues.advance(30);
  assertEquals(stage.left, []);
  assertMatch(await stage.log(), /INFO worker loop again\n/);
});

Deno.test("timeout aborts the signal of a job, which then has time to end", async () => {
  await using reports = new Reports();
  await using stage = await Stage.start("tell", {
    allowNet: reports.host,
    timeoutSeconds: 5,
    workerConfig: { report: reports.url, again: "fine" },
  });
  const sent = stage.queue("wait");
  const [, pid] = await reports.next();
  await stage.queues.advance(5);
  await sent;
  assertMatch(
    await stage.log(),
    /INFO worker wait: timed out, Job aborted: timed out\nWARNING zsqs Job will be received again: adder, message ID, receive 1\n {2}JobAbortedError: Job aborted: timed out\n/,
  );
  // It is the same process that does it again.
  await stage.queues.advance(KILL_GRACE_SECONDS + 30);
  const [what, again] = await reports.next();
  assertEquals([what, again], ["wait", pid]);
  assertEquals(stage.left, []);
});

Deno.test("a process that is killed from outside is replaced, and its job done again", async () => {
  await using reports = new Reports();
  await using stage = await Stage.start("tell", {
    allowNet: reports.host,
    processes: 2,
    concurrency: 2,
    workerConfig: { report: reports.url, again: "fine" },
  });
  const release = Promise.withResolvers<void>();
  reports.holds.set("held", release.promise);
  const both = Promise.all([stage.queue("wait"), stage.queue("held")]);
  const begun = new Map(
    [await reports.next(), await reports.next()]
      .map(([what, pid]) => [what, Number(pid)]),
  );
  Deno.kill(begun.get("wait")!, "SIGKILL");
  await stage.logged("Its process was ended by SIGKILL");
  release.resolve();
  await both;
  assertEquals(stage.left, ['[["wait"],{}]']);
  await stage.queues.advance(30);
  assertEquals(stage.left, []);
  assertMatch(await stage.log(), /INFO worker wait again\n/);
});

Deno.test("what a job writes to streams and descriptors tells nothing of jobs", async () => {
  await using stage = await Stage.start("forge", { concurrency: 2 });
  await Promise.all([stage.queue("0"), stage.queue("1")]);
  assertEquals(stage.left.toSorted(), ['[["0"],{}]', '[["1"],{}]']);
  assertEquals(
    await stage.log(),
    ("WARNING zsqs Job will be received again: adder, message ID, receive 1\n" +
      "  LostJobError: Its process was killed as a job wrote to its channel\n")
      .repeat(2),
  );
});

Deno.test("a job finds nothing with which to tell how it ended", async () => {
  await using stage = await Stage.start("act");
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

Deno.test("isolation = process tells at start what is wrong with a worker", async () => {
  const wrong: [worker: string, message: string | RegExp][] = [
    [
      `${WORKER}:missing`,
      /^Cannot start container as worker ".*:missing" has no "missing": it exports "act", /,
    ],
    [
      "/absent/worker.ts",
      'Cannot start container as worker "/absent/worker.ts" does not exist: there is no file:///absent/worker.ts',
    ],
    [
      `${WORKER}:needy`,
      /^Cannot start container as worker ".*:needy" failed: Requires read access to "\/etc\/hostname", run again with the --allow-read flag, or give "allow_read" in \[container\]$/,
    ],
  ];
  for (const [worker, message] of wrong) {
    for (const processes of [1, 2]) {
      await using _queues = setUp({ silent: true });
      const error = await assertRejects(
        () =>
          runContainer({
            worker,
            queue: "adder",
            isolation: "process",
            processes,
            concurrency: 2,
          }),
        ConfigError,
      );
      if (typeof message === "string") assertEquals(error.message, message);
      else assertMatch(error.message, message);
    }
  }
  await using _queues = setUp({ silent: true });
  await assertRejects(
    () =>
      runContainer({
        worker: `${WORKER}:leaving`,
        queue: "adder",
        isolation: "process",
      }),
    Error,
    "its process ended with exit code 3 before it was ready",
  );
});

Deno.test("a worker in a process of its own is disposed at the end", async () => {
  let log = "";
  {
    await using stage = await Stage.start("act", {
      processes: 2,
      concurrency: 2,
    });
    const { queues } = stage;
    await queues[Symbol.asyncDispose]();
    log = await stage.log();
  }
  assertEquals(log, "INFO worker disposed\nINFO worker disposed\n");
});

/** Ends a process at the end of a scope, if it is still there. */
function killing(pid: string): Disposable {
  return {
    [Symbol.dispose]() {
      try {
        Deno.kill(Number(pid), "SIGKILL");
      } catch {
        // It has ended.
      }
    },
  };
}
