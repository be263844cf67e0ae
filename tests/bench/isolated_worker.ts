/**
 * The worker of the runs in processes of their own.
 *
 * @module
 */

import { getLogger } from "../../src/job/current_job.ts";
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
export function idle(): Disposable & { handle(): void } {
  return measured(() => {});
}

/** A worker whose jobs do the same amount of work. */
export function busy(): Disposable & { handle(): void } {
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

function measured(work: () => void): Disposable & { handle(): void } {
  let handled = 0;
  let firstJobAtMs = 0;
  return {
    handle() {
      if (handled++ === 0) firstJobAtMs = Date.now();
      work();
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
