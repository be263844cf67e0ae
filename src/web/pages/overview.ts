/**
 * The overview: each queue with its counts, and what needs somebody.
 *
 * @module
 */

import { printable } from "../../text.ts";
import { layout } from "./frame.ts";
import {
  approximate,
  type Content,
  data,
  elementId,
  empty,
  failedPath,
  heading,
  type Html,
  markup,
  note,
  part,
  queuePath,
  rate,
  status,
  uncounted,
} from "./parts.ts";
import { spark } from "./chart.ts";
import type {
  Frame,
  HolderLink,
  NoConsumer,
  OverviewView,
  QueueRow,
} from "./views.ts";

export function overviewPage({ queues }: OverviewView, frame: Frame): Html {
  const warnings = queues.filter(({ noConsumer }) => noConsumer !== undefined);
  return layout({
    title: "Overview",
    content: markup`${heading("Overview")}${
      part(
        "warnings",
        warnings.map((queue) =>
          note("warn", noConsumerText(queue, queue.noConsumer!))
        ),
        "stack tight",
      )
    }${
      part(
        "queues",
        queues.length === 0
          ? markup`<section class="card flush">${
            empty(
              "No queues yet",
              markup`Run <code>zsqs web QUEUE</code> or <code>zsqs web FILE.ini</code>.`,
            )
          }</section>`
          : markup`${queues.length > 1 && totals(queues)}${
            table(queues, frame.nowMs)
          }`,
      )
    }`,
  }, frame);
}

/** What waits without a consumer, and what to run. */
export function noConsumerText(
  { key, name }: QueueRow,
  { visible, paused, file }: NoConsumer,
): Html {
  const verb = visible === 1 ? "message waits" : "messages wait";
  return markup`${approximate(visible)} ${verb} in <a href="${
    queuePath(key)
  }">${data(name)}</a>. ${
    paused === undefined
      ? markup`None are in flight, and no known container consumes it.${
        file !== undefined && markup` Run: <code>zsqs ${data(file)}</code>`
      }`
      : markup`Its container ${
        data(paused)
      } is paused. <a href="/containers">Resume it</a>.`
  }`;
}

const SUMS = [
  ["Visible", ({ visible }: QueueRow) => visible],
  ["In flight", ({ inFlight }: QueueRow) => inFlight],
  ["Delayed", ({ delayed }: QueueRow) => delayed],
] as const;

function totals(queues: readonly QueueRow[]): Html {
  const holders = (of: (queue: QueueRow) => HolderLink | undefined) => {
    // Queues may share one.
    const byKey = new Map(
      queues.map(of).filter((link) => link !== undefined)
        .map((link) => [link.key, link.count]),
    );
    return sum([...byKey.values()]);
  };
  const tile = (name: string, count: number | undefined) =>
    markup`<div>
        <dt>${name}</dt>
        <dd>${approximate(count)}</dd>
      </div>`;
  return markup`<dl class="tiles" aria-label="All queues">${
    SUMS.map(([name, of]) => tile(name, sum(queues.map(of))))
  }${tile("Failed", holders(({ failures }) => failures))}${
    tile("Dead letters", holders(({ deadLetters }) => deadLetters))
  }</dl>`;
}

/** The sum of the known counts. */
function sum(counts: readonly (number | undefined)[]): number | undefined {
  const known = counts.filter((count) => count !== undefined);
  return known.length === 0
    ? undefined
    : known.reduce((sum, count) => sum + count, 0);
}

function table(queues: readonly QueueRow[], nowMs: number): Html {
  return markup`<section class="card flush">
      <table class="cards counts">
        <caption class="vh">Queues</caption>
        <thead>
          <tr><th scope="col">Queue</th>${
    [
      "Visible",
      "In flight",
      "Delayed",
      "Failed",
      "Dead",
      "In/min",
      "Done/min",
    ]
      .map((name) => markup`<th scope="col" class="num">${name}</th>`)
  }<th scope="col">Last hour</th></tr>
        </thead>
        <tbody>${queues.map((queue) => row(queue, nowMs))}</tbody>
      </table>
    </section>`;
}

function row(queue: QueueRow, nowMs: number): Html {
  const { key, name, region, visible, inFlight, delayed, error } = queue;
  const cell = (label: string, content: Content) =>
    markup`<td class="num" data-label="${label}">${content}</td>`;
  return markup`<tr><th scope="row" class="wide"><a id="${
    elementId("q", key)
  }" href="${queuePath(key)}" title="${printable(region)}">${data(name)}</a>${
    state(queue)
  }</th>${cell("Visible", approximate(visible))}${
    cell("In flight", approximate(inFlight))
  }${cell("Delayed", approximate(delayed))}${
    cell("Failed", holder(queue.failures))
  }${cell("Dead letters", holder(queue.deadLetters))}${
    rates(queue)
  }<td class="wide" data-label="Last hour">${
    error === undefined || queue.lastHour.length > 1
      ? spark(queue.lastHour, nowMs)
      : ""
  }</td></tr>`;
}

function state(queue: QueueRow): Content {
  const { error, noConsumer } = queue;
  if (error !== undefined) {
    return uncounted(queue.updatedMs, error);
  }
  if (noConsumer === undefined) return undefined;
  return markup`<div>${
    noConsumer.paused === undefined
      ? status("warn", "No consumer")
      : status("paused", "Paused")
  }</div>`;
}

/** How many messages another queue keeps for this one; none without it. */
export function holder(link: HolderLink | undefined): Content {
  if (link === undefined) {
    return markup`<span class="muted" title="It has no such queue">–</span>`;
  }
  const { key, name, count, error } = link;
  return markup`<a href="${failedPath(key)}" title="${
    printable(error === undefined ? `In ${name}` : `${name}: ${error}`)
  }">${approximate(count)}</a>`;
}

function rates({ rates }: QueueRow): Html {
  const cell = (label: string, content: Content) =>
    markup`<td class="num" data-label="${label}">${content}</td>`;
  if (rates?.kind === "known") {
    return markup`${cell("In/min", approximateRate(rates.arrivalsPerMinute))}${
      cell("Done/min", rate(rates.completionsPerMinute))
    }`;
  }
  const unknown =
    markup`<span class="muted" title="No known container">–</span>`;
  return markup`${
    cell(
      "In/min",
      rates === undefined
        ? unknown
        : markup`<span title="No known container: arrivals less completions">net ${
          signed(rates.changePerMinute)
        }</span>`,
    )
  }${cell("Done/min", unknown)}`;
}

function approximateRate(value: number): Html {
  return markup`<span title="From approximate counts"><span aria-hidden="true">~</span>${
    rate(value)
  }</span>`;
}

/** A change with its sign, and a true minus. */
export function signed(value: number): string {
  if (Math.round(value * 10) === 0) return "0";
  return `${value < 0 ? "−" : "+"}${rate(Math.abs(value))}`;
}
