/**
 * When the jobs of a simulation arrive, and how long each takes.
 *
 * @module
 */

import type { Random } from "../../src/clock.ts";
import { type Scenario, slotsOf } from "./scenario.ts";

const DAY_SECONDS = 86_400;
const BURST_SECONDS = 60;

/** How much busier than the mean noon is, and midnight quieter. */
const SWING = 0.9;

/** The arrivals in milliseconds from the start, in order. */
export function arrivalsOf(scenario: Scenario, random: Random): Float64Array {
  const { jobs, arrivals, load, jobSeconds } = scenario;
  const times = new Float64Array(jobs);
  const steadySeconds = jobs * jobSeconds / (load * slotsOf(scenario));
  const seconds = { steady: steadySeconds, burst: BURST_SECONDS }[
    arrivals as string
  ] ?? DAY_SECONDS;
  for (let i = 0; i < jobs; i++) {
    const place = arrivals === "day" ? placeInDay(random) : random();
    times[i] = Math.round(place * seconds * 1000);
  }
  return times.sort();
}

/** A time of the day from 0 to 1, most often about noon. */
function placeInDay(random: Random): number {
  for (;;) {
    const place = random();
    const rate = 1 - SWING * Math.cos(2 * Math.PI * place);
    if (random() * (1 + SWING) < rate) return place;
  }
}

/** How long the jobs take, in milliseconds. */
export function durationsOf(
  { jobs, jobSeconds }: Scenario,
  random: Random,
): Float64Array {
  const draw = () => -Math.log(1 - random()) * jobSeconds * 1000;
  return Float64Array.from({ length: jobs }, () => Math.round(draw()) + 1);
}
