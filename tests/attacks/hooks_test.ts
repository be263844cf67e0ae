/** Hooks that fail, hang or lie: the container and its jobs notice nothing. */

import { assertEquals, assertMatch } from "@std/assert";
import { stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";
import { type Hooks, startContainer } from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { Folder } from "../support/folder.ts";
import { TestServer } from "../support/server.ts";
import { turn } from "../support/turn.ts";

/** Runs jobs with hooks on the double; returns the log. */
async function run(
  hooks: Hooks,
  { jobs = 1, stopMs = 0 } = {},
): Promise<{ done: number; left: number; log: string[] }> {
  const log: string[] = [];
  using _console = stub(console, "error", (line: string) => {
    log.push(line);
  });
  await using queues = setUp({ silent: true });
  const container = await startContainer({
    queue: "adder",
    loggers:
      "<logger>\n <logfile>\n path STDERR\n format %(levelname)s %(message)s\n </logfile>\n</logger>",
    handler() {},
    hooks,
  });
  const queue = await Queue("adder");
  for (let i = 0; i < jobs; i++) await queue(i);
  using time = new FakeTime();
  const stopping = container.stop();
  for (let i = 0; i < 5; i++) await time.runMicrotasks();
  time.tick(stopMs);
  const { done } = await stopping;
  return { done, left: queues.get("adder").messages.length, log };
}

const trap = new Proxy({}, {
  get() {
    throw new Error("trapped");
  },
  getPrototypeOf() {
    throw new Error("trapped");
  },
});

const FAILING: [what: string, hook: () => unknown, reason: RegExp][] = [
  [
    "throws",
    () => {
      throw new Error("no service");
    },
    /no service/,
  ],
  ["rejects", () => Promise.reject(new Error("no service")), /no service/],
  [
    "throws undefined",
    () => {
      throw undefined;
    },
    /undefined/,
  ],
  [
    "throws what throws",
    () => {
      throw trap;
    },
    /failed: adder/,
  ],
  [
    "returns what throws",
    () => ({
      get then() {
        throw new Error("no then");
      },
    }),
    /no then/,
  ],
  [
    "returns a generator",
    () => (function* () {})(),
    /The hook returned a generator, whose code has not run/,
  ],
  [
    "returns a function",
    () => () => {},
    /The hook returned a function, whose code has not run/,
  ],
  [
    "resolves to an unread stream",
    () => Promise.resolve(new ReadableStream()),
    /The hook returned a stream that nobody read/,
  ],
];

for (const [what, hook, reason] of FAILING) {
  Deno.test(`a hook that ${what} is logged, and its job is done`, async () => {
    const { done, left, log } = await run({ jobStarted: hook, jobEnded: hook });
    assertEquals([done, left], [1, 0]);
    const text = log.join("\n");
    for (const name of ["jobStarted", "jobEnded"]) {
      assertMatch(
        text,
        new RegExp(
          `ERROR Hook "${name}" failed: adder, message [-\\w]+, receive 1`,
        ),
      );
    }
    assertMatch(text, reason);
  });
}

Deno.test("a hook that fails for every job is logged once a minute, and counted", async () => {
  const { done, log } = await run({
    jobEnded() {
      throw new Error("no service");
    },
  }, { jobs: 20 });
  assertEquals(done, 20);
  const lines = log.join("\n").split("\n").filter((line) =>
    line.includes("Hook")
  );
  assertEquals(lines.length, 2);
  assertEquals(lines[1], 'ERROR Hook "jobEnded" failed (19 more times): adder');
});

Deno.test("at most 1000 promises of hooks are pending, and a stop waits 5 s for them", async () => {
  let calls = 0;
  let stops = 0;
  const { done, log } = await run({
    jobEnded() {
      calls++;
      return new Promise(() => {});
    },
    stopped: () => {
      stops++;
    },
  }, { jobs: 1_005, stopMs: 5_000 });
  assertEquals([done, calls, stops], [1_005, 1_000, 1]);
  assertMatch(
    log[0]!,
    /^ERROR Hook "jobEnded" was not called, as 1000 calls have not ended: adder, message [-\w]+, receive 1$/,
  );
  assertEquals(log.slice(1), [
    'ERROR Hook "jobEnded" was not called, as 1000 calls have not ended (4 more times): adder',
    "WARNING Gave up on hooks of adder that have not ended within 5 s of its stop: 1000 calls",
  ]);
});

Deno.test("a stop waits for the promises of hooks, and no longer", async () => {
  const sent: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const { log } = await run({
    async jobEnded() {
      await promise;
      sent.push("jobEnded");
    },
    stopped() {
      setTimeout(resolve, 4_999);
      sent.push("stopped");
    },
  }, { stopMs: 4_999 });
  assertEquals([sent, log], [["stopped", "jobEnded"], []]);
});

Deno.test("a hook that sends jobs to the queue of its container holds up nothing", async () => {
  await using queues = setUp({ silent: true });
  const jobs: number[] = [];
  const queue = await Queue<[number]>("adder");
  const container = await startContainer({
    queue: "adder",
    handler: (n: number) => {
      jobs.push(n);
    },
    hooks: {
      async jobEnded({ args: [n] }) {
        if (Number(n) < 3) await queue(Number(n) + 1);
      },
    },
  });
  await queue(1);
  for (let i = 0; i < 50 && jobs.length < 3; i++) await turn();
  await container.stop();
  assertEquals(jobs, [1, 2, 3]);
  assertEquals(queues.get("adder").messages, []);
});

Deno.test("work that a hook left behind is logged with the hook's name", async () => {
  await using server = await TestServer.start();
  const url = await server.createQueue("adder");
  await using folder = await Folder.with({ log: "" });
  const { promise, resolve } = Promise.withResolvers<void>();
  const container = await startContainer({
    queue: url,
    region: "us-east-1",
    endpoint: server.endpoint,
    loggers: `<logger>\n<logfile>\npath ${
      folder.at("log")
    }\n</logfile>\n</logger>`,
    handler() {},
    hooks: {
      jobEnded() {
        Promise.reject(new Error("nobody awaits me"));
        setTimeout(resolve);
      },
    },
  });
  await server.send(url, "[[],{}]");
  await promise;
  await container.stop({ force: true });
  assertMatch(
    await folder.read("log"),
    /Work that hook "jobEnded" left behind failed\n {2}Error: nobody awaits me\n/,
  );
});
