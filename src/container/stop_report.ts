/**
 * What a container logs while it stops.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ContainerConfig } from "../config/options.ts";
import type { Remaining } from "../engine/engine.ts";
import { firstJobs, nameJobs } from "../job/runner.ts";
import type { ContainerSummary } from "../job/summary.ts";
import type { Logger } from "../logging/loggers.ts";

/** The time between two reports, in milliseconds. */
const REPORT_MS = 10_000;

/** Says how long a stop may take, and how to make it immediate. */
export function stopText(
  config: ContainerConfig,
  { bySignal }: { readonly bySignal: boolean },
): string {
  const { queue, waitTimeSeconds, shutdownTimeoutSeconds } = config;
  const how = bySignal
    ? "press Ctrl+C or send SIGTERM again"
    : "call stop({ force: true })";
  return `Stopping: no new receive from ${queue.text}. A running poll may take ${waitTimeSeconds} s (wait_time), running jobs ${shutdownTimeoutSeconds} s (shutdown_timeout). To stop immediately, ${how}`;
}

/** What {@linkcode reportStop} works with. */
interface StopReportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly queue: string;
  readonly remaining: () => Remaining;
}

/** Logs what a stop still waits for, every ten seconds until it is disposed. */
export function reportStop(
  { clock, logger, queue, remaining }: StopReportOptions,
): Disposable {
  let seconds = 0;
  let cancel: () => void;
  const next = () => {
    cancel = clock.timer(REPORT_MS, () => {
      seconds += REPORT_MS / 1000;
      const text = remainingText(queue, remaining());
      logger.info(`Still stopping after ${seconds} s: waiting for ${text}`);
      next();
    });
  };
  next();
  return { [Symbol.dispose]: () => cancel() };
}

function remainingText(queue: string, remaining: Remaining): string {
  const { polls, running, settling } = remaining;
  const counts = [
    [polls, "poll"],
    [running.length, "running job"],
    [settling, "message to be deleted or released"],
  ] as const;
  const parts = counts.filter(([count]) => count > 0).map(([count, noun]) =>
    `${count} ${count === 1 ? noun : noun.replace(/(poll|job|message)/, "$1s")}`
  );
  if (parts.length === 0) return `the worker of ${queue} to be disposed`;
  const named = firstJobs(running);
  const rest = running.length - named.length;
  const more = rest > 0 ? `; ${rest} more` : "";
  return running.length === 0
    ? `${parts.join(", ")} of ${queue}`
    : `${parts.join(", ")}. Running: ${nameJobs(queue, ...named)}${more}`;
}

/** What a container did, in one line. */
export function summaryText(summary: ContainerSummary): string {
  const { received, done, failed, retried, released, leasesLost } = summary;
  const { undeleted, lostLines, emptyReceives, requests } = summary;
  const lost = lostLines === 0 ? "" : `, log lines lost ${lostLines}`;
  const calls = Object.entries(requests)
    .map(([operation, count]) => `${count} ${operation}`).join(", ");
  return `received ${received}, done ${done}, failed ${failed}, retried ${retried}, released ${released}, leases lost ${leasesLost}, undeleted ${undeleted}${lost}; requests: ${calls} (${emptyReceives} empty)`;
}
