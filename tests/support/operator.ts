/**
 * An operator in tests: a real browser on the page of a real command line, whose
 * containers work on a real SQS server.
 *
 * @module
 */

import axe from "npm:axe-core@4.14.1";
import type { Browser, Page } from "./browser.ts";
import { Folder } from "./folder.ts";
import { runCli, type TestProcess, TestServer } from "./server.ts";

/** Notes which hostile texts run, and which loads the page's policy refuses. */
export const SPY =
  `globalThis.hacked = []; globalThis.hack = (how) => globalThis.hacked.push(how);
globalThis.alert = globalThis.hack;
addEventListener("securitypolicyviolation", (event) => globalThis.hack(event.violatedDirective));`;

/** A worker that fails for texts, except for the ones that a file names. */
const WORKER = `import { existsSync } from "node:fs";
export default () => (value: unknown) => {
  const [word = ""] = String(value).split(" ");
  const isFixed = existsSync(new URL("fixed-" + word, import.meta.url));
  if (typeof value === "number" || isFixed) return;
  throw new TypeError("Not a number: " + value);
};
`;

function iniOf(queue: string): string {
  return `[container]
worker = worker.ts
queue = ${queue}
failures = ${queue}-failed
wait_time = 1
`;
}

/** What is slow to start: shared by all tests of a file. */
export class Operator implements AsyncDisposable {
  readonly #stack: AsyncDisposableStack;
  readonly #browser: Browser;
  readonly #process: TestProcess;
  readonly #folder: Folder;
  readonly server: TestServer;
  /** URLs of queues by their names. */
  readonly urls: ReadonlyMap<string, string>;
  /** The page's address without the token. */
  readonly origin: string;

  private constructor(
    parts: {
      readonly stack: AsyncDisposableStack;
      readonly browser: Browser;
      readonly process: TestProcess;
      readonly folder: Folder;
      readonly server: TestServer;
      readonly urls: ReadonlyMap<string, string>;
      readonly origin: string;
    },
  ) {
    this.#stack = parts.stack;
    this.#browser = parts.browser;
    this.#process = parts.process;
    this.#folder = parts.folder;
    this.server = parts.server;
    this.urls = parts.urls;
    this.origin = parts.origin;
  }

  /** Starts queues, containers and their page, and signs the browser in. */
  static async start(
    browser: Browser,
    queues: readonly string[],
    worker: string = WORKER,
  ): Promise<Operator> {
    await using stack = new AsyncDisposableStack();
    const server = stack.use(await TestServer.start());
    const names = queues.flatMap((name) => [name, `${name}-failed`]);
    const urls = new Map<string, string>();
    for (const name of names) urls.set(name, await server.createQueue(name));
    const files = queues.map((name) => `${name}.ini`);
    const folder = stack.use(
      await Folder.with({
        "worker.ts": worker,
        ...Object.fromEntries(queues.map((name) => [
          `${name}.ini`,
          iniOf(name),
        ])),
      }),
    );
    const process = stack.use(
      runCli([...files, "--web", "--address=127.0.0.1:0"], {
        cwd: folder.path,
        env: { JSR_URL: Deno.env.get("JSR_URL")!, ...server.env },
      }),
    );
    await process.saw("Page: ");
    await process.saw("\n");
    const [, address] = /^Page: (\S+)$/m.exec(process.stdout)!;
    const tab = await browser.newPage();
    await tab.goto(address!);
    await tab.close();
    return new Operator({
      ...{ browser, process, folder, server, urls },
      origin: new URL(address!).origin,
      stack: stack.move(),
    });
  }

  /** Opens a tab at a path. */
  async open(path: string, options: TabOptions = {}): Promise<Tab> {
    const page = await this.#browser.newPage();
    page.setDefaultTimeout(20_000);
    await page.evaluateOnNewDocument(SPY);
    await page.setViewport({ width: options.width ?? 1200, height: 800 });
    await page.setJavaScriptEnabled(options.hasScript ?? true);
    const tab = new Tab(page, this.origin);
    await tab.go(path);
    return tab;
  }

  /** Sends jobs that fail, and waits until they are kept. */
  async fail(queue: string, values: readonly unknown[]): Promise<void> {
    const failed = this.urls.get(`${queue}-failed`)!;
    const { visible, inFlight } = await this.server.state(failed);
    await Promise.all(values.map((value) =>
      this.server.send(
        this.urls.get(queue)!,
        JSON.stringify([[value], {}]),
      )
    ));
    await this.server.left(failed, visible + inFlight + values.length);
  }

