/**
 * `stats = on`: what `GET /stats` answers.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { checkConfig, ConfigError } from "../../container.ts";
import { Container } from "../../src/container/container.ts";
import { readContainerConfig } from "../../src/config/ini_config.ts";
import { Folder, freeAddress } from "../support/cli.ts";
import { TestServer } from "../support/server.ts";
import manifest from "../../deno.json" with { type: "json" };

Deno.test("GET /stats has the counts of a container, and nothing of its jobs", async () => {
  await using server = await TestServer.start();
  const url = await server.createQueue("adder");
  const health = freeAddress();
  await using folder = await Folder.with({
    "worker.ts": `export default ({ secret }) => (x) => {
      if (x === "bad-argument") throw new Error("bad " + secret);
    };`,
    "adder.ini": `[container]
worker = worker.ts
queue = adder
region = us-east-1
endpoint = ${server.endpoint}
health = ${health}
stats = on
wait_time = 1
loggers = <logger>
    level CRITICAL
  </logger>
[worker]
secret = s3cret-option
`,
  });
  for (const argument of ["good-argument", "bad-argument"]) {
    await server.send(url, JSON.stringify([[argument], {}]));
  }
  const config = await readContainerConfig(folder.at("adder.ini"));
  const container = await Container.start(config);
  const running = container.run({});
  const read = async () => await (await fetch(`http://${health}/stats`)).text();
  let text = await read();
  while (!/"done":1,"failed":1/.test(text)) text = await read();
  await container.stop();
  await running;
  const { p50Ms, p99Ms, ...stats } = JSON.parse(text);
  assertEquals(stats, {
    version: manifest.version,
    queue: "adder",
    region: "us-east-1",
    state: "running",
    concurrency: 1,
    running: 0,
    jobsPerMinute: 1,
    done: 1,
    failed: 1,
    retried: 0,
    leasesLost: 0,
    removed: 1,
  });
  assertEquals([typeof p50Ms, typeof p99Ms], ["number", "number"]);
  for (const hidden of ["argument", "s3cret", "secret"]) {
    assertEquals(text.includes(hidden), false);
  }
});

Deno.test("stats needs a health address, and is true or false", () => {
  const settings = { queue: "adder", handler: () => {} };
  const problems = (more: object) =>
    assertThrows(() => checkConfig({ ...settings, ...more }), ConfigError)
      .problems;
  assertEquals(problems({ stats: true }), [
    'Cannot start container as "stats" needs "health", the address that answers /stats',
  ]);
  assertEquals(problems({ stats: "on", health: "127.0.0.1:0" }), [
    'Cannot start container as "stats" must be true or false: current value is "on"',
  ]);
  checkConfig({ ...settings, stats: true, health: "127.0.0.1:0" });
});
