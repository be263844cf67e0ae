/**
 * The jobs of a run as they are handled, whatever the runner.
 *
 * @module
 */

import process from "node:process";
import type { ClientStats, ClientTask, Work } from "./runs.ts";

/** The jobs of a run. */
export class Jobs {
  readonly #task: ClientTask;
  readonly #seen: Uint8Array;
  readonly #heapMb: number[] = [];
  readonly #done = new AbortController();
  #handled = 0;
  #batches = 0;
  #firstJobAtMs = 0;
  #cpu = process.cpuUsage();

  constructor(task: ClientTask) {
    this.#task = task;
    this.#seen = new Uint8Array(task.jobs);
  }

  /** Aborts when all that are to be handled have been. */
  get done(): AbortSignal {
    return this.#done.signal;
  }

  /** Handles a job; what takes no time returns no promise. */
  handle(job: number): Promise<void> | void {
    if (this.#firstJobAtMs === 0) {
      this.#firstJobAtMs = Date.now();
      this.#cpu = process.cpuUsage();
    }
    this.#seen[job]!++;
    const ms = workMs(job, this.#task.work);
    if (ms === 0) return this.#handledOne();
    return new Promise((resolve) => {
      setTimeout(() => {
        this.#handledOne();
        resolve();
      }, ms);
    });
  }

  /** Handles the jobs of a batch, which take no time. */
  handleBatch(jobs: readonly number[]): void {
    this.#batches++;
    for (const job of jobs) this.handle(job);
  }

  stats(): ClientStats {
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      firstJobAtMs: this.#firstJobAtMs,
      cpuMs: (user + system) / 1000,
      peakMb: peakMb(),
      heapMb: this.#heapMb,
      batches: this.#batches,
      lost: this.#seen.filter((times) => times === 0).length,
      twice: this.#seen.filter((times) => times > 1).length,
    };
  }

  #handledOne(): void {
    const { heapAt, jobs } = this.#task;
    this.#handled++;
    if (heapAt?.includes(this.#handled)) this.#measureHeap();
    if (this.#handled === jobs) this.#done.abort();
  }

  #measureHeap(): void {
    (globalThis as { gc?: () => void }).gc!();
    this.#heapMb.push(process.memoryUsage().heapUsed / 2 ** 20);
  }
}

function workMs(job: number, work: Work = "none"): number {
  if (work === "none") return 0;
  return work === "second" || job % 20 === 0 ? 1_000 : 10;
}

/** The most memory that was resident; as it is now where Linux is not asked. */
function peakMb(): number {
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    return Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 2 ** 10;
  } catch {
    return process.memoryUsage().rss / 2 ** 20;
  }
}
