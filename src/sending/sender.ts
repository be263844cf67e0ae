/**
 * Sends jobs to one queue: checks them, encodes them, and reports the results.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { untilAborted } from "../clock.ts";
import { messageBytes, sizeLimit, toWire } from "../message/attributes.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import { testMode } from "../connect/test_mode.ts";
import {
  type ConnectOptions,
  type EntryFailure,
  MAX_BYTES,
  type OutgoingMessage,
} from "../sqs/connection.ts";
import { SendError } from "../errors.ts";
import type { StandardSchema } from "../job/schema.ts";
import {
  checkJobOptions,
  type JobInput,
  type JobOptions,
  type JobWithOptions,
  type SendAllOptions,
  type SendAllResult,
  type SendAllSummary,
  type SendOptions,
  type SendResult,
} from "./job_options.ts";
import { SendGate } from "./send_gate.ts";
import { type Large, LargeBodies, type Prepared } from "./large_bodies.ts";
import { type ObjectPlace, objectUrl } from "../sqs/objects.ts";
import { SendFailure, SendQueue } from "./send_queue.ts";
import type { ProducerTelemetry, Telemetry } from "../telemetry/telemetry.ts";
import { refuseUnknown } from "../unknown_options.ts";
import { writeBody, type Writing } from "../message/writing.ts";
import { show } from "../text.ts";

const SEND_ALL_OPTIONS = ["onResult", "signal"];

/** The most jobs of one `sendAll` that are read and not settled. */
const SEND_ALL_WINDOW = 100;

/** Options of a {@linkcode Sender}. */
interface SenderOptions {
  readonly telemetry?: Telemetry | undefined;
  readonly schema?: StandardSchema | undefined;
  /** Where large jobs go, ... */
  readonly large?: Large | undefined;
  /** ... and the options that the queue was opened with. */
  readonly where?: ConnectOptions | undefined;
}

/** What a request and its errors depend on. */
interface RequestOptions {
  readonly signal: AbortSignal | undefined;
  readonly index: number | undefined;
  /** The object that was written for it. */
  readonly place: ObjectPlace | undefined;
}

