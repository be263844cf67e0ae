/**
 * `health`: what a probe is answered, over HTTP, and when an engine is not healthy.
 *
 * @module
 */

import { SqsError } from "../../src/errors.ts";
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { checkAddress } from "../../src/config/values.ts";
import { serveHealth, type Unready } from "../../src/container/health.ts";
import { ConfigError, runContainer } from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { cli, Folder, freeAddress } from "../support/cli.ts";
import { EngineRig, pass } from "../support/engine_rig.ts";
import { servePackage, TestProcess, TestServer } from "../support/server.ts";

/** What a server answers to a request of raw text, until it closes. */
async function ask(address: string, request: string): Promise<string> {
  const [hostname = "", port] = address.split(":");
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(request));
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of connection.readable) {
    text += decoder.decode(chunk, { stream: true });
  }
  return text;
}

/** A request as Kubernetes's probes make it. */
const probe = (method: string, path: string) =>
  `${method} ${path} HTTP/1.1\r\nHost: 10.0.0.7:8080\r\nUser-Agent: kube-probe/1.31\r\nAccept: */*\r\nConnection: close\r\n\r\n`;

/** The status line's status, and the body. */
async function answer(
  address: string,
  method = "GET",
  path = "/healthz",
): Promise<[status: number, body: string]> {
  const text = await ask(address, probe(method, path));
  const end = text.indexOf("\r\n\r\n");
  return [Number(text.split(" ")[1]), text.slice(end + 4)];
}

Deno.test("serveHealth() answers as a Kubernetes probe asks", async () => {
  const state: { problem?: Unready } = {};
  using server = await serveHealth({
    address: checkAddress("127.0.0.1:0")!,
    problem: () => state.problem,
  });
  const address = new URL(server.url).host;
  assertEquals(await answer(address), [200, "ok\n"]);
  assertEquals(await answer(address, "GET", "/healthz?from=probe"), [
    200,
    "ok\n",
  ]);
  assertEquals(await answer(address, "HEAD"), [200, ""]);
  state.problem = "receives failing";
  for (const path of ["/healthz", "/readyz"]) {
    assertEquals(await answer(address, "GET", path), [
      503,
      "receives failing\n",
    ]);
    assertEquals(await answer(address, "HEAD", path), [503, ""]);
  }
  // Another start would not help.
  assertEquals(await answer(address, "GET", "/livez"), [200, "ok\n"]);
  assertEquals(await answer(address, "HEAD", "/livez"), [200, ""]);
  for (const path of ["/", "/health", "/healthz/", "/healthz/x"]) {
    assertEquals(await answer(address, "GET", path), [
      404,
      "not found: ask for /livez, /readyz, /healthz\n",
    ]);
  }
  for (const method of ["POST", "PUT", "DELETE"]) {
    const text = await ask(address, probe(method, "/healthz"));
    assertStringIncludes(text, "HTTP/1.1 405 ");
    assertStringIncludes(text.toLowerCase(), "\r\nallow: get, head\r\n");
  }
});

Deno.test("serveHealth() ends connections that are kept alive or have not asked", async () => {
  const server = await serveHealth({
    address: checkAddress("127.0.0.1:0")!,
    problem: () => undefined,
  });
  const { host } = new URL(server.url);
  const request = probe("GET", "/healthz").replace("close", "keep-alive");
  const answered = ask(host, request);
  const asking = ask(host, request.slice(0, 10));
  // It is answered first: the connection stays open only then.
  assertEquals(await answer(host), [200, "ok\n"]);
  server[Symbol.dispose]();
  await Promise.allSettled([answered, asking]);
  await assertRejects(() => answer(host), Deno.errors.ConnectionRefused);
});

/** Whether this machine has IPv6: containers often have not. */
function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test({
  name: "serveHealth() listens on IPv6",
  ignore: !hasIpv6(),
  async fn() {
    using server = await serveHealth({
      address: checkAddress("[::1]:0")!,
      problem: () => undefined,
    });
    assertEquals(new URL(server.url).hostname, "[::1]");
    const response = await fetch(server.url, {
      headers: { connection: "close" },
    });
    assertEquals([response.status, await response.text()], [200, "ok\n"]);
  },
});

Deno.test("serveHealth() refuses a wrong address with its reason", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const problem = () => undefined;
  const address = `127.0.0.1:${taken.addr.port}`;
  await assertRejects(
    () => serveHealth({ address: checkAddress(address)!, problem }),
    Error,
    `Cannot start container as "health" cannot listen on ${address}, which is in use: stop the program that uses it, or give another port`,
  );
  await assertRejects(
    () => serveHealth({ address: checkAddress("192.0.2.1:8080")!, problem }),
    ConfigError,
    'Cannot start container as "health" cannot listen on 192.0.2.1:8080, which is not an address of this machine',
  );
});

const ini = (health: string) =>
  `[container]\nworker = worker.ts\nqueue = jobs\nhealth = ${health}\n`;

Deno.test("zsqs refuses a health that is no address", async () => {
  const bad = ["8080", "localhost", ":8080", "::1:8080", "http://a:1", "a:b"];
  for (const health of [...bad, "127.0.0.1:65536", "a b:1", "[x]:1"]) {
    await using folder = await Folder.with({ "jobs.ini": ini(health) });
    const file = folder.at("jobs.ini");
    assertEquals(await cli([file]), {
      status: 2,
      stdout: [],
      stderr: [
        `Cannot start container as "health" in [container] of ${file} (line 4) must be host:port such as "127.0.0.1:8080": current value is "${health}"`,
      ],
    });
  }
});

