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

import {
  type AttachedConsumer,
  setTestMode,
  type TestMode,
} from "./src/connect/test_mode.ts";
import { setImmediate } from "node:timers";
import { type Attributes, fromWire } from "./src/message/attributes.ts";
import type { Connection } from "./src/sqs/connection.ts";
import { Double } from "./src/double/server.ts";
import { Consumer, type Standstill } from "./src/double/consumer.ts";
import type { DoubleQueue, StoredMessage } from "./src/double/queue.ts";
import { settingsOf } from "./src/double/checks.ts";
import { messageOf } from "./src/errors.ts";
import type { Fault, FaultHit, InjectedFault } from "./src/double/faults.ts";
import { refuseUnknown } from "./src/options.ts";
import { VirtualClock } from "./src/double/virtual_clock.ts";
import { bodyText, decodeBody, type DecodedJob } from "./src/message/body.ts";

export type {
  DuplicateFault,
  ErrorFault,
  ExpiredHandleFault,
  Fault,
  FaultHit,
  FaultOperation,
  FaultTarget,
  InjectedFault,
  LateAnswerFault,
  LostAnswerFault,
  PartialFailureFault,
  ReorderingFault,
  ThrottleFault,
} from "./src/double/faults.ts";

/**
 * How many turns of the event loop are left to what goes on by itself, before
 * the clock moves on: opening a queue and sending to it takes two or three.
 */
const TURNS = 5;

const SET_UP_OPTIONS = ["queues", "silent", "startTime", "seed"];

/** A queue of the double, with SQS's own settings. */
export interface TestQueueOptions {
  /** The queue's name, ending with `.fifo` for a FIFO queue. */
  readonly name: string;
  /**
   * How long a received message is hidden, in seconds from 0 to 43,200.
   *
   * @default {30}
   */
  readonly visibilityTimeoutSeconds?: number;
  /**
   * How long a sent message is hidden, in seconds from 0 to 900.
   *
   * @default {0}
   */
  readonly delaySeconds?: number;
  /**
   * After which a message is gone, done or not, in seconds from 60 to
   * 1,209,600 (14 days).
   *
   * @default {345_600} 4 days
   */
  readonly messageRetentionSeconds?: number;
  /**
   * The largest message, in bytes from 1024 to 1,048,576.
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
    /** How often a message may be received, from 1 to 1000. */
    readonly maxReceiveCount: number;
  };
}

/** Options of {@linkcode setUp}. */
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
  /**
   * What all chance comes from: faults with a probability, reordering, pauses,
   * delays with jitter, message ids. A whole number; the same seed gives the
   * same run.
   *
   * @default {undefined} the same chance each time, but new message ids
   */
  readonly seed?: number;
}

/** A message in a queue of the double, as a test sees it. */
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
  /** When it was sent. */
  readonly sentAt: Date;
  /** How often it was received. */
  readonly receiveCount: number;
  /** Whether a receive would find it now. */
  readonly visible: boolean;
  /** When it is visible again; in the past where it is visible. */
  readonly visibleAt: Date;
}

