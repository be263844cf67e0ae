/**
 * Programs with the package, for every runtime: a check for each row of the
 * table of runtimes that needs no separate process.
 *
 * @module
 */

import { withSchema } from "../../src/job/schema.ts";
import { SchemaError, TransientError } from "../../src/job_errors.ts";
import { PartialBatchError } from "../../src/job/partial_batch.ts";
import { NonExistentQueueError } from "../../src/errors.ts";
import { kwargs } from "../../src/message/body.ts";
import { currentJob, getLogger, type Job } from "../../src/job/current_job.ts";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type } from "arktype";
import fs from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import * as v from "valibot";
import { z } from "zod";
import { main } from "../../cli.ts";
import { startContainer } from "../../container.ts";
import { lambdaHandler } from "../../lambda.ts";
import { Queue } from "../../mod.ts";
import { TestBucket } from "../support/buckets.ts";
import { Trigger } from "../support/trigger.ts";
import { ALONE } from "./alone.ts";
import { type Check, drain, type Stage } from "./stage.ts";

/** All checks, by the rows of the table of runtimes. */
export const LIBRARY: Readonly<Record<string, Check>> = {
  "`Queue`: call, `send`, `sendAll`": sendJobs,
  "`startContainer` with a `handler`": runHandler,
  "`startContainer` with a worker's module": runModule,
  "Hooks": callHooks,
  "FIFO queues": keepOrder,
  "Batches": runBatches,
  "`body` and `envelope`": readEvents,
  "Large jobs": fetchBodies,
  "Schemas of zod, valibot and arktype": checkJobs,
  "`attempts`": reportFailures,
  "`health`": answerProbes,
  "Loggers": writeLogs,
  "`lambdaHandler` of `lambda`": runOnLambda,
  "`main(args)` of `cli`": callMain,
  ...ALONE,
};

async function fetchBodies(stage: Stage): Promise<void> {
  const { endpoint } = stage;
  await stage.makeQueue("large");
  using _bucket = await TestBucket.create(endpoint, "large");
  const large = "s3://large/jobs";
  const text = "x".repeat(1_100_000);
  {
    await using queue = await Queue("large", { endpoint, large });
    await queue(text);
  }
  const seen: boolean[] = [];
  await drain(stage, {
    ...{ queue: "large", large },
    handler: (given: string) => void seen.push(given === text),
  });
  assertEquals(seen, [true]);
}

async function sendJobs({ endpoint, makeQueue, bodies }: Stage): Promise<void> {
  await makeQueue("sent");
  {
    await using queue = await Queue("sent", { endpoint });
    const { messageId } = await queue(1, 2, 3);
    assertMatch(messageId, /^[0-9a-f-]{36}$/);
    await queue.send(["later"], { delaySeconds: 900 });
    const all = await queue.sendAll([[4, "🦕"], [kwargs({ x: 5 })]]);
    assertEquals(all, { sent: 2, failed: 0 });
  }
  assertEquals((await bodies("sent")).sort(), [
    "[[1,2,3],{}]",
    '[[4,"\\ud83e\\udd95"],{}]',
    '[[],{"x":5}]',
  ]);
  const missing = () => Queue("missing", { endpoint });
  await assertRejects(missing, NonExistentQueueError);
}

/** With delays and failed messages on the server. */
async function runOnLambda(stage: Stage): Promise<void> {
  const { endpoint } = stage;
  await stage.makeQueue("lambda");
  await stage.makeQueue("lambda-failed");
  const trigger = new Trigger("lambda", { endpoint });
  const jobs = ["fine", "bad", "later"].map((what) => ({
    body: JSON.stringify([[what], {}]),
  }));
  await trigger.send(...jobs);
  const handler = lambdaHandler(() => (what: string) => {
    if (what === "bad") throw new TypeError("no such thing");
    if (what === "later") throw new TransientError("", { delaySeconds: 0 });
  }, {
    endpoint,
    loggers: "<logger>\n level CRITICAL\n</logger>",
    failures: { queue: "lambda-failed" },
  });
  assertEquals(await trigger.invoke(handler), 1);
  assertEquals(await stage.bodies("lambda"), ['[["later"],{}]']);
  assertEquals(await stage.bodies("lambda-failed"), ['[["bad"],{}]']);
}

