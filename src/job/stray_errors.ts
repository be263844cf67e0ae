/**
 * Errors in work that a job left behind: a promise that nobody awaits, a timer.
 * They are logged and do not end the container.
 *
 * @module
 */

import type { Logger } from "../logging/loggers.ts";
import { currentScope } from "./current_job.ts";
import { nameJobs } from "./runner.ts";

/** Whose errors a container logs. */
export interface StrayErrorsOptions {
  readonly loggers: { get(name: string): Logger };
  /**
   * Errors of this container's jobs, or all errors that belong to no other
   * container, for a process that only runs containers.
   */
  readonly whose: "own" | "all";
}

/** Logs stray errors until it is disposed. */
export function logStrayErrors(options: StrayErrorsOptions): Disposable {
  const { loggers, whose } = options;
  const listen = (event: PromiseRejectionEvent | ErrorEvent) => {
    const scope = currentScope();
    const mine = scope === undefined
      ? whose === "all"
      : scope.loggers === loggers;
    if (!mine || event.defaultPrevented) return;
    event.preventDefault();
    const error = "reason" in event ? event.reason : event.error;
    const job = scope?.job && `: ${nameJobs(scope.job.queue, scope.job)}`;
    const what = `Work that a job left behind failed${job ?? ""}`;
    loggers.get("zsqs").error(what, error);
  };
  const listening = new AbortController();
  for (const name of ["unhandledrejection", "error"] as const) {
    // Node has no such events: a stray error ends the process there.
    globalThis.addEventListener?.(name, listen, { signal: listening.signal });
  }
  return { [Symbol.dispose]: () => listening.abort() };
}
