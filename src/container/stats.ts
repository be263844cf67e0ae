/**
 * What a container tells of itself: `GET /stats`, and the page for operators.
 * It holds no arguments of jobs and no option of `[worker]`.
 *
 * @module
 */

import type { Engine } from "../engine/engine.ts";
import type { ContainerSummary } from "../job/summary.ts";
import type { ContainerConfig } from "../config/options.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import type { JobStats, RecentJobs } from "../telemetry/job_stats.ts";
import type { Unready } from "./health.ts";
import manifest from "../../deno.json" with { type: "json" };

export type { RunningJob } from "../engine/engine.ts";

/** A container's state and counts: the answer of `GET /stats`. */
export interface ContainerStats extends RecentJobs {
  readonly version: string;
  /** The queue's name. */
  readonly queue: string;
  readonly region: string;
  /** `paused`, `running`, or why no job gets done. */
  readonly state: "running" | "paused" | Unready;
  /** Jobs or batches at a time. */
  readonly concurrency: number;
  /** Jobs that run. */
  readonly running: number;
  readonly done: number;
  readonly failed: number;
  /** Jobs that failed and left the queue. */
  readonly removed: number;
  readonly retried: number;
  readonly leasesLost: number;
}

/** The parts of a container that know it. */
interface StatsParts {
  readonly config: ContainerConfig;
  readonly queues: { readonly source: OpenQueue };
  /** Absent if nothing is counted. */
  readonly stats: JobStats | undefined;
}

/** What a container did, if that is counted. */
export function statsOf(
  { stats, config, queues: { source } }: StatsParts,
  { isPaused, problem, running }: Engine,
  { done, failed, retried, leasesLost }: Omit<ContainerSummary, "lostLines">,
): ContainerStats | undefined {
  if (stats === undefined) return undefined;
  return {
    version: manifest.version,
    queue: source.ref.name,
    region: source.connection.region,
    state: problem ?? (isPaused ? "paused" : "running"),
    concurrency: config.concurrency,
    running,
    ...stats.recent,
    ...{ done, failed, retried, leasesLost },
    removed: config.failures === "keep" ? 0 : failed,
  };
}
