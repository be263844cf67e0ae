/**
 * A proxy between zsqs and an SQS server that makes requests fail, each in a way
 * that networks and SQS have, and notes what it did.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createServer, type Server, type Socket } from "node:net";
import type { Fault, Faults } from "./faults.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  readRequests,
  writeAnswer,
  writeTruncated,
} from "./http.ts";
import type { Journal, RequestEntry, RequestLine } from "./journal.ts";

/** Operations that meet faults; the others are for the start of a process. */
const OPERATIONS: ReadonlySet<string> = new Set([
  "SendMessageBatch",
  "ReceiveMessage",
  "DeleteMessageBatch",
  "ChangeMessageVisibilityBatch",
]);

/** What the proxy works with. */
export interface ProxyOptions {
  /** The server's URL. */
  readonly upstream: string;
  readonly faults: Faults;
  readonly journal: Pick<Journal<RequestLine>, "add">;
}

/** An entry of a batch, of its request or of its answer. */
interface Entry {
  readonly Id: string;
  readonly MessageBody?: string;
  readonly MessageGroupId?: string;
  readonly ReceiptHandle?: string;
  readonly MessageId?: string;
  readonly SequenceNumber?: string;
}

interface BatchAnswer {
  Successful?: Entry[];
  Failed?: object[];
}

interface ReceiveAnswer {
  readonly Messages?: readonly {
    readonly MessageId: string;
    readonly ReceiptHandle: string;
  }[];
}

/** What became of a request. */
interface Handled {
  /** What goes back; nothing does where the server was not asked. */
  readonly answer?: HttpAnswer;
  readonly entries: readonly RequestEntry[];
}

/** A proxy that injects faults. */
export class FaultProxy implements AsyncDisposable {
  readonly #options: ProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Which message a receipt handle stands for. */
  readonly #handles = new Map<string, string>();
  /** Connections on which nothing comes any more. */
  readonly #silent = new Set<Socket>();
  /** Requests that a fault is being done to. */
  readonly #faulted = new Set<Promise<unknown>>();
  /** Aborts when no more faults are wanted. */
  readonly #calm = new AbortController();

  private constructor(options: ProxyOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Starts a proxy on a free port of the loopback address. */
  static async start(options: ProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    proxy.#server.once("error", reject);
    proxy.#server.listen(0, "127.0.0.1", resolve);
    await promise;
    return proxy;
  }

  /** The URL that zsqs is to use. */
  get endpoint(): string {
    const address = this.#server.address() as { port: number };
    return `http://127.0.0.1:${address.port}`;
  }

  /**
   * Injects no more faults, ends connections on which nothing comes, and waits
   * for what is late.
   */
  async calm(): Promise<void> {
    this.#calm.abort();
    for (const socket of this.#silent) socket.destroy();
    await Promise.all(this.#faulted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#silent.delete(socket);
    });
    try {
      for await (const request of readRequests(socket)) {
        if (request.path === "/calm") {
          await this.calm();
          writeAnswer(socket, { status: 200, headers: {}, body: "" });
        } else if (!await this.#handle(socket, request)) return;
      }
    } catch (error) {
      // The server is gone, or the proxy is wrong: no fault that was drawn.
      console.error(error);
      socket.destroy();
    }
  }

  /** Tells whether the connection can be used on. */
  async #handle(socket: Socket, request: HttpRequest): Promise<boolean> {
    const t = Date.now();
    const op = operationOf(request);
    if (!OPERATIONS.has(op)) {
      writeAnswer(socket, await this.#forward(request));
      return true;
    }
    const fault = this.#calm.signal.aborted
      ? undefined
      : this.#options.faults.draw(op);
    const applying = this.#apply(op, request, fault);
    if (fault !== undefined) {
      this.#faulted.add(applying);
      applying.finally(() => this.#faulted.delete(applying));
    }
    const { answer, entries } = await applying;
    this.#options.journal.add({
      t,
      op,
      queue: queueOf(request),
      ...(fault === undefined ? {} : { fault: faultText(fault) }),
      ms: Date.now() - t,
      entries,
    });
    if (fault?.kind === "late" && fault.after) await this.#pause(fault.ms);
    return this.#answer(socket, answer, fault);
  }

  /** Asks the server, or not, as the fault says. */
  async #apply(
    op: string,
    request: HttpRequest,
    fault: Fault | undefined,
  ): Promise<Handled> {
    if (fault?.kind === "throttled") {
      return {
        answer: errorAnswer(400, "RequestThrottled"),
        entries: this.#asked(op, request),
      };
    }
    if (fault?.kind === "partial") return await this.#partial(op, request);
    const isBefore = fault !== undefined && "after" in fault && !fault.after;
    if (isBefore && fault.kind !== "late") {
      return {
        ...(fault.kind === "error"
          ? { answer: errorAnswer(500, "InternalFailure") }
          : {}),
        entries: this.#asked(op, request),
      };
    }
    if (fault?.kind === "late" && !fault.after) await this.#pause(fault.ms);
    const answer = await this.#forward(request);
    const entries = this.#entries(op, request, answer);
    return fault?.kind === "error"
      ? { answer: errorAnswer(503, "ServiceUnavailable"), entries }
      : { answer, entries };
  }

