/**
 * Attacks: failures queues that lead back to where their messages came from, so
 * that one bad message makes endless work.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { setUp } from "../../testing.ts";
import { runContainer } from "../../container.ts";
import { ConfigError } from "../../src/errors.ts";
import { cli, Folder } from "../support/cli.ts";

/** A queue's URL and its ARN, as the double has them. */
const url = (name: string) =>
  `https://sqs.us-east-1.amazonaws.com/000000000000/${name}`;
const arn = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;

function ini(queue: string, failures: string): string {
  return `[container]\nworker = w.ts\nqueue = ${queue}\nfailures = ${failures}\n`;
}

const FILES = {
  "w.ts": "export default () => () => {};",
  "self-url.ini": ini("a", url("a")),
  "self-arn.ini": ini(url("a"), arn("a")),
  "self-legacy.ini": ini(
    "a",
    "https://us-east-1.queue.amazonaws.com/000000000000/a",
  ),
  "ab.ini": ini("a", "b"),
  "ba.ini": ini(arn("b"), url("a")),
  "bc.ini": ini("b", url("c")),
  "ca.ini": ini(arn("c"), "a"),
  "cd.ini": ini("c", "d"),
};

/** The files of a command line, and the way that it refuses. */
const LOOPS: readonly (readonly [string, ...string[]])[] = [
  ["a -> a", "self-url.ini"],
  ["a -> a", "self-arn.ini"],
  ["a -> a", "self-legacy.ini"],
  ["a -> b -> a", "ab.ini", "ba.ini"],
  ["b -> a -> b", "ba.ini", "ab.ini"],
  ["a -> b -> c -> a", "ab.ini", "bc.ini", "ca.ini"],
  ["a -> b -> a", "cd.ini", "ab.ini", "ba.ini"],
];

Deno.test("zsqs refuses failures that lead back, and check says so", async (t) => {
  await using folder = await Folder.with(FILES);
  for (const [way, ...files] of LOOPS) {
    const paths = files.map((file) => folder.at(file));
    for (const args of [paths, ["check", ...paths]]) {
      await t.step(args.join(" "), async () => {
        await using _queues = setUp({
          silent: true,
          queues: ["a", "b", "c", "d"],
        });
        const { status, stderr } = await cli(args);
        assertEquals(status, 2);
        const text = stderr.join("\n");
        assertMatch(text, /Cannot start container as "failures"/);
        if (!/must be another queue/.test(text)) {
          assertEquals(stderr.length, 1);
          assert(text.endsWith(`: ${way}`), text);
        }
      });
    }
  }
});

Deno.test("zsqs takes failures that lead nowhere back", async () => {
  await using folder = await Folder.with(FILES);
  for (const files of [["ab.ini", "bc.ini", "cd.ini"], ["ab.ini", "ab.ini"]]) {
    await using _queues = setUp({ silent: true, queues: ["a", "b", "c", "d"] });
    const paths = files.map((file) => folder.at(file));
    assertEquals((await cli(["check", ...paths])).status, 0);
    assertEquals((await cli(paths)).status, 0);
  }
});

Deno.test("runContainer() refuses failures that are its queue", async () => {
  await using _queues = setUp({ silent: true, queues: ["a"] });
  for (const queue of [url("a"), arn("a")]) {
    const error = await runContainer({
      queue: "a",
      failures: { queue },
      loggers: "",
      handler: () => {},
    }).catch((error) => error);
    assert(error instanceof ConfigError);
  }
});
