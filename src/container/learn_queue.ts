/**
 * Asks a queue for what only its attributes tell: its own visibility timeout,
 * and whether SQS gives jobs up before their attempts are over.
 *
 * @module
 */

import { type Clock, sleep } from "../clock.ts";
import { DEFAULT_SECONDS, type Visibility } from "../engine/visibility.ts";
import { isNotCapable, messageOf } from "../errors.ts";
import type { Logger } from "../logging/loggers.ts";
import {
  type Connection,
  isDenied,
  isMissingQueue,
} from "../sqs/connection.ts";
import { attemptsProblem, type FailurePolicy } from "./failed_jobs_text.ts";

/** The pause before a queue is asked again, in milliseconds. */
const RETRY_MS = 30_000;

/** Options of {@linkcode learnQueue}. */
interface LearnOptions {
  readonly connection: Pick<Connection, "attributes">;
  readonly url: string;
  /** The queue's name. */
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes the visibility timeout; absent if one is configured. */
  readonly visibility?: Visibility | undefined;
  readonly policy: FailurePolicy;
  /** Ends the asking. */
  readonly signal: AbortSignal;
}

/**
 * Asks a queue until it answers. If it may not or cannot be asked, the default
 * visibility timeout stays and one line is logged. Never rejects: the receives
 * report a queue that cannot be used.
 */
export async function learnQueue(
  { connection, url, name, clock, logger, visibility, policy, signal }:
    LearnOptions,
): Promise<void> {
  if (visibility === undefined && policy.attempts === undefined) return;
  let isLogged = visibility === undefined;
  const logOnce = (why: string) => {
    if (isLogged) return;
    isLogged = true;
    logger.info(
      `Using a visibility timeout of ${DEFAULT_SECONDS} s for ${name} instead of the queue's own: ${why}`,
    );
  };
  while (!signal.aborted) {
    try {
      const own = await connection.attributes(url, { signal });
      const seconds = own.visibilityTimeoutSeconds;
      if (!seconds) logOnce("with 0 s, two containers would run each job");
      else if (visibility !== undefined) visibility.seconds = seconds;
      const most = own.redrive?.maxReceiveCount;
      const problem = attemptsProblem(policy, most);
      if (problem !== undefined) logger.warn(`Queue ${name} ${problem}`);
      return;
    } catch (error) {
      const isHopeless = isMissingQueue(error) || isNotCapable(error);
      if (signal.aborted || isHopeless) return;
      const isForbidden = isDenied(error);
      if (isForbidden) return logOnce("sqs:GetQueueAttributes is not allowed");
      logOnce(`it is not known yet: ${messageOf(error)}`);
    }
    await sleep(clock, RETRY_MS, signal);
  }
}
