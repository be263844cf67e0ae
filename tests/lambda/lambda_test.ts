/** How the jobs of an event end, and the answer of the function. */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import {
  ConfigError,
  currentJob,
  getLogger,
  type HookJob,
  type Job,
  type JobEnd,
  lambdaHandler,
  type LambdaOptions,
  PartialBatchError,
  PermanentError,
  TransientError,
  withSchema,
} from "../../lambda.ts";
import { z } from "zod";
import { notification } from "../support/aws_bodies.ts";
import { Printed } from "../support/printed.ts";
import { record, returned, withTime } from "../support/trigger.ts";
import { turn } from "../support/turn.ts";

/** Loggers that write nothing. */
const loggers = "<logger>\n level CRITICAL\n</logger>";

/** A worker whose jobs end as their argument says. */
const asTold = () => (what: string) => {
  if (what === "transient") throw new TransientError("not now");
  if (what === "permanent") throw new PermanentError("never");
  if (what === "generator") return (function* () {})();
  if (what !== "done") throw new Error(what);
};

/** The ids that come back of jobs that end as told, by their names. */
async function ends(
  options: LambdaOptions,
  ...names: string[]
): Promise<string[]> {
  const handler = lambdaHandler(asTold, { loggers, ...options });
  const Records = names.map((name) => record(name, [name]));
  return await returned(handler({ Records }, withTime(30_000)));
}

const ALL = ["done", "fails", "transient", "permanent", "generator"];

Deno.test("the outcome of each job decides whether its message returns", async () => {
  assertEquals(await ends({}, ...ALL), ["transient", "generator"]);
  assertEquals(await ends({ failures: "keep" }, ...ALL), ALL.slice(1));
  assertEquals(
    await ends({ attempts: 2 }, ...ALL),
    ["fails", "transient", "generator"],
  );
  assertEquals(await ends({ attempts: 1 }, ...ALL), ["generator"]);
  assertEquals(await ends({}), []);
});

Deno.test("the receive count of a record counts as attempts", async () => {
  const handler = lambdaHandler(asTold, { loggers, attempts: 3 });
  const Records = [2, 3].map((count) =>
    record(`receive ${count}`, ["transient"], {
      attributes: {
        ApproximateReceiveCount: String(count),
        SentTimestamp: "1700000000000",
      },
    })
  );
  assertEquals(await returned(handler({ Records })), ["receive 2"]);
});

Deno.test("a wholly failed batch returns its list", async () => {
  const names = Array.from({ length: 10 }, () => "transient");
  const handler = lambdaHandler(asTold, { loggers });
  const Records = names.map((name, i) => record(`m${i}`, [name]));
  assertEquals(
    await returned(handler({ Records })),
    Records.map(({ messageId }) => messageId),
  );
});

Deno.test("reporting throw throws if a message must come again", async () => {
  const handler = lambdaHandler(asTold, { loggers, reporting: "throw" });
  const Records = [record("a", ["done"]), record("b", ["transient"])];
  await assertRejects(
    () => handler({ Records }),
    Error,
    "Returning all 2 messages of the event, as 1 of them must come again: b",
  );
  assertEquals(
    await returned(handler({ Records: [record("a", ["done"])] })),
    [],
  );
});

Deno.test("a handler sees its job and logs, and a job's lines name it", async () => {
  using printed = new Printed();
  let job: Job | undefined;
  const handler = lambdaHandler((config: { readonly scale: number }) => {
    return (a: number, options: { readonly b: number }) => {
      job = currentJob();
      getLogger("adder").info(`${config.scale * (a + options.b)}`);
      throw new Error("bad");
    };
  }, { workerConfig: { scale: 2 } });
  await handler({
    Records: [
      record("id-1", [], {
        body: '[[1],{"b":2}]',
        messageAttributes: {
          kind: { dataType: "String", stringValue: "sum" },
          bytes: { dataType: "Binary", binaryValue: "AQI=" },
        },
        groupId: "g",
      }),
    ],
  });
  const { args, kwargs, messageId, queue, receiveCount, sentAt } = job!;
  assertEquals({ args, kwargs, messageId, queue, receiveCount }, {
    args: [1],
    kwargs: { b: 2 },
    messageId: "id-1",
    queue: "adder",
    receiveCount: 1,
  });
  assertEquals(sentAt, new Date(1_700_000_000_000));
  assertEquals(job!.groupId, "g");
  const bytes = new Uint8Array([1, 2]);
  assertEquals(job!.attributes, { kind: "sum", bytes });
  const [start, own, failed, body] = printed.err
    .map((line) => line.replace(/^\S+ /, ""));
  assertEquals(
    start,
    "INFO zsqs Running jobs of adder on Lambda; failed jobs are deleted after logging",
  );
  assertEquals(own, "INFO adder 6");
  assertMatch(
    failed!,
    /^ERROR zsqs Handling a message failed: adder, message id-1, receive 1\n.*Error: bad/s,
  );
  assertEquals(body, 'INFO zsqs.messages [[1],{"b":2}]');
});

