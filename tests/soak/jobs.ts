/**
 * The jobs of a soak: everything about one follows from its number.
 *
 * @module
 */

/** How many groups the jobs of the FIFO queue have. */
const GROUPS = 24;

/** The queues that jobs are sent to. */
export const STANDARD = "soak";
export const FIFO = "soak.fifo";
/** Its container runs 1,000 jobs at a time. */
export const WIDE = "soak-wide";
/** Its bodies are JSON of any form. */
export const JSON_QUEUE = "soak-json";

/** Where the failed messages of each are kept. */
export const FAILED: Readonly<Record<string, string>> = {
  [STANDARD]: "soak-failed",
  [FIFO]: "soak-failed.fifo",
  [WIDE]: "soak-failed",
  [JSON_QUEUE]: "soak-failed",
};

/** Whether a queue keeps failed messages. */
export function isFailedQueue(name: string): boolean {
  return Object.values(FAILED).includes(name);
}

/** How many jobs at a time fill the container of the wide queue. */
export const WIDE_CONCURRENCY = 1_000;

/** The most jobs of the wide queue. */
const MAX_WIDE = 9_600;

/** Jobs from the first number to before the last. */
export interface JobRange {
  readonly from: number;
  readonly to: number;
}

/** Which jobs each queue gets. */
export function rangesOf(jobs: number): Readonly<Record<string, JobRange>> {
  const fifo = Math.floor(jobs / 10);
  const json = fifo + Math.floor(jobs / 10);
  const wide = json + Math.min(MAX_WIDE, Math.floor(jobs * 0.4));
  return {
    [FIFO]: { from: 0, to: fifo },
    [JSON_QUEUE]: { from: fifo, to: json },
    [WIDE]: { from: json, to: wide },
    [STANDARD]: { from: wide, to: jobs },
  };
}

/** How many jobs of the wide queue run at a time, once all that fit do. */
export function widthOf(jobs: number): number {
  const { from, to } = rangesOf(jobs)[WIDE]!;
  return Math.min(WIDE_CONCURRENCY, to - from);
}

/** A job's arguments. */
export type SoakArgs = [
  job: number,
  /** The producer's process. */
  by: string,
  text: string,
];

/** What a job does. */
export type Behaviour =
  /** It is done. */
  | "plain"
  /** It takes some milliseconds. */
  | "short"
  /** It takes longer than its first lease. */
  | "long"
  /** It says that it cannot be done, when received for the first time. */
  | "transient"
  /** It fails, and its message is kept. */
  | "bad";

export function behaviourOf(job: number): Behaviour {
  if (job % 499 === 7) return "long";
  if (job % 211 === 9) return "bad";
  if (job % 53 === 5) return "transient";
  return job % 7 === 0 ? "short" : "plain";
}

/** A text that must arrive as it was sent. */
export function textOf(job: number): string {
  const text = `${job} \u0000\ud83d\ude00\u2028"\\u0041`;
  return job % 997 === 3 ? text.repeat(3_000) : text;
}

/** The group of a job of the FIFO queue. */
export function groupOf(job: number): string {
  return `group-${job % GROUPS}`;
}
