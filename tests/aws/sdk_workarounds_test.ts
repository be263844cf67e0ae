/**
 * The workarounds for the SDK: each works, and the SDK still needs it.
 *
 * @module
 */

import {
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
  type SQSClientConfig,
} from "@aws-sdk/client-sqs";
import { assert, assertEquals } from "@std/assert";
import { spy } from "@std/testing/mock";
import { Buffer } from "node:buffer";
import {
  Md5,
  ReceiveMiddleware,
  Sha256,
} from "../../src/aws/sdk_workarounds.ts";

/** A server that accepts everything and has one message. */
function serve() {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      await request.body?.cancel();
      const target = request.headers.get("x-amz-target")!;
      const md5 = "d41d8cd98f00b204e9800998ecf8427e";
      const answer = target.endsWith("ReceiveMessage")
        ? { Messages: [{ MessageId: "1", Body: "", MD5OfBody: md5 }] }
        : { Successful: [{ Id: "0", MessageId: "1", MD5OfMessageBody: md5 }] };
      return new Response(JSON.stringify(answer), {
        headers: { "content-type": "application/x-amz-json-1.0" },
      });
    },
  );
  const client = (config: SQSClientConfig = {}) =>
    new SQSClient({
      region: "us-east-1",
      endpoint: `http://127.0.0.1:${server.addr.port}`,
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
      ...config,
    });
  return { client, [Symbol.asyncDispose]: () => server.shutdown() };
}

const receive = () => new ReceiveMessageCommand({ QueueUrl: "http://x/0/q" });

Deno.test("the SDK signs and checks with the checksums that it is given", async () => {
  await using server = serve();
  using md5 = spy(Md5.prototype, "digest");
  using sha256 = spy(Sha256.prototype, "digest");
  const client = server.client({ md5: Md5, sha256: Sha256 });
  await client.send(
    new SendMessageBatchCommand({
      QueueUrl: "http://x/0/q",
      Entries: [{ Id: "0", MessageBody: "" }],
    }),
  );
  assertEquals(md5.calls.length, 1);
  assert(sha256.calls.length > 0);
  await client.send(receive());
  assertEquals(md5.calls.length, 2);
  client.destroy();
});

Deno.test("the SDK resolves the middleware for each receive with a signal, ReceiveMiddleware once", async () => {
  await using server = serve();
  using resolve = spy(ReceiveMessageCommand.prototype, "resolveMiddleware");
  const { signal } = new AbortController();
  const client = server.client({ cacheMiddleware: true });
  const options = { abortSignal: signal };
  for (let i = 0; i < 3; i++) await client.send(receive(), options);
  assertEquals(resolve.calls.length, 3);

  const receives = new ReceiveMiddleware();
  for (let i = 0; i < 3; i++) {
    const { output } = await receives.send(client, receive(), options);
    assertEquals(output.Messages?.length, 1);
  }
  assertEquals(resolve.calls.length, 4);
  client.destroy();
});

const KEY = Buffer.from("Jefe");

for (
  const [name, checksum, data, wanted] of [
    ["MD5 of nothing", new Md5(), [], "d41d8cd98f00b204e9800998ecf8427e"],
    [
      "MD5 (RFC 1321, A.5)",
      new Md5(),
      ["message digest"],
      "f96b697d7cb7938d525a2f31aaf161d0",
    ],
    [
      "SHA-256 of data in pieces (FIPS 180-2, B.1)",
      new Sha256(),
      ["a", "b", "c"],
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ],
    ...["Jefe", KEY, KEY.buffer.slice(KEY.byteOffset, KEY.byteOffset + 4)].map(
      (key) =>
        [
          `HMAC of SHA-256, keyed with ${
            Object.prototype.toString.call(key)
          } (RFC 4231, 4.3)`,
          new Sha256(key as string),
          ["what do ya want ", "for nothing?"],
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ] as const,
    ),
  ] as const
) {
  Deno.test(`a checksum is right: ${name}`, async () => {
    const digest = async () => {
      for (const each of data) checksum.update(Buffer.from(each));
      return Buffer.from(await checksum.digest()).toString("hex");
    };
    assertEquals(await digest(), wanted);
    checksum.reset();
    assertEquals(await digest(), wanted);
  });
}
