/**
 * One queue: its counts, chart, settings, and a form that sends a job.
 *
 * @module
 */

import { counted } from "../../numbers.ts";
import { charts } from "./chart.ts";
import { layout } from "./frame.ts";
import { holder, noConsumerText } from "./overview.ts";
import {
  approximate,
  type Content,
  data,
  duration,
  failedPath,
  form,
  heading,
  type Html,
  markup,
  note,
  oldCounts,
  part,
  pill,
  queuePath,
} from "./parts.ts";
import type { Frame, QueueRow, QueueView, SendForm } from "./views.ts";

export function queuePage(view: QueueView, frame: Frame): Html {
  const { queue, fifo, isHolder } = view;
  const { key, name, failures, deadLetters } = queue;
  const link = (holderKey: string | undefined, label: string) =>
    holderKey !== undefined &&
    markup`<a class="btn" href="${failedPath(holderKey)}">${label}</a>`;
  return layout({
    title: name,
    content: markup`${
      heading(data(name), {
        crumb: markup`<a href="/">Overview</a> / Queue`,
        after: markup`${fifo && markup`<span class="tag">FIFO</span>`}${
          part("state", state(queue), "")
        }`,
        actions: markup`${
          link(isHolder ? key : failures?.key, "View failed jobs")
        }${link(isHolder ? undefined : deadLetters?.key, "View dead letters")}`,
      })
    }${part("warnings", warnings(queue), "stack tight")}${
      part("counts", counts(queue), "")
    }<section class="card" aria-labelledby="chart-title"><h2 id="chart-title">Since this page's server started</h2>${
      part("charts", charts(view.history, frame.nowMs), "")
    }</section><div class="cols"><section class="card" aria-labelledby="settings-title"><h2 id="settings-title">Settings</h2>${
      part("settings", settings(view), "")
    }</section>${!frame.isReadOnly && sendForm(view, frame)}</div>`,
  }, frame);
}

function state({ error, noConsumer, updatedMs }: QueueRow): Content {
  if (error !== undefined) return pill("bad", oldCounts(updatedMs));
  if (updatedMs === undefined) return pill("idle", "Not counted yet");
  if (noConsumer === undefined) return undefined;
  return noConsumer.paused === undefined
    ? pill("warn", "No consumer")
    : pill("paused", "Paused");
}

function warnings(queue: QueueRow): Content {
  const { error, noConsumer } = queue;
  return [
    error === undefined ? undefined : note("bad", data(error)),
    noConsumer && note("warn", noConsumerText(queue, noConsumer)),
  ];
}

function counts(queue: QueueRow): Html {
  const tile = (name: string, content: Content) =>
    markup`<div>
        <dt>${name}</dt>
        <dd>${content}</dd>
      </div>`;
  const { visible, inFlight, delayed, failures, deadLetters } = queue;
  return markup`<dl class="tiles">${tile("Visible", approximate(visible))}${
    tile("In flight", approximate(inFlight))
  }${tile("Delayed", approximate(delayed))}${
    failures && tile("Failed", holder(failures))
  }${deadLetters && tile("Dead letters", holder(deadLetters))}</dl>`;
}

function settings(view: QueueView): Html {
  const { queue, files, redrive, maximumMessageSize: most } = view;
  const seconds = (value: number | undefined) =>
    value === undefined ? "unknown" : duration(value);
  const rows: [string, Content][] = [
    ["Region", data(queue.region)],
    ["Type", view.fifo ? "FIFO" : "Standard"],
    ["Visibility timeout", seconds(view.visibilityTimeoutSeconds)],
    ["Delay", seconds(view.delaySeconds)],
    ["Retention", seconds(view.messageRetentionSeconds)],
    [
      "Maximum message size",
      most === undefined ? "unknown" : counted(most, "byte"),
    ],
    [
      "Redrive policy",
      redrive === undefined
        ? "None: SQS moves no message to a dead-letter queue"
        : markup`After ${counted(redrive.maxReceiveCount, "receive")} to ${
          data(redrive.deadLetterQueue)
        }`,
    ],
    [
      "Failures queue",
      queue.failures === undefined ? "None known" : data(queue.failures.name),
    ],
    ["Containers", files.length === 0 ? "None known" : data(files.join(", "))],
  ];
  return markup`<dl class="facts">${
    rows.map(([name, content]) =>
      markup`<dt>${name}</dt>
        <dd>${content}</dd>`
    )
  }</dl>`;
}

const BODIES = {
  job: [
    "Arguments (JSON array)",
    'The job\'s arguments, such as [1, 2, "x"]. A last object holds named ones.',
  ],
  json: ["Body (JSON)", "Any JSON value: it becomes the message's body."],
  text: ["Body (text)", "It becomes the message's body as it is."],
} as const;

function sendForm({ queue, fifo, form: typed }: QueueView, frame: Frame): Html {
  return markup`<section class="card" aria-labelledby="send-title"><h2 id="send-title">Send a job</h2>${
    form({
      action: queuePath(queue.key),
      frame,
      name: "stack",
      content: markup`${argumentsField(typed)}${
        fifo ? groupField(typed) : delayField(typed)
      }<div><button class="btn go">Send job</button></div>`,
    })
  }</section>`;
}

function argumentsField(typed: SendForm): Html {
  const { body, error } = typed;
  const [label, hint] = BODIES[body];
  const isWrong = error !== undefined;
  return markup`<div class="field"><label for="arguments">${label}</label><textarea id="arguments" name="arguments" rows="3" spellcheck="false" autocomplete="off" autocapitalize="off" required aria-describedby="arguments-hint${
    isWrong && " send-error"
  }"${isWrong && markup` aria-invalid="true" autofocus`}>
${typed.arguments}</textarea><span id="arguments-hint" class="small">${hint}</span>${
    isWrong &&
    markup`<p id="send-error" class="error" role="alert">${data(error)}</p>`
  }</div>`;
}

function delayField({ delay }: SendForm): Html {
  return markup`<div class="field narrow"><label for="delay">Delay (s)</label><input id="delay" name="delay" type="number" min="0" max="900" step="1" value="${delay}" inputmode="numeric"></div>`;
}

function groupField({ group }: SendForm): Html {
  return markup`<div class="field narrow"><label for="group">Message group</label><input id="group" name="group" maxlength="128" value="${group}" required></div>`;
}
