/**
 * Spans and metrics by OpenTelemetry's conventions for messaging (semantic
 * conventions 1.45). It is loaded where OpenTelemetry is on, and nowhere else.
 *
 * What OpenTelemetry throws never reaches a job: it would end it as failed.
 *
 * @module
 */

import {
  type Attributes,
  type Context,
  context,
  type Counter,
  diag,
  type Histogram,
  metrics,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { MAX_ATTRIBUTES, MAX_BYTES, messageBytes } from "./_attributes.ts";
import type {
  OutgoingMessage,
  SendConnection,
  WireAttributes,
} from "./_connection.ts";
import type { ContainerSummary, EngineConnection } from "./_counters.ts";
import { messageOf } from "./_errors.ts";
import type { Handler } from "./_job.ts";
import { currentScope, type Job } from "./_scope.ts";
import type {
  ContainerTelemetry,
  ProducerTelemetry,
  Telemetry,
  TelemetryQueue,
} from "./_telemetry.ts";

const SCOPE = "@zsqs/cli";

/** The message attributes that carry a span's context (W3C Trace Context). */
const CARRIED = ["traceparent", "tracestate"] as const;

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

/** Makes what reports to OpenTelemetry. */
export function createTelemetry(): Telemetry {
  const tracer = trace.getTracer(SCOPE);
  const instruments = createInstruments();
  return {
    producer: (queue) => new Producer(tracer, instruments, queue),
    container: (queue, summary) =>
      new Container(tracer, instruments, queue, summary),
  };
}

class Producer implements ProducerTelemetry {
  readonly #tracer: Tracer;
  readonly #instruments: Instruments;
  readonly #queue: TelemetryQueue;
  readonly #attributes: Attributes;

  constructor(
    tracer: Tracer,
    instruments: Instruments,
    queue: TelemetryQueue,
  ) {
    this.#tracer = tracer;
    this.#instruments = instruments;
    this.#queue = queue;
    this.#attributes = attributesOf("send", queue);
  }

  connection(connection: SendConnection): SendConnection {
    const timed = this.#instruments.timer(this.#queue);
    return {
      send: (...args) => timed("send", () => connection.send(...args)),
    };
  }

  async send<T extends { readonly messageId: string }>(
    message: OutgoingMessage,
    send: (message: OutgoingMessage) => Promise<T>,
  ): Promise<T> {
    const span = quietly(() => this.#start(message));
    const traced = quietly(() => withContext(message, span)) ?? message;
    let failure: { readonly error: unknown } | undefined;
    try {
      const sent = await send(traced);
      quietly(() => span?.setAttribute("messaging.message.id", sent.messageId));
      return sent;
    } catch (error) {
      failure = { error };
      throw error;
    } finally {
      quietly(() => {
        const { sent } = this.#instruments;
        sent.add(1, { ...this.#attributes, ...errorType(failure) });
      });
      end(span, failure);
    }
  }

  #start({ attributes }: OutgoingMessage): Span {
    // A context that the caller put there is kept, and linked to.
    const given = contextIn(texts(attributes));
    return this.#tracer.startSpan(`send ${this.#queue.name}`, {
      kind: given === undefined ? SpanKind.PRODUCER : SpanKind.CLIENT,
      attributes: spanAttributes("send", this.#queue),
      links: linksTo(given),
    });
  }
}

class Container implements ContainerTelemetry {
  readonly #tracer: Tracer;
  readonly #instruments: Instruments;
  readonly #queue: TelemetryQueue;
  readonly #summary: () => ContainerSummary;
  /** What the metrics were brought up to. */
  #recorded: Counted = {
    done: 0,
    failed: 0,
    retried: 0,
    released: 0,
    leasesLost: 0,
  };

  constructor(
    tracer: Tracer,
    instruments: Instruments,
    queue: TelemetryQueue,
    summary: () => ContainerSummary,
  ) {
    this.#tracer = tracer;
    this.#instruments = instruments;
    this.#queue = queue;
    this.#summary = summary;
  }

  connection(connection: EngineConnection): EngineConnection {
    const timer = this.#instruments.timer(this.#queue);
    const timed: Timer = async (operation, call) => {
      try {
        return await timer(operation, call);
      } finally {
        this.record();
      }
    };
    return {
      receive: (...args) =>
        timed("receive", async () => {
          const messages = await connection.receive(...args);
          this.#countReceived(messages.length);
          return messages;
        }),
      delete: (...args) => timed("delete", () => connection.delete(...args)),
      changeVisibility: (...args) =>
        timed("changeVisibility", () => connection.changeVisibility(...args)),
    };
  }

  handler(handler: Handler): Handler {
    return async (...args) => {
      const job = currentScope()!.job!;
      const started = quietly(() => this.#start(job));
      if (started === undefined) return await handler(...args);
      const startMs = performance.now();
      let failure: { readonly error: unknown } | undefined;
      try {
        return await context.with(started.context, () => handler(...args));
      } catch (error) {
        failure = { error };
        throw error;
      } finally {
        const seconds = (performance.now() - startMs) / 1000;
        quietly(() => {
          this.#instruments.process.record(seconds, {
            ...attributesOf("process", this.#queue),
            ...errorType(failure),
          });
        });
        end(started.span, failure);
      }
    };
  }

  record(): void {
    quietly(() => {
      const { jobs, released, leasesLost } = this.#instruments;
      const now = this.#summary();
      const before = this.#recorded;
      const queue = { "messaging.destination.name": this.#queue.name };
      for (const outcome of OUTCOMES) {
        const count = now[outcome] - before[outcome];
        if (count > 0) jobs.add(count, { ...queue, "zsqs.outcome": outcome });
      }
      const given = now.released - before.released;
      if (given > 0) released.add(given, queue);
      const lost = now.leasesLost - before.leasesLost;
      if (lost > 0) leasesLost.add(lost, queue);
      this.#recorded = now;
    });
  }

  #start(job: Job): { readonly span: Span; readonly context: Context } {
    const carrier = texts(job.attributes);
    // Nothing else that is active here is the cause of the job.
    const parent = propagation.extract(ROOT_CONTEXT, carrier);
    const span = this.#tracer.startSpan(`process ${this.#queue.name}`, {
      kind: SpanKind.CONSUMER,
      attributes: {
        ...spanAttributes("process", this.#queue),
        "messaging.message.id": job.messageId,
        "zsqs.receive_count": job.receiveCount,
      },
      links: linksTo(trace.getSpanContext(parent)),
    }, parent);
    return { span, context: trace.setSpan(parent, span) };
  }

  #countReceived(messages: number): void {
    quietly(() => {
      const { consumed, emptyReceives } = this.#instruments;
      const attributes = attributesOf("receive", this.#queue);
      if (messages > 0) consumed.add(messages, attributes);
      else emptyReceives.add(1, attributes);
    });
  }
}

