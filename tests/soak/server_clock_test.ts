/**
 * The clock of a soak's server.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import { Dice } from "../support/dice.ts";
import { drawSkewMs, ServerClock } from "./server_clock.ts";

const MINUTE_MS = 60_000;

function refusalOf(skewMs: number, signedMs: number | undefined) {
  const date = signedMs === undefined
    ? undefined
    : new Date(signedMs).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  return new ServerClock(skewMs).refusal({
    method: "POST",
    path: "/",
    headers: date === undefined ? {} : { "x-amz-date": date },
    body: Buffer.alloc(0),
  });
}

Deno.test("ServerClock refuses signatures that are 15 minutes away from its time", () => {
  const now = Date.now();
  const skews: [minutes: number, code: RegExp | undefined][] = [
    [0, undefined],
    [14, undefined],
    [-14, undefined],
    [16, /InvalidSignatureException.*Signature expired: \d{8}T\d{6}Z is now/],
    [-16, /RequestTimeTooSkewed.*Signature not yet current: \d{8}T\d{6}Z/],
  ];
  for (const [minutes, code] of skews) {
    const skewMs = minutes * MINUTE_MS;
    const refusal = refusalOf(skewMs, now);
    assertEquals(refusal === undefined, code === undefined, String(minutes));
    if (code !== undefined) assertMatch(refusal!.body, code);
    // Whoever has learned the time is served.
    assertEquals(refusalOf(skewMs, now + skewMs), undefined);
  }
  assertEquals(refusalOf(60 * MINUTE_MS, undefined), undefined);
});

Deno.test("drawSkewMs() draws another time, for which signatures are refused", () => {
  const dice = new Dice(1);
  const seen = new Set<number>();
  for (let i = 0, last = 0; i < 100; i++) {
    const next = drawSkewMs(dice, last);
    assert(Math.abs(next - last) > 15 * MINUTE_MS);
    seen.add(last = next);
  }
  assert(seen.has(0));
  assert([...seen].some((ms) => ms > 0) && [...seen].some((ms) => ms < 0));
});
