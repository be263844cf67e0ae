/**
 * What a container did, in counts.
 *
 * @module
 */

/** SQS's operations that a container calls. */
export type Operation =
  | "ReceiveMessage"
  | "DeleteMessage"
  | "ChangeMessageVisibility";

/** What a container did. */
export interface ContainerSummary {
  /** Messages received. */
  readonly received: number;
  /** Jobs whose handler returned. */
  readonly done: number;
  /** Jobs that failed: `failures` decided about their messages. */
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