  /** Forwards a part of a batch, and says of a part that it failed. */
  async #partial(op: string, request: HttpRequest): Promise<Handled> {
    const input = JSON.parse(request.body.toString()) as { Entries: Entry[] };
    const draws = input.Entries.map(() => this.#options.faults.drawEntry());
    const failing = new Set<string>();
    const forwarded = input.Entries.filter(({ Id }, i) => {
      const { fails, forwarded } = draws[i]!;
      if (fails) failing.add(Id);
      return !fails || forwarded;
    });
    const part = { ...input, Entries: forwarded };
    const answer: HttpAnswer = forwarded.length === 0
      ? { status: 200, headers: JSON_HEADERS, body: "{}" }
      : await this.#forward({
        ...request,
        body: Buffer.from(JSON.stringify(part)),
      });
    const entries = this.#entries(op, request, answer);
    if (answer.status !== 200) return { answer, entries };
    const output = JSON.parse(answer.body) as BatchAnswer;
    const body = JSON.stringify({
      Successful: (output.Successful ?? []).filter(({ Id }) =>
        !failing.has(Id)
      ),
      Failed: [
        ...output.Failed ?? [],
        ...[...failing].map((Id) => ({
          Id,
          Code: "InternalError",
          Message: "The proxy says so",
          SenderFault: false,
        })),
      ],
    });
    return { answer: { ...answer, body }, entries };
  }

  #answer(
    socket: Socket,
    answer: HttpAnswer | undefined,
    fault: Fault | undefined,
  ): boolean {
    switch (fault?.kind) {
      case "silent":
        if (this.#calm.signal.aborted) socket.destroy();
        else this.#silent.add(socket);
        return false;
      case "reset":
        socket.resetAndDestroy();
        return false;
      case "truncated":
        writeTruncated(socket, answer!);
        return false;
      default:
        writeAnswer(socket, answer!);
        return true;
    }
  }

  /** Waits, but no longer than faults are wanted. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#calm;
    return new Promise((resolve) => {
      const timer = setTimeout(end, ms);
      function end() {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        resolve();
      }
      signal.addEventListener("abort", end);
      if (signal.aborted) end();
    });
  }

  async #forward(request: HttpRequest): Promise<HttpAnswer> {
    const { host: _, "content-length": __, ...headers } = request.headers;
    const response = await fetch(this.#options.upstream + request.path, {
      method: request.method,
      headers,
      ...(request.body.length === 0
        ? {}
        : { body: request.body as Uint8Array<ArrayBuffer> }),
    });
    return {
      status: response.status,
      headers: Object.fromEntries(
        [...response.headers].filter(([name]) => PASSED.test(name)),
      ),
      body: await response.text(),
    };
  }

  /** What a request that had no effect asked for. */
  #asked(op: string, request: HttpRequest): RequestEntry[] {
    return this.#entries(op, request, undefined);
  }

  #entries(
    op: string,
    request: HttpRequest,
    answer: HttpAnswer | undefined,
  ): RequestEntry[] {
    const output = answer?.status === 200 && answer.body !== ""
      ? JSON.parse(answer.body)
      : {};
    if (op === "ReceiveMessage") {
      return ((output as ReceiveAnswer).Messages ?? []).map((message) => {
        this.#handles.set(message.ReceiptHandle, message.MessageId);
        return { id: message.MessageId, ok: true };
      });
    }
    const done = new Map(
      ((output as BatchAnswer).Successful ?? []).map((entry) =>
        [entry.Id, entry] as const
      ),
    );
    const input = JSON.parse(request.body.toString()) as { Entries: Entry[] };
    return input.Entries.map((entry) => {
      const answered = done.get(entry.Id);
      const ok = answered !== undefined;
      if (op === "SendMessageBatch") {
        return { ...sentEntry(entry, answered), ok };
      }
      const handle = entry.ReceiptHandle!;
      const id = this.#handles.get(handle);
      return { ...(id === undefined ? {} : { id }), ok };
    });
  }
}

function sentEntry(
  entry: Entry,
  answered: Entry | undefined,
): Omit<RequestEntry, "ok"> {
  const [[job, by]] = JSON.parse(entry.MessageBody!);
  return {
    job,
    by,
    ...(answered === undefined ? {} : { id: answered.MessageId! }),
    ...(entry.MessageGroupId === undefined
      ? {}
      : { group: entry.MessageGroupId }),
    ...(answered?.SequenceNumber === undefined
      ? {}
      : { sequence: answered.SequenceNumber }),
  };
}

const JSON_HEADERS = { "content-type": "application/x-amz-json-1.0" };

/** The server's headers that are passed on. */
const PASSED = /^(content-type$|x-amz)/;

/** An error as SQS's JSON protocol writes it. */
function errorAnswer(status: number, code: string): HttpAnswer {
  const whose = status < 500 ? "Sender" : "Receiver";
  return {
    status,
    headers: { ...JSON_HEADERS, "x-amzn-query-error": `${code};${whose}` },
    body: JSON.stringify({
      __type: `com.amazonaws.sqs#${code}`,
      message: "The proxy says so",
    }),
  };
}

function operationOf(request: HttpRequest): string {
  return (request.headers["x-amz-target"] ?? "").replace("AmazonSQS.", "");
}

/** The name of the queue that a request is about. */
function queueOf(request: HttpRequest): string {
  const { QueueUrl } = JSON.parse(request.body.toString());
  return QueueUrl.split("/").at(-1);
}

/** A fault as it is noted and counted. */
function faultText(fault: Fault): string {
  if (!("after" in fault)) return fault.kind;
  return `${fault.kind} ${fault.after ? "after" : "before"} the effect`;
}
