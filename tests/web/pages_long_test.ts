/**
 * Every page in every state, in a real browser: accessible in light and dark, as
 * narrow as a phone, and deaf to hostile text.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { ASSETS } from "../../src/web/pages/assets.ts";
import { HEADERS } from "../../src/web/security.ts";
import { type Browser, type Page, testInBrowser } from "../support/browser.ts";
import { draw, DRAWN } from "../support/drawn_pages.ts";
import { poison } from "../support/hostile_views.ts";
import { SPY, violationsOn } from "../support/operator.ts";

/** A tab that shows the pages, with the headers of the real server. */
class Gallery implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      ({ url }) => answer(new URL(url)),
    );
  }

  static async open(browser: Browser): Promise<Gallery> {
    const page = await browser.newPage();
    await page.evaluateOnNewDocument(SPY);
    return new Gallery(page);
  }

  /** Opens the page of a name. */
  async show(name: string, query = ""): Promise<void> {
    const { port } = this.#server.addr;
    const path = encodeURIComponent(name);
    await this.page.goto(`http://127.0.0.1:${port}/${path}${query}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.close();
    await this.#server.shutdown();
  }
}

async function answer({ pathname, search }: URL): Promise<Response> {
  const name = decodeURIComponent(pathname.slice(1));
  if (DRAWN[name] !== undefined) {
    const text = await draw(name, search === "?hostile" ? poison : undefined);
    return respond(text, "text/html; charset=utf-8");
  }
  const asset = ASSETS[pathname];
  return asset === undefined
    ? new Response("No such page", { status: 404 })
    : respond(asset.text, asset.type);
}

function respond(text: string, type: string): Response {
  return new Response(text, { headers: { ...HEADERS, "content-type": type } });
}

await testInBrowser((browser) => Gallery.open(browser), {
  async "axe finds nothing on any page in any state, in light and dark"(
    gallery,
  ) {
    await gallery.page.setViewport({ width: 1200, height: 800 });
    for (const name of Object.keys(DRAWN)) {
      await gallery.show(name);
      assertEquals(await violationsOn(gallery.page), [], name);
    }
  },

  async "hostile text runs nothing, and breaks no page of 360 pixels"(gallery) {
    await gallery.page.setViewport({ width: 360, height: 800 });
    for (const name of Object.keys(DRAWN)) {
      await gallery.show(name, "?hostile");
      assertEquals(
        await gallery.page.evaluate(
          "[document.documentElement.scrollWidth - innerWidth, ...globalThis.hacked]",
        ),
        [0],
        name,
      );
    }
  },
});
