/**
 * Small fleets, simulated. The figures are the same each time, and follow from
 * the engine and SQS's limits.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { randomOf } from "../../src/double/random.ts";
import { Folder } from "../support/folder.ts";
import { arrivalsOf } from "./arrivals.ts";
import { dollarsOf, requestsPerJob } from "./report.ts";
import { simulate } from "./run.ts";
import { type Scenario, SCENARIOS } from "./scenario.ts";

/** A scenario with few jobs and containers. */
function small(name: string, changes: Partial<Scenario> = {}): Scenario {
  const scenario = SCENARIOS.find((each) => each.name === name)!;
  return { ...scenario, jobs: 400, containers: 4, ...changes };
}

Deno.test("simulate() gives the same figures for the same seed", async () => {
  const [one, again, other] = await Promise.all([
    simulate(small("kills", { killEverySeconds: 3 })),
    simulate(small("kills", { killEverySeconds: 3 })),
    simulate(small("kills", { killEverySeconds: 3, seed: 2 })),
  ]);
  assertEquals(one, again);
  assert(JSON.stringify(one) !== JSON.stringify(other));
  // A killed container's jobs come back when their leases end.
  assertGreater(one.killed, 0);
  assertGreater(one.duplicates, 0);
  assertLess(one.duplicates, one.killed * 20);
  assertGreater(one.waitMax, 10);
});

Deno.test("simulate() measures an even pace, and the cost of an idle fleet", async () => {
  const steady = await simulate(small("steady"));
  assertEquals(steady.duplicates, 0);
  assertEquals(steady.refused, 0);
  assertLess(steady.waitP99, 2);
  assertLess(requestsPerJob(steady), 3);
  // Each container polls every 20 s.
  const polls = 4 * 3 * 60 * 24 * 30;
  assertLess(Math.abs(steady.idleRequestsPerMonth - polls) / polls, 0.02);
  assertEquals(dollarsOf(12_960_000, false).toFixed(2), "5.18");
  assertEquals(dollarsOf(12_960_000, true).toFixed(2), "6.48");
});

Deno.test("simulate() deploys: short jobs run once, long ones again", async () => {
  const deploy = { atOnce: 2, startsFirst: false };
  const short = await simulate(small("deploy", { deploy, jobSeconds: 0.5 }));
  assertEquals(short.duplicates, 0);
  const [begin, end] = short.deploySpan!;
  // Two rounds, each with the start of new containers.
  assertGreater(end - begin, 2 * 5);
  const long = await simulate(
    small("deploy", { deploy, jobSeconds: 90, jobs: 200 }),
  );
  assertGreater(long.duplicates, 0);
});

Deno.test("simulate() keeps to SQS's limit of calls to a FIFO queue", async () => {
  // Sends alone are more than 300 a second.
  const fifo = await simulate(
    small("fifo", { load: 1, jobSeconds: 0.01, jobs: 2_000, groups: 500 }),
  );
  assertGreater(fifo.refused, 0);
  assertEquals(fifo.duplicates, 0);
});

Deno.test("arrivalsOf() spreads jobs over a minute, or over a day with a noon", () => {
  const burst = arrivalsOf(small("burst"), randomOf(1));
  assertLess(burst.at(-1)!, 60_000);
  const day = arrivalsOf(small("day", { jobs: 10_000 }), randomOf(1));
  const hours = Array.from(day, (ms) => Math.floor(ms / 3_600_000));
  const countAt = (hour: number) =>
    hours.filter((each) => each === hour).length;
  assertGreater(countAt(12), 10 * countAt(0));
  assertEquals(hours.at(-1), 23);
});

Deno.test("deno task simulate prints a table, and writes the figures and pictures", async () => {
  await using folder = await Folder.with();
  const run = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", "--no-check", SIMULATE, ...args],
      cwd: folder.path,
    }).output();
  const [done, wrong] = await Promise.all([
    run("steady", "deploy", "--jobs=200", "--containers=2", "--out=out"),
    run("steady", "--jobs=0"),
  ]);
  const text = new TextDecoder();
  assertEquals(done.code, 0, text.decode(done.stderr));
  const rows = text.decode(done.stdout).match(/^(steady|deploy) +200 .*$/gm);
  assertEquals(rows?.length, 2);
  const files = [...Deno.readDirSync(`${folder.path}/out`)].map((file) =>
    file.name
  );
  assertEquals(files.toSorted(), [
    "fleet-again.svg",
    "fleet-deploy.svg",
    "fleet-drain.svg",
    "fleet-idle.svg",
    "fleet-requests.svg",
    "fleet-waits.svg",
    "fleet.json",
  ]);
  assertEquals(wrong.code, 2);
  assert(text.decode(wrong.stderr).includes("--jobs must be from 1 to"));
});

const SIMULATE = new URL("simulate.ts", import.meta.url).href;
