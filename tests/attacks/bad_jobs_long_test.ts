/**
 * Isolated jobs that end their processes, or keep them busy without end, among good
 * ones: only they go back to the queue.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Queue } from "../../producer.ts";
import { Folder } from "../support/cli.ts";
import { runCli, type TestProcess, TestServer } from "../support/server.ts";

const WORKER = `
import { currentJob } from "jsr:@zsqs/cli";

export const worker = () => async (what) => {
  if (what === "wait") {
    const { signal } = currentJob();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    signal.throwIfAborted();
  }
  if (what === "slow") await new Promise((resolve) => setTimeout(resolve, 5));
  if (what === "long") await new Promise((resolve) => setTimeout(resolve, 500));
  if (what === "exit") Deno.exit(3);
  if (what === "bomb") setTimeout(() => Deno.exit(3), 20);
  if (what === "later") {
    await new Promise((resolve) => setTimeout(resolve, 5));
    Deno.exit(3);
  }
  if (what === "late") await new Promise((resolve) => setTimeout(resolve, 5));
  if (what === "loop" || what === "late") for (;;);
  if (what === "memory") {
    const kept = [];
    for (;;) kept.push(Array.from({ length: 10_000 }, Math.random));
  }
};

/** Its second start fails. */
export const flaky = ({ file }) => {
  const starts = Number(Deno.readTextFileSync(file)) + 1;
  Deno.writeTextFileSync(file, String(starts));
  if (starts === 2) throw new Error("database is down");
  return worker();
};

