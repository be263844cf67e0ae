/**
 * Draws what simulated fleets did.
 *
 * @module
 */

import { consumedPerJob, dollarsOf } from "../tests/simulation/report.ts";
import type { Measured } from "../tests/simulation/run.ts";
import { bars, type Course, lines } from "./charts.ts";
import { FOLDER } from "./svg.ts";

/** How charts call the scenarios that they show. */
const LABELS: Readonly<Record<string, string>> = {
  steady: "even pace, 80 % busy",
  busy: "even pace, 95 % busy",
  lean: "80 % busy, prefetch = 0",
  kills: "a kill every 10 s",
  deploy: "deploy, starts first",
  "deploy-in-place": "deploy, stops first",
  "long-jobs": "the same, jobs of 60 s",
  burst: "all within a minute",
  day: "over a day",
  "in-flight": "in flight, jobs of 60 s",
  fifo: "FIFO queue",
};

const STEADY = "steady busy lean kills deploy deploy-in-place";

/** A chart with one bar for each of some scenarios. */
interface BarChart {
  readonly title: string;
  readonly unit: string;
  /** Their names, with spaces between. */
  readonly scenarios: string;
  readonly figure: (fleet: Measured) => number;
}

const BARS: Readonly<Record<string, BarChart>> = {
  "fleet-requests.svg": {
    title: "Requests of the containers",
    unit: "per job",
    scenarios: `${STEADY} burst day fifo`,
    figure: consumedPerJob,
  },
  "fleet-waits.svg": {
    title: "Waiting time of the slowest job in a hundred",
    unit: "in seconds",
    scenarios: STEADY,
    figure: ({ waitP99 }) => waitP99,
  },
  "fleet-drain.svg": {
    title: "Time from the last arrival to the last job done",
    unit: "in seconds",
    scenarios: "steady kills deploy-in-place burst fifo",
    figure: ({ drainSeconds }) => drainSeconds,
  },
  "fleet-again.svg": {
    title: "Jobs that ran again",
    unit: "per 1000 jobs",
    scenarios: "steady kills deploy deploy-in-place long-jobs",
    figure: ({ duplicates, jobs }) => duplicates / jobs * 1000,
  },
  "fleet-idle.svg": {
    title: "Requests of an idle fleet",
    unit: "dollars per month",
    scenarios: "steady fifo",
    figure: ({ idleRequestsPerMonth, fifo }) =>
      dollarsOf(idleRequestsPerMonth, fifo),
  },
};

/** What the simulation of the guides measured. */
export async function readFleets(): Promise<Measured[]> {
  return JSON.parse(await Deno.readTextFile(new URL("fleet.json", FOLDER)));
}

/** The pictures of some simulated fleets, by file name. */
export function fleetPictures(
  fleets: readonly Measured[],
): Record<string, string> {
  const pictures: Record<string, string> = {};
  for (const [file, chart] of Object.entries(BARS)) {
    const names = chart.scenarios.split(" ");
    const shown = fleets.filter(({ scenario }) => names.includes(scenario));
    if (shown.length > 0) pictures[file] = barPicture(chart, shown);
  }
  const burst = fleets.find(({ scenario }) => scenario === "burst");
  if (burst !== undefined) pictures["fleet-burst.svg"] = burstPicture(burst);
  const deploys = fleets.filter(({ scenario }) =>
    scenario.startsWith("deploy")
  );
  if (deploys.length > 0) pictures["fleet-deploy.svg"] = deployPicture(deploys);
  return pictures;
}

function barPicture(
  { title, unit, figure }: BarChart,
  fleets: readonly Measured[],
): string {
  const rows = fleets.map((each) =>
    [LABELS[each.scenario]!, figure(each)] as const
  );
  return bars(title, unit, sizeText(fleets), rows, () => true);
}

/** How long jobs waited that arrived at a time of a burst. */
function burstPicture(burst: Measured): string {
  const course = (quantile: "p50" | "p99", label: string) => ({
    label,
    points: burst.course.map((each) =>
      [each.atSeconds, each[quantile]] as const
    ),
  });
  return lines({
    title: "Waiting time of jobs by their arrival in a burst",
    unit: "in seconds",
    note: sizeText([burst]),
    courses: [
      course("p50", "half of the jobs wait less"),
      course("p99", "the slowest in a hundred"),
    ],
  });
}

function deployPicture(deploys: readonly Measured[]): string {
  const { scenario, deploySpan: [from, to] = [0, 0] } = deploys.at(-1)!;
  return lines({
    title: "Waiting time during a deploy",
    unit: "in seconds",
    note: `${sizeText(deploys)} The slowest job in a hundred.`,
    courses: deploys.map(courseOf),
    span: { label: LABELS[scenario]!, from, to },
  });
}

function courseOf({ scenario, course }: Measured): Course {
  return {
    label: LABELS[scenario]!,
    points: course.map(({ atSeconds, p99 }) => [atSeconds, p99]),
  };
}

function sizeText(fleets: readonly Measured[]): string {
  const { containers, concurrency, jobs } = fleets[0]!;
  const isSame = fleets.every((each) => each.jobs === jobs);
  const count = isSame ? `, ${jobs.toLocaleString("en")} jobs` : "";
  return `Simulated: ${containers} containers, concurrency ${concurrency}${count}.`;
}
