/**
 * What every page has around its content: where one is, whether it is live, and
 * how old its numbers are.
 *
 * @module
 */

import { raw } from "hono/html";
import { printable } from "../../text.ts";
import {
  ago,
  type Content,
  data,
  type Html,
  markup,
  note,
  part,
  status,
  timeOfDay,
} from "./parts.ts";
import type { Frame } from "./views.ts";

const PAGES = [
  ["/", "Overview", /^\/$|^\/queues\/[^/]+$/],
  [
    "/failed",
    "Failed jobs",
    /^\/failed$|^\/queues\/[^/]+\/failed|^\/actions\//,
  ],
  ["/containers", "Containers", /^\/containers/],
] as const;

const LOGO_SHAPES =
  `<rect width="32" height="32" rx="7" fill="#0a58ca"/><path d="M8 10h16L8 22h16" fill="none" stroke="#fff" stroke-width="3.5" stroke-linecap="round" stroke-linejoin="round"/>`;

const LOGO = markup`<svg viewBox="0 0 32 32" aria-hidden="true">${
  raw(LOGO_SHAPES)
}</svg>`;

/** The picture of a browser's tab. */
export const ICON =
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${LOGO_SHAPES}</svg>`;

interface Layout {
  readonly title: string;
  readonly content: Content;
  /** Without a script, the page loads itself again after so many seconds. */
  readonly refreshSeconds?: number | undefined;
}

/** A whole page. */
export function layout(
  { title, content, refreshSeconds }: Layout,
  frame: Frame,
): Html {
  const { isLive, isSignedIn } = frame;
  return markup`<!doctype html>
    <html lang="en" data-topic="${topicOf(frame.path)}">
      <head><meta charset="utf-8">
    <meta name="viewport" content="width=device-width,initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <title>${printable(title)} · zsqs</title>
    <link rel="icon" href="/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/style.css">${
    isLive && markup`<script src="/live.js" defer></script>`
  }${
    refreshSeconds &&
    markup`<noscript><meta http-equiv="refresh" content="${refreshSeconds}"></noscript>`
  }</head>
      <body><a class="skip" href="#main">Skip to the content</a>
    <header class="bar"><div><a class="brand" href="/">${LOGO}zsqs</a>${
    isSignedIn && navigation(frame)
  }</div></header>
    <main id="main" tabindex="-1">${
    isSignedIn && banners(frame)
  }${content}</main>${isSignedIn && foot(frame)}</body>
    </html>`;
}

/** Which changes concern a page. */
function topicOf(path: string): string {
  if (path.startsWith("/containers")) return "containers";
  return /^\/actions\/|\/failed/.test(path) ? "work" : "counts";
}

function navigation(frame: Frame): Html {
  const { path, region, endpoint, isLive } = frame;
  return markup`<nav aria-label="Pages">
      <ul>${
    PAGES.map(([href, name, pattern]) =>
      markup`<li><a href="${href}"${
        pattern.test(path) &&
        markup` aria-current="${path === href ? "page" : "true"}"`
      }>${name}</a></li>`
    )
  }</ul>
    </nav>
    <div class="where"><span><span class="vh">Region </span><b>${
    data(region)
  }</b></span>${
    endpoint &&
    markup`<span><span class="vh">Server </span>${data(endpoint)}</span>`
  }${isLive && liveState(frame)}</div>`;
}

/** The style shows one of three: no script, connected, or not any more. */
function liveState({ countsAtMs, nowMs }: Frame): Html {
  return markup`<span class="live" role="status"><span class="off">Reload to update</span><span class="on">${
    status("ok", "Live")
  }</span><span class="lost">${
    status(
      "idle",
      markup`Reconnecting, last update ${
        part("last", timeOfDay(countsAtMs ?? nowMs), "nowrap")
      }`,
    )
  }</span></span>`;
}

/** A notice is shown once, so live updates leave it alone. */
function banners({ isReadOnly, notice, trouble }: Frame): Html {
  return markup`${
    notice &&
    markup`<div role="status">${
      note(notice.kind === "ok" ? "ok" : "bad", data(notice.text))
    }</div>`
  }<div id="trouble" role="status" data-part>${
    trouble && note(
      "warn",
      markup`SQS did not answer (${data(trouble.code)}). ${
        trouble.sinceMs === undefined
          ? "There are no counts yet"
          : markup`Counts are from ${timeOfDay(trouble.sinceMs)}`
      }; retrying.`,
    )
  }</div>${
    isReadOnly && note("idle", "Read-only: this page cannot change anything.")
  }`;
}

function foot({ countsAtMs, nowMs, hidesArguments }: Frame): Html {
  return markup`<footer class="foot"><span><span aria-hidden="true">~</span><span class="vh">About:</span> Approximate count from SQS.</span>${
    hidesArguments && markup`<span>Arguments are hidden.</span>`
  }<span id="updated" data-part>${
    countsAtMs !== undefined && markup`Updated ${ago(countsAtMs, nowMs)}`
  }</span></footer>`;
}
