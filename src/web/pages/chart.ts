/**
 * Charts as SVG, drawn by the server.
 *
 * Only the lines are in the SVG, which stretches: all text is HTML around it, and
 * stays readable at any width.
 *
 * @module
 */

import { ageText, plainNumber } from "../../numbers.ts";
import { empty, type Html, markup, rate, timeOfDay } from "./parts.ts";
import type { Point } from "./views.ts";

const WIDTH = 600;
const HEIGHT = 100;

/** A line of a chart; `undefined` is a gap. */
type Values = readonly (number | undefined)[];

/** Which times and values a chart's area shows. */
interface Scale {
  readonly fromMs: number;
  readonly toMs: number;
  readonly low: number;
  readonly high: number;
}

/** More would not be seen. */
const SPARK_POINTS = 60;

/** The waiting messages of the last hour, as small as a word. */
export function spark(all: readonly Point[], nowMs: number): Html {
  const step = Math.ceil(all.length / SPARK_POINTS);
  const points = all.filter((_, i) => (all.length - 1 - i) % step === 0);
  const values = points.map(({ visible }) => visible);
  const known = values.filter((value) => value !== undefined);
  if (known.length < 2) {
    return markup`<span class="muted small">No history yet</span>`;
  }
  const most = Math.max(...known);
  const scale = scaleOf(points, nowMs, 0, most);
  return markup`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="Visible messages: from ${
    known[0]
  } to ${known.at(-1)}, at most ${most}">${
    lines(points, values, scale, "l1", true)
  }</svg>`;
}

/** The charts of a queue's page: messages that wait, come and go. */
export function charts(points: readonly Point[], nowMs: number): Html {
  if (points.filter(({ visible }) => visible !== undefined).length < 2) {
    return empty("No history yet", "Lines appear after two updates.");
  }
  const hasRates = points.some(({ completed }) => completed !== undefined);
  return markup`<div class="stack">${
    chart(points, nowMs, {
      title: "Visible messages",
      unit: "messages",
      lines: [["Visible (approximate)", points.map(({ visible }) => visible)]],
      isFilled: true,
    })
  }${
    chart(
      points,
      nowMs,
      hasRates
        ? {
          title: "Jobs a minute",
          unit: "jobs a minute",
          lines: [
            ["Arrived", perMinute(points, ({ arrived }) => arrived)],
            ["Done", perMinute(points, ({ completed }) => completed)],
          ],
        }
        : {
          title: "Net change a minute",
          unit: "messages a minute",
          lines: [[
            "Net change (arrivals less completions)",
            netChange(points),
          ]],
        },
    )
  }</div>`;
}

interface ChartOptions {
  readonly title: string;
  readonly unit: string;
  readonly lines: readonly (readonly [name: string, values: Values])[];
  readonly isFilled?: boolean;
}

function chart(
  points: readonly Point[],
  nowMs: number,
  { title, unit, lines: series, isFilled = false }: ChartOptions,
): Html {
  const known = series.flatMap(([, values]) => values)
    .filter((value) => value !== undefined);
  const high = niceCeil(Math.max(0, ...known));
  const low = 0 - niceCeil(Math.max(0, ...known.map((value) => -value)));
  const scale = scaleOf(points, nowMs, low, high);
  const last = series.map(([name, values]) =>
    `${name}: now ${rate(values.findLast((value) => value !== undefined) ?? 0)}`
  );
  return markup`<figure>
      <figcaption class="muted small">${title}</figcaption>
      <div class="chart">
        <div class="scale" aria-hidden="true"><span>${
    plainNumber(scale.high)
  }</span><span>${plainNumber(scale.low)}</span></div>
        <svg class="plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}. ${
    last.join("; ")
  } ${unit}."><path class="grid" d="M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${
    yOf(0, scale)
  }H${WIDTH}"/>${
    series.map(([, values], i) =>
      lines(points, values, scale, `l${i + 1}`, isFilled)
    )
  }</svg>
        <div class="span"><span>${
    ageText(scale.toMs - scale.fromMs)
  } ago</span><span>${timeOfDay(scale.toMs)}</span></div>
      </div>
      <ul class="legend">${
    series.map(([name, values], i) =>
      markup`<li><svg viewBox="0 0 24 8" aria-hidden="true"><path class="l${
        i + 1
      }" d="M0 4H24"/></svg>${name}: <b>${
        rate(values.findLast((value) => value !== undefined) ?? 0)
      }</b></li>`
    )
  }</ul>
    </figure>`;
}

