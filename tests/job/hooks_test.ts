/** Hooks: their calls and arguments. */

import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  checkConfig,
  ConfigError,
  type ContainerSettings,
  getLogger,
  type HookJob,
  type Hooks,
  type HooksFactory,
  type Job,
  JobAbortedError,
  type JobEnd,
  PartialBatchError,
  runContainer,
  SqsError,
  startContainer,
  TransientError,
  type WorkerConfig,
} from "../../container.ts";
import { kwargs, Queue } from "../../producer.ts";
import { systemClock } from "../../src/clock.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import { testMode } from "../../src/connect/test_mode.ts";
import { Counters } from "../../src/telemetry/counters.ts";
import { HookCalls } from "../../src/telemetry/hook_calls.ts";
import { setUp } from "../../testing.ts";
import { Folder } from "../support/folder.ts";
import { turn } from "../support/turn.ts";

/** Loggers that write nothing. */
const SILENT = "<logger>\n level CRITICAL\n</logger>";

/** Hooks that note their calls. */
class Noted implements Hooks {
  readonly calls: string[] = [];
  readonly ends: JobEnd[] = [];

  jobStarted({ args }: HookJob) {
    this.calls.push(`started ${args}`);
  }

  jobEnded({ args }: HookJob, end: JobEnd) {
    this.calls.push(`${end.outcome} ${args}`);
    this.ends.push(end);
  }

  stopped({ received }: { received: number }) {
    this.calls.push(`stopped after ${received}`);
  }
}

/** Sends a body as it is. */
async function sendBody(body: string): Promise<void> {
  const { connection, url } = await openQueue("adder");
  await connection.send(url, [{ body, attributes: {} }]);
}

Deno.test("jobEnded says how each job ended, after its message is settled", async () => {
  await using queues = setUp({ silent: true });
  const left: number[] = [];
  const noted = new Noted();
  const error = new Error("bad input");
  const container = await startContainer({
    queue: "adder",
    loggers: SILENT,
    handler(what: string) {
      if (what === "fails") throw error;
      if (what === "waits") throw new TransientError("later");
    },
    hooks: {
      jobStarted: (job) => noted.jobStarted(job),
      jobEnded(job, end) {
        noted.jobEnded(job, end);
        left.push(queues.get("adder").messages.length);
      },
      stopped: (summary) => noted.stopped(summary),
    },
  });
  const queue = await Queue<[string]>("adder");
  for (const what of ["returns", "fails", "waits"]) await queue(what);
  await container.stop();
  assertEquals(noted.calls, [
    ...["started returns", "done returns", "started fails", "failed fails"],
    ...["started waits", "retried waits", "stopped after 3"],
  ]);
  assertEquals(left, [0, 0, 1]);
  const [done, failed, retried] = noted.ends;
  assertEquals(done, { outcome: "done", error: undefined, durationMs: 0 });
  assertEquals(failed!.error, error);
  assertInstanceOf(retried!.error, TransientError);
});

for (const failures of ["keep", { queue: "adder-failed" }] as const) {
  Deno.test(`a failed job is reported once with failures ${JSON.stringify(failures)}`, async () => {
    await using queues = setUp({ silent: true });
    const noted = new Noted();
    await using _container = await startContainer({
      queue: "adder",
      loggers: SILENT,
      failures,
      handler() {
        throw new Error("bad input");
      },
      hooks: noted,
    });
    await (await Queue("adder"))(1);
    assertEquals(noted.calls, ["started 1", "failed 1"]);
    const kept = failures === "keep" ? "adder" : "adder-failed";
    assertEquals(queues.get(kept).messages.length, 1);
  });
}

Deno.test("a failed job that the failures queue does not take is retried", async () => {
  await using queues = setUp({ silent: true });
  const noted = new Noted();
  await using _container = await startContainer({
    queue: "adder",
    loggers: SILENT,
    failures: { queue: "adder-failed" },
    handler() {
      throw new Error("bad input");
    },
    hooks: noted,
  });
  const queue = await Queue("adder");
  queues.inject({ kind: "error", queue: "adder-failed", senderFault: true });
  await queue(1);
  assertEquals(noted.calls, ["started 1", "retried 1"]);
});

