/**
 * Whether OpenTelemetry is on, and what the rest sees of it. Where it is off
 * nothing of it is loaded.
 *
 * @module
 */

import type { OutgoingMessage, SendConnection } from "../sqs/connection.ts";
import type { ContainerSummary, EngineConnection } from "./counters.ts";
import type { Handler } from "../job/run_job.ts";

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

/** What a container reports: a span for each job, and what it counts. */
export interface ContainerTelemetry {
  /** A connection whose requests are measured. */
  connection(connection: EngineConnection): EngineConnection;
  /** A handler whose jobs are spans, children of those that sent them. */
  handler(handler: Handler): Handler;
  /** Brings the metrics up to what has been counted. */
  record(): void;
}

/** OpenTelemetry, as far as this package needs it. */
export interface Telemetry {
  producer(queue: TelemetryQueue): ProducerTelemetry;
  container(
    queue: TelemetryQueue,
    summary: () => ContainerSummary,
  ): ContainerTelemetry;
}
