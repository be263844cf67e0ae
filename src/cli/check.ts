/**
 * `zsqs check config.ini...`: reports everything that is wrong with containers.
 *
 * @module
 */

import { connectOptions } from "../config/config.ts";
import type { ContainerConfig } from "../config/options.ts";
import {
  type Command,
  type Io,
  type ParsedOptions,
  UsageError,
} from "./command.ts";
import { describeError, DONE, USAGE } from "./errors.ts";
import { counted, paint } from "./screen.ts";
import { systemClock } from "../clock.ts";
import { inspectConfig } from "../config/ini_config.ts";
import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import { isDenied, type QueueAttributes } from "../sqs/connection.ts";
import { checkLogFiles, defaultLoggers } from "../logging/loggers.ts";
import { loadWorker } from "../job/worker.ts";

/**
 * The least `maxReceiveCount` without a warning: a message may be released at a
 * stop and retried once before it is done.
 */
const LEAST_RECEIVES = 3;

/** A retry on a FIFO queue also releases the later messages of its group. */
const LEAST_FIFO_RECEIVES = 5;

/** Reports everything that is wrong with containers. */
export const CHECK: Command = {
  name: "check",
  summary: "Report everything that is wrong with containers.",
  usage: ["CONFIG.ini..."],
  about: `\
It reads each file, imports the worker's module without calling it, and finds
the queue. It runs no job. It warns if the queue's redrive policy moves messages
to the dead-letter queue after few receives.`,
  options: [],
  exitStatus: `0 no problem found, 1 a queue could not be looked up, 2 the
configuration is wrong.`,
  run: check,
};

async function check(options: ParsedOptions, io: Io): Promise<number> {
  if (options.positional.length === 0) {
    throw new UsageError("No ini file given: name the files to check");
  }
  let worst = DONE;
  for (const file of options.positional) {
    const { lines, warnings, status } = await checkFile(file);
    for (const line of lines) io.stderr(paint(line, "red", io, "stderr"));
    for (const line of warnings) {
      io.stderr(paint(line, "yellow", io, "stderr"));
    }
    if (status === DONE) io.stdout(paint(`${file} is fine`, "green", io));
    worst = Math.max(worst, status);
  }
  return worst;
}

/** Imports the worker's module where its jobs would run. */
async function checkWorker(
  config: Partial<ContainerConfig> & Pick<ContainerConfig, "worker">,
): Promise<void> {
  const { worker, isolation, concurrency = 1 } = config;
  const filled = { workerConfig: {}, ...config };
  if (isolation !== "process" || !("specifier" in worker)) {
    await loadWorker(filled);
    return;
  }
  const { checkIsolated } = await import("../isolation/pool.ts");
  await checkIsolated(
    { ...filled, worker, concurrency },
    { loggers: defaultLoggers(), clock: systemClock },
  );
}

/** The result for one file. */
interface CheckReport {
  /** The problems. */
  readonly lines: readonly string[];
  readonly warnings: readonly string[];
  readonly status: number;
}

async function checkFile(file: string): Promise<CheckReport> {
  const { config, problems, wrong } = await inspectConfig(file);
  const { loggers, loggersWhere = "" } = config;
  const lines = [
    ...problems,
    ...(loggers === undefined ? [] : checkLogFiles(loggers, loggersWhere)),
  ];
  const warnings: string[] = [];
  let status = lines.length > 0 ? USAGE : DONE;
  const attempt = async (look: () => Promise<unknown>) => {
    try {
      await look();
    } catch (error) {
      const report = await describeError(error);
      lines.push(...report.lines);
      status = Math.max(status, report.status);
    }
  };
  const { worker, queue, failures = "delete" } = config;
  if (worker !== undefined) {
    await attempt(() => checkWorker({ ...config, worker }));
  }
  const queues = typeof failures === "string" ? [queue] : [queue, failures];
  for (
    const ref of wrong.has("region") || wrong.has("endpoint") ? [] : queues
  ) {
    if (ref === undefined) continue;
    await attempt(async () => {
      const opened = await openQueue(ref, connectOptions(config));
      try {
        if (ref === queue) {
          warnings.push(...await warningsOn(opened, failures));
        }
      } finally {
        opened.connection.close();
      }
    });
  }
  return { lines, warnings, status };
}

/** Warnings about a queue's redrive policy, if it may be read. */
async function warningsOn(
  { connection, url, ref }: OpenQueue,
  failures: ContainerConfig["failures"],
): Promise<string[]> {
  let known: QueueAttributes;
  try {
    known = await connection.attributes(url);
  } catch (error) {
    if (isDenied(error)) return [];
    throw error;
  }
  const { maxReceiveCount = Infinity } = known.redrive ?? {};
  const least = ref.fifo ? LEAST_FIFO_RECEIVES : LEAST_RECEIVES;
  if (maxReceiveCount < least) {
    return [
      `Warning: queue ${ref.name} moves a message to its dead-letter queue after ${
        counted(maxReceiveCount, "receive")
      }, and every receive counts, even if the job never ran: set its maxReceiveCount to ${least} or more`,
    ];
  }
  return known.redrive === undefined && failures === "keep"
    ? [
      `Warning: queue ${ref.name} has no dead-letter queue: with failures = keep, failed messages come back until the queue's retention period ends`,
    ]
    : [];
}
