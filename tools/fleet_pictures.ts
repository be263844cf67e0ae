/**
 * Draws what simulated fleets did.
 *
 * @module
 */

import { consumedPerJob } from "../tests/simulation/report.ts";
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
  burst: "all within a minute",
  day: "over a day",
  fifo: "FIFO queue",
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
  const shown = fleets.filter(({ scenario }) => scenario in LABELS);
  if (shown.length > 0) {
    pictures["fleet-requests.svg"] = bars(
      "Requests of the containers",
      "per job",
      `${sizeText(shown)} Sends are not counted.`,
      rows(shown, consumedPerJob),
      () => true,
    );
  }
  const steady = shown.filter(({ scenario }) => STEADY.has(scenario));
  if (steady.length > 0) {
    pictures["fleet-waits.svg"] = bars(
      "Waiting time of the slowest job in a hundred",
      "in seconds",
      sizeText(steady),
      rows(steady, ({ waitP99 }) => waitP99),
      () => true,
    );
  }
  const deploys = shown.filter(({ deploySpan }) => deploySpan !== undefined);
  const span = deploys.at(-1)?.deploySpan;
  if (span !== undefined) {
    pictures["fleet-deploy.svg"] = lines({
      title: "Waiting time during a deploy",
      unit: "in seconds",
      note: `${sizeText(deploys)} The slowest job in a hundred.`,
      courses: deploys.map(courseOf),
      span: {
        label: `${LABELS[deploys.at(-1)!.scenario]}`,
        from: span[0],
        to: span[1],
      },
    });
  }
  return pictures;
}

/** The scenarios in which a fleet keeps up with its jobs. */
const STEADY: ReadonlySet<string> = new Set([
  "steady",
  "busy",
  "lean",
  "kills",
  "deploy",
  "deploy-in-place",
]);

function rows(
  fleets: readonly Measured[],
  figure: (fleet: Measured) => number,
): [label: string, value: number][] {
  return fleets.map((each) => [LABELS[each.scenario]!, figure(each)]);
}

function courseOf({ scenario, course }: Measured): Course {
  return {
    label: LABELS[scenario]!,
    points: course.map(({ atSeconds, p99 }) => [atSeconds, p99]),
  };
}

function sizeText(fleets: readonly Measured[]): string {
  const { containers, concurrency, jobs } = fleets[0]!;
  return `Simulated: ${containers} containers, concurrency ${concurrency}, ${
    jobs.toLocaleString("en")
  } jobs.`;
}
