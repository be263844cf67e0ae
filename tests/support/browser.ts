/**
 * A real Chromium for tests: npm's, which most machines with Linux on x64 run
 * without installing anything, or an installed one.
 *
 * If `ZSQS_TEST_BROWSER` is `required`, a machine without one gets Debian's, and
 * fails the tests if it cannot, instead of skipping them.
 *
 * @module
 */

import { tmpdir } from "node:os";
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
  // Files of tests run side by side, and must not unpack or install it twice.
  using lock = await Deno.open(`${tmpdir()}/zsqs-browser.lock`, {
    create: true,
    write: true,
  });
  await lock.lock(true);
  for (const find of isRequired() ? [...FINDERS, debianBrowser] : FINDERS) {
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

const FINDERS = [npmBrowser, npmBrowserAgain, installedBrowser];

function isRequired(): boolean {
  return Deno.env.get("ZSQS_TEST_BROWSER") === "required";
}

async function npmBrowser(): Promise<string> {
  if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
    throw new Error("npm has one for Linux on x64 alone");
  }
  const { default: chromium } = await import(CHROMIUM);
  return await chromium.executablePath();
}

/** The package takes what a killed process had half unpacked. */
async function npmBrowserAgain(): Promise<string> {
  await Deno.remove(await npmBrowser());
  return await npmBrowser();
}

async function debianBrowser(): Promise<string> {
  for (const args of [["update"], ["install", "-y", "chromium"]]) {
    const { success } = await new Deno.Command("apt-get", { args }).output();
    if (!success) throw new Error(`apt-get ${args.join(" ")} failed`);
  }
  return await installedBrowser();
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
type BrowserTests<Stage> = Readonly<
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
    if (isRequired()) throw error;
    console.error(`Browser tests are skipped. ${(error as Error).message}`);
    return undefined;
  }
}
