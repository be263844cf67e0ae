/**
 * The routes of failed jobs: looks, one job, redrive and delete.
 *
 * @module
 */

import type { Hono } from "hono";
import type { Action } from "./actions.ts";
import type { Ctx, Env } from "./checks.ts";
import { type Desk, noPage } from "./desk.ts";
import { type Found, type Look, matching } from "./looks.ts";
import {
  actionPage,
  failedJobPage,
  failedListPage,
  holdersPage,
} from "./pages/pages.ts";
import type { Filter, Notice } from "./pages/views.ts";
import type { WatchedQueue } from "./queues.ts";
import {
  actionView,
  failedJobView,
  failedListView,
  holderRow,
} from "./site_views.ts";

/** The longest text to search for. */
const MAX_TEXT = 200;

export function failedRoutes(app: Hono<Env>, desk: Desk): void {
  const { site } = desk;
  app.get("/failed", async (c) => {
    await site.refresh();
    const holders = site.queues.holders.map((each) => holderRow(site, each));
    return await desk.show(c, holdersPage, { holders }, { isLive: true });
  });
  app.get("/queues/:key/failed", async (c) => {
    const holder = holderOf(c, desk);
    await site.refresh();
    const filter = filterOf(c.req.query("text"), c.req.query("id"));
    const page = Number(c.req.query("page")) || 1;
    const view = failedListView(site, holder, { filter, page });
    return await desk.show(c, failedListPage, view, { isLive: true });
  });
  app.get("/queues/:key/failed/:id", async (c) => {
    const holder = holderOf(c, desk);
    const id = c.req.param("id");
    const view = failedJobView(site, holder, id);
    if (view !== undefined) return await desk.show(c, failedJobPage, view);
    return desk.to(c, listPath(holder), bad(GONE));
  });
  lookRoutes(app, desk);
  actionRoutes(app, desk);
}

const GONE = "This job is no longer listed. Look again.";

function lookRoutes(app: Hono<Env>, desk: Desk): void {
  const { site } = desk;
  app.post("/queues/:key/failed/look", async (c) => {
    const holder = holderOf(c, desk);
    // For the receives that are left.
    await site.refresh();
    const busy = site.busyWith(holder);
    if (busy !== undefined) return desk.to(c, listPath(holder), bad(busy));
    await site.look(holder);
    return desk.to(c, listPath(holder));
  });
  app.post("/queues/:key/failed/stop", async (c) => {
    const holder = holderOf(c, desk);
    const look = site.lookAt(holder);
    look?.stop();
    await look?.ended;
    return desk.to(c, listPath(holder));
  });
}

function actionRoutes(app: Hono<Env>, desk: Desk): void {
  const { site } = desk;
  app.post("/queues/:key/failed/actions", (c) => {
    const holder = holderOf(c, desk);
    const asked = askedFor(c.get("form"), site.lookAt(holder), {
      hidesArguments: site.options.hidesArguments,
    });
    if (typeof asked === "string") {
      return desk.to(c, listPath(holder), bad(asked));
    }
    const action = site.ask({
      ...asked,
      holder,
      hidesArguments: site.options.hidesArguments,
      choices: site.queues.listed.filter((each) => each !== holder),
    });
    return desk.to(c, `/actions/${action.id}`);
  });
  const find = (c: Ctx): Action => {
    const action = site.action(c.req.param("id") ?? "");
    if (action === undefined) throw noPage();
    return action;
  };
  app.get("/actions/:id", (c) => {
    const view = actionView(site, find(c));
    const isLive = view.state.kind === "running";
    return desk.show(c, actionPage, view, { isLive });
  });
  app.post("/actions/:id/run", (c) => {
    const action = find(c);
    const path = `/actions/${action.id}`;
    // A second click on the same button.
    if (action.state.kind !== "asking") return desk.to(c, path);
    const busy = site.busyWith(action.holder);
    if (busy !== undefined) return desk.to(c, path, bad(busy));
    const key = c.get("form").get("to");
    const to = action.choices.find((each) => each.key === key);
    if (key && to === undefined) {
      return desk.to(c, path, bad("Choose one of the queues, then try again."));
    }
    site.run(action, to);
    return desk.to(c, path);
  });
  app.post("/actions/:id/stop", (c) => {
    const action = find(c);
    action.stop();
    return desk.to(c, `/actions/${action.id}`);
  });
  app.post("/actions/:id/cancel", (c) => {
    const action = find(c);
    if (action.state.kind === "asking") site.drop(action);
    return desk.to(c, listPath(action.holder));
  });
}

/** What a form asks for, or why that cannot be. */
function askedFor(
  form: URLSearchParams,
  look: Look | undefined,
  { hidesArguments }: { readonly hidesArguments: boolean },
):
  | {
    readonly action: "redrive" | "delete";
    readonly filter: Filter;
    readonly jobs: readonly Found[];
  }
  | string {
  const action = form.get("action");
  if (action !== "redrive" && action !== "delete") {
    return "Choose redrive or delete, then try again.";
  }
  if (look === undefined) return "The list is old. Look again.";
  if (look.endedMs === undefined) {
    return "The look is under way. Wait for its end, or stop it.";
  }
  const filter = filterOf(form.get("text"), form.get("filterId"));
  if (form.get("scope") === "matching") {
    // Only jobs that were listed are touched.
    if (form.get("look") !== look.id) {
      return "The list has changed since this page was shown. Check it, then try again.";
    }
    const jobs = matching(look, filter, hidesArguments);
    return jobs.length > 0 ? { action, filter, jobs } : "No job matches.";
  }
  const ids = new Set(form.getAll("id"));
  const jobs = [...ids].flatMap((id) => look.found.get(id) ?? []);
  if (ids.size === 0) return "Select at least one job.";
  // A filter did not choose these.
  const none = { text: "", id: "" };
  return jobs.length > 0 ? { action, filter: none, jobs } : GONE;
}

/** The queue of a path, which must hold failed jobs: no other is received from. */
function holderOf(c: Ctx, desk: Desk): WatchedQueue {
  const queue = desk.queue(c);
  if (queue.holds === undefined) throw noPage();
  return queue;
}

function listPath(holder: WatchedQueue): string {
  return `/queues/${holder.key}/failed`;
}

function filterOf(
  text: string | null | undefined,
  id: string | null | undefined,
): Filter {
  return {
    text: (text ?? "").slice(0, MAX_TEXT),
    id: (id ?? "").trim().slice(0, MAX_TEXT),
  };
}

function bad(text: string): Notice {
  return { kind: "bad", text };
}
