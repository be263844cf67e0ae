import { assertEquals } from "@std/assert";
import {
  escapeControls,
  list,
  nearest,
  printable,
  printableLines,
  quote,
  show,
  suggest,
} from "../src/text.ts";

const KNOWN = ["wait_time", "visibility_timeout", "health", "port", "queue"];

const NEAREST: [name: string, near: string | undefined][] = [
  // Other spellings of one name.
  ["waitTimeSeconds", "wait_time"],
  ["wait-time", "wait_time"],
  ["WAIT_TIME", "wait_time"],
  ["wait_time_ms", "wait_time"],
  ["waitTimeMs", "wait_time"],
  // The first part of a name.
  ["visibility", "visibility_timeout"],
  ["h", "health"],
  // A longer name that ends with it.
  ["aws_queue", "queue"],
  ["sqsHealth", "health"],
  // Typing errors.
  ["quue", "queue"],
  ["prot", "port"],
  ["vissibility_timout", "visibility_timeout"],
  // Neither.
  ["worker", undefined],
  ["concurrency", undefined],
  ["__proto__", undefined],
  ["seconds", undefined],
  ["", undefined],
];

Deno.test("nearest() finds a name in another spelling or with typing errors, and no other", () => {
  for (const [name, near] of NEAREST) {
    assertEquals(nearest(name, KNOWN), near, name);
  }
  assertEquals(nearest("wait_time", ["waitTimeSeconds"]), "waitTimeSeconds");
  assertEquals(nearest("params", ["parameters", "param"]), "param");
});

Deno.test("suggest() names the nearest, otherwise at most five", () => {
  const bracket = (name: string) => `[${name}]`;
  assertEquals(suggest("quue", KNOWN, "options"), 'did you mean "queue"?');
  assertEquals(
    suggest("quue", KNOWN, "options", bracket),
    "did you mean [queue]?",
  );
  assertEquals(
    suggest("x", KNOWN, "options", bracket),
    "the options are [wait_time], [visibility_timeout], [health], [port], [queue]",
  );
  assertEquals(
    suggest("x", [..."abcdefg"], "keys", String),
    "the keys are a, b, c, d, e and 2 more",
  );
});

Deno.test("list() lists five texts and counts the rest", () => {
  assertEquals(list([]), "");
  assertEquals(list(["a", "b"]), "a, b");
  assertEquals(list([..."abcdef"]), "a, b, c, d, e and 1 more");
});

Deno.test("printable(), quote() and show() keep messages on one line", () => {
  assertEquals(printable("a\nb\r\t\x1b\u2028"), "a\\nb\\r\\t\\u001b\\u2028");
  assertEquals(quote('a"b\n'), '"a"b\\n"');
  assertEquals(quote("\n".repeat(1_001)), `"${"\\n".repeat(1_000)}..."`);
  assertEquals(
    ["a", 1, null, undefined, {}, [], () => {}, Symbol("s")].map(show),
    [
      '"a"',
      "1",
      "null",
      "undefined",
      "an object",
      "an array",
      "a function",
      "Symbol(s)",
    ],
  );
});

/** What ends lines, drives terminals and turns text around, one of each. */
const UNSAFE = "\r\x00\x07\x1b\x7f\x85\x9b\u061c\u2028\u2029\u202e\u2066";
const ESCAPED = "\\r\\u0000\\u0007\\u001b\\u007f\\u0085\\u009b\\u061c" +
  "\\u2028\\u2029\\u202e\\u2066";

Deno.test("escapeControls() leaves tabs, line feeds and all that is printed", () => {
  assertEquals(
    escapeControls(`a\t\n${UNSAFE}é\u{1f600}`),
    `a\t\n${ESCAPED}é\u{1f600}`,
  );
});

Deno.test("escapeControls() keeps the meaning of JSON", () => {
  const json = JSON.stringify([UNSAFE, "\n\t"]);
  assertEquals(JSON.parse(escapeControls(json)), [UNSAFE, "\n\t"]);
  assertEquals(escapeControls(escapeControls(json)), escapeControls(json));
});

Deno.test("printable() writes one line", () => {
  assertEquals(printable(`a\n\tb${UNSAFE}`), `a\\n\\tb${ESCAPED}`);
});

Deno.test("printableLines() indents all lines but the first", () => {
  assertEquals(
    printableLines(`a\nb\r\n\tc\r\x1b[2Jd`),
    "a\n  b\n  \tc\\r\\u001b[2Jd",
  );
});
