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
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import { messageBytes } from "../message/attributes.ts";
import {
  MAX_ATTRIBUTES,
  MAX_BYTES,
  type OutgoingMessage,
  type SendConnection,
} from "../sqs/connection.ts";
import type { ContainerSummary, EngineConnection } from "./counters.ts";
import { messageOf } from "../errors.ts";
import type { Handler } from "../job/run_job.ts";
import {
  attributesOf,
  createInstruments,
  errorType,
  type Instruments,
  type OperationKey,
  quietly,
  SCOPE,
  type Thrown,
  type Timer,
} from "./instruments.ts";
import { currentScope, type Job } from "../job/current_job.ts";
import type {
  ContainerTelemetry,
  ProducerTelemetry,
  Telemetry,
  TelemetryQueue,
} from "./telemetry.ts";

/** The message attribute that carries a span's context (W3C Trace Context). */
const CARRIER = "traceparent";

/** Makes what reports to OpenTelemetry; nothing where that throws. */
export function createTelemetry(): Telemetry | undefined {
  return quietly(() => {
    const tracer = trace.getTracer(SCOPE);
    const instruments = createInstruments();
    return {
      producer: (queue) => new Producer(tracer, instruments, queue),
      container: (queue, summary) =>
        new Container(tracer, instruments, queue, summary),
    };
  });
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
    let failure: Thrown | undefined;
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
    const given = trace.getSpanContext(
      contextOf(attributes[CARRIER]?.value),
    );
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
      let failure: Thrown | undefined;
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
    const parent = contextOf(job.attributes[CARRIER]);
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

function spanAttributes(
  operation: OperationKey,
  queue: TelemetryQueue,
): Attributes {
  return { ...attributesOf(operation, queue), "aws.sqs.queue.url": queue.url };
}

/** A message with a span's context, where there is room for it. */
function withContext(
  message: OutgoingMessage,
  span: Span | undefined,
): OutgoingMessage {
  if (span === undefined || CARRIER in message.attributes) return message;
  const carrier: Record<string, string> = {};
  propagation.inject(trace.setSpan(context.active(), span), carrier);
  const value = carrier[CARRIER];
  if (!value) return message;
  const attributes = {
    ...message.attributes,
    [CARRIER]: { type: "String", value },
  };
  // The last place is left to the reason, should the job fail.
  const fits = Object.keys(attributes).length < MAX_ATTRIBUTES &&
    messageBytes(message.body, attributes) <= MAX_BYTES;
  return fits ? { ...message, attributes } : message;
}

/** The context that a message attribute carries, if it does. */
function contextOf(value: unknown): Context {
  // Nothing else that is active here is the cause of a job.
  return typeof value === "string"
    ? propagation.extract(ROOT_CONTEXT, { [CARRIER]: value })
    : ROOT_CONTEXT;
}

function linksTo(
  linked: SpanContext | undefined,
): { readonly context: SpanContext }[] {
  return linked === undefined ? [] : [{ context: linked }];
}

function end(
  span: Span | undefined,
  failure: Thrown | undefined,
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
