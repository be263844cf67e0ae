/**
 * What is behind a queue that is called: jobs are checked, written and sent.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { untilAborted } from "../clock.ts";
import {
  type Attributes,
  messageBytes,
  sizeLimit,
  toWire,
} from "../message/attributes.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import {
  type EntryFailure,
  MAX_BYTES,
  MAX_DELAY_SECONDS,
  type OutgoingMessage,
} from "../sqs/connection.ts";
import { SendError } from "../errors.ts";
import { SendFailure, SendQueue } from "./send_queue.ts";
import type { ProducerTelemetry, Telemetry } from "../telemetry/telemetry.ts";
import { refuseUnknown } from "../options.ts";
import { encodeBody, type Encoding } from "../message/body.ts";

const JOB_OPTIONS = [
  "delaySeconds",
  "groupId",
  "deduplicationId",
  "attributes",
  "signal",
];

const SEND_ALL_OPTIONS = ["onResult", "signal"];

/** How many jobs of one `sendAll` are under way at a time. */
const SEND_ALL_WINDOW = 100;

/** Options of a job, as SQS has them. */
export interface JobOptions {
  /**
   * How long the message stays hidden after it was sent, in whole seconds from
   * 0 to 900 (SQS, "DelaySeconds"). Not for FIFO queues.
   *
   * @default {undefined} the queue's own delay
   */
  readonly delaySeconds?: number;
  /**
   * The message group, 1 to 128 letters, digits and punctuation: required on
   * FIFO queues, where a group's jobs are done in order; on standard queues it
   * turns on SQS's fair queues.
   */
  readonly groupId?: string;
  /**
   * The deduplication id of a FIFO queue's message, 1 to 128 letters, digits
   * and punctuation: one sent again within 5 minutes is accepted and not
   * delivered. Without it the queue's content-based deduplication takes equal
   * jobs within 5 minutes for one.
   */
  readonly deduplicationId?: string;
  /** Message attributes, at most ten. */
  readonly attributes?: Attributes;
}

/** Options of a queue's `send`. */
export interface SendOptions extends JobOptions {
  /**
   * Stops waiting. A job that is on its way with others may be in the queue: that
   * is then not known.
   */
  readonly signal?: AbortSignal;
}

/** A job that SQS accepted. */
export interface SendResult {
  /** SQS's id of the message. */
  readonly messageId: string;
  /** The position in its FIFO queue, growing within a group. */
  readonly sequenceNumber?: string;
}

/** A job of `sendAll` with its options. */
export interface JobWithOptions<Args extends readonly unknown[]>
  extends JobOptions {
  /** The job's arguments. */
  readonly args: Args;
}

/** What became of one job of `sendAll`. */
export type SendAllResult =
  | {
    /** The job's position in the input, counted from 0. */
    readonly index: number;
    /** SQS's id of the message. */
    readonly messageId: string;
  }
  | {
    /** The job's position in the input, counted from 0. */
    readonly index: number;
    /** Why it was not sent. */
    readonly error: Error;
  };

/** Options of a queue's `sendAll`. */
export interface SendAllOptions {
  /**
   * Called with each job's result, in the order of the input. Without it the
   * first failure stops the sending and rejects.
   */
  readonly onResult?: (result: SendAllResult) => void;
  /** Stops the sending: jobs already under way are awaited, then it rejects. */
  readonly signal?: AbortSignal;
}

/** How many jobs `sendAll` sent. */
export interface SendAllSummary {
  /** Jobs that SQS accepted. */
  readonly sent: number;
  /** Jobs that it did not. */
  readonly failed: number;
}

/** A job of `sendAll`: its arguments, or those with options. */
export type JobInput<Args extends readonly unknown[]> =
  | Args
  | JobWithOptions<Args>;

/** Sends jobs to one queue. */
export class Sender implements AsyncDisposable {
  readonly name: string;
  readonly url: string;
  readonly region: string;
  readonly #open: OpenQueue;
  readonly #encoding: Encoding;
  readonly #telemetry: ProducerTelemetry | undefined;
  readonly #queue: SendQueue;
  readonly #pending = new Set<Promise<unknown>>();
  #closed = false;