/** Its second, third and fourth start fail. */
export const restarted = ({ file }) => {
  const starts = Number(Deno.readTextFileSync(file)) + 1;
  Deno.writeTextFileSync(file, String(starts));
  if (starts > 1 && starts < 5) throw new Error("database is down");
  return (what) => {
    if (what === "exit" && starts === 1) Deno.exit(3);
  };
};
`;

/** Queues with a redrive policy, and a folder with a worker. */
class Scene implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly server: TestServer;
  readonly folder: Folder;

  private constructor(
    stack: AsyncDisposableStack,
    server: TestServer,
    folder: Folder,
  ) {
    this.#stack = stack;
    this.server = server;
    this.folder = folder;
  }

  static async start(maxReceiveCount: number): Promise<Scene> {
    const stack = new AsyncDisposableStack();
    const server = stack.use(await TestServer.start());
    const folder = stack.use(await Folder.with({ "worker.ts": WORKER }));
    await server.createQueue("dead");
    await server.createQueue("jobs", {
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: "arn:aws:sqs:us-east-1:000000000000:dead",
        maxReceiveCount,
      }),
    });
    return new Scene(stack.move(), server, folder);
  }

  /** Sends jobs in the order of their names. */
  async send(jobs: readonly string[]): Promise<void> {
    const { endpoint } = this.server;
    const queue = await Queue("jobs", { endpoint, region: "us-east-1" });
    const { failed } = await queue.sendAll(jobs.map((job) => [job]));
    assertEquals(failed, 0);
    await queue.close();
  }

  async run(
    options: string,
    more: readonly string[] = [],
  ): Promise<TestProcess> {
    const file = await this.folder.write(
      "jobs.ini",
      `[container]\nqueue = jobs\nisolation = process\nfailures = keep\n` +
        `retry_delay = 0\nwait_time = 1\n${options}\n`,
    );
    return runCli([...more, file], {
      cwd: this.folder.path,
      env: {
        ...this.server.env,
        DENO_V8_FLAGS: "--max-old-space-size=64",
      },
    });
  }

  /** How many jobs of each kind were dead-lettered, and what else is left. */
  async dead(): Promise<Record<string, number>> {
    const url = (name: string) =>
      `${this.server.endpoint}/000000000000/${name}`;
    await this.server.left(url("jobs"), 0);
    const counts: Record<string, number> = {};
    for (;;) {
      const bodies = await this.server.receive(url("dead"));
      if (bodies.length === 0) return counts;
      for (const body of bodies) {
        const [[what]] = JSON.parse(body);
        counts[what] = (counts[what] ?? 0) + 1;
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** Bad jobs among good ones, one in so many. */
function among(jobs: number, bad: Record<string, number>): string[] {
  return Array.from({ length: jobs }, (_, i) => {
    for (const [what, each] of Object.entries(bad)) {
      if (i % 100 < each) return what;
      i += each;
    }
    return i % 2 === 0 ? "good" : "slow";
  });
}

Deno.test("60 jobs that end their process take no good job of 2,000 with them", async () => {
  await using the = await Scene.start(1);
  await the.send(among(2_000, { exit: 3 }));
  await using container = await the.run(
    "worker = worker.ts:worker\nprocesses = 2\nconcurrency = 20",
    ["--drain"],
  );
  assertEquals(await container.status(), 0, container.stderr);
  assertEquals(await the.dead(), { exit: 60 });
  assertMatch(container.stderr, /done 1940, failed 0, retried 60, released 0/);
});

Deno.test("exits, endless loops and a full heap take no good job with them", async () => {
  await using the = await Scene.start(1);
  await the.send(among(400, { exit: 1, loop: 1, memory: 1 }));
  await using container = await the.run(
    "worker = worker.ts:worker\nprocesses = 2\nconcurrency = 20\ntimeout = 1\n" +
      "allow_env = DENO_V8_FLAGS",
    ["--drain"],
  );
  assertEquals(await container.status(), 0, container.stderr);
  assertEquals(await the.dead(), { exit: 4, loop: 4, memory: 4 });
  assertMatch(container.stderr, /done 388, failed 0, retried 12, released 0/);
});

Deno.test("what jobs leave behind ends their process, but takes no good job with it", async () => {
  await using the = await Scene.start(1);
  await the.send(among(400, { bomb: 5, later: 2 }));
  await using container = await the.run(
    "worker = worker.ts:worker\nprocesses = 2\nconcurrency = 20",
    ["--drain"],
  );
  assertEquals(await container.status(), 0, container.stderr);
  assertEquals(await the.dead(), { later: 8 });
  assertMatch(container.stderr, /done 392, failed 0, retried 8, released 0/);
});

/** Drains a job that exits and 40 good ones; the worker counts its starts. */
async function runRestarting(
  the: Scene,
  worker: string,
): Promise<TestProcess> {
  const file = await the.folder.write("starts", "0");
  await the.send(["exit", ...Array.from({ length: 40 }, () => "good")]);
  const container = await the.run(
    `worker = worker.ts:${worker}\nconcurrency = 4\nprefetch = 40\n` +
      `allow_read = ${file}\nallow_write = ${file}\n[worker]\nfile = ${file}`,
    ["--drain"],
  );
  assertEquals(await container.status(), 0, container.stderr);
  return container;
}

Deno.test("a worker that cannot start again costs its jobs one receive", async () => {
  await using the = await Scene.start(3);
  await using container = await runRestarting(the, "restarted\ntimeout = 3");
  assertEquals(await the.folder.read("starts"), "5");
  assertEquals(await the.dead(), {});
  assertMatch(container.stderr, /done 41, failed 0, retried 1/);
  assertMatch(
    container.stderr,
    /No job of jobs can start: waiting messages return to the queue/,
  );
});

Deno.test("a start that fails once costs the jobs that wait no receive", async () => {
  await using the = await Scene.start(1);
  await using container = await runRestarting(the, "flaky");
  assertEquals(await the.folder.read("starts"), "3");
  assertEquals(await the.dead(), { exit: 1 });
  assertMatch(container.stderr, /done 40, failed 0, retried 1, released 0/);
});

Deno.test("a job that timed out in a child process logs no frame of this package", async () => {
  await using the = await Scene.start(1);
  await the.send(["wait"]);
  await using container = await the.run(
    "worker = worker.ts:worker\ntimeout = 1",
    ["--drain"],
  );
  assertEquals(await container.status(), 0, container.stderr);
  assertMatch(
    container.stderr,
    /Job will be retried in \d+ s: jobs, message \S+, receive 1\n {2}JobAbortedError: Job aborted: timed out\n\S/,
  );
});

Deno.test("jobs that cannot have ended their process do not run again alone", async () => {
  const rows: [jobs: string[], options: string, again: string[]][] = [
    [["long", "long", "loop"], "timeout = 1", ["", ""]],
    [["long", "long", "late"], "timeout = 1", [" alone", " alone", " alone"]],
    [["memory", "good", "good"], "", ["", ""]],
    [["long", "memory", "good"], "", ["", " alone", " alone"]],
  ];
  for (const [jobs, options, again] of rows) {
    await using the = await Scene.start(1);
    await the.send(jobs);
    await using container = await the.run(
      `worker = worker.ts:worker\nconcurrency = 3\n` +
        `allow_env = DENO_V8_FLAGS\n${options}`,
      ["--drain"],
    );
    assertEquals(await container.status(), 0, container.stderr);
    const bad = jobs.find((what) => !["long", "good"].includes(what))!;
    assertEquals(await the.dead(), { [bad]: 1 });
    assertMatch(container.stderr, /done 2, failed 0, retried 1, released 0/);
    const lines = container.stderr.matchAll(/Job runs again( alone)?:/g);
    assertEquals(
      Array.from(lines, ([, how = ""]) => how).sort(),
      again,
      container.stderr,
    );
  }
});