async function runHandler(stage: Stage): Promise<void> {
  await stage.makeQueue("handled-failed");
  const tries: string[] = [];
  const summary = await drain(stage, {
    queue: "handled",
    failures: { queue: "handled-failed" },
    concurrency: 10,
    async handler(what: string) {
      await new Promise((resolve) => setTimeout(resolve));
      tries.push(`${what} ${currentJob().receiveCount}`);
      if (tries.includes(`${what} 2`) || what === "fine") return;
      if (what === "bad") throw new TypeError("no such thing");
      throw new TransientError("not now", { delaySeconds: 0 });
    },
  }, [["fine"], ["bad"], ["later"]]);
  assertEquals(tries.sort(), ["bad 1", "fine 1", "later 1", "later 2"]);
  const { received, done, failed, retried } = summary;
  assertEquals([received, done, failed, retried], [4, 2, 1, 1]);
  assertEquals(await stage.bodies("handled-failed"), ['[["bad"],{}]']);
}

/** Its types are what every runtime erases. */
const WORKER = `
import { appendFileSync } from "node:fs";
import { currentJob, type WorkerConfig } from "@zsqs/cli";

export class Adder {
  #config: WorkerConfig;
  constructor(config: WorkerConfig) {
    this.#config = config;
  }
  handle(a: number, b: number): void {
    this.#write(\`\${currentJob().queue}: \${a + b}\`);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#write("disposed");
  }
  #write(line: string): void {
    appendFileSync(this.#config.log!, line + "\\n");
  }
}
`;

async function runModule(stage: Stage): Promise<void> {
  const log = join(stage.folder, "adder.log");
  const worker = join(stage.folder, "adder.ts");
  fs.writeFileSync(worker, WORKER);
  await drain(stage, {
    queue: "added",
    worker: `${worker}:Adder`,
    workerConfig: { log },
  }, [[1, 2]]);
  assertEquals(fs.readFileSync(log, "utf8"), "added: 3\ndisposed\n");
}

/** Its types are what every runtime erases. */
const hooksTo = (log: string) => `
import { appendFileSync } from "node:fs";
import type { Hooks } from "@zsqs/cli";

export class Noted implements Hooks {
  async jobEnded({ args }: { args: readonly unknown[] }, { outcome }: { outcome: string }): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    appendFileSync(${JSON.stringify(log)}, outcome + " " + args + "\\n");
  }
  stopped({ done }: { done: number }): void {
    appendFileSync(${JSON.stringify(log)}, "stopped after " + done + "\\n");
  }
}
`;

async function callHooks(stage: Stage): Promise<void> {
  const log = join(stage.folder, "hooks.log");
  const hooks = join(stage.folder, "hooks.ts");
  fs.writeFileSync(hooks, hooksTo(log));
  await drain(stage, {
    queue: "hooked",
    hooks: `${hooks}:Noted`,
    handler() {},
  }, [[1]]);
  const lines = fs.readFileSync(log, "utf8").trim().split("\n").sort();
  assertEquals(lines, ["done 1", "stopped after 1"]);
}

async function keepOrder(stage: Stage): Promise<void> {
  const fifo = { FifoQueue: "true", ContentBasedDeduplication: "true" };
  await stage.makeQueue("steps.fifo", fifo);
  await using queue = await Queue("steps.fifo", { endpoint: stage.endpoint });
  for (const step of [1, 2, 3]) {
    for (const groupId of ["a", "b"]) {
      await queue.send([groupId, step], { groupId });
    }
  }
  const seen: Record<string, number[]> = { a: [], b: [] };
  await drain(stage, {
    queue: "steps.fifo",
    concurrency: 5,
    handler(group: string, step: number) {
      seen[group]!.push(step);
      if (step === 2 && currentJob().receiveCount === 1) {
        throw new TransientError("not now", { delaySeconds: 0 });
      }
    },
  });
  assertEquals(seen, { a: [1, 2, 2, 3], b: [1, 2, 2, 3] });
}

