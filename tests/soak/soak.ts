/**
 * Proves that nothing is lost: sends many jobs through a proxy that injects
 * faults, kills and stops processes, and judges the result.
 *
 * ```sh
 * deno task soak [--jobs=200000] [--seed=N] [--minutes=M]
 * ```
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import process from "node:process";
import { growthProblems, thirdMedians } from "./growth.ts";
import { countsText, runSoak, type SoakResult } from "./soak_run.ts";

const USAGE = "Usage: deno task soak [--jobs=200000] [--seed=N] [--minutes=M]";

const JOBS = 200_000;

interface Options {
  readonly jobs: number;
  readonly seed: number;
  readonly minutes: number;
}

/** How often progress is printed, in milliseconds. */
const PROGRESS_MS = 10_000;

async function main(): Promise<number> {
  const options = readOptions(Deno.args);
  if (options === undefined) {
    console.error(USAGE);
    return 2;
  }
  const folder = await Deno.makeTempDir({ prefix: "zsqs-soak-" });
  console.error(`Seed ${options.seed}; notes and logs are in ${folder}`);
  let printedAt = 0;
  const startedAt = Date.now();
  const result = await runSoak({
    ...options,
    folder,
    containers: {
      standard: 3,
      isolated: 2,
      batches: 1,
      fifo: 2,
      wide: 1,
      json: 1,
    },
    producers: 3,
    visibilitySeconds: 8,
    waitSeconds: 2,
    rates: { receives: 0.01, others: 0.05 },
    stopEvery: 1_500,
    cutEvery: 5_000,
    shakeEvery: Math.min(25_000, Math.ceil(options.jobs / 5)),
    onProgress: (text) => {
      if (Date.now() - printedAt < PROGRESS_MS) return;
      printedAt = Date.now();
      console.error(`${Math.round((printedAt - startedAt) / 1000)} s: ${text}`);
    },
  });
  const problems = [
    ...result.problems,
    ...result.orphans,
    ...result.repeats,
    ...growthProblems(result),
  ];
  console.log(reportText(result));
  for (const problem of problems) console.log(`PROBLEM: ${problem}`);
  console.log(
    problems.length === 0
      ? "Nothing was lost, and every duplicate is explained"
      : `Failed with seed ${options.seed}: ${folder}`,
  );
  if (problems.length === 0) await Deno.remove(folder, { recursive: true });
  return problems.length === 0 ? 0 : 1;
}

function readOptions(args: readonly string[]): Options | undefined {
  let isKnown = true;
  const parsed = parseArgs([...args], {
    string: ["jobs", "seed", "minutes"],
    unknown: () => isKnown = false,
  });
  const options = {
    jobs: Number(parsed.jobs ?? JOBS),
    seed: Number(parsed.seed ?? Math.floor(Math.random() * 2 ** 31)),
    minutes: Number(parsed.minutes ?? Infinity),
  };
  const isGood = isKnown && Number.isInteger(options.jobs) &&
    options.jobs >= 100 && Number.isInteger(options.seed) &&
    options.minutes > 0;
  return isGood ? options : undefined;
}

function reportText(result: SoakResult): string {
  const { samples, heapMb } = result;
  return [
    `${result.accepted} jobs accepted in ${Math.round(result.seconds)} s, ${
      result.accepted - result.done - result.kept
    } lost, ${result.kept} failed and kept; ${result.rejected} sends rejected, each made again`,
    `Processes: ${
      countsText(result.processes)
    }; at most ${result.widest} jobs at a time in one`,
    `Faults: ${countsText(result.faults)}`,
    `Messages beyond a job's first: ${countsText(result.extraMessages)}`,
    `Messages whose job was done again: ${countsText(result.extraRuns)}`,
    `Heap of a container after collection, in MB: ${
      heapMb.map((mb) => mb.toFixed(1)).join(" ")
    }`,
    `Its resident memory, in MB: ${
      thirds(samples.map(({ residentMb }) => residentMb))
    }; its descriptors: ${
      thirds(samples.map(({ descriptors }) => descriptors))
    } (medians of the thirds of its life)`,
  ].join("\n");
}

function thirds(values: readonly number[]): string {
  return thirdMedians(values).map((value) => Math.round(value)).join(", ");
}

if (import.meta.main) process.exitCode = await main();
