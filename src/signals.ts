/**
 * The signals that stop containers: SIGTERM and SIGINT; on Windows Ctrl+C and
 * Ctrl+Break.
 *
 * @module
 */

import process from "node:process";

/**
 * A second signal within these milliseconds counts as the first: terminals and
 * task runners deliver Ctrl+C twice.
 */
const SAME_SIGNAL_MS = 1000;

/** The signals that stop containers. */
export const SIGNALS: readonly NodeJS.Signals[] = process.platform === "win32"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/** The stop signals as abort signals. */
export interface StopSignals extends Disposable {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** Aborts at a second one, more than 1 s later. */
  readonly forceSignal: AbortSignal;
}

/** Listens to the process's stop signals until it is disposed. */
export function listenToStopSignals(): StopSignals {
  const stop = new AbortController();
  const force = new AbortController();
  let first: number | undefined;
  const onSignal = () => {
    first ??= performance.now();
    if (!stop.signal.aborted) stop.abort();
    else if (performance.now() - first > SAME_SIGNAL_MS) force.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: stop.signal,
    forceSignal: force.signal,
    [Symbol.dispose]() {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
