/**
 * Asks a queue for its own visibility timeout.
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

/** The pause before a queue is asked again, in milliseconds. */
const RETRY_MS = 30_000;

/** Options of {@linkcode learnVisibility}. */
export interface LearnOptions {
  readonly connection: Pick<Connection, "attributes">;
  readonly url: string;
  /** The queue's name. */
  readonly name: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the asking. */
  readonly signal: AbortSignal;
}

/**
 * Asks a queue for its visibility timeout until it answers. If it may not or
 * cannot be asked, the default stays and one line is logged. Never rejects: the
 * receives report a queue that cannot be used.
 */
export async function learnVisibility(
  visibility: Visibility,
  { connection, url, name, clock, logger, signal }: LearnOptions,
): Promise<void> {
  let isLogged = false;
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
      if (seconds) visibility.seconds = seconds;
      else logOnce("it is 0, and two containers would run each job");
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
