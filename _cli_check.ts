/**
 * `zsqs check config.ini...`: tells all that is wrong with containers.
 *
 * @module
 */

import {
  type Command,
  type Io,
  type ParsedOptions,
  PROGRAM,
  UsageError,
} from "./_cli_command.ts";
import { describeError, DONE, USAGE } from "./_cli_errors.ts";
import { systemClock } from "./_clock.ts";
import { type ContainerConfig, inspectConfig } from "./_config.ts";
import { openQueue } from "./_connect.ts";
import {
  connectOptions,
  isFailureQueue,
  loggersOptions,
} from "./_container.ts";
import { checkLogFiles, checkLoggers, defaultLoggers } from "./_loggers.ts";
import { loadWorker } from "./_worker.ts";

const HELP = `Tell all that is wrong with containers, without running them.

Usage:
  ${PROGRAM} check CONFIG.ini...

It reads each file, imports the worker's module, calls nothing of it, and looks
the queue up.

Options:
  --debug   print stacks with errors
  --help    print this

Exit status: 0 all is well, 1 the queue could not be looked up, 2 the
configuration is wrong.`;

/** Tells all that is wrong with containers, without running them. */
export const CHECK: Command = {
  help: HELP,
  boolean: [],
  string: [],
  run: check,
};

async function check(options: ParsedOptions, io: Io): Promise<number> {
  if (options.positional.length === 0) {
    throw new UsageError("No ini file given: name the files to check");
  }
  let worst = DONE;
  for (const file of options.positional) {
    const { lines, status } = await checkFile(file);
    for (const line of lines) io.stderr(line);
    if (status === DONE) io.stdout(`${file} is fine`);
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
  if (isolation !== "process" || typeof worker === "function") {
    await loadWorker(filled);
    return;
  }
  const { checkIsolated } = await import("./_isolation.ts");
  await checkIsolated(
    { ...filled, worker, concurrency },
    { loggers: defaultLoggers(), clock: systemClock },
  );
}

/** All that is wrong with one file's container, and the exit status of it. */
async function checkFile(
  file: string,
): Promise<{ lines: readonly string[]; status: number }> {
  const { config, problems, wrong } = await inspectConfig(file);
  const loggers = loggersOptions(config);
  const lines = [
    ...problems,
    ...checkLoggers(loggers),
    ...checkLogFiles(loggers),
  ];
  let status = lines.length > 0 ? USAGE : DONE;
  const attempt = async (look: () => Promise<unknown>) => {
    try {
      await look();
    } catch (error) {
      const report = describeError(error);
      lines.push(...report.lines);
      status = Math.max(status, report.status);
    }
  };
  const { worker, queue, failures = "delete" } = config;
  if (worker !== undefined) {
    await attempt(() => checkWorker({ ...config, worker }));
  }
  const queues = isFailureQueue(failures) ? [queue, failures] : [queue];
  for (
    const name of wrong.has("region") || wrong.has("endpoint") ? [] : queues
  ) {
    if (name === undefined) continue;
    await attempt(async () => {
      const { connection } = await openQueue(name, connectOptions(config));
      connection.close();
    });
  }
  return { lines, status };
}
