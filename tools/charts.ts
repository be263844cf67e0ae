/**
 * Draws charts: bars, and lines over time.
 *
 * @module
 */

import { svg } from "./svg.ts";

const STYLE = `<style>
.course { fill: none; stroke: #0a58ca; stroke-width: 2 }
.other { fill: none; stroke: #b35900; stroke-width: 2; stroke-dasharray: 6 3 }
.span { fill: #0a58ca; fill-opacity: 0.1 }
@media (prefers-color-scheme: dark) {
  .course { stroke: #7db4ff }
  .other { stroke: #ffb066 }
  .span { fill: #7db4ff }
}
</style>`;

const LABEL_WIDTH = 190;
const BAR_WIDTH = 380;
const ROW_HEIGHT = 34;

/** A chart of one bar a row; some rows stand out. */
export function bars(
  title: string,
  unit: string,
  note: string,
  rows: readonly (readonly [label: string, value: number])[],
  standsOut = (label: string) => label.startsWith("zsqs"),
): string {
  const most = Math.max(...rows.map(([, value]) => value));
  const parts = rows.map(([label, value], i) => {
    const y = 44 + i * ROW_HEIGHT;
    const width = Math.max(2, Math.round(value / most * BAR_WIDTH));
    const kind = standsOut(label) ? "own" : "peer";
    return `<text x="${LABEL_WIDTH - 10}" y="${
      y + 15
    }" text-anchor="end">${label}</text>
<rect class="${kind}" x="${LABEL_WIDTH}" y="${y}" width="${width}" height="22" rx="3"/>
<text x="${LABEL_WIDTH + width + 8}" y="${y + 15}">${shown(value)}</text>`;
  });
  const height = 44 + rows.length * ROW_HEIGHT + 24;
  const said = rows.map(([label, value]) => `${label} ${shown(value)}`);
  return svg(
    LABEL_WIDTH + BAR_WIDTH + 90,
    height,
    { title: `${title}, ${unit}`, text: `${said.join("; ")}. ${note}` },
    [
      `<text x="0" y="20" font-weight="600">${title}, ${unit}</text>`,
      ...parts,
      `<text class="muted" x="0" y="${height - 8}">${note}</text>`,
    ],
  );
}

function shown(value: number): string {
  return value >= 100
    ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(2)));
}

/** One line of a chart, and how its legend calls it. */
export interface Course {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A chart of lines over time. */
interface LineChart {
  readonly title: string;
  readonly unit: string;
  readonly note: string;
  /** Two at most. */
  readonly courses: readonly Course[];
  /** A span of time that the chart shades, and its name. */
  readonly span?: {
    readonly label: string;
    readonly from: number;
    readonly to: number;
  };
}

const CHART = { left: 46, top: 60, width: 560, height: 190 };
const KINDS = ["course", "other"];

/** A chart of lines over seconds. */
export function lines(
  { title, unit, note, courses, span }: LineChart,
): string {
  const { left, top, width, height } = CHART;
  const points = courses.flatMap((each) => each.points);
  const lastX = Math.max(...points.map(([x]) => x));
  const topY = niceTop(Math.max(...points.map(([, y]) => y)));
  const x = (value: number) => left + Math.round(value / lastX * width);
  const y = (value: number) => top + height - Math.round(value / topY * height);
  const ticks = [0, topY / 2, topY].map((value) =>
    `<path class="line" d="M${left} ${y(value)}h${width}" stroke-opacity="0.3"/>
<text class="muted" x="${left - 6}" y="${y(value) + 4}" text-anchor="end">${
      tick(value)
    }</text>`
  );
  const times = [0, lastX / 2, lastX].map((value) =>
    `<text class="muted" x="${x(value)}" y="${
      top + height + 18
    }" text-anchor="middle">${Math.round(value)} s</text>`
  );
  const shade = span &&
    `<rect class="span" x="${x(span.from)}" y="${top}" width="${
      x(Math.min(span.to, lastX)) - x(span.from)
    }" height="${height}"/>
<text class="muted" x="${x(span.from) + 4}" y="${
      top + 14
    }">${span.label}</text>`;
  const drawn = courses.map(({ label, points }, i) => {
    const path = points.map(([at, value]) => `${x(at)} ${y(value)}`).join(" ");
    const keyX = i * 300;
    return `<path class="${KINDS[i]}" d="M${path}"/>
<path class="${KINDS[i]}" d="M${keyX} 40h28"/>
<text class="muted" x="${keyX + 34}" y="44">${label}</text>`;
  });
  const said = courses.map(({ label, points }) =>
    `${label}: at most ${shown(Math.max(...points.map(([, y]) => y)))}`
  );
  return svg(
    left + width + 24,
    top + height + 50,
    { title: `${title}, ${unit}`, text: `${said.join("; ")}. ${note}` },
    [
      `<text x="0" y="20" font-weight="600">${title}, ${unit}</text>`,
      STYLE,
      ...shade === undefined ? [] : [shade],
      ...ticks,
      ...times,
      ...drawn,
      `<text class="muted" x="0" y="${top + height + 42}">${note}</text>`,
    ],
  );
}

/** A round number that is not below a value. */
function niceTop(value: number): number {
  const step = 10 ** Math.floor(Math.log10(Math.max(value, 0.001)));
  return [1, 2, 4, 5, 10].map((times) => times * step)
    .find((each) => each >= value)!;
}

function tick(value: number): string {
  return String(Number(value.toPrecision(3)));
}
