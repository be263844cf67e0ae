/**
 * The queues that hold failed jobs.
 *
 * @module
 */

import { layout } from "./frame.ts";
import {
  ago,
  approximate,
  data,
  elementId,
  empty,
  failedPath,
  heading,
  type Html,
  markup,
  part,
  uncounted,
} from "./parts.ts";
import type { Frame, HolderKind, HolderRow, HoldersView } from "./views.ts";

/** What a queue that holds failed jobs is called. */
export const KINDS: Readonly<Record<HolderKind, string>> = {
  failures: "Failures queue",
  "dead letters": "Dead-letter queue",
};

export function holdersPage({ holders }: HoldersView, frame: Frame): Html {
  return layout({
    title: "Failed jobs",
    content: markup`${heading("Failed jobs")}${
      part(
        "holders",
        markup`<section class="card flush">${
          holders.length === 0
            ? empty(
              "No queue keeps failed jobs",
              markup`Set <code>failures = QUEUE-failed</code> in an ini file, or give a queue a dead-letter queue.`,
            )
            : holdersTable(holders, frame.nowMs)
        }</section>`,
      )
    }`,
  }, frame);
}

function holdersTable(holders: readonly HolderRow[], nowMs: number): Html {
  return markup`<table class="cards">
      <caption class="vh">Queues that keep failed jobs</caption>
      <thead>
        <tr>
          <th scope="col">Queue</th>
          <th scope="col">Kind</th>
          <th scope="col">Jobs of</th>
          <th scope="col" class="num">Messages</th>
          <th scope="col">Looked</th>
        </tr>
      </thead>
      <tbody>${
    holders.map((
      { key, name, kind, sources, count, updatedMs, error, lookedAtMs },
    ) =>
      markup`<tr>
            <th scope="row" class="wide"><a id="${elementId("h", key)}" href="${
        failedPath(key)
      }">${data(name)}</a>${
        error !== undefined && uncounted(updatedMs, error)
      }</th>
            <td data-label="Kind">${KINDS[kind]}</td>
            <td data-label="Jobs of">${
        sources.length === 0 ? "–" : data(sources.join(", "))
      }</td>
            <td class="num" data-label="Messages">${approximate(count)}</td>
            <td data-label="Looked">${
        lookedAtMs === undefined ? "never" : ago(lookedAtMs, nowMs)
      }</td>
          </tr>`
    )
  }</tbody>
    </table>`;
}
