/**
 * The routes of the page.
 *
 * @module
 */

import { Hono } from "hono";
import { createHash } from "node:crypto";
import { type Checks, type Ctx, type Env, Refusal } from "./checks.ts";
import { Desk, noPage } from "./desk.ts";
import { failedRoutes } from "./failed_routes.ts";
import { ASSETS } from "./pages/assets.ts";
import {
  containersPage,
  loginPage,
  overviewPage,
  pausePage,
  queuePage,
} from "./pages/pages.ts";
import type { SendForm } from "./pages/views.ts";
import { sendJob } from "./send_job.ts";
import { HEADERS } from "./security.ts";
import type { Site } from "./site.ts";
import { queueRow, queueView } from "./site_views.ts";
import { isTopic } from "./streams.ts";

/** The application that answers all requests. */
export function makeApp(site: Site, checks: Checks): Hono<Env> {
  const desk = new Desk(site, checks);
  const app = new Hono<Env>();
  app.onError((error, c) => desk.problem(c, error));
  app.notFound((c) => desk.problem(c, noPage()));
  app.use(checks.host);
  assetRoutes(app);
  app.use(checks.urlToken, checks.signedIn, checks.post);
  loginRoutes(app, desk);
  queueRoutes(app, desk);
  failedRoutes(app, desk);
  containerRoutes(app, desk);
  app.get("/events", (c) => openStream(c, site));
  return app;
}

/** Style and script: no secret, and the page of a sign-in needs them. */
function assetRoutes(app: Hono<Env>): void {
  for (const [path, { type, text }] of Object.entries(ASSETS)) {
    const hash = createHash("sha256").update(text).digest("base64url");
    const etag = `"${hash.slice(0, 20)}"`;
    app.get(path, (c) => {
      c.header("cache-control", "no-cache");
      c.header("etag", etag);
      if (c.req.header("if-none-match") === etag) return c.body(null, 304);
      return c.body(text, 200, { "content-type": type });
    });
  }
}

function loginRoutes(app: Hono<Env>, desk: Desk): void {
  const { checks } = desk;
  app.get("/login", async (c) => {
    if (!checks.hasPassword || c.get("isSignedIn")) return c.redirect("/", 303);
    return await desk.show(c, loginPage, { problem: undefined });
  });
  app.post("/login", async (c) => {
    const problem = await checks.login(c);
    if (problem === "right") return c.redirect("/", 303);
    const isLimited = problem === "too many";
    if (isLimited) c.header("retry-after", "8");
    const status = isLimited ? 429 : 403;
    return await desk.show(c, loginPage, { problem }, { status });
  });
}

function queueRoutes(app: Hono<Env>, desk: Desk): void {
  const { site } = desk;
  app.get("/", async (c) => {
    await site.refresh();
    const queues = site.queues.listed.map((queue) => queueRow(site, queue));
    return await desk.show(c, overviewPage, { queues }, { isLive: true });
  });
  const show = async (c: Ctx, form?: Partial<SendForm>) => {
    const queue = desk.queue(c);
    await site.refresh();
    const how = { status: form === undefined ? 200 : 400, isLive: true };
    return await desk.show(c, queuePage, queueView(site, queue, form), how);
  };
  app.get("/queues/:key", (c) => show(c));
  app.post("/queues/:key", async (c) => {
    const queue = desk.queue(c);
    if (!queue.isListed) throw noPage();
    const form = c.get("form");
    const field = (name: string) => form.get(name) ?? "";
    const given = {
      arguments: field("arguments"),
      delay: field("delay"),
      group: field("group"),
    };
    const sent = await sendJob(queue, given);
    if ("error" in sent) return await show(c, { ...given, error: sent.error });
    const { name } = queue.ref;
    site.log(`Sent a job to ${name} on the page: message ${sent.messageId}`);
    const text = `Job sent. Message ID ${sent.messageId}`;
    return desk.to(c, `/queues/${queue.key}`, { kind: "ok", text });
  });
}

function containerRoutes(app: Hono<Env>, desk: Desk): void {
  const { site } = desk;
  const find = (c: Ctx) => {
    const found = site.containers.own(c.req.param("id") ?? "");
    if (found === undefined) throw noPage();
    return found;
  };
  app.get("/containers", async (c) => {
    await site.pollContainers();
    const { view } = site.containers;
    return await desk.show(c, containersPage, view, { isLive: true });
  });
  app.get(
    "/containers/:id/pause",
    (c) => desk.show(c, pausePage, { container: find(c).row }),
  );
  const change = (
    name: "pause" | "resume",
    textOf: (row: ReturnType<typeof find>["row"]) => string,
  ) =>
    app.post(`/containers/:id/${name}`, (c) => {
      const { row, own } = find(c);
      own.container[name]();
      const text = textOf(row);
      site.log(`${row.name} on the page: ${name}`);
      site.streams.announce("containers");
      return desk.to(c, "/containers", { kind: "ok", text });
    });
  change("pause", ({ stats }) => {
    const running = stats?.running ?? 0;
    const jobs = running === 1
      ? "1 job still runs"
      : `${running} jobs still run`;
    return running === 0 ? "Paused. No job runs." : `Paused. ${jobs}.`;
  });
  change("resume", () => "Running again.");
}

function openStream(c: Ctx, { streams }: Site): Response {
  const topic = c.req.query("topic");
  if (!isTopic(topic)) {
    throw new Refusal(400, "Give topic=counts, containers or work.");
  }
  // A page of another port of this machine is sent the cookie, too.
  if ((c.req.header("sec-fetch-site") ?? "same-origin") !== "same-origin") {
    throw new Refusal(403, "Refused: the request did not come from this page.");
  }
  if (c.req.method === "HEAD") return c.body(null);
  if (streams.isFull) {
    throw new Refusal(
      503,
      "Too many pages are open: this one does not change by itself.",
    );
  }
  streams.open(c.env.outgoing, topic, HEADERS);
  return c.body(null);
}
