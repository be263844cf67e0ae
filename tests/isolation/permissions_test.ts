/**
 * The permissions and the environment of isolated jobs.
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
import type { ContainerSettings } from "../../container.ts";
import { childCommand } from "../../src/isolation/child_command.ts";
import { Child } from "../../src/isolation/child_process.ts";
import { parseWorkerSpec } from "../../src/job/worker_spec.ts";
import { Reports, SECRETS, Stage, WORKER } from "../support/isolation_stage.ts";

const JOB = "adder, message ID, receive 1";

/** What is logged of a job that Deno refused. */
function refused(text: string, kind: string): void {
  // A refused import is a `TypeError`, so the job counts as failed.
  const start = kind === "import"
    ? `ERROR zsqs Handling a message failed: ${JOB}\n  TypeError: Requires `
    : `ERROR zsqs Job will be retried in 30 s: ${JOB}: start the container with the Deno permission that its worker needs\n  NotCapable: Requires `;
  assertEquals(text.slice(0, start.length), start);
  assertStringIncludes(
    text,
    `, run again with the --allow-${kind} flag, or give "allow_${kind}" in [container]\n      at `,
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
  // All but the refused import, and one more.
  assertEquals(stage.left.length, acts.length);
});

Deno.test("a child process refuses to start with a permission that is not granted", async () => {
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
    "would hold more permissions than configured: env, sys",
  );
});

Deno.test("allow_ options grant jobs the named permissions alone", async () => {
  await using reports = new Reports();
  await using other = new Reports();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/in`, "read me");
  await using stage = await Stage.start("act", {
    processes: 2,
    concurrency: 2,
    allowNet: reports.host,
    allowRead: `${folder}/in`,
    allowWrite: `${folder}/out`,
    allowEnv: "ZSQS_TEST_OWN,AWS_REGION",
    allowRun: process.execPath,
    allowSys: "osRelease",
    allowFfi: `${folder}/missing.so`,
  });
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
  await Deno.remove(folder, { recursive: true });
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
