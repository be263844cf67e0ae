/**
 * Attacks: input of operators and senders that is far too long or too deep. Each
 * is refused in a short line that names the problem.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { setUp } from "../../testing.ts";
import { cli, Folder } from "../support/cli.ts";

const CONTAINER = "[container]\nworker = w.ts\nqueue = adder\n";

const LONG = "a".repeat(1_000_000);

const FILES: [what: string, text: string, problem: RegExp][] = [
  ["an option", `${CONTAINER}${LONG} = 1`, /"a+\.\.\." in .* is not an option/],
  ["a section", `${CONTAINER}[${LONG}]\n`, /\[a+\.\.\.\] of .* not a section/],
  ["a value", `${CONTAINER}region = ${LONG}`, /current value is "a+\.\.\."/],
  ["a line", `${CONTAINER}${LONG}`, /current line is "a+\.\.\."/],
  [
    "repeated sections",
    `${CONTAINER}[${LONG}]\n[${LONG}]\n`,
    /repeats section \[a+\.\.\.\]/,
  ],
];

for (const [what, text, problem] of FILES) {
  Deno.test(`zsqs check reports ${what} of 1 MB in a short line`, async () => {
    await using _queues = setUp({ silent: true, queues: ["adder"] });
    await using folder = await Folder.with({
      "w.ts": "export default () => () => {};",
      "w.ini": text,
    });
    const { status, stdout, stderr } = await cli([
      "check",
      folder.at("w.ini"),
    ]);
    assertEquals(status, 2);
    const lines = [...stdout, ...stderr];
    assertMatch(lines.join("\n"), problem);
    assert(lines.every(({ length }) => length < 2_000));
  });
}

Deno.test("zsqs check reads a line of 10 MB of spaces", async () => {
  await using _queues = setUp({ silent: true, queues: ["adder"] });
  await using folder = await Folder.with({
    "w.ts": "export default () => () => {};",
    "w.ini": `${CONTAINER}${" ".repeat(10_000_000)}\n`,
  });
  assertEquals((await cli(["check", folder.at("w.ini")])).status, 0);
});

const DEEP = "[".repeat(100_000) + "]".repeat(100_000);

const TOO_DEEP =
  "Cannot send job as its JSON is nested too deeply: arguments must survive JSON unchanged";

Deno.test("zsqs send refuses JSON that is nested too deeply, and says so", async () => {
  await using queues = setUp({ silent: true, queues: ["adder"] });
  const given = await cli(["send", "adder", DEEP]);
  assertEquals(given, { status: 2, stdout: [], stderr: [TOO_DEEP] });
  for (const line of [DEEP, `{"args":${DEEP}}`]) {
    const { status, stdout, stderr } = await cli(
      ["send", "--stdin", "adder"],
      [line, "[1]"],
    );
    assertEquals([status, stdout], [1, [line]]);
    assertEquals(stderr[0], `Line 1 refused: ${TOO_DEEP}`);
  }
  assertEquals(queues.get("adder").jobs, [[1], [1]]);
});

Deno.test("zsqs send quotes the start of a number of 1 MB", async () => {
  await using _queues = setUp({ silent: true, queues: ["adder"] });
  const line = `[${"1".repeat(1_000_000)}]`;
  const { stderr } = await cli(["send", "--stdin", "adder"], [line]);
  assertMatch(stderr[0]!, /^Line 1 refused: Cannot send the number 1+\.\.\.,/);
  assert(stderr[0]!.length < 3_000);
});
