/**
 * One run of one runner, in a separate process: takes the run as JSON, and prints
 * its result as JSON.
 *
 * @module
 */

import { Jobs } from "./jobs.ts";
import type { ClientTask, Runner } from "./runs.ts";

const MODULES: Readonly<Record<Runner, string>> = {
  "zsqs": "./zsqs.ts",
  "isolated": "./isolated.ts",
  "sqs-consumer": "./sqs_consumer.ts",
  "bare": "./bare.ts",
};

if (import.meta.main) {
  const task: ClientTask = JSON.parse(Deno.args[0]!);
  const jobs = new Jobs(task);
  // No literal specifier: a runner's process loads nothing of the others.
  const { default: run } = await import(MODULES[task.runner]);
  const stats = await run(task, jobs) ?? jobs.stats();
  console.log(JSON.stringify(stats));
  // Whatever a runner leaves open is not measured.
  Deno.exit();
}