Deno.test("durationMs is the time of the handler", async () => {
  await using queues = setUp({ silent: true });
  const noted = new Noted();
  const { promise, resolve } = Promise.withResolvers<void>();
  await using _container = await startContainer({
    queue: "adder",
    handler: () => promise,
    hooks: noted,
  });
  const sent = (await Queue("adder"))();
  await turn();
  await queues.advance(7);
  resolve();
  await sent;
  await queues.advance(0);
  assertEquals(noted.ends, [{
    outcome: "done",
    error: undefined,
    durationMs: 7_000,
  }]);
});

Deno.test("hooks get a copy of the job", async () => {
  await using _queues = setUp({ silent: true });
  const jobs: HookJob[] = [];
  const seen: unknown[] = [];
  const spoil = (job: HookJob) => {
    jobs.push({ ...job });
    // deno-lint-ignore no-explicit-any
    const { args, kwargs, attributes } = job as any;
    args.length = 0;
    kwargs.x = 0;
    attributes.source = "nowhere";
    Object.assign(job, { messageId: "another", queue: "another" });
  };
  await using _container = await startContainer({
    queue: "adder",
    handler: (...args: unknown[]) => {
      seen.push(args);
    },
    hooks: { jobStarted: spoil, jobEnded: spoil },
  });
  const queue = await Queue("adder");
  const { messageId } = await queue.send([1, kwargs({ x: 3 })], {
    attributes: { source: "web" },
  });
  assertEquals(seen, [[1, { x: 3 }]]);
  assertEquals(jobs.length, 2);
  for (const job of jobs) {
    const { sentAt, ...facts } = job;
    assertEquals(sentAt instanceof Date, true);
    assertEquals(facts, {
      args: [],
      kwargs: { x: 0 },
      notification: undefined,
      messageId,
      queue: "adder",
      receiveCount: 1,
      groupId: undefined,
      attributes: { source: "nowhere" },
    });
  }
});

Deno.test("a body that cannot be read gives a job without arguments that never started", async () => {
  await using _queues = setUp({ silent: true });
  const noted = new Noted();
  const ended: HookJob[] = [];
  await using _container = await startContainer({
    queue: "adder",
    loggers: SILENT,
    handler() {},
    hooks: {
      jobStarted: (job) => noted.jobStarted(job),
      jobEnded(job, end) {
        ended.push(job);
        noted.jobEnded(job, end);
      },
    },
  });
  await sendBody("no job");
  assertEquals(noted.calls, ["failed "]);
  const [{ error, durationMs }] = noted.ends as [JobEnd];
  assertEquals(durationMs, undefined);
  assertInstanceOf(error, SyntaxError);
  assertEquals([ended[0]!.args, ended[0]!.kwargs], [[], {}]);
});

/** How a job ends whose lease is lost while it runs. */
const AFTER_LOSS: [how: string, outcome: string][] = [
  ["its job returns", "done"],
  ["its job throws", "lost"],
  ["the container gives it up", "lost"],
];

for (const [how, outcome] of AFTER_LOSS) {
  Deno.test(`a lost lease is reported once, when ${how}`, async () => {
    await using queues = setUp({ silent: true });
    const noted = new Noted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    await using container = await startContainer({
      queue: "adder",
      loggers: SILENT,
      handler() {
        started.resolve();
        return promise;
      },
      hooks: noted,
    });
    const sent = (await Queue("adder"))(1);
    await started.promise;
    queues.inject({
      kind: "error",
      operation: "ChangeMessageVisibility",
      code: "InvalidParameterValue",
      senderFault: true,
      times: 100,
    });
    container.pause();
    await queues.advance(40);
    assertEquals(
      [noted.calls, container.summary.leasesLost],
      [["started 1"], 1],
    );
    if (outcome === "done") resolve();
    else if (how === "its job throws") reject(new Error("too late"));
    else await container.stop({ force: true });
    await turn();
    assertEquals(noted.calls.slice(0, 2), ["started 1", `${outcome} 1`]);
    const { error, durationMs } = noted.ends[0]!;
    assertEquals(durationMs, 40_000);
    if (outcome === "done") assertEquals(error, undefined);
    else assertInstanceOf(error, Error);
    resolve();
    await sent;
    await container.stop();
    assertEquals(noted.ends.length, 1);
  });
}

