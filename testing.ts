/**
 * A testing double of SQS: set it up, and queues and containers in the same
 * process work against it, through the same code as in production.
 *
 * ```ts
 * import { Queue, type WorkerConfig } from "@zsqs/cli";
 * import { runContainer } from "@zsqs/cli/container";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using queues = setUp({ silent: true });
 *
 * const sums: number[] = [];
 * function adder(config: WorkerConfig) {
 *   const scale = Number(config.scale ?? 1);
 *   return (a: number, b: number) => sums.push(scale * (a + b));
 * }
 * await runContainer({
 *   queue: "adder",
 *   worker: adder,
 *   workerConfig: { scale: "2" },
 * });
 *
 * const queue = await Queue("adder");
 * await queue(1, 2); // the worker has run when this resolves
 *
 * assertEquals(sums, [6]);
 * assertEquals(queues.get("adder").messages, []);
 * ```
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { type Attributes, fromWire, MAX_BYTES } from "./_attributes.ts";
import {
  type AttachedConsumer,
  setTestMode,
  type TestMode,
} from "./_connect.ts";
import {
  DoubleConnection,
  type DoubleHooks,
  DoubleQueue,
  type StoredMessage,
} from "./_double.ts";
import { messageOf } from "./_errors.ts";
import { parseQueueRef, QUEUE_REF_HINT } from "./_queue_ref.ts";
import { currentScope } from "./_scope.ts";
import { VirtualClock } from "./_virtual_clock.ts";
import { bodyText, decodeBody, type DecodedJob } from "./_wire.ts";

/**
 * A queue of the double, with SQS's own settings.
 *
 * @example A queue with a dead-letter queue
 * ```ts
 * import { Queue, runContainer, TransientError } from "@zsqs/cli";
 * import { setUp, type TestQueueOptions } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const adder: TestQueueOptions = {
 *   name: "adder",
 *   redrive: { deadLetterQueue: "adder-dead", maxReceiveCount: 2 },
 * };
 * await using queues = setUp({ silent: true, queues: [adder, "adder-dead"] });
 * await runContainer({
 *   queue: "adder",
 *   worker: () => () => {
 *     throw new TransientError("never");
 *   },
 * });
 * await (await Queue("adder"))(1, 2);
 * await queues.advance(60);
 *
 * assertEquals(queues.get("adder-dead").jobs, [[1, 2]]);
 * ```
 */
export interface TestQueueOptions {
  /** The queue's name, ending with `.fifo` for a FIFO queue. */
  readonly name: string;
  /**
   * How long a received message is hidden, in seconds.
   *
   * @default {30}
   */
  readonly visibilityTimeoutSeconds?: number;
  /**
   * How long a sent message is hidden, in seconds.
   *
   * @default {0}
   */
  readonly delaySeconds?: number;
  /**
   * The largest message, in bytes.
   *
   * @default {1_048_576}
   */
  readonly maximumMessageSize?: number;
  /**
   * On FIFO queues, whether equal bodies within 5 minutes are one message.
   *
   * @default {true}
   */
  readonly contentBasedDeduplication?: boolean;
  /**
   * The dead-letter queue, which gets a message that was received
   * `maxReceiveCount` times and is visible again.
   */
  readonly redrive?: {
    /** The name of the dead-letter queue. */
    readonly deadLetterQueue: string;
    /** How often a message may be received. */
    readonly maxReceiveCount: number;
  };
}

/**
 * Options of {@linkcode setUp}.
 *
 * @example Only these queues exist
 * ```ts
 * import { setUp, type SetUpOptions } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const options: SetUpOptions = {
 *   queues: ["adder"],
 *   silent: true,
 *   startTime: new Date("2030-01-01"),
 * };
 * using queues = setUp(options);
 *
 * assertEquals(queues.now, options.startTime);
 * ```
 */
export interface SetUpOptions {
  /**
   * The queues that exist, by name or with settings.
   *
   * @default {undefined} every queue exists
   */
  readonly queues?: readonly (string | TestQueueOptions)[];
  /**
   * Prints nothing.
   *
   * @default {false}
   */
  readonly silent?: boolean;
  /**
   * Where the clock starts.
   *
   * @default {undefined} now
   */
  readonly startTime?: Date;
}

/**
 * A message in a queue of the double, as a test sees it.
 *
 * @example Which messages are hidden
 * ```ts
 * import { Queue } from "@zsqs/cli";
 * import { setUp, type TestMessage } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const isHidden = ({ visible }: TestMessage) => !visible;
 *
 * using queues = setUp({ silent: true });
 * await (await Queue("adder")).send([1, 2], { delaySeconds: 60 });
 *
 * assertEquals(queues.get("adder").messages.filter(isHidden).length, 1);
 * ```
 */
