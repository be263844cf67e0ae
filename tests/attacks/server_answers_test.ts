/**
 * Servers and networks that do not answer as SQS does. Their clock is ahead, they
 * refuse for a while, send pages of proxies, stall, or cut answers off.
 *
 * @module
 */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { runContainer } from "../../container.ts";
import { Queue, SendError, SqsError } from "../../producer.ts";
import { cli } from "../support/cli.ts";
import { runForced } from "../support/run_forced.ts";
import {
  accepted,
  type HttpAnswer,
  type HttpRequest,
  json,
  messages,
  ScriptedServer,
} from "../support/scripted_server.ts";

const SILENT = "<logger>\n level CRITICAL\n</logger>";

/** SQS's refusal, as its servers write it. */
function refusal(code: string, message = "not now", status = 400): HttpAnswer {
  const answer = json({ __type: `com.amazonaws.sqs#${code}`, message }, status);
  const headers = { ...answer.headers, "x-amzn-query-error": `${code};Sender` };
  return { ...answer, headers };
}

/** A server whose clock is an hour ahead, and that refuses others' times. */
class AheadServer extends ScriptedServer {
  refused = 0;

  constructor(answer: (operation: string, request: HttpRequest) => HttpAnswer) {
    super((operation, request) => {
      const nowMs = Date.now() + 3_600_000;
      const date = { date: new Date(nowMs).toUTCString() };
      const [, day, time] = /^(\d{8})T(\d{6})Z$/.exec(
        request.headers["x-amz-date"]!,
      )!;
      const signed = Date.parse(
        `${day!.slice(0, 4)}-${day!.slice(4, 6)}-${day!.slice(6)}T${
          time!.match(/../g)!.join(":")
        }Z`,
      );
      const isRefused = Math.abs(nowMs - signed) > 300_000;
      if (isRefused) this.refused++;
      const { headers, ...rest } = isRefused
        ? refusal("InvalidSignatureException", "Signature expired")
        : answer(operation, request);
      return { ...rest, headers: { ...headers, ...date } };
    });
  }
}

for (const by of ["name", "URL"]) {
  Deno.test(`one refusal teaches every client the server's clock, queue given by ${by}`, async () => {
    let url = "";
    await using server = new AheadServer((operation, { body }) => {
      if (operation === "GetQueueUrl") return json({ QueueUrl: url });
      if (operation === "ReceiveMessage") {
        return json({ Messages: messages(0) });
      }
      return accepted(body);
    });
    const endpoint = await server.listen();
    url = `${endpoint}/000000000000/adder`;
    const stop = new AbortController();
    await runForced({
      queue: by === "name" ? "adder" : url,
      endpoint,
      visibilityTimeoutSeconds: 30,
      loggers: SILENT,
      worker: () => () => stop.abort(),
    }, { signal: stop.signal, forceSignal: stop.signal });
    assertEquals(server.refused, 1);
  });
}

Deno.test("zsqs failed lists what SQS dates by a clock that is ahead", async () => {
  let receives = 0;
  await using server = new AheadServer((operation, { body }) => {
    if (operation !== "ReceiveMessage") {
      return accepted(body);
    }
    const SentTimestamp = String(Date.now() + 3_600_000);
    const [message] = messages(0);
    return json(
      receives++ === 0
        ? { Messages: [{ ...message, Attributes: { SentTimestamp } }] }
        : {},
    );
  });
  const endpoint = await server.listen();
  const { stdout } = await cli(
    ["failed", "--json", `${endpoint}/000000000000/adder`],
  );
  assertEquals(stdout.map((line) => JSON.parse(line).ageSeconds < 60), [true]);
});

const PASSING = [
  "OverLimit",
  "RequestThrottled",
  "InvalidSignatureException",
  "RequestTimeTooSkewed",
  "RequestExpired",
  "ExpiredToken",
  "KmsThrottled",
  "ServiceUnavailable",
  "InternalError",
];

for (const code of PASSING) {
  Deno.test(`${code} at the first receive does not end a queue given by URL`, async () => {
    let receives = 0;
    await using server = new ScriptedServer((operation, { body }) => {
      if (operation === "ReceiveMessage") {
        return receives++ === 0
          ? refusal(code)
          : json({ Messages: messages(0) });
      }
      return accepted(body);
    });
    const endpoint = await server.listen();
    const stop = new AbortController();
    await runForced({
      queue: `${endpoint}/000000000000/adder`,
      visibilityTimeoutSeconds: 30,
      loggers: SILENT,
      worker: () => () => stop.abort(),
    }, { signal: stop.signal, forceSignal: stop.signal });
    assertEquals(receives > 1, true);
  });
}

for (
  const code of [
    "AWS.SimpleQueueService.NonExistentQueue",
    "AccessDenied",
    "KMS.AccessDeniedException",
    "InvalidClientTokenId",
  ]
) {
  Deno.test(`${code} at the first receive ends a queue given by URL`, async () => {
    await using server = new ScriptedServer((operation) =>
      operation === "ReceiveMessage"
        ? refusal(code, "no", 403)
        : json({ Attributes: { VisibilityTimeout: "30" } })
    );
    const endpoint = await server.listen();
    await assertRejects(() =>
      runContainer({
        queue: `${endpoint}/000000000000/adder`,
        visibilityTimeoutSeconds: 30,
        loggers: SILENT,
        worker: () => () => {},
      })
    );
  });
}

Deno.test("a refusal by KMS names the right that is missing", async () => {
  await using server = new ScriptedServer((operation) =>
    operation === "SendMessageBatch"
      ? refusal("KMS.AccessDeniedException", "no access", 403)
      : json({})
  );
  const endpoint = await server.listen();
  await using queue = await Queue(`${endpoint}/000000000000/adder`);
  const error = await assertRejects(() => queue(1), SendError);
  assertEquals(error.code, "AccessDenied");
  assertMatch(error.message, /kms:GenerateDataKey and kms:Decrypt/);
});

const PAGE = `<!doctype html>\u001b[31m${"x".repeat(5000)}\n<p>second`;

for (const status of [200, 403, 502]) {
  Deno.test(`a proxy's page with status ${status} is quoted, escaped and cut`, async () => {
    await using server = new ScriptedServer(() => ({
      status,
      headers: { "content-type": "text/html" },
      body: PAGE,
    }));
    const endpoint = await server.listen();
    const error = await assertRejects(
      () => Queue("adder", { endpoint }),
      SqsError,
    );
    const { message } = error;
    assertMatch(
      message,
      new RegExp(
        `not an SQS answer \\(HTTP status ${status}, starting with <!doctype html>\\\\u001b\\[31mx+\\.\\.\\.\\)`,
      ),
    );
    assertEquals(message.length < 500, true);
  });
}

for (const what of ["stalls", "is cut off"]) {
  Deno.test(`a call whose answer ${what} ends`, async () => {
    await using server = new ScriptedServer((_operation, _request, socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{");
      if (what === "is cut off") socket.end();
      return undefined;
    });
    const endpoint = await server.listen();
    const ended = new AbortController();
    const opening = Queue("adder", { endpoint, signal: ended.signal });
    if (what === "stalls") ended.abort(new Error("stopped"));
    await assertRejects(
      () => opening,
      Error,
      what === "stalls" ? "stopped" : "",
    );
  });
}
