/**
 * The property test with 2,000 seeds. `ZSQS_SEEDS=20000` plays more rounds,
 * `ZSQS_SEED=7` plays one and prints all that happens in it.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { play, playAll } from "../support/random_run.ts";

const SEEDS = Number(Deno.env.get("ZSQS_SEEDS") ?? 2000);
const SEED = Deno.env.get("ZSQS_SEED");

if (SEED === undefined) {
  Deno.test(`Engine and Queue lose nothing, whatever fails, ${SEEDS} seeds`, async () => {
    await playAll(1, SEEDS);
  });
} else {
  Deno.test(`the round of seed ${SEED}`, async () => {
    const { trace, wrong } = await play(Number(SEED));
    for (const line of trace) console.log(line);
    assertEquals(wrong, []);
  });
}
