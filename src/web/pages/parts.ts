/**
 * The small parts that all pages are made of.
 *
 * @module
 */

import { html as markup } from "hono/html";
import { ageText, plainNumber } from "../../numbers.ts";
import { isoTime, printable } from "../../text.ts";
import type { FailedRow, Frame } from "./views.ts";

/**
 * HTML with every value escaped. `deno fmt` lays out templates that are tagged
 * `html`, and its white space would show.
 */
export { markup };

/** A page's HTML, which is text with everything escaped. */
export type Html = ReturnType<typeof markup>;

/** What goes between tags: text is escaped. */
export type Content = Html | string | number | undefined | readonly Content[];

/** A status by word, shape and colour. */
type Tone = "ok" | "warn" | "bad" | "idle" | "paused";

/** The same shape for the same meaning, also where there is no colour. */
const SHAPES: Readonly<Record<Tone, Html>> = {
  ok: shape(markup`<circle cx="5" cy="5" r="5" />`),
  warn: shape(markup`<path d="M5 0 10 9.5H0z" />`),
  bad: shape(markup`<path d="M0 0h10v10H0z" />`),
  idle: shape(
    markup`<path d="M5 0a5 5 0 1 0 0 10A5 5 0 0 0 5 0m0 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6" />`,
  ),
  paused: shape(markup`<path d="M1 0h3v10H1zM6 0h3v10H6z" />`),
};

function shape(content: Html): Html {
  return markup`<svg viewBox="0 0 10 10" aria-hidden="true">${content}</svg>`;
}

/** The colour of a tone: a pause is neither good nor bad. */
function colorOf(tone: Tone): string {
  return tone === "paused" ? "idle" : tone;
}

/** A status: a shape and a word. */
export function status(tone: Tone, word: Content): Html {
  return markup`<span class="status ${colorOf(tone)}">${
    SHAPES[tone]
  }<span>${word}</span></span>`;
}

/** A status that stands out, as a page's heading has it. */
export function pill(tone: Tone, word: Content): Html {
  return markup`<span class="status pill ${colorOf(tone)}">${
    SHAPES[tone]
  }<span>${word}</span></span>`;
}

/** How old the counts are that SQS does not give any more. */
export function oldCounts(updatedMs: number | undefined): Content {
  return updatedMs === undefined
    ? "No counts"
    : markup`Counts from ${timeOfDay(updatedMs)}`;
}

/** Why a queue of a list is not counted; its page has the whole error. */
export function uncounted(updatedMs: number | undefined, error: string): Html {
  return markup`<div>${status("bad", oldCounts(updatedMs))}</div>
    <div class="small muted clip" title="${printable(error)}">${
    data(error)
  }</div>`;
}

/** A message about the page or its last action. */
export function note(tone: Tone, content: Content): Html {
  return markup`<div class="note ${colorOf(tone)}">${
    SHAPES[tone]
  }<div>${content}</div></div>`;
}

/** What to see if there is nothing, and what to do next. */
export function empty(title: Content, next?: Content): Html {
  return markup`<div class="empty"><strong>${title}</strong>${
    next && markup`<p>${next}</p>`
  }</div>`;
}

/** Text of others, which cannot reorder the text around it. */
export function data(text: string): Html {
  return markup`<bdi class="data">${printable(text)}</bdi>`;
}

/** A number of SQS's, which is approximate. */
export function approximate(count: number | undefined): Html {
  return count === undefined
    ? markup`<span title="SQS gave no number">–</span>`
    : markup`<span class="nowrap" title="Approximate count from SQS"><span class="vh">about </span><span aria-hidden="true">~</span>${
      plainNumber(count)
    }</span>`;
}

/** A rate a minute: whole numbers, except for slow queues. */
export function rate(perMinute: number): string {
  return plainNumber(
    Math.abs(perMinute) < 10
      ? Math.round(perMinute * 10) / 10
      : Math.round(perMinute),
  );
}

/** A time in UTC, to the second: `2026-11-28 14:03:10 UTC`. */
export function exactTime(ms: number): string {
  return `${isoTime(ms)?.slice(0, 19).replace("T", " ") ?? "unknown"} UTC`;
}