function scaleOf(
  points: readonly Point[],
  nowMs: number,
  low: number,
  high: number,
): Scale {
  const fromMs = points[0]!.atMs;
  const toMs = Math.max(points.at(-1)!.atMs, Math.min(nowMs, fromMs + 1));
  return { fromMs, toMs: Math.max(toMs, fromMs + 1), low, high: high || 1 };
}

/** A path through values, broken at gaps; filled down to zero if asked for. */
function lines(
  points: readonly Point[],
  values: Values,
  scale: Scale,
  name: string,
  isFilled: boolean,
): Html {
  const runs: string[][] = [[]];
  points.forEach(({ atMs }, i) => {
    const value = values[i];
    if (value === undefined) return void runs.push([]);
    const x = (atMs - scale.fromMs) / (scale.toMs - scale.fromMs) * WIDTH;
    runs.at(-1)!.push(`${round(x)} ${yOf(value, scale)}`);
  });
  const drawn = runs.filter((run) => run.length > 0);
  const base = yOf(0, scale);
  const xOf = (at: string) => at.slice(0, at.indexOf(" "));
  return markup`${
    isFilled && drawn.map((run) =>
      markup`<path class="area" d="M${xOf(run[0]!)} ${base}L${run.join("L")}L${
        xOf(run.at(-1)!)
      } ${base}z" />`
    )
  }<path class="${name}" d="${
    drawn.map((run) => `M${run.join("L")}`).join("")
  }" />`;
}

function yOf(value: number, { low, high }: Scale): number {
  return round(HEIGHT - (value - low) / (high - low) * HEIGHT);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** The next of 1, 2, 5, 10, 20, 50, ... */
function niceCeil(value: number): number {
  if (value <= 0) return 0;
  const power = 10 ** Math.floor(Math.log10(value));
  return Math.max(
    1,
    [1, 2, 5, 10].find((step) => step * power >= value)! * power,
  );
}

/** The window that rates are the mean of: single updates jump. */
const WINDOW_MS = 60_000;

/** The first point of the window that ends with a point. */
function windowStart(points: readonly Point[], end: number): number {
  let start = end;
  const fromMs = points[end]!.atMs - WINDOW_MS;
  while (start > 0 && points[start]!.atMs > fromMs) start--;
  return start;
}

/** What was counted since the point before, as a rate. */
function perMinute(
  points: readonly Point[],
  valueOf: (point: Point) => number | undefined,
): Values {
  return points.map((point, end) => {
    const start = windowStart(points, end);
    if (start === end || valueOf(point) === undefined) return undefined;
    const sum = points.slice(start + 1, end + 1)
      .reduce((sum, each) => sum + (valueOf(each) ?? 0), 0);
    return sum / minutesBetween(points, start, end);
  });
}

/** How fast the messages of a queue become more or fewer. */
function netChange(points: readonly Point[]): Values {
  const totals = points.map(({ visible, inFlight }) =>
    visible === undefined ? undefined : visible + (inFlight ?? 0)
  );
  return totals.map((total, end) => {
    const start = windowStart(points, end);
    const before = totals[start];
    if (start === end || total === undefined || before === undefined) {
      return undefined;
    }
    return (total - before) / minutesBetween(points, start, end);
  });
}

function minutesBetween(
  points: readonly Point[],
  start: number,
  end: number,
): number {
  return Math.max(1, points[end]!.atMs - points[start]!.atMs) / 60_000;
}
