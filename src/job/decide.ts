/**
 * How long a job that failed transiently stays away.
 *
 * @module
 */

/**
 * Seconds until the next try: fixed where both are the same, else doubling.
 *
 * @example Doubling up to ten minutes
 * ```ts
 * import { resolveConfig, type RetryDelay } from "@zsqs/cli/container";
 * import { assertEquals } from "@std/assert";
 *
 * const retryDelay: RetryDelay = { minSeconds: 1, maxSeconds: 600 };
 * const config = resolveConfig({ queue: "adder", worker: "w.ts", retryDelay });
 *
 * assertEquals(config.retryDelay, retryDelay);
 * ```
 */
export interface RetryDelay {
  /** After the first receive, at most. */
  readonly minSeconds: number;
  /** However often it was received, at most. */
  readonly maxSeconds: number;
}

/**
 * The delay of a message: fixed, or doubling per receive, with full jitter, so
 * that jobs which failed together do not come back together.
 *
 * @param delay The delay that is configured.
 * @param receiveCount How often the message has been received, 1 or more.
 * @param random A number from 0 to below 1.
 * @returns Whole seconds.
 */
export function retryDelaySeconds(
  { minSeconds, maxSeconds }: RetryDelay,
  receiveCount: number,
  random: number,
): number {
  if (minSeconds === maxSeconds) return minSeconds;
  const longest = Math.min(
    maxSeconds,
    Math.max(1, minSeconds) * 2 ** (receiveCount - 1),
  );
  return 1 + Math.floor(random * longest);
}
