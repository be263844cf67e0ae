/**
 * The testing double's server: queues in memory, on a virtual clock.
 *
 * @module
 */

import type { Clock, Random } from "../clock.ts";
import type { OutgoingMessage } from "../sqs/connection.ts";
import { list, quote } from "../text.ts";
import { callError } from "./checks.ts";
import { ClockWait } from "./clock_wait.ts";
import { FaultScript } from "./fault_script.ts";
import { DoubleQueue } from "./queue.ts";
import {
  settingsOf,
  type SetUpOptions,
  type TestQueueOptions,
} from "./queue_settings.ts";
import { randomOf, uuidOf } from "./random.ts";
import type { StoredMessage } from "./message.ts";

/** Reports what happens in the queues. */
interface ServerHooks {
  /** Messages were sent. The send's answer waits for this. */
  sent?(
    queue: DoubleQueue,
    messages: readonly OutgoingMessage[],
  ): Promise<void>;
  /** A message was deleted. */
  deleted?(message: StoredMessage, queue: DoubleQueue): void;
  /** A message moved to this dead-letter queue. */
  redriven?(queue: DoubleQueue, from: DoubleQueue): void;
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
  /** Makes a message id or receipt handle. */
  readonly newId: () => string;

  constructor(
    clock: Clock,
    { seed, queues }: Pick<SetUpOptions, "seed" | "queues">,
    hooks: ServerHooks = {},
  ) {
    this.clock = clock;
    this.clockWait = new ClockWait(clock);
    this.hooks = hooks;
    // Each use has its own source, so another fault does not change the rest.
    const source = (use: number) =>
      randomOf(((seed ?? SEED) + Math.imul(use, 0x9e3779b9)) | 0);
    this.random = source(0);
    this.faults = new FaultScript(this.clockWait, source(1));
    const ids = source(2);
    this.newId = () => seed === undefined ? crypto.randomUUID() : uuidOf(ids);
    this.#anyName = queues === undefined;
    for (const queue of queues ?? []) {
      this.create(typeof queue === "string" ? { name: queue } : queue);
    }
  }

  /** Makes a queue. */
  create(options: TestQueueOptions): DoubleQueue {
    const queue = new DoubleQueue(options.name, settingsOf(options), this);
    this.queues.set(queue.name, queue);
    return queue;
  }

  /** Moves a message of a queue to its dead-letter queue. */
  redrive(message: StoredMessage, from: DoubleQueue, to: string): void {
    const target = this.find(to);
    if (target === undefined) {
      throw new Error(
        `Cannot move message ${message.messageId} of "${from.name}" to its dead-letter queue "${to}" as that does not exist: ${this.listed}`,
      );
    }
    target.takeDeadLetter(message, from);
    this.hooks.redriven?.(target, from);
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

  /** The queue of a URL. */
  byUrl(url: string): DoubleQueue {
    return this.existing(url.split("/").at(-1)!);
  }

  /**
   * A queue that a call names.
   *
   * @throws {SqsError} If it does not exist.
   */
  existing(name: string): DoubleQueue {
    const queue = this.find(name);
    if (queue !== undefined) return queue;
    throw callError(
      "QueueDoesNotExist",
      `The specified queue does not exist: ${this.listed}.`,
    );
  }
}
