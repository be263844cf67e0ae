/**
 * `zsqs config.ini...`: runs containers.
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
import { DONE } from "./_cli_errors.ts";
import { optionsHelp, portOf } from "./_cli_options.ts";
import { type ContainerConfig, readConfig, resolveConfig } from "./_config.ts";
import { testMode } from "./_connect.ts";
import { Container } from "./_container.ts";
import { LOCAL_PORT, LOCAL_REGION, startLocalServer } from "./_local.ts";
import { parseQueueRef } from "./_queue_ref.ts";
import { listenToStopSignals } from "./_signals.ts";

const HELP = `Run background jobs from Amazon SQS.

Usage:
  ${PROGRAM} [OPTIONS] CONFIG.ini...       run containers
  ${PROGRAM} check CONFIG.ini...           tell what is wrong with them
  ${PROGRAM} send [OPTIONS] QUEUE ARG...   send a job

Options:
  --drain       stop when two long polls in a row brought nothing
  --local       start an SQS server on this machine, with the configs' queues
  --port=PORT   its port, ${LOCAL_PORT} by default
  --data=DIR    keep its queues in a folder, not in memory
  --debug       print stacks with errors
  --help        print this, or the help of a command
  --version     print the version

Options of [container] in an ini file:
${optionsHelp()}

The options of [worker] go to the worker's factory, as they stand.

Exit status: 0 done or stopped as asked, 1 failed at run time, 2 bad usage or
configuration.`;

/** Runs containers until they are stopped, or drained. */
export const RUN: Command = {
  help: HELP,
  boolean: ["drain", "local"],
  string: ["port", "data"],
  run,
};

async function run(options: ParsedOptions, io: Io): Promise<number> {
  const local = options.has("local");
  for (const name of ["port", "data"]) {
    if (!local && options.get(name) !== undefined) {
      throw new UsageError(`Option --${name} goes with --local`);
    }
  }
  const port = portOf(options.get("port"));
  if (options.positional.length === 0) {
    throw new UsageError("No ini file given: name the files to run");
  }
  const configs = await Promise.all(options.positional.map(readConfig));
  using stop = listenToStopSignals();
  const how = {
    signal: stop.signal,
    forceSignal: stop.forceSignal,
    drain: options.has("drain"),
    strayErrors: "all",
  } as const;
  if (!local) {
    await runAll(configs, how);
    return DONE;
  }
  const dataDir = options.get("data");
  await using server = await startLocalServer({
    port,
    ...(dataDir === undefined ? {} : { dataDir }),
  });
  const localConfigs = configs.map((config) =>
    onServer(config, server.endpoint)
  );
  for (const { queue, region } of localConfigs) {
    server.makeQueue(queue, region!);
    io.stderr(
      `Local SQS server at ${server.endpoint} with queue ${queue}: send jobs with "${PROGRAM} send --local${
        server.port === LOCAL_PORT ? "" : ` --port=${server.port}`
      }${
        region === LOCAL_REGION ? "" : ` --region=${region}`
      } ${queue} ARG..."`,
    );
  }
  await runAll(localConfigs, how, { local });
  return DONE;
}

/** A configuration whose queue is on the local server, by name. */
function onServer(config: ContainerConfig, endpoint: string): ContainerConfig {
  const ref = parseQueueRef(config.queue)!;
  return resolveConfig({
    ...config,
    queue: ref.name,
    region: config.region ?? ref.region ?? LOCAL_REGION,
    endpoint,
  });
}

/** Runs containers side by side; where one fails, the others stop too. */
async function runAll(
  configs: readonly ContainerConfig[],
  how: Parameters<Container["run"]>[0],
  where: { readonly local?: boolean } = {},
): Promise<void> {
  const containers = await startAll(configs, where);
  const mode = testMode();
  if (mode !== undefined) {
    for (const container of containers) await mode.attach(container);
    return;
  }
  const failed = new AbortController();
  const signal = AbortSignal.any([how.signal!, failed.signal]);
  const ends = await Promise.allSettled(containers.map(async (container) => {
    try {
      await container.run({ ...how, signal });
    } catch (error) {
      failed.abort();
      throw error;
    } finally {
      await container.close();
    }
  }));
  throwFirst(ends);
}

/** Starts all containers, or none. */
async function startAll(
  configs: readonly ContainerConfig[],
  where: { readonly local?: boolean },
): Promise<Container[]> {
  const starts = await Promise.allSettled(
    configs.map((config) => Container.start(config, where)),
  );
  const containers = starts.flatMap((start) =>
    start.status === "fulfilled" ? [start.value] : []
  );
  if (containers.length < configs.length) {
    await Promise.allSettled(containers.map((each) => each.close()));
    throwFirst(starts);
  }
  return containers;
}

function throwFirst(results: readonly PromiseSettledResult<unknown>[]): void {
  for (const result of results) {
    if (result.status === "rejected") throw result.reason;
  }
}