Deno.test("a message whose lease ended before its job could start is lost", async () => {
  await using queues = setUp({ silent: true });
  const noted = new Noted();
  await using _container = await startContainer({
    queue: "adder",
    loggers: SILENT,
    visibilityTimeoutSeconds: 5,
    handler() {},
    hooks: noted,
  });
  const queue = await Queue("adder");
  queues.inject({
    kind: "lateAnswer",
    operation: "ReceiveMessage",
    delaySeconds: 7,
  });
  await queue(1);
  await queues.advance(10);
  assertEquals(noted.calls, ["lost 1", "started 1", "done 1"]);
  const { error, durationMs } = noted.ends[0]!;
  assertEquals([error, durationMs], [undefined, undefined]);
});

Deno.test("a forced stop reports running and waiting jobs as released, once", async () => {
  await using queues = setUp({ silent: true });
  const noted = new Noted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const container = await startContainer({
    queue: "adder",
    loggers: SILENT,
    prefetch: 5,
    handler: () => promise,
    hooks: noted,
  });
  const queue = await Queue("adder");
  container.pause();
  for (const n of [1, 2]) await queue(n);
  container.resume();
  await turn();
  await queues.advance(3);
  await container.stop({ force: true });
  await queues.advance(5);
  resolve();
  await turn();
  assertEquals(noted.calls.slice(0, 1), ["started 1"]);
  assertEquals(noted.calls.slice(1, 3).sort(), ["released 1", "released 2"]);
  assertEquals(noted.calls.slice(3), ["stopped after 2"]);
  const ran = noted.ends.find(({ durationMs }) => durationMs !== undefined)!;
  assertInstanceOf(ran.error, JobAbortedError);
  assertEquals([ran.error.reason, ran.durationMs], ["stopping", 3_000]);
  const waited = noted.ends.find(({ durationMs }) => durationMs === undefined)!;
  assertEquals(waited.error, undefined);
});

Deno.test("receiveFailed gets the error of each failed receive", async () => {
  await using queues = setUp({ silent: true });
  const errors: unknown[] = [];
  await using _container = await startContainer({
    queue: "adder",
    loggers: SILENT,
    handler() {},
    hooks: { receiveFailed: (error) => errors.push(error) },
  });
  const queue = await Queue("adder");
  queues.inject({
    kind: "error",
    operation: "ReceiveMessage",
    code: "InternalError",
    times: 2,
  });
  await queue(1);
  await queues.advance(60);
  assertEquals(errors.length, 2);
  for (const error of errors) assertInstanceOf(error, SqsError);
  assertEquals(queues.get("adder").messages, []);
});

const hooksOf = (noted: Noted): Hooks => ({
  jobEnded: (job, end) => noted.jobEnded(job, end),
});

Deno.test("hooks may be a function, an async function or a class that takes the worker's options", async () => {
  const noted = new Noted();
  const configs: unknown[] = [];
  class Made implements Hooks {
    readonly client = () => "a member that is no hook";

    constructor(config: WorkerConfig) {
      configs.push(config.scale);
    }

    jobEnded(job: HookJob, end: JobEnd) {
      noted.jobEnded(job, end);
      this.client();
    }
  }
  const factories: HooksFactory[] = [
    (config) => {
      configs.push(config.scale);
      return hooksOf(noted);
    },
    async (config) => {
      await Promise.resolve();
      configs.push(config.scale);
      return hooksOf(noted);
    },
    Made,
  ];
  for (const hooks of factories) {
    await using _queues = setUp({ silent: true });
    await runContainer({
      queue: "adder",
      worker: () => () => {},
      workerConfig: { scale: "2" },
      hooks,
    });
    await (await Queue("adder"))(1);
  }
  assertEquals(noted.calls, ["done 1", "done 1", "done 1"]);
  assertEquals(configs, ["2", "2", "2"]);
});