  constructor(open: OpenQueue, encoding: Encoding, telemetry?: Telemetry) {
    const { connection, url, ref } = open;
    this.#open = open;
    this.#encoding = encoding;
    this.#telemetry = telemetry?.producer({ name: ref.name, url });
    this.#queue = new SendQueue(
      this.#telemetry?.connection(connection) ?? connection,
      url,
      ref.fifo,
    );
    this.name = open.ref.name;
    this.url = open.url;
    this.region = open.connection.region;
  }

  send(
    args: readonly unknown[],
    options: SendOptions = {},
    index?: number,
  ): Promise<SendResult> {
    let message: OutgoingMessage;
    try {
      if (this.#closed) {
        throw new TypeError(
          `Cannot send job to "${this.name}" as the queue is closed`,
        );
      }
      message = this.#message(args, options);
      options.signal?.throwIfAborted();
    } catch (error) {
      return Promise.reject(error);
    }
    const request = (message: OutgoingMessage) =>
      this.#request(message, options.signal, index);
    return this.#track(
      this.#telemetry?.send(message, request) ?? request(message),
    );
  }

  /** Refuses what `send` would refuse before any request. */
  check({ args, ...options }: JobWithOptions<readonly unknown[]>): void {
    this.#message(args, options);
  }

  async sendAll(
    jobs:
      | Iterable<JobInput<readonly unknown[]>>
      | AsyncIterable<
        JobInput<readonly unknown[]>
      >,
    options: SendAllOptions = {},
  ): Promise<SendAllSummary> {
    refuseUnknown(options, SEND_ALL_OPTIONS, "send jobs");
    const { onResult, signal } = options;
    const counts = { sent: 0, failed: 0 };
    const settle = (result: SendAllResult) => {
      if ("error" in result) counts.failed++;
      else counts.sent++;
      if (onResult !== undefined) onResult(result);
      else if ("error" in result) throw result.error;
    };
    const results = new OrderedResults(settle);
    let index = 0;
    try {
      for await (const job of untilAborted(jobs, signal)) {
        if (results.failed) break;
        await results.add(this.#sendOne(job, index++));
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
    // The failure of a send that nobody awaits is reported after this turn: a
    // program that exits as soon as this resolves would hide it.
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
      return { index, ...await this.send(args, options, index) };
    } catch (error) {
      return {
        index,
        error: error instanceof Error ? error : new Error(String(error)),
      };
    }
  }

  /** Checks a job and writes its message; no request is made before. */
  #message(args: readonly unknown[], options: JobOptions): OutgoingMessage {
    if (!Array.isArray(args)) {
      throw new TypeError(
        "Cannot send job as its arguments are no array: wanted an array of a job's arguments",
      );
    }
    checkOptions(options, this.name, this.#open.ref.fifo);
    const body = encodeBody(args, this.#encoding);
    const attributes = toWire(
      options.attributes === undefined ? {} : options.attributes,
    );
    const bytes = messageBytes(body, attributes);
    if (bytes > MAX_BYTES) throw tooLarge(bytes, MAX_BYTES);
    const { delaySeconds, groupId, deduplicationId } = options;
    return {
      body,
      attributes,
      ...(delaySeconds === undefined ? {} : { delaySeconds }),
      ...(groupId === undefined ? {} : { groupId }),
      ...(deduplicationId === undefined ? {} : { deduplicationId }),
    };
  }

  async #request(
    message: OutgoingMessage,
    signal: AbortSignal | undefined,
    index: number | undefined,
  ): Promise<SendResult> {
    try {
      return await this.#queue.send(message, signal);
    } catch (error) {
      if (!(error instanceof SendFailure)) throw error;
      throw this.#sendError(message, error.failure, error.cause, index);
    }
  }

  #sendError(
    message: OutgoingMessage,
    failure: EntryFailure,
    cause: unknown,
    index: number | undefined,
  ): Error {
    const limit = sizeLimit(failure.message);
    if (limit !== undefined) {
      return tooLarge(messageBytes(message.body, message.attributes), limit);
    }
    return new SendError(
      `Cannot send job to "${this.name}": ${failure.code}: ${failure.message}${
        hint(failure)
      }`,
      {
        code: failure.code,
        senderFault: failure.senderFault,
        ...(cause === undefined ? {} : { cause }),
        ...(index === undefined ? {} : { index }),
      },
    );
  }

  async #track<T>(promise: Promise<T>): Promise<T> {
    // What close() waits for is not the caller's promise: to wait for that one
    // would handle its rejection, which must show where the caller does not.
    const settled = promise.then(ignore, ignore);
    this.#pending.add(settled);
    try {
      return await promise;
    } finally {
      this.#pending.delete(settled);
    }
  }
}

