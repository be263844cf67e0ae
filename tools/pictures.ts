/**
 * Draws the pictures of README and guides from their data in `docs/pictures/`:
 * `figures.json` comes from the bench, `trace.json` from `tools/trace.ts`, and
 * `fleet.json` from the simulation.
 *
 * ```sh
 * deno task bench && deno task pictures bench.json
 * deno task simulate --out=docs/pictures
 * ```
 *
 * @module
 */

import type { Measured } from "../tests/simulation/run.ts";
import { spreadOf } from "../tests/bench/figures.ts";
import {
  jobsPerSecond,
  requestsPerJob,
  type Round,
} from "../tests/bench/scenarios.ts";

import { bars } from "./charts.ts";
import { fleetPictures, readFleets } from "./fleet_pictures.ts";
import { FOLDER, HEAD, svg } from "./svg.ts";
import { readTrace, type Trace, tracePicture } from "./trace.ts";

/** What the charts show: a speed or a ratio by its name. */
export interface Figures {
  /** The day of the newest measurement. */
  readonly date: string;
  /** Medians by scenario and latency, then by runner. */
  readonly jobsPerSecond: Readonly<Record<string, Record<string, number>>>;
  /** Requests that one job costs, by runner. */
  readonly requestsPerJob: Readonly<Record<string, number>>;
}

type Box = readonly [x: number, y: number, width: number, text: string];

function box([x, y, width, text]: Box): string {
  const [name, ...notes] = text.split("\n");
  return `<rect class="box" x="${x}" y="${y}" width="${width}" height="56" rx="6"/>
<text x="${x + width / 2}" y="${
    y + (notes.length > 0 ? 24 : 33)
  }" text-anchor="middle">${name}</text>
${
    notes.map((note) =>
      `<text class="muted" x="${x + width / 2}" y="${
        y + 43
      }" text-anchor="middle">${note}</text>`
    ).join("\n")
  }`;
}

type Arrow = readonly [path: string, x: number, y: number, label: string];

function arrow([path, x, y, label]: Arrow): string {
  return `<path class="line" d="${path}" marker-end="url(#head)"/>