export interface TestMessage {
  /** SQS's id of the message. */
  readonly messageId: string;
  /** The body, as it is on the wire. */
  readonly body: string;
  /** The positional arguments; `undefined` where the body has none. */
  readonly args: readonly unknown[] | undefined;
  /** The keyword arguments; `undefined` where the body has none. */
  readonly kwargs: Readonly<Record<string, unknown>> | undefined;
  /** The message's attributes. */
  readonly attributes: Attributes;
  /** The message's group, if it has one. */
  readonly groupId: string | undefined;
  /** How often it was received. */
  readonly receiveCount: number;
  /** Whether a receive would find it now. */
  readonly visible: boolean;
  /** When it is visible again; in the past where it is visible. */
  readonly visibleAt: Date;
}

/**
 * What a queue of the double holds.
 *
 * @example Assert that a queue is empty
 * ```ts
 * import { setUp, type TestQueue } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * function assertEmpty(queue: TestQueue): void {
 *   assertEquals(queue.jobs, []);
 * }
 *
 * using queues = setUp({ silent: true });
 * assertEmpty(queues.get("adder"));
 * ```
 */
export interface TestQueue {
  /** The queue's name. */
  readonly name: string;
  /** The queue's URL. */
  readonly url: string;
  /** The messages in the queue, visible or not, oldest first. */
  readonly messages: readonly TestMessage[];
  /** The bodies of the messages in the queue, as they are on the wire. */
  readonly bodies: readonly string[];
  /**
   * The jobs in the queue: each one's positional arguments, and after them its
   * keyword arguments, if it has any, as a handler gets them.
   *
   * @throws {TypeError} If a body is no job; `messages` shows those too.
   */
  readonly jobs: readonly (readonly unknown[])[];
  /** The messages that were deleted, in the order of their deletion. */
  readonly deleted: readonly TestMessage[];
}

/**
 * Replaces SQS by the double, in this process and for every copy of this
 * package, until the scope ends.
 *
 * Then, as in zc.sqs: opening a queue prints `Connected to region us-east-1.`;
 * calling it prints its body, if no container is wired up to it; running a
 * container wires its worker up and returns; sending to its queue runs the
 * worker before the send resolves, and prints `deleted '...'` when a message
 * is deleted. Messages are kept as SQS keeps them, on a clock that stands still
 * until {@linkcode Queues.advance} moves it.
 *
 * Use `await using` where a worker has something to dispose.
 *
 * @param options Which queues exist, and what is printed.
 * @returns The queues; disposing them takes the double away.
 * @throws {TypeError} If a queue's name is not one that SQS takes.
 *
 * @example Look at what was sent
 * ```ts
 * import { Queue } from "@zsqs/cli";
 * import { setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * using queues = setUp({ silent: true });
 * const queue = await Queue("quiet");
 * await queue(1);
 *
 * assertEquals(queues.get("quiet").bodies, ["[[1],{}]"]);
 * ```
 */
export function setUp(options: SetUpOptions = {}): Queues {
  return new Queues(options);
}

/**
 * The queues of a double that is set up.
 *
 * @example Share them in a test file
 * ```ts
 * import { Queue } from "@zsqs/cli";
 * import { type Queues, setUp } from "@zsqs/cli/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const sent = (queues: Queues) => queues.get("adder").jobs.length;
 *
 * using queues = setUp({ silent: true });
 * await (await Queue("adder"))(1, 2);
 *
 * assertEquals(sent(queues), 1);
 * ```
 */
export class Queues implements Disposable, AsyncDisposable {
  readonly #clock: VirtualClock;
  readonly #queues = new Map<string, DoubleQueue>();
  readonly #consumers = new Map<string, Consumer>();
  /** The queues that messages were moved to and no container has looked at. */
  readonly #redriven = new Set<string>();
  readonly #anyName: boolean;
  readonly #before: TestMode | undefined;
  #silent: boolean;
  #disposed = false;

