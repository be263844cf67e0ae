/**
 * What a simulation has measured, as a table and as money.
 *
 * @module
 */

import { figureText, tableText } from "../bench/figures.ts";
import type { Measured } from "./run.ts";

/**
 * SQS's prices in US East (N. Virginia), in dollars for a million requests, up
 * to 100 billion a month. The first million of a month is free: see
 * https://aws.amazon.com/sqs/pricing/
 */
const PRICES = { standard: 0.4, fifo: 0.5 };

/** The price of some requests, in dollars. */
export function dollarsOf(requests: number, fifo: boolean): number {
  return requests / 1e6 * (fifo ? PRICES.fifo : PRICES.standard);
}

/** All requests of a job, also of the producer. */
export function requestsPerJob({ requestsPerJob: each }: Measured): number {
  return Object.values(each).reduce((sum, count) => sum + count, 0);
}

/** Requests of a job by the containers. */
export function consumedPerJob(measured: Measured): number {
  const { SendMessage = 0 } = measured.requestsPerJob;
  return requestsPerJob(measured) - SendMessage;
}

const HEAD = [
  "SCENARIO",
  "JOBS",
  "REQUESTS A JOB",
  "RECEIVES",
  "WAIT P50",
  "P99",
  "MAX",
  "DRAINED IN",
  "RUN AGAIN",
  "IN FLIGHT",
  "IDLE A MONTH",
];

/** A table of all scenarios. */
export function reportText(all: readonly Measured[]): string {
  const rows = all.map((each) => [
    each.scenario,
    figureText(each.jobs),
    figureText(requestsPerJob(each)),
    figureText(each.requestsPerJob.ReceiveMessage ?? 0),
    secondsText(each.waitP50),
    secondsText(each.waitP99),
    secondsText(each.waitMax),
    secondsText(each.drainSeconds),
    figureText(each.duplicates),
    figureText(each.mostInFlight),
    `$${dollarsOf(each.idleRequestsPerMonth, each.fifo).toFixed(2)}`,
  ]);
  const titles = all.map(({ scenario, title }) => `${scenario}: ${title}`);
  return `${titles.join("\n")}\n\n${tableText([HEAD, ...rows])}`;
}

/** The rows of the guide's table, cell by cell. */
export function guideRows(all: readonly Measured[]): string[][] {
  return all.map((each) => [
    `\`${each.scenario}\``,
    each.title,
    figureText(each.requestsPerJob.SendMessage ?? 0),
    figureText(consumedPerJob(each)),
    secondsText(each.waitP50),
    secondsText(each.waitP99),
    secondsText(each.waitMax),
    figureText(each.duplicates),
  ]);
}

function secondsText(seconds: number): string {
  return `${figureText(seconds)} s`;
}

/** The data file of the pictures: one scenario a line. */
export function dataText(all: readonly Measured[]): string {
  return `[\n${all.map((each) => JSON.stringify(each)).join(",\n")}\n]\n`;
}
