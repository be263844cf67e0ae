/**
 * The testing double while it is set up: it replaces connections, clock and
 * chance.
 *
 * @module
 */

import type { Clock, Random } from "../clock.ts";
import type { Reading } from "../message/reading.ts";
import type { Connection, ConnectOptions } from "../sqs/connection.ts";
import type { ObjectStore } from "../sqs/objects.ts";

/** A container that runs on the double. */
export interface AttachedConsumer {
  readonly queueUrl: string;
  /** How it reads messages; absent in other versions of this package. */
  readonly reading?: Reading;
  /** The URL of the queue for its failed messages, if there is one. */
  readonly failuresUrl?: string | undefined;
  /** The running jobs. */
  readonly jobs: ReadonlySet<object>;
  /** Resolves when the container's state changes, for example a job ends. */
  readonly changed: Promise<void>;
  /** Called when the container receives again after a pause. */
  onResume: (() => void) | undefined;
  /** Handles all visible messages; resolves when none is left. */
  runVisible(): Promise<void>;
  /** Disposes the worker and closes the loggers. */
  close(): Promise<void>;
}

/** The testing double, as the rest of the package uses it. */
export interface TestMode {
  readonly clock: Clock;
  /** Random numbers from the double's seed. */
  readonly random: Random;
  connect(options: ConnectOptions): Connection;
  /** Opens a bucket; absent in other versions of this package. */
  openStore?(bucket: string): ObjectStore;
  /** Notes how a producer writes the messages of a queue. */
  noteWriting?(url: string, writing: Reading): void;
  /** Adds a container; its jobs run when messages are sent. */
  attach(consumer: AttachedConsumer): Promise<void>;
}

const TEST_MODE = Symbol.for("zsqs/1/test-mode");

const shared = globalThis as { [TEST_MODE]?: TestMode | undefined };

/** The testing double, whichever copy of this package set it up. */
export function testMode(): TestMode | undefined {
  return shared[TEST_MODE];
}

/** Replaces the testing double, and returns the previous one. */
export function setTestMode(mode: TestMode | undefined): TestMode | undefined {
  const previous = shared[TEST_MODE];
  shared[TEST_MODE] = mode;
  return previous;
}