Deno.test("body and envelope say how a record is read", async () => {
  const seen: unknown[] = [];
  const worker = () => (value: unknown) => {
    seen.push(value, currentJob().notification?.subject);
  };
  const body = notification('{"a":1}', { Subject: "hello" });
  const options = { loggers, body: "json", envelope: "sns" } as const;
  await lambdaHandler(worker, options)({
    Records: [record("a", [], { body })],
  });
  const text = lambdaHandler(worker, { loggers, body: "text" });
  await text({ Records: [record("b", [], { body: "any text" })] });
  assertEquals(seen, [{ a: 1 }, "hello", "any text", undefined]);
});

Deno.test("an event of AWS stays if failures is not set, and the log names the option", async () => {
  using printed = new Printed();
  const body = notification("hello");
  const event = { Records: [record("a", [], { body })] };
  assertEquals(await returned(lambdaHandler(asTold)(event)), ["a"]);
  assertMatch(printed.err.join("\n"), /ERROR .*set envelope = sns/);
  const deletes = lambdaHandler(asTold, { loggers, failures: "delete" });
  assertEquals(await returned(deletes(event)), []);
});

Deno.test("factories are called once, and one that fails is called again", async () => {
  const calls: string[] = [];
  let isAway = true;
  const handler = lambdaHandler(async function adder(config: string) {
    calls.push(`worker ${config}`);
    await turn();
    if (isAway) throw new Error("no database");
    return (what: string) => void calls.push(what);
  }, {
    loggers,
    workerConfig: "config",
    hooks(config) {
      calls.push(`hooks ${config}`);
      return {};
    },
  });
  const event = { Records: [record("a", ["job"])] };
  await assertRejects(
    () => handler(event),
    ConfigError,
    'Cannot start Lambda function as worker "adder" failed: Error: no database',
  );
  isAway = false;
  assertEquals(await returned(handler(event)), []);
  assertEquals(await returned(handler(event)), []);
  const made = ["hooks config", "worker config", "worker config"];
  assertEquals(calls, [...made, "job", "job"]);
});

Deno.test("an error that a job leaves behind is logged with its job", async () => {
  using printed = new Printed();
  const handler = lambdaHandler(() => () => {
    Promise.reject(new Error("left behind"));
  });
  assertEquals(await returned(handler({ Records: [record("a", [])] })), []);
  assertMatch(
    await printed.line("left behind"),
    /ERROR zsqs Work that a job left behind failed: adder, message a, receive 1/,
  );
});

/** A worker that notes how many jobs run at a time. */
class Gauge {
  running = 0;
  most = 0;

  readonly worker = () => async () => {
    this.most = Math.max(this.most, ++this.running);
    await turn();
    this.running--;
  };
}

Deno.test("ten records run at a time, or as many as concurrency says", async () => {
  const Records = Array.from({ length: 25 }, (_, i) => record(`m${i}`, []));
  for (const [options, most] of [[{}, 10], [{ concurrency: 3 }, 3]] as const) {
    const gauge = new Gauge();
    const handler = lambdaHandler(gauge.worker, { loggers, ...options });
    assertEquals(await returned(handler({ Records })), []);
    assertEquals(gauge.most, most);
  }
});

