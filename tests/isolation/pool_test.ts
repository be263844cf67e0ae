/**
 * The child processes of a container: how they end, restart and stop.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { existsSync } from "node:fs";
import { ConfigError, runContainer } from "../../container.ts";
import { parseWorkerSpec } from "../../src/job/worker_spec.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import { VirtualClock } from "../../src/double/virtual_clock.ts";
import {
  KILL_GRACE_SECONDS,
  Pool,
  type PoolConfig,
} from "../../src/isolation/pool.ts";
import { JobControl } from "../../src/job/runner.ts";
import type { Logger } from "../../src/logging/loggers.ts";
import type { JobMessage } from "../../src/sqs/connection.ts";
import { Folder } from "../support/cli.ts";
import { turn } from "../support/turn.ts";
import { setUp } from "../../testing.ts";
import { Reports, Stage, WORKER } from "../support/isolation_stage.ts";

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
  for (const each of ["loop", "wait"]) await stage.logged(`${each} begins`);
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
    /INFO zsqs Job will be retried in \d+ s: adder, message ID, receive 1\n {2}LostJobError: Its process was killed as a job did not end within 2 s of its timeout: adder, message ID, receive 1\n/,
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
  await stage.logged("wait begins");
  await stage.queues.advance(5);
  await sent;
  assertMatch(
    await stage.log(),
    /INFO worker wait: timed out, Job aborted: timed out\nINFO zsqs Job will be retried in \d+ s: adder, message ID, receive 1\n {2}JobAbortedError: Job aborted: timed out\n/,
  );
  // It is the same process that does it again.
  await stage.queues.advance(KILL_GRACE_SECONDS + 30);
  const [what, again] = await reports.next();
  assertEquals([what, again], ["wait", pid]);
  assertEquals(stage.left, []);
});

Deno.test("a process that is killed from outside is replaced, and its job runs again", async () => {
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
  // It runs again under the same lease, as somebody else may be to blame.
  const [what, pid, receiveCount] = await reports.next();
  assertEquals([what, receiveCount], ["wait", "1"]);
  assert(Number(pid) !== begun.get("wait"));
  Deno.kill(Number(pid), "SIGKILL");
  await stage.logged("Job will be retried");
  release.resolve();
  await both;
  assertEquals(stage.left, ['[["wait"],{}]']);
  await stage.queues.advance(30);
  assertEquals(stage.left, []);
  assertMatch(
    await stage.log(),
    /INFO zsqs Job runs again alone: adder, message ID, receive 1: Its process was ended by SIGKILL\n/,
  );
  assertMatch(await stage.log(), /INFO worker wait again\n/);
});

const SILENT: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  critical() {},
};

/** A pool of one process that runs one job at a time. */
async function startPool(
  worker: string,
  config: Partial<PoolConfig>,
  clock: Clock = systemClock,
): Promise<Pool> {
  const pool = await Pool.load({
    worker: parseWorkerSpec(`${WORKER}:${worker}`, "/"),
    workerConfig: {},
    body: "job",
    concurrency: 1,
    processes: 1,
    ...config,
  }, { loggers: { get: () => SILENT }, clock });
  return await pool.make("adder");
}

function message(...args: string[]): JobMessage {
  return {
    body: JSON.stringify([args, {}]),
    messageId: args[0]!,
    attributes: {},
    receiveCount: 1,
    sentAtMs: 0,
  };
}

Deno.test("Pool.run() reports the start of a handler, not of the wait for a process", async () => {
  const pool = await startPool("act", {});
  const started: string[] = [];
  const run = async (name: string, control = new JobControl()) => {
    control.onStart = () => started.push(name);
    return await pool.run(message("pid"), control);
  };
  try {
    const first = run("first");
    const second = run("second");
    const control = new JobControl();
    const third = run("third", control);
    control.abort("timed out");
    const { kind } = await third;
    assertEquals(kind, "aborted");
    assert(!started.includes("second"));
    assertEquals(await first, { kind: "done" });
    assertEquals(await second, { kind: "done" });
    assertEquals(started, ["first", "second"]);
  } finally {
    await pool.end();
  }
});

async function exists(path: string): Promise<void> {
  while (!existsSync(path)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

Deno.test("timeout ends a job in an endless loop that has lost its lease", async () => {
  await using folder = await Folder.with({});
  const timers: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    timer(_ms, callback) {
      timers.push(callback);
      return () => {};
    },
  };
  const pool = await startPool("act", {
    allowRead: folder.path,
    allowWrite: folder.path,
  }, clock);
  try {
    const control = new JobControl();
    const outcome = pool.run(message("busy", folder.path), control);
    await exists(folder.at("busy"));
    // Those of the start.
    timers.length = 0;
    control.abort("lease lost");
    assertEquals(timers.length, 0);
    control.abort("timed out");
    assertEquals(timers.length, 1);
    timers[0]!();
    assertMatch(
      String((await outcome as { error?: unknown }).error),
      /was killed as a job did not end within 2 s of its timeout/,
    );
  } finally {
    await pool.end();
  }
});

Deno.test("isolation = process reports problems of a worker at the start", async () => {
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
    await using _queues = setUp({ silent: true });
    const error = await assertRejects(
      () =>
        runContainer({
          worker,
          queue: "adder",
          isolation: "process",
          processes: 2,
          concurrency: 2,
        }),
      ConfigError,
    );
    if (typeof message === "string") assertEquals(error.message, message);
    else assertMatch(error.message, message);
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

Deno.test("a worker in a child process is disposed at the end", async () => {
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

Deno.test("a worker that has been loading for 10 s is logged, and a stop ends it", async () => {
  const HANGS = "await new Promise(() => {});";
  const modules: [at: "module" | "factory", code: string][] = [
    ["module", `${HANGS}\nexport default () => () => {};`],
    ["factory", `export default async () => { ${HANGS} };`],
  ];
  for (const [at, code] of modules) {
    await using folder = await Folder.with({ "worker.ts": code });
    const clock = new VirtualClock(0);
    const lines: string[] = [];
    const logger = {
      ...SILENT,
      warn: (line: unknown) => lines.push(`${line}`),
    };
    const stop = new AbortController();
    const loading = Pool.load({
      worker: parseWorkerSpec(folder.at("worker.ts"), "/"),
      workerConfig: {},
      concurrency: 1,
      processes: 1,
      body: "job",
    }, { loggers: { get: () => logger }, clock, signal: stop.signal });
    const starting = at === "module"
      ? loading
      : loading.then((pool) => pool.make("adder"));
    const ended = assertRejects(() => starting, Error, "before it was ready");
    if (at === "factory") await loading;
    while (clock.next === Infinity) await turn();
    await clock.advance(9_999, turn);
    assertEquals(lines, []);
    await clock.advance(1, turn);
    assertEquals(lines.length, 1);
    assertMatch(
      lines[0]!,
      /^Worker ".*worker\.ts" has been loading for 10 s in process \d+: its module or factory has not returned yet$/,
    );
    stop.abort();
    await ended;
    if (at === "factory") await (await loading).end();
  }
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
