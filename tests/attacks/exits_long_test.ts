/**
 * Jobs that end the container's process, and trouble that must not end it:
 * rejections, a closed standard error, a full disk.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { existsSync } from "node:fs";
import { Folder } from "../support/folder.ts";
import { installForNode } from "../support/npm_registry.ts";
import { programOf } from "../support/runtimes.ts";
import {
  runCli,
  servePackage,
  TestProcess,
  TestServer,
} from "../support/server.ts";

const INI = "[container]\nworker = worker.ts\nqueue = jobs\n";

const WORKER = `
import process from "node:process";
const ACTS = {
  deno: (status) => Deno.exit(status),
  node: (status) => process.exit(status),
  late: (status) => {
    setTimeout(() => Deno.exit(status), 1);
    return new Promise((resolve) => setTimeout(resolve, 60_000));
  },
  unset: () => process.exit(),
  done: () => {},
};
export default () => (act, status) => ACTS[act](status);
`;

for (
  const [act, status] of [
    ["deno", 0],
    ["node", 0],
    ["late", 0],
    ["unset", 0],
    ["deno", 2],
    ["node", 137],
  ] as const
) {
  Deno.test(`a job's exit is logged and makes the status 1: ${act} ${status}`, async () => {
    await using server = await TestServer.start();
    const url = await server.createQueue("jobs");
    await server.send(url, JSON.stringify([[act, status], {}]));
    await using registry = await servePackage();
    await using folder = await Folder.with({
      "jobs.ini": INI,
      "worker.ts": `// @ts-nocheck a test\n${WORKER}`,
    });
    await using container = runCli(["jobs.ini"], {
      cwd: folder.path,
      env: { ...registry.env, ...server.env },
    });
    assertEquals(await container.status(), 1);
    const lines = container.stderr.split("\n")
      .filter((line) => line.includes("exit"));
    assertEquals(lines.length, 1, container.stderr);
    assertMatch(
      lines[0]!,
      new RegExp(
        `^.*ERROR.* A job ended the process: jobs, message \\S+, receive 1\\. The exit status becomes 1, not ${status}\\. Jobs and hooks must return or throw, never exit$`,
      ),
    );
  });
}

Deno.test("an exit of a worker's module or factory has status 1, when checked too", async () => {
  await using server = await TestServer.start();
  await server.createQueue("jobs");
  await using registry = await servePackage();
  for (
    const [worker, args] of [
      ["Deno.exit(0); export default () => () => {};", ["jobs.ini"]],
      ["Deno.exit(0); export default () => () => {};", ["check", "jobs.ini"]],
      ["export default () => Deno.exit(0);", ["jobs.ini"]],
    ] as const
  ) {
    await using folder = await Folder.with({
      "jobs.ini": INI,
      "worker.ts": worker,
    });
    await using container = runCli(args, {
      cwd: folder.path,
      env: { ...registry.env, ...server.env },
    });
    assertEquals(await container.status(), 1, `${worker} ${args}`);
    assertMatch(
      container.stderr,
      /The process ends while its container is not stopped\. The exit status becomes 1, not 0/,
    );
  }
});

/** A program that runs a container beside its own work. */
const PROGRAM = `
import { startContainer } from "jsr:@zsqs/cli/container";
const how = Deno.args[0];
await startContainer({
  queue: "jobs",
  waitTimeSeconds: 1,
  handler: (status) => {
    if (how === "job") Deno.exit(status);
  },
});
if (how === "program") Deno.exit(3);
`;

Deno.test("a program's own exit beside a container keeps its status", async () => {
  await using server = await TestServer.start();
  const url = await server.createQueue("jobs");
  await server.send(url, "[[0],{}]");
  await using registry = await servePackage();
  await using folder = await Folder.with({ "main.ts": PROGRAM });
  for (const [how, status] of [["program", 3], ["job", 1]] as const) {
    await using program = new TestProcess(
      ["run", "-q", "-A", "--no-check", "main.ts", how],
      { cwd: folder.path, env: { ...registry.env, ...server.env } },
    );
    assertEquals(await program.status(), status, program.stderr);
    assertEquals(program.stderr.includes("exit status"), status === 1);
  }
});

