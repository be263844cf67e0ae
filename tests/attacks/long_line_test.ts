/**
 * Attacks: a line of standard input that is longer than memory.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { main } from "../../cli.ts";
import { setUp } from "../../testing.ts";

const CHUNK = new TextEncoder().encode("a".repeat(65_536));

Deno.test("zsqs send --stdin refuses a line while it reads it, and keeps none of it", async () => {
  await using queues = setUp({ silent: true, queues: ["adder"] });
  const stderr: string[] = [];
  let copied = 0;
  let largest = 0;
  let refusedAt: number | undefined;
  const encode = (text: string) => new TextEncoder().encode(text);
  const status = await main(["send", "--stdin", "adder"], {
    stderr: (line) => stderr.push(line),
    write(bytes) {
      copied += bytes.length;
      largest = Math.max(largest, bytes.length);
    },
    async *stdin() {
      yield encode('[1]\n["');
      for (let i = 0; i < 512; i++) {
        yield CHUNK;
        if (stderr.length > 0) refusedAt ??= (i + 1) * CHUNK.length;
      }
      yield encode('"]\n[2]\n');
    },
  });
  assertEquals(status, 1);
  assertEquals(queues.get("adder").jobs, [[1], [2]]);
  assertEquals(copied, '[""]\n'.length + 512 * CHUNK.length);
  assertEquals(largest, CHUNK.length);
  assert(refusedAt !== undefined && refusedAt < 9 * 1024 * 1024);
  assertEquals(stderr[0], "Line 2 refused: it is over 8388608 bytes");
});
