/**
 * What a container counts, and the connection that counts its requests.
 *
 * @module
 */

import type { Connection } from "../sqs/connection.ts";

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
  /** Jobs whose input was bad. */
  readonly failed: number;
  /** Jobs to be tried again. */
  readonly retried: number;
  /** Messages given back unrun, or while their job ran. */
  readonly released: number;
  /** Messages whose visibility timeout ended before they were settled. */
  readonly leasesLost: number;
  /** Receives that brought nothing. */
  readonly emptyReceives: number;
  /** Requests to SQS, by operation. */
  readonly requests: Readonly<Record<Operation, number>>;
}

/** Counters that grow. */
export class Counters implements ContainerSummary {
  received = 0;
  done = 0;
  failed = 0;
  retried = 0;
  released = 0;
  leasesLost = 0;
  emptyReceives = 0;
  readonly requests: Record<Operation, number> = {
    ReceiveMessage: 0,
    DeleteMessage: 0,
    ChangeMessageVisibility: 0,
  };

  /** The counts as they are now. */
  get summary(): ContainerSummary {
    return { ...this, requests: { ...this.requests } };
  }

  /** The part of a connection that the engine uses, its requests counted. */
  counting(connection: EngineConnection): EngineConnection {
    const { requests } = this;
    return {
      receive(url, options) {
        requests.ReceiveMessage++;
        return connection.receive(url, options);
      },
      delete(url, receiptHandles, options) {
        requests.DeleteMessage++;
        return connection.delete(url, receiptHandles, options);
      },
      changeVisibility(url, changes, options) {
        requests.ChangeMessageVisibility++;
        return connection.changeVisibility(url, changes, options);
      },
    };
  }
}

/** What the engine needs of a connection. */
export type EngineConnection = Pick<
  Connection,
  "receive" | "delete" | "changeVisibility"
>;
