/**
 * What is counted and measured for OpenTelemetry, by its conventions for
 * messaging, and the attributes that spans and metrics share.
 *
 * @module
 */

import {
  type Attributes,
  type Counter,
  diag,
  type Histogram,
  metrics,
} from "@opentelemetry/api";
import type { TelemetryQueue } from "./telemetry.ts";

/** The name under which all of it is reported. */
export const SCOPE = "@zsqs/cli";

/** Of durations, in seconds, as the conventions give them. */
const BOUNDARIES = [
  0.005,
  0.01,
  0.025,
  0.05,
  0.075,
  0.1,
  0.25,
  0.5,
  0.75,
  1,
  2.5,
  5,
  7.5,
  10,
];

/** SQS's operations, as the conventions name and type them. */
const OPERATIONS = {
  send: { name: "send", type: "send" },
  receive: { name: "receive", type: "receive" },
  delete: { name: "delete", type: "settle" },
  changeVisibility: { name: "change_visibility", type: "settle" },
  process: { name: "process", type: "process" },
} as const;

/** One of SQS's operations, or the processing of a message. */
export type OperationKey = keyof typeof OPERATIONS;

/** How something ended that threw. */
export interface Thrown {
  readonly error: unknown;
}

/** What is counted and measured. */
export interface Instruments {
  readonly sent: Counter;
  readonly consumed: Counter;
  readonly emptyReceives: Counter;
  readonly jobs: Counter;
  readonly released: Counter;
  readonly leasesLost: Counter;
  readonly process: Histogram;
  /** What measures the requests to a queue. */
  readonly timer: (queue: TelemetryQueue) => Timer;
}

/** Runs a request, and measures it. */
export type Timer = <T>(
  operation: OperationKey,
  call: () => Promise<T>,
) => Promise<T>;

/** Makes the instruments; the same name gives the same one again. */
export function createInstruments(): Instruments {
  const meter = metrics.getMeter(SCOPE);
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(name, { unit: `{${unit}}`, description });
  const duration = (name: string, description: string) =>
    meter.createHistogram(name, {
      unit: "s",
      description,
      advice: { explicitBucketBoundaries: BOUNDARIES },
    });
  const requests = duration(
    "messaging.client.operation.duration",
    "Duration of messaging operation initiated by a producer or consumer client.",
  );
  return {
    sent: counter(
      "messaging.client.sent.messages",
      "message",
      "Number of messages producer attempted to send to the broker.",
    ),
    consumed: counter(
      "messaging.client.consumed.messages",
      "message",
      "Number of messages that were delivered to the application.",
    ),
    process: duration(
      "messaging.process.duration",
      "Duration of processing operation.",
    ),
    emptyReceives: counter(
      "zsqs.receives.empty",
      "request",
      "Number of receives that brought no message.",
    ),
    jobs: counter("zsqs.jobs", "job", "Number of jobs, by how they ended."),
    released: counter(
      "zsqs.messages.released",
      "message",
      "Number of messages given back unrun, or while their job ran.",
    ),
    leasesLost: counter(
      "zsqs.leases.lost",
      "message",
      "Number of messages whose visibility timeout ended before they were settled.",
    ),
    timer: (queue) => async (operation, call) => {
      const startMs = performance.now();
      let failure: Thrown | undefined;
      try {
        return await call();
      } catch (error) {
        failure = { error };
        throw error;
      } finally {
        const seconds = (performance.now() - startMs) / 1000;
        quietly(() =>
          requests.record(seconds, {
            ...attributesOf(operation, queue),
            ...errorType(failure),
          })
        );
      }
    },
  };
}

/** What spans and metrics of an operation on a queue have in common. */
export function attributesOf(
  operation: OperationKey,
  queue: TelemetryQueue,
): Attributes {
  const { name, type } = OPERATIONS[operation];
  return {
    "messaging.system.name": "aws.sqs",
    "messaging.destination.name": queue.name,
    "messaging.operation.name": name,
    "messaging.operation.type": type,
  };
}

/** The kind of an error, where there was one. */
export function errorType(
  failure: Thrown | undefined,
): Attributes {
  if (failure === undefined) return {};
  const { error } = failure;
  if (!(error instanceof Error)) return { "error.type": "_OTHER" };
  const { code } = error as { code?: unknown };
  return { "error.type": typeof code === "string" ? code : error.name };
}

/** Runs what reports: what it throws must end no job. */
export function quietly<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    diag.error(`Cannot report to OpenTelemetry: ${error}`);
    return undefined;
  }
}