const OUTCOMES = ["done", "failed", "retried"] as const;

type Counted = Pick<
  ContainerSummary,
  typeof OUTCOMES[number] | "released" | "leasesLost"
>;

interface Instruments {
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

type Timer = <T>(
  operation: keyof typeof OPERATIONS,
  call: () => Promise<T>,
) => Promise<T>;

function createInstruments(): Instruments {
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
      let failure: { readonly error: unknown } | undefined;
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

function attributesOf(
  operation: keyof typeof OPERATIONS,
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

function spanAttributes(
  operation: keyof typeof OPERATIONS,
  queue: TelemetryQueue,
): Attributes {
  return { ...attributesOf(operation, queue), "aws.sqs.queue.url": queue.url };
}

/** A message with a span's context, where there is room for it. */
function withContext(
  message: OutgoingMessage,
  span: Span | undefined,
): OutgoingMessage {
  const own = message.attributes;
  if (span === undefined || CARRIED.some((name) => name in own)) return message;
  const carrier: Record<string, string> = {};
  propagation.inject(trace.setSpan(context.active(), span), carrier);
  let attributes = own;
  for (const name of CARRIED) {
    const value = carrier[name];
    if (!value) return { ...message, attributes };
    const more = { ...attributes, [name]: { type: "String", value } };
    // The last place is left to the reason, should the job fail.
    const fits = Object.keys(more).length < MAX_ATTRIBUTES &&
      messageBytes(message.body, more) <= MAX_BYTES;
    if (!fits) return { ...message, attributes };
    attributes = more;
  }
  return { ...message, attributes };
}

/** The attributes that carry a context, as text. */
function texts(
  attributes: Job["attributes"] | WireAttributes,
): Record<string, string> {
  const carrier: Record<string, string> = {};
  for (const name of CARRIED) {
    const attribute = attributes[name];
    const value = typeof attribute === "object" && "value" in attribute
      ? attribute.value
      : attribute;
    if (typeof value === "string") carrier[name] = value;
  }
  return carrier;
}

function contextIn(carrier: Record<string, string>): SpanContext | undefined {
  return trace.getSpanContext(propagation.extract(ROOT_CONTEXT, carrier));
}

function linksTo(
  linked: SpanContext | undefined,
): { readonly context: SpanContext }[] {
  return linked === undefined ? [] : [{ context: linked }];
}

function end(
  span: Span | undefined,
  failure: { readonly error: unknown } | undefined,
): void {
  if (span === undefined) return;
  quietly(() => {
    if (failure === undefined) return;
    const { error } = failure;
    span.setAttributes(errorType(failure));
    span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
    if (error instanceof Error) span.recordException(error);
  });
  quietly(() => span.end());
}

function errorType(
  failure: { readonly error: unknown } | undefined,
): Attributes {
  if (failure === undefined) return {};
  const { error } = failure;
  if (!(error instanceof Error)) return { "error.type": "_OTHER" };
  const { code } = error as { code?: unknown };
  return { "error.type": typeof code === "string" ? code : error.name };
}

function quietly<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    diag.error(`Cannot report to OpenTelemetry: ${error}`);
    return undefined;
  }
}
