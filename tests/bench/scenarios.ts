/**
 * What is measured, and what must be reached.
 *
 * @module
 */

import type { ClientStats, Run, ServerStats } from "./runs.ts";

/** What came of one run. */
export interface Result extends ClientStats, ServerStats {
  readonly jobs: number;
  /** From the start of its process to its first job. */
  readonly startMs: number;
}

/** The results of one round, by label. */
export type Round = Readonly<Record<string, Result>>;

/** Something that must be reached. */
export interface Target {
  readonly what: string;
  readonly atMost?: number;
  readonly atLeast?: number;
  /** Its figure in one round: where runners are compared, they are neighbours. */
  readonly figure: (round: Round) => number;
}

/** Runners side by side. */
export interface Scenario {
  readonly name: string;
  /** In milliseconds, added to each request. */
  readonly latenciesMs: readonly number[];
  /**
   * The runs of a round, by label. Where there are several, the best one by
   * jobs a second is found first and represents the label in the rounds.
   */
  readonly runs: (latencyMs: number) => Readonly<Record<string, Run | Run[]>>;
  readonly targets: readonly Target[] | ((latencyMs: number) => Target[]);
}

const SMALL = { runner: "zsqs", concurrency: 100 } as const;

export const SCENARIOS: readonly Scenario[] = [
  {
    name: "full batches",
    latenciesMs: [0, 10],
    runs: () => ({ zsqs: { ...SMALL, jobs: 10_000, produce: true } }),
    targets: [{
      what: "requests a job, produced and consumed",
      atMost: 0.31,
      figure: ({ zsqs }) => requestsPerJob(zsqs!),
    }],
  },
  {
    name: "jobs of 1 s",
    latenciesMs: [0, 10],
    runs: () => ({
      zsqs: { runner: "zsqs", concurrency: 10, jobs: 200, work: "second" },
    }),
    targets: [{
      what: "requests a consumed job, concurrency 10, a backlog",
      atMost: 0.45,
      figure: ({ zsqs }) => requestsPerJob(zsqs!),
    }],
  },
  {
    name: "small jobs",
    latenciesMs: [0, 10],
    runs: (latencyMs) => ({
      "zsqs": { ...SMALL, jobs: 20_000 },
      "bare, best": pollers([1, 2, 4, 8], { runner: "bare", jobs: 20_000 }),
      ...peerRuns(latencyMs),
    }),
    targets: [
      {
        what: "speed to the bare loop's",
        atLeast: 0.9,
        figure: (round) => speedRatio(round, "bare, best"),
      },
      {
        what: "speed to one sqs-consumer's",
        atLeast: 3,
        figure: (round) => speedRatio(round, "sqs-consumer"),
      },
      {
        what: "speed to sqs-consumer's best number's",
        atLeast: 1,
        figure: (round) => speedRatio(round, "sqs-consumer, best"),
      },
      {
        what: "CPU a job to the bare loop's",
        atMost: 1.15,
        figure: (round) =>
          cpuPerJobMs(round.zsqs!) / cpuPerJobMs(round["bare, best"]!),
      },
    ],
  },
  {
    name: "batches",
    latenciesMs: [0, 10],
    runs: (latencyMs) => ({
      ...batchRuns(),
      ...peerRuns(latencyMs),
    }),
    targets: (latencyMs) =>
      Object.entries(batchRuns()).flatMap(([label, { batchJobs }]) => [
        {
          what: `${label}: speed to one sqs-consumer's`,
          atLeast: latencyMs === 0 ? 3 : 8,
          figure: (round) => speedRatio(round, "sqs-consumer", label),
        },
        {
          what: `${label}: speed to sqs-consumer's best number's`,
          atLeast: 1,
          figure: (round) => speedRatio(round, "sqs-consumer, best", label),
        },
        {
          what: `${label}: how full the batches are`,
          atLeast: 0.9,
          figure: (round) => fill(round[label]!, batchJobs!),
        },
      ]),
  },
  {
    name: "one in 20 is slow",
    latenciesMs: [0, 10],
    runs: () => ({
      "zsqs": { runner: "zsqs", concurrency: 10, jobs: 400, work: "mixed" },
      "sqs-consumer": { runner: "sqs-consumer", jobs: 400, work: "mixed" },
    }),
    targets: [{
      what: "speed to sqs-consumer's at 10",
      atLeast: 5,
      figure: (round) => speedRatio(round, "sqs-consumer"),
    }],
  },
  {
    name: "sequential",
    latenciesMs: [0, 10],
    runs: (latencyMs) => ({
      "zsqs": {
        runner: "zsqs",
        concurrency: 1,
        prefetch: 9,
        jobs: latencyMs === 0 ? 3_000 : 1_500,
      },
      "sqs-consumer": {
        runner: "sqs-consumer",
        batchSize: 1,
        jobs: latencyMs === 0 ? 1_000 : 300,
      },
    }),
    targets: [{
      what: "speed to sqs-consumer's with batchSize 1",
      atLeast: 3,
      figure: (round) => speedRatio(round, "sqs-consumer"),
    }],
  },
  {
    name: "start",
    latenciesMs: [0, 10],
    runs: () => ({
      zsqs: { runner: "zsqs", concurrency: 1, jobs: 10 },
      bare: { runner: "bare", jobs: 10 },
    }),
    targets: [{
      what: "time to the first job to a bare script's",
      atMost: 1.2,
      figure: ({ zsqs, bare }) => zsqs!.startMs / bare!.startMs,
    }],
  },
  {
    name: "CPU-bound jobs",
    latenciesMs: [0],
    runs: () => {
      const cpu = { runner: "isolated", work: "cpu", jobs: 100 } as const;
      return {
        "2 processes": { ...cpu, processes: 2, concurrency: 2 },
        "1 process": { ...cpu, processes: 1, concurrency: 2 },
      };
    },
    targets: [{
      what: "speed of two processes to one's",
      atLeast: 1.7,
      figure: (round) =>
        jobsPerSecond(round["2 processes"]!) /
        jobsPerSecond(round["1 process"]!),
    }],
  },
  {
    name: "small isolated jobs",
    latenciesMs: [0],
    runs: () => ({
      isolated: { ...SMALL, runner: "isolated", jobs: 20_000 },
      zsqs: { ...SMALL, jobs: 20_000 },
    }),
    targets: [{
      what: "microseconds of CPU that the boundary adds to a job",
      atMost: 120,
      figure: ({ isolated, zsqs }) =>
        (cpuPerJobMs(isolated!) - cpuPerJobMs(zsqs!)) * 1000,
    }],
  },
  {
    name: "isolated jobs that exit",
    latenciesMs: [0],
    runs: () => ({
      isolated: {
        runner: "isolated",
        work: "exits",
        jobs: 2_000,
        processes: 2,
        concurrency: 20,
      },
    }),
    targets: [{
      what: "jobs a second, 3 in 100 of which exit their process",
      atLeast: 75,
      figure: ({ isolated }) => jobsPerSecond(isolated!),
    }],
  },
  {
    name: "100,000 jobs",
    latenciesMs: [0],
    runs: () => {
      const long = { jobs: 100_000, heapAt: [20_000, 100_000] };
      return {
        zsqs: { ...SMALL, ...long },
        bare: pollers([4, 8], { runner: "bare", ...long }),
      };
    },
    targets: [
      {
        what: "peak memory to the bare loop's",
        atMost: 1.1,
        figure: ({ zsqs, bare }) => zsqs!.peakMb / bare!.peakMb,
      },
      {
        what: "MB of heap from job 20,000 to 100,000",
        atMost: 2,
        figure: ({ zsqs }) => zsqs!.heapMb[1]! - zsqs!.heapMb[0]!,
      },
      {
        what: "jobs lost or done twice",
        atMost: 0,
        figure: ({ zsqs }) => zsqs!.lost + zsqs!.twice + zsqs!.left,
      },
    ],
  },
];