Deno.test("an ini file names the hooks' module, relative to itself", async () => {
  await using folder = await Folder.with({
    "adder.ini":
      "[container]\nworker = w.ts\nqueue = adder\nhooks = h.ts:make.hooks\n[worker]\nword = hello\n",
    "w.ts": "export default () => () => {};",
    "h.ts": `export const make = {
      hooks: ({ word }) => ({
        jobEnded: ({ args }) => globalThis.seenByHooks = [word, ...args],
      }),
    };`,
  });
  await using _queues = setUp({ silent: true });
  await using _container = await startContainer(folder.at("adder.ini"));
  await (await Queue("adder"))(1, 2);
  const shared = globalThis as { seenByHooks?: unknown };
  assertEquals(shared.seenByHooks, ["hello", 1, 2]);
  delete shared.seenByHooks;
});

Deno.test("a module may export the hooks themselves", async () => {
  await using folder = await Folder.with({
    "h.ts": `export default {
      calls: undefined,
    };
    export const good = { stopped: () => globalThis.stoppedByHooks = true };`,
  });
  await using _queues = setUp({ silent: true });
  const start = (hooks: string) =>
    runContainer({
      queue: "adder",
      handler() {},
      hooks,
      file: folder.at("adder.ini"),
    });
  const error = await assertRejects(() => start("h.ts"), ConfigError);
  assertEquals(
    error.message,
    `Cannot start container as hooks "h.ts" of ${
      folder.at("adder.ini")
    } is an object with the unknown hook "calls": the hooks are "jobStarted", "jobEnded", "receiveFailed", "stopped"`,
  );
  await start("h.ts:good");
});

Deno.test("hooks that are none are refused, with the nearest name", async () => {
  await using _queues = setUp({ silent: true });
  const check = (hooks: unknown) =>
    assertThrows(
      () =>
        checkConfig(
          { queue: "adder", handler() {}, hooks } as ContainerSettings,
        ),
      ConfigError,
    ).message;
  const head = 'Cannot start container as "hooks"';
  const names = '"jobStarted", "jobEnded", "receiveFailed", "stopped"';
  assertEquals(
    check({ jobEnd() {} }),
    `${head} is an object with the unknown hook "jobEnd": did you mean "jobEnded"?`,
  );
  assertEquals(
    check({ jobEnded: 3 }),
    `${head} is an object whose "jobEnded" is 3: give a function`,
  );
  assertEquals(
    check({ *jobEnded() {} }),
    `${head} is an object whose "jobEnded" is a generator function: give a function, whose code runs when it is called`,
  );
  assertEquals(
    check(Promise.resolve({})),
    `${head} is a promise: give the object that it resolves to`,
  );
  assertEquals(
    check(new Map()),
    `${head} is an object without hooks: give an object with any of ${names}`,
  );
  assertEquals(
    check([]),
    `${head} is an array: give an object with any of ${names}`,
  );
  assertEquals(
    check(3),
    `${head} must be an object, a function, a class, or MODULE:expr: current value is 3`,
  );
  assertEquals(
    check("https://example.com/hooks.ts").startsWith(
      `${head} must be a local file: current value is`,
    ),
    true,
  );
  checkConfig({ queue: "adder", handler() {}, hooks: {} });

  const made = async (made: unknown) => {
    const hooks = Object.defineProperty(() => made as Hooks, "name", {
      value: "make",
    });
    const start = () => runContainer({ queue: "adder", handler() {}, hooks });
    return (await assertRejects(start, ConfigError)).message;
  };
  class Misspelled {
    helper() {}
    jobsEnded() {}
  }
  assertEquals(
    await made(new Misspelled()),
    'Cannot start container as hooks "make" returned an object with the unknown hook "jobsEnded": did you mean "jobEnded"?',
  );
  assertEquals(
    await made(undefined),
    `Cannot start container as hooks "make" returned undefined: give an object with any of ${names}`,
  );
  await assertRejects(
    () =>
      runContainer({
        queue: "adder",
        handler() {},
        hooks() {
          throw new Error("no address");
        },
      }),
    ConfigError,
    'Cannot start container as hooks "hooks" failed: Error: no address',
  );
});

