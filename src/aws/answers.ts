/**
 * Reads the bodies of SQS's answers: whole, within a time limit, and kept for
 * error messages. Received messages stay JSON: if the SDK cannot read one of
 * them, it drops the whole answer.
 *
 * @module
 */

import type { SQSClient } from "@aws-sdk/client-sqs";
import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { printable } from "../text.ts";

/** How long a body may take after its headers, in milliseconds. */
const BODY_MS = 10_000;

/** The most characters of an answer that an error message quotes. */
const MAX_QUOTED = 200;

const NOTHING = new Uint8Array();

/** An answer as the SDK's HTTP handler returns it, its body read. */
interface Answer {
  readonly statusCode: number;
  body: unknown;
  /** The JSON of received messages, which the SDK does not see. */
  json?: Uint8Array;
}

/** Makes a client read its answers as this module does. */
export function readAnswers(client: SQSClient): void {
  client.middlewareStack.add(
    (next, { commandName }) => async (args) => {
      const result = await next(args);
      const answer = result.response as Answer;
      const bytes = await readBody(answer.body as Readable);
      const isMessages = commandName === "ReceiveMessageCommand" &&
        answer.statusCode < 300;
      answer.body = isMessages ? NOTHING : bytes;
      if (isMessages) answer.json = bytes;
      return result;
    },
    // Next to the wire: the SDK's own step finds the body read.
    { step: "deserialize", priority: "low", name: "zsqsReadAnswers" },
  );
}

/**
 * Reads an answer's body. The SDK's collector waits forever if a body stalls or
 * is cut off.
 */
export function readBody(body: Readable): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Uint8Array[] = [];
  const timer = setTimeout(() => {
    reject(failure("TimeoutError", `no whole answer in ${BODY_MS / 1000} s`));
    body.destroy();
  }, BODY_MS);
  body.on("data", (chunk) => chunks.push(chunk));
  body.on("end", () => resolve(Buffer.concat(chunks)));
  body.on("error", reject);
  body.on("close", () => {
    // An error takes long to make, and most answers are whole.
    if (body.readableEnded) return;
    const error = failure("Error", "the answer was cut off");
    reject(Object.assign(error, { code: "ECONNRESET" }));
  });
  return promise.finally(() => clearTimeout(timer));
}

function failure(name: string, message: string): Error {
  return Object.assign(new Error(message), { name });
}

/**
 * The JSON of received messages.
 *
 * @throws {SyntaxError} If the answer is something else.
 */
export function receivedJson(response: unknown): readonly unknown[] {
  const { json } = response as Answer;
  const text = Buffer.from(json ?? NOTHING).toString();
  let messages: unknown;
  try {
    // SQS answers with `{}` if there are none.
    messages = JSON.parse(text).Messages ?? [];
  } catch {
    messages = undefined;
  }
  if (Array.isArray(messages)) return messages;
  throw Object.assign(new SyntaxError("no messages"), { $response: response });
}

/**
 * Describes an answer that is not SQS's: that of a proxy, of another server, or
 * of an old emulator.
 */
export function describeAnswer(response: unknown): string {
  const { statusCode, body, json } = response as Answer;
  const bytes = json ?? body;
  const line = bytes instanceof Uint8Array
    ? Buffer.from(bytes).subarray(0, 4 * MAX_QUOTED).toString().trimStart()
      .split("\n")[0]!.trimEnd()
    : "";
  const start = line.length > MAX_QUOTED
    ? `${line.slice(0, MAX_QUOTED)}...`
    : line;
  return `HTTP status ${statusCode}, ${
    start === "" ? "no content" : `starting with ${printable(start)}`
  }`;
}
