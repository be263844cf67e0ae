/**
 * Text in columns of a terminal.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { cutTo, padTo, widthOf, wrapTo } from "../../src/cli/width.ts";

const WIDTHS: [text: string, width: number][] = [
  ["", 0],
  ["adder", 5],
  ["größe", 5],
  ["e\u0301", 1],
  ["日本語", 6],
  ["한국어", 6],
  ["ｆｕｌｌ", 8],
  ["ｶﾅ", 2],
  ["👍", 2],
  ["👩‍👩‍👧", 2],
  ["❤️", 2],
  ["\u200b", 0],
  ["a\u200bb", 2],
];

Deno.test("widthOf() counts a terminal's columns", () => {
  for (const [text, width] of WIDTHS) assertEquals(widthOf(text), width, text);
  assertEquals(padTo(5, "日本"), "日本 ");
  assertEquals(padTo(3, "adder"), "adder");
});

Deno.test("cutTo() cuts between characters, and marks the cut", () => {
  assertEquals(cutTo(5, "adder"), "adder");
  assertEquals(cutTo(4, "adder"), "add…");
  assertEquals(cutTo(0, "adder"), "");
  assertEquals(cutTo(6, "日本語"), "日本語");
  assertEquals(cutTo(5, "日本語"), "日本…");
  assertEquals(cutTo(4, "日本語"), "日…");
  assertEquals(cutTo(3, "ab👩‍👩‍👧"), "ab…");
  // A sender stacks marks: neither the text nor the work grows.
  const marks = "e" + "\u0301".repeat(1_000_000);
  assert(cutTo(5, marks).length < 200);
});

Deno.test("wrapTo() parts a text at spaces, and leaves words whole", () => {
  assertEquals(wrapTo(9, "one two three"), ["one two", "three"]);
  assertEquals(wrapTo(3, "a longword b"), ["a", "longword", "b"]);
  assertEquals(wrapTo(5, "日本 語"), ["日本", "語"]);
  assertEquals(wrapTo(5, ""), [""]);
});
