/**
 * Spans by OpenTelemetry's conventions for messaging (semantic conventions
 * 1.45). This module is loaded only if OpenTelemetry is on.
 *
 * What OpenTelemetry throws never reaches a job, which would fail with it.
 *
 * @module
 */

import type {
  Attributes,
  Context,
  Link,
  Span,
  SpanContext,
} from "@opentelemetry/api";
import {
  activeContext,
  extract,
  inContext,
  inject,
  ROOT_CONTEXT,
  SPAN_KIND,
  spanContextOf,
  STATUS_ERROR,
  tracerOf,
  withSpan,
} from "./api.ts";
import { messageOf } from "../errors.ts";
import type { Outcome } from "../job/decide.ts";
import type { BatchRunner, Runner } from "../job/runner.ts";
import { messageBytes } from "../message/attributes.ts";
import { type Reading, readNotification } from "../message/reading.ts";
import {
  type JobMessage,
  MAX_ATTRIBUTES,
  MAX_BYTES,
  type OutgoingMessage,
  type SendConnection,
} from "../sqs/connection.ts";
import {
  attributesOf,
  errorType,
  Instruments,
  Metrics,
  type OperationKey,
  quietly,
  recordMs,
  SCOPE,
} from "./instruments.ts";
import type {
  ProducerTelemetry,
  Telemetry,
  TelemetryQueue,
} from "./telemetry.ts";

/** The message attribute that carries a span's context (W3C Trace Context). */
const CARRIER = "traceparent";

/** How something ended that threw. */
interface Thrown {
  readonly error: unknown;
}

/** Makes what reports to OpenTelemetry; `undefined` if that throws. */
export function createTelemetry(): Telemetry | undefined {
  return quietly(() => {
    const tracer = tracerOf(SCOPE);
    const instruments = new Instruments();
    return {
      producer: (queue) => new Producer({ tracer, instruments, queue }),
      container: (queue, reading) => ({
        events: new Metrics(instruments, queue),
        trace: <R extends Runner | BatchRunner>(runner: R) => {
          const scope = { tracer, instruments, queue };
          return new Consumer(scope, reading).trace(runner) as R;
        },
      }),
    };
  });
}

/** What spans and metrics of a queue are made with. */
interface Scope {
  readonly tracer: ReturnType<typeof tracerOf>;
  readonly instruments: Instruments;
  readonly queue: TelemetryQueue;
}

class Producer implements ProducerTelemetry {
  readonly #scope: Scope;
  readonly #attributes: Attributes;

  constructor(scope: Scope) {
    this.#scope = scope;
    this.#attributes = attributesOf("SendMessage", scope.queue);
  }

  connection(connection: SendConnection): SendConnection {
    return {
      send: async (...args) => {
        const startMs = performance.now();
        let failure: Thrown | undefined;
        try {
          return await connection.send(...args);
        } catch (error) {
          failure = { error };
          throw error;
        } finally {
          const ms = performance.now() - startMs;
          const attributes = { ...this.#attributes, ...typeOf(failure) };
          recordMs(this.#scope.instruments.requests, ms, attributes);
        }
      },
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
        const attributes = { ...this.#attributes, ...typeOf(failure) };
        this.#scope.instruments.sent.add(1, attributes);
      });
      end(span, failure);
    }
  }

  #start({ attributes }: OutgoingMessage): Span {
    const { tracer, queue } = this.#scope;
    // A context that the caller put there is kept, and linked to.
    const given = spanContextOf(
      contextOf(attributes[CARRIER]?.value),
    );
    return tracer.startSpan(`send ${queue.name}`, {
      kind: given === undefined ? SPAN_KIND.producer : SPAN_KIND.client,
      attributes: spanAttributes("SendMessage", queue),
      links: linksTo(given),
    });
  }
}

/** What a span is started in, and its span. */
interface Started {
  readonly span: Span;
  readonly context: Context;
}

/** Runs jobs in spans. */
class Consumer {
  readonly #scope: Scope;
  readonly #reading: Reading;

