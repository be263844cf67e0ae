/**
 * The large jobs of a container: their bodies are fetched from S3 before they
 * run, and deleted after their messages.
 *
 * @module
 */

import type { EngineObjects } from "../engine/engine.ts";
import { FetchedJobs } from "../engine/fetched_jobs.ts";
import { ObjectRemoval } from "../engine/object_removal.ts";
import type { BatchRunner, Runner } from "../job/runner.ts";
import type { ContainerConfig } from "../config/options.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import type { Loggers } from "../logging/loggers.ts";
import type { ObjectStore } from "../sqs/objects.ts";

/** Fetches and deletes the bodies of large jobs. */
export interface LargeJobs extends EngineObjects {
  /** Runs jobs once their bodies are there. */
  readonly runner: Runner | BatchRunner;
  /** Waits for deletes, for a while. */
  close(): Promise<void>;
}

/** The parts of a container that large jobs need. */
interface LargeParts {
  readonly config: ContainerConfig;
  readonly loggers: Loggers;
  readonly queues: {
    readonly source: OpenQueue;
    readonly store?: ObjectStore | undefined;
  };
  readonly worker: { readonly runner: Runner | BatchRunner };
}

/** Prepares for large jobs, if a container has them. */
export function openLarge(
  { config, queues: { source, store }, worker, loggers }: LargeParts,
): LargeJobs | undefined {
  const { large: folder, largeKeep = false, attempts } = config;
  if (folder === undefined || store === undefined) return undefined;
  const shared = { folder, store, reading: config };
  const { fifo } = source.ref;
  const jobs = new FetchedJobs(worker.runner, { ...shared, fifo, attempts });
  const removal = new ObjectRemoval({
    ...shared,
    logger: loggers.get("zsqs"),
  });
  return {
    runner: jobs.runner,
    cancel: () => jobs.cancel(),
    remove: (message) => {
      if (!largeKeep) removal.remove(message);
    },
    close: () => removal.close(),
  };
}
