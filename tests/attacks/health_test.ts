/** What a client may do to the health endpoint, and how little it may learn there. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { ConfigError, runContainer, startContainer } from "../../container.ts";
import { checkAddress } from "../../src/config/values.ts";
import { serveHealth } from "../../src/container/health.ts";
import { Queue } from "../../producer.ts";
import { Folder, freeAddress } from "../support/cli.ts";
import { EngineRig } from "../support/engine_rig.ts";
import { TestServer } from "../support/server.ts";
import { SqsError } from "../../src/errors.ts";

/** The status and body of a path. */
async function get(host: string, path: string): Promise<[number, string]> {
  const response = await fetch(`http://${host}${path}`, {
    headers: { connection: "close" },
  });
  return [response.status, await response.text()];
}

async function serve() {
  const server = await serveHealth({
    address: checkAddress("127.0.0.1:0")!,
    problem: () => undefined,
  });
  return Object.assign(server, { host: new URL(server.url).host });
}

/** A connection that sends text and waits; and its end. */
async function opened(host: string, text: string) {
  const [hostname = "", port] = host.split(":");
  const socket: Socket = connect(Number(port), hostname);
  let answer = "";
  socket.on("data", (bytes) => answer += bytes);
  socket.on("error", () => {});
  const closed = new Promise<string>((resolve) =>
    socket.once("close", () => resolve(answer))
  );
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  if (text !== "") socket.write(text);
  return { closed, socket };
}

const HELD = [
  "",
  "GET /livez HTTP/1.1\r\n",
  "GET /livez HTTP/1.1\r\nHost: x\r\nX: ",
];

Deno.test("hundreds of connections without end do not keep a probe from an answer", async () => {
  using server = await serve();
  const held = [];
  for (let i = 0; i < 300; i++) {
    held.push(await opened(server.host, HELD[i % HELD.length]!));
  }
  assertEquals(await get(server.host, "/livez"), [200, "ok\n"]);
  // The oldest made room: they were closed, not answered.
  for (const { closed } of held.slice(0, 200)) assertEquals(await closed, "");
  server[Symbol.dispose]();
  await Promise.all(held.map(({ closed }) => closed));
});

Deno.test("a connection that does not ask is closed in time", async () => {
  using server = await serve();
  const held = await Promise.all(HELD.map((text) => opened(server.host, text)));
  // A client that gets its answer and stays is closed, too.
  const request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
  const stays = await opened(server.host, request + request);
  for (const { closed } of held) assertEquals(await closed, "");
  const answer = await stays.closed;
  assertEquals(answer.split("HTTP/1.1 200").length, 2, answer);
});

Deno.test("a request of any size or shape gets a short answer", async () => {
  using server = await serve();
  const requests: [request: string, status: number][] = [
    [`GET /livez HTTP/1.1\r\nX: ${"x".repeat(100_000)}`, 431],
    [`GET /${"x".repeat(100_000)}`, 431],
    ["hello\r\n\r\n", 400],
    ["\r\n\r\n", 400],
    ["GET livez HTTP/1.1\r\n\r\n", 400],
    ["GET /livez HTTP/2.0\r\n\r\n", 400],
    ["GET http://10.0.0.7:8080/livez HTTP/1.1\r\n\r\n", 200],
    ["GET /livez?x=1 HTTP/1.0\r\n\r\n", 200],
    ["GET /../etc/passwd HTTP/1.1\r\n\r\n", 404],
    [`POST /livez HTTP/1.1\r\n\r\n${"x".repeat(1_000_000)}`, 405],
  ];
  for (const [request, status] of requests) {
    const { closed, socket } = await opened(server.host, request);
    socket.once("data", () => socket.end());
    const answer = await closed;
    assertMatch(answer, new RegExp(`^HTTP/1\\.1 ${status} `), request);
    assert(answer.length < 500);
  }
});

const SECRET =
  "User: arn:aws:sts::123456789012:assumed-role/payments-worker/i-0 is not authorized to perform: sqs:receivemessage on resource: arn:aws:sqs:eu-west-1:123456789012:adder";

