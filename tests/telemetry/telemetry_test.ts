/**
 * OpenTelemetry: the reports of a producer and a container in different
 * processes, as Deno's console exporter shows them. While it is off, there are
 * none.
 *
 * @module
 */

import { loadTelemetry } from "../../src/connect/open_queue.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import {
  context,
  type ContextManager,
  type MeterProvider,
  metrics,
  ROOT_CONTEXT,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import { runContainer } from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { notification } from "../support/aws_bodies.ts";
import { Folder } from "../support/cli.ts";
import {
  runCli,
  servePackage,
  TestProcess,
  TestServer,
} from "../support/server.ts";

const OTEL = {
  OTEL_DENO: "true",
  OTEL_EXPORTER_OTLP_PROTOCOL: "console",
};

/** Where the API keeps its registrations. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

/** A span as the console exporter writes it. */
interface Span {
  readonly name: string;
  readonly trace: string;
  readonly id: string;
  readonly kind: string;
  readonly parent: string | undefined;
  readonly links: readonly string[];
  readonly status: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A metric as the console exporter writes it, with its last values. */
interface Metric {
  readonly type: string;
  readonly unit: string;
  /** Counts by their attributes. */
  readonly counts: Readonly<Record<string, number>>;
}

function spansIn(text: string): Span[] {
  const blocks = text.matchAll(
    /^SPAN (.+) \[(\w+)\/(\w+)\] (\w+) .*\n((?: {2}.*\n)*)/gm,
  );
  return [...blocks].map(([, name, trace, id, kind, lines]) => {
    const attributes = Object.fromEntries(
      [...lines!.matchAll(/^ {2}([\w.]+): (.+)$/gm)].map((match) =>
        [match[1]!, match[2]!] as const
      ),
    );
    const { parent, status, ...others } = attributes;
    return {
      name: name!,
      trace: trace!,
      id: id!,
      kind: kind!,
      parent,
      status,
      links: [...lines!.matchAll(/^ {4}- (\S+)$/gm)].map(([, link]) => link!),
      attributes: others,
    };
  });
}

function metricsIn(text: string): Map<string, Metric> {
  const blocks = text.matchAll(
    /^METRIC (\S+) \((\w+), unit=(\S*)\)\n((?: {2}.*\n)*)/gm,
  );
  const found = new Map<string, Metric>();
  for (const [, name, type, unit, lines] of blocks) {
    const counts = Object.fromEntries(
      [...lines!.matchAll(/^ {2}\{(.*)\} (?:count|value)=(\d+)/gm)].map(
        ([, attributes, count]) =>
          [attributes!.split(", ").sort().join(" "), Number(count)] as const,
      ),
    );
    found.set(name!, { type: type!, unit: unit!, counts });
  }
  return found;
}

function theOne<T>(all: readonly T[], what: string): T {
  assertEquals(all.length, 1, `Wanted one ${what}`);
  return all[0]!;
}

const PRODUCER = `\
import { trace } from "npm:@opentelemetry/api@^1.9.0";
import { Queue } from "jsr:@zsqs/cli";

const tracer = trace.getTracer("shop");
await using orders = await Queue("orders");
await tracer.startActiveSpan("checkout", async (span) => {
  await orders("fine");
  span.end();
});
await orders("bad");
await orders("later");
const attributes = (count) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => ["a" + i, "x"]));
await orders.send(["roomy"], { attributes: attributes(8) });
await orders.send(["full"], { attributes: attributes(9) });
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
await orders.send(["own"], { attributes: { traceparent } });
`;

const WORKER = `\
import { currentJob, TransientError } from "jsr:@zsqs/cli";

export default () => async (what) => {
  if (what === "bad") throw new TypeError("no such order");
  if (what === "later" && currentJob().receiveCount === 1) {
    throw new TransientError("not now", { delaySeconds: 0 });
  }
  if (what === "fine") await (await fetch(Deno.env.get("SHOP"))).body.cancel();
  console.log("did", what, Object.keys(currentJob().attributes).length);
};
`;

Deno.test("OpenTelemetry shows a job's span in another process as the child of the span that sent it", async () => {
  await using folder = await Folder.with({
    "producer.js": PRODUCER,
    "worker.js": WORKER,
    "orders.ini":
      "[container]\nworker = worker.js\nqueue = orders\nwait_time = 1\nfailures = orders-failed\n",
  });
  await using registry = await servePackage();
  await using server = await TestServer.start();
  await server.createQueue("orders");
  await server.createQueue("orders-failed");
  await using shop = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response("yes"),
  );
  const options = {
    cwd: folder.path,
    env: {
      ...registry.env,
      ...server.env,
      ...OTEL,
      SHOP: `http://127.0.0.1:${shop.addr.port}/`,
    },
  };
  await using producer = new TestProcess(
    ["run", "-q", "-A", "producer.js"],
    options,
  );
  assertEquals(await producer.status(), 0, producer.stderr);
  await using command = runCli(["send", "orders", "typed"], options);
  assertEquals(await command.status(), 0, command.stderr);
  await using container = runCli(["orders.ini", "--drain"], options);
  assertEquals(await container.status(), 0, container.stderr);

  const produced = spansIn(producer.stderr);
  const consumed = spansIn(container.stderr);
  const sends = produced.filter(({ name }) => name === "send orders");
  const jobs = consumed.filter(({ name }) => name === "process orders");
  assertEquals([sends.length, jobs.length], [6, 8]);

  const checkout = theOne(
    produced.filter(({ name }) => name === "checkout"),
    "span of the caller",
  );
  const send = theOne(
    sends.filter(({ parent }) => parent === checkout.id),
    "send in it",
  );
  const job = theOne(
    jobs.filter(({ parent }) => parent === send.id),
    "job of it",
  );
  assertEquals([send.trace, job.trace], [checkout.trace, checkout.trace]);
  assertEquals([send.kind, job.kind], ["Producer", "Consumer"]);
  assertEquals(job.links, [`${send.trace}/${send.id}`]);
  assertMatch(send.attributes["messaging.message.id"]!, /^[0-9a-f-]{36}$/);
  assertEquals(send.attributes, {
    "scope": "@zsqs/cli",
    "messaging.system.name": "aws.sqs",
    "messaging.destination.name": "orders",
    "messaging.operation.name": "send",
    "messaging.operation.type": "send",
    "messaging.message.id": send.attributes["messaging.message.id"]!,
    "aws.sqs.queue.url": send.attributes["aws.sqs.queue.url"]!,
  });
  assertEquals(job.attributes, {
    ...send.attributes,
    "messaging.operation.name": "process",
    "messaging.operation.type": "process",
    "zsqs.receive_count": "1",
  });
  assertStringIncludes(send.attributes["aws.sqs.queue.url"]!, "/orders");

  const typed = theOne(
    spansIn(command.stderr).filter(({ name }) => name === "send orders"),
    "send from the command line",
  );
  theOne(jobs.filter(({ parent }) => parent === typed.id), "job of it");

  // What a job does is part of its span.
  const fetched = theOne(
    consumed.filter(({ parent }) => parent === job.id),
    "span within the job",
  );
  assertEquals([fetched.name, fetched.trace], ["GET", job.trace]);

  // A job that is tried again is a span each time.
  const failed = jobs.filter(({ status }) => status !== undefined);
  assertEquals(
    failed.map(({ status, attributes }) =>
      `${attributes["error.type"]}: ${status}`
    ).sort(),
    [
      "TransientError: Error (not now)",
      "TypeError: Error (no such order)",
    ],
  );

  // The tenth attribute is left to the reason of a failure.
  assertStringIncludes(container.stdout, "did roomy 9\n");
  assertStringIncludes(container.stdout, "did full 9\n");
  theOne(jobs.filter(({ parent }) => parent === undefined), "job without room");

  // A context that the caller gave stays, and is linked to.
  const given = "0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331";
  const own = theOne(
    sends.filter(({ kind }) => kind === "Client"),
    "send with another context",
  );
  assertEquals(own.links, [given]);
  const other = theOne(
    jobs.filter(({ links }) => links.includes(given)),
    "job of that context",
  );
  assertEquals(`${other.trace}/${other.parent}`, given);

  const queue =
    "messaging.destination.name=orders messaging.operation.name=$ messaging.operation.type=% messaging.system.name=aws.sqs";
  const on = (name: string, type = name) =>
    queue.replace("$", name).replace("%", type);
  const sent = metricsIn(producer.stderr);
  assertEquals(sent.get("messaging.client.sent.messages"), {
    type: "Sum",
    unit: "{message}",
    counts: { [on("send")]: 6 },
  });
  assertEquals(sent.get("messaging.client.operation.duration"), {
    type: "Histogram",
    unit: "s",
    counts: { [on("send")]: 6 },
  });
  const counted = metricsIn(container.stderr);
  assertEquals(counted.get("messaging.client.consumed.messages"), {
    type: "Sum",
    unit: "{message}",
    counts: { [on("receive")]: 8 },
  });
  assertEquals(counted.get("messaging.process.duration"), {
    type: "Histogram",
    unit: "s",
    counts: {
      [on("process")]: 6,
      [`error.type=TransientError ${on("process")}`]: 1,
      [`error.type=TypeError ${on("process")}`]: 1,
    },
  });
  assertEquals(counted.get("zsqs.jobs"), {
    type: "Sum",
    unit: "{job}",
    counts: {
      "messaging.destination.name=orders zsqs.outcome=done": 6,
      "messaging.destination.name=orders zsqs.outcome=failed": 1,
      "messaging.destination.name=orders zsqs.outcome=retried": 1,
    },
  });
  assertEquals(counted.get("zsqs.job.wait.duration"), {
    type: "Histogram",
    unit: "s",
    counts: { [on("process")]: 8 },
  });
  const levels = ["zsqs.jobs.running", "zsqs.jobs.limit"];
  assertEquals(
    levels.map((name) => counted.get(name)?.counts),
    levels.map(() => ({ "messaging.destination.name=orders": 0 })),
  );
  // Jobs of up to 12 hours have buckets.
  assertMatch(container.stderr, /messaging\.process\.duration[^]*?43200/);
  const requests = counted.get("messaging.client.operation.duration");
  assertEquals([requests?.type, requests?.unit], ["Histogram", "s"]);
  const summary = container.stderr.match(
    /requests: (\d+) ReceiveMessage, (\d+) DeleteMessage, (\d+) ChangeMessageVisibility \((\d+) empty\)/,
  );
  assert(summary !== null, container.stderr);
  assertEquals(requests?.counts, {
    [on("receive")]: Number(summary[1]),
    [on("delete", "settle")]: Number(summary[2]),
    [on("change_visibility", "settle")]: Number(summary[3]),
    [on("send").replace("orders", "orders-failed")]: 1,
  });
  assertEquals(counted.get("zsqs.receives.empty"), {
    type: "Sum",
    unit: "{request}",
    counts: { [on("receive")]: Number(summary[4]) },
  });
});