Deno.test("a group of a FIFO queue runs in order; after a failure the rest returns", async () => {
  const running = new Set<string>();
  const order: string[] = [];
  const handler = lambdaHandler(() => async (id: string) => {
    const { groupId } = currentJob();
    if (running.has(groupId!)) throw new Error("two at a time");
    running.add(groupId!);
    await turn();
    order.push(id);
    running.delete(groupId!);
    if (id === "a2") throw new TransientError();
    if (id === "b1") throw new Error("deleted, so that the group continues");
  }, { loggers });
  const ids = ["a1", "b1", "a2", "a3", "b2", "c1", "a4"];
  const Records = ids.map((id) =>
    record(id, [id], { queue: "adder.fifo", groupId: id[0]! })
  );
  assertEquals(await returned(handler({ Records })), ["a2", "a3", "a4"]);
  assertEquals(order.filter((id) => id[0] === "a"), ["a1", "a2"]);
  assertEquals(order.filter((id) => id[0] === "b"), ["b1", "b2"]);
  assertEquals(order.length, 5);
});

Deno.test("batches: a job that is named fails alone, a bad one is found", async () => {
  const runs: string[] = [];
  const handler = lambdaHandler(() => ({
    handleBatch(jobs: Job<[string]>[]) {
      runs.push(jobs.map(({ args }) => args[0]).join(" "));
      const bad = jobs.find(({ args }) => args[0] === "bad");
      if (bad !== undefined && jobs.length < 5) throw new Error("one is bad");
      const named = jobs.filter(({ args }) => args[0] === "named");
      if (named.length > 0) {
        throw new PartialBatchError(
          named.map((job) => ({ job, error: new TransientError() })),
        );
      }
    },
  }), { loggers, batch: 4, failures: "keep" });
  const names = ["a", "named", "b", "c", "d", "bad", "e"];
  const Records = names.map((name) => record(name, [name]));
  assertEquals(await returned(handler({ Records })), ["named", "bad"]);
  assertEquals(runs, ["a named b c", "d bad e", "d bad", "e", "d", "bad"]);
});

Deno.test("a batch of a FIFO queue returns what follows a failed job in its group", async () => {
  const handleBatch = (jobs: readonly Job<[id: string]>[]) => {
    const bad = jobs.find(({ args: [id] }) => id === "a2");
    if (bad !== undefined) {
      throw new PartialBatchError([{ job: bad, error: new TransientError() }]);
    }
  };
  const handler = lambdaHandler(() => ({ handleBatch }), { loggers, batch: 5 });
  const Records = ["a1", "b1", "a2", "a3", "b2", "a4"].map((id) =>
    record(id, [id], { queue: "adder.fifo", groupId: id[0]! })
  );
  assertEquals(await returned(handler({ Records })), ["a2", "a3", "a4"]);
});

Deno.test("a schema checks jobs, also in batches", async () => {
  const seen: unknown[] = [];
  const schema = z.tuple([z.coerce.number()]);
  const single = () => withSchema(schema, (n) => void seen.push(n));
  const batch = () =>
    withSchema(schema, {
      handleBatch(jobs) {
        seen.push(jobs.map(({ args }) => args[0]));
      },
    });
  const Records = [record("a", ["1"]), record("b", ["x"])];
  const options = { loggers, failures: "keep", attempts: 9 } as const;
  const one = lambdaHandler(single, options);
  assertEquals(await returned(one({ Records })), ["b"]);
  const many = lambdaHandler(batch, { ...options, batch: 10 });
  assertEquals(await returned(many({ Records })), ["b"]);
  assertEquals(seen, [1, [1]]);
});

Deno.test("hooks hear of each job, and the function waits for them", async () => {
  const calls: string[] = [];
  const hooks = {
    jobStarted: ({ args }: HookJob) => void calls.push(`started ${args}`),
    async jobEnded({ args }: HookJob, { outcome }: JobEnd) {
      await turn();
      calls.push(`${outcome} ${args}`);
    },
  };
  const handler = lambdaHandler(asTold, { loggers, hooks, concurrency: 1 });
  await handler({
    Records: ["done", "fails", "transient"].map((name) => record(name, [name])),
  });
  assertEquals(calls.filter((call) => call.startsWith("started")).length, 3);
  assertEquals(
    calls.filter((call) => !call.startsWith("started")).sort(),
    ["done done", "failed fails", "retried transient"],
  );
});
