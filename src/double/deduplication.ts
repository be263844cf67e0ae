/**
 * What a FIFO queue of the testing double remembers for five minutes:
 * deduplication ids, and the attempt ids of receives.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { OutgoingMessage } from "../sqs/connection.ts";

/** SQS's deduplication interval (SQS, "SendMessage" and "ReceiveMessage"). */
const DEDUPLICATION_MS = 5 * 60_000;

/** Values by id, each kept for SQS's deduplication interval. */
export class RecentIds<T> {
  readonly #clock: Clock;
  /** The oldest first. */
  readonly #entries = new Map<string, { value: T; untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(id: string): T | undefined {
    const now = this.#clock.now();
    for (const [oldest, { untilMs }] of this.#entries) {
      if (untilMs > now) break;
      this.#entries.delete(oldest);
    }
    return this.#entries.get(id)?.value;
  }

  set(id: string, value: T): void {
    this.#entries.delete(id);
    const untilMs = this.#clock.now() + DEDUPLICATION_MS;
    this.#entries.set(id, { value, untilMs });
  }
}

/** A message's own deduplication id, or its body's hash (SQS, "SendMessage"). */
export function deduplicationIdOf(message: OutgoingMessage): string {
  return message.deduplicationId ??
    createHash("sha256").update(message.body).digest("hex");
}
