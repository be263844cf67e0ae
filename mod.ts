/**
 * Background jobs on Amazon SQS: queues that you call, workers that are plain
 * functions, containers run from ini files, and a testing double.
 *
 * Send jobs by calling a queue:
 *
 * ```ts
 * import { Queue } from "@zsqs/cli";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * using queues = setUp({ silent: true }); // in production, leave this line out
 *
 * const queue = await Queue("adder");
 * await queue(1, 2, 3);
 *
 * assertEquals(queues.get("adder").jobs, [[1, 2, 3]]);
 * ```
 *
 * Write a worker as a function that takes its options and returns a handler:
 *
 * ```ts
 * import { TransientError, type WorkerConfig } from "@zsqs/cli";
 * import { assertEquals } from "@std/assert";
 *
 * export function scaledAdder(config: WorkerConfig) {
 *   const scale = Number(config.scale ?? 1);
 *   return (a: number, b: number, x: number | "later") => {
 *     if (x === "later") throw new TransientError("not now");
 *     console.log(scale * (a + b + x));
 *   };
 * }
 *
 * assertEquals(typeof scaledAdder({ scale: "2" }), "function");
 * ```
 *
 * Run it with `deno run -A jsr:@zsqs/cli adder.ini`, where `adder.ini` is
 *
 * ```ini
 * [container]
 * worker = worker.ts:scaledAdder
 * queue = adder
 * failures = adder-failed
 *
 * [worker]
 * scale = 2
 * ```
 *
 * The module {@link https://jsr.io/@zsqs/cli/doc/testing | `@zsqs/cli/testing`}
 * replaces SQS in tests.
 *
 * @module
 */

export * from "./container.ts";
export * from "./producer.ts";

if (import.meta.main) {
  // Never awaited: a worker that imports this module would wait for it too.
  import("./cli.ts").then(({ runCli }) => runCli());
}
