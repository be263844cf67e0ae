/**
 * Containers of one command line that would listen on one address.
 *
 * @module
 */

import type { ContainerConfig } from "../config/options.ts";

/** One line for each container whose `health` address another one has. */
export function sharedHealth(
  configs: readonly Partial<ContainerConfig>[],
): string[] {
  const problems: string[] = [];
  const files = new Map<string, string>();
  for (const { health, file = "" } of configs) {
    if (health === undefined || health.port === 0) continue;
    const other = files.get(health.text);
    files.set(health.text, file);
    if (other === undefined) continue;
    problems.push(
      `Cannot start container as "health" in [container] of ${file} is the same as in ${other}: give each its own port, current value is "${health.text}"`,
    );
  }
  return problems;
}
