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
import {
  metricsIn,
  OTEL,
  spansIn,
  theOne,
} from "../support/console_exporter.ts";
import { Folder } from "../support/folder.ts";
import {
  runCli,
  servePackage,
  TestProcess,
  TestServer,
} from "../support/server.ts";

/** Where the API keeps its registrations. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");

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
