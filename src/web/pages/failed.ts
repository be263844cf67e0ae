/**
 * The failed jobs of one queue: a look into it, a filter, and what can be done.
 *
 * @module
 */

import { counted, plainNumber } from "../../numbers.ts";
import { layout } from "./frame.ts";
import { KINDS } from "./holders.ts";
import { jobsTable } from "./jobs_table.ts";
import {
  actionPath,
  approximate,
  type Content,
  data,
  empty,
  failedPath,
  form,
  heading,
  type Html,
  markup,
  note,
  part,
  queuePath,
  timeOfDay,
} from "./parts.ts";
import type {
  FailedListView,
  Filter,
  Frame,
  HolderRow,
  LookView,
} from "./views.ts";

export function failedListPage(view: FailedListView, frame: Frame): Html {
  const { holder, look } = view;
  return layout({
    title: `Failed jobs of ${holder.name}`,
    refreshSeconds: look?.isRunning ? 2 : undefined,
    content: markup`${
      heading(data(holder.name), {
        crumb: markup`<a href="/failed">Failed jobs</a> / ${
          KINDS[holder.kind]
        }`,
        actions: markup`<a class="btn" href="${
          queuePath(holder.key)
        }">View queue</a>`,
      })
    }${lookCard(view, frame)}${
      look !== undefined && !look.isRunning && found(view, look, frame)
    }`,
  }, frame);
}

/** What a look costs, and the button that starts it. */
function lookCard(view: FailedListView, frame: Frame): Html {
  const { holder, look, fifo } = view;
  return markup`<section class="card stack" aria-label="Look into the queue"><div class="row spread"><div class="grow stack tight"><p><b>${
    approximate(holder.count)
  }</b> ${holder.count === 1 ? "message" : "messages"} of ${
    holder.sources.length === 0
      ? "unknown queues"
      : data(holder.sources.join(", "))
  }</p><p class="muted small">Looking receives each message. Receive counts rise by one; messages are released immediately.${
    frame.isReadOnly && " A read-only page cannot look."
  }</p></div>${lookButton(view, frame)}</div>${policyWarning(view)}${
    fifo &&
    markup`<p class="muted small">FIFO: Jobs behind a held job in the same group are not shown.</p>`
  }${look?.isRunning && lookProgress(holder, look, frame)}</section>`;
}

function lookButton(view: FailedListView, frame: Frame): Content {
  const { holder, look, runningActionId } = view;
  if (frame.isReadOnly || look?.isRunning) return undefined;
  if (runningActionId !== undefined) {
    return markup`<a class="btn" href="${
      actionPath(runningActionId)
    }">View the running action</a>`;
  }
  return form({
    action: `${failedPath(holder.key)}/look`,
    frame,
    content: markup`<button class="btn ${look === undefined ? "go" : ""}">${
      look === undefined ? "Look now" : "Look again"
    }</button>`,
  });
}

/** Each look brings a message nearer to the queue's own dead-letter queue. */
function policyWarning(
  { maxReceiveCount, receivesLeft }: FailedListView,
): Html | undefined {
  if (maxReceiveCount === undefined) return undefined;
  return note(
    "warn",
    markup`This queue has a redrive policy of its own: SQS moves a message on after ${
      counted(maxReceiveCount, "receive")
    }, and each look is one.${
      receivesLeft !== undefined &&
      markup` <b>Receives left: ${plainNumber(receivesLeft)}.</b>`
    }`,
  );
}

function lookProgress(
  { key }: HolderRow,
  { total, counted: expected }: LookView,
  frame: Frame,
): Html {
  return markup`<div class="row spread">${
    part(
      "look",
      markup`<p role="status">Looking: ${plainNumber(total)}${
        expected === undefined ? "" : markup` of ${approximate(expected)}`
      } jobs.</p><progress aria-label="Jobs seen" ${
        expected !== undefined && expected > 0 &&
        markup` max="${Math.max(expected, total)}" value="${total}"`
      }></progress>`,
      "stack tight grow",
    )
  }${
    form({
      action: `${failedPath(key)}/stop`,
      frame,
      content: markup`<button class="btn">Stop</button>`,
    })
  }</div>`;
}

/** What the last look found. */
function found(view: FailedListView, look: LookView, frame: Frame): Html {
  const { holder, filter } = view;
  const { total, matching } = look;
  return markup`${lookNotes(look)}${
    total === 0
      ? markup`<section class="card flush">${nothing(look)}</section>`
      : markup`<section class="stack" aria-label="Jobs found"><div class="row spread end"><p>Looked ${
        look
            .endedMs === undefined
          ? ""
          : timeOfDay(look.endedMs)
      }. <b>${counted(total, "job")}</b>${
        matching === total ? "." : `, ${plainNumber(matching)} matching.`
      }</p>${filterForm(holder.key, filter)}</div>${
        matching === 0 ? noMatch(holder.key, filter) : picks(view, look, frame)
      }</section>`
  }`;
}