Deno.test("zsqs refuses two containers that answer on one address", async () => {
  await using folder = await Folder.with({
    "a.ini": ini("127.0.0.1:8080"),
    "b.ini": ini("127.0.0.1:8080"),
  });
  const files = [folder.at("a.ini"), folder.at("b.ini")];
  const problem = `Cannot start container as "health" in [container] of ${
    files[1]
  } is the same as in ${
    files[0]
  }: give each its own port, current value is "127.0.0.1:8080"`;
  assertEquals(await cli(files), { status: 2, stdout: [], stderr: [problem] });
  using _queues = setUp({ silent: true, queues: ["jobs"] });
  const check = await cli(["check", ...files]);
  assertEquals(check.status, 2);
  assertEquals(check.stderr.at(-1), `  Health          ${problem}`);
});

Deno.test("zsqs names the Deno permission that health needs", async () => {
  await using server = await TestServer.start();
  await using registry = await servePackage();
  await server.createQueue("jobs");
  await using folder = await Folder.with({
    "jobs.ini": ini("127.0.0.1:8080"),
    "worker.ts": "export default () => () => {};",
  });
  const { host } = new URL(server.endpoint);
  await using process = new TestProcess(
    [
      "run",
      "-q",
      "--no-prompt",
      "--allow-read",
      "--allow-env",
      "--allow-sys",
      `--allow-net=${host}`,
      "jsr:@zsqs/cli",
      "jobs.ini",
    ],
    { cwd: folder.path, env: { ...registry.env, ...server.env } },
  );
  assertEquals([await process.status(), process.stderr], [
    1,
    'A Deno permission is missing: Requires net access to "127.0.0.1:8080", run again with the --allow-net flag\n',
  ]);
});

Deno.test("runContainer() answers 200 while it runs a job, and 503 while it stops", async () => {
  await using server = await TestServer.start();
  await server.createQueue("jobs");
  const { endpoint } = server;
  const health = freeAddress();
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const stop = new AbortController();
  const running = runContainer({
    queue: "jobs",
    endpoint,
    health,
    loggers: "<logger>\n level CRITICAL\n</logger>",
    worker: () => async () => {
      begun.resolve();
      await go.promise;
    },
  }, { signal: stop.signal });
  await using queue = await Queue("jobs", { endpoint });
  await queue();
  await begun.promise;
  assertEquals(await answer(health), [200, "ok\n"]);
  stop.abort();
  assertEquals(await answer(health), [503, "stopping\n"]);
  go.resolve();
  assertEquals((await running).done, 1);
  await assertRejects(() => answer(health), Deno.errors.ConnectionRefused);
});

Deno.test("runContainer() makes no worker where the health address is in use", async () => {
  await using server = await TestServer.start();
  await server.createQueue("jobs");
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let made = 0;
  await assertRejects(
    () =>
      runContainer({
        queue: "jobs",
        endpoint: server.endpoint,
        health: `127.0.0.1:${taken.addr.port}`,
        worker: () => {
          made++;
          return () => {};
        },
      }),
    Error,
    "which is in use",
  );
  assertEquals(made, 0);
});

Deno.test("runContainer() listens on nothing where the double is set up", async () => {
  await using _queues = setUp({ silent: true });
  const health = freeAddress();
  await runContainer({ queue: "jobs", health, worker: () => () => {} });
  await assertRejects(() => answer(health), Deno.errors.ConnectionRefused);
});

const down = () =>
  Promise.reject(
    new SqsError("ReceiveMessage failed: connect ECONNREFUSED", {
      code: "ECONNREFUSED",
      senderFault: false,
    }),
  );

Deno.test("Engine.problem tells of receives that have failed for a minute", async () => {
  const the = new EngineRig(() => {});
  await the.start();
  assertEquals(the.engine.problem, undefined);
  the.faults = { receive: down };
  // The poll in flight is empty; the next one fails.
  await the.advance(20);
  await the.advance(59);
  assertEquals(the.engine.problem, undefined);
  await the.advance(1);
  assertEquals(the.engine.problem, "receives failing");
  await the.advance(600);
  assertEquals(the.engine.problem, "receives failing");
  the.faults = {};
  await the.advance(51);
  assertEquals(the.engine.problem, undefined);
  await the.end();
});

Deno.test("Engine.problem is none while a full container runs long jobs", async () => {
  const the: EngineRig = new EngineRig(() => pass(the.clock, 600), {
    concurrency: 10,
    prefetch: 10,
  });
  for (let i = 0; i < 20; i++) the.send([i]);
  let receives = 0;
  the.faults = {
    receive: (real, ...args) => {
      receives++;
      return real.receive(...args);
    },
  };
  await the.start();
  await the.advance(1);
  const before = receives;
  for (let minutes = 0; minutes < 9; minutes++) {
    await the.advance(60);
    assertEquals(the.engine.problem, undefined);
  }
  assertEquals(receives, before);
  await the.end();
});

Deno.test("Engine.problem shows that it is stopping", async () => {
  const the: EngineRig = new EngineRig(() => pass(the.clock, 60));
  the.send([1]);
  await the.start();
  assertEquals(the.engine.problem, undefined);
  await the.stop();
  assertEquals(the.engine.problem, "stopping");
  await the.end();
});