  /** Lets jobs succeed whose text begins with a word. */
  async fix(word: string): Promise<void> {
    await this.#folder.write(`fixed-${word}`, "");
  }

  get log(): string {
    return this.#process.stderr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

interface TabOptions {
  readonly width?: number;
  readonly hasScript?: boolean;
}

/** A tab, used as people do: by the words on the page, or by its keys. */
export class Tab implements AsyncDisposable {
  readonly page: Page;
  readonly #origin: string;

  constructor(page: Page, origin: string) {
    this.page = page;
    this.#origin = origin;
  }

  async go(path: string): Promise<void> {
    await this.page.goto(this.#origin + path, { waitUntil: "load" });
  }

  /** What can be read on the page, on one line. */
  async text(): Promise<string> {
    const text = await this.page.evaluate("document.body.innerText");
    return String(text).replace(/\s+/g, " ");
  }

  /** The path of the page. */
  get path(): string {
    return this.page.url().slice(this.#origin.length);
  }

  /** Waits until a text can be read, which live updates bring. */
  async sees(text: string): Promise<void> {
    await this.page.waitForFunction(
      `document.body.innerText.replace(/\\s+/g, " ").includes(${
        JSON.stringify(text)
      })`,
    );
  }

  /** Follows a link or presses a button, which leads to a page. */
  async press(name: string): Promise<void> {
    const [link, button] = await Promise.all(
      ["link", "button"].map((role) =>
        this.page.$(`::-p-aria([name="${name}"][role="${role}"])`)
      ),
    );
    const target = link ?? button ?? null;
    if (target === null) {
      throw new Error(`There is no "${name}" in: ${await this.text()}`);
    }
    await Promise.all([this.page.waitForNavigation(), target.click()]);
  }

  /** Types into the field of a label. */
  async fill(label: string, text: string): Promise<void> {
    await this.page.locator(`::-p-aria(${label})`).fill(text);
  }

  /** Ticks the first boxes of a list. */
  async tick(count: number): Promise<void> {
    const boxes = await this.page.$$("input[type=checkbox]");
    for (const box of boxes.slice(0, count)) await box.click();
  }

  /** Presses Tab until something is focused, then a key; ends on another page. */
  async keyTo(name: string, key: "Enter" | "Space" | "Type"): Promise<void> {
    for (let i = 0; i < 200; i++) {
      await this.page.keyboard.press("Tab");
      const focused = await this.page.evaluate(
        `(() => { const e = document.activeElement; return (e.labels?.[0] ?? e).innerText.trim().replace(/\\s+/g, " "); })()`,
      );
      if (!String(focused).startsWith(name)) continue;
      if (key === "Type") return;
      if (key === "Space") return await this.page.keyboard.press("Space");
      await Promise.all([
        this.page.waitForNavigation(),
        this.page.keyboard.press("Enter"),
      ]);
      return;
    }
    throw new Error(`No Tab leads to ${JSON.stringify(name)}`);
  }

  /** The hostile texts that ran, and the loads that the page's policy refused. */
  async hacked(): Promise<unknown> {
    return await this.page.evaluate("globalThis.hacked");
  }

  /** By how many pixels the page is wider than its window. */
  async overflow(): Promise<unknown> {
    return await this.page.evaluate(
      "document.documentElement.scrollWidth - innerWidth",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.close();
  }
}

/**
 * What axe finds on a page in light, and then in dark, where colours alone
 * differ: the rule and its elements.
 */
export async function violationsOn(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found: string[] = [];
  for (
    const [value, options] of [
      ["light", {}],
      ["dark", { runOnly: { type: "rule", values: ["color-contrast"] } }],
    ] as const
  ) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
    const violations = await page.evaluate(
      `axe.run(document, ${
        JSON.stringify({ ...options, resultTypes: ["violations"] })
      }).then(({ violations }) => violations.map(({ id, help, nodes }) =>
      id + ": " + help + ": " + nodes.map(({ html }) => html).join(" | ")))`,
    );
    found.push(
      ...(violations as string[]).map((each) => `${value}: ${each}`),
    );
  }
  return found;
}
