/** The text of an error never decides what becomes of its message. */

import { assertEquals } from "@std/assert";
import { runContainer } from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";

const TEXT = 'Requires net access to "x", run again with the --allow-net flag';

/** Whether the message of a job that throws a value is kept. */
async function isKept(thrown: unknown): Promise<boolean> {
  await using queues = setUp({ silent: true });
  await runContainer({
    queue: "adder",
    loggers: "<logger>\n level CRITICAL\n</logger>",
    handler: () => {
      throw thrown;
    },
  });
  await (await Queue("adder"))();
  return queues.get("adder").messages.length === 1;
}

/** Errors that an input gave their text, and a name where it could. */
const FORGED: [what: string, thrown: unknown][] = [
  ["an Error", new Error(TEXT)],
  // As Deno wraps a refused import.
  ["a TypeError", new TypeError(TEXT)],
  ["a string", TEXT],
  ["a stack", Object.assign(new Error(), { stack: `NotCapable: ${TEXT}` })],
  ["an object", { name: "NotCapable", message: TEXT }],
  ["a DOMException", new DOMException(TEXT, "NotCapable")],
  [
    "an Error's name",
    Object.assign(
      new Error(TEXT),
      JSON.parse(
        '{ "name": "NotCapable", "constructor": { "name": "NotCapable" } }',
      ),
    ),
  ],
  ["a cause", new Error(TEXT, { cause: new Deno.errors.NotCapable(TEXT) })],
  ["many", new AggregateError([new Deno.errors.NotCapable(TEXT)], TEXT)],
  ["a code", Object.assign(new Error(TEXT), { code: "NotCapable" })],
  ["a name of ours", Object.assign(new Error("x"), { name: "TransientError" })],
  ["a lost job", Object.assign(new Error("x"), { name: "LostJobError" })],
  ["an abort", Object.assign(new Error("x"), { name: "JobAbortedError" })],
];

for (const [what, thrown] of FORGED) {
  Deno.test(`a job's error is bad input whatever its text: ${what}`, async () => {
    assertEquals(await isKept(thrown), false);
  });
}

Deno.test("a job that Deno denied a permission is kept whatever its text", async () => {
  assertEquals(await isKept(new Deno.errors.NotCapable("")), true);
});
