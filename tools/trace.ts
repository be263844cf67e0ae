/**
 * The trace of an order, from real spans: `examples/orders` runs against a local
 * server, and exports them here.
 *
 * ```sh
 * deno task jsr deno run -A tools/trace.ts && deno task pictures
 * ```
 *
 * @module
 */

import { startLocalServer } from "../src/cli/local_server.ts";
import {
  CREDENTIALS,
  runCli,
  servePackage,
  TestProcess,
} from "../tests/support/server.ts";
import { SCOPE } from "../src/telemetry/instruments.ts";
import { FOLDER, svg } from "./svg.ts";

/** A span, with times in milliseconds since the first. */
interface TraceSpan {
  readonly name: string;
  /** The program that made it. */
  readonly by: string;
  /** The depth in the tree of its trace; a trace begins with 0. */
  readonly depth: number;
  readonly startMs: number;
  readonly durationMs: number;
  readonly error?: string;
}

/** The spans of one run, each below its parent. */
export interface Trace {
  readonly spans: readonly TraceSpan[];
}

export async function readTrace(): Promise<Trace> {
  return JSON.parse(await Deno.readTextFile(new URL("trace.json", FOLDER)));
}

const LABEL_WIDTH = 250;
const BAR_WIDTH = 460;
const ROW_HEIGHT = 26;

/** A row for each span; one scale of time for all. */
export function tracePicture({ spans }: Trace): string {
  const end = Math.max(...spans.map((span) => span.startMs + span.durationMs));
  const x = (ms: number) => LABEL_WIDTH + Math.round(ms / end * BAR_WIDTH);
  const rows = spans.map((span, i) => {
    const y = 40 + i * ROW_HEIGHT;
    const width = Math.max(
      3,
      x(span.startMs + span.durationMs) - x(span.startMs),
    );
    const note = [`${span.durationMs} ms`, span.error ?? ""].join(" ").trim();
    // The last quarter has no room for a text on the right.
    const isLate = x(span.startMs) > LABEL_WIDTH + BAR_WIDTH * 0.75;
    const noteX = isLate ? x(span.startMs) - 8 : x(span.startMs) + width + 8;
    return `<text x="${span.depth * 16}" y="${y + 13}">${span.name}</text>
<rect class="${
      span.error ? "bad" : span.by.endsWith(".ini") ? "own" : "peer"
    }" x="${x(span.startMs)}" y="${y}" width="${width}" height="16" rx="3"/>
<text class="muted" x="${noteX}" y="${y + 13}"${
      isLate ? ' text-anchor="end"' : ""
    }>${note}</text>`;
  });
  const height = 40 + spans.length * ROW_HEIGHT + 24;
  const said = spans.map(({ name, durationMs, error }) =>
    `${name}: ${durationMs} ms${error ? `, ${error}` : ""}`
  );
  const title = "Two jobs of an order, in spans";
  return svg(
    LABEL_WIDTH + BAR_WIDTH + 20,
    height,
    { title, text: `${said.join("; ")}.` },
    [
      `<text x="0" y="20" font-weight="600">${title}</text>`,
      ...rows,
      `<text class="muted" x="0" y="${height - 8}">From left to right: ${
        Math.round(end)
      } ms. Grey: the producer. Blue: the container. Red: an error.</text>`,
    ],
  );
}

/** A span as OTLP has it in JSON. */
interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly {
    readonly key: string;
    readonly value: { readonly stringValue?: string };
  }[];
}

interface Received extends OtlpSpan {
  readonly by: string;
}

const REGION = "us-east-1";

/** The steps of an order that the picture shows. */
const SHOWN_STEPS = 2;

/** Runs the example, and gathers the spans of zsqs. */
async function record(): Promise<Trace> {
  const received: Received[] = [];
  await using registry = await servePackage();
  await using server = await startLocalServer({ port: 0 });
  for (
    const name of [
      "orders.fifo",
      "orders-failed.fifo",
      "receipts",
      "receipts-failed",
    ]
  ) {
    await server.makeQueue(name, REGION);
  }
  await using collector = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { resourceSpans = [] } = await request.json();
      for (const { resource, scopeSpans } of resourceSpans) {
        const by = resource.attributes.find(
          ({ key }: { key: string }) => key === "service.name",
        ).value.stringValue;
        for (const { scope, spans } of scopeSpans) {
          if (scope.name !== SCOPE) continue;
          received.push(...spans.map((span: OtlpSpan) => ({ ...span, by })));
        }
      }
      return Response.json({});
    },
  );
  const optionsOf = (service: string) => ({
    cwd: new URL("../examples/orders", import.meta.url).pathname,
    env: {
      ...registry.env,
      ...CREDENTIALS,
      AWS_REGION: REGION,
      AWS_ENDPOINT_URL: server.endpoint,
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
      OTEL_SERVICE_NAME: service,
    },
  });
  await using container = runCli(
    ["orders.ini", "receipts.ini"],
    optionsOf("orders.ini"),
  );
  await container.saw("Listening to ", 2);
  await using producer = new TestProcess(
    ["run", "-q", "-A", "place.ts", "A-2"],
    optionsOf("place.ts"),
  );
  await producer.status();
  await container.saw("receipt sent");
  container.kill("SIGTERM");
  await container.status();
  return traceOf(received);
}

function traceOf(received: readonly Received[]): Trace {
  const sorted = received.toSorted((a, b) =>
    Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano))
  );
  const roots = sorted.filter(({ parentSpanId }) => !parentSpanId)
    .slice(-SHOWN_STEPS);
  const first = BigInt(roots[0]!.startTimeUnixNano);
  const ms = (from: bigint, to: bigint) =>
    Math.round(Number(to - from) / 1e5) / 10;
  const spans: TraceSpan[] = [];
  const add = (span: Received, depth: number): void => {
    const start = BigInt(span.startTimeUnixNano);
    const error = span.attributes.find(({ key }) => key === "error.type");
    spans.push({
      name: span.name,
      by: span.by,
      depth,
      startMs: ms(first, start),
      durationMs: ms(start, BigInt(span.endTimeUnixNano)),
      ...(error ? { error: error.value.stringValue! } : {}),
    });
    for (const child of sorted) {
      if (child.parentSpanId === span.spanId) add(child, depth + 1);
    }
  };
  for (const root of roots) add(root, 0);
  return { spans };
}

if (import.meta.main) {
  await Deno.writeTextFile(
    new URL("trace.json", FOLDER),
    `${JSON.stringify(await record(), undefined, 2)}\n`,
  );
}