/** The requests of a run by its jobs. */
export function requestsPerJob({ requests, jobs }: Result): number {
  return Object.values(requests).reduce((sum, each) => sum + each, 0) / jobs;
}

export function jobsPerSecond({ jobs, seconds }: Result): number {
  return jobs / seconds;
}

export function cpuPerJobMs({ cpuMs, jobs }: Result): number {
  return cpuMs / jobs;
}

function speedRatio(round: Round, other: string, own = "zsqs"): number {
  return jobsPerSecond(round[own]!) / jobsPerSecond(round[other]!);
}

/** sqs-consumer with batches: its best number, and one. */
function peerRuns(latencyMs: number) {
  const peer = { runner: "sqs-consumer", batch: true } as const;
  return {
    "sqs-consumer, best": pollers([2, 4], {
      ...peer,
      jobs: latencyMs === 0 ? 20_000 : 10_000,
    }),
    "sqs-consumer": { ...peer, jobs: latencyMs === 0 ? 10_000 : 2_000 },
  };
}

/** zsqs with small and with large batches, on as many jobs at a time. */
function batchRuns(): Record<string, Run> {
  const run = { runner: "zsqs", jobs: 20_000 } as const;
  return {
    "batches of 10": { ...run, batchJobs: 10, concurrency: 10, prefetch: 100 },
    "batches of 100": { ...run, batchJobs: 100, prefetch: 200 },
  };
}

/** How full batches are; 1: all are. */
function fill({ jobs, batches = 0 }: Result, batchJobs: number): number {
  return jobs / (batches * batchJobs);
}

function pollers(numbers: readonly number[], run: Run): Run[] {
  return numbers.map((pollers) => ({ ...run, pollers }));
}
