/**
 * Commands that stop at a signal.
 *
 * @module
 */

import { unlessAborted } from "../clock.ts";
import { listenToStopSignals, type StopSignals } from "../signals.ts";
import { FAILED } from "./errors.ts";
import type { Output } from "./screen.ts";

/** Listens to stop signals, and says what one more does. */
export function stopSignals(io: Output): StopSignals {
  return listenToStopSignals((text) => io.stderr(text));
}

/**
 * Waits for a command's status. The first stop signal aborts its signal; the
 * second ends the wait, and `left` says what that leaves.
 */
export async function untilForced(
  run: (signal: AbortSignal) => Promise<number>,
  { io, left }: { readonly io: Output; readonly left: () => string },
): Promise<number> {
  using stop = stopSignals(io);
  const status = await unlessAborted(run(stop.signal), stop.forceSignal);
  if (status !== undefined) return status;
  io.stderr(`Stopped immediately: ${left()}`);
  return FAILED;
}
