/**
 * The demo's worker: the one of zc.sqs's documentation, but "later" comes when
 * the job is received again.
 *
 * @module
 */

import { TransientError } from "../../src/job_errors.ts";
import type { WorkerConfig } from "../../src/job/worker.ts";
import { currentJob } from "../../src/job/current_job.ts";

/** Adds three numbers and scales the sum. */
export function scaledAdder(
  config: WorkerConfig,
): (a: number, b: number, x: number | "later") => void {
  const scale = Number(config.scale ?? 1);
  return (a, b, x) => {
    if (x === "later") {
      if (currentJob().receiveCount === 1) {
        console.log("not now: back in 2 seconds");
        throw new TransientError("not now", { delaySeconds: 2 });
      }
      x = 0;
    }
    if (typeof x !== "number") {
      throw new TypeError(`x must be a number: current value is "${x}"`);
    }
    console.log(`${scale} * (${a} + ${b} + ${x}) = ${scale * (a + b + x)}`);
  };
}
