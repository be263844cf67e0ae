/**
 * Random jobs, outcomes, faults, stops, kills and clock moves: nothing is lost,
 * nothing is deleted that was not done, FIFO groups keep their order, no lease
 * is used after its end, and a job that is done twice has its cause.
 *
 * `ZSQS_SEEDS=20000` plays more rounds, `ZSQS_SEED=7` one alone, with all that
 * happens in it.
 *
 * @module
 */

import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { play } from "../support/random_run.ts";

const SEEDS = Number(Deno.env.get("ZSQS_SEEDS") ?? 2000);
const SEED = Deno.env.get("ZSQS_SEED");

const EXPECTED = [
  "container killed",
  "given up at a forced stop",
  "lease lost",
  "delete failed",
  "handle expired",
  "delivered twice",
  "sent twice",
  "error SendMessage",
  "lost answer ReceiveMessage",
  "partial failure DeleteMessage",
  "throttle ChangeMessageVisibility",
  "late answer ReceiveMessage",
  "expired handle DeleteMessage",
  "reordering ReceiveMessage",
];

if (SEED === undefined) {
  Deno.test(`Engine and Queue lose nothing, whatever fails, ${SEEDS} seeds`, async () => {
    const seen = new Set<string>();
    let accepted = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const round = await play(seed);
      assertEquals(round.wrong, [], `ZSQS_SEED=${seed} plays this round again`);
      for (const each of [...round.duplicates, ...round.hits]) seen.add(each);
      accepted += round.accepted;
    }
    // The rounds are only worth something where all of this happened.
    for (const each of EXPECTED) {
      assert(seen.has(each), `"${each}" never happened`);
    }
    assert(accepted > SEEDS * 20, `${accepted} jobs are few`);
  });
} else {
  Deno.test(`the round of seed ${SEED}`, async () => {
    const { trace, wrong } = await play(Number(SEED));
    for (const line of trace) console.log(line);
    assertEquals(wrong, []);
  });
}

Deno.test("a seed of the property test gives the same round each time", async () => {
  for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
    const round = await play(seed);
    assert(round.trace.length > 10);
    assertEquals(await play(seed), round);
    assertNotEquals((await play(seed + 100)).trace, round.trace);
  }
});
