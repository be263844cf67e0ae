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
import { paint } from "./_cli_screen.ts";
import { inspectConfig } from "./_config.ts";
import { openQueue } from "./_connect.ts";
import {
  connectOptions,
  isFailureQueue,
  loggersOptions,
} from "./_container.ts";
import { checkLogFiles, checkLoggers } from "./_loggers.ts";
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
    for (const line of lines) io.stderr(paint(line, "red", io, "stderr"));
    if (status === DONE) io.stdout(paint(`${file} is fine`, "green", io));
    worst = Math.max(worst, status);
  }
  return worst;
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
    await attempt(() => loadWorker({ workerConfig: {}, ...config, worker }));
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
