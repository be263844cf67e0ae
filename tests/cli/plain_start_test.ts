/**
 * The modules that a plain container loads: all else would cost each start time
 * and memory.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { Folder } from "../support/folder.ts";
import { TestProcess, TestServer } from "../support/server.ts";

const ROOT = new URL("../..", import.meta.url);

/** Folders whose modules load on demand, except for the named modules. */
const WAITING: Readonly<Record<string, readonly string[]>> = {
  "src/double": [],
  // For compiled programs and --watch.
  "src/isolation": ["child_command", "module_graph", "own_flags"],
  "src/lambda": [],
  "src/permissions": [],
  "src/telemetry": ["counters", "events"],
  "src/web": [],
  "src/web/pages": [],
};

/** Modules of other folders that options load. */
const OPTIONAL = [
  ...["src/aws/profiles.ts", "src/aws/s3.ts", "src/container/health.ts"],
  ...["src/container/large_jobs.ts", "src/container/open_failures.ts"],
  ...["src/container/stats.ts", "src/engine/batch_jobs.ts"],
  ...["src/engine/batch_split.ts", "src/engine/failure_queue.ts"],
  ...["src/engine/fetched_jobs.ts", "src/engine/object_removal.ts"],
];

/** What the SDK's client of SQS brings. */
const SDK = /^@(?:aws|aws-sdk|smithy)\/(?!client-s3$)/;

/** The modules that Deno covered: of this package, and packages of npm. */
async function readLoaded(coverage: string) {
  const own: string[] = [];
  const packages = new Set<string>();
  for await (const { name } of Deno.readDir(coverage)) {
    const text = await Deno.readTextFile(`${coverage}/${name}`);
    const { url } = JSON.parse(text);
    const [, npm] = /\/npm\/[^/]+\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
    if (npm !== undefined) packages.add(npm);
    else if (url.startsWith(ROOT.href)) own.push(url.slice(ROOT.href.length));
  }
  return { own, packages: [...packages] };
}

Deno.test("a plain container loads no module that it does not need", async () => {
  await using server = await TestServer.start();
  await server.send(await server.createQueue("adder"), "[[],{}]");
  await using folder = await Folder.with({
    "worker.ts": "export default () => () => {};",
    "adder.ini":
      "[container]\nworker = worker.ts\nqueue = adder\nfailures = delete\nwait_time = 1\n",
  });
  const root = fileURLToPath(ROOT);
  const coverage = folder.at("coverage");
  await using container = new TestProcess([
    ...["run", "-q", "-A", `--config=${root}deno.json`],
    ...[`--coverage=${coverage}`, `${root}cli.ts`, "adder.ini", "--drain"],
  ], { cwd: folder.path, env: server.env });
  assertEquals(await container.status(), 0, container.stderr);
  const { own, packages } = await readLoaded(coverage);

  // It has done its job, and what did it is covered.
  for (const path of ["src/engine/engine.ts", "src/aws/sqs.ts"]) {
    assert(own.includes(path), path);
  }
  assert(packages.includes("@aws-sdk/client-sqs"));
  const waiting = own.filter((path) => {
    const [, folder, name] = /^(.*)\/(.*)\.ts$/.exec(path) ?? [];
    return WAITING[folder!]?.includes(name!) === false ||
      OPTIONAL.includes(path);
  });
  assertEquals(waiting, []);
  // A module that was renamed would wait for nothing.
  for (const path of [...OPTIONAL, ...Object.keys(WAITING)]) {
    await Deno.stat(new URL(path, ROOT));
  }
  assertEquals(packages.filter((name) => !SDK.test(name)), []);
});
