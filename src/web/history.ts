/**
 * A queue's counts over time, in bounded memory, and its rates.
 *
 * @module
 */

import type { Point, Rates } from "./pages/views.ts";

/** A queue's state at a time. */
export interface Sample {
  readonly atMs: number;
  readonly visible: number | undefined;
  readonly inFlight: number | undefined;
  readonly delayed: number | undefined;
  /** What known containers have done so far; absent: none known. */
  readonly work: Work | undefined;
}

/** Jobs that containers have done, and messages that they took away. */
export interface Work {
  readonly done: number;
  readonly removed: number;
}

/** The most samples of the last hour: one every ten seconds. */
const MAX_RECENT = 360;

const HOUR_MS = 3_600_000;

/** The most samples of the whole time. If there are more, every other goes. */
const MAX_ALL = 720;

/** For how long nobody must take a message before the page says so. */
const UNCONSUMED_MS = 180_000;

/** Rates are over a minute at least, and over five at most. */
const RATE_MS = { least: 60_000, most: 300_000 };

/** A smaller fall, as a part of the messages, is noise of SQS's counts. */
const NOISE = 0.01;

export class History {
  #recent: Sample[] = [];
  #all: Sample[] = [];
  /** Every so many samples, one is kept for the whole time. */
  #stride = 1;
  #added = 0;

  add(sample: Sample): void {
    this.#recent.push(sample);
    if (this.#recent.length > MAX_RECENT) this.#recent.shift();
    if (this.#added++ % this.#stride !== 0) return;
    this.#all.push(sample);
    if (this.#all.length <= MAX_ALL) return;
    this.#all = this.#all.filter((_, i) => i % 2 === 0);
    this.#stride *= 2;
  }

  get last(): Sample | undefined {
    return this.#recent.at(-1);
  }

  /** The last hour, the oldest first. */
  lastHour(nowMs: number): Point[] {
    return pointsOf(
      this.#recent.filter(({ atMs }) => nowMs - atMs <= HOUR_MS),
    );
  }

  /** The whole time; the newest sample is there, whatever the stride. */
  whole(): Point[] {
    const last = this.last;
    const isThere = last === undefined || this.#all.at(-1) === last;
    return pointsOf(
      isThere ? this.#all : [...this.#all.slice(0, MAX_ALL - 1), last],
    );
  }

  get rates(): Rates | undefined {
    const last = this.last;
    if (last === undefined) return undefined;
    const others = this.#recent.filter(({ atMs }) =>
      atMs < last.atMs && last.atMs - atMs <= RATE_MS.most
    );
    const first =
      others.findLast(({ atMs }) => last.atMs - atMs >= RATE_MS.least) ??
        others[0];
    if (first === undefined) return undefined;
    const change = messagesIn(last) - messagesIn(first);
    if (!Number.isFinite(change)) return undefined;
    const minutes = (last.atMs - first.atMs) / 60_000;
    if (last.work === undefined || first.work === undefined) {
      return { kind: "net", changePerMinute: change / minutes };
    }
    const removed = last.work.removed - first.work.removed;
    return {
      kind: "known",
      arrivalsPerMinute: Math.max(0, change + removed) / minutes,
      completionsPerMinute: (last.work.done - first.work.done) / minutes,
    };
  }

  /** Since when messages wait and nobody takes one, if that is long ago. */
  get unconsumedSinceMs(): number | undefined {
    const samples = this.#recent;
    const last = samples.at(-1);
    let since: Sample | undefined;
    for (let i = samples.length - 1; i >= 0; i--) {
      const { visible, inFlight } = samples[i]!;
      if (!visible || inFlight !== 0) break;
      const next = samples[i + 1]?.visible ?? visible;
      if (next < visible - Math.floor(visible * NOISE)) break;
      since = samples[i]!;
    }
    if (last === undefined || since === undefined) return undefined;
    return last.atMs - since.atMs >= UNCONSUMED_MS ? since.atMs : undefined;
  }
}

function messagesIn({ visible, inFlight, delayed }: Sample): number {
  return (visible ?? NaN) + (inFlight ?? NaN) + (delayed ?? NaN);
}

function pointsOf(samples: readonly Sample[]): Point[] {
  return samples.map((sample, i) => {
    const { atMs, visible, inFlight, work } = sample;
    const before = samples[i - 1];
    const was = before?.work;
    const isKnown = work !== undefined && was !== undefined;
    const change = before && messagesIn(sample) - messagesIn(before);
    return {
      ...{ atMs, visible, inFlight },
      completed: isKnown ? work.done - was.done : undefined,
      arrived: isKnown && Number.isFinite(change)
        ? Math.max(0, change! + work.removed - was.removed)
        : undefined,
    };
  });
}