  /**
   * Sets the double up, as {@linkcode setUp} does.
   *
   * @param options Which queues exist, and what is printed.
   */
  constructor(options: SetUpOptions = {}) {
    this.#clock = new VirtualClock(options.startTime?.getTime() ?? Date.now());
    this.#silent = options.silent ?? false;
    this.#anyName = options.queues === undefined;
    for (const queue of options.queues ?? []) {
      this.#create(typeof queue === "string" ? { name: queue } : queue);
    }
    this.#before = setTestMode({
      clock: this.#clock,
      connect: ({ region = "us-east-1" }) => this.#connect(region),
      attach: (consumer) => this.#attach(consumer),
    });
  }

  /** The time of the double's clock. */
  get now(): Date {
    return new Date(this.#clock.now());
  }

  /**
   * Stops printing, or starts again.
   *
   * @param silent Whether to print nothing.
   *
   * @example Print nothing
   * ```ts
   * import { Queue } from "@zsqs/cli";
   * import { setUp } from "@zsqs/cli/testing";
   * import { assertEquals } from "@std/assert";
   *
   * using queues = setUp();
   * queues.beSilent();
   * await (await Queue("quiet"))(1);
   *
   * assertEquals(queues.get("quiet").jobs, [[1]]);
   * ```
   */
  beSilent(silent = true): void {
    this.#silent = silent;
  }

  /**
   * What a queue holds now.
   *
   * @param name The queue's name.
   * @returns Its messages.
   * @throws {Error} If there is no such queue; the message lists those there
   * are.
   *
   * @example A transient failure leaves the message
   * ```ts
   * import { Queue, TransientError } from "@zsqs/cli";
   * import { runContainer } from "@zsqs/cli/container";
   * import { setUp } from "@zsqs/cli/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using queues = setUp({ silent: true });
   * await runContainer({
   *   queue: "adder",
   *   worker: () => () => {
   *     throw new TransientError("not now");
   *   },
   * });
   * await (await Queue("adder"))(1);
   *
   * const [message] = queues.get("adder").messages;
   * assertEquals(message?.receiveCount, 1);
   * assertEquals(message?.visible, false);
   * ```
   */
  get(name: string): TestQueue {
    const queue = this.#named(name);
    if (queue === undefined) {
      throw new Error(
        `Cannot get queue "${name}" as it does not exist: there ${
          this.#queues.size === 1 ? "is" : "are"
        } ${
          [...this.#queues.keys()].map((name) => `"${name}"`).join(", ") ||
          "none"
        }`,
      );
    }
    const view = (message: StoredMessage) => viewOf(message, this.#clock.now());
    const bodies = queue.messages.map(({ body }) => body);
    return {
      name: queue.name,
      url: queue.url,
      messages: queue.messages.map(view),
      bodies,
      // Read only where it is asked for: a body may be no job.
      get jobs() {
        return bodies.map(jobOf);
      },
      deleted: queue.deleted.map(view),
    };
  }

  /**
   * Moves the double's clock. Messages whose visibility timeout or delay ends
   * on the way are handled by the containers wired up to their queues, before
   * the promise resolves.
   *
   * @param seconds How far, in seconds.
   * @throws {RangeError} If `seconds` is not a number from 0 on.
   *
   * @example A transient job comes back
   * ```ts
   * import { currentJob, Queue, TransientError } from "@zsqs/cli";
   * import { runContainer } from "@zsqs/cli/container";
   * import { setUp } from "@zsqs/cli/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using queues = setUp({ silent: true });
   * await runContainer({
   *   queue: "adder",
   *   worker: () => () => {
   *     if (currentJob().receiveCount === 1) throw new TransientError();
   *   },
   * });
   * await (await Queue("adder"))(1);
   * await queues.advance(30);
   *
   * assertEquals(queues.get("adder").deleted.length, 1);
   * ```
   */
  async advance(seconds: number): Promise<void> {
    if (!(seconds >= 0 && Number.isFinite(seconds))) {
      throw new RangeError(
        `Cannot advance the clock by ${seconds}: wanted seconds, 0 or more`,
      );
    }
    const end = this.#clock.now() + seconds * 1000;
    for (;;) {
      const next = this.#nextVisible(end);
      await this.#clock.advance(next - this.#clock.now(), turn);
      for (const url of [...this.#consumers.keys()]) await this.#drain(url);
      if (next === end) return;
    }
  }

  /** Takes the double away; what is to be disposed is not awaited. */
  [Symbol.dispose](): void {
    this[Symbol.asyncDispose]().catch((error) =>
      console.error(messageOf(error))
    );
  }

  /** Takes the double away, and disposes the workers wired up to it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    setTestMode(this.#before);
    const consumers = [...this.#consumers.values()];
    this.#consumers.clear();
    const closed = await Promise.allSettled(
      consumers.map((consumer) => consumer.close()),
    );
    const errors = closed.flatMap((result) =>
      result.status === "rejected" ? [result.reason] : []
    );
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) {
      throw new AggregateError(errors, "Cannot dispose workers");
    }
  }

  #connect(region: string): DoubleConnection {
    this.#print(`Connected to region ${region}.`);
    const hooks: DoubleHooks = {
      sent: async (queue, messages) => {
        if (this.#consumers.has(queue.url)) {
          return await this.#drain(queue.url);
        }
        for (const { body } of messages) this.#print(bodyText(body));
      },
      deleted: (messages) => {
        for (const { body } of messages) {
          this.#print(`deleted '${bodyText(body)}'`);
        }
      },
    };
    return new DoubleConnection(region, {
      at: (url) => this.#named(url.split("/").at(-1)!),
      named: (name) => this.#named(name),
    }, hooks);
  }

  async #attach(attached: AttachedConsumer): Promise<void> {
    const consumer = new Consumer(attached);
    // A container run again on the same queue takes the place of the first.
    const before = this.#consumers.get(attached.queueUrl);
    this.#consumers.set(attached.queueUrl, consumer);
    await before?.close();
    await this.#drain(attached.queueUrl);
  }

  /** Runs a queue's container, and those of queues that messages moved to. */
  async #drain(url: string): Promise<void> {
    await this.#consumers.get(url)?.drain();
    for (const moved of this.#redriven) {
      this.#redriven.delete(moved);
      await this.#drain(moved);
    }
  }

  #named(name: string): DoubleQueue | undefined {
    const queue = this.#queues.get(name);
    if (queue !== undefined || !this.#anyName) return queue;
    return this.#create({ name });
  }

  #create(options: TestQueueOptions): DoubleQueue {
    const { name, ...settings } = options;
    if (parseQueueRef(name)?.name !== name) {
      throw new TypeError(
        `Cannot make queue ${JSON.stringify(name)}: wanted ${QUEUE_REF_HINT}`,
      );
    }
    const url = `https://sqs.us-east-1.amazonaws.com/000000000000/${name}`;
    const queue = new DoubleQueue(name, url, {
      visibilityTimeoutSeconds: 30,
      delaySeconds: 0,
      maximumMessageSize: MAX_BYTES,
      contentBasedDeduplication: true,
      ...settings,
    }, {
      clock: this.#clock,
      redrive: (message, deadLetterQueue) => {
        const target = this.#named(deadLetterQueue);
        if (target === undefined) {
          throw new Error(
            `Cannot move message ${message.messageId} of "${name}" to its dead-letter queue "${deadLetterQueue}": there is no such queue`,
          );
        }
        target.add(message);
        this.#redriven.add(target.url);
      },
    });
    this.#queues.set(name, queue);
    return queue;
  }

  /** When the next message of any queue becomes visible, `end` at the latest. */
  #nextVisible(end: number): number {
    const now = this.#clock.now();
    let next = end;
    for (const queue of this.#queues.values()) {
      for (const { visibleAtMs } of queue.messages) {
        if (visibleAtMs > now && visibleAtMs < next) next = visibleAtMs;
      }
    }
    return next;
  }

  #print(text: string): void {
    if (!this.#silent) console.log(text);
  }
}

