/**
 * The files that `zsqs init` writes.
 *
 * @module
 */

import manifest from "../../deno.json" with { type: "json" };

/** A starting point for a user's own worker. */
export interface Template {
  readonly name: string;
  readonly meaning: string;
  /** A job to try, as arguments of `send`. */
  readonly send: string;
  /** The contents of the files, by name. */
  readonly files: Readonly<Record<string, string>>;
}

const WORKER = `\
import type { WorkerConfig } from "@zsqs/cli";

/** Makes the handler; takes the options of [worker] in adder.ini. */
export function adder(config: WorkerConfig) {
  const scale = Number(config.scale ?? 1);
  return (a: number, b: number) => {
    if (typeof a !== "number" || typeof b !== "number") {
      throw new TypeError(\`adder takes two numbers: \${a}, \${b}\`);
    }
    console.log(\`\${a} + \${b}, times \${scale}: \${(a + b) * scale}\`);
  };
}
`;

const TEST = `\
import { type JobArgs, Queue } from "@zsqs/cli";
import { runContainer } from "@zsqs/cli/container";
import { setUp } from "@zsqs/cli/testing";
import { assertEquals } from "@std/assert";
import { adder } from "./worker.ts";

Deno.test("adder keeps a job that is not two numbers", async () => {
  await using queues = setUp({ silent: true });
  await runContainer({
    queue: "adder",
    worker: adder,
    failures: { queue: "adder-failed" },
  });
  const queue = await Queue<JobArgs<typeof adder>>("adder");
  await queue(1, 2);
  assertEquals(queues.get("adder-failed").jobs, []);
  await (queue as Queue)("one", "two");
  assertEquals(queues.get("adder-failed").jobs, [["one", "two"]]);
});
`;

const EVENTS = `\
import type { WorkerConfig } from "@zsqs/cli";

/** An event of EventBridge, or a notification of S3. */
interface AwsEvent {
  "detail-type"?: string;
  detail?: unknown;
  Records?: {
    eventName: string;
    s3: { bucket: { name: string }; object: { key: string } };
  }[];
  /** S3 tests the queue once, by an event without records. */
  Event?: "s3:TestEvent";
}

/** Makes the handler; takes the options of [worker] in events.ini. */
export function events(_config: WorkerConfig) {
  return (event: AwsEvent) => {
    if (event.Event === "s3:TestEvent") return;
    const { "detail-type": type, detail, Records } = event;
    if (type === undefined && Records === undefined) {
      throw new TypeError("The body is no event of EventBridge or S3");
    }
    if (type !== undefined) console.log(\`\${type}: \${JSON.stringify(detail)}\`);
    for (const { eventName, s3: { bucket, object } } of Records ?? []) {
      console.log(\`\${eventName}: \${bucket.name}/\${keyOf(object.key)}\`);
    }
  };
}

/** S3 writes keys as forms do: "red flower.jpg" is "red+flower.jpg". */
function keyOf(key: string): string {
  return decodeURIComponent(key.replaceAll("+", " "));
}
`;

const EVENTS_TEST = `\
import { Queue } from "@zsqs/cli";
import { runContainer } from "@zsqs/cli/container";
import { setUp } from "@zsqs/cli/testing";
import { assertEquals } from "@std/assert";
import { events } from "./worker.ts";

Deno.test("events keeps a body that is no event", async () => {
  await using queues = setUp({ silent: true });
  await runContainer({
    queue: "events",
    worker: events,
    body: "json",
    failures: { queue: "events-failed" },
  });
  const queue = await Queue<[unknown]>("events", { body: "json" });
  await queue({ "detail-type": "Order Placed", detail: { id: 7 } });
  const object = { key: "red+flower.jpg" };
  await queue({
    Records: [{
      eventName: "ObjectCreated:Put",
      s3: { bucket: { name: "photos" }, object },
    }],
  });
  assertEquals(queues.get("events-failed").jobs, []);
  await queue({ hello: "world" });
  assertEquals(queues.get("events-failed").jobs, [[{ hello: "world" }]]);
});
`;

