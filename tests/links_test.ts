/**
 * The links of README and guides: each leads to a file of the project, and each
 * anchor to a heading.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

async function pages(): Promise<string[]> {
  const paths: string[] = [];
  for (const folder of [".", "docs", "examples"]) {
    for await (const { name } of Deno.readDir(join(ROOT, folder))) {
      if (name.endsWith(".md")) paths.push(normalize(join(folder, name)));
    }
  }
  return paths.sort();
}

/** A page's text without its code. */
async function prose(path: string): Promise<string> {
  const text = await Deno.readTextFile(join(ROOT, path));
  return text.replace(/^```[^]*?^```$/gm, "").replace(
    /`[^`]*`/g,
    (code) => code.replace(/[[\]()]/g, ""),
  );
}

/** The anchors of a page, as GitHub and JSR make them of headings. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(
      " ",
      "-",
    )
  );
}

async function isFine(from: string, link: string): Promise<boolean> {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? from : normalize(join(dirname(from), path));
  try {
    await Deno.stat(join(ROOT, target));
    return anchor === undefined ||
      anchors(await prose(target)).includes(anchor);
  } catch {
    return false;
  }
}

Deno.test("each link of README and guides leads somewhere", async () => {
  const wrong: string[] = [];
  let count = 0;
  for (const page of await pages()) {
    const links = (await prose(page)).matchAll(/\]\((?!https?:)([^)\s]+)\)/g);
    for (const [, link] of links) {
      count++;
      if (!await isFine(page, link!)) wrong.push(`${page}: ${link}`);
    }
  }
  assertEquals(wrong, []);
  assertEquals(count > 20, true);
});
