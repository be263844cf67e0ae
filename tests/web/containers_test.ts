/**
 * Containers on the page for operators: the ones of the process, and remote ones.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { checkAddress } from "../../src/config/values.ts";
import { setUp } from "../../testing.ts";
import { Folder, freeAddress } from "../support/cli.ts";
import { servePackage, TestProcess, TestServer } from "../support/server.ts";
import { startWeb, Visitor } from "../support/visitor.ts";

/** What an honest container answers. */
const STATS = {
  ...{ version: "1.2.3", queue: "adder", region: "us-east-1" },
  ...{ state: "running", concurrency: 4, running: 2 },
  ...{ jobsPerMinute: 120, p50Ms: 12, p99Ms: 80 },
  ...{ done: 100, failed: 3, removed: 3, retried: 0, leasesLost: 1 },
};

/** A container elsewhere, which answers as a test says. */
function serve(answer: () => Response | Promise<Response>) {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    answer,
  );
  const address = checkAddress(`127.0.0.1:${server.addr.port}`)!;
  return {
    address,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("a remote container has its figures, and its jobs count as completions", async () => {
  await using queues = setUp({ queues: ["adder"], silent: true });
  let done = 100;
  await using remote = serve(() => Response.json({ ...STATS, done }));
  await using page = await startWeb(["adder"], {
    containers: [remote.address],
  });
  const visitor = await Visitor.open(page);
  const { text } = await visitor.get("/containers");
  for (const part of ["1.2.3", "120", "12 ms", "80 ms", "Running"]) {
    assert(text.includes(part), part);
  }
  // It is another process's: nobody pauses it from here.
  assertEquals((await visitor.get("/containers/remote-1/pause")).status, 404);
  assertEquals((await visitor.post("/containers/remote-1/pause")).status, 404);
  done += 60;
  await queues.advance(60);
  const cells = (await visitor.get("/")).text;
  assertMatch(cells, /data-label="Done\/min">(?:<[^>]*>|[~\s]|about)*60</);
});

Deno.test("hostile answers of a container are cut, checked, or dropped in time", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  const evil = "<script>alert(1)</script>";
  const answers: [answer: () => Response, isShown: boolean][] = [
    [() => Response.json({ ...STATS, version: evil, queue: evil }), true],
    [
      () => Response.json({ ...STATS, done: -1, p50Ms: "x", running: 1e300 }),
      true,
    ],
    [() => Response.json({ ...STATS, state: evil }), false],
    [() => Response.json([]), false],
    [() => Response.json(null), false],
    [() => new Response("{"), false],
    [() => Response.json({ ...STATS, more: "x".repeat(16_000) }), true],
    [() => Response.json({ ...STATS, more: "x".repeat(16_384) }), false],
    [() => Response.json(STATS, { status: 500 }), false],
    [() => Response.redirect("http://127.0.0.1:1/stats"), false],
  ];
  for (const [answer, isShown] of answers) {
    await using remote = serve(answer);
    await using page = await startWeb(["adder"], {
      containers: [remote.address],
    });
    const visitor = await Visitor.open(page);
    const { status, text } = await visitor.get("/containers");
    assertEquals(status, 200);
    assertEquals(text.includes("No answer"), !isShown, String(answer));
    assert(!text.includes("<script>alert"));
    assert(text.length < 100_000);
  }
});

Deno.test("a container's answer is read no further than the limit", async () => {
  await using _queues = setUp({ queues: ["adder"], silent: true });
  let left = 100;
  const ended = Promise.withResolvers<void>();
  const megabyte = new Uint8Array(1_000_000).fill(32);
  await using remote = serve(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          if (left-- > 0) return controller.enqueue(megabyte);
          controller.close();
          ended.resolve();
        },
        cancel: () => ended.resolve(),
      }, { highWaterMark: 0 }),
    )
  );
  await using page = await startWeb(["adder"], {
    containers: [remote.address],
  });
  const visitor = await Visitor.open(page);
  assertMatch((await visitor.get("/containers")).text, /No answer/);
  await ended.promise;
  assert(left > 0, "all 100 MB were read");
});

Deno.test("a silent container disappears after 30 s, and returns when it answers", async () => {
  await using queues = setUp({ queues: ["adder"], silent: true });
  let isAlive = true;
  await using remote = serve(() =>
    isAlive ? Response.json(STATS) : new Response("", { status: 500 })
  );
  await using page = await startWeb(["adder"], {
    containers: [remote.address],
  });
  const visitor = await Visitor.open(page);
  const text = async () => (await visitor.get("/containers")).text;
  assertMatch(await text(), /Running/);
  isAlive = false;
  await queues.advance(6);
  assertMatch(await text(), /No answer/);
  await queues.advance(24);
  assertMatch(await text(), /No answer/);
  await queues.advance(7);
  assert(!(await text()).includes(remote.address.text));
  isAlive = true;
  await queues.advance(6);
  assertMatch(await text(), /Running/);
});

Deno.test("zsqs FILE.ini --web shows running jobs, pauses, resumes, and stops", async () => {
  await using server = await TestServer.start();
  await using registry = await servePackage();
  const url = await server.createQueue("adder");
  await server.createQueue("adder-failed");
  await using folder = await Folder.with({
    "worker.ts": `export default () => async (x, { port }) => {
      if (x === "bad") throw new TypeError("x is bad");
      await new Promise((resolve) => setTimeout(resolve, 600_000));
    };`,
    "adder.ini": `[container]
worker = worker.ts
queue = adder
failures = adder-failed
region = us-east-1
endpoint = ${server.endpoint}
concurrency = 3
wait_time = 1
shutdown_timeout = 0
`,
  });
  await server.send(url, JSON.stringify([["slow", { port: 1 }], {}]));
  await server.send(
    url,
    JSON.stringify([["long-" + "y".repeat(5_000), { port: 1 }], {}]),
  );
  await server.send(url, JSON.stringify([["bad", { port: 1 }], {}]));
  await using process = new TestProcess([
    ...["run", "-q", "-A", "jsr:@zsqs/cli", "adder.ini", "--web"],
    `--address=${freeAddress()}`,
  ], { cwd: folder.path, env: { ...registry.env, ...server.env } });
  await process.saw("Page: ");
  await process.saw("/?token=");
  const visitor = await Visitor.open({
    url: /Page: (\S+)/.exec(process.stdout)![1]!,
  });
  const containers = async () => (await visitor.get("/containers")).text;
  let text = await containers();
  while (!/slow/.test(text) || !/long-y/.test(text)) text = await containers();
  assert(!text.includes("y".repeat(1_001)));
  assertMatch((await visitor.get("/containers/own-1/pause")).text, /Pause/);
  const paused = await visitor.post("/containers/own-1/pause");
  assertMatch(paused.text, /Paused\. [12] jobs? still runs?\./);
  await server.send(url, JSON.stringify([["while paused", { port: 1 }], {}]));
  const resumed = await visitor.post("/containers/own-1/resume");
  assertMatch(resumed.text, /Running again/);
  while (!/while paused/.test(await containers()));
  const look = await visitor.post("/queues/adder-failed/failed/look");
  assertMatch(look.text, /TypeError: x is bad/);
  process.kill("SIGTERM");
  assertEquals(await process.status(), 0);
});
