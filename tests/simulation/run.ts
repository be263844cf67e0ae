/**
 * Runs a scenario on the double's clock, from the first job to an idle fleet.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { randomOf } from "../../src/double/random.ts";
import { Fleet } from "./fleet.ts";
import { quantile, round, type WaitPoint } from "./measures.ts";
import { Producer } from "./producer.ts";
import type { Scenario } from "./scenario.ts";
import { World } from "./world.ts";

/** How far the clock moves between two looks at the jobs, in milliseconds. */
const STEP_MS = 1_000;

/** For how long the idle fleet is watched, in milliseconds: ten minutes. */
const IDLE_MS = 600_000;

const MONTH_MS = 30 * 86_400_000;

/** How many points the course of waiting times has. */
const POINTS = 60;

/** No simulation takes as long after its last arrival, in milliseconds. */
const LIMIT_MS = 86_400_000;

/** What a simulation has measured. Times are in seconds. */
export interface Measured {
  readonly scenario: string;
  readonly title: string;
  readonly jobs: number;
  readonly containers: number;
  readonly concurrency: number;
  readonly fifo: boolean;
  /** Requests that one job cost, by operation. */
  readonly requestsPerJob: Readonly<Record<string, number>>;
  /** Requests that SQS refused. */
  readonly refused: number;
  readonly waitP50: number;
  readonly waitP99: number;
  readonly waitMax: number;
  /** From the last arrival to the last job that was done. */
  readonly drainSeconds: number;
  /** Requests of the fleet in a month in which no job comes. */
  readonly idleRequestsPerMonth: number;
  /** Runs beyond one for each job. */
  readonly duplicates: number;
  /** Those that were done to the end. */
  readonly doneAgain: number;
  readonly mostInFlight: number;
  readonly killed: number;
  /** When the deploy began and ended. */
  readonly deploySpan?: readonly [begin: number, end: number];
  readonly course: readonly WaitPoint[];
}

/** Runs one scenario. */
export async function simulate(scenario: Scenario): Promise<Measured> {
  const world = new World(scenario);
  const fleet = new Fleet(world, randomOf(scenario.seed + 2));
  new Producer(world);
  const lastMs = world.measures.arrivals.at(-1)!;
  const { killEverySeconds, deploy } = scenario;
  if (killEverySeconds !== undefined) fleet.killEvery(killEverySeconds);
  if (deploy !== undefined) {
    world.clock.timer(lastMs / 4, () => fleet.deploy(deploy));
  }
  await moveWhile(world, () => world.deleted < scenario.jobs, lastMs);
  fleet.end();
  const requests = { ...world.counts.calls };
  await moveWhile(world, () => deploy && !fleet.deploySpan, lastMs);
  const idleRequests = await watchIdle(world);
  const stopped = fleet.stop();
  let isStopped = false;
  stopped.then(() => isStopped = true);
  await moveWhile(world, () => !isStopped, Infinity);
  return measured(world, fleet, { requests, idleRequests });
}

/** Moves the clock as long as something is to happen. */
async function moveWhile(
  world: World,
  isOpen: () => unknown,
  lastMs: number,
): Promise<void> {
  const { clock, measures, queue } = world;
  while (isOpen()) {
    if (clock.now() > lastMs + LIMIT_MS) {
      throw new Error(
        `Cannot end the simulation: ${measures.done} of ${measures.arrivals.length} jobs are done a day after the last arrival`,
      );
    }
    await clock.advance(STEP_MS, turn);
    world.mostInFlight = Math.max(world.mostInFlight, queue.inFlight);
  }
}

/** How many requests an idle fleet makes in ten minutes. */
async function watchIdle({ clock, counts }: World): Promise<number> {
  // Long polls that were full a moment ago come to rest.
  await clock.advance(IDLE_MS / 10, turn);
  const before = counts.total;
  await clock.advance(IDLE_MS, turn);
  return counts.total - before;
}

function measured(
  { scenario, measures, counts, mostInFlight }: World,
  { killed, deploySpan }: Fleet,
  { requests, idleRequests }: {
    readonly requests: Readonly<Record<string, number>>;
    readonly idleRequests: number;
  },
): Measured {
  const { name, title, jobs, containers, concurrency, groups } = scenario;
  const waits = measures.waits();
  const perJob = Object.entries(requests).map(([operation, count]) => [
    operation,
    round(count / jobs),
  ]);
  return {
    ...{ scenario: name, title, jobs, containers, concurrency },
    fifo: groups !== undefined,
    requestsPerJob: Object.fromEntries(perJob),
    refused: counts.refused,
    waitP50: round(quantile(waits, 0.5)),
    waitP99: round(quantile(waits, 0.99)),
    waitMax: round(quantile(waits, 1)),
    drainSeconds: round(
      (measures.lastDoneMs - measures.arrivals.at(-1)!) / 1e3,
    ),
    idleRequestsPerMonth: Math.round(idleRequests * MONTH_MS / IDLE_MS),
    duplicates: measures.runs - jobs,
    doneAgain: measures.doneAgain,
    mostInFlight,
    killed,
    ...(deploySpan && {
      deploySpan: [deploySpan[0] / 1000, deploySpan[1] / 1000] as const,
    }),
    course: measures.course(POINTS),
  };
}

/** Gives woken programs their turn. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
