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
    /** Whether the log has the error, which is one of the job's batch. */
    readonly isLogged?: boolean;
  }
  /**
   * `failed`: the handler threw anything else. `unfit`: no further attempt can
   * help: a `PermanentError`, a job that does not fit its schema, or a body that
   * nobody can read.
   * `awsEvent`: nobody can read the body, but AWS wrote it, so that an option is
   * missing. `timedOut`: the job was past its `timeout` when it threw, or its
   * process died. `aborted`: the container is stopping, or the lease is lost.
   * `released`: no process could run it. `notCapable`: Deno denied a permission,
   * so that the deployment is wrong, not the message. `workerError`: the handler
   * returned code that never ran, such as a generator. `unfetched`: S3 refused the
   * job's body or is away, so that the job did not start.
   */
  | {
    readonly kind:
      | "failed"
      | "unfit"
      | "awsEvent"
      | "timedOut"
      | "aborted"
      | "released"
      | "notCapable"
      | "workerError"
      | "unfetched";
    readonly error: unknown;
    readonly isLogged?: boolean;
  };

/** What a container does with messages whose jobs are not done. */
export interface Policy {
  /** What becomes of failed jobs; absent: deleted, but events of AWS stay. */
  readonly failures?: "delete" | "keep" | "send";
  /**
   * From this receive count on, a job fails that would be tried again. Absent: a
   * handler's error fails immediately, and a retry never ends.
   */
  readonly attempts?: number;
  /** The delay of a retry that names none; absent: the visibility timeout. */
  readonly retryDelay?: RetryDelay;
}

/** A try of a job, and chance. */
export interface Attempt {
  /** How often the message has been received to run its job. */
  readonly receiveCount: number;
  /** A number from 0 to below 1, for jitter. */
  readonly random: number;
}

/** What happens with the message of a job that has ended. */
export type Decision =
  | { readonly action: "delete" }
  /** Send a copy with the reason to the failures queue, then delete. */
  | { readonly action: "sendToFailures" }
  | Retry;

/** The message stays in the queue. */
export type Retry =
  /** The message is received again after `seconds`. */
  | { readonly action: "changeVisibility"; readonly seconds: number }
  /** The message is received again when its visibility timeout ends. */
  | { readonly action: "leave" };

/** One for all: most jobs end with it. */
export const DELETE = { action: "delete" } as const satisfies Decision;

/** Others may run it immediately. */
export const SHOW = {
  action: "changeVisibility",
  seconds: 0,
} as const satisfies Decision;

/** Decides what happens with a message, by its arguments alone. */
export function decide(
  outcome: Outcome,
  policy: Policy,
  attempt: Attempt,
): Decision {
  if (outcome.kind === "done") return DELETE;
  if (outcome.kind === "released") return SHOW;
  const isFailed = isFailure(outcome, policy, attempt);
  if (isFailed && policy.failures === "send") {
    return { action: "sendToFailures" };
  }
  if (isFailed && policy.failures !== "keep") return DELETE;
  const { delaySeconds = undefined } = outcome as { delaySeconds?: number };
  return retry(delaySeconds, policy, attempt);
}

/** Whether a job is not tried again, so that `failures` decides. */
export function isFailure(
  { kind }: Outcome,
  { attempts, failures }: Policy,
  { receiveCount }: Pick<Attempt, "receiveCount">,
): boolean {
  switch (kind) {
    case "unfit":
      return true;
    case "awsEvent":
      return failures !== undefined;
    case "failed":
      return attempts === undefined || receiveCount >= attempts;
    case "transient":
    case "timedOut":
      return attempts !== undefined && receiveCount >= attempts;
    case "done":
    case "aborted":
    case "released":
    case "notCapable":
    case "workerError":
    case "unfetched":
      return false;
  }
}

/** Leaves a message in the queue, to be received again. */
export function retry(
  delaySeconds: number | undefined,
  { retryDelay }: Policy,
  attempt: Attempt,
): Retry {
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
