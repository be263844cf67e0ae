/**
 * The behaviours that AWS documents, on the double and on real servers.
 *
 * The real servers are fauxqs and the server at `ZSQS_TEST_ENDPOINT`. The
 * variable `ZSQS_TEST_SERVER` has that server's name in the table of differences.
 * It is called with the credentials of the environment, which must allow it to
 * make, use and delete queues. `tests/runtimes/` plays them on Node and Bun, too.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import {
  checkOnDouble,
  checkOnServer,
  DIFFERENCES,
} from "../support/behaviour_runs.ts";
import { behaviours } from "../support/behaviours.ts";
import { TestServer } from "../support/server.ts";

for (const behaviour of behaviours) {
  Deno.test(
    `on the double ${behaviour.name}`,
    () => checkOnDouble(behaviour),
  );
}

Deno.test("each difference of a server is one of a behaviour", () => {
  const names = behaviours.map(({ name }) => name);
  const listed = DIFFERENCES.map(({ behaviour }) => behaviour);
  assertEquals(listed.filter((name) => !names.includes(name)), []);
  assertEquals(new Set(listed).size, listed.length);
});

Deno.test("on fauxqs all behaviours but those listed are SQS's", async () => {
  await using server = await TestServer.start();
  assertEquals(await checkOnServer("fauxqs", server.endpoint), []);
});

const ENDPOINT = Deno.env.get("ZSQS_TEST_ENDPOINT");
if (ENDPOINT !== undefined) {
  const name = Deno.env.get("ZSQS_TEST_SERVER") ?? "SQS";
  Deno.test(`on ${name} at ${ENDPOINT} all behaviours but those listed are SQS's`, async () => {
    assertEquals(await checkOnServer(name, ENDPOINT), []);
  });
}
