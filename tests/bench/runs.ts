/**
 * What the benchmark's processes tell each other: a run, and its result.
 *
 * @module
 */

/** The region of the benchmark's queues. */
export const REGION = "us-east-1";

/** What consumes the jobs. */
export type Runner = "zsqs" | "isolated" | "sqs-consumer" | "bare";

/** How long a job takes. */
export type Work =
  /** Nothing. */
  | "none"
  /** One second. */
  | "second"
  /** One second for one in 20, 10 ms for the others. */
  | "mixed"
  /** The same amount of arithmetic, some 40 ms (isolated). */
  | "cpu"
  /** Nothing, but 3 jobs in 100 exit their process once (isolated). */
  | "exits";

/** One run of one runner. */
export interface Run {
  readonly runner: Runner;
  readonly jobs: number;
  /** How many processes share the jobs (isolated). */
  readonly processes?: number;
  /** Jobs at a time (zsqs, isolated). */
  readonly concurrency?: number;
  /** Messages received and waiting (zsqs). */
  readonly prefetch?: number;
  /** How many consumers or pollers there are (the others). */
  readonly pollers?: number;
  /** Messages a receive may bring (sqs-consumer). */
  readonly batchSize?: number;
  /** Whether the handler gets whole batches (sqs-consumer). */
  readonly batch?: boolean;
  /** The most jobs of a batch (zsqs); absent: jobs run one by one. */
  readonly batchJobs?: number;
  /** @default {"none"} */
  readonly work?: Work;
  /** Whether the runner sends the jobs itself before. */
  readonly produce?: boolean;
  /** After how many jobs the heap is collected and measured. */
  readonly heapAt?: readonly number[];
}

/** A run, as its process is told. */
export interface ClientTask extends Run {
  readonly url: string;
}

/** What a run's process tells. */
export interface ClientStats {
  /** When the first job was handled, in milliseconds since the Unix epoch. */
  readonly firstJobAtMs: number;
  /** From the first job to the end of the run. */
  readonly cpuMs: number;
  /** The most memory that was resident, in MB. */
  readonly peakMb: number;
  /** The heap in use after collection, in MB, at each of `heapAt`. */
  readonly heapMb: readonly number[];
  /** How many batches there were (zsqs). */
  readonly batches?: number;
  readonly lost: number;
  readonly twice: number;
}

/** What the server is told before a run. */
export interface Prepare {
  readonly queue: string;
  /** How many jobs are in the queue when the run starts. */
  readonly jobs: number;
  /** Added to each request. */
  readonly latencyMs: number;
}

/** What the server tells after a run. */
export interface ServerStats {
  /** By operation, batches and single ones alike. */
  readonly requests: Readonly<Record<string, number>>;
  /** From the first receive to the last delete's answer. */
  readonly seconds: number;
  /** Messages that are still in the queue. */
  readonly left: number;
}

/** The body of a job that says its number. */
export function jobBody(job: number): string {
  return `[[${job}],{}]`;
}

/** The number of the job that a body says. */
export function jobOf(body: string): number {
  return JSON.parse(body)[0][0];
}
