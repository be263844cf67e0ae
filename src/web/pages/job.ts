/**
 * One failed job, whole.
 *
 * @module
 */

import { counted, plainNumber } from "../../numbers.ts";
import { escapeControls } from "../../text.ts";
import { layout } from "./frame.ts";
import {
  ago,
  type Content,
  data,
  errorText,
  exactTime,
  failedPath,
  form,
  heading,
  type Html,
  markup,
  note,
  pill,
} from "./parts.ts";
import type { CutText, FailedJobView, Frame } from "./views.ts";

export function failedJobPage(view: FailedJobView, frame: Frame): Html {
  const { holder, job, seenAtMs, receivesLeft } = view;
  return layout({
    title: job.error ?? "Failed job",
    content: markup`${
      heading(job.error === undefined ? "Failed job" : errorText(job), {
        crumb: markup`<a href="/failed">Failed jobs</a> / <a href="${
          failedPath(holder.key)
        }">${data(holder.name)}</a>`,
        after: pill("bad", "Failed"),
        actions: frame.isReadOnly ? undefined : actions(view, frame),
      })
    }${
      receivesLeft !== undefined && note(
        "warn",
        `SQS moves this job on after ${
          counted(receivesLeft, "more receive")
        }, and each look is one.`,
      )
    }<section class="card" aria-label="Facts">${facts(view, frame)}</section>${
      block("Body", view.body, "Arguments are hidden (--hide-arguments).")
    }${attributes(view, frame)}${
      block(
        "Stack",
        view.stack,
        holder.kind === "dead letters" && job.error === undefined
          ? "SQS keeps no error with dead letters."
          : "No stack was kept with this job.",
      )
    }<p class="muted small">Seen ${
      exactTime(seenAtMs)
    }; the message was released.</p>`,
  }, frame);
}

function actions({ holder, job, lookId }: FailedJobView, frame: Frame): Html {
  return form({
    action: `${failedPath(holder.key)}/actions`,
    frame,
    content:
      markup`<input type="hidden" name="scope" value="selected"><input type="hidden" name="id" value="${job.id}"><input type="hidden" name="look" value="${lookId}"><button class="btn" name="action" value="redrive">Redrive</button><button class="btn kill" name="action" value="delete">Delete</button>`,
  });
}

function facts(view: FailedJobView, frame: Frame): Html {
  const { job, sourceId, sentAtMs, groupId } = view;
  const { nowMs } = frame;
  const rows: [string, Content][] = [
    ["Message ID", markup`<span class="mono">${data(job.id)}</span>`],
    ...(sourceId === undefined || sourceId === job.id ? [] : [
      ["ID at its source", markup`<span class="mono">${data(sourceId)}</span>`],
    ] as [string, Content][]),
    ["Source", job.source === undefined ? "unknown" : data(job.source)],
    [
      "Attempts",
      job.attempts === undefined ? "unknown" : plainNumber(job.attempts),
    ],
    ["Sent", time(sentAtMs, nowMs)],
    ["Failed", time(job.failedAtMs, nowMs)],
    ...(groupId === undefined
      ? []
      : [["Message group", data(groupId)]] as [string, Content][]),
  ];
  return markup`<dl class="facts">${
    rows.map(([name, content]) =>
      markup`<dt>${name}</dt>
        <dd>${content}</dd>`
    )
  }</dl>`;
}

function time(ms: number | undefined, nowMs: number): Content {
  return ms === undefined
    ? "unknown"
    : markup`${ago(ms, nowMs)} <span class="muted small">${
      exactTime(ms)
    }</span>`;
}

/** Text as it was received, except for characters that would reorder it. */
function block(title: string, cut: CutText | undefined, absent: string): Html {
  const id = title.toLowerCase();
  return markup`<section class="card" aria-labelledby="${id}"><h2 id="${id}">${title}</h2>${
    cut === undefined
      ? markup`<p class="muted">${absent}</p>`
      // HTML drops the first line feed.
      : markup`<pre tabindex="0" aria-labelledby="${id}">
${escapeControls(cut.text)}</pre>${cutNote(cut)}`
  }</section>`;
}

function cutNote({ text, cutFrom }: CutText): Content {
  if (cutFrom === undefined) return undefined;
  return markup`<p class="muted small">The first ${
    plainNumber(text.length)
  } of ${plainNumber(cutFrom)} characters: the page keeps no more.</p>`;
}

function attributes({ attributes }: FailedJobView, frame: Frame): Html {
  return markup`<section class="card" aria-labelledby="attributes"><h2 id="attributes">Attributes</h2>${
    attributes
        .length > 0
      ? markup`<dl class="facts">${
        attributes.map(([name, value]) =>
          markup`<dt>${data(name)}</dt>
              <dd><span class="mono">${data(value.text)}</span>${
            cutNote(value)
          }</dd>`
        )
      }</dl>`
      : markup`<p class="muted">${
        frame.hidesArguments
          ? "Attributes are hidden (--hide-arguments)."
          : "It has none."
      }</p>`
  }</section>`;
}