  constructor(scope: Scope, reading: Reading) {
    this.#scope = scope;
    this.#reading = reading;
  }

  trace(runner: Runner | BatchRunner): Runner | BatchRunner {
    if (!("runBatch" in runner)) {
      return {
        run: (message, control) =>
          this.#within(
            () => this.#start(message),
            () => runner.run(message, control),
            (outcome) => outcome,
          ),
      };
    }
    return {
      runBatch: (messages, control) =>
        this.#within(
          () => this.#startBatch(messages),
          () => runner.runBatch(messages, control),
          (end) =>
            [end, ...end.own ?? []].map(({ outcome }) => outcome)
              .find(({ kind }) => kind !== "done"),
        ),
    };
  }

  async #within<T>(
    start: () => Started,
    run: () => Promise<T>,
    outcomeOf: (result: T) => Outcome | undefined,
  ): Promise<T> {
    const started = quietly(start);
    if (started === undefined) return await run();
    const startMs = performance.now();
    let running: Promise<T> | undefined;
    quietly(() => inContext(started.context, () => running ??= run()));
    const result = await (running ??= run());
    const outcome = outcomeOf(result);
    const failure = outcome === undefined || outcome.kind === "done"
      ? undefined
      : outcome;
    recordMs(this.#scope.instruments.process, performance.now() - startMs, {
      ...attributesOf("process", this.#scope.queue),
      ...typeOf(failure),
    });
    end(started.span, failure);
    return result;
  }

  /** A child of the span that sent the job. */
  #start(message: JobMessage): Started {
    const { messageId, receiveCount } = message;
    const parent = this.#senderOf(message);
    return this.#startSpan(parent, [spanContextOf(parent)], {
      "messaging.message.id": messageId,
      "zsqs.receive_count": receiveCount,
    });
  }

  /** Linked to the spans that sent the jobs: a span has one parent. */
  #startBatch(messages: readonly JobMessage[]): Started {
    const links = messages
      .map((message) => spanContextOf(this.#senderOf(message)));
    return this.#startSpan(ROOT_CONTEXT, links, {
      "messaging.batch.message_count": messages.length,
    });
  }

  #senderOf(message: JobMessage): Context {
    return contextOf(carrierOf(message, this.#reading));
  }

  #startSpan(
    parent: Context,
    links: readonly (SpanContext | undefined)[],
    attributes: Attributes,
  ): Started {
    const { tracer, queue } = this.#scope;
    const span = tracer.startSpan(`process ${queue.name}`, {
      kind: SPAN_KIND.consumer,
      attributes: { ...spanAttributes("process", queue), ...attributes },
      links: links.flatMap(linksTo),
    }, parent);
    return { span, context: withSpan(parent, span) };
  }
}

function typeOf(failure: Thrown | undefined): Attributes {
  return (failure && quietly(() => errorType(failure.error))) ?? {};
}

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
  inject(withSpan(activeContext(), span), carrier);
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

/** What carries a message's context: its attribute, or its notification's. */
function carrierOf(message: JobMessage, reading: Reading): unknown {
  return message.attributes[CARRIER]?.value ??
    readNotification(message, reading)?.attributes[CARRIER];
}

/** The context that is carried, if one is. */
function contextOf(carrier: unknown): Context {
  // Nothing else that is active here is the cause of a job.
  return typeof carrier === "string"
    ? extract({ [CARRIER]: carrier })
    : ROOT_CONTEXT;
}

function linksTo(linked: SpanContext | undefined): Link[] {
  return linked === undefined ? [] : [{ context: linked }];
}

function end(span: Span | undefined, failure: Thrown | undefined): void {
  if (span === undefined) return;
  quietly(() => {
    if (failure === undefined) return;
    const { error } = failure;
    span.setAttributes(typeOf(failure));
    span.setStatus({ code: STATUS_ERROR, message: messageOf(error) });
    if (error instanceof Error) span.recordException(error);
  });
  quietly(() => span.end());
}
