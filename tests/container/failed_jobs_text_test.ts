/**
 * What becomes of failed jobs, as the start line says.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { type ContainerSettings, startContainer } from "../../container.ts";
import { Printed } from "../support/printed.ts";
import { TestServer } from "../support/server.ts";

const queue = "adder-failed";

const FATES: [Partial<ContainerSettings>, string][] = [
  [{}, "are deleted after logging"],
  [{ failures: "delete" }, "are deleted after logging"],
  [{ failures: { queue } }, "are moved to adder-failed"],
  [{ failures: "keep" }, "stay in the queue and are retried"],
  [{ attempts: 5 }, "are retried up to 5 times, then deleted after logging"],
  [
    { attempts: 5, failures: { queue } },
    "are retried up to 5 times, then moved to adder-failed",
  ],
  [
    { attempts: 5, failures: "keep" },
    "are retried up to 5 times, then kept in the queue",
  ],
  [
    { attempts: 1, failures: { queue } },
    "are tried once, then moved to adder-failed",
  ],
];

Deno.test("a container says at its start what becomes of failed jobs", async () => {
  await using server = await TestServer.start();
  await server.createQueue("adder");
  await server.createQueue(queue);
  const where = { endpoint: server.endpoint, region: "us-east-1" };
  for (const [settings, fate] of FATES) {
    using printed = new Printed();
    const container = await startContainer({
      queue: "adder",
      handler: () => {},
      ...where,
      ...settings,
    });
    await container.stop({ force: true });
    assertEquals(
      printed.err[0]?.replace(/^\S+ /, ""),
      `INFO zsqs Listening to adder in us-east-1; failed jobs ${fate}`,
    );
  }
});
