/**
 * OpenTelemetry's metrics, by its conventions for messaging, and the attributes
 * that they share with spans.
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
import type { ContainerEvents, JobOutcome, Operation } from "./events.ts";
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

/** The instruments that count and measure. */
export interface Instruments {
  readonly sent: Counter;
  readonly consumed: Counter;
  readonly emptyReceives: Counter;
  readonly jobs: Counter;
  readonly released: Counter;
  readonly leasesLost: Counter;
  readonly process: Histogram;
  readonly requests: Histogram;
}

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
      "Number of receives that returned no message.",
    ),
    jobs: counter("zsqs.jobs", "job", "Number of jobs, by how they ended."),
    released: counter(
      "zsqs.messages.released",
      "message",
      "Number of messages returned to the queue before or while their job ran.",
    ),
    leasesLost: counter(
      "zsqs.leases.lost",
      "message",
      "Number of messages whose visibility timeout ended before they were settled.",
    ),
    requests: duration(
      "messaging.client.operation.duration",
      "Duration of messaging operation initiated by a producer or consumer client.",
    ),
  };
}

/** SQS's operations, as the conventions name them. */
const REQUESTS: Readonly<Record<Operation, OperationKey>> = {
  ReceiveMessage: "receive",
  DeleteMessage: "delete",
  ChangeMessageVisibility: "changeVisibility",
};

/** Makes metrics of what happens in a container. */
export class Metrics implements ContainerEvents {
  readonly #instruments: Instruments;
  readonly #queue: TelemetryQueue;

  constructor(instruments: Instruments, queue: TelemetryQueue) {
    this.#instruments = instruments;
    this.#queue = queue;
  }

  requested(operation: Operation, ms: number, error?: unknown): void {
    recordMs(this.#instruments.requests, ms, {
      ...attributesOf(REQUESTS[operation], this.#queue),
      ...(error === undefined ? {} : errorType(error)),
    });
  }

  received(messages: number): void {
    quietly(() => {
      const { consumed, emptyReceives } = this.#instruments;
      const attributes = attributesOf("receive", this.#queue);
      if (messages > 0) consumed.add(messages, attributes);
      else emptyReceives.add(1, attributes);
    });
  }

  ended(outcome: JobOutcome): void {
    quietly(() => {
      const { jobs, released, leasesLost } = this.#instruments;
      const queue = { "messaging.destination.name": this.#queue.name };
      if (outcome === "released") released.add(1, queue);
      else if (outcome === "lost") leasesLost.add(1, queue);
      else jobs.add(1, { ...queue, "zsqs.outcome": outcome });
    });
  }
}

/** Records a duration, in seconds as the conventions have it. */
export function recordMs(
  histogram: Histogram,
  ms: number,
  attributes: Attributes,
): void {
  quietly(() => histogram.record(ms / 1000, attributes));
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

/** The kind of an error. */
export function errorType(error: unknown): Attributes {
  if (!(error instanceof Error)) return { "error.type": "_OTHER" };
  const { code } = error as { code?: unknown };
  return { "error.type": typeof code === "string" ? code : error.name };
}

/** Runs code that reports: an error of it must end no job. */
export function quietly<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    diag.error(`Cannot report to OpenTelemetry: ${error}`);
    return undefined;
  }
}
