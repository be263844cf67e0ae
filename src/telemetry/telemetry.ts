/**
 * The interfaces between this package and OpenTelemetry, which is loaded only if
 * it is on.
 *
 * @module
 */

import type { OutgoingMessage, SendConnection } from "../sqs/connection.ts";
import type { BatchRunner, Runner } from "../job/runner.ts";
import type { Reading } from "../message/reading.ts";
import type { ContainerEvents } from "./events.ts";

/** A queue, as spans and metrics name it. */
export interface TelemetryQueue {
  readonly name: string;
  readonly url: string;
}

/** What a producer reports: a span for each job, which travels with it. */
export interface ProducerTelemetry {
  /** A connection whose requests are measured. */
  connection(connection: SendConnection): SendConnection;
  /**
   * Sends a message within a span, whose context it carries where there is
   * room.
   */
  send<T extends { readonly messageId: string }>(
    message: OutgoingMessage,
    send: (message: OutgoingMessage) => Promise<T>,
  ): Promise<T>;
}

/** What a container reports: a span for each job, and metrics. */
interface ContainerTelemetry {
  /** Makes metrics of what happens. */
  readonly events: ContainerEvents;
  /**
   * A runner whose jobs are spans, children of the spans that sent them. The run
   * of a batch is one span, linked to those.
   */
  trace<R extends Runner | BatchRunner>(runner: R): R;
}

/** OpenTelemetry, as far as this package needs it. */
export interface Telemetry {
  producer(queue: TelemetryQueue): ProducerTelemetry;
  container(queue: TelemetryQueue, reading: Reading): ContainerTelemetry;
}
