/**
 * What the checks of `library.ts` share.
 *
 * @module
 */

import {
  type ContainerSettings,
  type ContainerSummary,
  startContainer,
} from "../../container.ts";
import { Queue } from "../../producer.ts";

/** What checks are given. */
export interface Stage {
  readonly endpoint: string;
  /** A folder to write to. */
  readonly folder: string;
  /** Makes a queue on the server. */
  makeQueue(
    name: string,
    attributes?: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** The bodies that a queue holds, at most ten. */
  bodies(name: string): Promise<string[]>;
}

/** Checks one row of the table. */
export type Check = (stage: Stage) => Promise<void>;

/** Sends jobs, and runs a container until its queue is empty. */
export async function drain<Config>(
  stage: Stage,
  settings: ContainerSettings<Config>,
  jobs: readonly unknown[][] = [],
): Promise<ContainerSummary> {
  const { endpoint } = stage;
  if (jobs.length > 0) {
    await stage.makeQueue(settings.queue);
    const { queue: name, body } = settings;
    await using queue = await Queue(name, { endpoint, body: body as "job" });
    await queue.sendAll(jobs);
  }
  const container = await startContainer(
    { loggers: QUIET, waitTimeSeconds: 1, ...settings, endpoint },
    { drain: true },
  );
  return await container.finished;
}

/** A failure shows the log of the container. */
const QUIET = `
  <logger>
    level WARN
    <logfile>
      path STDERR
    </logfile>
  </logger>`;
