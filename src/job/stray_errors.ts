/**
 * Errors in work that a job left behind: a promise that nobody awaits, a timer.
 * They are logged and do not end the container.
 *
 * @module
 */

import process from "node:process";
import type { Logger } from "../logging/loggers.ts";
import { withThrown } from "../logging/value_text.ts";
import { RUNTIME } from "../runtime.ts";
import { currentScope, currentWork } from "./current_job.ts";

/** What a container hears of that no job's end tells. */
export interface StrayOptions {
  readonly loggers: { get(name: string): Logger };
  /**
   * What this container's jobs do, or also all that belongs to no other
   * container, for a process that only runs containers.
   */
  readonly whose: "own" | "all";
}

/** Logs stray errors until it is disposed. */
export function logStrayErrors(options: StrayOptions): Disposable {
  const { loggers, whose } = options;
  return listen((error) => {
    const scope = currentScope();
    const mine = scope === undefined
      ? whose === "all" || !KNOWS_SCOPE
      : scope.loggers === loggers;
    if (!mine) return false;
    const work = currentWork();
    const whom = work === undefined ? "" : `: ${work}`;
    const who = scope?.hook === undefined ? "a job" : `hook "${scope.hook}"`;
    loggers.get("zsqs").error(
      ...withThrown(`Work that ${who} left behind failed${whom}`, error),
    );
    return true;
  });
}

/**
 * Whether the runtime reports a rejection in the context of its job. Bun does not
 * (oven-sh/bun#40223): there, an error without a job may be one of a job.
 */
const KNOWS_SCOPE = RUNTIME !== "Bun";

/** Logs an error if it is a stray one of its container; returns whether. */
type Take = (error: unknown) => boolean;

/** Node sends such errors to the process, Deno to the global object. */
const listen = RUNTIME === "Deno" ? listenOnWeb : listenOnNode;

function listenOnWeb(take: Take): Disposable {
  const onEvent = (event: PromiseRejectionEvent | ErrorEvent) => {
    if (event.defaultPrevented) return;
    const error = "reason" in event ? event.reason : event.error;
    if (take(error)) event.preventDefault();
  };
  const listening = new AbortController();
  for (const name of ["unhandledrejection", "error"] as const) {
    globalThis.addEventListener(name, onEvent, { signal: listening.signal });
  }
  return { [Symbol.dispose]: () => listening.abort() };
}

/** The containers of all copies share two listeners. */
const TAKERS = Symbol.for("zsqs/1/strayErrors");

interface Takers {
  readonly set: Set<Take>;
  readonly unhandledRejection: (error: unknown) => void;
  readonly uncaughtException: (error: unknown) => void;
}

const NODE_EVENTS = ["unhandledRejection", "uncaughtException"] as const;

const shared = globalThis as { [TAKERS]?: Takers };

function listenOnNode(take: Take): Disposable {
  const takers = shared[TAKERS] ??= makeTakers();
  const { set } = takers;
  if (set.size === 0) {
    for (const name of NODE_EVENTS) process.on(name, takers[name]);
  }
  set.add(take);
  return {
    [Symbol.dispose]() {
      set.delete(take);
      if (set.size > 0) return;
      for (const name of NODE_EVENTS) process.off(name, takers[name]);
    },
  };
}

/** What no container takes ends the process, as without any listener. */
function makeTakers(): Takers {
  const set = new Set<Take>();
  const isTaken = (name: string, error: unknown) =>
    [...set].some((take) => take(error)) || process.listenerCount(name) > 1;
  return {
    set,
    unhandledRejection(error) {
      // Node makes an exception of it.
      if (!isTaken("unhandledRejection", error)) throw error;
    },
    uncaughtException: function onException(error) {
      if (isTaken("uncaughtException", error)) return;
      process.off("uncaughtException", onException);
      process.nextTick(() => {
        throw error;
      });
    },
  };
}
