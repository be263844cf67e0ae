/**
 * Checks that change what all of the process shares.
 *
 * @module
 */

import { TransientError } from "../../src/job_errors.ts";
import { currentJob } from "../../src/job/current_job.ts";
import {
  propagation,
  type Span,
  trace,
  type TracerProvider,
} from "@opentelemetry/api";
import { assertEquals } from "@std/assert";
import { startContainer } from "../../container.ts";
import { Queue } from "../../mod.ts";
import { setUp } from "../../testing.ts";
import { type Check, drain, type Stage } from "./stage.ts";

/** They run one after the other. */
export const ALONE: Readonly<Record<string, Check>> = {
  "OpenTelemetry": reportSpans,
  "`setUp` of `testing`": testOnDouble,
};

async function reportSpans(stage: Stage): Promise<void> {
  const ended: string[] = [];
  const startSpan = (name: string): Span => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const spanId = "b7ad6b7169203331";
    const span = trace.wrapSpanContext({ traceId, spanId, traceFlags: 1 });
    return Object.assign(span, { end: () => void ended.push(name) });
  };
  trace.setGlobalTracerProvider(
    { getTracer: () => ({ startSpan }) } as unknown as TracerProvider,
  );
  propagation.setGlobalPropagator({
    inject(context, carrier, { set }) {
      const { spanId } = trace.getSpanContext(context)!;
      set(carrier, "traceparent", `of ${spanId}`);
    },
    extract: (context) => context,
    fields: () => ["traceparent"],
  });
  let traceparent: unknown;
  try {
    await drain(stage, {
      queue: "traced",
      handler() {
        traceparent = currentJob().attributes.traceparent;
      },
    }, [[1]]);
  } finally {
    trace.disable();
    propagation.disable();
    const key = Symbol.for("opentelemetry.js.api.1");
    Reflect.deleteProperty(globalThis, key);
  }
  assertEquals(ended, ["send traced", "process traced"]);
  assertEquals(traceparent, "of b7ad6b7169203331");
}

async function testOnDouble(): Promise<void> {
  await using queues = setUp({ silent: true });
  const done: number[] = [];
  await using _container = await startContainer({
    queue: "adder",
    handler(a: number, b: number) {
      if (currentJob().receiveCount === 1) throw new TransientError("not now");
      done.push(a + b);
    },
  });
  await (await Queue("adder"))(1, 2);
  assertEquals([done, queues.get("adder").jobs], [[], [[1, 2]]]);
  await queues.advance(30);
  assertEquals([done, queues.get("adder").jobs], [[3], []]);
}
