/**
 * OpenTelemetry's API, as Deno or an SDK registers it. The package gives types
 * only: to import it would slow each start (bench row "start").
 *
 * @module
 */

import type {
  Context,
  ContextManager,
  DiagLogger,
  Meter,
  MeterProvider,
  Span,
  SpanContext,
  TextMapPropagator,
  Tracer,
  TracerProvider,
} from "@opentelemetry/api";

/** The parts that somebody has registered. */
interface Registered {
  readonly trace?: TracerProvider;
  readonly metrics?: MeterProvider;
  readonly context?: ContextManager;
  readonly propagation?: TextMapPropagator;
  readonly diag?: DiagLogger;
}

const REGISTERED = Symbol.for("opentelemetry.js.api.1");
const SPAN = Symbol.for("OpenTelemetry Context Key SPAN");

/** The values of the package's enumerations. */
export const SPAN_KIND = { client: 2, producer: 3, consumer: 4 } as const;
export const STATUS_ERROR = 2;

function registered(): Registered {
  return (globalThis as { [REGISTERED]?: Registered })[REGISTERED] ?? {};
}

/** A span that nobody sees, if there are only metrics. */
const NO_SPAN: Span = {
  spanContext: () => ({ traceId: "", spanId: "", traceFlags: 0 }),
  setAttribute: () => NO_SPAN,
  setAttributes: () => NO_SPAN,
  addEvent: () => NO_SPAN,
  addLink: () => NO_SPAN,
  addLinks: () => NO_SPAN,
  setStatus: () => NO_SPAN,
  updateName: () => NO_SPAN,
  end() {},
  isRecording: () => false,
  recordException() {},
};

export function tracerOf(scope: string): Pick<Tracer, "startSpan"> {
  return registered().trace?.getTracer(scope) ?? { startSpan: () => NO_SPAN };
}

/** What makes metrics; `undefined` if there are only spans. */
export function meterOf(scope: string): Meter | undefined {
  return registered().metrics?.getMeter(scope);
}

/** A context that no SDK made. */
class PlainContext implements Context {
  readonly #values: ReadonlyMap<symbol, unknown>;

  constructor(values: ReadonlyMap<symbol, unknown>) {
    this.#values = values;
  }

  getValue(key: symbol): unknown {
    return this.#values.get(key);
  }

  setValue(key: symbol, value: unknown): Context {
    return new PlainContext(new Map([...this.#values, [key, value]]));
  }

  deleteValue(key: symbol): Context {
    const rest = [...this.#values].filter(([each]) => each !== key);
    return new PlainContext(new Map(rest));
  }
}

/** The context without a span. */
export const ROOT_CONTEXT: Context = new PlainContext(new Map());

export function activeContext(): Context {
  return registered().context?.active() ?? ROOT_CONTEXT;
}

/** Runs code in a context. */
export function inContext<T>(context: Context, run: () => T): T {
  const manager = registered().context;
  return manager === undefined ? run() : manager.with(context, run);
}

export function withSpan(context: Context, span: Span): Context {
  return context.setValue(SPAN, span);
}

export function spanContextOf(context: Context): SpanContext | undefined {
  return (context.getValue(SPAN) as Span | undefined)?.spanContext();
}

/** Writes a context into headers. */
export function inject(
  context: Context,
  headers: Record<string, string>,
): void {
  registered().propagation?.inject(context, headers, {
    set: (carrier: Record<string, string>, key, value) => carrier[key] = value,
  });
}

/** Reads a context from headers. */
export function extract(headers: Readonly<Record<string, string>>): Context {
  return registered().propagation?.extract(ROOT_CONTEXT, headers, {
    get: (carrier: Record<string, string>, key) => carrier[key],
    keys: (carrier) => Object.keys(carrier),
  }) ?? ROOT_CONTEXT;
}

/** Reports a problem of the reports. */
export function reportProblem(text: string): void {
  registered().diag?.error(text);
}