Deno.test("a job's span is the child of the span that its SNS notification names", async () => {
  await using folder = await Folder.with({
    "worker.js": "export default () => () => {};",
    "orders.ini":
      "[container]\nworker = worker.js\nqueue = orders\nwait_time = 1\nbody = text\nenvelope = sns\n",
  });
  await using registry = await servePackage();
  await using server = await TestServer.start();
  const url = await server.createQueue("orders");
  const [trace, parent] = [
    "0af7651916cd43dd8448eb211c80319c",
    "b7ad6b7169203331",
  ];
  await server.send(
    url,
    notification("hello", {
      MessageAttributes: {
        traceparent: { Type: "String", Value: `00-${trace}-${parent}-01` },
      },
    }),
  );
  await server.send(url, "no notification");
  await using container = runCli(["orders.ini", "--drain"], {
    cwd: folder.path,
    env: { ...registry.env, ...server.env, ...OTEL },
  });
  assertEquals(await container.status(), 0, container.stderr);
  const jobs = spansIn(container.stderr)
    .filter(({ name }) => name === "process orders");
  assertEquals(jobs.length, 2);
  const job = theOne(jobs.filter((job) => job.parent === parent), "job of it");
  assertEquals([job.trace, job.links], [trace, [`${trace}/${parent}`]]);
});

