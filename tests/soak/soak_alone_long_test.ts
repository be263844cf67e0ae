/**
 * The soak in a small size.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { WIDE_CONCURRENCY } from "./jobs.ts";
import { runSoak } from "./soak_run.ts";
import { Folder } from "../support/cli.ts";

const JOBS = 3_000;

Deno.test(`${JOBS} jobs survive faults, kills and stops, and every duplicate is explained`, async () => {
  await using folder = await Folder.with({});
  const result = await runSoak({
    folder: folder.path,
    seed: 5,
    jobs: JOBS,
    containers: {
      standard: 2,
      isolated: 1,
      batches: 1,
      fifo: 1,
      wide: 1,
      json: 1,
    },
    producers: 2,
    visibilitySeconds: 4,
    waitSeconds: 1,
    rates: { receives: 0.015, others: 0.06 },
    stopEvery: 500,
    cutEvery: 1_000,
    shakeEvery: 900,
  });
  assertEquals(result.problems, []);
  assertEquals(result.repeats, []);
  assertEquals(result.orphans, []);
  assertGreater(result.accepted, JOBS);
  assertEquals(result.done + result.kept, result.accepted);
  assertGreater(result.kept, 0);
  assert(result.processes["producers killed"]! >= 1);
  assert(result.processes["containers started"]! >= 6);
  assert(result.processes["isolated containers killed"]! >= 1);
  assert(result.outages >= 1);
  assert(result.faults["skewed"]! >= 1);
  // A container may be killed just before it is full.
  assertGreater(result.widest, 0.8 * WIDE_CONCURRENCY);
  assertGreater(Object.keys(result.faults).length, 5);
});
