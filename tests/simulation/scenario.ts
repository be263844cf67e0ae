/**
 * What a simulation is made of, and the scenarios that it runs by default.
 *
 * @module
 */

/** How jobs arrive: at an even pace, all within a minute, or over a day. */
type Arrivals = "steady" | "burst" | "day";

/** One fleet, and the jobs that it gets. */
export interface Scenario {
  readonly name: string;
  /** For the table: the special circumstances. */
  readonly title: string;
  readonly jobs: number;
  readonly containers: number;
  readonly concurrency: number;
  /** As in an ini file. */
  readonly prefetch: number;
  /** The mean time of a job, in seconds; single jobs vary (exponentially). */
  readonly jobSeconds: number;
  readonly arrivals: Arrivals;
  /** Steady arrivals keep this share of the fleet busy. */
  readonly load: number;
  /** How many groups a FIFO queue has; absent for a standard queue. */
  readonly groups?: number;
  /** How often a container is killed (SIGKILL) and replaced, in seconds. */
  readonly killEverySeconds?: number;
  /** A rolling deploy, in the middle of the arrivals. */
  readonly deploy?: Deploy;
  /** The time from the start of a container to its first receive, in seconds. */
  readonly startSeconds: number;
  /** As in an ini file. */
  readonly shutdownSeconds: number;
  /** The queue's visibility timeout, in seconds. */
  readonly visibilitySeconds: number;
  /** The time of a call to SQS, in milliseconds. */
  readonly latencyMs: number;
  readonly seed: number;
}

/** How a deploy replaces the containers. */
export interface Deploy {
  /** How many containers are replaced at a time. */
  readonly atOnce: number;
  /** Whether the new ones start before the old ones stop. */
  readonly startsFirst: boolean;
}

/** The fleet of the default: 1000 jobs at a time. */
const FLEET = {
  jobs: 200_000,
  containers: 100,
  concurrency: 10,
  prefetch: 10,
  jobSeconds: 1,
  arrivals: "steady",
  load: 0.8,
  startSeconds: 5,
  shutdownSeconds: 25,
  visibilitySeconds: 30,
  latencyMs: 10,
  seed: 1,
} satisfies Partial<Scenario>;

/** All scenarios, by their order in the table. */
export const SCENARIOS: readonly Scenario[] = [
  { ...FLEET, name: "steady", title: "an even pace" },
  {
    ...FLEET,
    name: "busy",
    title: "an even pace, the fleet 95 % busy",
    load: 0.95,
  },
  {
    ...FLEET,
    name: "lean",
    title: "an even pace, prefetch = 0",
    prefetch: 0,
  },
  {
    ...FLEET,
    name: "burst",
    title: "all within a minute",
    arrivals: "burst",
  },
  { ...FLEET, name: "day", title: "a day, most at noon", arrivals: "day" },
  {
    ...FLEET,
    name: "kills",
    title: "a container is killed every 10 s",
    killEverySeconds: 10,
  },
  {
    ...FLEET,
    name: "deploy",
    title: "a deploy, ten at a time, the new ones start first",
    deploy: { atOnce: 10, startsFirst: true },
  },
  {
    ...FLEET,
    name: "deploy-in-place",
    title: "a deploy, 25 at a time, the old ones stop first",
    deploy: { atOnce: 25, startsFirst: false },
  },
  {
    ...FLEET,
    name: "long-jobs",
    title: "jobs of 60 s, and the same deploy",
    jobs: 20_000,
    jobSeconds: 60,
    deploy: { atOnce: 25, startsFirst: false },
  },
  {
    ...FLEET,
    name: "in-flight",
    title: "jobs of 60 s within a minute, room for 260,000",
    containers: 130,
    concurrency: 1000,
    prefetch: 1000,
    jobSeconds: 60,
    arrivals: "burst",
  },
  {
    ...FLEET,
    name: "fifo",
    title: "a FIFO queue with 10,000 groups, 200 jobs a second",
    groups: 10_000,
    load: 0.2,
  },
  {
    ...FLEET,
    name: "fifo-busy",
    title: "the same with 600 jobs a second",
    groups: 10_000,
    load: 0.6,
  },
];

/** How many jobs the fleet runs at a time. */
export function slotsOf({ containers, concurrency }: Scenario): number {
  return containers * concurrency;
}
