/**
 * `zsqs check config.ini...`: reports everything that is wrong with containers.
 *
 * @module
 */

import { connectOptions } from "../config/config.ts";
import type { ContainerConfig } from "../config/options.ts";
import type { Command, ParsedOptions } from "./command.ts";
import { describeError, DONE, type ErrorReport, USAGE } from "./errors.ts";
import type { Output, Style } from "./screen.ts";
import { systemClock } from "../clock.ts";
import { listenToStopSignals } from "../signals.ts";
import { inspectConfig } from "../config/ini_config.ts";
import {
  failureLoops,
  type FailureRoute,
  routeOf,
} from "../connect/failure_loops.ts";
import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import type { QueueRef } from "../sqs/queue_ref.ts";
import {
  warningsOnFailures,
  warningsOnQueue,
  warningsOnRegion,
  warningsOnRights,
} from "./check_warnings.ts";
import { checkLogFiles, defaultLoggers } from "../logging/loggers.ts";
import { loadHooks } from "../job/hooks.ts";
import { loadWorker } from "../job/worker.ts";

export const CHECK: Command = {
  name: "check",
  summary: "Report everything that is wrong with containers.",
  brief: "report everything that is wrong with containers",
  usage: ["CONFIG.ini..."],
  about: `\
It reads each file, imports the modules of the worker and the hooks without
calling them, and finds the queues. It runs no job. It refuses "failures" that
lead back to the queue, through other files of the command line too. It warns if
the queue's redrive policy moves messages to the dead-letter queue after few
receives, if isolated jobs can reach the container's environment or credentials,
and if a queue's region is not the "region".`,
  options: [],
  exitStatus: `0 no problem found, 1 a queue could not be looked up, 2 the
configuration is wrong.`,
  missing: "No ini file given: name the files to check",
  run: check,
};

async function check(options: ParsedOptions, io: Output): Promise<number> {
  const { positional: files } = options;
  const say = (style: Style) => (text: string) => io.stderr({ text, style });
  const reports: CheckReport[] = [];
  for (const file of files) {
    reports.push(await checkFile(file, say("yellow")));
  }
  const loops = failureLoops(reports.flatMap(({ route }) => route ?? []));
  let worst = DONE;
  for (const [i, { lines, warnings, status, config }] of reports.entries()) {
    const back = loops.filter(({ file }) => file === config.file)
      .map(({ problem }) => problem);
    [...lines, ...back].forEach(say("red"));
    warnings.forEach(say("yellow"));
    const found = back.length > 0 ? Math.max(status, USAGE) : status;
    if (found === DONE) {
      io.stdout({ text: `${files[i]} is fine`, style: "green" });
    }
    worst = Math.max(worst, found);
  }
  return worst;
}

interface CheckReport extends ErrorReport {
  readonly config: Partial<ContainerConfig>;
  readonly warnings: readonly string[];
  /** Where failed jobs go, if both queues were found. */
  readonly route?: FailureRoute | undefined;
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
  const warnings = [...warningsOnRights(config), ...warningsOnRegion(config)];
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
  await attempt(async () => {
    await loadHooks({ workerConfig: {}, ...config });
  });
  if (wrong.has("region") || wrong.has("endpoint")) {
    return { config, lines, warnings, status };
  }
  using stack = new DisposableStack();
  const found = new Map<QueueRef, OpenQueue>();
  for (const ref of [queue, failures]) {
    if (typeof ref !== "object") continue;
    await attempt(async () => {
      const where = connectOptions(config);
      const open = await openQueue(ref, { ...where, onWait });
      stack.defer(() => open.connection.close());
      found.set(ref, open);
      if (ref === queue) {
        warnings.push(...await warningsOnQueue(open, config));
      }
    });
  }
  const source = queue && found.get(queue);
  const target = typeof failures === "object" && found.get(failures);
  const route = source && target
    ? routeOf(config.file, source, target)
    : undefined;
  // What is wrong may be the option itself.
  if (lines.length === 0) warnings.unshift(...warningsOnFailures(config));
  return { config, lines, warnings, status, route };
}

/** Imports the worker's module where its jobs would run. */
async function checkWorker(
  config: Partial<ContainerConfig> & Pick<ContainerConfig, "worker">,
): Promise<void> {
  const { worker, isolation, concurrency = 1, body = "job" } = config;
  const filled = { workerConfig: {}, ...config };
  if (isolation !== "process" || !("specifier" in worker)) {
    await loadWorker(filled);
    return;
  }
  const { checkIsolated } = await import("../isolation/pool.ts");
  using stop = listenToStopSignals();
  await checkIsolated({ ...filled, worker, concurrency, body }, {
    loggers: defaultLoggers(),
    clock: systemClock,
    signal: stop.signal,
  });
}
