/**
 * `zsqs send --stdin` with a line that is longer than the memory it may take.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { CREDENTIALS, servePackage, TestServer } from "../support/server.ts";

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
