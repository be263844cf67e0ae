/**
 * A testing double of SQS. After {@linkcode setUp}, queues and containers in
 * the same process use it, through the same code as in production.
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

import type { SetUpOptions } from "./src/double/queue_settings.ts";
import { Queues, type TestQueues } from "./src/double/test_queues.ts";

export type {
  Fault,
  FaultHit,
  FaultOperation,
  FaultTarget,
  InjectedFault,
} from "./src/double/faults.ts";
export type {
  SetUpOptions,
  TestQueueOptions,
} from "./src/double/queue_settings.ts";
export type { TestMessage, TestQueue } from "./src/double/test_queue.ts";
export type { TestQueues } from "./src/double/test_queues.ts";

/**
 * Replaces SQS with the double until the scope ends, in this process and for
 * every copy of this package.
 *
 * Opening a queue prints `Connected to region us-east-1.`. If no container is
 * attached to the queue, calling it prints the body. Running a container attaches
 * its worker to its queue and returns. From then on, a send to the queue runs the
 * worker before it resolves, and each delete prints `deleted '...'`.
 *
 * The double follows AWS's documentation. Its clock stands still until
 * {@linkcode TestQueues.advance} moves it. {@linkcode TestQueues.inject} makes
 * calls fail.
 *
 * If a worker must be disposed, use `await using`.
 *
 * @param options Which queues exist, and whether the double prints.
 * @returns The queues. Disposing them removes the double.
 * @throws {TypeError} If an option is unknown or of a wrong type, or a queue's
 * name is invalid.
 * @throws {RangeError} If a queue's setting is out of SQS's range.
 *
 * @example Look at sent jobs
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
 *
 * @example Move the clock to a retry
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
 * assertEquals(queues.get("adder").messages[0]?.visible, false);
 * await queues.advance(30);
 *
 * assertEquals(queues.get("adder").deleted.length, 1);
 * ```
 *
 * @example Deliver a message twice
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
 * await queues.advance(60);
 * assertEquals(done, [1, 1]);
 * assertEquals(duplicate.hits, 1);
 * ```
 */
export function setUp(options: SetUpOptions = {}): TestQueues {
  return new Queues(options);
}