Deno.test("a job of a batch starts and ends once, however often its batch runs", async () => {
  await using queues = setUp({ silent: true });
  const noted = new Noted();
  const runs: string[] = [];
  const container = await startContainer({
    queue: "adder",
    loggers: SILENT,
    deleteDelaySeconds: 10,
    batch: 4,
    async handleBatch(jobs: HookJob[]) {
      const names = jobs.flatMap(({ args }) => args);
      runs.push(names.join(" "));
      await new Promise<void>((resolve) =>
        testMode()!.clock.timer(names.length * 1_000, resolve)
      );
      if (names.includes(3)) throw new Error("bad row");
    },
    hooks: noted,
  });
  const queue = await Queue<[number]>("adder");
  const sending = queue.sendAll([[1], [2], [3], [4]]);
  await turn();
  for (let i = 0; i < 30; i++) await queues.advance(1);
  await sending;
  assertEquals(runs, ["1 2 3 4", "1 2", "3 4", "3", "4"]);
  assertEquals(
    noted.calls.filter((call) => call.startsWith("started")).sort(),
    ["started 1", "started 2", "started 3", "started 4"],
  );
  const ends = noted.calls.filter((call) => !call.startsWith("started"));
  assertEquals(ends.sort(), ["done 1", "done 2", "done 4", "failed 3"]);
  // Each as long as its last run.
  const durations = noted.ends.map(({ durationMs }) => durationMs!);
  assertEquals(durations.sort(), [1_000, 1_000, 2_000, 2_000]);
  const [failed] = noted.ends.filter(({ outcome }) => outcome === "failed");
  assertEquals(String(failed!.error), "Error: bad row");
  await container.stop();
});

Deno.test("each job of a batch is reported with its own end", async () => {
  await using _queues = setUp({ silent: true, queues: ["adder.fifo"] });
  const noted = new Noted();
  const container = await startContainer({
    queue: "adder.fifo",
    loggers: SILENT,
    batch: 4,
    handleBatch(jobs: Job[]) {
      throw new PartialBatchError([
        { job: jobs[0]!, error: new Error("bad row") },
        { job: jobs[2]!, error: new TransientError("later") },
      ]);
    },
    hooks: noted,
  });
  const queue = await Queue<[number]>("adder.fifo");
  await queue.sendAll(
    [1, 2, 3, 4].map((n) => ({
      args: [n] as const,
      groupId: "a",
      deduplicationId: `${n}`,
    })),
  );
  const ends = noted.calls.filter((call) => !call.startsWith("started"));
  // It was done, but must not overtake.
  assertEquals(ends.slice(0, 4), [
    ...["failed 1", "done 2", "retried 3", "released 4"],
  ]);
  await container.stop();
});

Deno.test("no hook is called after the container has stopped", async () => {
  const noted = new Noted();
  const calls = new HookCalls({
    hooks: { ...hooksOf(noted), stopped: (summary) => noted.stopped(summary) },
    loggers: { get: getLogger },
    clock: systemClock,
    queue: "adder",
    reading: { body: "job" },
  });
  const message = {
    messageId: "1",
    body: "[[1],{}]",
    attributes: {},
    receiveCount: 1,
    sentAtMs: 0,
  };
  const end = { outcome: "done", error: undefined, durationMs: 1 } as const;
  calls.settled(message, end);
  await calls.stop({ ...new Counters().summary, lostLines: 0 });
  calls.settled(message, end);
  assertEquals(noted.calls, ["done 1", "stopped after 0"]);
});
