/**
 * OpenTelemetry's metrics, by its conventions for messaging, and the attributes
 * that they share with spans.
 *
 * @module
 */

import type {
  Attributes,
  Counter,
  Histogram,
  UpDownCounter,
} from "@opentelemetry/api";
import { meterOf, reportProblem } from "./api.ts";
import type {
  ContainerEvents,
  JobOutcome,
  Level,
  Operation,
} from "./events.ts";
import type { TelemetryQueue } from "./telemetry.ts";

/** The name under which all of it is reported. */
export const SCOPE = "@zsqs/cli";

/** Of durations, in seconds, as the conventions give them. */
const BOUNDARIES = [
  0.005,
  ...[100, 10, 1].flatMap((parts) => [1, 2.5, 5, 7.5].map((n) => n / parts)),
  10,
];

/** Jobs may take and wait for hours: SQS hides a message for 12 at most. */
const LONG_BOUNDARIES = [...BOUNDARIES, 30, 60, 300, 900, 3600, 14_400, 43_200];

/** Operations by their names at SQS: how the conventions name and type them. */
const OPERATIONS = {
  SendMessage: ["send", "send"],
  ReceiveMessage: ["receive", "receive"],
  DeleteMessage: ["delete", "settle"],
  ChangeMessageVisibility: ["change_visibility", "settle"],
  process: ["process", "process"],
} as const;

/** One of SQS's operations, or the processing of a message. */
export type OperationKey = keyof typeof OPERATIONS;

/** The instruments that count and measure; the same name gives the same one. */
export class Instruments {
  readonly sent: Counter = counter(
    "messaging.client.sent.messages",
    "message",
    "Number of messages producer attempted to send to the broker.",
  );
  readonly consumed: Counter = counter(
    "messaging.client.consumed.messages",
    "message",
    "Number of messages that were delivered to the application.",
  );
  readonly emptyReceives: Counter = counter(
    "zsqs.receives.empty",
    "request",
    "Number of receives that returned no message.",
  );
  readonly jobs: Counter = counter(
    "zsqs.jobs",
    "job",
    "Number of jobs, by how they ended.",
  );
  readonly released: Counter = counter(
    "zsqs.messages.released",
    "message",
    "Number of messages returned to the queue before or while their job ran.",
  );
  readonly leasesLost: Counter = counter(
    "zsqs.leases.lost",
    "message",
    "Number of messages whose visibility timeout ended before they were settled.",
  );
  readonly undeleted: Counter = counter(
    "zsqs.messages.undeleted",
    "message",
    "Number of messages whose job ended, but which could not be deleted.",
  );
  readonly process: Histogram = duration(
    "messaging.process.duration",
    "Duration of processing operation.",
    LONG_BOUNDARIES,
  );
  readonly wait: Histogram = duration(
    "zsqs.job.wait.duration",
    "Time from the sending of a job to the start of its handler.",
    LONG_BOUNDARIES,
  );
  readonly levels: Readonly<Record<Level, UpDownCounter>> = {
    running: level("zsqs.jobs.running", "job", "Number of jobs that run."),
    limit: level(
      "zsqs.jobs.limit",
      "job",
      "Number of jobs that may run at a time.",
    ),
    restarts: level(
      "zsqs.processes.restarted",
      "process",
      "Number of child processes started in place of others.",
    ),
  };
  readonly requests: Histogram = duration(
    "messaging.client.operation.duration",
    "Duration of messaging operation initiated by a producer or consumer client.",
  );
}

/** Counts and measures for nobody, if there are only spans. */
const NOBODY = { add() {}, record() {} };

function counter(name: string, unit: string, description: string): Counter {
  return meterOf(SCOPE)
    ?.createCounter(name, { unit: `{${unit}}`, description }) ?? NOBODY;
}

function level(name: string, unit: string, description: string): UpDownCounter {
  return meterOf(SCOPE)
    ?.createUpDownCounter(name, { unit: `{${unit}}`, description }) ?? NOBODY;
}

function duration(
  name: string,
  description: string,
  boundaries: number[] = BOUNDARIES,
): Histogram {
  return meterOf(SCOPE)?.createHistogram(name, {
    unit: "s",
    description,
    advice: { explicitBucketBoundaries: boundaries },
  }) ?? NOBODY;
}

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
      ...attributesOf(operation, this.#queue),
      ...(error === undefined ? {} : errorType(error)),
    });
  }

  received(messages: number): void {
    quietly(() => {
      const { consumed, emptyReceives } = this.#instruments;
      const attributes = attributesOf("ReceiveMessage", this.#queue);
      if (messages > 0) consumed.add(messages, attributes);
      else emptyReceives.add(1, attributes);
    });
  }

  started(waitedMs: number): void {
    const { wait } = this.#instruments;
    recordMs(wait, waitedMs, attributesOf("process", this.#queue));
  }

  moved(level: Level, by: number): void {
    const queue = { "messaging.destination.name": this.#queue.name };
    quietly(() => this.#instruments.levels[level].add(by, queue));
  }

  ended(outcome: JobOutcome): void {
    quietly(() => {
      const { jobs, released, leasesLost, undeleted } = this.#instruments;
      const queue = { "messaging.destination.name": this.#queue.name };
      if (outcome === "released") released.add(1, queue);
      else if (outcome === "lost") leasesLost.add(1, queue);
      else if (outcome === "undeleted") undeleted.add(1, queue);
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
  const [name, type] = OPERATIONS[operation];
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
    reportProblem(`Cannot report to OpenTelemetry: ${error}`);
    return undefined;
  }
}
