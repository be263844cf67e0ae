/**
 * How often a FIFO queue of the testing double may be called: SQS limits the
 * calls of each action (SQS, "Troubleshoot FIFO throttling issues").
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { throttled } from "./checks.ts";
import type { FaultOperation } from "./faults.ts";

/** The calls of one queue. Each action has a separate limit. */
export class CallLimit {
  readonly #clock: Clock;
  readonly #perSecond: number | undefined;
  /** By action, how many calls are left, and since when. */
  readonly #left = new Map<FaultOperation, { calls: number; atMs: number }>();

  /** @param perSecond `undefined` for no limit. */
  constructor(clock: Clock, perSecond: number | undefined) {
    this.#clock = clock;
    this.#perSecond = perSecond;
  }

  /**
   * Counts a call.
   *
   * @throws {SqsError} If there are too many: the code is `ThrottlingException`.
   */
  count(operation: FaultOperation): void {
    const most = this.#perSecond;
    if (most === undefined) return;
    const now = this.#clock.now();
    const left = this.#left.get(operation) ?? { calls: most, atMs: now };
    this.#left.set(operation, left);
    const earned = (now - left.atMs) / 1000 * most;
    left.calls = Math.min(most, left.calls + earned);
    left.atMs = now;
    if (left.calls < 1) throw throttled(operation, "ThrottlingException");
    left.calls--;
  }
}
