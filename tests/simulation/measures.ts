/**
 * What a simulation measures of its jobs.
 *
 * @module
 */

/** The jobs of a simulation: by their number, how it went. */
export class Measures {
  readonly arrivals: Float64Array;
  readonly durations: Float64Array;
  /** When each was first done, in milliseconds; 0 until then. */
  readonly doneMs: Float64Array;
  /** How many jobs are done. */
  done = 0;
  /** How many runs were started. */
  runs = 0;
  /** How many runs ended beyond the first of their job. */
  doneAgain = 0;
  lastDoneMs = 0;

  constructor(arrivals: Float64Array, durations: Float64Array) {
    this.arrivals = arrivals;
    this.durations = durations;
    this.doneMs = new Float64Array(arrivals.length);
  }

  finish(job: number, nowMs: number): void {
    if (this.doneMs[job]! > 0) {
      this.doneAgain++;
      return;
    }
    this.doneMs[job] = this.lastDoneMs = nowMs;
    this.done++;
  }

  /** How long a job was there without the run that did it, in seconds. */
  waitSeconds(job: number): number {
    const ms = this.doneMs[job]! - this.arrivals[job]! - this.durations[job]!;
    return Math.max(0, ms) / 1000;
  }

  /** The waiting times of some jobs, the shortest first. */
  waits(from = 0, to = this.arrivals.length): Float64Array {
    return Float64Array.from(
      { length: to - from },
      (_, i) => this.waitSeconds(from + i),
    ).sort();
  }

  /** The waiting times along the arrivals, in equal spans of time. */
  course(spans: number): WaitPoint[] {
    const { arrivals } = this;
    const spanMs = arrivals.at(-1)! / spans;
    const points: WaitPoint[] = [];
    for (let from = 0, i = 1; i <= spans; i++) {
      let to = from;
      while (to < arrivals.length && arrivals[to]! <= i * spanMs) to++;
      const waits = this.waits(from, to);
      if (waits.length > 0) {
        points.push({
          atSeconds: round((i - 0.5) * spanMs / 1000),
          p50: round(quantile(waits, 0.5)),
          p99: round(quantile(waits, 0.99)),
        });
      }
      from = to;
    }
    return points;
  }
}

/** How long jobs that arrived at a time waited, in seconds. */
export interface WaitPoint {
  readonly atSeconds: number;
  readonly p50: number;
  readonly p99: number;
}

/** A quantile of sorted figures. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
}

/** With three decimals. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
