/**
 * Ends of the process that nobody asked for: a job calls `Deno.exit(0)`, and a
 * service manager believes that the container has stopped.
 *
 * @module
 */

import process from "node:process";
import { currentScope, currentWork } from "./current_job.ts";
import { deno } from "../runtime.ts";
import type { StrayOptions } from "./stray_errors.ts";

/** The newest last. */
const watches: StrayOptions[] = [];

/** Whether the exit is logged: Deno may report one twice. */
let isLogged = false;

/**
 * Logs an exit of the process and makes its status 1, until it is disposed.
 */
export function watchExit(options: StrayOptions): Disposable {
  if (watches.length === 0) {
    process.on("exit", onExit);
    // `Deno.exit()` emits an event of the global object alone.
    globalThis.addEventListener?.("unload", onExit);
  }
  watches.push(options);
  return {
    [Symbol.dispose]() {
      watches.splice(watches.indexOf(options), 1);
      if (watches.length > 0) return;
      process.off("exit", onExit);
      globalThis.removeEventListener?.("unload", onExit);
    },
  };
}

function onExit(): void {
  const scope = currentScope();
  const own = watches.find(({ loggers }) => loggers === scope?.loggers);
  const watch = own ?? watches.findLast(({ whose }) => whose === "all");
  if (watch === undefined) return;
  // The process of Node's interface does not know a status of `Deno.exit()`.
  const status = deno?.exitCode || process.exitCode || 0;
  process.exitCode = 1;
  if (isLogged) return;
  isLogged = true;
  const work = currentWork();
  const what = work !== undefined
    ? `A job ended the process: ${work}`
    : scope?.hook !== undefined
    ? `Hook "${scope.hook}" ended the process`
    : "The process ends while its container is not stopped";
  const next = "Jobs and hooks must return or throw, never exit";
  watch.loggers.get("zsqs").error(
    `${what}. The exit status becomes 1, not ${status}. ${next}`,
  );
}
