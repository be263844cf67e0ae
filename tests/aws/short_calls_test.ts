/**
 * The calls of a sweep: signed as the SDK signs, and left to the SDK unless they
 * simply succeed.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import { connectToSqs } from "../../src/aws/sqs.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  json,
  messages,
  ScriptedServer,
} from "../support/scripted_server.ts";

const RECEIVE = { maxMessages: 10, waitTimeSeconds: 0 };

/** The SDK names itself, a short call does not. */
function isShort({ headers }: HttpRequest): boolean {
  return headers["user-agent"] === undefined;
}

/** Whether a request has the signature of the test's credentials. */
function isSigned({ headers, body }: HttpRequest): boolean {
  const [, scope = "", names = "", signature] =
    /Credential=[^/]+\/(\S+), SignedHeaders=(\S+), Signature=(\w+)/
      .exec(headers.authorization ?? "") ?? [];
  const sha256 = (data: string | Uint8Array) =>
    createHash("sha256").update(data).digest("hex");
  const hmac = (key: Uint8Array, text: string): Uint8Array =>
    createHmac("sha256", key).update(text).digest();
  const lines = names.split(";").map((name) => `${name}:${headers[name]}\n`);
  const canonical = `POST\n/\n\n${lines.join("")}\n${names}\n${sha256(body)}`;
  const text = `AWS4-HMAC-SHA256\n${headers["x-amz-date"]}\n${scope}\n${
    sha256(canonical)
  }`;
  const key = scope.split("/").reduce(hmac, Buffer.from("AWS4test"));
  return Buffer.from(hmac(key, text)).toString("hex") === signature;
}

/** Makes three receives and a release on a server. */
async function sweep(
  answer: (request: HttpRequest) => HttpAnswer | undefined,
): Promise<{ readonly requests: HttpRequest[]; readonly received: number }> {
  const requests: HttpRequest[] = [];
  await using server = new ScriptedServer((operation, request) => {
    requests.push(request);
    const answered = answer(request);
    if (answered !== undefined) return answered;
    return json(
      operation === "ReceiveMessage"
        ? { Messages: messages(0) }
        : { Successful: [{ Id: "0" }], Failed: [] },
    );
  });
  const endpoint = await server.listen();
  const connection = await connectToSqs({
    endpoint,
    region: "eu-west-1",
    sweeps: true,
  });
  const url = `${endpoint}/1/dead`;
  let received = 0;
  for (let i = 0; i < 3; i++) {
    received += (await connection.receive(url, RECEIVE)).length;
  }
  for (let i = 0; i < 2; i++) {
    const [result] = await connection.changeVisibility(url, [
      { receiptHandle: "1", visibilityTimeoutSeconds: 0 },
    ]);
    assert(result!.ok);
  }
  connection.close();
  return { requests, received };
}

Deno.test("the calls of a sweep are signed as the SDK signs", async () => {
  const { requests, received } = await sweep(() => undefined);
  assertEquals(received, 30);
  // The first of each client shows the server.
  assertEquals(requests.map(isShort), [false, true, true, false, true]);
  for (const request of requests) assert(isSigned(request));
  const [first, second] = requests.map(({ body }) => JSON.parse(String(body)));
  assertEquals(second, first);
});

Deno.test("the SDK makes the calls of a sweep that do not succeed", async () => {
  const failures: [what: string, answer: HttpAnswer][] = [
    ["a refusal", json({ __type: "ExpiredToken", message: "x" }, 403)],
    ["a server's fault", json({ __type: "InternalFailure" }, 500)],
    ["a redirection", json({}, 301)],
  ];
  for (const [what, answer] of failures) {
    const { requests, received } = await sweep((request) =>
      isShort(request) ? answer : undefined
    );
    assertEquals(received, 30, what);
    assertEquals(
      requests.map(isShort),
      [false, true, false, true, false, false, true, false],
      what,
    );
  }
});
