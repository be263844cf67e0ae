/**
 * A real Chromium for tests: npm's, which every machine with Linux on x64 gets
 * without installing anything, or an installed one.
 *
 * If `ZSQS_TEST_BROWSER` is `required`, a machine without one fails the tests
 * instead of skipping them.
 *
 * @module
 */

import { type Browser, launch, type Page } from "npm:puppeteer-core@25.16.0";

export type { Browser, Page };

/** 67 MB: downloaded by the tests that use it, and by nothing else. */
const CHROMIUM = "npm:@sparticuz/chromium@153.0.0";

/** The names of an installed one. */
const INSTALLED = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/** Not the arguments that npm's package proposes: these turn off web security. */
const ARGS = ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none"];

/** Starts a browser, or says why there is none. */
export async function startBrowser(): Promise<Browser> {
  const reasons: string[] = [];
  for (const find of [npmBrowser, installedBrowser]) {
    try {
      return await launch({
        args: ARGS,
        executablePath: await find(),
        headless: "shell",
      });
    } catch (error) {
      reasons.push((error as Error).message.split("\n")[0]!);
    }
  }
  throw new Error(`There is no Chromium: ${reasons.join("; ")}`);
}

async function npmBrowser(): Promise<string> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    throw new Error("npm has one for Linux on x64 alone");
  }
  const { default: chromium } = await import(CHROMIUM);
  return await chromium.executablePath();
}

async function installedBrowser(): Promise<string> {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  for (const name of INSTALLED) {
    for (const folder of folders) {
      const path = `${folder}/${name}`;
      const isThere = await Deno.stat(path).then(() => true, () => false);
      if (isThere) return path;
    }
  }
  throw new Error("none is installed (apt-get install chromium)");
}

/** Tests by name; each gets what {@linkcode testInBrowser} set up. */
export type BrowserTests<Stage> = Readonly<
  Record<string, (stage: Stage) => Promise<void>>
>;

/**
 * Registers tests that share one browser and all else that is slow to start. If
 * there is no browser, each is skipped by its name.
 */
export async function testInBrowser<Stage extends AsyncDisposable>(
  start: (browser: Browser) => Promise<Stage>,
  tests: BrowserTests<Stage>,
): Promise<void> {
  const browser = await findBrowser();
  let stage: Stage;
  Deno.test.beforeAll(async () => {
    if (browser !== undefined) stage = await start(browser);
  });
  Deno.test.afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
    await browser?.close();
  });
  for (const [name, run] of Object.entries(tests)) {
    Deno.test({
      name,
      ignore: browser === undefined,
      // What they share outlives each of them.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: () => run(stage),
    });
  }
}

async function findBrowser(): Promise<Browser | undefined> {
  try {
    return await startBrowser();
  } catch (error) {
    if (Deno.env.get("ZSQS_TEST_BROWSER") === "required") throw error;
    console.error(`Browser tests are skipped. ${(error as Error).message}`);
    return undefined;
  }
}
