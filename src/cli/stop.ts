/**
 * Commands that stop at a signal.
 *
 * @module
 */

import { unlessAborted } from "../clock.ts";
import { listenToStopSignals } from "../signals.ts";
import { FAILED } from "./errors.ts";
import type { Output } from "./screen.ts";

/**
 * Waits for a command's status. The first stop signal aborts its signal; the
 * second ends the wait, and `left` says what that leaves.
 */
export async function untilForced(
  run: (signal: AbortSignal) => Promise<number>,
  { io, left }: { readonly io: Output; readonly left: () => string },
): Promise<number> {
  using stop = listenToStopSignals();
  const status = await unlessAborted(run(stop.signal), stop.forceSignal);
  if (status !== undefined) return status;
  io.stderr(`Stopped immediately: ${left()}`);
  return FAILED;
}