/** Sends jobs to one queue. */
export class Sender implements AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly region: string;
  readonly #open: OpenQueue;
  readonly #writing: Writing;
  readonly #telemetry: ProducerTelemetry | undefined;
  readonly #gate: SendGate | undefined;
  readonly #large: LargeBodies | undefined;
  readonly #queue: SendQueue;
  readonly #pending = new Set<Promise<unknown>>();
  #closed = false;

  constructor(
    open: OpenQueue,
    writing: Writing,
    { telemetry, schema, large, where = {} }: SenderOptions = {},
  ) {
    const { connection, url, ref } = open;
    this.#open = open;
    this.#writing = writing;
    this.#telemetry = telemetry?.producer({ name: ref.name, url });
    this.#large = large && new LargeBodies(large, { queue: ref, where });
    if (schema !== undefined || large !== undefined) {
      this.#gate = new SendGate(schema, writing.body);
    }
    this.#queue = new SendQueue({
      ...open,
      connection: this.#telemetry?.connection(connection) ?? connection,
    });
    this.name = ref.name;
    this.url = url;
    this.region = connection.region;
    testMode()?.noteWriting?.(url, writing);
  }

  send(
    args: readonly unknown[],
    options: SendOptions = {},
    index?: number,
  ): Promise<SendResult> {
    let prepared: Prepared;
    try {
      if (this.#closed) {
        throw new TypeError(
          `Cannot send job to "${this.name}" as the queue is closed`,
        );
      }
      prepared = this.#prepare(args, options);
      options.signal?.throwIfAborted();
    } catch (error) {
      return Promise.reject(error);
    }
    const { message, body, place } = prepared;
    const { signal } = options;
    const request = (message: OutgoingMessage) =>
      this.#request(message, { signal, index, place });
    const upload = place &&
      (() => this.#large!.upload(prepared, { signal, index }));
    const pass = () =>
      this.#telemetry?.send(message, request) ?? request(message);
    const group = this.#open.ref.fifo ? message.groupId : undefined;
    return this.#track(
      this.#gate?.check(body, group, pass, signal, upload) ?? pass(),
    );
  }

  /** Throws what `send` would reject with before any request. */
  check({ args, ...options }: JobWithOptions<readonly unknown[]>): void {
    this.#prepare(args, options);
  }

  async sendAll(
    jobs:
      | Iterable<JobInput<readonly unknown[]>>
      | AsyncIterable<JobInput<readonly unknown[]>>,
    options: SendAllOptions = {},
  ): Promise<SendAllSummary> {
    refuseUnknown(options, SEND_ALL_OPTIONS, "send jobs");
    checkIterable(jobs);
    const { onResult, signal } = options;
    const counts = { sent: 0, failed: 0 };
    const settle = (result: SendAllResult) => {
      counts[result.status]++;
      if (onResult !== undefined) onResult(result);
      else if (result.status === "failed") throw result.error;
    };
    const results = new OrderedResults(settle);
    let index = 0;
    try {
      for await (const job of untilAborted(jobs, signal)) {
        if (results.failed) break;
        await results.add(this.#sendOne(job, index++));
        // What is large and waits is held in memory.
        await this.#large?.hasRoom();
      }
    } finally {
      await results.settled();
    }
    results.throwFailure();
    return counts;
  }

  async close(): Promise<void> {
    this.#closed = true;
    while (this.#pending.size > 0) await Promise.all(this.#pending);
    this.#open.connection.close();
    this.#large?.close();
    // The runtime reports an unhandled rejection after this turn of the event
    // loop. A program that exits before would hide it.
    await new Promise((resolve) => setImmediate(resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #sendOne(
    job: JobInput<readonly unknown[]>,
    index: number,
  ): Promise<SendAllResult> {
    try {
      const { args, ...options } = jobWithOptions(job);
      const sent = await this.send(args, options, index);
      return { status: "sent", index, ...sent };
    } catch (error) {
      return {
        status: "failed",
        index,
        error: error instanceof Error ? error : new Error(String(error)),
      };
    }
  }

  /** Checks a job and encodes its message. */
  #prepare(args: readonly unknown[], options: JobOptions): Prepared {
    if (!Array.isArray(args)) {
      throw new TypeError(
        `Cannot send job as its arguments must be an array: current value is ${
          show(args)
        }`,
      );
    }
    checkJobOptions(options, this.#open.ref);
    const body = writeBody(args, this.#writing);
    const attributes = toWire(
      options.attributes === undefined ? {} : options.attributes,
    );
    const { delaySeconds, groupId, deduplicationId } = options;
    const message = {
      body,
      attributes,
      ...(delaySeconds === undefined ? {} : { delaySeconds }),
      ...(groupId === undefined ? {} : { groupId }),
      ...(deduplicationId === undefined ? {} : { deduplicationId }),
    };
    const bytes = messageBytes(body, attributes);
    const prepared = this.#large?.takes(bytes)
      ? this.#large.prepare(message)
      : { message, body };
    const sent = prepared.message;
    const size = sent === message
      ? bytes
      : messageBytes(sent.body, sent.attributes);
    if (size > MAX_BYTES) throw tooLarge(size, MAX_BYTES);
    return prepared;
  }

  async #request(
    message: OutgoingMessage,
    { signal, index, place }: RequestOptions,
  ): Promise<SendResult> {
    try {
      return await this.#queue.send(message, signal);
    } catch (error) {
      if (!(error instanceof SendFailure)) throw error;
      const { failure, cause } = error;
      throw this.#sendError(message, failure, { cause, index, place });
    }
  }

  #sendError(
    { body, attributes }: OutgoingMessage,
    failure: EntryFailure,
    { cause, index, place }: Omit<RequestOptions, "signal"> & ErrorOptions,
  ): Error {
    const left = place === undefined
      ? ""
      : `; its body is left in ${objectUrl(place)}`;
    const limit = sizeLimit(failure.message);
    if (limit !== undefined) {
      const hint = this.#large && place === undefined
        ? `: set "largeFrom" to ${limit} or less`
        : left;
      return tooLarge(messageBytes(body, attributes), limit, hint);
    }
    return new SendError(
      `Cannot send job to "${this.name}": ${failure.code}: ${failure.message}${
        hint(failure)
      }${left}`,
      {
        code: failure.code,
        senderFault: failure.senderFault,
        ...(cause === undefined ? {} : { cause }),
        ...(index === undefined ? {} : { index }),
      },
    );
  }

  async #track<T>(promise: Promise<T>): Promise<T> {
    // close() waits for this copy. Waiting for the caller's promise would handle
    // its rejection, and hide it if the caller does not.
    const settled = promise.then(ignore, ignore);
    this.#pending.add(settled);
    try {
      return await promise;
    } finally {
      this.#pending.delete(settled);
    }
  }
}

/** Reports results in the order of their jobs, each as early as possible. */
class OrderedResults {
  readonly #settle: (result: SendAllResult) => void;
  #tail: Promise<void> = Promise.resolve();
  #underWay = 0;
  #room = Promise.withResolvers<void>();
  #failure: { readonly error: unknown } | undefined;

  constructor(settle: (result: SendAllResult) => void) {
    this.#settle = settle;
  }

  /** Whether reporting a result threw: then no more jobs may be sent. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Adds a pending result; resolves when there is room for more. */
  async add(sending: Promise<SendAllResult>): Promise<void> {
    this.#underWay++;
    this.#tail = this.#tail.then(() => this.#next(sending));
    while (this.#underWay >= SEND_ALL_WINDOW) await this.#room.promise;
  }

  /** Resolves when all results are reported. */
  settled(): Promise<void> {
    return this.#tail;
  }

  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #next(sending: Promise<SendAllResult>): Promise<void> {
    const result = await sending;
    try {
      this.#settle(result);
    } catch (error) {
      this.#failure ??= { error };
    }
    this.#underWay--;
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }
}

function ignore(): void {}

function checkIterable(jobs: object): void {
  const { [Symbol.iterator]: sync, [Symbol.asyncIterator]: async } = Object(
    jobs,
  );
  if (typeof (async ?? sync) === "function") return;
  throw new TypeError(
    `Cannot send jobs as they must be an iterable or async iterable: current value is ${
      show(jobs)
    }`,
  );
}

function jobWithOptions(
  job: JobInput<readonly unknown[]>,
): JobWithOptions<readonly unknown[]> {
  return typeof job !== "object" || job === null || Array.isArray(job)
    ? { args: job as readonly unknown[] }
    : job as JobWithOptions<readonly unknown[]>;
}

function tooLarge(bytes: number, limit: number, hint = ""): RangeError {
  return new RangeError(
    `Cannot send job as it has ${bytes} bytes including attributes: the limit is ${limit} bytes${hint}`,
  );
}

function hint(failure: EntryFailure): string {
  return /ContentBasedDeduplication/i.test(failure.message)
    ? ' (set "deduplicationId", or enable the queue\'s content-based deduplication)'
    : "";
}
