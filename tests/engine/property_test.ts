/**
 * Random jobs, outcomes, faults, stops, kills and clock moves. Nothing is lost,
 * and nothing is deleted that was not done. FIFO groups keep their order. No
 * lease is used after its end, and a job that is done twice has its cause.
 *
 * `property_long_test.ts` plays 2,000 seeds, and shows one.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { play, playAll } from "../support/random_run.ts";

Deno.test("Engine and Queue lose nothing, whatever fails, 100 seeds", async () => {
  await playAll(101, 200);
});

Deno.test("a seed of the property test gives the same round each time", async () => {
  for (const seed of [1, 2]) {
    const round = await play(seed);
    assert(round.trace.length > 10);
    assertEquals(await play(seed), round);
    assertNotEquals((await play(seed + 100)).trace, round.trace);
  }
});
