/**
 * HTTP/1.1 as the AWS SDK speaks it, on a bare socket: there an answer can be
 * cut, held back, or replaced by a reset.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";

/** A request, read whole. */
export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** An answer. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const HEAD_END = "\r\n\r\n";

/** Reads requests from a socket, one after another, until it closes. */
export async function* readRequests(
  socket: Socket,
): AsyncGenerator<HttpRequest> {
  let rest: Buffer = Buffer.alloc(0);
  const chunks = socket[Symbol.asyncIterator]();
  const more = async () => {
    try {
      const { value, done } = await chunks.next();
      if (!done) rest = Buffer.concat([rest, value]);
      return !done;
    } catch {
      // It was reset.
      return false;
    }
  };
  for (;;) {
    let headEnd: number;
    while ((headEnd = rest.indexOf(HEAD_END)) < 0) {
      if (!await more()) return;
    }
    const [first, ...lines] = rest.toString("latin1", 0, headEnd)
      .split("\r\n");
    const [method, path] = first!.split(" ");
    const headers = Object.fromEntries(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }));
    const start = headEnd + HEAD_END.length;
    const end = start + Number(headers["content-length"] ?? 0);
    while (rest.length < end) {
      if (!await more()) return;
    }
    const body = rest.subarray(start, end);
    rest = rest.subarray(end);
    yield { method: method!, path: path!, headers, body };
  }
}

/** Writes an answer whole. */
export function writeAnswer(socket: Socket, answer: HttpAnswer): void {
  socket.write(answerBytes(answer));
}

/** Writes a part of an answer, and ends the connection in the middle of it. */
export function writeTruncated(socket: Socket, answer: HttpAnswer): void {
  const bytes = answerBytes(answer);
  const cut = Math.floor(Buffer.byteLength(answer.body) / 2) + 1;
  socket.end(bytes.subarray(0, bytes.length - cut));
}

function answerBytes({ status, headers, body }: HttpAnswer): Buffer {
  const length = Buffer.byteLength(body);
  const head = Object.entries({ ...headers, "content-length": length })
    .map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return Buffer.from(`HTTP/1.1 ${status} Answer\r\n${head}\r\n${body}`);
}
