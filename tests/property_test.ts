/**
 * Random jobs, outcomes, faults, stops and clock moves: nothing is lost, nothing
 * is deleted that was not done, and FIFO groups keep their order.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { run } from "./_property.ts";

const SEEDS = 1000;

Deno.test(`Engine loses nothing and keeps order, whatever fails, ${SEEDS} seeds`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    assertEquals(await run(seed), [], `seed ${seed}`);
  }
});