async function runBatches(stage: Stage): Promise<void> {
  await stage.makeQueue("batched-failed");
  const batches: string[][] = [];
  const { done, failed, retried } = await drain(stage, {
    queue: "batched",
    batch: 4,
    failures: { queue: "batched-failed" },
    handleBatch(jobs: Job<[what: string]>[]) {
      const whats = jobs.map(({ args: [what] }) => what).sort();
      batches.push(whats);
      const later = jobs.find(({ args: [what], receiveCount }) =>
        what === "later" && receiveCount === 1
      );
      if (whats.includes("bad")) throw new TypeError("no such thing");
      if (later === undefined) return;
      const error = new TransientError("not now", { delaySeconds: 0 });
      throw new PartialBatchError([{ job: later, error }]);
    },
  }, [["a"], ["b"], ["bad"], ["later"]]);
  assertEquals([done, failed, retried], [3, 1, 1]);
  assertEquals(batches[0], ["a", "b", "bad", "later"]);
  assertEquals(batches.filter((whats) => whats.includes("bad")).length, 3);
  assertEquals(batches.at(-1), ["later"]);
  assertEquals(await stage.bodies("batched-failed"), ['[["bad"],{}]']);
  await insertRows(stage);
}

/** The worker of `examples/bulk/`. */
async function insertRows(stage: Stage): Promise<void> {
  await stage.makeQueue("readings-failed");
  const database = join(stage.folder, "readings.db");
  await drain(stage, {
    queue: "readings",
    worker: join(stage.folder, "readings.ts"),
    workerConfig: { database },
    batch: 50,
    failures: { queue: "readings-failed" },
  }, [["roof", 12.5], ["cellar", -300], ["attic", 21]]);
  const rows = new DatabaseSync(database)
    .prepare("SELECT sensor FROM readings ORDER BY sensor").all();
  assertEquals(rows.map(({ sensor }) => sensor), ["attic", "roof"]);
  assertEquals(await stage.bodies("readings-failed"), [
    '[["cellar",-300],{}]',
  ]);
}

async function readEvents(stage: Stage): Promise<void> {
  const topicArn = "arn:aws:sns:us-east-1:000000000000:orders";
  const notification = {
    Type: "Notification",
    MessageId: "5e2a0c1e-0000-4000-8000-000000000000",
    TopicArn: topicArn,
    Message: '{"id":"o1"}',
    Timestamp: "2026-01-02T03:04:05.678Z",
  };
  const seen: unknown[] = [];
  await drain(stage, {
    queue: "notified",
    body: "json",
    envelope: "sns",
    handler(order: unknown) {
      seen.push(order, currentJob().notification?.topicArn);
    },
  }, [[notification]]);
  assertEquals(seen, [{ id: "o1" }, topicArn]);
}

async function checkJobs(stage: Stage): Promise<void> {
  const schemas = {
    zod: z.tuple([z.object({ id: z.string() }), z.coerce.number()]),
    valibot: v.tuple([
      v.object({ id: v.string() }),
      v.pipe(v.string(), v.transform(Number)),
    ]),
    arktype: type([{ id: "string" }, "string.numeric.parse"]),
  };
  for (const [name, schema] of Object.entries(schemas)) {
    await stage.makeQueue(`${name}-failed`);
    const seen: unknown[] = [];
    const { done, failed } = await drain(stage, {
      queue: name,
      failures: { queue: `${name}-failed` },
      handler: withSchema(
        schema as typeof schemas.zod,
        (order, count) => void seen.push(order.id, count),
      ),
    }, [[{ id: "o1" }, "3"], [{ id: 1 }, "3"]]);
    assertEquals([name, done, failed, ...seen], [name, 1, 1, "o1", 3]);
    await using queue = await Queue(name, {
      endpoint: stage.endpoint,
      schema: schema as typeof schemas.zod,
    });
    const send = () => queue({ id: 1 } as never, "3");
    await assertRejects(send, SchemaError);
  }
}

