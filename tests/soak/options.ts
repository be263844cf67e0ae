/**
 * The options of a soak.
 *
 * @module
 */

import type { FaultRates } from "./faults.ts";

/** How a soak is made. */
export interface SoakOptions {
  /** A folder for its files. */
  readonly folder: string;
  /** Decides the faults, and which process is killed or stopped how. */
  readonly seed: number;
  /** How many jobs are sent: `rangesOf()` says which go where. */
  readonly jobs: number;
  /** How many containers there are of each kind, one at least. */
  readonly containers: Readonly<Record<ContainerKind, number>>;
  /** Producers for the standard queue; each other queue has one. */
  readonly producers: number;
  readonly visibilitySeconds: number;
  /** How long a poll waits. */
  readonly waitSeconds: number;
  readonly rates: FaultRates;
  /** After how many jobs that were done a container is killed or stopped. */
  readonly stopEvery: number;
  /** After how many that were sent a producer is killed. */
  readonly cutEvery: number;
  /** After how many that were done the server's clock jumps, or it is away. */
  readonly shakeEvery: number;
  /** Ends the sending early. */
  readonly minutes?: number;
  readonly onProgress?: (text: string) => void;
}

/**
 * The kind of a container. Three are on the standard queue: in one process, with
 * `isolation = process`, and in batches. The others are on the FIFO queue, the
 * wide queue and the queue with `body = json`.
 */
export type ContainerKind =
  | "standard"
  | "isolated"
  | "batches"
  | "fifo"
  | "wide"
  | "json";
