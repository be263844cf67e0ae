/**
 * How the page is served, and which parts it shows.
 *
 * @module
 */

import type { Address } from "../config/values.ts";
import type { Container } from "../container/container.ts";
import type { Reading } from "../message/reading.ts";
import type { Writing } from "../message/writing.ts";
import type { ConnectOptions } from "../sqs/connection.ts";
import type { QueueRef } from "../sqs/queue_ref.ts";

/** A queue that the page shows. */
export interface QueueSpec {
  readonly queue: QueueRef;
  readonly where: ConnectOptions;
  /** Where its container sends failed jobs, if that is a queue. */
  readonly failures: QueueRef | undefined;
  /** The ini file that names it. */
  readonly file: string | undefined;
  readonly reading: Reading;
  readonly writing: Writing;
}

/** A container of this process. */
export interface OwnContainer {
  /** Its ini file. */
  readonly file: string;
  readonly container: Pick<
    Container,
    | "stats"
    | "runningJobs"
    | "pause"
    | "resume"
    | "queueUrl"
    | "reading"
  >;
}

/** What the command line chooses. */
export interface WebOptions {
  readonly address: Address;
  /** Absent: the printed URL has a token. */
  readonly password: string | undefined;
  readonly isReadOnly: boolean;
  readonly hidesArguments: boolean;
  /** Host names, some with a port, by which proxies reach the page. */
  readonly allowedHosts: readonly string[];
  /** Health addresses of containers elsewhere. */
  readonly containers: readonly Address[];
}
