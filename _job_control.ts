/**
 * What the engine has of a job that it started.
 *
 * @module
 */

import { JobAbortedError, type JobAbortReason } from "./_errors.ts";

/** A job under way. Its signal is made when it is asked for: few jobs do. */
export class JobControl {
  #reason: JobAbortedError | undefined;
  #controller: AbortController | undefined;
  /** Whether the handler has not ended yet. */
  running = true;
  /** The message was given back: how the job ends does not matter any more. */
  givenUp = false;
  /** Called when it has ended, or was given up. */
  onEnd: (() => void) | undefined;

  /** Whether the job was told to end. */
  get aborted(): boolean {
    return this.#reason !== undefined;
  }

  /** Aborts when the job is to end. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.aborted) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The handler has ended. */
  end(): void {
    this.running = false;
    this.onEnd?.();
  }

  /** Gives the job up: its message was given back. */
  giveUp(): void {
    this.givenUp = true;
    this.onEnd?.();
    this.abort("stopping");
  }

  /** Tells the job to end; the first reason counts. */
  abort(reason: JobAbortReason): void {
    if (this.aborted) return;
    this.#reason = new JobAbortedError(reason);
    this.#controller?.abort(this.#reason);
  }
}