/** Hands results on in the order of their jobs, as soon as they are there. */
class OrderedResults {
  readonly #settle: (result: SendAllResult) => void;
  #tail: Promise<void> = Promise.resolve();
  #underWay = 0;
  #room = Promise.withResolvers<void>();
  #failure: { readonly error: unknown } | undefined;

  constructor(settle: (result: SendAllResult) => void) {
    this.#settle = settle;
  }

  /** Whether a result was refused: no more jobs are to be sent. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Takes a result that is to come; resolves when there is room for more. */
  async add(sending: Promise<SendAllResult>): Promise<void> {
    this.#underWay++;
    this.#tail = this.#tail.then(() => this.#next(sending));
    while (this.#underWay >= SEND_ALL_WINDOW) await this.#room.promise;
  }

  /** Waits until all results were handed on. */
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

function jobWithOptions(
  job: JobInput<readonly unknown[]>,
): JobWithOptions<readonly unknown[]> {
  return typeof job !== "object" || job === null || Array.isArray(job)
    ? { args: job as readonly unknown[] }
    : job as JobWithOptions<readonly unknown[]>;
}

function checkOptions(options: JobOptions, queue: string, fifo: boolean): void {
  refuseUnknown(options, JOB_OPTIONS, "send job");
  const { delaySeconds, groupId, deduplicationId } = options;
  if (delaySeconds !== undefined) {
    const fits = Number.isInteger(delaySeconds) && delaySeconds >= 0 &&
      delaySeconds <= MAX_DELAY_SECONDS;
    if (!fits) {
      throw new RangeError(
        `Cannot send job as "delaySeconds" must be an integer from 0 to ${MAX_DELAY_SECONDS}: current value is ${
          String(delaySeconds)
        }`,
      );
    }
    if (fifo) {
      throw new TypeError(
        `Cannot send job to "${queue}" with "delaySeconds": a FIFO queue delays all its messages alike, by its own setting`,
      );
    }
  }
  checkId("groupId", groupId);
  checkId("deduplicationId", deduplicationId);
  if (fifo && groupId === undefined) {
    throw new TypeError(
      `Cannot send job to "${queue}" without "groupId": a FIFO queue needs one, jobs of one group are done in order`,
    );
  }
  if (!fifo && deduplicationId !== undefined) {
    throw new TypeError(
      `Cannot send job to "${queue}" with "deduplicationId": only FIFO queues, whose names end with ".fifo", take one`,
    );
  }
}

function checkId(name: string, id: string | undefined): void {
  if (id === undefined) return;
  if (typeof id !== "string" || !/^[\x21-\x7e]{1,128}$/.test(id)) {
    throw new TypeError(
      `Cannot send job as "${name}" must be 1 to 128 letters, digits and punctuation: current value is ${
        JSON.stringify(id)
      }`,
    );
  }
}

function tooLarge(bytes: number, limit: number): RangeError {
  return new RangeError(
    `Cannot send job as it has ${bytes} bytes, attributes counted: the limit is ${limit} bytes`,
  );
}

function hint(failure: EntryFailure): string {
  return /ContentBasedDeduplication/i.test(failure.message)
    ? ' (give "deduplicationId", or turn the queue\'s content-based deduplication on)'
    : "";
}
