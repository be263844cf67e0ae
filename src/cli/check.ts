/**
 * `zsqs check config.ini...`: reports everything that is wrong with containers.
 *
 * @module
 */

import { connectOptions } from "../config/config.ts";
import type { ContainerConfig } from "../config/options.ts";
import type { Command, ParsedOptions } from "./command.ts";
import { describeError, DONE, type ErrorReport, USAGE } from "./errors.ts";
import { counted, type Output, type Style } from "./screen.ts";
import { systemClock } from "../clock.ts";
import { listenToStopSignals } from "../signals.ts";
import { inspectConfig } from "../config/ini_config.ts";
import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import { checkLogFiles, defaultLoggers } from "../logging/loggers.ts";
import { loadWorker } from "../job/worker.ts";
import { readAttributes } from "../operate/queue_status.ts";

/**
 * The least `maxReceiveCount` without a warning: a message may be released at a
 * stop and retried once before it is done.
 */
const LEAST_RECEIVES = 3;

/** A retry on a FIFO queue also releases the later messages of its group. */
const LEAST_FIFO_RECEIVES = 5;

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
  missing: "No ini file given: name the files to check",
  run: check,
};

async function check(options: ParsedOptions, io: Output): Promise<number> {
  let worst = DONE;
  for (const file of options.positional) {
    const say = (style: Style) => (text: string) => io.stderr({ text, style });
    const { lines, warnings, status } = await checkFile(file, say("yellow"));
    lines.forEach(say("red"));
    warnings.forEach(say("yellow"));
    if (status === DONE) io.stdout({ text: `${file} is fine`, style: "green" });
    worst = Math.max(worst, status);
  }
  return worst;
}

interface CheckReport extends ErrorReport {
  readonly warnings: readonly string[];
}

async function checkFile(
  file: string,
  onWait: (line: string) => void,
): Promise<CheckReport> {
  const { config, problems, wrong } = await inspectConfig(file);
  const { loggers, loggersWhere = "", worker, queue, failures } = config;
  const lines = [...problems];
  if (loggers !== undefined) {
    lines.push(...checkLogFiles(loggers, loggersWhere));
  }
  const warnings: string[] = [];
  let status = lines.length > 0 ? USAGE : DONE;
  const attempt = async (look: () => Promise<void>) => {
    try {
      await look();
    } catch (error) {
      const report = await describeError(error);
      lines.push(...report.lines);
      status = Math.max(status, report.status);
    }
  };
  if (worker !== undefined) {
    await attempt(() => checkWorker({ ...config, worker }));
  }
  if (wrong.has("region") || wrong.has("endpoint")) {
    return { lines, warnings, status };
  }
  for (const ref of [queue, failures]) {
    if (typeof ref !== "object") continue;
    await attempt(async () => {
      const where = connectOptions(config);
      const open = await openQueue(ref, { ...where, onWait });
      using stack = new DisposableStack();
      stack.defer(() => open.connection.close());
      if (ref === queue) warnings.push(...await warningsOn(open, failures));
    });
  }
  return { lines, warnings, status };
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
  using stop = listenToStopSignals();
  await checkIsolated({ ...filled, worker, concurrency }, {
    loggers: defaultLoggers(),
    clock: systemClock,
    signal: stop.signal,
  });
}

async function warningsOn(
  open: OpenQueue,
  failures: ContainerConfig["failures"] | undefined,
): Promise<string[]> {
  const attributes = await readAttributes(open);
  if (attributes === undefined) return [];
  const { name, fifo } = open.ref;
  const { maxReceiveCount = Infinity } = attributes.redrive ?? {};
  const least = fifo ? LEAST_FIFO_RECEIVES : LEAST_RECEIVES;
  if (maxReceiveCount < least) {
    const receives = counted(maxReceiveCount, "receive");
    return [
      `Warning: queue ${name} moves a message to its dead-letter queue after ${receives}, and every receive counts, even if the job never ran: set its maxReceiveCount to ${least} or more`,
    ];
  }
  return attributes.redrive === undefined && failures === "keep"
    ? [
      `Warning: queue ${name} has no dead-letter queue: with failures = keep, failed messages come back until the queue's retention period ends`,
    ]
    : [];
}
