/**
 * `zsqs config.ini...`: runs containers.
 *
 * @module
 */

import { testMode } from "../connect/test_mode.ts";
import { type ContainerConfig, parseAddress } from "../config/options.ts";
import { existsSync } from "node:fs";
import process from "node:process";
import { unlessAborted } from "../clock.ts";
import {
  type Command,
  type Io,
  type ParsedOptions,
  PROGRAM,
  UsageError,
} from "./command.ts";
import { DONE } from "./errors.ts";
import { optionsHelp, portOf } from "./command.ts";
import { isFailureQueue, resolveConfig } from "../config/config.ts";
import { readConfig } from "../config/ini_config.ts";
import { Container, type StartOptions } from "../container/container.ts";
import {
  LOCAL_PORT,
  LOCAL_REGION,
  type LocalServer,
  startLocalServer,
} from "./local_server.ts";
import { ConfigError } from "../errors.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { listenToStopSignals } from "../signals.ts";

const HELP = `Run background jobs from Amazon SQS.

Usage:
  ${PROGRAM} [OPTIONS] CONFIG.ini...
  ${PROGRAM} COMMAND ...

Commands, each with a --help of its own:
  check CONFIG.ini...           tell what is wrong with containers
  permissions CONFIG.ini...     print the Deno permissions that they need
  send [OPTIONS] QUEUE ARG...   send a job
  status [OPTIONS] QUEUE...     tell how many messages queues hold
  failed [OPTIONS] QUEUE        list failed messages, send back or delete them

Options:
  --drain       stop when two long polls in a row brought nothing
  --local       start an SQS server on this machine, with the configs' queues
  --port=PORT   its port, ${LOCAL_PORT} by default
  --data=DIR    keep its queues in a folder, not in memory
  --debug       print stacks with errors
  --help        print this, or the help of a command
  --version     print the version

Options of [container] in an ini file, durations in seconds:
${optionsHelp()}

The options of [worker] go to the worker's factory, as they stand.

SIGTERM or Ctrl+C stops: no receive is started, the one in flight (up to
wait_time) and running jobs are awaited. A second signal more than 1 s after the
first, or the end of shutdown_timeout, gives running jobs back and ends.

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
  refuseMistyped(options.positional[0]!);
  const configs = await Promise.all(options.positional.map(readConfig));
  refuseSharedHealth(configs);
  using stop = listenToStopSignals();
  const { signal, forceSignal } = stop;
  const how = { signal, forceSignal, drain: options.has("drain") };
  if (!local) {
    await runAll(configs, how, {});
    return DONE;
  }
  const dataDir = options.get("data");
  await using server = await startLocalServer({
    port,
    ...(dataDir === undefined ? {} : { dataDir }),
  });
  useServer(server.endpoint);
  const localConfigs = configs.map((config) =>
    onServer(config, server.endpoint)
  );
  for (const config of localConfigs) {
    makeQueues(config, server);
    io.stderr(localHint(config, server));
  }
  await runAll(localConfigs, how, { local });
  return DONE;
}

function makeQueues(
  { queue, failures, region }: ContainerConfig,
  server: LocalServer,
): void {
  server.makeQueue(queue, region!);
  if (isFailureQueue(failures)) server.makeQueue(failures, region!);
}

function localHint(
  { queue, region }: ContainerConfig,
  { endpoint, port }: LocalServer,
): string {
  const options = [
    "--local",
    ...(port === LOCAL_PORT ? [] : [`--port=${port}`]),
    ...(region === LOCAL_REGION ? [] : [`--region=${region}`]),
  ].join(" ");
  return `Local SQS server at ${endpoint} with queue ${queue}: send jobs with "${PROGRAM} send ${options} ${queue} ARG..."`;
}

/** How containers are told to stop. */
interface Stop {
  readonly signal: AbortSignal;
  readonly forceSignal: AbortSignal;
}

/** A word that is no file is most likely meant as a command. */
function refuseMistyped(word: string): void {
  if (/[./\\]/.test(word) || existsSync(word)) return;
  throw new UsageError(
    `There is no command and no file "${word}": the commands, which come first, are "check", "permissions", "send", "status" and "failed", and an ini file is given by its path`,
  );
}

/** Containers that answer on one address could not be told apart. */
function refuseSharedHealth(configs: readonly ContainerConfig[]): void {
  const problems: string[] = [];
  const files = new Map<string, string>();
  for (const { health, file } of configs) {
    if (health === undefined || parseAddress(health)!.port === 0) continue;
    const other = files.get(health);
    if (other === undefined) files.set(health, file!);
    else {
      problems.push(
        `Cannot start container as "health" in [container] of ${file} is that of ${other} too: give each its own port, current value of both is "${health}"`,
      );
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

/** A configuration whose queue is on the local server, by name. */
function onServer(config: ContainerConfig, endpoint: string): ContainerConfig {
  const ref = parseQueueRef(config.queue)!;
  return resolveConfig({
    ...config,
    queue: ref.name,
    failures: isFailureQueue(config.failures)
      ? parseQueueRef(config.failures)!.name
      : config.failures,
    region: config.region ?? ref.region ?? LOCAL_REGION,
    endpoint,
  });
}

/** Runs containers side by side; where one fails, the others stop too. */
async function runAll(
  configs: readonly ContainerConfig[],
  how: Stop & { readonly drain: boolean },
  where: { readonly local?: boolean },
): Promise<void> {
  const starting = startAll(configs, { ...where, signal: how.signal });
  const containers = await unlessAborted(starting, how.signal);
  if (containers === undefined) {
    // What starts nevertheless is given up with the process.
    starting.catch(() => {});
    return;
  }
  const mode = testMode();
  if (mode !== undefined) {
    for (const container of containers) await mode.attach(container);
    return;
  }
  const failed = new AbortController();
  const signal = AbortSignal.any([how.signal, failed.signal]);
  throwAll(
    await Promise.allSettled(containers.map(async (container) => {
      try {
        await container.run({ ...how, signal });
      } catch (error) {
        failed.abort();
        throw error;
      }
    })),
  );
}

/** Starts all containers, or none. */
async function startAll(
  configs: readonly ContainerConfig[],
  options: StartOptions,
): Promise<Container[]> {
  const starts = await Promise.allSettled(
    configs.map((config) => Container.start(config, options)),
  );
  const containers = starts.flatMap((start) =>
    start.status === "fulfilled" ? [start.value] : []
  );
  if (containers.length < configs.length) {
    await Promise.allSettled(containers.map((each) => each.close()));
    throwAll(starts);
  }
  return containers;
}

function throwAll(results: readonly PromiseSettledResult<unknown>[]): void {
  const errors = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason] : []
  );
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) {
    throw new AggregateError(errors, "Several containers failed");
  }
}

/** Has queues that workers open on the local server too. */
function useServer(endpoint: string): void {
  const { env } = process;
  env.AWS_ENDPOINT_URL_SQS = endpoint;
  if (!env.AWS_ACCESS_KEY_ID && !env.AWS_PROFILE) {
    env.AWS_ACCESS_KEY_ID = env.AWS_SECRET_ACCESS_KEY = "local";
  }
}
