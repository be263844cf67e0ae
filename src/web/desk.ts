/**
 * Draws pages, and sends browsers on.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import { printable } from "../text.ts";
import { type Checks, type Ctx, Refusal } from "./checks.ts";
import { type Page, problemPage } from "./pages/pages.ts";
import type { Notice } from "./pages/views.ts";
import type { WatchedQueue } from "./queues.ts";
import type { Site } from "./site.ts";
import { frameOf } from "./site_views.ts";

/** Draws pages and answers forms. */
export class Desk {
  readonly site: Site;
  readonly checks: Checks;

  constructor(site: Site, checks: Checks) {
    this.site = site;
    this.checks = checks;
  }

  /** Draws a page. */
  async show<View>(
    c: Ctx,
    page: Page<View>,
    view: View,
    { status = 200, isLive = false }: {
      readonly status?: number;
      readonly isLive?: boolean;
    } = {},
  ): Promise<Response> {
    const frame = frameOf(this.site, {
      path: c.req.path,
      notice: this.site.notice(c.req.query("notice")),
      isLive,
      token: c.get("isSignedIn") ? this.checks.session.formToken : undefined,
    });
    c.status(status as 200);
    return c.html(await page(view, frame));
  }

  /** Sends the browser to a page, with a notice. */
  to(c: Ctx, path: string, notice?: Notice): Response {
    const id = notice && this.site.notify(notice);
    return c.redirect(id === undefined ? path : `${path}?notice=${id}`, 303);
  }

  queue(c: Ctx): WatchedQueue {
    const queue = this.site.queues.get(c.req.param("key") ?? "");
    if (queue === undefined) throw noPage();
    return queue;
  }

  problem(c: Ctx, error: unknown): Response | Promise<Response> {
    const isRefusal = error instanceof Refusal;
    const status = isRefusal ? error.status : 500;
    const text = isRefusal
      ? error.message
      : `The page failed: ${printable(messageOf(error)).slice(0, 500)}`;
    return this.show(c, problemPage, { status, text }, { status });
  }
}

export function noPage(): Refusal {
  return new Refusal(404, "No such page. Go to Overview.");
}
