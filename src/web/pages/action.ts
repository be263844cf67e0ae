/**
 * Redrive or delete: the question, the progress, and the result.
 *
 * @module
 */

import { counted, plainNumber } from "../../numbers.ts";
import { list, printable } from "../../text.ts";
import { filterText } from "./failed.ts";
import { jobsTable } from "./jobs_table.ts";
import { layout } from "./frame.ts";
import {
  actionPath,
  type Content,
  data,
  failedPath,
  form,
  heading,
  type Html,
  markup,
  note,
  part,
} from "./parts.ts";
import type { ActionState, ActionView, Frame } from "./views.ts";

type StateOf<Kind extends ActionState["kind"]> = Extract<
  ActionState,
  { readonly kind: Kind }
>;

const WORDS = {
  redrive: { verb: "Redrive", doing: "Redriving", done: "Redrove" },
  delete: { verb: "Delete", doing: "Deleting", done: "Deleted" },
} as const;

export function actionPage(view: ActionView, frame: Frame): Html {
  const { action, count, holder, state } = view;
  const { verb, doing, done } = WORDS[action];
  const jobs = counted(count, "job");
  const title = state.kind === "asking"
    ? `${verb} ${jobs}?`
    : state.kind === "running"
    ? `${doing} ${jobs}`
    : `${done} ${plainNumber(state.done)} of ${jobs}`;
  return layout({
    title,
    refreshSeconds: state.kind === "running" ? 1 : undefined,
    content: markup`${
      heading(title, {
        crumb: markup`<a href="/failed">Failed jobs</a> / <a href="${
          failedPath(holder.key)
        }">${data(holder.name)}</a>`,
      })
    }${
      state.kind === "asking"
        ? asking(view, state, frame)
        : state.kind === "running"
        ? running(view, state, frame)
        : over(view, state)
    }`,
  }, frame);
}

function asking(
  view: ActionView,
  state: StateOf<"asking">,
  frame: Frame,
): Html {
  const { id, action, count, jobs, filter } = view;
  const { verb } = WORDS[action];
  const rest = count - jobs.length;
  return markup`<section class="card stack" aria-label="Confirm">
      <p>${
    action === "redrive"
      ? targetsText(state)
      : markup`<b>This cannot be undone.</b>`
  }${filterText(filter)}${action === "redrive" && " Later failures stay."}</p>
      ${
    form({
      action: `${actionPath(id)}/run`,
      frame,
      name: "stack",
      content: markup`${
        state.sourceless > 0 && action === "redrive" && chooseTarget(state)
      }<div class="row"><button class="btn go ${
        action === "delete" && "kill"
      }">${verb} ${
        counted(count, "job")
      }</button><button class="btn" formaction="${
        actionPath(id)
      }/cancel" formnovalidate>Cancel</button></div>`,
    })
  }
    </section>
    <section class="stack" aria-labelledby="which"><h2 id="which">${
    rest > 0
      ? `The first ${plainNumber(jobs.length)} of ${counted(count, "job")}`
      : "These jobs"
  }</h2>${jobsTable(jobs, frame)}${
    rest > 0 && markup`<p class="muted">And ${counted(rest, "more job")}.</p>`
  }</section>`;
}

/** `36 return to adder, 2 to totals.` */
function targetsText({ targets }: StateOf<"asking">): Content {
  if (targets.length === 0) return undefined;
  return markup`${
    targets.map(([queue, count], i) =>
      markup`${i > 0 && ", "}${plainNumber(count)} ${
        i === 0 && (count === 1 ? "returns " : "return ")
      }to <b>${data(queue)}</b>`
    )
  }.`;
}

function chooseTarget(state: StateOf<"asking">): Html {
  const { sourceless, choices } = state;
  const isOne = sourceless === 1;
  return markup`<div class="field narrow"><label for="to">${
    counted(sourceless, "job")
  } ${isOne ? "does" : "do"} not name a source queue. Send ${
    isOne ? "it" : "them"
  } to:</label><select id="to" name="to"><option value="">No queue: ${
    isOne ? "it stays" : "they stay"
  }</option>${
    choices.map(([key, name]) =>
      markup`<option value="${key}">${printable(name)}</option>`
    )
  }</select></div>`;
}

function running(
  view: ActionView,
  state: StateOf<"running">,
  frame: Frame,
): Html {
  const { id, action, count } = view;
  const { done, isStopping } = state;
  return markup`<section class="card row spread" aria-label="Progress">${
    part(
      "progress",
      markup`<p role="status">${
        isStopping ? "Stopping" : WORDS[action].doing
      }: ${plainNumber(done)} of ${
        plainNumber(count)
      }.</p><progress max="${count}" value="${done}" aria-label="${
        WORDS[action].doing
      }"></progress>`,
      "stack tight grow",
    )
  }${
    form({
      action: `${actionPath(id)}/stop`,
      frame,
      content: markup`<button class="btn">Stop</button>`,
    })
  }</section>`;
}

function over(view: ActionView, state: StateOf<"over">): Html {
  const { holder, count } = view;
  const { done, undeleted, error } = state;
  const isWhole = done === count && undeleted === 0 && error === undefined;
  return markup`<section class="stack" aria-label="Result" role="status">${
    note(
      isWhole ? "ok" : "warn",
      resultText(view, state),
    )
  }${
    undeleted > 0 && note(
      "bad",
      `${
        counted(undeleted, "job")
      } could not be deleted here after sending: delete ${
        undeleted === 1 ? "it" : "them"
      } here, or the next redrive sends ${
        undeleted === 1 ? "it" : "them"
      } again.`,
    )
  }${error !== undefined && note("bad", data(error))}</section>
    <div class="row"><a class="btn go" href="${
    failedPath(holder.key)
  }"><span>Back to ${data(holder.name)}</span></a></div>`;
}

/** What was done, and what stayed for which reason. */
function resultText(view: ActionView, state: StateOf<"over">): Content {
  const { action, count } = view;
  const { done, isStopped, missing, problems } = state;
  if (done === 0 && missing === count) {
    return `Nothing changed: none of the ${
      counted(count, "job")
    } is in the queue now.`;
  }
  const stayed = count - done;
  const reasons = [
    ...(missing > 0
      ? [
        `${plainNumber(missing)} ${
          missing === 1 ? "is" : "are"
        } gone or held by another reader`,
      ]
      : []),
    ...problems.map(([reason, each]) => `${plainNumber(each)}: ${reason}`),
  ];
  return markup`${isStopped && "Stopped. "}${WORDS[action].done} ${
    plainNumber(done)
  } of ${counted(count, "job")}.${
    stayed > 0 &&
    markup` ${plainNumber(stayed)} stayed${
      reasons.length > 0 && markup`: ${data(list(reasons))}`
    }.`
  }`;
}