const BATCH = `\
import {
  type FailedJob,
  type Job,
  PartialBatchError,
  type WorkerConfig,
} from "@zsqs/cli";

type Row = [name: string, amount: number];

/** Makes the worker; takes the options of [worker] in rows.ini. */
export function rows({ table = "rows" }: WorkerConfig) {
  return {
    handleBatch(jobs: Job<Row>[]) {
      const failed: FailedJob[] = [];
      const good: Row[] = [];
      for (const job of jobs) {
        const [name, amount] = job.args;
        if (typeof amount === "number") good.push([name, amount]);
        else {
          const error = new TypeError(\`The amount is no number: \${amount}\`);
          failed.push({ job, error });
        }
      }
      // Insert the rows here, in one transaction.
      console.log(\`\${table}: inserted \${JSON.stringify(good)}\`);
      // The jobs that it names fail. All others of the batch are done.
      if (failed.length > 0) throw new PartialBatchError(failed);
    },
  };
}
`;

const BATCH_TEST = `\
import { Queue } from "@zsqs/cli";
import { runContainer } from "@zsqs/cli/container";
import { setUp } from "@zsqs/cli/testing";
import { assertEquals } from "@std/assert";
import { rows } from "./worker.ts";

Deno.test("rows keeps a bad row, and does the others of its batch", async () => {
  await using queues = setUp({ silent: true });
  await runContainer({
    queue: "rows",
    worker: rows,
    batch: 50,
    failures: { queue: "rows-failed" },
  });
  const queue = await Queue("rows");
  await queue.sendAll([["ann", 1], ["bob", "two"], ["cat", 3]]);
  assertEquals(queues.get("rows").jobs, []);
  assertEquals(queues.get("rows-failed").jobs, [["bob", "two"]]);
});
`;

/** What a template has besides its worker and the test. */
interface Shape {
  /** The queue, the export of the worker and the name of the ini file. */
  readonly name: string;
  /** Lines of [container], each with its line end. */
  readonly options?: string;
  /** Lines of [worker]. */
  readonly workerOptions?: string;
  /** Options of the task `send`. */
  readonly sendOptions?: string;
}

function filesOf(
  worker: string,
  test: string,
  shape: Shape,
): Template["files"] {
  const { name, options = "", workerOptions = "" } = shape;
  const section = workerOptions && `\n[worker]\n${workerOptions}`;
  return {
    "worker.ts": worker,
    [`${name}.ini`]: `\
[container]
worker = worker.ts:${name}
queue = ${name}
failures = ${name}-failed
${options}${section}`,
    "worker_test.ts": test,
    "deno.json": denoJson(shape),
  };
}

function denoJson({ name, sendOptions = "" }: Shape): string {
  const run = "deno run -A jsr:@zsqs/cli@^" + manifest.version;
  const text = JSON.stringify(
    {
      imports: {
        "@zsqs/cli": `jsr:@zsqs/cli@^${manifest.version}`,
        "@std/assert": "jsr:@std/assert@^1",
      },
      tasks: {
        dev: `${run} --local --watch ${name}.ini`,
        start: `${run} ${name}.ini`,
        test: "deno test -A",
        send: `${run} send --local ${sendOptions}${name}`,
        failed: `${run} failed --local ${name}-failed`,
      },
    },
    undefined,
    2,
  );
  return `${text}\n`;
}

const SCALE = "scale = 1\n";

export const TEMPLATES: readonly Template[] = [
  {
    name: "adder",
    meaning: "a worker with options",
    send: "1 2",
    files: filesOf(WORKER, TEST, { name: "adder", workerOptions: SCALE }),
  },
  {
    name: "events",
    meaning: "events of EventBridge, S3 and SNS",
    send: `'{"detail-type":"Order Placed","detail":{"id":7}}'`,
    files: filesOf(EVENTS, EVENTS_TEST, {
      name: "events",
      options: `\
; The handler gets the whole event as one argument.
body = json
; If the events come through an SNS topic without raw message delivery:
; envelope = sns
`,
      sendOptions: "--body=json ",
    }),
  },
  {
    name: "batch",
    meaning: "up to fifty jobs in one call",
    send: "ann 1",
    files: filesOf(BATCH, BATCH_TEST, {
      name: "rows",
      options: "batch = 50\nbatch_wait = 1\n",
      workerOptions: "table = rows\n",
    }),
  },
  {
    name: "isolated",
    meaning: "jobs in child processes without rights",
    send: "1 2",
    files: filesOf(WORKER, TEST, {
      name: "adder",
      options:
        "isolation = process\nprocesses = 2\nconcurrency = 2\ntimeout = 60\n",
      workerOptions: SCALE,
    }),
  },
];
