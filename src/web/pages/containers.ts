/**
 * The containers: what each is doing, and the question before one is paused.
 *
 * @module
 */

import { counted, plainNumber } from "../../numbers.ts";
import { layout } from "./frame.ts";
import {
  argumentsText,
  type Content,
  data,
  elementId,
  empty,
  form,
  heading,
  type Html,
  markup,
  milliseconds,
  part,
  pill,
  rate,
  since,
} from "./parts.ts";
import type {
  ContainerRow,
  ContainerStats,
  ContainersView,
  Frame,
  PauseView,
  RunningJob,
} from "./views.ts";

export function containersPage(
  { containers, isConfigured }: ContainersView,
  frame: Frame,
): Html {
  return layout({
    title: "Containers",
    content: markup`${heading("Containers")}${
      part(
        "containers",
        containers.length === 0
          ? markup`<section class="card flush">${
            empty(
              "No containers",
              isConfigured
                ? "None of them answers. Start one, or check its health address."
                : markup`Run <code>zsqs FILE.ini --web</code>, or give a health address: <code>zsqs web --container=HOST:PORT</code>.`,
            )
          }</section>`
          : containers.map((container) => card(container, frame)),
      )
    }`,
  }, frame);
}

function card(container: ContainerRow, frame: Frame): Html {
  const { id, name, queue, stats, isOwn, jobs } = container;
  return markup`<section class="card stack" aria-labelledby="${
    elementId("c", id)
  }"><div class="row spread"><div class="row">${
    state(container, frame.nowMs)
  }<h2 id="${elementId("c", id)}">${data(name)}</h2><span class="muted small">${
    queue !== undefined && markup`queue ${data(queue)}`
  }</span></div>${
    !frame.isReadOnly && isOwn && button(container, frame)
  }</div>${stats && figures(stats)}${
    isOwn && running(container, jobs, frame)
  }</section>`;
}

function state(
  { state, silentSinceMs }: ContainerRow,
  nowMs: number,
): Html {
  switch (state) {
    case "running":
      return pill("ok", "Running");
    case "paused":
      return pill("paused", "Paused");
    case "starting":
      return pill("idle", "Starting");
    case "stopping":
      return pill("idle", "Stopping");
    case "no worker process":
      return pill("bad", "No worker process");
    case "receives failing":
      return pill("bad", "Receives failing");
    case "silent":
      return pill(
        "warn",
        silentSinceMs === undefined
          ? "No answer"
          : markup`No answer for ${since(silentSinceMs, nowMs)}`,
      );
  }
}

/** Pausing is asked for; resuming changes nothing that one could lose. */
function button({ id, name, state }: ContainerRow, frame: Frame): Content {
  const path = `/containers/${encodeURIComponent(id)}`;
  if (state === "paused") {
    return form({
      action: `${path}/resume`,
      frame,
      content: markup`<button class="btn go" id="${
        elementId("b", id)
      }">Resume<span class="vh"> ${data(name)}</span></button>`,
    });
  }
  return state === "running"
    ? markup`<a class="btn" id="${
      elementId("b", id)
    }" href="${path}/pause">Pause<span class="vh"> ${data(name)}</span></a>`
    : undefined;
}

function figures(stats: ContainerStats): Html {
  const rows: [string, Content][] = [
    [
      "Running",
      `${plainNumber(stats.running)} of ${plainNumber(stats.concurrency)}`,
    ],
    ["Jobs/min", rate(stats.jobsPerMinute)],
    ["p50", milliseconds(stats.p50Ms)],
    ["p99", milliseconds(stats.p99Ms)],
    ["Done", plainNumber(stats.done)],
    [
      "Failed",
      stats.failed > 0
        ? markup`<span class="bad">${plainNumber(stats.failed)}</span>`
        : "0",
    ],
    ["Leases lost", plainNumber(stats.leasesLost)],
    ["Version", data(stats.version)],
  ];
  return markup`<dl class="across">${
    rows.map(([name, content]) =>
      markup`<div>
          <dt>${name}</dt>
          <dd>${content}</dd>
        </div>`
    )
  }</dl>`;
}

function running(
  { stats }: ContainerRow,
  jobs: readonly RunningJob[],
  frame: Frame,
): Html {
  if (jobs.length === 0) return markup`<p class="muted">No running jobs.</p>`;
  const rest = (stats?.running ?? jobs.length) - jobs.length;
  return markup`<table class="cards inner">
      <caption class="vh">Running jobs</caption>
      <thead>
        <tr>
          <th scope="col">Job</th>
          <th scope="col">Age</th>
          <th scope="col" class="num">Attempt</th>
          <th scope="col">Arguments</th>
        </tr>
      </thead>
      <tbody>${
    jobs.map((job) =>
      markup`<tr>
            <th scope="row" class="wide mono">${data(job.id)}</th>
            <td class="nowrap" data-label="Age">${
        since(job.startedAtMs, frame.nowMs)
      }</td>
            <td class="num" data-label="Attempt">${
        plainNumber(job.attempt)
      }</td>
            <td class="wide" data-label="Arguments">${
        argumentsText(job.arguments)
      }</td>
          </tr>`
    )
  }</tbody>
    </table>${
    rest > 0 && markup`<p class="muted">And ${counted(rest, "more job")}.</p>`
  }`;
}

export function pausePage({ container }: PauseView, frame: Frame): Html {
  const { id, name } = container;
  return layout({
    title: `Pause ${name}?`,
    content: markup`${
      heading(markup`Pause ${data(name)}?`, {
        crumb: markup`<a href="/containers">Containers</a>`,
      })
    }
      <section class="card stack">
        <p>Running jobs finish. No new messages are received.</p>
        <div class="row">${
      form({
        action: `/containers/${encodeURIComponent(id)}/pause`,
        frame,
        content: markup`<button class="btn go">Pause</button>`,
      })
    }<a class="btn" href="/containers">Cancel</a></div>
      </section>`,
  }, frame);
}
