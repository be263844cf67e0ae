/**
 * OpenTelemetry: the reports of notifications, batches, logs and child processes.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { notification } from "../support/aws_bodies.ts";
import {
  metricsIn,
  OTEL,
  spansIn,
  theOne,
} from "../support/console_exporter.ts";
import { Folder } from "../support/folder.ts";
import { runCli, servePackage, TestServer } from "../support/server.ts";

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
