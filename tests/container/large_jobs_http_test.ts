/**
 * Large jobs against a server of SQS and S3 over HTTP: fauxqs, and a proxy of ours
 * where S3 must refuse.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { runContainer } from "../../container.ts";
import { ConfigError, Queue, SendError } from "../../mod.ts";
import { cli, Folder } from "../support/cli.ts";
import { TestBucket } from "../support/buckets.ts";
import { TestServer } from "../support/server.ts";

const POINTER = "software.amazon.payloadoffloading.PayloadS3Pointer";

/** Where the tests' server is, and which objects it holds. */
interface Stage {
  readonly server: TestServer;
  readonly bucket: TestBucket;
  readonly url: string;
  readonly endpoint: string;
}

/** How a server in front of S3 answers a call instead of it. */
type Refusal = (
  method: string,
  path: string,
) => Response | undefined | Promise<Response | undefined>;

function s3Error(status: number, code: string): Response {
  return new Response(
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`,
    { status, headers: { "content-type": "application/xml" } },
  );
}

/** A server that passes calls on, unless they are refused. */
function inFront(upstream: string, refuse: Refusal) {
  return Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      const { pathname, search } = new URL(request.url);
      const refused = await refuse(request.method, pathname);
      const body = request.body === null ? null : await request.arrayBuffer();
      if (refused !== undefined) return refused;
      const headers = new Headers(request.headers);
      headers.delete("host");
      return await fetch(upstream + pathname + search, {
        method: request.method,
        headers,
        body,
      });
    },
  );
}

Deno.test("large jobs over HTTP", async (t) => {
  await using server = await TestServer.start();
  using bucket = await TestBucket.create(server.endpoint, "jobs");
  const stage = async (name: string): Promise<Stage> => ({
    ...{ server, bucket, endpoint: server.endpoint },
    url: await server.createQueue(name),
  });
  const large = "s3://jobs/big";
  const text = "é".repeat(2_000_000);

  await t.step(
    "go to S3 as the Java library writes them, and back",
    async () => {
      const text = "é".repeat(6_500_000);
      const { url, endpoint } = await stage("there-and-back");
      await using queue = await Queue<[string]>("there-and-back", {
        endpoint,
        large,
      });
      await queue(text);
      const [key] = await bucket.keys();
      assertEquals(JSON.parse(await bucket.get(key!)), [[text], {}]);
      const seen: boolean[] = [];
      const summary = await runContainer({
        ...{ queue: url, endpoint, large, waitTimeSeconds: 1 },
        handler: (given: string) => void seen.push(given === text),
      }, { drain: true });
      assertEquals([seen, summary.done], [[true], 1]);
      assertEquals(await bucket.keys(), []);
      await server.left(url, 0);
    },
  );

  await t.step(
    "are read as other programs write them, in batches and in child processes",
    async () => {
      const { url, endpoint } = await stage("isolated");
      await using folder = await Folder.with({});
      const worker = await folder.write(
        "worker.ts",
        "export default () => (text: string) => console.log(text.length);\n",
      );
      const big = JSON.stringify([[text], {}]);
      for (const key of ["big/a", "big/b"]) {
        await bucket.put(key, big);
        await server.send(
          url,
          JSON.stringify(
            [POINTER, { s3BucketName: "jobs", s3Key: key }],
            null,
            1,
          ),
        );
      }
      const summary = await runContainer({
        ...{ queue: url, endpoint, large, waitTimeSeconds: 1, largeKeep: true },
        ...{ worker, isolation: "process" },
      }, { drain: true });
      assertEquals(summary.done, 2);
      assertEquals(await bucket.keys(), ["big/a", "big/b"]);
      for (const key of await bucket.keys()) await bucket.delete(key);
    },
  );

  await t.step("name a bucket that does not exist", async () => {
    const { url, endpoint } = await stage("no-bucket");
    const nowhere = "s3://nowhere/x";
    await using queue = await Queue<[string]>(url, {
      endpoint,
      large: nowhere,
    });
    const error = await assertRejects(() => queue(text), SendError);
    assertMatch(
      error.message,
      /^Cannot send job to "no-bucket", as s3:\/\/nowhere\/x\/\S+ cannot be written: PutObject failed: .*; create the bucket, or correct "large"$/,
    );
    assertEquals(error.code, "NoSuchBucket");
    await server.left(url, 0);
    const start = await assertRejects(
      () =>
        runContainer({
          queue: url,
          endpoint,
          large: nowhere,
          handler: () => {},
        }),
      ConfigError,
    );
    assertEquals(
      start.message,
      'Cannot start container as "large" names bucket "nowhere", which does not exist: create it first, or check its name',
    );
  });

  await t.step("name the right that is denied, and lose nothing", async () => {
    const { url } = await stage("denied");
    const calls: string[] = [];
    // Proxies and other servers answer without an error of S3.
    const answers = [
      new Response("<html>no page", { status: 404 }),
      new Response("<html>forbidden", { status: 403 }),
      new Response(null, { status: 403 }),
    ];
    await using proxy = inFront(server.endpoint, (method, path) => {
      if (!path.startsWith("/jobs/")) return undefined;
      calls.push(method);
      return answers.shift() ?? s3Error(403, "AccessDenied");
    });
    const endpoint = `http://127.0.0.1:${proxy.addr.port}`;
    await using queue = await Queue<[string]>("denied", { endpoint, large });
    const problem = async () =>
      (await assertRejects(() => queue(text), SendError)).message;
    assertMatch(
      await problem(),
      / cannot be written: PutObject failed: the server's answer is not an S3 answer \(HTTP status 404\)$/,
    );
    assertMatch(
      await problem(),
      / cannot be written: PutObject failed: Access Denied; allow this identity s3:PutObject on arn:aws:s3:::jobs\/big\/\*$/,
    );
    await server.left(url, 0);

    await server.send(
      url,
      JSON.stringify([POINTER, { s3BucketName: "jobs", s3Key: "big/a" }]),
    );
    await using folder = await Folder.with({});
    const log = `${folder.path}/log`;
    const summary = await runContainer({
      ...{
        queue: "denied",
        endpoint,
        large,
        waitTimeSeconds: 1,
        retryDelaySeconds: 60,
        attempts: 1,
      },
      failures: "delete",
      handler: () => {},
      loggers: `<logger>\n<logfile>\npath ${log}\n</logfile>\n</logger>`,
    }, { drain: true });
    assertEquals([summary.done, summary.failed, summary.retried], [0, 0, 1]);
    const lines = (await Deno.readTextFile(log)).split("\n");
    const right =
      "s3:GetObject on arn:aws:s3:::jobs/big/* and s3:ListBucket on arn:aws:s3:::jobs";
    assertEquals(
      lines.filter((line) => line.includes(right)).length,
      2,
      lines.join("\n"),
    );
    await server.left(url, 1);
    assertEquals(calls, ["PUT", "PUT", "GET", "GET"]);

    // The writer of a pointer cannot forge a line.
    await server.send(
      url,
      JSON.stringify([POINTER, {
        s3BucketName: "jobs",
        s3Key: "big/\nforged",
      }]),
    );
    const purged = await cli([
      ...["failed", "--purge", "--yes", `--large=${large}`],
      ...[`--endpoint=${endpoint}`, "denied"],
    ]);
    const [line, ...others] = purged.stderr;
    assertEquals(others, []);
    assertMatch(
      line!,
      /^Could not delete 1 object, such as "s3:\/\/jobs\/big\/\\nforged": DeleteObject failed: /,
    );
  });

  await t.step(
    "leave an object that the error names if the send fails",
    async () => {
      const { endpoint } = server;
      const url = await server.createQueue("small-queue", {
        MaximumMessageSize: "1024",
      });
      await using queue = await Queue<[string]>(url, {
        endpoint,
        large,
      });
      const attributes = { pad: "x".repeat(2000) };
      const error = await assertRejects(
        () => queue.send([text], { attributes }),
        RangeError,
      );
      const [key] = await bucket.keys();
      assertMatch(
        error.message,
        new RegExp(
          `the limit is 1024 bytes; its body is left in s3://jobs/${key}$`,
        ),
      );
      await bucket.delete(key!);
      const small = await assertRejects(
        () => queue("x".repeat(2000)),
        RangeError,
      );
      assertMatch(small.message, /: set "largeFrom" to 1024 or less$/);
      assertEquals(await bucket.keys(), []);
    },
  );

  await t.step(
    "are uploaded 16 at a time by sendAll, which reads no more",
    async () => {
      const { url } = await stage("many");
      let made = 0;
      const held: (() => void)[] = [];
      let most = 0;
      await using proxy = inFront(server.endpoint, async (method) => {
        if (method !== "PUT" || held.length >= 16) return undefined;
        const { promise, resolve } = Promise.withResolvers<void>();
        if (held.push(resolve) === 16) {
          most = made;
          for (const release of held) release();
        }
        await promise;
        return undefined;
      });
      await using queue = await Queue<[string]>("many", {
        endpoint: `http://127.0.0.1:${proxy.addr.port}`,
        ...{ large, largeFrom: 1000 },
      });
      const text = "x".repeat(1000);
      const { sent } = await queue.sendAll((function* () {
        for (; made < 40; made++) yield [text] as [string];
      })());
      // One more waits for its upload.
      assertEquals([sent, most], [40, 16]);
      assertEquals((await bucket.keys()).length, 40);
      for (const key of await bucket.keys()) await bucket.delete(key);
      await server.left(url, 40);
    },
  );

  await t.step(
    "are cancelled at a stop while they are fetched, and come back",
    async () => {
      const { url } = await stage("stopped");
      await bucket.put("big/a", "[[],{}]");
      await server.send(
        url,
        JSON.stringify([POINTER, { s3BucketName: "jobs", s3Key: "big/a" }]),
      );
      const stop = new AbortController();
      let isCut = false;
      await using proxy = Deno.serve({
        port: 0,
        hostname: "127.0.0.1",
        onListen() {},
      }, async (request) => {
        const { pathname, search } = new URL(request.url);
        if (pathname === "/jobs/big/a") {
          return new Response(
            new ReadableStream({
              start(controller) {
                controller.enqueue(new TextEncoder().encode("[["));
                setTimeout(() => stop.abort(), 0);
              },
              cancel: () => void (isCut = true),
            }),
          );
        }
        const headers = new Headers(request.headers);
        headers.delete("host");
        return await fetch(server.endpoint + pathname + search, {
          method: request.method,
          headers,
          body: request.body && await request.arrayBuffer(),
        });
      });
      let runs = 0;
      const summary = await runContainer({
        ...{
          queue: "stopped",
          shutdownTimeoutSeconds: 600,
          endpoint: `http://127.0.0.1:${proxy.addr.port}`,
          large,
          waitTimeSeconds: 1,
        },
        handler: () => void runs++,
      }, { signal: stop.signal });
      assertEquals([runs, summary.released], [0, 1]);
      assertEquals((await server.state(url)).visible, 1);
      assertEquals(isCut, true);
      await bucket.delete("big/a");
    },
  );

  await t.step(
    "are reported by check, and their objects purged by failed --large",
    async () => {
      const { url, endpoint } = await stage("checked");
      await using folder = await Folder.with({});
      await folder.write("worker.ts", "export default () => () => {};\n");
      const ini = (large: string) =>
        folder.write(
          "w.ini",
          `[container]\nworker = worker.ts\nqueue = checked\nfailures = keep\nendpoint = ${endpoint}\nlarge = ${large}\n`,
        );
      const check = async (large: string) =>
        await cli(["check", await ini(large)]);
      assertEquals((await check("s3://jobs/big")).status, 0);
      const missing = await check("s3://nowhere/x");
      assertEquals(missing.status, 2);
      assertMatch(
        missing.stderr.join("\n"),
        /"large" names bucket "nowhere", which does not exist/,
      );
      const wrong = await check("s3://No_Bucket");
      assertEquals(wrong.status, 2);
      assertMatch(
        wrong.stderr.join("\n"),
        /"large" in \[container\] .* must be a place in S3/,
      );

      for (const key of ["big/a", "other/b"]) {
        await bucket.put(key, "[[],{}]");
        await server.send(
          url,
          JSON.stringify([POINTER, { s3BucketName: "jobs", s3Key: key }]),
        );
      }
      const listed = await cli(["failed", `--endpoint=${endpoint}`, "checked"]);
      assertMatch(listed.stdout.join("\n"), /PayloadS3Pointer/);
      const purged = await cli([
        "failed",
        "--purge",
        "--yes",
        `--large=${large}`,
        `--endpoint=${endpoint}`,
        "checked",
      ]);
      assertEquals([purged.status, purged.stdout], [0, [
        "Deleted 2 messages of checked, and 1 object of S3",
      ]]);
      assertEquals(await bucket.keys(), ["other/b"]);
      await bucket.delete("other/b");
    },
  );
});
