/**
 * `zsqs check config.ini...`: reports everything that is wrong with containers.
 *
 * @module
 */

import { systemClock } from "../clock.ts";
import { type CheckedSettings, connectOptions } from "../config/config.ts";
import { inspectConfig } from "../config/ini_config.ts";
import type { ContainerConfig } from "../config/options.ts";
import {
  failureLoops,
  type FailureRoute,
  routeOf,
} from "../connect/failure_loops.ts";
import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import { openStore, probeStore } from "../connect/open_store.ts";
import { fateText } from "../container/failed_jobs_text.ts";
import { ConfigError } from "../errors.ts";
import { loadHooks } from "../job/hooks.ts";
import { loadWorker } from "../job/worker.ts";
import { checkLogFiles, defaultLoggers } from "../logging/loggers.ts";
import { listLogFiles } from "../logging/loggers_text.ts";
import { readAttributes } from "../operate/queue_status.ts";
import { listenToStopSignals } from "../signals.ts";
import type { QueueAttributes } from "../sqs/connection.ts";
import { parseQueueRef, type QueueRef } from "../sqs/queue_ref.ts";
import { list } from "../text.ts";
import {
  configFact,
  jobRightsFact,
  moduleFact,
  queueFact,
  redriveFact,
  sqsRightsFact,
} from "./check_facts.ts";
import { type HowToCheck, printSummary, Report } from "./check_report.ts";
import {
  warningsOnFailures,
  warningsOnQueue,
  warningsOnRegion,
  warningsOnRights,
} from "./check_warnings.ts";
import {
  type Command,
  CONNECT_OPTIONS,
  type ParsedOptions,
  portOf,
} from "./command.ts";
import { LOCAL_REGION, localEndpoint } from "./local_server.ts";
import type { Output } from "./screen.ts";
import { sharedHealth } from "./shared_health.ts";

export const CHECK: Command = {
  name: "check",
  summary: "Report everything that is wrong with containers.",
  brief: "report everything that is wrong with containers",
  usage: ["[OPTIONS] CONFIG.ini..."],
  about: `\
It reads each file, and imports the modules of the worker and the hooks without
calling them. It looks for the queues and the bucket of "large". It runs no job.
It prints a line for each check, such as configuration, worker, queue, redrive
policy, failed jobs and rights on SQS. The last line counts the problems.
Problems and warnings go to standard error.

It refuses "failures" that lead back to the queue, through other files of the
command line too, and two containers with one "health" address. It warns if
failed jobs are deleted, or if SQS moves messages to the dead-letter queue after
few receives. It also warns if isolated jobs can reach the container's
environment or credentials, and if a queue is in another region than "region".`,
  options: CONNECT_OPTIONS
    .filter(({ name }) => name === "local" || name === "port"),
  exitStatus: `0 no problem found, 1 a queue or bucket could not be looked up, 2
the configuration is wrong.`,
  missing: "No ini file given: name the files to check",
  run: check,
};

async function check(options: ParsedOptions, io: Output): Promise<number> {
  const { positional: files } = options;
  const how = {
    debug: options.has("debug"),
    local: options.has("local"),
    port: portOf(options),
  };
  const checked: Checked[] = [];
  for (const file of files) checked.push(await checkFile(file, how, io));
  const together = new Report(how);
  together.refuse("Health", sharedHealth(checked.map(({ config }) => config)));
  const routes = checked.flatMap(({ route }) => route ?? []);
  for (const { file, problem } of failureLoops(routes)) {
    const report = checked.find(({ config }) => config.file === file)?.report;
    (report ?? together).refuse("Failed jobs", [problem]);
  }
  checked.forEach(({ report }, i) => report.print(files[i]!, io));
  if (together.problems > 0) together.print("Together", io);
  const reports = [...checked.map(({ report }) => report), together];
  printSummary(files, reports, io);
  return Math.max(...reports.map(({ status }) => status));
}

interface Checked {
  readonly report: Report;
  readonly config: Partial<ContainerConfig>;
  /** Where failed jobs go, if both queues were found. */
  readonly route?: FailureRoute | undefined;
}

