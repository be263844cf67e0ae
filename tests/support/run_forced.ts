/**
 * Runs containers that a signal stops immediately.
 *
 * @module
 */

import {
  type ContainerSettings,
  type ContainerSummary,
  type RunOptions,
  startContainer,
} from "../../container.ts";

/** Runs a container until it stops; `forceSignal` stops it immediately. */
export async function runForced(
  settings: ContainerSettings,
  { forceSignal, ...options }: RunOptions & {
    readonly forceSignal: AbortSignal;
  },
): Promise<ContainerSummary> {
  const container = await startContainer(settings, options);
  const force = () => void container.stop({ force: true }).catch(() => {});
  if (forceSignal.aborted) force();
  forceSignal.addEventListener("abort", force, { once: true });
  return await container.finished;
}
