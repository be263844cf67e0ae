/**
 * The testing double as a test sees it: its options, its queues and their
 * messages, its clock and its faults.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import {
  type AttachedConsumer,
  setTestMode,
  type TestMode,
} from "../connect/test_mode.ts";
import { messageOf } from "../errors.ts";
import { AS_JOBS, bodyText } from "../message/reading.ts";
import type { Connection } from "../sqs/connection.ts";
import { show } from "../text.ts";
import { BOOLEAN, checkOptions, numeric } from "./check_options.ts";
import { DoubleConnection } from "./connection.ts";
import { Consumer } from "./consumer.ts";
import type { Fault, FaultHit, InjectedFault } from "./faults.ts";
import type { SetUpOptions } from "./queue_settings.ts";
import { Readings } from "./readings.ts";
import { TestServer } from "./server.ts";
import { DoubleStore } from "./store.ts";
import { type TestQueue, viewQueue } from "./test_queue.ts";
import { VirtualClock } from "./virtual_clock.ts";

/** The testing double, from {@linkcode setUp}. Disposing it removes it. */
export interface TestQueues extends Disposable, AsyncDisposable {
  /** The time of the double's clock. */
  readonly now: Date;

  /** The faults that have hit so far, oldest first. */
  readonly faults: readonly FaultHit[];

  /**
   * The double's S3, in which every bucket exists: the text of each object by its
   * URL, such as `s3://bucket/key`. It has the bodies of large jobs. A test may
   * add, change and delete objects.
   */
  readonly objects: Map<string, string>;

  /**
   * Stops or resumes printing.
   *
   * @param silent Whether to print nothing, `true` by default.
   */
  beSilent(silent?: boolean): void;

  /**
   * Shows a queue.
   *
   * @param name The queue's name.
   * @returns The queue's messages now.
   * @throws {Error} If the queue does not exist.
   */
  get(name: string): TestQueue;

  /**
   * Injects a fault. From now on it hits matching calls, by producers and
   * containers, until it has hit often enough or is removed.
   *
   * A container recovers from faults as in production, with pauses. A send
   * resolves when its job waits for the clock, and {@linkcode advance} then
   * moves the clock. If the answer of the send itself is late, advance before
   * you await the send.
   *
   * @param fault What goes wrong, in which calls, and how often.
   * @returns The fault: it counts its hits, and disposing it ends it.
   * @throws {TypeError} If an option is unknown or of a wrong type.
   * @throws {RangeError} If a number is out of range.
   */
  inject(fault: Fault): InjectedFault;

  /**
   * Moves the double's clock. Resolves when containers have handled each
   * message that became visible on the way. Jobs that ran before are not
   * awaited, as they may wait for the clock.
   *
   * @param seconds How far, in seconds.
   * @throws {RangeError} If `seconds` is negative or not finite.
   */
  advance(seconds: number): Promise<void>;

  /** Removes the double without waiting for workers to be disposed. */
  [Symbol.dispose](): void;

  /** Removes the double, and disposes the workers attached to it. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * How many turns of the event loop other code gets before the clock moves.
 * Opening a queue and sending to it takes two or three.
 */
const TURNS = 5;

/** The double behind {@linkcode TestQueues}. */
export class Queues implements TestQueues {
  readonly #clock: VirtualClock;
  readonly #server: TestServer;
  /** By the URL of the queue. */
  readonly #consumers = new Map<string, Consumer>();
  readonly #readings = new Readings();
  /** The dead-letter queues with messages that no container has seen yet. */
  readonly #redriven = new Set<string>();
  readonly #before: TestMode | undefined;
  readonly objects: TestQueues["objects"] = new Map();
  #silent: boolean;
  #disposed = false;