Deno.test("an unhealthy container names no role, account or queue", async () => {
  const rig = new EngineRig(() => {});
  await rig.start();
  rig.faults = {
    receive: () =>
      Promise.reject(
        new SqsError(SECRET, { code: "AccessDenied", senderFault: true }),
      ),
  };
  await rig.advance(20);
  await rig.advance(120);
  using server = await serve();
  server.problem = () => rig.engine.problem;
  for (const path of ["/healthz", "/readyz"]) {
    assertEquals(await get(server.host, path), [503, "receives failing\n"]);
  }
  assertEquals(await get(server.host, "/livez"), [200, "ok\n"]);
  await rig.end();
});

Deno.test("a container lives before its queue is open, and while it stops", async () => {
  await using server = await TestServer.start();
  await server.createQueue("jobs");
  const { endpoint } = server;
  const health = freeAddress();
  const paths = ["/livez", "/readyz", "/healthz"];
  const all = () => Promise.all(paths.map((path) => get(health, path)));
  const made = Promise.withResolvers<void>();
  const starting = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const start = startContainer({
    queue: "jobs",
    endpoint,
    health,
    waitTimeSeconds: 1,
    loggers: "<logger>\n level CRITICAL\n</logger>",
    worker: async () => {
      starting.resolve();
      await made.promise;
      return async () => {
        begun.resolve();
        await go.promise;
      };
    },
  });
  await starting.promise;
  const down = (why: string): [number, string][] => [
    [200, "ok\n"],
    [503, `${why}\n`],
    [503, `${why}\n`],
  ];
  assertEquals(await all(), down("starting"));
  made.resolve();
  await using container = await start;
  await using queue = await Queue("jobs", { endpoint });
  await queue();
  await begun.promise;
  const up: [number, string][] = paths.map(() => [200, "ok\n"]);
  assertEquals(await all(), up);
  container.pause();
  assertEquals(await all(), up);
  const stopped = container.stop();
  assertEquals(await all(), down("stopping"));
  go.resolve();
  await stopped;
});

const MORTAL = `
export default () => {
  let isDown = true;
  try {
    Deno.statSync("FOLDER/down");
  } catch {
    isDown = false;
  }
  if (isDown) throw new Error("database is down");
  return () => {
    Deno.writeTextFileSync("FOLDER/down", "");
    Deno.exit(0);
  };
};
`;

/** Waits until a container is ready, or no longer. */
async function isReady(host: string, wanted: boolean): Promise<void> {
  // The pause leaves the processor to the process that is awaited.
  while ((await get(host, "/readyz"))[0] === 200 !== wanted) await pause(10);
}

Deno.test("a container without a living worker process is not ready, but lives", async () => {
  await using server = await TestServer.start();
  await server.createQueue("jobs");
  await using folder = await Folder.with();
  await folder.write("worker.ts", MORTAL.replaceAll("FOLDER", folder.path));
  const { endpoint } = server;
  const health = freeAddress();
  await using _container = await startContainer({
    queue: "jobs",
    endpoint,
    health,
    waitTimeSeconds: 1,
    shutdownTimeoutSeconds: 0,
    loggers: "<logger>\n level CRITICAL\n</logger>",
    worker: folder.at("worker.ts"),
    isolation: "process",
    allowRead: folder.path,
    allowWrite: folder.at("down"),
  });
  assertEquals(await get(health, "/readyz"), [200, "ok\n"]);
  await using queue = await Queue("jobs", { endpoint });
  await queue();
  await isReady(health, false);
  for (const path of ["/readyz", "/healthz"]) {
    assertEquals(await get(health, path), [503, "no worker process\n"]);
  }
  assertEquals(await get(health, "/livez"), [200, "ok\n"]);
  await Deno.remove(folder.at("down"));
  await isReady(health, true);
});

Deno.test("a container that cannot start answers no probe any more", async () => {
  await using server = await TestServer.start();
  await server.createQueue("jobs");
  const health = freeAddress();
  const start = runContainer({
    queue: "jobs",
    endpoint: server.endpoint,
    health,
    loggers: "<logger>\n level CRITICAL\n</logger>",
    worker: () => {
      throw new Error("no");
    },
  });
  await assertRejects(() => start, ConfigError, "failed: Error: no");
  const [hostname = "", port] = health.split(":");
  Deno.listen({ hostname, port: Number(port) }).close();
});
