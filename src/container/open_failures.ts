/**
 * Opens the queue for failed messages.
 *
 * @module
 */

import type { OpenQueue } from "../connect/open_queue.ts";
import { FailureQueue } from "../engine/failure_queue.ts";
import type { Logger } from "../logging/loggers.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";

/** What is needed of the queue: its connection may open later. */
type Target = Pick<OpenQueue, "ref" | "url" | "clock"> & {
  readonly connection: Pick<OpenQueue["connection"], "send">;
};

/** The queue for failed messages, whose requests are measured. */
export function openFailures(
  { ref, url, connection, clock }: Target,
  source: string,
  logger: Logger,
  telemetry: Telemetry | undefined,
): FailureQueue {
  const timed = telemetry?.producer({ name: ref.name, url })
    .connection(connection);
  return new FailureQueue({
    connection: timed ?? connection,
    url,
    fifo: ref.fifo,
    source,
    logger,
    now: () => clock.now(),
  });
}
