/**
 * For how long receives hide messages: as configured, else as the queue does,
 * which is asked for while the first receive is under way.
 *
 * @module
 */

import { type Clock, sleep } from "./_clock.ts";
import { isMissingQueue, type OpenQueue } from "./_connect.ts";
import { ConnectionError } from "./_connection.ts";
import { isNotCapable, messageOf } from "./_errors.ts";
import type { Logger } from "./_loggers.ts";

/** SQS's default, which is asked for while the queue's own is not known. */
const DEFAULT_SECONDS = 30;

/** The pause before it is asked for again where that failed, in milliseconds. */
const RETRY_MS = 30_000;

/**
 * The visibility timeout that a container's receives ask for. They always do,
 * so that what a lease is worth is known though somebody changes the queue.
 */
export class Visibility {
  /** How long a receive that starts now hides a message. */
  seconds: number;

  constructor(seconds: number = DEFAULT_SECONDS) {
    this.seconds = seconds;
  }

  /**
   * The longest that a receive may wait: a lease counts from the sending of its
   * receive, so a third of it must be left when a message comes at the end.
   */
  get longestWaitSeconds(): number {
    return Math.max(1, Math.floor(this.seconds * 2 / 3));
  }
}

/** How a queue's own visibility timeout is asked for. */
export interface LearnOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the asking. */
  readonly signal: AbortSignal;
}

/**
 * Asks a queue for its own visibility timeout, until it is known, and takes it
 * over. Where it cannot be had the default stays, with one log line. It never
 * rejects: that the queue cannot be used at all, its receives tell.
 */
export async function learnVisibility(
  visibility: Visibility,
  { connection, url, ref }: OpenQueue,
  { clock, logger, signal }: LearnOptions,
): Promise<void> {
  let told = false;
  const tell = (why: string) => {
    if (told) return;
    told = true;
    logger.info(
      `Hiding messages of ${ref.name} for ${DEFAULT_SECONDS} s, not for the queue's own visibility timeout: ${why}`,
    );
  };
  while (!signal.aborted) {
    try {
      const { visibilityTimeoutSeconds } = await connection.attributes(
        url,
        { signal },
      );
      if (visibilityTimeoutSeconds) {
        visibility.seconds = visibilityTimeoutSeconds;
      } else tell("it is 0, which would have two containers run each job");
      return;
    } catch (error) {
      if (signal.aborted || isMissingQueue(error) || isNotCapable(error)) {
        return;
      }
      if (isDenied(error)) {
        return tell("the right sqs:GetQueueAttributes is missing");
      }
      tell(`it is not known yet: ${messageOf(error)}`);
    }
    await sleep(clock, RETRY_MS, signal);
  }
}

function isDenied(error: unknown): boolean {
  return error instanceof ConnectionError && error.code === "AccessDenied";
}
