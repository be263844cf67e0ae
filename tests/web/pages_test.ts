/**
 * The pages of operators as text: their parts, and that no text of others
 * becomes markup.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { ASSETS } from "../../src/web/pages/assets.ts";
import { draw, DRAWN } from "../support/drawn_pages.ts";
import { poison } from "../support/hostile_views.ts";
import { NOW_MS } from "../support/page_views.ts";

const NAMES = Object.keys(DRAWN);

const TAGS = /<(\/?[a-z!][^\s>]*)((?:[^>"]|"[^"]*")*)>/gi;

/** The tags of a page with the names of their attributes. */
function structureOf(html: string): string[] {
  return [...html.matchAll(TAGS)].map(([, tag, attributes]) =>
    [tag, ...attributes!.replace(/="[^"]*"/g, " ").split(/[\s/]+/)]
      .filter((name) => name !== "").join(" ")
  );
}

/** Addresses on a page. */
function addressesOf(html: string): string[] {
  return [...html.matchAll(/ (?:href|src|action|formaction)="([^"]*)"/g)]
    .map(([, address]) => address!);
}

for (const name of NAMES) {
  Deno.test(`page "${name}" keeps its structure with hostile text everywhere`, async () => {
    const hostile = await draw(name, poison);
    assertEquals(structureOf(hostile), structureOf(await draw(name)));
    assert(!hostile.includes("<script>ran"), "text is escaped");
    // Fields hold the typed texts.
    const shown = hostile.replace(
      / value="[^"]*"|<textarea[^]*?<\/textarea>/g,
      "",
    );
    assert(!/[\u202e\0]/.test(shown), "no text reorders or ends another");
    for (const address of addressesOf(hostile)) {
      assertMatch(address, /^[/#][^"'<>\s]*$/);
    }
    const own = structureOf(hostile).filter((tag) =>
      /^script\b|^style\b|\s(?:style|on\w+)\b/.test(tag)
    );
    assert(own.every((tag) => tag === "script src defer"), own.join());
  });
}

Deno.test("the structure of a page shows injected tags and attributes", () => {
  assertEquals(structureOf('<a href="/x">y</a>'), ["a href", "/a"]);
  assertEquals(structureOf('<a href="/x"onfocus="y">'), ["a href onfocus"]);
  assertEquals(structureOf("<p><script>x</script>"), [
    "p",
    "script",
    "/script",
  ]);
});

Deno.test("every form that changes something carries the token", async () => {
  for (const name of NAMES) {
    const forms = (await draw(name)).match(/<form[^]*?<\/form>/g) ?? [];
    for (const form of forms.filter((each) => each.includes('"post"'))) {
      assertStringIncludes(form, 'name="token" value="form-token"');
    }
  }
});

Deno.test("a read-only page offers nothing that changes something", async () => {
  const readOnly = <T>(value: T): T =>
    typeof value === "object" && value !== null && "isReadOnly" in value
      ? { ...value, isReadOnly: true }
      : value;
  for (
    const name of [
      "overview",
      "queue",
      "failed jobs",
      "failed job",
      "containers",
    ]
  ) {
    const html = await draw(name, readOnly);
    assert(!html.includes('method="post"'), name);
    assert(!html.includes("/pause"), name);
    assertStringIncludes(html, "Read-only: this page cannot change anything.");
  }
});

Deno.test("numbers of SQS are marked as approximate", async () => {
  const html = await draw("overview");
  assertMatch(
    html,
    /title="Approximate count from SQS"><span class="vh">about <\/span><span aria-hidden="true">~<\/span>12,345</,
  );
  assertStringIncludes(html, "Approximate count from SQS.");
});

Deno.test("bodies appear as received: large integers, and a first line feed", async () => {
  assertMatch(
    await draw("failed job"),
    /<pre[^>]*>\n\n\[12345678901234567890\]<\/pre>/,
  );
  assertStringIncludes(await draw("queue"), ">\n\n[1, 2</textarea>");
});

Deno.test("a queue's settings are shown in their largest units", async () => {
  assertStringIncludes(
    await textOf("queue"),
    "Visibility timeout 90 sDelay 0 sRetention 4 dMaximum message size 1,048,576 bytesRedrive policy After 5 receives",
  );
});

Deno.test("times are relative, with the exact time on hover", async () => {
  const iso = new Date(NOW_MS - 7_200_000).toISOString();
  assertStringIncludes(
    await draw("failed jobs"),
    `<time datetime="${iso}" title="2026-11-28 12:03:13 UTC">2 h ago</time>`,
  );
});

Deno.test("buttons carry the count and follow the filter", async () => {
  const html = await draw("failed jobs");
  assertStringIncludes(html, ">Redrive all 38 matching</button>");
  assertStringIncludes(html, 'name="text" value="TypeError"');
  assertStringIncludes(html, 'name="filterId" value="7f3a"');
  assertStringIncludes(await draw("redrive?"), ">Redrive 38 jobs</button>");
});

/** What a reader sees of a page. */
async function textOf(name: string): Promise<string> {
  return (await draw(name)).replace(/<[^>]*>/g, "").replace(/\s+/g, " ");
}

Deno.test("a warning names the ini file that a queue waits for", async () => {
  const text = await textOf("overview");
  assertStringIncludes(
    text,
    "about ~12 messages wait in adder. None are in flight, and no known container consumes it. Run: zsqs adder.ini",
  );
  assertStringIncludes(text, "Its container mail.ini is paused. Resume it.");
});

Deno.test("the net change is called so if no container is known", async () => {
  assertStringIncludes(await textOf("overview"), "net −2.4");
  assertStringIncludes(await textOf("queue"), "Net change");
  assert(!(await textOf("queue, FIFO and consumed")).includes("Net change"));
});

Deno.test("a result says what stayed, and why", async () => {
  assertStringIncludes(
    await textOf("redriven"),
    "Stopped. Redrove 36 of 38 jobs. 2 stayed: 1 is gone or held by another reader, 1: SQS refused it (AccessDenied).",
  );
  assertStringIncludes(
    await textOf("deleted nothing"),
    "Nothing changed: none of the 38 jobs is in the queue now.",
  );
});

Deno.test("the script is at most 2 kB, and writes no HTML", () => {
  const { text } = ASSETS["/live.js"]!;
  const { length } = new TextEncoder().encode(text);
  assert(length <= 2_000, `${length} bytes`);
  assert(!/innerHTML|insertAdjacentHTML|document\.write|eval/.test(text));
});