function lookNotes(look: LookView): Content {
  const { error, isStopped, isLimited, limit, cut, unreleased } = look;
  const notes = [
    error === undefined
      ? undefined
      : note("bad", markup`The look ended early: ${data(error)}`),
    isStopped
      ? note("warn", "The look was stopped: look again for all.")
      : undefined,
    isLimited
      ? note(
        "warn",
        `The look stopped at ${
          counted(limit, "job")
        }. Redrive or delete some, then look again.`,
      )
      : undefined,
    cut > 0
      ? note(
        "idle",
        `${
          counted(cut, "job")
        } with long texts: only their start is kept, and searched by the filter.`,
      )
      : undefined,
    unreleased > 0
      ? note(
        "warn",
        `${
          counted(unreleased, "message")
        } could not be released: visible again within two minutes.`,
      )
      : undefined,
  ].filter((each) => each !== undefined);
  if (notes.length === 0) return undefined;
  return markup`<div class="stack tight">${notes}</div>`;
}

function nothing({ counted: count, error }: LookView): Html {
  if (error !== undefined) return empty("No jobs seen", "Look again.");
  return count !== undefined && count > 0
    ? empty(
      markup`No messages received, but SQS counts ${approximate(count)}`,
      "Another reader may hold them. Look again in two minutes.",
    )
    : empty("No failed jobs", "Look again after the next failure.");
}

function filterForm(key: string, { text, id }: Filter): Html {
  const field = (name: string, label: string, value: string) =>
    markup`<div class="field"><label for="f-${name}">${label}</label><input id="f-${name}" name="${name}" value="${value}" maxlength="1000" spellcheck="false" autocomplete="off"></div>`;
  return markup`<form class="row end" role="search" aria-label="Filter jobs" action="${
    failedPath(key)
  }">${field("text", "Text", text)}${
    field("id", "ID", id)
  }<button class="btn">Filter</button>${
    (text !== "" || id !== "") &&
    markup`<a class="btn" href="${failedPath(key)}">Clear</a>`
  }</form>`;
}

/** What was searched for, in words. */
export function filterText({ text, id }: Filter): Content {
  const words = [
    text === "" ? undefined : markup`Text: “${data(text)}”.`,
    id === "" ? undefined : markup`ID: ${data(id)}.`,
  ].filter((word) => word !== undefined);
  return words.map((word) => markup` ${word}`);
}

function noMatch(key: string, filter: Filter): Html {
  return markup`<div class="card flush">${
    empty(
      markup`No job matches.${filterText(filter)}`,
      markup`<a href="${failedPath(key)}">Clear the filter</a>`,
    )
  }</div>`;
}

/** The list, from which jobs are picked, and what can be done with them. */
function picks(view: FailedListView, look: LookView, frame: Frame): Html {
  const { holder } = view;
  const { rows, matching } = look;
  const canAct = !frame.isReadOnly && view.runningActionId === undefined;
  const action = `${failedPath(holder.key)}/actions`;
  const { key } = holder;
  const table = jobsTable(rows, frame, { key, isPicked: canAct });
  const pages = pager(key, view.filter, look);
  if (!canAct) return markup`${table}${pages}`;
  const all = `all ${plainNumber(matching)} ${
    isFiltered(view.filter) ? "matching" : "jobs"
  }`;
  return markup`${
    form({
      action,
      frame,
      name: "stack",
      id: "picks",
      content: markup`${table}${hidden("scope", "selected")}${
        hidden("look", look.id)
      }${filterFields(view.filter)}`,
    })
  }${pages}<div class="row spread dock"><div class="row">${
    actionButtons("selected", "picks")
  }</div>${
    form({
      action,
      frame,
      id: "all",
      content: markup`${hidden("scope", "matching")}${hidden("look", look.id)}${
        filterFields(view.filter)
      }${actionButtons(all, "all")}`,
    })
  }</div>`;
}

function isFiltered({ text, id }: Filter): boolean {
  return text !== "" || id !== "";
}

function hidden(name: string, value: string): Html {
  return markup`<input type="hidden" name="${name}" value="${value}">`;
}

function filterFields({ text, id }: Filter): Html {
  return markup`${hidden("text", text)}${hidden("filterId", id)}`;
}

/** Buttons of a form, which may be elsewhere on the page. */
function actionButtons(which: string, formId: string): Html {
  return markup`<button class="btn" form="${formId}" name="action" value="redrive">Redrive ${which}</button><button class="btn kill" form="${formId}" name="action" value="delete">Delete ${which}</button>`;
}

function pager(key: string, { text, id }: Filter, look: LookView): Content {
  const { page, pages } = look;
  if (pages < 2) return undefined;
  const link = (to: number, label: string) => {
    const query = new URLSearchParams({
      ...(text === "" ? {} : { text }),
      ...(id === "" ? {} : { id }),
      page: String(to),
    });
    return markup`<a class="btn" href="${
      failedPath(key, `?${query}`)
    }">${label}</a>`;
  };
  return markup`<nav class="row spread" aria-label="Pages of jobs"><span>Page ${
    plainNumber(page)
  } of ${plainNumber(pages)}</span><span class="row">${
    page > 1 && link(page - 1, "Previous")
  }${page < pages && link(page + 1, "Next")}</span></nav>`;
}