/** A container wired up to a queue; it runs its jobs one after the other. */
class Consumer {
  readonly #consumer: AttachedConsumer;
  #underWay: Promise<void> | undefined;
  #again = false;

  constructor(consumer: AttachedConsumer) {
    this.#consumer = consumer;
  }

  /** Runs what is visible now; resolves when that has been done. */
  drain(): Promise<void> {
    this.#again = true;
    if (this.#underWay === undefined) {
      this.#underWay = this.#run();
      return this.#underWay;
    }
    // A job that waited for the queue it is part of would wait for itself.
    return currentScope()?.job === undefined
      ? this.#underWay
      : Promise.resolve();
  }

  async close(): Promise<void> {
    await this.#underWay;
    await this.#consumer.close();
  }

  async #run(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#consumer.drain();
      }
    } finally {
      // In the same turn as the last look at what is to be done.
      this.#underWay = undefined;
    }
  }
}

function viewOf(message: StoredMessage, now: number): TestMessage {
  const decoded = tryDecode(message.body);
  return {
    messageId: message.messageId,
    body: message.body,
    args: decoded?.args,
    kwargs: decoded?.kwargs,
    attributes: fromWire(message.attributes),
    groupId: message.groupId,
    receiveCount: message.receiveCount,
    visible: message.visibleAtMs <= now,
    visibleAt: new Date(message.visibleAtMs),
  };
}

function jobOf(body: string): readonly unknown[] {
  const decoded = tryDecode(body);
  if (decoded === undefined) {
    throw new TypeError(
      `Cannot read body ${JSON.stringify(body)}: wanted [args, kwargs]`,
    );
  }
  const { args, kwargs } = decoded;
  return Object.keys(kwargs).length > 0 ? [...args, kwargs] : args;
}

function tryDecode(body: string): DecodedJob | undefined {
  try {
    return decodeBody(body);
  } catch {
    return undefined;
  }
}

/** Lets everything that can go on without time passing go on. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
