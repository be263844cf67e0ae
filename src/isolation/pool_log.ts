/**
 * What a pool logs of its processes: once for each time that they fail and work
 * again.
 *
 * @module
 */

import type { Logger } from "../logging/loggers.ts";
import { SLOW_SECONDS } from "./child_process.ts";
import { MAX_BACK_OFF_SECONDS } from "./slot.ts";

/** The log of a pool. */
export class PoolLog {
  readonly #logger: Logger;
  readonly #subject: string;
  /** Whether it says that processes keep crashing, ... */
  #isComplaining = false;
  /** ... and that there is none. */
  #isAway = false;

  /** @param subject Names the worker. */
  constructor(logger: Logger, subject: string) {
    this.#logger = logger;
    this.#subject = subject;
  }

  /** Whether no process can be had. */
  away(isAway: boolean, queue: string): void {
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    if (isAway) {
      this.#logger.warn(
        `No job of ${queue} can start: waiting messages return to the queue, and nothing is received until a child process is ready`,
      );
    } else {
      this.#logger.info(
        `Receiving from ${queue} again, as a child process is ready`,
      );
    }
  }

  /** A worker has been loading for a long time. */
  slow(pid: number): void {
    this.#logger.warn(
      `Worker ${this.#subject} has been loading for ${SLOW_SECONDS} s in process ${pid}: its module or factory has not returned yet`,
    );
  }

  /** A process waits before it starts again. */
  backOff(seconds: number, why: string): void {
    if (this.#isComplaining) return;
    this.#isComplaining = true;
    this.#logger.error(
      `Child processes of worker ${this.#subject} keep crashing before they finish a job. ` +
        `Restarting with exponential back-off, next in ${seconds} s, at most every ${MAX_BACK_OFF_SECONDS} s. ${why}`,
    );
  }

  /** No process waits to start again, and one ended a job. */
  healthy(): void {
    if (!this.#isComplaining) return;
    this.#isComplaining = false;
    this.#logger.info(
      `Child processes of worker ${this.#subject} finish jobs again`,
    );
  }
}
