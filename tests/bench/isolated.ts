/**
 * zsqs with its jobs in child processes. These measure themselves, and log the
 * result through the container's loggers at the end.
 *
 * @module
 */

import process from "node:process";
import { runContainer } from "../../container.ts";
import type { Jobs } from "./jobs.ts";
import type { ProcessStats } from "./isolated_worker.ts";
import type { ClientStats, ClientTask } from "./runs.ts";

const WORKERS = { cpu: "busy", exits: "exits" };

/** Handles the jobs; the CPU it took counts from the container's start. */
export default async function run(
  task: ClientTask,
  own: Jobs,
): Promise<ClientStats> {
  const { url, jobs, concurrency = 1, processes = 1, work = "none" } = task;
  const file = await Deno.makeTempFile();
  const before = process.cpuUsage();
  const { done } = await runContainer({
    queue: url,
    worker: `${new URL("./isolated_worker.ts", import.meta.url)}:${
      WORKERS[work as keyof typeof WORKERS] ?? "idle"
    }`,
    retryDelaySeconds: 0,
    isolation: "process",
    processes,
    allowAll: true,
    concurrency,
    waitTimeSeconds: 1,
    loggers:
      `<logger>\nname bench\nlevel INFO\npropagate false\n<logfile>\npath ${file}\n` +
      "format %(message)s\n</logfile>\n</logger>",
  }, { drain: true });
  const { user, system } = process.cpuUsage(before);
  const told: ProcessStats[] = (await Deno.readTextFile(file)).trimEnd()
    .split("\n").map((line) => JSON.parse(line));
  await Deno.remove(file);
  const sum = (figure: (stats: ProcessStats) => number) =>
    told.reduce((total, stats) => total + figure(stats), 0);
  return {
    firstJobAtMs: Math.min(
      ...told.map(({ firstJobAtMs }) => firstJobAtMs)
        .filter((time) => time > 0),
    ),
    cpuMs: (user + system) / 1000 + sum(({ cpuMs }) => cpuMs),
    peakMb: own.stats().peakMb + sum(({ memoryMb }) => memoryMb),
    heapMb: [],
    lost: Math.max(0, jobs - done),
    twice: Math.max(0, sum(({ handled }) => handled) - jobs),
  };
}