Deno.test("a batch is one span, linked to the spans that sent its jobs", async () => {
  await using folder = await Folder.with({
    "worker.js":
      "export default () => ({ handleBatch(jobs) { if (jobs.length < 3) throw new Error('bad'); } });",
    "orders.ini":
      "[container]\nworker = worker.js\nqueue = orders\nwait_time = 1\nbatch = 10\nbody = text\nenvelope = sns\n",
  });
  await using registry = await servePackage();
  await using server = await TestServer.start();
  const url = await server.createQueue("orders");
  const trace = "0af7651916cd43dd8448eb211c80319c";
  const parents = ["b7ad6b7169203331", "b7ad6b7169203332", "b7ad6b7169203333"];
  for (const parent of parents) {
    const Value = `00-${trace}-${parent}-01`;
    const MessageAttributes = { traceparent: { Type: "String", Value } };
    await server.send(url, notification("hello", { MessageAttributes }));
  }
  await using container = runCli(["orders.ini", "--drain"], {
    cwd: folder.path,
    env: { ...registry.env, ...server.env, ...OTEL },
  });
  assertEquals(await container.status(), 0, container.stderr);
  const spans = spansIn(container.stderr)
    .filter(({ name }) => name === "process orders");
  const batch = theOne(spans, "batch");
  assertEquals(batch.parent, undefined);
  assertEquals(
    batch.links.toSorted(),
    parents.map((parent) => `${trace}/${parent}`),
  );
  assertEquals(batch.attributes["messaging.batch.message_count"], "3");
});

