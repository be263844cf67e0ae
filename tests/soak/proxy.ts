/**
 * A proxy between zsqs and an SQS server. It makes requests fail as networks and
 * SQS do, and notes each fault.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createServer, type Server, type Socket } from "node:net";
import {
  entryIdsOf,
  EntryReader,
  errorAnswer,
  NO_ENTRIES,
  operationOf,
  queueOf,
  withEntries,
  withFailed,
} from "./answers.ts";
import { type Fault, type Faults, faultText } from "./faults.ts";
import {
  type HttpAnswer,
  type HttpRequest,
  readRequests,
  writeAnswer,
  writeTruncated,
} from "./http.ts";
import type {
  Journal,
  OutageKind,
  OutageLine,
  RequestEntry,
  RequestLine,
} from "./journal.ts";
import type { ServerClock } from "./server_clock.ts";

/** Operations that meet faults; the others are for the start of a process. */
const OPERATIONS: ReadonlySet<string> = new Set([
  "SendMessageBatch",
  "ReceiveMessage",
  "DeleteMessageBatch",
  "ChangeMessageVisibilityBatch",
]);

/** What the proxy works with. */
interface ProxyOptions {
  /** The server's URL. */
  readonly upstream: string;
  readonly faults: Faults;
  readonly clock: ServerClock;
  readonly journal: Pick<Journal<RequestLine>, "add">;
  readonly outages: Pick<Journal<OutageLine>, "add">;
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
  #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #reader = new EntryReader();
  /** Connections on which nothing comes any more. */
  readonly #silent = new Set<Socket>();
  /** Requests that a fault is being done to. */
  readonly #faulted = new Set<Promise<unknown>>();
  /** Aborts when no more faults are wanted. */
  readonly #calm = new AbortController();
  #outage: OutageKind | undefined;
  /** How many outages have begun. */
  #outages = 0;

  private constructor(options: ProxyOptions) {
    this.#options = options;
    this.#server = this.#makeServer();
  }

  /** Starts a proxy on a free port of the loopback address. */
  static async start(options: ProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    await proxy.#listen(0);
    return proxy;
  }

