/**
 * `zsqs failed --redrive` of 10,000 messages as a process: in a pipe and on a
 * terminal, stopped and killed half-way.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { Queue } from "../../producer.ts";
import {
  hasTerminals,
  runCli,
  runCliOnTerminal,
  servePackage,
  type TestProcess,
  TestServer,
} from "../support/server.ts";

const COUNT = 10_000;

/** What a batch may have twice, and receives that were under way may hide. */
const BATCH = 10;
const HELD = 4 * BATCH;

async function fill(server: TestServer): Promise<void> {
  await using queue = await Queue("failed", { endpoint: server.endpoint });
  await queue.sendAll(
    Array.from({ length: COUNT }, (_, i) => ({
      args: [i],
      attributes: {
        "zsqs.failure": JSON.stringify({
          queue: "adder",
          messageId: String(i),
          error: "TypeError",
          message: "bad",
          receiveCount: 1,
          time: new Date(0).toISOString(),
        }),
      },
    })),
  );
}

/** Receives all that is visible. */
async function receiveAll(server: TestServer, url: string): Promise<string[]> {
  const bodies: string[] = [];
  const receive = async () => {
    for (;;) {
      const some = await server.receive(url);
      if (some.length === 0) return;
      bodies.push(...some);
    }
  };
  await Promise.all([receive(), receive(), receive(), receive()]);
  return bodies;
}

Deno.test("zsqs failed --redrive loses nothing and doubles one batch at most, however it is stopped", async (t) => {
  await using server = await TestServer.start();
  await using registry = await servePackage();
  const failed = await server.createQueue("failed");
  // Long enough to read them all once.
  const adder = await server.createQueue("adder", {
    VisibilityTimeout: "43200",
  });
  await fill(server);
  const options = {
    cwd: Deno.cwd(),
    env: { ...registry.env, ...server.env, AWS_REGION: "us-east-1" },
  };
  const args = ["failed", "--redrive", "--to=adder", "failed"];
  const halfWay = async (signal: Deno.Signal): Promise<TestProcess> => {
    await using process = runCli(args, options);
    await process.saw("Sent back 1,000 of about ");
    process.kill(signal);
    await process.status();
    return process;
  };

  await t.step("SIGINT", async () => {
    const process = await halfWay("SIGINT");
    assertEquals(await process.status(), 0);
    assertMatch(
      process.stdout,
      /^Sent back [\d,]+ messages of failed: [\d,]+ to adder\n$/,
    );
    assertMatch(
      process.stderr,
      /\nStopped as asked: rerun for the rest\n$/,
    );
    const [left, sent] = [
      await server.state(failed),
      await server.state(adder),
    ];
    assertEquals([left.inFlight, left.visible + sent.visible], [0, COUNT]);
  });

  await t.step("SIGKILL", async () => {
    await halfWay("SIGKILL");
    const [left, sent] = [
      await server.state(failed),
      await server.state(adder),
    ];
    const all = left.visible + left.inFlight + sent.visible;
    assert(COUNT <= all && all <= COUNT + BATCH, `${all} messages`);
    assert(left.inFlight <= HELD, `${left.inFlight} are hidden`);
    assert(left.visible > 0, "it was killed half-way");
  });

  await t.step({
    name: "on a terminal",
    ignore: !hasTerminals,
    async fn() {
      await using process = runCliOnTerminal(args, {
        ...options,
        stdin: "y\n",
      });
      assertEquals(await process.status(), 0);
      const { stdout } = process;
      assertMatch(
        stdout,
        /Send about [\d,]+ messages in failed back to be retried\? \[y\/N\] /,
      );
      const bars = stdout.split("\r\x1b[K").slice(1, -1);
      assert(bars.length > 1, `${bars.length} bars were drawn`);
      for (const bar of bars) {
        assert(bar.length < 80, "a bar fits in a line");
        assertMatch(
          bar,
          /^\[#*-*\] {1,3}\d{1,3} % Sent back [\d,]+ of about [\d,]+ messages/,
        );
      }
      assertMatch(
        stdout.split("\r\x1b[K").at(-1)!,
        /^Sent back [\d,]+ messages of failed: [\d,]+ to adder\r\n$/,
      );
    },
  });

  const { visible, inFlight } = await server.state(failed);
  if (hasTerminals) assertEquals(visible, 0);
  const bodies = await receiveAll(server, adder);
  const different = new Set(bodies);
  assert(different.size + visible + inFlight >= COUNT, "nothing is lost");
  assert(
    bodies.length - different.size <= BATCH,
    `${bodies.length - different.size} are there twice`,
  );
});
