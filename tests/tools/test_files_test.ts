/**
 * The files that `deno task test` runs.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { testFiles } from "../../tools/test.ts";

Deno.test("testFiles() takes the long tests of a folder, or the others", () => {
  const short = testFiles(["tests/tools"], false);
  assertEquals(short.includes("tests/tools/registry_test.ts"), true);
  assertEquals(short.includes("tests/tools/jsr_long_test.ts"), false);
  assertEquals(testFiles(["tests/tools"], true), [
    "tests/tools/jsr_long_test.ts",
  ]);
});

Deno.test("testFiles() takes a file as it is, and finds none in a wrong path", () => {
  const file = "tests/tools/jsr_long_test.ts";
  assertEquals(testFiles([file], false), [file]);
  assertEquals(testFiles(["tests/nowhere"], false), []);
});