<text class="muted" x="${x}" y="${y}" text-anchor="middle">${label}</text>`;
}

function systemPicture(): string {
  const boxes: Box[] = [
    [0, 20, 130, "Producer\nQueue(&quot;adder&quot;)"],
    [230, 20, 130, "SQS queue\nadder"],
    [460, 20, 150, "Container\nadder.ini"],
    [690, 20, 110, "Worker\nyour function"],
    [460, 150, 150, "Failures queue\nadder-failed"],
  ];
  const arrows: Arrow[] = [
    ["M130 48H228", 180, 40, "send"],
    ["M360 40H458", 410, 32, "receive"],
    ["M460 62H362", 410, 80, "delete"],
    ["M610 48H688", 650, 40, "job"],
    ["M535 76V148", 578, 116, "failed"],
    ["M460 178H295V78", 350, 170, "redrive"],
  ];
  return svg(800, 216, {
    title: "The parts of a system with zsqs",
    text:
      "A producer sends jobs to an SQS queue. A container receives them, runs your worker and deletes them. A failed job goes to a failures queue, from which you send it back.",
  }, [HEAD, ...boxes.map(box), ...arrows.map(arrow)]);
}

function lifePicture(): string {
  const boxes: Box[] = [
    [0, 80, 120, "Visible\nin the queue"],
    [220, 80, 130, "Leased\nhidden, extended"],
    [450, 80, 130, "Running\nyour handler"],
    [680, 10, 120, "Deleted"],
    [680, 150, 120, "Failed\nas failures says"],
  ];
  const arrows: Arrow[] = [
    ["M120 100H218", 170, 92, "receive"],
    ["M350 108H448", 400, 100, "start"],
    ["M580 98 678 44", 618, 58, "done"],
    ["M580 118 678 172", 612, 166, "throws"],
    ["M220 122H122", 170, 140, "release"],
    [
      "M515 136V196H60V138",
      290,
      188,
      "retry: TransientError, attempts left, timed out",
    ],
    ["M515 80V40H60V78", 290, 32, "lease lost, or the container died"],
  ];
  return svg(800, 216, {
    title: "The life of a message",
    text:
      "A visible message is received and leased, then its job runs. A job that returns is deleted. A job that throws ends as the options failures and attempts say. A retry, a release, a lost lease and a dead container make the message visible again.",
  }, [HEAD, ...boxes.map(box), ...arrows.map(arrow)]);
}

/** All pictures, by file name. */
export function pictures(
  figures: Figures,
  trace: Trace,
  fleets: readonly Measured[],
): Record<string, string> {
  const { date, jobsPerSecond, requestsPerJob } = figures;
  const chart = (name: string, title: string, note: string) =>
    bars(title, "jobs a second", `${note} Measured on ${date}.`, [
      ...Object.entries(jobsPerSecond[name]!),
    ]);
  return {
    "system.svg": systemPicture(),
    "life.svg": lifePicture(),
    "trace.svg": tracePicture(trace),
    "small-jobs.svg": chart(
      "small jobs, 10 ms",
      "Small jobs",
      "One process, an SQS server with 10 ms of latency.",
    ),
    "slow-job.svg": chart(
      "one in 20 is slow, 10 ms",
      "One slow job in twenty",
      "Concurrency 10; one job in 20 takes 1 s, the others 10 ms.",
    ),
    "requests.svg": bars(
      "Requests to SQS",
      "per consumed job",
      `AWS bills each request. Measured on ${date}.`,
      Object.entries(requestsPerJob),
    ),
    ...fleetPictures(fleets),
  };
}

/** The part of the bench's JSON that is used. */
interface Bench {
  readonly startedAt: string;
  readonly measured: readonly {
    readonly scenario: string;
    readonly latencyMs: number;
    readonly rounds: readonly Round[];
  }[];
}

/** How charts call the bench's runners. */
const LABELS: Readonly<Record<string, string>> = {
  zsqs: "zsqs",
  "bare, best": "bare loop on the SDK",
  "sqs-consumer, best": "sqs-consumer, best number",
  "sqs-consumer": "sqs-consumer",
};

/** Takes what a run of the bench measured; the rest stays. */
function merge(figures: Figures, bench: Bench): Figures {
  const speeds: Record<string, Record<string, number>> = {
    ...figures.jobsPerSecond,
  };
  let requests = figures.requestsPerJob;
  for (const { scenario, latencyMs, rounds } of bench.measured) {
    const median = (figure: (result: Round[string]) => number) =>
      Object.fromEntries(
        Object.entries(LABELS).filter(([name]) => name in rounds[0]!)
          .map(([name, label]) => [
            label,
            spreadOf(rounds.map((round) => figure(round[name]!))).median,
          ]),
      );
    speeds[`${scenario}, ${latencyMs} ms`] = median(jobsPerSecond);
    if (scenario === "one in 20 is slow" && latencyMs === 0) {
      requests = {
        ...median(requestsPerJob),
        // It makes a receive and a delete for each job.
        "zc.sqs": 2,
      };
    }
  }
  const charts = ["small jobs, 10 ms", "one in 20 is slow, 10 ms"];
  return {
    date: bench.startedAt.slice(0, 10),
    jobsPerSecond: Object.fromEntries(
      charts.flatMap((name) => speeds[name] ? [[name, speeds[name]]] : []),
    ),
    requestsPerJob: requests,
  };
}

export async function readFigures(): Promise<Figures> {
  return JSON.parse(
    await Deno.readTextFile(new URL("figures.json", FOLDER)),
  );
}

if (import.meta.main) {
  let figures = await readFigures();
  for (const path of Deno.args) {
    figures = merge(figures, JSON.parse(await Deno.readTextFile(path)));
  }
  await Deno.writeTextFile(
    new URL("figures.json", FOLDER),
    `${JSON.stringify(figures, undefined, 2)}\n`,
  );
  const drawings = pictures(figures, await readTrace(), await readFleets());
  for (const [name, text] of Object.entries(drawings)) {
    await Deno.writeTextFile(new URL(name, FOLDER), text);
  }
}
