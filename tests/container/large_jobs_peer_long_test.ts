/**
 * Large jobs that another library sends: `sns-sqs-big-payload` of npm, in its mode
 * that is compatible with Amazon's Extended Client Library for Java. It runs on
 * Node, as its SDK hangs on Deno.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { runContainer } from "../../container.ts";
import { writePointer } from "../../src/message/s3_pointer.ts";
import { TestBucket } from "../support/buckets.ts";
import { Folder } from "../support/folder.ts";
import { TestProcess, TestServer } from "../support/server.ts";

const PEER = `
const { SqsProducer } = require("sns-sqs-big-payload");
const [endpoint, url] = process.argv.slice(2);
// Its SDK calls the host of the queue's URL, which does not resolve.
const queueUrl = endpoint + new URL(url).pathname;
const producer = SqsProducer.create({
  queueUrl,
  region: "us-east-1",
  sqsEndpointUrl: endpoint,
  s3EndpointUrl: endpoint,
  s3Bucket: "peer",
  largePayloadThoughS3: true,
  extendedLibraryCompatibility: true,
});
producer.s3.config.update({ s3ForcePathStyle: true });
producer.sendJSON([["x".repeat(2_000_000), "é"], {}]).then(() => console.log("sent"));
`;

Deno.test("a large job of sns-sqs-big-payload is done, and its object deleted", async () => {
  await using server = await TestServer.start();
  using bucket = await TestBucket.create(server.endpoint, "peer");
  const url = await server.createQueue("peer", { VisibilityTimeout: "1" });
  await using folder = await Folder.with({
    "package.json": { dependencies: { "sns-sqs-big-payload": "0.1.4" } },
    "peer.cjs": PEER,
  });
  const install = await new Deno.Command("npm", {
    args: ["install", "--no-audit", "--no-fund", "--ignore-scripts"],
    cwd: folder.path,
    stdout: "null",
    stderr: "null",
  }).output();
  assertEquals(install.success, true);
  await using peer = new TestProcess(["peer.cjs", server.endpoint, url], {
    cwd: folder.path,
    env: { ...server.env, AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE: "1" },
    program: "node",
  });
  await peer.saw("sent");

  // Both write the same pointer.
  const [key] = await bucket.keys();
  const [body] = await server.receive(url);
  assertEquals(body, writePointer({ bucket: "peer", key: key! }));

  const seen: unknown[] = [];
  await runContainer({
    ...{ queue: url, endpoint: server.endpoint, large: "s3://peer" },
    waitTimeSeconds: 2,
    handler: (text: string, other: string) =>
      void seen.push(text.length, other),
  }, { drain: true });
  assertEquals(seen, [2_000_000, "é"]);
  assertEquals(await bucket.keys(), []);
});
