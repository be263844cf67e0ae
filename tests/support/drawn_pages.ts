/**
 * Every page of operators in every state, for the pages' own tests.
 *
 * @module
 */

import * as pages from "../../src/web/pages/pages.ts";
import type { Frame } from "../../src/web/pages/views.ts";
import {
  action,
  ADDER,
  CONTAINER,
  DENIED,
  failedList,
  FRAME,
  history,
  HOLDER,
  JOBS,
  NOW_MS,
  PAUSED,
  QUEUE,
  STATES,
  STATS,
  TOTALS,
} from "./page_views.ts";

/** A page, its view, and the differences of its frame. */
interface Drawn<View> {
  readonly page: pages.Page<View>;
  readonly view: View;
  readonly frame?: Partial<Frame>;
}

function drawn<View>(
  page: pages.Page<View>,
  view: View,
  frame: Partial<Frame> = {},
): Drawn<unknown> {
  return { page, view, frame } as Drawn<unknown>;
}

const FAILED = { path: "/queues/adder-failed/failed" };
const ACTION = { path: "/actions/action-1", isLive: false };
const CALM = { notice: undefined, trouble: undefined };

/** All pages by names of their states. */
export const DRAWN: Readonly<Record<string, Drawn<unknown>>> = {
  "overview": drawn(pages.overviewPage, {
    queues: [ADDER, TOTALS, PAUSED, DENIED],
  }),
  "overview, empty and read-only": drawn(
    pages.overviewPage,
    { queues: [] },
    { ...CALM, isReadOnly: true },
  ),
  "queue": drawn(pages.queuePage, QUEUE, { path: "/queues/adder" }),
  "queue, FIFO and consumed": drawn(pages.queuePage, {
    ...QUEUE,
    queue: TOTALS,
    fifo: true,
    redrive: undefined,
    history: history(60, true),
    form: { ...QUEUE.form, error: undefined, body: "text" },
  }, { ...CALM, path: "/queues/totals" }),
  "queue, denied": drawn(pages.queuePage, {
    ...QUEUE,
    queue: DENIED,
    history: [],
    visibilityTimeoutSeconds: undefined,
    messageRetentionSeconds: undefined,
    delaySeconds: undefined,
    maximumMessageSize: undefined,
    files: [],
    form: { ...QUEUE.form, error: undefined, body: "json" },
  }, { ...CALM, path: "/queues/billing" }),
  "queues of failed jobs": drawn(pages.holdersPage, {
    holders: [HOLDER, {
      ...HOLDER,
      kind: "dead letters",
      sources: [],
      lookedAtMs: undefined,
      error: "denied",
    }],
  }, { path: "/failed" }),
  "queues of failed jobs, none": drawn(pages.holdersPage, { holders: [] }, {
    path: "/failed",
  }),
  "failed jobs": drawn(pages.failedListPage, failedList({}, {}), FAILED),
  "failed jobs, not looked": drawn(
    pages.failedListPage,
    failedList({}, undefined),
    FAILED,
  ),
  "failed jobs, looking": drawn(
    pages.failedListPage,
    failedList({}, { isRunning: true, total: 20 }),
    FAILED,
  ),
  "failed jobs, none received": drawn(
    pages.failedListPage,
    failedList({}, { total: 0, matching: 0, rows: [] }),
    FAILED,
  ),
  "failed jobs, none matches": drawn(
    pages.failedListPage,
    failedList({}, { matching: 0, rows: [] }),
    FAILED,
  ),
  "failed jobs, look cut short": drawn(
    pages.failedListPage,
    failedList({ runningActionId: "action-1" }, {
      error: "AccessDenied",
      isStopped: true,
      isLimited: true,
      unreleased: 2,
    }),
    FAILED,
  ),
  "failed job": drawn(pages.failedJobPage, {
    holder: HOLDER,
    lookId: "look-1",
    job: JOBS[0]!,
    sourceId: "5a01",
    sentAtMs: NOW_MS - 8_000_000,
    seenAtMs: NOW_MS - 60_000,
    groupId: "group-1",
    body: { text: "\n[12345678901234567890]", cutFrom: undefined },
    attributes: [
      ["traceparent", { text: "00-0af7", cutFrom: undefined }],
      ["note", { text: "long", cutFrom: 2_000 }],
    ],
    stack: { text: "TypeError: x\n    at add", cutFrom: 9_000 },
    receivesLeft: 1,
  }, { path: "/queues/adder-failed/failed/7f3a" }),
  "failed job, hidden": drawn(pages.failedJobPage, {
    holder: { ...HOLDER, kind: "dead letters" },
    lookId: "look-1",
    job: JOBS[1]!,
    sourceId: undefined,
    sentAtMs: undefined,
    seenAtMs: NOW_MS,
    groupId: undefined,
    body: undefined,
    attributes: [],
    stack: undefined,
    receivesLeft: undefined,
  }, { hidesArguments: true, isReadOnly: true }),
  "redrive?": drawn(
    pages.actionPage,
    action("redrive", {
      kind: "asking",
      targets: [["adder", 33], ["totals", 2]],
      sourceless: 3,
      choices: [["adder", "adder"]],
    }),
    ACTION,
  ),
  "delete?": drawn(
    pages.actionPage,
    action("delete", {
      kind: "asking",
      targets: [],
      sourceless: 0,
      choices: [],
    }),
    ACTION,
  ),
  "redriving": drawn(
    pages.actionPage,
    action("redrive", { kind: "running", done: 20, isStopping: false }),
    { ...ACTION, isLive: true },
  ),
  "redriven": drawn(
    pages.actionPage,
    action("redrive", {
      kind: "over",
      done: 36,
      isStopped: true,
      missing: 1,
      problems: [["SQS refused it (AccessDenied)", 1]],
      error: "AccessDenied",
      undeleted: 1,
    }),
    ACTION,
  ),
  "deleted nothing": drawn(
    pages.actionPage,
    action("delete", {
      kind: "over",
      done: 0,
      isStopped: false,
      missing: 38,
      problems: [],
      error: undefined,
      undeleted: 0,
    }),
    ACTION,
  ),
  "containers": drawn(pages.containersPage, {
    isConfigured: true,
    containers: STATES.map((state) => ({
      ...CONTAINER,
      id: `c-${state.replaceAll(" ", "-")}`,
      name: `${state}.ini`,
      state,
      isOwn: state !== "silent",
      silentSinceMs: state === "silent" ? NOW_MS - 12_000 : undefined,
      stats: state === "starting" ? undefined : STATS,
      jobs: state === "paused" ? [] : CONTAINER.jobs,
    })),
  }, { path: "/containers" }),
  "containers, none": drawn(pages.containersPage, {
    isConfigured: false,
    containers: [],
  }, { path: "/containers" }),
  "pause?": drawn(pages.pausePage, { container: CONTAINER }, {
    path: "/containers/c1/pause",
    isLive: false,
  }),
  "sign in": drawn(pages.loginPage, { problem: "wrong" }, {
    ...{ path: "/login", isLive: false, isSignedIn: false },
  }),
  "problem": drawn(pages.problemPage, {
    status: 403,
    text: "Refused: the request did not come from this page",
  }, { isLive: false }),
};

/** A page as HTML, its view and frame changed first if asked for. */
export async function draw(
  name: string,
  change: <T>(value: T) => T = (value) => value,
): Promise<string> {
  const { page, view, frame } = DRAWN[name]!;
  return String(
    await page(change(view), { ...change({ ...FRAME, ...frame }) }),
  );
}
