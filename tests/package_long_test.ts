/**
 * The package as its users get it: from a registry, in a folder outside of the
 * project, and in two versions at a time.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join, relative } from "node:path";
import {
  runCli,
  servePackage,
  TestProcess,
  TestServer,
} from "./support/server.ts";
import manifest from "../deno.json" with { type: "json" };

const ROOT = join(import.meta.dirname!, "..");

/** What `deno publish` would publish, as it says itself. */
async function publishedFiles(): Promise<string[]> {
  const { stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty", "--no-check"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stderr);
  return [...text.matchAll(/^\s+file:\/\/(\S+) \(/gm)].map((match) =>
    relative(ROOT, decodeURIComponent(match[1]!))
  ).sort();
}

/** A folder with this package as another version. */
async function copyAsVersion(version: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  for (const name of await publishedFiles()) {
    await Deno.mkdir(dirname(join(folder, name)), { recursive: true });
    await Deno.copyFile(join(ROOT, name), join(folder, name));
  }
  await Deno.writeTextFile(
    join(folder, "deno.json"),
    JSON.stringify({ ...manifest, version }),
  );
  return folder;
}

Deno.test("the registry serves what deno publish would publish", async () => {
  await using registry = await servePackage();
  const url = `${registry.env.JSR_URL}@zsqs/cli/${manifest.version}_meta.json`;
  const meta = await (await fetch(url)).json();
  assertEquals(
    Object.keys(meta.manifest).map((path) => path.slice(1)).sort(),
    await publishedFiles(),
  );
});

Deno.test("jsr:@zsqs/cli is a producer and the command line, word for word", async () => {
  const folder = await Deno.makeTempDir();
  await using registry = await servePackage();
  await using server = await TestServer.start();
  await server.createQueue("adder");
  const options = { cwd: folder, env: { ...registry.env, ...server.env } };
  const write = (name: string, text: string) =>
    Deno.writeTextFile(join(folder, name), text);
  await write(
    "producer.ts",
    `import { Queue } from "jsr:@zsqs/cli";
    const adder = await Queue("adder");
    await adder(1, 2, 3);
    console.log("sent to", adder.name);`,
  );
  await write(
    "worker.ts",
    `import type { WorkerConfig } from "jsr:@zsqs/cli";
    export default (config: WorkerConfig) =>
      (a: number, b: number, c: number) =>
        console.log(Number(config.scale) * (a + b + c));`,
  );
  await write(
    "config.ini",
    "[container]\nworker = worker.ts\nqueue = adder\nwait_time = 1\n[worker]\nscale = 2\n",
  );
  await using producer = new TestProcess(
    ["run", "-q", "--check", "-A", "producer.ts"],
    options,
  );
  assertEquals([await producer.status(), producer.stderr], [0, ""]);
  assertEquals(producer.stdout, "sent to adder\n");

  await using container = runCli(["config.ini"], options);
  await container.saw("12\n");
  container.kill("SIGINT");
  assertEquals(await container.status(), 0);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a worker that loads another version of the package loses no job", async () => {
  const folder = await Deno.makeTempDir();
  const other = await copyAsVersion("0.0.1");
  await using registry = await servePackage(other);
  await using server = await TestServer.start();
  const url = await server.createQueue("adder");
  await Deno.writeTextFile(
    join(folder, "worker.ts"),
    `import { currentJob, getLogger, TransientError } from "jsr:@zsqs/cli@0.0.1";
    export default () => () => {
      const { receiveCount } = currentJob();
      getLogger("worker").info("try " + receiveCount);
      if (receiveCount === 1) throw new TransientError("", { delaySeconds: 0 });
    };`,
  );
  await Deno.writeTextFile(
    join(folder, "config.ini"),
    "[container]\nworker = worker.ts\nqueue = adder\nwait_time = 1\n",
  );
  await server.send(url, "[[],{}]");
  await using container = runCli(["config.ini", "--drain"], {
    cwd: folder,
    env: { ...registry.env, ...server.env },
  });
  assertEquals(await container.status(), 0);
  assertStringIncludes(container.stderr, "INFO worker try 1\n");
  assertStringIncludes(container.stderr, "INFO worker try 2\n");
  assertStringIncludes(
    container.stderr,
    "received 2, done 1, failed 0, retried 1, released 0",
  );
  await Deno.remove(folder, { recursive: true });
  await Deno.remove(other, { recursive: true });
});
