/**
 * Commands that stop at a signal.
 *
 * @module
 */

import { unlessAborted } from "../clock.ts";
import { listenToStopSignals } from "../signals.ts";
import type { Io } from "./command.ts";
import { FAILED } from "./errors.ts";

/**
 * Runs until it has ended; a second stop signal ends the wait.
 *
 * @param run Gets a signal that aborts at the first stop signal.
 * @param options Says what an end without waiting leaves.
 * @returns The exit status.
 */
export async function untilForced(
  run: (signal: AbortSignal) => Promise<number>,
  { io, left }: { readonly io: Io; readonly left: () => string },
): Promise<number> {
  using stop = listenToStopSignals();
  const status = await unlessAborted(run(stop.signal), stop.forceSignal);
  if (status !== undefined) return status;
  io.stderr(`Stopped immediately: ${left()}`);
  return FAILED;
}
