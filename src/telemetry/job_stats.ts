/**
 * What a container did lately, for `GET /stats` and the page for operators.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { JobEnd } from "../job/hooks.ts";
import type { JobMessage } from "../sqs/connection.ts";
import type { ContainerEvents } from "./events.ts";

/** How many of the last durations count. */
const MAX_DURATIONS = 1_000;

/** The seconds that jobs a minute are counted over. */
const SECONDS = 60;

export interface RecentJobs {
  /** Jobs that were done in the last 60 s. */
  readonly jobsPerMinute: number;
  /** Of the last 1,000 jobs, in milliseconds; `null` before the first. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

/** Remembers the last jobs, in bounded memory. */
export class JobStats implements Partial<ContainerEvents> {
  readonly #clock: Clock;
  readonly #durations: number[] = [];
  #next = 0;
  /** Jobs done by second, and which second each place counts. */
  readonly #done: number[] = Array(SECONDS).fill(0);
  readonly #seconds: number[] = Array(SECONDS).fill(-1);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  settled(_message: JobMessage, { outcome, durationMs }: JobEnd): void {
    if (durationMs !== undefined) {
      this.#durations[this.#next] = durationMs;
      this.#next = (this.#next + 1) % MAX_DURATIONS;
    }
    if (outcome !== "done") return;
    const second = this.#second;
    const place = second % SECONDS;
    if (this.#seconds[place] !== second) this.#done[place] = 0;
    this.#seconds[place] = second;
    this.#done[place]!++;
  }

  get recent(): RecentJobs {
    const oldest = this.#second - SECONDS;
    const jobsPerMinute = this.#done.reduce(
      (sum, done, i) => this.#seconds[i]! > oldest ? sum + done : sum,
      0,
    );
    const sorted = this.#durations.toSorted((a, b) => a - b);
    const at = (part: number) => {
      const value = sorted[Math.ceil(part * sorted.length) - 1];
      return value === undefined ? null : Math.round(value);
    };
    return { jobsPerMinute, p50Ms: at(0.5), p99Ms: at(0.99) };
  }

  get #second(): number {
    return Math.floor(this.#clock.now() / 1000);
  }
}
