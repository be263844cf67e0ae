/**
 * The counts of a container's summary.
 *
 * @module
 */

import type { ContainerEvents, JobOutcome, Operation } from "./events.ts";

export type { Operation } from "./events.ts";

/** What a container did. */
export interface ContainerSummary {
  /** Messages received. */
  readonly received: number;
  /** Jobs whose handler returned. */
  readonly done: number;
  /** Jobs whose input was bad. */
  readonly failed: number;
  /** Jobs that will be received again. */
  readonly retried: number;
  /** Messages returned to the queue before or while their job ran. */
  readonly released: number;
  /** Messages whose visibility timeout ended before they were settled. */
  readonly leasesLost: number;
  /** Jobs that ended, but whose message could not be deleted: they may run again. */
  readonly undeleted: number;
  /** Log lines that could not be written: a full disk, a closed stream. */
  readonly lostLines: number;
  /** Receives that returned no message. */
  readonly emptyReceives: number;
  /** Requests to SQS that have ended, by operation. */
  readonly requests: Readonly<Record<Operation, number>>;
}

/** Counts events. */
export class Counters implements ContainerEvents {
  readonly #counts = {
    received: 0,
    done: 0,
    failed: 0,
    retried: 0,
    released: 0,
    leasesLost: 0,
    undeleted: 0,
    emptyReceives: 0,
  };
  readonly #requests: Record<Operation, number> = {
    ReceiveMessage: 0,
    DeleteMessage: 0,
    ChangeMessageVisibility: 0,
  };

  /** The counts as they are now. */
  get summary(): Omit<ContainerSummary, "lostLines"> {
    return { ...this.#counts, requests: { ...this.#requests } };
  }

  requested(operation: Operation): void {
    this.#requests[operation]++;
  }

  received(messages: number): void {
    this.#counts.received += messages;
    if (messages === 0) this.#counts.emptyReceives++;
  }

  /** The summary has no times, ... */
  started(): void {}

  /** ... and nothing that passes. */
  moved(): void {}

  ended(outcome: JobOutcome): void {
    this.#counts[outcome === "lost" ? "leasesLost" : outcome]++;
  }
}
