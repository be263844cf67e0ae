/**
 * What Deno's console exporter of OpenTelemetry writes.
 *
 * @module
 */

import { assertEquals } from "@std/assert";

/** Lets Deno report to standard error. */
export const OTEL = {
  OTEL_DENO: "true",
  OTEL_EXPORTER_OTLP_PROTOCOL: "console",
};

/** A span as the console exporter writes it. */
export interface Span {
  readonly name: string;
  readonly trace: string;
  readonly id: string;
  readonly kind: string;
  readonly parent: string | undefined;
  readonly links: readonly string[];
  readonly status: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
}

/** A metric as the console exporter writes it, with its last values. */
export interface Metric {
  readonly type: string;
  readonly unit: string;
  /** Counts by their attributes. */
  readonly counts: Readonly<Record<string, number>>;
}

/** The spans in the console exporter's output. */
export function spansIn(text: string): Span[] {
  const blocks = text.matchAll(
    /^SPAN (.+) \[(\w+)\/(\w+)\] (\w+) .*\n((?: {2}.*\n)*)/gm,
  );
  return [...blocks].map(([, name, trace, id, kind, lines]) => {
    const attributes = Object.fromEntries(
      [...lines!.matchAll(/^ {2}([\w.]+): (.+)$/gm)].map((match) =>
        [match[1]!, match[2]!] as const
      ),
    );
    const { parent, status, ...others } = attributes;
    return {
      name: name!,
      trace: trace!,
      id: id!,
      kind: kind!,
      parent,
      status,
      links: [...lines!.matchAll(/^ {4}- (\S+)$/gm)].map(([, link]) => link!),
      attributes: others,
    };
  });
}

/** The metrics in the console exporter's output, by name. */
export function metricsIn(text: string): Map<string, Metric> {
  const blocks = text.matchAll(
    /^METRIC (\S+) \((\w+), unit=(\S*)\)\n((?: {2}.*\n)*)/gm,
  );
  const found = new Map<string, Metric>();
  for (const [, name, type, unit, lines] of blocks) {
    const counts = Object.fromEntries(
      [...lines!.matchAll(/^ {2}\{(.*)\} (?:count|value)=(\d+)/gm)].map(
        ([, attributes, count]) =>
          [attributes!.split(", ").sort().join(" "), Number(count)] as const,
      ),
    );
    found.set(name!, { type: type!, unit: unit!, counts });
  }
  return found;
}

/** The only one of its kind. */
export function theOne<T>(all: readonly T[], what: string): T {
  assertEquals(all.length, 1, `Wanted one ${what}`);
  return all[0]!;
}
