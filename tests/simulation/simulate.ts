/**
 * Simulates fleets of containers: the real engine, on the clock of the testing
 * double. It prints their figures, and writes `fleet.json` and its pictures.
 *
 * ```sh
 * deno task simulate [SCENARIO...] [--jobs=N] [--containers=N]
 *   [--concurrency=N] [--prefetch=N] [--job-seconds=S] [--load=0.8]
 *   [--seed=N] [--out=FOLDER]
 * ```
 *
 * The same options give the same figures. Two scenarios run at a time.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import process from "node:process";
import { fleetPictures } from "../../tools/fleet_pictures.ts";
import { dataText, reportText } from "./report.ts";
import type { Measured } from "./run.ts";
import { type Scenario, SCENARIOS } from "./scenario.ts";

const NAMES = SCENARIOS.map(({ name }) => name).join(", ");

const USAGE =
  `Usage: deno task simulate [SCENARIO...] [--jobs=200000] [--containers=100]
  [--concurrency=10] [--prefetch=10] [--job-seconds=1] [--load=0.8] [--seed=1]
  [--out=FOLDER (simulation)]
Scenarios: ${NAMES}`;

/** Options with a number, and the range of each. */
const NUMBERS = {
  jobs: { member: "jobs", from: 1, to: 5_000_000, isWhole: true },
  containers: { member: "containers", from: 1, to: 10_000, isWhole: true },
  concurrency: { member: "concurrency", from: 1, to: 1000, isWhole: true },
  prefetch: { member: "prefetch", from: 0, to: 10_000, isWhole: true },
  "job-seconds": { member: "jobSeconds", from: 0.001, to: 3600 },
  load: { member: "load", from: 0.01, to: 2 },
  seed: { member: "seed", from: 0, to: 2 ** 31, isWhole: true },
} as const;

/** How many scenarios run at a time. */
const THREADS = 2;

async function main(): Promise<number> {
  const { scenarios, out } = readOptions(Deno.args);
  const startMs = performance.now();
  const all = await runAll(scenarios);
  console.log(reportText(all));
  const { user, system } = process.cpuUsage();
  const seconds = (ms: number) => Math.round(ms / 1000);
  console.log(
    `\n${seconds(performance.now() - startMs)} s, ${
      seconds((user + system) / 1000)
    } s of CPU. Pictures and figures are in ${out}/`,
  );
  await Deno.mkdir(out, { recursive: true });
  await Deno.writeTextFile(`${out}/fleet.json`, dataText(all));
  for (const [name, text] of Object.entries(fleetPictures(all))) {
    await Deno.writeTextFile(`${out}/${name}`, text);
  }
  return 0;
}

function readOptions(args: readonly string[]): {
  readonly scenarios: readonly Scenario[];
  readonly out: string;
} {
  const options = parseArgs([...args], {
    string: ["out", ...Object.keys(NUMBERS)],
    boolean: ["help"],
    default: { out: "simulation" },
    unknown: (name, key) => {
      if (key !== undefined) fail(`Unknown option ${name}`);
    },
  });
  if (options.help) fail();
  const names = options._.map(String);
  const wrong = names.find((name) =>
    !SCENARIOS.some((each) => each.name === name)
  );
  if (wrong !== undefined) fail(`Unknown scenario "${wrong}"`);
  const changes: Record<string, number> = {};
  for (const [name, range] of Object.entries(NUMBERS)) {
    const text = options[name as keyof typeof NUMBERS];
    if (text === undefined) continue;
    const value = Number(text);
    const fits = text !== "" && value >= range.from && value <= range.to &&
      (!("isWhole" in range) || Number.isInteger(value));
    if (!fits) {
      fail(`--${name} must be from ${range.from} to ${range.to}: "${text}"`);
    }
    changes[range.member] = value;
  }
  const chosen = SCENARIOS.filter(({ name }) =>
    names.length === 0 || names.includes(name)
  );
  const scenarios = chosen.map((each) => ({ ...each, ...changes }));
  return { scenarios, out: options.out };
}

function fail(problem?: string): never {
  console.error(problem === undefined ? USAGE : `${problem}\n${USAGE}`);
  Deno.exit(problem === undefined ? 0 : 2);
}

/** Runs scenarios, two at a time; the results have their order. */
async function runAll(scenarios: readonly Scenario[]): Promise<Measured[]> {
  const results: Measured[] = [];
  const left = [...scenarios.entries()];
  const runSome = async () => {
    using thread = startThread();
    for (let next = left.shift(); next; next = left.shift()) {
      const [position, scenario] = next;
      results[position] = await thread.run(scenario);
      console.error(`${scenario.name}: done`);
    }
  };
  await Promise.all(Array.from({ length: THREADS }, runSome));
  return results;
}

/** A thread that runs one scenario at a time. */
function startThread(): Disposable & {
  run(scenario: Scenario): Promise<Measured>;
} {
  const worker = new Worker(new URL("worker.ts", import.meta.url), {
    type: "module",
  });
  return {
    run: (scenario) =>
      new Promise((resolve, reject) => {
        worker.onmessage = ({ data: { measured, problem } }) => {
          if (measured === undefined) reject(new Error(problem));
          else resolve(measured);
        };
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(event.message));
        };
        worker.postMessage(scenario);
      }),
    [Symbol.dispose]: () => worker.terminate(),
  };
}

if (import.meta.main) Deno.exit(await main());
