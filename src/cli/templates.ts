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

function ini(options: string, workerOptions = ""): string {
  return `\
[container]
worker = worker.ts:adder
queue = adder
failures = adder-failed
${options}${workerOptions}`;
}

const SCALE = "\n[worker]\nscale = 1\n";

function denoJson(): string {
  const run = "deno run -A jsr:@zsqs/cli@^" + manifest.version;
  const text = JSON.stringify(
    {
      imports: {
        "@zsqs/cli": `jsr:@zsqs/cli@^${manifest.version}`,
        "@std/assert": "jsr:@std/assert@^1",
      },
      tasks: {
        dev: `${run} --local --watch adder.ini`,
        start: `${run} adder.ini`,
        test: "deno test -A",
        send: `${run} send --local adder`,
        failed: `${run} failed --local adder-failed`,
      },
    },
    undefined,
    2,
  );
  return `${text}\n`;
}

export const TEMPLATES: readonly Template[] = [
  {
    name: "adder",
    meaning: "a worker with options",
    send: "1 2",
    files: {
      "worker.ts": WORKER,
      "adder.ini": ini("", SCALE),
      "worker_test.ts": TEST,
      "deno.json": denoJson(),
    },
  },
  {
    name: "isolated",
    meaning: "jobs in child processes without rights",
    send: "1 2",
    files: {
      "worker.ts": WORKER,
      "adder.ini": ini(
        "isolation = process\nprocesses = 2\nconcurrency = 2\ntimeout = 60\n",
        SCALE,
      ),
      "worker_test.ts": TEST,
      "deno.json": denoJson(),
    },
  },
];