/** A time of day in UTC: `14:03:10 UTC`. */
export function timeOfDay(ms: number): Html {
  const exact = exactTime(ms);
  return markup`<time datetime="${isoTime(ms)}" title="${exact}">${
    exact.slice(11)
  }</time>`;
}

/** How long ago something was, with its exact time on hover. */
export function ago(ms: number | undefined, nowMs: number): Content {
  if (isoTime(ms) === undefined) return "–";
  const age = nowMs - ms!;
  return markup`<time datetime="${isoTime(ms)}" title="${exactTime(ms!)}">${
    age < 1000 ? "just now" : `${ageText(age)} ago`
  }</time>`;
}

/** How long something has lasted, with the time of its start on hover. */
export function since(ms: number, nowMs: number): Html {
  return markup`<time datetime="${isoTime(ms)}" title="Since ${
    exactTime(ms)
  }">${ageText(nowMs - ms)}</time>`;
}

/** A length of time in seconds, such as a setting of SQS: `4 d`, `90 s`. */
export function duration(seconds: number): string {
  const [unit, size] = ([["d", 86_400], ["h", 3600], ["min", 60]] as const)
    .find(([, size]) => seconds > 0 && seconds % size === 0) ?? ["s", 1];
  return `${plainNumber(seconds / size)} ${unit}`;
}

/** How long a job took, in milliseconds. */
export function milliseconds(ms: number | undefined): string {
  if (ms === undefined) return "–";
  return ms < 1000
    ? `${Math.round(ms)} ms`
    : `${plainNumber(Math.round(ms / 100) / 10)} s`;
}

/** A part of the page that is exchanged when it changes. */
export function part(id: string, content: Content, name = "stack"): Html {
  return markup`<div id="${id}" class="${name}" data-part>${content}</div>`;
}

/** What a page's heading has beside its title. */
interface HeadingOptions {
  /** The way to this page. */
  readonly crumb?: Content;
  /** What stands behind the title. */
  readonly after?: Content;
  /** Links and buttons. */
  readonly actions?: Content;
}

/** A page's heading. */
export function heading(
  title: Content,
  { crumb, after, actions }: HeadingOptions = {},
): Html {
  return markup`<div class="head">${
    crumb && markup`<p class="crumb">${crumb}</p>`
  }<h1>${title}</h1>${after}${
    actions && markup`<div class="row acts">${actions}</div>`
  }</div>`;
}

/** What {@linkcode form} takes. */
interface FormOptions {
  readonly action: string;
  readonly frame: Frame;
  /** Its class. */
  readonly name?: string;
  readonly id?: string;
  readonly content: Content;
}

/** A form that changes something: it carries the token. */
export function form({ action, frame, name, id, content }: FormOptions): Html {
  return markup`<form method="post" action="${action}" class="${
    name ?? "row"
  }"${id !== undefined && markup` id="${id}"`}>
<input type="hidden" name="token" value="${frame.token}">${content}</form>`;
}

/** The address of a queue's page. */
export function queuePath(key: string): string {
  return `/queues/${encodeURIComponent(key)}`;
}

/** The address of the list of failed jobs of a queue. */
export function failedPath(key: string, query = ""): string {
  return `${queuePath(key)}/failed${query}`;
}

/** The address of one failed job. */
export function failedJobPath(key: string, id: string): string {
  return `${failedPath(key)}/${encodeURIComponent(id)}`;
}

/** The address of an action on failed jobs. */
export function actionPath(id: string): string {
  return `/actions/${encodeURIComponent(id)}`;
}

/** An element's id, which may be made of others' text. */
export function elementId(kind: string, name: string): string {
  return `${kind}-${encodeURIComponent(name)}`;
}

/** A job's error, or a word in its place. */
export function errorText({ error }: FailedRow): Content {
  return error === undefined
    ? markup`<span class="muted">No error is kept with it</span>`
    : data(error);
}

/** A job's arguments on one line, unless they are hidden. */
export function argumentsText(text: string | undefined): Html {
  return text === undefined
    ? markup`<span class="muted">hidden</span>`
    : markup`<code class="clip">${data(text)}</code>`;
}
