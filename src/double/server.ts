/**
 * The testing double's server: queues in memory, on a virtual clock, and
 * connections to them, which injected faults may hit.
 *
 * @module
 */

import type { Clock, Random } from "../clock.ts";
import type { SqsError } from "../errors.ts";
import type {
  CallOptions,
  Connection,
  EntryResult,
  OutgoingMessage,
  QueueAttributes,
  ReceivedMessage,
  ReceiveOptions,
  Sent,
  VisibilityChange,
} from "../sqs/connection.ts";
import { list, quote } from "../text.ts";
import { callError, checkBatch, checkSize } from "./checks.ts";
import { ClockWait } from "./clock_wait.ts";
import { type CalledQueue, CallFaults, FaultScript } from "./fault_script.ts";
import type { FaultOperation } from "./faults.ts";
import { DoubleQueue } from "./queue.ts";
import { settingsOf, type TestQueueOptions } from "./queue_settings.ts";
import { randomOf, uuidOf } from "./random.ts";
import type { StoredMessage } from "./message.ts";

/** Reports what happens in the queues. */
export interface ServerHooks {
  /** Messages were sent. The send's answer waits for this. */
  sent?(
    queue: DoubleQueue,
    messages: readonly OutgoingMessage[],
  ): Promise<void>;
  /** A message was deleted. */
  deleted?(message: StoredMessage): void;
  /** A message moved to this dead-letter queue. */
  redriven?(queue: DoubleQueue): void;
}

/** Options of a server. */
export interface TestServerOptions {
  readonly clock: Clock;
  /** The source of all chance. Without a seed, only message ids differ. */
  readonly seed?: number | undefined;
  /** The queues that exist; `undefined` means every queue. */
  readonly queues?: readonly (string | TestQueueOptions)[] | undefined;
  readonly hooks?: ServerHooks;
}

/** The seed if none is given: every run draws the same. */
const SEED = 1;

/** SQS in memory. */
export class TestServer {
  readonly clock: Clock;
  readonly clockWait: ClockWait;
  readonly faults: FaultScript;
  /** The program's own chance: pauses, delays. */
  readonly random: Random;
  readonly queues = new Map<string, DoubleQueue>();
  readonly hooks: ServerHooks;
  readonly #anyName: boolean;
  readonly #newId: () => string;

  constructor({ clock, seed, queues, hooks = {} }: TestServerOptions) {
    this.clock = clock;
    this.clockWait = new ClockWait(clock);
    this.hooks = hooks;
    // Each use has its own source, so another fault does not change the rest.
    const source = (use: number) =>
      randomOf(((seed ?? SEED) + Math.imul(use, 0x9e3779b9)) | 0);
    this.random = source(0);
    this.faults = new FaultScript(clock, this.clockWait, source(1));
    const ids = source(2);
    this.#newId = seed === undefined
      ? () => crypto.randomUUID()
      : () => uuidOf(ids);
    this.#anyName = queues === undefined;
    for (const queue of queues ?? []) {
      this.create(typeof queue === "string" ? { name: queue } : queue);
    }
  }

  /** Makes a queue. */
  create(options: TestQueueOptions): DoubleQueue {
    const { name } = options;
    const settings = settingsOf(options);
    const url = `https://sqs.us-east-1.amazonaws.com/000000000000/${name}`;
    const queue = new DoubleQueue(name, url, settings, {
      clock: this.clock,
      newId: this.#newId,
      deleted: (message) => this.hooks.deleted?.(message),
      redrive: (message, deadLetterQueue) => {
        const target = this.find(deadLetterQueue);
        if (target === undefined) {
          throw new Error(
            `Cannot move message ${message.messageId} of "${name}" to its dead-letter queue "${deadLetterQueue}" as that does not exist: ${this.listed}`,
          );
        }
        target.takeDeadLetter(message);
        this.hooks.redriven?.(target);
      },
    });
    this.queues.set(name, queue);
    return queue;
  }

  /** A queue; made now if every queue exists. */
  find(name: string): DoubleQueue | undefined {
    return this.queues.get(name) ??
      (this.#anyName ? this.create({ name }) : undefined);
  }

  /** The queues that exist, for messages. */
  get listed(): string {
    const names = [...this.queues.keys()];
    return names.length === 0
      ? "the testing double has no queues"
      : `the testing double has ${list(names.map(quote))}`;
  }

  connect(region: string): DoubleConnection {
    return new DoubleConnection(region, this);
  }
}

/** A connection to the double. */
export class DoubleConnection implements Connection {
  readonly region: string;
  readonly server: TestServer;

