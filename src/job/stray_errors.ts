/**
 * Errors in work that a job left behind: a promise that nobody awaits, a timer.
 * They are logged and do not end the container.
 *
 * @module
 */

import type { Logger } from "../logging/loggers.ts";
import { currentScope, type Scope } from "./current_job.ts";

/** Whose errors a container logs. */
export interface StrayErrorsOptions {
  readonly loggers: { get(name: string): Logger };
  /**
   * Those of its own jobs, or all that no other container knows to be its own:
   * right where the process runs nothing but containers.
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
    loggers.get("zsqs").error(whatHappened(scope), error);
  };
  // Node has no such events: a stray error ends the process there, as always.
  if (typeof globalThis.addEventListener !== "function") {
    return { [Symbol.dispose]() {} };
  }
  const events = ["unhandledrejection", "error"] as const;
  for (const name of events) addEventListener(name, listen);
  return {
    [Symbol.dispose]() {
      for (const name of events) removeEventListener(name, listen);
    },
  };
}

function whatHappened(scope: Scope | undefined): string {
  return scope?.job === undefined
    ? "An error in work that a job left behind"
    : `An error in work that job ${scope.job.messageId} left behind`;
}