Deno.test("OpenTelemetry gets each line of the log at its level", async () => {
  const levels = ["debug", "info", "warn", "error", "critical"];
  await using folder = await Folder.with({
    "worker.ts": `
import { getLogger } from "jsr:@zsqs/cli";

export default () => () => {
  const logger = getLogger("shop");
  for (const level of ${JSON.stringify(levels)}) logger[level](level + " line");
};
`,
    "orders.ini":
      "[container]\nworker = worker.ts\nqueue = orders\nwait_time = 1\nloggers =\n  <logger>\n  level DEBUG\n  <logfile>\n  path STDERR\n  format %(message)s\n  </logfile>\n  </logger>\n",
  });
  await using registry = await servePackage();
  await using server = await TestServer.start();
  await server.send(await server.createQueue("orders"), "[[],{}]");
  const env = { ...registry.env, ...server.env };
  for (const isOn of [true, false]) {
    await using container = runCli(["orders.ini", "--drain"], {
      cwd: folder.path,
      env: { ...env, ...(isOn ? OTEL : {}) },
    });
    assertEquals(await container.status(), 0, container.stderr);
    const exported = [
      ...container.stderr.matchAll(/^LOG \[(\w+)\] \S+ "(\w+) line$/gm),
    ].map(([, level, line]) => `${line} ${level}`);
    assertEquals(
      exported,
      isOn
        ? [
          "debug DEBUG",
          "info INFO",
          "warn WARN",
          "error ERROR",
          "critical ERROR",
        ]
        : [],
    );
    if (!isOn) assertEquals(container.stdout, "");
    await server.send(await server.createQueue("orders"), "[[],{}]");
  }
});

Deno.test("OpenTelemetry counts the child processes that were restarted", async () => {
  await using folder = await Folder.with({
    "worker.ts": `
export default () => () => {
  try {
    Deno.writeTextFileSync("jobs/flag", "", { createNew: true });
  } catch {
    return;
  }
  Deno.exit(3);
};
`,
    "jobs/other": "",
    "orders.ini":
      "[container]\nworker = worker.ts\nqueue = orders\nwait_time = 1\nisolation = process\nallow_read = jobs\nallow_write = jobs\n",
  });
  await using registry = await servePackage();
  await using server = await TestServer.start();
  await server.send(await server.createQueue("orders"), "[[],{}]");
  await using container = runCli(["orders.ini", "--drain"], {
    cwd: folder.path,
    env: { ...registry.env, ...server.env, ...OTEL },
  });
  assertEquals(await container.status(), 0, container.stderr);
  const { counts } = metricsIn(container.stderr)
    .get("zsqs.processes.restarted")!;
  assert(counts["messaging.destination.name=orders"]! >= 1);
});

Deno.test("OpenTelemetry is not there where it is off", async () => {
  using queues = setUp({ silent: true });
  assertEquals(await loadTelemetry(), undefined);
  await (await Queue("orders"))("fine");
  assertEquals(queues.get("orders").messages[0]?.attributes, {});
});

Deno.test("OpenTelemetry that throws ends no job, and keeps none from being sent", async () => {
  const broken = () => {
    throw new Error("broken");
  };
  const meter = {
    createCounter: () => ({ add: broken }),
    createUpDownCounter: () => ({ add: broken }),
    createHistogram: () => ({ record: broken }),
  };
  const contexts = {
    active: () => ROOT_CONTEXT,
    with: broken,
    disable: () => contexts,
  };
  const span = {};
  for (
    const getTracer of [
      broken,
      () => ({ startSpan: broken }),
      () => ({ startSpan: () => span }),
    ]
  ) {
    context.setGlobalContextManager(contexts as unknown as ContextManager);
    trace.setGlobalTracerProvider({ getTracer } as unknown as TracerProvider);
    metrics.setGlobalMeterProvider(
      { getMeter: () => meter } as unknown as MeterProvider,
    );
    try {
      await using queues = setUp({ silent: true });
      const done: string[] = [];
      await runContainer({
        queue: "orders",
        worker: () => (what: string) => done.push(what),
      });
      await (await Queue("orders"))("fine");
      assertEquals(done, ["fine"]);
      assertEquals(queues.get("orders").deleted.length, 1);
    } finally {
      trace.disable();
      metrics.disable();
      context.disable();
      Reflect.deleteProperty(globalThis, REGISTERED);
    }
  }
});
