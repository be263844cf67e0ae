/**
 * From a job's outcome and the container's policy to one action on SQS.
 *
 * @module
 */

/** How a job ended. */
export type Outcome =
  /** The handler returned. */
  | { readonly kind: "done" }
  /** The handler threw a `TransientError`. */
  | {
    readonly kind: "transient";
    readonly error: unknown;
    /** The error's own delay in seconds, 0 to 43,200. */
    readonly delaySeconds?: number;
  }
  /**
   * `aborted`: the handler threw after its signal had aborted, or it ended its
   * process. `released`: no process could run it. `notCapable`: Deno denied a permission, so that the deployment is
   * wrong, not the message. `workerError`: the handler returned code that never
   * ran, such as a generator, so that the worker is wrong. `failed`: the handler
   * threw anything else, or the body is not a job.
   */
  | {
    readonly kind:
      | "aborted"
      | "released"
      | "notCapable"
      | "workerError"
      | "failed";
    readonly error: unknown;
  };

/** What a container does with messages whose jobs are not done. */
export interface Policy {
  readonly failures: "delete" | "keep" | "send";
  /** The delay of a retry that names none; absent: the visibility timeout. */
  readonly retryDelay?: RetryDelay;
}

export interface Attempt {
  /** How often the message has been received, 1 or more. */
  readonly receiveCount: number;
  /** A number from 0 to below 1, for jitter. */
  readonly random: number;
}

export type Decision =
  | { readonly action: "delete" }
  /** Send a copy with the reason to the failures queue, then delete. */
  | { readonly action: "sendToFailures" }
  /** The message is received again after `seconds`. */
  | { readonly action: "changeVisibility"; readonly seconds: number }
  /** The message is received again when its visibility timeout ends. */
  | { readonly action: "leave" };

/** One for all: most jobs end with it. */
const DELETE: Decision = { action: "delete" };

/** Others may run it immediately. */
const SHOW: Decision = { action: "changeVisibility", seconds: 0 };

/** Decides what happens with a message, by its arguments alone. */
export function decide(
  outcome: Outcome,
  policy: Policy,
  attempt: Attempt,
): Decision {
  switch (outcome.kind) {
    case "done":
      return DELETE;
    case "failed":
      if (policy.failures === "delete") return DELETE;
      if (policy.failures === "send") return { action: "sendToFailures" };
      return retry(undefined, policy, attempt);
    case "transient":
      return retry(outcome.delaySeconds, policy, attempt);
    case "released":
      return SHOW;
    case "aborted":
    case "notCapable":
    case "workerError":
      return retry(undefined, policy, attempt);
  }
}

function retry(
  delaySeconds: number | undefined,
  { retryDelay }: Policy,
  attempt: Attempt,
): Decision {
  const seconds = delaySeconds ?? (retryDelay && delayOf(retryDelay, attempt));
  return seconds === undefined
    ? { action: "leave" }
    : { action: "changeVisibility", seconds };
}

/** Seconds until the next try: fixed if both are the same, otherwise doubling. */
export interface RetryDelay {
  /** After the first receive, at most. */
  readonly minSeconds: number;
  /** However often it was received, at most. */
  readonly maxSeconds: number;
}

/**
 * Seconds: fixed, or doubling per receive with full jitter, so that jobs which
 * failed together are not retried together.
 */
function delayOf(
  { minSeconds, maxSeconds }: RetryDelay,
  { receiveCount, random }: Attempt,
): number {
  if (minSeconds === maxSeconds) return minSeconds;
  const longest = Math.max(1, minSeconds) * 2 ** (receiveCount - 1);
  return 1 + Math.floor(random * Math.min(maxSeconds, longest));
}