  constructor(region: string, server: TestServer) {
    this.region = region;
    this.server = server;
  }

  async queueUrl(name: string, options: CallOptions = {}): Promise<string> {
    const called = { name, fifo: name.endsWith(".fifo") };
    return await this.#call("GetQueueUrl", called, options, () => {
      const queue = this.server.find(name);
      if (queue === undefined) throw this.#missingQueue();
      return queue.url;
    });
  }

  async attributes(
    url: string,
    options: CallOptions = {},
  ): Promise<QueueAttributes> {
    const queue = this.#queue(url);
    return await this.#call(
      "GetQueueAttributes",
      queue,
      options,
      () => queue.attributes(),
    );
  }

  async send(
    url: string,
    messages: readonly OutgoingMessage[],
    options: CallOptions = {},
  ): Promise<EntryResult<Sent>[]> {
    checkBatch(messages);
    checkSize(messages);
    const queue = this.#queue(url);
    const bodies = messages.map(({ body }) => body);
    const call = { ...options, bodies };
    return await this.#call("SendMessage", queue, call, async (faults) => {
      const accepted: OutgoingMessage[] = [];
      const results = faults.entries(messages, bodies, (message) => {
        const result = queue.send(message);
        if (result.ok) accepted.push(message);
        return result;
      });
      await this.server.hooks.sent?.(queue, accepted);
      return results;
    });
  }

  async receive(
    url: string,
    options: ReceiveOptions,
  ): Promise<ReceivedMessage[]> {
    options.signal?.throwIfAborted();
    const queue = this.#queue(url);
    const faults = this.#faults("ReceiveMessage", queue);
    faults.before([]);
    const messages = await queue.receive(options, faults);
    if (messages.length > 0) {
      await faults.after(messages.map(({ body }) => body), options.signal);
    }
    return messages;
  }

  async delete(
    url: string,
    receiptHandles: readonly string[],
    options: CallOptions = {},
  ): Promise<EntryResult[]> {
    return await this.#settle(
      "DeleteMessage",
      url,
      receiptHandles.map((receiptHandle) => ({ receiptHandle })),
      options,
      (queue, { receiptHandle }) => queue.delete(receiptHandle),
    );
  }

  async changeVisibility(
    url: string,
    changes: readonly VisibilityChange[],
    options: CallOptions = {},
  ): Promise<EntryResult[]> {
    return await this.#settle(
      "ChangeMessageVisibility",
      url,
      changes,
      options,
      (queue, change) => queue.changeVisibility(change),
    );
  }

  close(): void {}

  /** Deletes messages, or changes their visibility, by receipt handle. */
  async #settle<E extends { readonly receiptHandle: string }>(
    operation: FaultOperation,
    url: string,
    entries: readonly E[],
    options: CallOptions,
    effect: (queue: DoubleQueue, entry: E) => EntryResult,
  ): Promise<EntryResult[]> {
    checkBatch(entries);
    const queue = this.#queue(url);
    const bodyOf = ({ receiptHandle }: E) =>
      queue.messageOf(receiptHandle)?.body ?? "";
    const bodies = entries.map(bodyOf);
    return await this.#call(
      operation,
      queue,
      { ...options, bodies },
      (faults) =>
        faults.entries(
          entries,
          bodies,
          (entry) =>
            faults.hit("expiredHandle", [bodyOf(entry)])
              ? queue.expire(entry.receiptHandle)
              : effect(queue, entry),
        ),
    );
  }

  /** Makes a call, with the faults that hit it. */
  async #call<T>(
    operation: FaultOperation,
    queue: CalledQueue,
    options: CallOptions & { readonly bodies?: readonly string[] },
    effect: (faults: CallFaults) => T | Promise<T>,
  ): Promise<T> {
    const { bodies = [], signal } = options;
    signal?.throwIfAborted();
    const faults = this.#faults(operation, queue);
    faults.before(bodies);
    const answer = await effect(faults);
    await faults.after(bodies, signal);
    return answer;
  }

  #faults(operation: FaultOperation, queue: CalledQueue): CallFaults {
    return new CallFaults(this.server.faults, { operation, queue });
  }

  #queue(url: string): DoubleQueue {
    const queue = this.server.find(url.split("/").at(-1)!);
    if (queue === undefined) throw this.#missingQueue();
    return queue;
  }

  #missingQueue(): SqsError {
    return callError(
      "QueueDoesNotExist",
      `The specified queue does not exist: ${this.server.listed}.`,
    );
  }
}
