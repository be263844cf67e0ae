/**
 * The counts of a container's summary.
 *
 * @module
 */

import type { ContainerSummary, Operation } from "../job/summary.ts";
import type { ContainerEvents, JobOutcome } from "./events.ts";

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
