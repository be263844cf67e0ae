/**
 * For how long receives hide messages: as configured, else as the queue does,
 * which is asked for while the first receive is under way.
 *
 * @module
 */

import type { OpenQueue } from "./_connect.ts";
import { ConnectionError } from "./_connection.ts";
import type { Logger } from "./_loggers.ts";

/** SQS's default, which is asked for while the queue's own is not known. */
const DEFAULT_SECONDS = 30;

/** The visibility timeout of a container's receives. */
export class Visibility {
  /** Whether it was configured; the queue's own does not matter then. */
  readonly isConfigured: boolean;
  /** How long a receive that starts now hides a message. */
  seconds: number;
  /** Whether it must ask for that, as it is not the queue's own. */
  ask = true;

  constructor(configuredSeconds?: number) {
    this.isConfigured = configuredSeconds !== undefined;
    this.seconds = configuredSeconds ?? DEFAULT_SECONDS;
  }

  /**
   * The longest that a receive may wait: a lease counts from the sending of its
   * receive, so a third of it must be left when a message comes at the end.
   */
  get longestWaitSeconds(): number {
    return Math.max(1, Math.floor(this.seconds * 2 / 3));
  }
}

/**
 * Asks a queue for its own visibility timeout and takes it over, if none is
 * configured. Where the right to ask is missing, the default is asked for on,
 * with one log line.
 *
 * @throws {ConnectionError} If SQS cannot be reached, or the queue not found.
 */
export async function learnVisibility(
  visibility: Visibility,
  { connection, url, ref }: OpenQueue,
  options: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  try {
    const { visibilityTimeoutSeconds } = await connection.attributes(
      url,
      { signal: options.signal },
    );
    if (visibility.isConfigured) return;
    if (visibilityTimeoutSeconds) {
      visibility.seconds = visibilityTimeoutSeconds;
      visibility.ask = false;
      return;
    }
  } catch (error) {
    if (!(error instanceof ConnectionError) || error.code !== "AccessDenied") {
      throw error;
    }
    if (visibility.isConfigured) return;
  }
  // A queue may hide messages for 0 s, which would have two run each job.
  options.logger.info(
    `Hiding messages of ${ref.name} for ${DEFAULT_SECONDS} s, as the queue's own visibility timeout cannot be used: it is 0, or the right sqs:GetQueueAttributes is missing`,
  );
}
