/**
 * `zsqs send --stdin` with more lines, or a longer one, than fit into memory.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { setUp } from "../../testing.ts";
import { replaceCalls } from "../support/call_faults.ts";
import { cli } from "../support/cli.ts";
import {
  CREDENTIALS,
  servePackage,
  TestProcess,
  TestServer,
} from "../support/server.ts";

const CHUNK = new TextEncoder().encode("a".repeat(1_000_000));

const MEMORY_MB = 200;

/** The most memory that a process has had so far, in MB. */
async function peakMb(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)![1]) / 1000;
}

Deno.test({
  name: "zsqs send --stdin takes a line of 300 MB in bounded memory",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using server = await TestServer.start();
    await using registry = await servePackage();
    await server.createQueue("adder");
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", "jsr:@zsqs/cli", "send", "--stdin", "adder"],
      env: { ...CREDENTIALS, ...registry.env, ...server.env },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let copied = 0;
    const reading = child.stdout.pipeTo(
      new WritableStream({
        write(chunk) {
          copied += chunk.length;
        },
      }),
    );
    const writer = child.stdin.getWriter();
    for (let i = 0; i < 300; i++) await writer.write(CHUNK);
    const peak = await peakMb(child.pid);
    await writer.close();
    await reading;
    assertEquals((await child.status).code, 1);
    assertEquals(copied, 300 * CHUNK.length);
    assert(peak < MEMORY_MB, `${peak} MB`);
  },
});

Deno.test({
  name: "zsqs send --stdin fails if standard input cannot be read",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using server = await TestServer.start();
    await using registry = await servePackage();
    await server.createQueue("adder");
    const line =
      `${Deno.execPath()} run -q -A jsr:@zsqs/cli send --stdin adder`;
    await using sending = new TestProcess(["-c", `${line} < .`], {
      cwd: ".",
      env: { ...registry.env, ...server.env },
      program: "sh",
    });
    assertEquals(await sending.status(), 1);
    assertMatch(sending.stderr, /^EISDIR: illegal operation on a directory/m);
  },
});

Deno.test("zsqs send --stdin sends 100,000 lines once each, in constant memory, and copies a bad one", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  const count = 100_000;
  const bad = 95_000;
  const times = new Uint8Array(count + 1);
  using _calls = replaceCalls({
    // Takes them and keeps nothing, as SQS does in this process.
    send(_real, _url, messages) {
      for (const { body } of messages) times[JSON.parse(body)[0][0]]!++;
      return Promise.resolve(
        messages.map(() => ({ ok: true, value: { messageId: "1" } })),
      );
    },
  });
  const heaps: number[] = [];
  const feed = async function* () {
    for (let line = 1; line <= count; line++) {
      if (line % 20_000 === 0) heaps.push(await heapBytes());
      yield line === bad ? "[95000" : `[${line}, "${"x".repeat(99)}"]`;
    }
  };
  const first = await cli(["send", "--stdin", "adder"], feed());
  assertEquals([first.status, first.stdout], [1, ["[95000"]]);
  assert(first.stderr.includes("Sent 99,999 jobs to adder"));
  await cli(["send", "--stdin", "adder"], ["[95000]"]);
  assert(times.subarray(1).every((each) => each === 1), "each is sent once");
  // Between lines 20,000 and 80,000: a number kept for each would be 0.5 MB.
  const grown = (heaps[3]! - heaps[0]!) / 1e6;
  assert(grown < 0.4, `The heap has grown by ${grown} MB`);
});

/** What the heap holds after a collection. */
async function heapBytes(): Promise<number> {
  const { setFlagsFromString } = await import("node:v8");
  const { runInNewContext } = await import("node:vm");
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return Deno.memoryUsage().heapUsed;
}