async function reportFailures(stage: Stage): Promise<void> {
  await stage.makeQueue("tried-failed");
  const ended: unknown[] = [];
  await drain(stage, {
    queue: "tried",
    attempts: 2,
    failures: { queue: "tried-failed" },
    hooks: {
      jobEnded({ receiveCount }, { outcome, error }) {
        ended.push([receiveCount, outcome, String(error)]);
      },
    },
    handler() {
      const { receiveCount } = currentJob();
      if (receiveCount > 1) throw new TypeError("no such thing");
      throw new TransientError("not now", { delaySeconds: 0 });
    },
  }, [[1]]);
  assertEquals(ended, [
    [1, "retried", "TransientError: not now"],
    [2, "failed", "TypeError: no such thing"],
  ]);
  assertEquals(await stage.bodies("tried-failed"), ["[[1],{}]"]);
}

async function answerProbes(stage: Stage): Promise<void> {
  await stage.makeQueue("probed");
  const path = join(stage.folder, "health.log");
  await using _container = await startContainer({
    queue: "probed",
    endpoint: stage.endpoint,
    waitTimeSeconds: 1,
    health: "127.0.0.1:0",
    loggers: `<logger>
      <logfile>
        path ${path}
      </logfile>
    </logger>`,
    handler: () => {},
  });
  const [url = ""] = /http:\S+/.exec(fs.readFileSync(path, "utf8")) ?? [];
  const answer = await fetch(new URL("/livez", url));
  assertEquals([answer.status, await answer.text()], [200, "ok\n"]);
}

async function writeLogs(stage: Stage): Promise<void> {
  const path = join(stage.folder, "zsqs.log");
  await drain(stage, {
    queue: "logged",
    loggers: `
      <logger>
        level INFO
        <logfile>
          path ${path}
          format %(levelname)s %(name)s %(message)s
        </logfile>
      </logger>`,
    handler(what: string) {
      getLogger("shop").warn(what);
      throw new TypeError("no such thing");
    },
  }, [["careful"]]);
  const lines = fs.readFileSync(path, "utf8");
  assertMatch(lines, /^INFO zsqs Listening to logged in /);
  assertMatch(lines, /^WARNING shop careful$/m);
  assertMatch(
    lines,
    /^ERROR zsqs Handling a message failed: logged, message /m,
  );
  // The stack begins in this file, and has no frame of the package.
  assertMatch(lines, /^ +TypeError: no such thing\n +at .*library\.[jt]s/m);
  assertEquals(/run_job|node_modules/.test(lines), false, lines);
  assertMatch(lines, /^INFO zsqs Stopped listening to logged: received 1, /m);
}

async function callMain({ endpoint, makeQueue }: Stage): Promise<void> {
  await makeQueue("called");
  await using queue = await Queue("called", { endpoint });
  const attributes = { bytes: new Uint8Array([1, 2, 255]) };
  await queue.send(["first"], { attributes });
  const call = async (...args: string[]) => {
    const lines: string[] = [];
    const write = (line: string) => void lines.push(line);
    const [command = "", ...rest] = args;
    const status = await main(
      [command, `--endpoint=${endpoint}`, ...rest],
      { stdout: write, stderr: write },
    );
    return { status, text: lines.join("\n") };
  };
  const sent = await call("send", "called", "1", "x=2");
  assertEquals(sent.status, 0, sent.text);
  assertMatch(sent.text, /^Sent to called: [0-9a-f-]{36}$/);
  const { status, text } = await call("failed", "--json", "called");
  assertEquals(status, 0, text);
  assertMatch(text, /"attributes":\{"bytes":"AQL\/"\}/);
  const missing = await call("status", "missing");
  assertEquals(missing.status, 2, missing.text);
  assertMatch(missing.text, /^Cannot find queue "missing" in region /);
}
