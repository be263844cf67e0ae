/**
 * The worker of the runs in child processes.
 *
 * @module
 */

import { currentJob, getLogger } from "../../src/job/current_job.ts";
import process from "node:process";

/** How much a job of the CPU's does: some 40 ms. */
const ROUNDS = 40_000_000;

/** What a process tells of itself. */
export interface ProcessStats {
  /** 0 where there was none. */
  readonly firstJobAtMs: number;
  readonly handled: number;
  readonly cpuMs: number;
  readonly memoryMb: number;
}

/** A worker whose jobs do nothing. */
export function idle(): Disposable & { handle(job: number): void } {
  return measured(() => {});
}

/** A worker whose jobs do the same amount of work. */
export function busy(): Disposable & { handle(job: number): void } {
  return measured(() => {
    let x = 1;
    for (let i = 0; i < ROUNDS; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
    }
    if (x === 0) throw new Error("xorshift never comes to 0");
  });
}

/** A worker of whose jobs 3 in 100 end their process, at their first receive. */
export function exits(): Disposable & { handle(job: number): void } {
  return measured((job) => {
    if (job % 100 < 3 && currentJob().receiveCount === 1) Deno.exit(1);
  });
}

function measured(
  work: (job: number) => void,
): Disposable & { handle(job: number): void } {
  let handled = 0;
  let firstJobAtMs = 0;
  return {
    handle(job) {
      if (handled++ === 0) firstJobAtMs = Date.now();
      work(job);
    },
    [Symbol.dispose]() {
      const { user, system } = process.cpuUsage();
      const stats: ProcessStats = {
        firstJobAtMs,
        handled,
        cpuMs: (user + system) / 1000,
        memoryMb: process.memoryUsage().rss / 2 ** 20,
      };
      getLogger("bench").info(JSON.stringify(stats));
    },
  };
}