/** What a queue of the double holds. */
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
 * is deleted. Messages are kept as AWS documents it, on a clock that stands
 * still until {@linkcode Queues.advance} moves it; what goes wrong is scripted
 * with {@linkcode Queues.inject}.
 *
 * Use `await using` where a worker has something to dispose.
 *
 * @param options Which queues exist, and what is printed.
 * @returns The queues; disposing them takes the double away.
 * @throws {TypeError} If a queue's name is not one that SQS takes, or an option
 * is unknown or of a wrong type.
 * @throws {RangeError} If a queue's setting is out of SQS's range.
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
  readonly #double: Double;
  readonly #consumers = new Map<string, Consumer>();
  /** The queues that messages were moved to and no container has looked at. */
  readonly #redriven = new Set<string>();
  readonly #anyName: boolean;
  readonly #before: TestMode | undefined;
  /** For each move of the clock the jobs that were under way when it began. */
  readonly #patient = new Set<ReadonlySet<object>>();
  #silent: boolean;
  #disposed = false;

  /**
   * Sets the double up, as {@linkcode setUp} does.
   *
   * @param options Which queues exist, and what is printed.
   */
  constructor(options: SetUpOptions = {}) {
    refuseUnknown(options, SET_UP_OPTIONS, "set up the testing double");
    const { queues = [], seed, startTime, silent = false } = options;
    if (seed !== undefined && !Number.isSafeInteger(seed)) {
      throw new TypeError(
        `Cannot set up the testing double as "seed" must be a whole number: current value is ${
          String(seed)
        }`,
      );
    }
    this.#clock = new VirtualClock(startTime?.getTime() ?? Date.now());
    this.#silent = silent;
    this.#anyName = options.queues === undefined;
    this.#double = new Double({
      clock: this.#clock,
      seed,
      hooks: {
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
        redriven: ({ url }) => this.#redriven.add(url),
        missing: (name) => this.#anyName ? this.#create({ name }) : undefined,
      },
    });
    for (const queue of queues) {
      this.#create(typeof queue === "string" ? { name: queue } : queue);
    }
    this.#before = setTestMode({
      clock: this.#clock,
      random: this.#double.random,
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
    const queue = this.#double.find(name);
    const { queues } = this.#double;
    if (queue === undefined) {
      throw new Error(
        `Cannot get queue "${name}" as it does not exist: there ${
          queues.size === 1 ? "is" : "are"
        } ${
          [...queues.keys()].map((name) => `"${name}"`).join(", ") ||
          "none"
        }`,
      );
    }
    const view = (message: StoredMessage) => viewOf(message, this.#clock.now());
    const { messages } = queue;
    const bodies = messages.map(({ body }) => body);
    return {
      name: queue.name,
      url: queue.url,
      messages: messages.map(view),
      bodies,
      // Read only where it is asked for: a body may be no job.
      get jobs() {
        return bodies.map(jobOf);
      },
      deleted: queue.deleted.map(view),
    };
  }

  /**
   * Scripts a fault: from now on it hits the calls that it is for, those that
   * containers make too, until it has hit often enough or is removed.
   *
   * A container gets over faults as it does in production, which takes time:
   * a send resolves when nothing goes on before the clock moves, and
   * {@linkcode Queues.advance} then moves it. A send whose own answer is late
   * resolves only when the clock has been moved: do not await it before.
   *
   * @param fault What goes wrong, with which calls, and how often.
   * @returns The fault: it tells how often it has hit, and disposing it ends it.
   * @throws {TypeError} If the fault has an unknown option, or one of a wrong
   * type.
   * @throws {RangeError} If a number is out of range.
   *
   * @example A job is done twice where SQS delivers it twice
   * ```ts
   * import { Queue } from "@zsqs/cli";
   * import { runContainer } from "@zsqs/cli/container";
   * import { setUp } from "@zsqs/cli/testing";
   * import { assertEquals } from "@std/assert";
   *
   * await using queues = setUp({ silent: true });
   * const done: number[] = [];
   * await runContainer({
   *   queue: "adder",
   *   worker: () => (a: number) => done.push(a),
   * });
   * const duplicate = queues.inject({ kind: "duplicate", delaySeconds: 60 });
   *
   * await (await Queue("adder"))(1);
   * assertEquals(done, [1]);
   * await queues.advance(60);
   * assertEquals(done, [1, 1]);
   * assertEquals(duplicate.hits, 1);
   * ```
   */
  inject(fault: Fault): InjectedFault {
    return this.#double.faults.inject(fault);
  }

  /** The faults that have hit so far, oldest first. */
  get faults(): readonly FaultHit[] {
    return [...this.#double.faults.hits];
  }

  /**
   * Moves the double's clock. Messages whose visibility timeout or delay ends
   * on the way are handled by the containers wired up to their queues, before
   * the promise resolves. A job that was under way before is not awaited, as it
   * may wait for the clock.
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
    await turns();
    const jobs = new Set(
      [...this.#consumers.values()].flatMap(({ jobs }) => [...jobs]),
    );
    // The clock may be moved again before this has ended.
    this.#patient.add(jobs);
    try {
      await this.#advanceTo(this.#clock.now() + seconds * 1000);
    } finally {
      this.#patient.delete(jobs);
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

  async #advanceTo(end: number): Promise<void> {
    const settle = async () => {
      await turns();
      for (const consumer of [...this.#consumers.values()]) {
        await consumer.settle();
      }
    };
    do {
      // What was woken may have hidden messages that are due before the end.
      const next = Math.min(this.#nextVisible(end), this.#clock.next);
      await this.#clock.advance(Math.max(0, next - this.#clock.now()), settle);
      for (const url of [...this.#consumers.keys()]) await this.#drain(url);
    } while (this.#clock.now() < end || this.#clock.next <= end);
  }

  #connect(region: string): Connection {
    this.#print(`Connected to region ${region}.`);
    return this.#double.connect(region);
  }

  /** What jobs wait for that only moves when the clock does. */
  #standstill(): Standstill {
    const patient = () =>
      new Set([...this.#patient].flatMap((jobs) => [...jobs]));
    const { faults } = this.#double;
    return {
      get patient() {
        return patient();
      },
      get sleeping() {
        return faults.sleeping;
      },
      get fallsAsleep() {
        return faults.fallsAsleep;
      },
    };
  }

  async #attach(attached: AttachedConsumer): Promise<void> {
    const consumer = new Consumer(attached, this.#standstill());
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

  #create(options: TestQueueOptions): DoubleQueue {
    return this.#double.create(options.name, settingsOf(options));
  }

  /** When the next message of any queue becomes visible, `end` at the latest. */
  #nextVisible(end: number): number {
    let next = end;
    for (const { nextVisibleMs } of this.#double.queues.values()) {
      next = Math.min(next, nextVisibleMs);
    }
    return Math.max(next, this.#clock.now());
  }

  #print(text: string): void {
    if (!this.#silent) console.log(text);
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
    sentAt: new Date(message.sentAtMs),
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
async function turns(): Promise<void> {
  for (let i = 0; i < TURNS; i++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