  constructor(options: SetUpOptions) {
    checkOptions("set up the testing double", options, {
      queues: { wanted: "an array", fits: Array.isArray },
      silent: BOOLEAN,
      startTime: {
        wanted: "a valid Date",
        fits: (value) =>
          value instanceof Date && !Number.isNaN(value.getTime()),
      },
      seed: numeric("a whole number", Number.isSafeInteger),
    });
    const { startTime = new Date(), silent = false } = options;
    this.#clock = new VirtualClock(startTime.getTime());
    this.#silent = silent;
    this.#server = new TestServer(this.#clock, options, {
      sent: async ({ url }, messages) => {
        if (this.#consumers.has(url)) return await this.#runVisible(url);
        const reading = this.#readings.of(url);
        for (const { body } of messages) this.#print(bodyText(body, reading));
      },
      deleted: ({ body }, { url }) =>
        this.#print(`deleted '${bodyText(body, this.#readings.of(url))}'`),
      redriven: ({ url }, from) => {
        this.#readings.noteMove(from.url, url);
        this.#redriven.add(url);
      },
    });
    this.#before = setTestMode({
      clock: this.#clock,
      random: this.#server.random,
      connect: ({ region = "us-east-1" }) => this.#connect(region),
      openStore: (bucket) => new DoubleStore(this.objects, bucket),
      attach: (container) => this.#attach(container),
      noteWriting: (url, writing) => this.#readings.noteProducer(url, writing),
    });
  }

  get now(): Date {
    return new Date(this.#clock.now());
  }

  get faults(): readonly FaultHit[] {
    return [...this.#server.faults.hits];
  }

  beSilent(silent = true): void {
    this.#silent = silent;
  }

  get(name: string): TestQueue {
    const queue = this.#server.find(name);
    if (queue === undefined) {
      const shown = show(name);
      throw new Error(
        `Cannot get queue ${shown} as it does not exist: ${this.#server.listed}`,
      );
    }
    return viewQueue(queue, this.#clock.now(), {
      reading: this.#readings.of(queue.url),
      objects: this.objects,
    });
  }

  inject(fault: Fault): InjectedFault {
    return this.#server.faults.inject(fault);
  }

  async advance(seconds: number): Promise<void> {
    if (!(seconds >= 0 && Number.isFinite(seconds))) {
      throw new RangeError(
        `Cannot advance the clock by ${seconds}: wanted seconds, 0 or more`,
      );
    }
    await turns();
    const consumers = [...this.#consumers.values()];
    const running = consumers.flatMap(({ jobs }) => [...jobs]);
    const endMs = this.#clock.now() + seconds * 1000;
    await this.#server.clockWait.during(running, () => this.#advanceTo(endMs));
  }

  [Symbol.dispose](): void {
    this[Symbol.asyncDispose]().catch((error) =>
      console.error(messageOf(error))
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    setTestMode(this.#before);
    const consumers = [...this.#consumers.values()];
    this.#consumers.clear();
    const errors: unknown[] = [];
    const noteError = (error: unknown) => errors.push(error);
    await Promise.all(consumers.map((each) => each.close().catch(noteError)));
    if (errors.length === 1) throw errors[0];
    if (errors.length === 0) return;
    const messages = errors.map(messageOf).join("; ");
    throw new AggregateError(errors, `Cannot dispose workers: ${messages}`);
  }

  async #advanceTo(endMs: number): Promise<void> {
    const settle = async () => {
      await turns();
      for (const consumer of [...this.#consumers.values()]) {
        await consumer.settle();
      }
    };
    do {
      const stop = this.#nextStop(endMs);
      await this.#clock.advance(Math.max(0, stop - this.#clock.now()), settle);
      for (const url of [...this.#consumers.keys()]) {
        await this.#runVisible(url);
      }
    } while (this.#clock.now() < endMs || this.#clock.next <= endMs);
  }

  /** When the next timer ends or message becomes visible, at most `endMs`. */
  #nextStop(endMs: number): number {
    const queues = [...this.#server.queues.values()];
    const visible = queues.map(({ nextVisibleMs }) => nextVisibleMs);
    return Math.min(endMs, this.#clock.next, ...visible);
  }

  #connect(region: string): Connection {
    this.#print(`Connected to region ${region}.`);
    return new DoubleConnection(this.#server, region);
  }

  async #attach(container: AttachedConsumer): Promise<void> {
    const { queueUrl, reading = AS_JOBS, failuresUrl } = container;
    this.#readings.noteContainer(queueUrl, reading, failuresUrl);
    // A container that runs again on the same queue replaces the first one.
    const before = this.#consumers.get(queueUrl);
    const consumer = new Consumer(container, this.#server.clockWait);
    this.#consumers.set(queueUrl, consumer);
    container.onResume = () => consumer.resume();
    await before?.close();
    await this.#runVisible(queueUrl);
  }

  /** Runs a queue's container, then the containers of its dead-letter queues. */
  async #runVisible(url: string): Promise<void> {
    await this.#consumers.get(url)?.runVisible();
    for (const moved of this.#redriven) {
      this.#redriven.delete(moved);
      await this.#runVisible(moved);
    }
  }

  #print(text: string): void {
    if (!this.#silent) console.log(text);
  }
}

/** Gives other code its turns, while no time passes. */
async function turns(): Promise<void> {
  for (let i = 0; i < TURNS; i++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