  /** The URL that zsqs uses. */
  get endpoint(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get #port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  /**
   * Injects no more faults, ends connections on which nothing comes, and waits
   * for late answers.
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

  #makeServer(): Server {
    return createServer((socket) => this.#serve(socket));
  }

  async #listen(port: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen(port, "127.0.0.1", resolve);
    await promise;
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
        if (request.method === "GET") {
          await this.#control(socket, request.path);
          writeAnswer(socket, { status: 200, headers: {}, body: "" });
        } else if (!await this.#handle(socket, request)) return;
      }
    } catch (error) {
      // The server is gone, or the proxy is wrong: no fault that was drawn.
      console.error(error);
      socket.destroy();
    }
  }

  /** Carries out an order of the run; answers when it is over. */
  async #control(socket: Socket, path: string): Promise<void> {
    const [, what, kind, ms] = path.split("/");
    if (what === "calm") await this.calm();
    if (what === "skew") this.#options.clock.skewMs = Number(ms);
    if (what === "outage") {
      await this.#beAway(kind as OutageKind, Number(ms), socket);
    }
  }

  /** Lets no request through for some time. */
  async #beAway(
    kind: OutageKind,
    ms: number,
    control: Socket,
  ): Promise<void> {
    const from = Date.now();
    const port = this.#port;
    this.#outage = kind;
    this.#outages++;
    if (kind === "refused") this.#server.close();
    for (const socket of this.#sockets) {
      if (socket !== control) socket.resetAndDestroy();
    }
    await this.#pause(ms);
    this.#outage = undefined;
    for (const socket of this.#silent) socket.destroy();
    if (kind === "refused") {
      this.#server = this.#makeServer();
      await this.#listen(port);
    }
    this.#options.outages.add({ from, to: Date.now(), kind });
  }

  /** Tells whether the connection can be used on. */
  async #handle(socket: Socket, request: HttpRequest): Promise<boolean> {
    const t = Date.now();
    const op = operationOf(request);
    const outages = this.#outages;
    let fault = this.#faultOf(op, request);
    const applying = this.#apply(request, fault);
    if (fault !== undefined) {
      this.#faulted.add(applying);
      applying.finally(() => this.#faulted.delete(applying));
    }
    const { answer, entries } = await applying;
    // The connection was reset meanwhile.
    if (this.#outages > outages) fault = { kind: "outage", after: true };
    if (OPERATIONS.has(op)) {
      this.#options.journal.add({
        t,
        op,
        queue: queueOf(request),
        ...(fault === undefined ? {} : { fault: faultText(fault) }),
        ms: Date.now() - t,
        entries,
      });
    }
    if (fault?.kind === "late" && fault.after) await this.#pause(fault.ms);
    return this.#answer(socket, answer, fault);
  }

  /** What happens to a request. */
  #faultOf(op: string, request: HttpRequest): Fault | undefined {
    if (this.#outage !== undefined) return { kind: "outage", after: false };
    const refusal = this.#options.clock.refusal(request);
    if (refusal !== undefined) return { kind: "skewed", refusal };
    return this.#calm.signal.aborted || !OPERATIONS.has(op)
      ? undefined
      : this.#options.faults.draw(op);
  }

  /** Asks the server, or not, as the fault says. */
  async #apply(
    request: HttpRequest,
    fault: Fault | undefined,
  ): Promise<Handled> {
    switch (fault?.kind) {
      case "outage":
        return this.#refused(request, errorAnswer(503, "ServiceUnavailable"));
      case "skewed":
        return this.#refused(request, fault.refusal);
      case "throttled":
        return this.#refused(request, errorAnswer(400, "RequestThrottled"));
      case "partial":
        return await this.#partial(request);
      case "error":
      case "reset":
      case "silent":
        if (!fault.after) {
          return this.#refused(request, errorAnswer(500, "InternalFailure"));
        }
        break;
      case "late":
        if (!fault.after) await this.#pause(fault.ms);
    }
    const answer = await this.#forward(request);
    const entries = this.#entries(request, answer);
    return fault?.kind === "error"
      ? { answer: errorAnswer(503, "ServiceUnavailable"), entries }
      : { answer, entries };
  }

  /** The server is not asked. */
  #refused(request: HttpRequest, answer: HttpAnswer): Handled {
    return { answer, entries: this.#entries(request, undefined) };
  }

  #entries(
    request: HttpRequest,
    answer: HttpAnswer | undefined,
  ): readonly RequestEntry[] {
    return OPERATIONS.has(operationOf(request))
      ? this.#reader.read(request, answer)
      : [];
  }

  /** Forwards a part of a batch, and says of a part that it failed. */
  async #partial(request: HttpRequest): Promise<Handled> {
    const failing = new Set<string>();
    const forwarded = new Set<string>();
    for (const id of entryIdsOf(request)) {
      const drawn = this.#options.faults.drawEntry();
      if (drawn.fails) failing.add(id);
      if (!drawn.fails || drawn.forwarded) forwarded.add(id);
    }
    const answer = forwarded.size === 0 ? NO_ENTRIES : await this.#forward({
      ...request,
      body: Buffer.from(withEntries(request, forwarded)),
    });
    const entries = this.#entries(request, answer);
    return { answer: withFailed(answer, failing), entries };
  }

  #answer(
    socket: Socket,
    answer: HttpAnswer | undefined,
    fault: Fault | undefined,
  ): boolean {
    const kind = fault?.kind === "outage" ? this.#outage : fault?.kind;
    switch (kind) {
      case "silent":
        if (this.#calm.signal.aborted) socket.destroy();
        else this.#silent.add(socket);
        return false;
      case "refused":
      case "reset":
        socket.resetAndDestroy();
        return false;
      case "truncated":
        writeTruncated(socket, this.#dated(answer!));
        return false;
      default:
        writeAnswer(socket, this.#dated(answer!));
        return true;
    }
  }

  #dated(answer: HttpAnswer): HttpAnswer {
    const { date } = this.#options.clock;
    return { ...answer, headers: { ...answer.headers, date } };
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
}

/** The server's headers that are passed on. */
const PASSED = /^(content-type$|x-amz)/;
