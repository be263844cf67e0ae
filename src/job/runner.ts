/**
 * How a job is run, whoever runs it: in the container's process, in a child
 * process, or in a batch.
 *
 * @module
 */

import type { JobMessage } from "../sqs/connection.ts";
import type { Outcome } from "./decide.ts";
import type { JobControl } from "./run_job.ts";

/** Runs jobs. */
export interface Runner {
  /**
   * Runs the job of a message.
   *
   * @param message The message, as it was received.
   * @param control Aborts the job's signal.
   * @returns How the job ended. It never rejects.
   */
  run(message: JobMessage, control: JobControl): Promise<Outcome>;
}
