/**
 * Jobs that try to outlive their container: nothing of it may be left.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Folder } from "../support/cli.ts";
import { runCli, type TestProcess, TestServer } from "../support/server.ts";

const WORKER = `
import { getLogger } from "jsr:@zsqs/cli";
import process from "node:process";

function sleep() {
  const stdio = { stdin: "null", stdout: "null", stderr: "null" };
  new Deno.Command("sleep", { args: ["1000"], ...stdio }).spawn().unref();
}

const log = getLogger("jobs");

export const worker = () => (what) => {
  if (what === "program") sleep();
  console.log("begun", what);
  if (what === "exit") {
    process.on("exit", () => { for (;;); });
    return new Promise(() => {});
  }
  if (what === "flood") setInterval(() => log.info("x".repeat(50_000)));
  else for (;;);
  return new Promise(() => {});
};

export const leaving = () => async (what) => {
  if (what === "program") sleep();
  else process.on("exit", () => { for (;;); });
};
`;

const LOADING = `console.log("loading"); for (;;);`;

/** The commands of the processes that were started in a folder. */
function processesIn(folder: string): string[] {
  const found: string[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (Deno.readLinkSync(`/proc/${name}/cwd`) !== folder) continue;
      const command = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      found.push(command.replaceAll("\0", " "));
    } catch {
      // It has ended, or belongs to somebody else.
    }
  }
  return found;
}

/** Waits until no process of a folder is left. */
async function nothingLeft(folder: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (processesIn(folder).length > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assertEquals(processesIn(folder), []);
}

interface Scene extends AsyncDisposable {
  readonly folder: string;
  /** Starts a container with a separate queue, which holds these jobs. */
  start(
    worker: string,
    jobs: readonly string[],
    options?: string,
  ): Promise<TestProcess & { left(count: number): Promise<void> }>;
}

async function scene(): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(
    await Folder.with({ "worker.ts": WORKER, "loading.ts": LOADING }),
  );
  const server = stack.use(await TestServer.start());
  const env = { ...server.env, JSR_URL: Deno.env.get("JSR_URL")! };
  let count = 0;
  return {
    folder: folder.path,
    async start(worker, jobs, options = "") {
      const name = `jobs${count++}`;
      const url = await server.createQueue(name);
      for (const job of jobs) {
        await server.send(url, JSON.stringify([[job], {}]));
      }
      const file = await folder.write(
        `${name}.ini`,
        `[container]\nworker = ${worker}\nqueue = ${name}\nisolation = process\n` +
          `wait_time = 1\nprocesses = 2\nconcurrency = 2\n${options}\n`,
      );
      return Object.assign(runCli([file], { cwd: folder.path, env }), {
        left: (count: number) => server.left(url, count),
      });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const isLinux = Deno.build.os === "linux";

const PAIRS: readonly (readonly [job: string, other: string])[] = [
  ["loop", "exit"],
  ["program", "loop"],
  ["flood", "flood"],
  ["program", "exit"],
];

Deno.test({
  name: "twenty kills of a container leave no process",
  ignore: !isLinux,
  async fn() {
    await using the = await scene();
    for (let round = 0; round < 5; round++) {
      await Promise.all(PAIRS.map(async (pair) => {
        const allows = pair[0] === "program" ? "allow_run = sleep" : "";
        await using container = await the.start(
          "worker.ts:worker",
          pair,
          allows,
        );
        await container.saw("begun", 2);
        container.kill("SIGKILL");
        await container.status();
      }));
      await nothingLeft(the.folder);
    }
  },
});

Deno.test({
  name: "a stop kills processes that still load, and what jobs left running",
  ignore: !isLinux,
  async fn() {
    await using the = await scene();
    await using loading = await the.start("loading.ts:worker", []);
    await loading.saw("loading", 2);
    loading.kill("SIGTERM");
    await loading.status();
    await nothingLeft(the.folder);

    await using container = await the.start(
      "worker.ts:leaving",
      ["program", "exit"],
      "allow_run = sleep",
    );
    await container.left(0);
    container.kill("SIGTERM");
    assertEquals(await container.status(), 0);
    assertMatch(container.stderr, /done 2, failed 0/);
    await nothingLeft(the.folder);
  },
});
