/**
 * The page, driven in a real browser as an operator would.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { testInBrowser } from "../support/browser.ts";
import { Operator, type Tab, violationsOn } from "../support/operator.ts";

const FAILED = "/queues/adder-failed/failed";

/** Looks into the failures queue, for the first time or again. */
async function look(tab: Tab): Promise<void> {
  const isFirst = (await tab.text()).includes("Look now");
  await tab.press(isFirst ? "Look now" : "Look again");
}

/** The list of the jobs with a text. */
function listOf(text: string): string {
  return `${FAILED}?${new URLSearchParams({ text })}`;
}

const HOSTILE = [
  `<script>hack("script")</script>`,
  `"><img src=x onerror='hack("attribute")'>`,
  `</textarea></pre></title><svg onload='hack("svg")'>`,
  `javascript:hack("url")`,
  `*{background:url(javascript:hack("css"))}</style><style>*{display:none}`,
];

await testInBrowser(
  (browser) => Operator.start(browser, ["adder", "mail"]),
  {
    async "an operator sees a queue fill, and pauses and resumes its container"(
      operator,
    ) {
      await using tab = await operator.open("/containers");
      await tab.press("Pause mail.ini");
      assertStringIncludes(await tab.text(), "Running jobs finish.");
      await tab.press("Cancel");
      await tab.press("Pause mail.ini");
      await tab.press("Pause");
      await tab.sees("Paused mail.ini");
      // Another tab shows what happens meanwhile, without being reloaded.
      await using overview = await operator.open("/");
      await overview.sees("Live");
      await tab.go("/queues/mail");
      for (const args of ["[1, 2", "[12345678901234567890]"]) {
        await tab.fill("Arguments (JSON array)", args);
        await tab.press("Send job");
        assertStringIncludes(await tab.text(), "Not sent: ");
      }
      for (const args of ["[1]", "[2]"]) {
        await tab.fill("Arguments (JSON array)", args);
        await tab.press("Send job");
        assertStringIncludes(await tab.text(), "Job sent. Message ID");
      }
      await overview.page.waitForFunction(
        `document.querySelector("#q-mail").closest("tr").querySelector("td").innerText.includes("~2")`,
      );
      await tab.go("/containers");
      await tab.press("Resume mail.ini");
      await tab.sees("Running mail.ini");
      await operator.server.left(operator.urls.get("mail")!, 0);
    },

    async "a failed job with a hostile body is shown, and runs nothing"(
      operator,
    ) {
      await operator.fail("adder", HOSTILE);
      await using tab = await operator.open(FAILED);
      assertStringIncludes(
        await tab.text(),
        "Looking receives each message. Receive counts rise by one",
      );
      await look(tab);
      for (const body of HOSTILE) {
        await tab.go(listOf(body));
        const link = await tab.page.waitForSelector("table a");
        await Promise.all([tab.page.waitForNavigation(), link!.click()]);
        const shown = await tab.page.evaluate(
          "document.querySelector('pre').textContent",
        );
        assertEquals(shown, JSON.stringify([[body], {}]));
        assertStringIncludes(await tab.text(), "TypeError: Not a number");
        assertEquals(await tab.hacked(), []);
        await tab.press("Delete");
        assertEquals(await tab.hacked(), []);
      }
    },

    async "an operator filters failed jobs, and redrives a selection"(
      operator,
    ) {
      await operator.fail("adder", ["red 1", "red 2", "red 3", "blue"]);
      await using tab = await operator.open(FAILED);
      await look(tab);
      await tab.fill("Text", "red ");
      await tab.press("Filter");
      assertStringIncludes(await tab.text(), "3 matching");
      assert(!(await tab.text()).includes("blue"));
      await tab.press("Redrive selected");
      assertStringIncludes(await tab.text(), "Select at least one job.");
      await tab.go(listOf("red "));
      await tab.tick(2);
      await tab.press("Redrive selected");
      const question = await tab.text();
      assertStringIncludes(question, "Redrive 2 jobs? 2 return to adder.");
      await operator.fix("red");
      await tab.press("Redrive 2 jobs");
      await tab.sees("Redrove 2 of 2 jobs.");
      await operator.server.left(operator.urls.get("adder")!, 0);
      await tab.press("Back to adder-failed");
      await look(tab);
      await tab.go(listOf("red "));
      assertStringIncludes(await tab.text(), "1 matching");
      assertEquals(
        await tab.page.$$("input:checked"),
        [],
        "the selection is gone",
      );
    },

    async "deleting all that match is asked for, and done after a confirmation"(
      operator,
    ) {
      await operator.fail("adder", ["old 1", "old 2", "old 3", "keep"]);
      await using tab = await operator.open(FAILED);
      await look(tab);
      await tab.go(listOf("old "));
      await tab.press("Delete all 3 matching");
      const question = await tab.text();
      assertStringIncludes(question, "Delete 3 jobs?");
      assertStringIncludes(question, "This cannot be undone. Text: “old ”.");
      await tab.press("Cancel");
      assertEquals(tab.path, FAILED);
      await tab.go(listOf("old "));
      await tab.press("Delete all 3 matching");
      await tab.press("Delete 3 jobs");
      await tab.sees("Deleted 3 of 3 jobs.");
      await tab.press("Back to adder-failed");
      await look(tab);
      await tab.go(listOf("old "));
      await tab.sees("No job matches.");
      await tab.go(listOf("keep"));
      await tab.sees("1 matching");
    },

    async "the page is complete without JavaScript"(operator) {
      await operator.fail("adder", ["plain 1", "plain 2"]);
      await using tab = await operator.open("/", { hasScript: false });
      assertStringIncludes(await tab.text(), "Reload to update");
      await tab.press("Failed jobs");
      await tab.press("adder-failed");
      await look(tab);
      await tab.go(listOf("plain "));
      await tab.tick(1);
      await tab.press("Delete selected");
      await tab.press("Delete 1 job");
      while (!(await tab.text()).includes("Deleted 1 of 1 job.")) {
        await tab.page.reload();
      }
      await tab.go("/containers");
      await tab.press("Pause mail.ini");
      await tab.press("Pause");
      await tab.press("Resume mail.ini");
      assertStringIncludes(await tab.text(), "Running mail.ini");
    },

    async "the keyboard alone reaches everything"(operator) {
      await operator.fail("adder", ["keys 1", "keys 2"]);
      await using tab = await operator.open("/");
      await tab.keyTo("Failed jobs", "Enter");
      await tab.keyTo("adder-failed", "Enter");
      await tab.keyTo("Look", "Enter");
      await tab.keyTo("Text", "Type");
      await tab.page.keyboard.type("keys ");
      await tab.keyTo("Filter", "Enter");
      await tab.keyTo("Select job", "Space");
      await tab.keyTo("Redrive selected", "Enter");
      assertStringIncludes(await tab.text(), "Redrive 1 job?");
      await tab.keyTo("Cancel", "Enter");
      await tab.keyTo("Overview", "Enter");
      await tab.keyTo("mail", "Enter");
      await tab.keyTo("Arguments", "Type");
      await tab.page.keyboard.type("[3]");
      await tab.keyTo("Send job", "Enter");
      assertStringIncludes(await tab.text(), "Job sent.");
    },

    async "every page fits 360 pixels and is accessible, in light and dark"(
      operator,
    ) {
      await operator.fail("adder", ["a".repeat(2_000), "short"]);
      await using tab = await operator.open(FAILED, { width: 360 });
      await look(tab);
      const job = await tab.page.evaluate(
        "document.querySelector('table a').getAttribute('href')",
      );
      const paths = ["/", "/queues/adder", "/failed", FAILED, `${job}`];
      for (const path of [...paths, "/containers", "/nowhere"]) {
        await tab.go(path);
        assertEquals(await tab.overflow(), 0, path);
        assertEquals(await violationsOn(tab.page), [], path);
      }
      await tab.go(FAILED);
      await tab.tick(2);
      await tab.press("Delete selected");
      assertStringIncludes(await tab.text(), "Delete 2 jobs?");
      assertEquals(await tab.overflow(), 0);
      assertEquals(await violationsOn(tab.page), []);
    },
  },
);