const SEQUENTIAL = `
import { sequential } from "jsr:@zsqs/cli/container";
await sequential();
`;

/** A job that never ends, and keeps its process alive. */
const ENDLESS = `
export default () => () => {
  console.log("started");
  return new Promise(() => setInterval(() => {}, 1000));
};
`;

Deno.test("sequential() ends its process after a forced stop", async () => {
  await using server = await TestServer.start();
  const url = await server.createQueue("jobs");
  await server.send(url, "[[],{}]");
  await using registry = await servePackage();
  await using folder = await Folder.with({
    "main.ts": SEQUENTIAL,
    "jobs.ini": `${INI}shutdown_timeout = 0\nwait_time = 1\n`,
    "worker.ts": ENDLESS,
  });
  await using program = new TestProcess(
    ["run", "-q", "-A", "main.ts", "jobs.ini"],
    { cwd: folder.path, env: { ...registry.env, ...server.env } },
  );
  await program.saw("started");
  program.kill("SIGTERM");
  await program.saw("Gave up running jobs");
  assertEquals(await program.status(), 0);
  await server.left(url, 1);
  assert(!program.stderr.includes("exit status"), program.stderr);
});

const NODE_WORKER = `
import { writeFileSync } from "node:fs";
import process from "node:process";
const acts = {
  rejection: () => void Promise.reject(new Error("nobody awaits me")),
  timer: () => void setTimeout(() => { throw new Error("too late"); }),
  done: () => writeFileSync("done", ""),
  exit: (status) => process.exit(status),
  endless: () => {
    console.log("started");
    return new Promise(() => setInterval(() => {}, 1000));
  },
};
export default () => (act, status) => acts[act](status);
`;

const NODE_BESIDE = `
import { startContainer } from "@zsqs/cli/container";
await startContainer({ queue: "jobs", waitTimeSeconds: 1, handler: () => {} });
const error = new Error("of the program");
if (process.argv[2] === "rejection") Promise.reject(error);
else setTimeout(() => { throw error; });
`;

Deno.test("a container on Node outlives its jobs' stray errors, and its end is a failure", async () => {
  await using server = await TestServer.start();
  const url = await server.createQueue("jobs");
  await using registry = await servePackage();
  await using folder = await Folder.with({
    "jobs.ini": `${
      INI.replace(".ts", ".js")
    }wait_time = 1\nshutdown_timeout = 0\n`,
    "worker.js": NODE_WORKER,
    "main.js": SEQUENTIAL.replace("jsr:", ""),
    "beside.js": NODE_BESIDE,
  });
  await installForNode(folder.path, registry.env.JSR_URL!);
  const program = await programOf("Node");
  const node = (...args: string[]) =>
    new TestProcess(args, { program, cwd: folder.path, env: server.env });
  const send = (...args: unknown[]) =>
    server.send(url, JSON.stringify([args, {}]));
  {
    await using container = node("main.js", "jobs.ini");
    for (const act of ["rejection", "timer"]) await send(act);
    await container.saw("Work that a job left behind failed", 2);
    for (const text of ["nobody awaits me", "too late"]) {
      assertMatch(
        container.stderr,
        new RegExp(
          `ERROR zsqs Work that a job left behind failed: jobs, message \\S+, receive 1\\n +Error: ${text}`,
        ),
      );
    }
    await send("done");
    await server.left(url, 0);
    assert(existsSync(folder.at("done")));
    await send("exit", 0);
    assertEquals(await container.status(), 1);
    assertMatch(
      container.stderr,
      /A job ended the process: jobs, message \S+, receive 1\. The exit status becomes 1, not 0/,
    );
  }
  for (const what of ["rejection", "timer"]) {
    await using program = node("beside.js", what);
    assertEquals(await program.status(), 1, what);
    assertMatch(program.stderr, /Error: of the program/);
  }
  const other = await server.createQueue("endless");
  await folder.write(
    "endless.ini",
    (await folder.read("jobs.ini")).replace("= jobs", "= endless"),
  );
  await server.send(other, '[["endless"],{}]');
  await using container = node("main.js", "endless.ini");
  await container.saw("started");
  container.kill("SIGTERM");
  await container.saw("Gave up running jobs");
  assertEquals(await container.status(), 0, container.stderr);
});
