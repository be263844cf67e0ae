/**
 * The testing double that is set up, if one is: it replaces connections, clock
 * and chance.
 *
 * @module
 */

import type { Clock, Random } from "../clock.ts";
import type { Connection, ConnectOptions } from "../sqs/connection.ts";

/** A container that was started while the double is set up. */
export interface AttachedConsumer {
  readonly queueUrl: string;
  /** The jobs that run, each told apart from every other. */
  readonly jobs: ReadonlySet<object>;
  /** Resolves when something happens: a job has ended, for one. */
  readonly changed: Promise<void>;
  /** Receives and handles what is visible; resolves when nothing is left. */
  drain(): Promise<void>;
  /** Disposes the worker and closes the loggers. */
  close(): Promise<void>;
}

/** What stands in for SQS while a test runs. */
export interface TestMode {
  readonly clock: Clock;
  /** Chance, that a seed makes. */
  readonly random: Random;
  connect(options: ConnectOptions): Connection;
  /** Wires a container up; its jobs run when messages are sent. */
  attach(consumer: AttachedConsumer): Promise<void>;
}

const TEST_MODE = Symbol.for("zsqs/1/test-mode");

const shared = globalThis as { [TEST_MODE]?: TestMode | undefined };

/** The testing double that is set up, by whichever copy of this package. */
export function testMode(): TestMode | undefined {
  return shared[TEST_MODE];
}

/** Sets or takes away the testing double, and gives back what was there. */
export function setTestMode(mode: TestMode | undefined): TestMode | undefined {
  const previous = shared[TEST_MODE];
  shared[TEST_MODE] = mode;
  return previous;
}
