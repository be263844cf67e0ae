/**
 * The signals that stop containers: SIGTERM, SIGINT and SIGHUP; on Windows
 * Ctrl+C and Ctrl+Break.
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
  : ["SIGINT", "SIGTERM", "SIGHUP"];

/** The stop signals as abort signals. */
export interface StopSignals extends Disposable {
  /** Aborts at the first signal. */
  readonly signal: AbortSignal;
  /** Aborts at a second one, more than 1 s later, or at a third. */
  readonly forceSignal: AbortSignal;
}

/**
 * Listens to the process's stop signals until it is disposed.
 *
 * @param onRepeat Says that a second signal counts as the first.
 */
export function listenToStopSignals(
  onRepeat: (text: string) => void = (text) => console.error(text),
): StopSignals {
  const stop = new AbortController();
  const force = new AbortController();
  let first: number | undefined;
  let isRepeated = false;
  const onSignal = () => {
    const now = performance.now();
    if (first === undefined) {
      first = now;
      stop.abort();
    } else if (isRepeated || now - first > SAME_SIGNAL_MS) force.abort();
    else {
      isRepeated = true;
      onRepeat(
        "Already stopping: one more Ctrl+C or SIGTERM stops immediately",
      );
    }
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