async function checkFile(
  file: string,
  how: HowToCheck,
  io: Output,
): Promise<Checked> {
  const checked = await inspectConfig(file);
  const { config, problems, wrong } = checked;
  const report = new Report(how);
  report.refuse("Configuration", problems);
  if (problems.length === 0) {
    report.found("Configuration", configFact(config));
  }
  checkLogs(config, report);
  await checkModules(checked, report);
  if (wrong.has("region") || wrong.has("endpoint")) {
    report.found("Queue", "not looked up, as its server is not known");
    return { config, report };
  }
  using stack = new DisposableStack();
  const open = async (given: QueueRef) => {
    const ref = how.local ? parseQueueRef(given.name)! : given;
    const where = how.local
      ? {
        local: true,
        region: config.region ?? given.region ?? LOCAL_REGION,
        endpoint: localEndpoint(how.port),
      }
      : connectOptions(config);
    const onWait = (text: string) => io.stderr({ text, style: "yellow" });
    const queue = await openQueue(ref, { ...where, onWait });
    stack.defer(() => queue.connection.close());
    return queue;
  };
  const route = await checkQueues(checked, open, report);
  await checkBucket(config, report);
  return { config, report, route };
}

function checkLogs(config: Partial<ContainerConfig>, report: Report): void {
  const { loggers = [], loggersWhere = "" } = config;
  const problems = checkLogFiles(loggers, loggersWhere);
  report.refuse("Log files", problems);
  const paths = listLogFiles(loggers).map(({ path }) => path);
  if (problems.length > 0 || paths.length === 0) return;
  report.found("Log files", `${list(paths)}, can be written`);
}

async function checkModules(
  { config, problems }: CheckedSettings,
  report: Report,
): Promise<void> {
  // An option that is wrong may be one of these.
  const isRight = problems.length === 0;
  const { worker, hooks } = config;
  if (worker !== undefined) {
    await report.look("Worker", async () => {
      await checkWorker({ ...config, worker });
      const isIsolated = config.isolation === "process";
      report.found("Worker", moduleFact(worker, isIsolated));
    });
    if (isRight) report.found("Job rights", jobRightsFact(config));
    report.warn("Job rights", warningsOnRights(config));
  }
  if (hooks === undefined) return;
  await report.look("Hooks", async () => {
    await loadHooks({ workerConfig: {}, ...config });
    report.found("Hooks", moduleFact(hooks, false));
  });
}

/** Finds the queues; returns where failed jobs go. */
async function checkQueues(
  { config, problems }: CheckedSettings,
  open: (ref: QueueRef) => Promise<OpenQueue>,
  report: Report,
): Promise<FailureRoute | undefined> {
  const isRight = problems.length === 0;
  const { queue, failures } = config;
  let source: OpenQueue | undefined;
  let target: OpenQueue | undefined;
  let attributes: QueueAttributes | undefined;
  if (queue !== undefined) {
    await report.look("Queue", async () => {
      source = await open(queue);
      attributes = await readAttributes(source);
      report.found("Queue", queueFact(source, attributes, config));
      report.found("Redrive policy", redriveFact(attributes));
      const warnings = warningsOnQueue(source, attributes, config);
      report.warn("Redrive policy", warnings);
    });
    report.warn("Queue", warningsOnRegion(config));
    const lost = isRight && source ? warningsOnFailures(config) : [];
    report.warn("Failed jobs", lost);
    if (isRight && lost.length === 0) {
      report.found("Failed jobs", fateText(config));
    }
  }
  if (typeof failures === "object") {
    await report.look("Failures queue", async () => {
      target = await open(failures);
      const { ref: { name }, connection: { region } } = target;
      report.found("Failures queue", `${name} in ${region}`);
    });
  }
  if (source === undefined) return undefined;
  report.found("SQS rights", sqsRightsFact(source, target, attributes));
  return target && routeOf(config.file, source, target);
}

/** Asks the bucket of large jobs, which may be missing or denied. */
async function checkBucket(
  config: Partial<ContainerConfig>,
  report: Report,
): Promise<void> {
  const { queue, large } = config;
  if (queue === undefined || large === undefined) return;
  await report.look("Large jobs", async () => {
    const where = connectOptions(config);
    const store = await openStore(large, { queue, where });
    const problem = await probeStore(store, large);
    store.close();
    if (problem === undefined) {
      return report.found("Large jobs", `${large.text}, can be read`);
    }
    const text = `Cannot start container as ${problem.text}`;
    throw problem.isMissing ? new ConfigError(text) : new Error(text);
  });
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
