/**
 * `zsqs config.ini...`: runs containers.
 *
 * @module
 */

import { testMode } from "../connect/test_mode.ts";
import { CONTAINER_OPTIONS, type ContainerConfig } from "../config/options.ts";
import { existsSync } from "node:fs";
import process from "node:process";
import { unlessAborted } from "../clock.ts";
import {
  columns,
  type Command,
  integerOf,
  type ParsedOptions,
  portOf,
  UsageError,
} from "./command.ts";
import { COMMANDS, noCommand } from "./commands.ts";
import { DONE } from "./errors.ts";
import { sharedHealth } from "./shared_health.ts";
import { readContainerConfig } from "../config/ini_config.ts";
import { Container } from "../container/container.ts";
import { refuseLoops } from "../connect/failure_loops.ts";
import type { StartOptions } from "../container/parts.ts";
import {
  LOCAL_PORT,
  localEndpoint,
  type LocalServer,
  startLocalServer,
} from "./local_server.ts";
import {
  type LocalConfig,
  makeLocalQueues,
  MAX_RECEIVE_COUNT,
  onLocalServer,
} from "./local_queues.ts";
import type { Output } from "./screen.ts";
import { watch, WATCHER_OPTION, watcherEnded } from "./watch.ts";
import { ConfigError } from "../errors.ts";
import { deno } from "../runtime.ts";
import type { StopSignals } from "../signals.ts";
import { stopSignals } from "./stop.ts";
import { nearest, quote } from "../text.ts";
import type { WebOptions } from "../web/options.ts";
import { startPage } from "./web.ts";
import {
  refuseWebOptions,
  specOf,
  UNLISTED_WEB_OPTIONS,
  webArguments,
  webOptionsOf,
} from "./web_options.ts";

/** The `[container]` options, as help lists them. */
function containerOptions(): string {
  return columns(CONTAINER_OPTIONS.map((option) => {
    const { name, meaning, required, default: value } = option;
    const isFixed = value !== undefined && typeof value !== "function";
    const more = isFixed ? `; ${value} by default` : "";
    return [name, meaning + (required === undefined ? more : "; required")];
  }));
}

export const RUN: Command = {
  name: "",
  summary: "Run background jobs from Amazon SQS.",
  usage: ["[OPTIONS] CONFIG.ini...", "COMMAND ..."],
  about: `\
Commands; COMMAND --help describes each:
${
    columns(
      COMMANDS.map(({ name, usage, brief }) => [`${name} ${usage[0]}`, brief!]),
    )
  }`,
  options: [
    {
      name: "drain",
      meaning: "stop when the queue is empty (two empty polls)",
    },
    {
      name: "watch",
      meaning: "restart when ini files, workers or hooks change",
    },
    WATCHER_OPTION,
    { name: "local", meaning: "start an SQS server with the configs' queues" },
    {
      name: "port",
      value: "PORT",
      meaning: `the port of that server (default ${LOCAL_PORT})`,
    },
    {
      name: "max-receive-count",
      value: "N",
      meaning: `receives until its queues move a message to their
dead-letter queue (default ${MAX_RECEIVE_COUNT})`,
    },
    {
      name: "web",
      meaning: `serve a page for operators; takes the options of
"web", which "web --help" lists`,
    },
    ...UNLISTED_WEB_OPTIONS,
  ],
  notes: `\
Options of [container] in an ini file, durations in seconds:
${containerOptions()}

The options of [worker] are passed to the worker's factory unchanged.

On SIGTERM, SIGHUP or Ctrl+C, a container stops polling. It waits for the
current poll (up to wait_time) and for running jobs (up to shutdown_timeout),
then exits. A second signal, more than 1 s after the first, or a third makes it
exit immediately: running jobs return to the queue.`,
  exitStatus: `0 done or stopped as asked, 1 failed at run time, 2 bad usage
or configuration.`,
  missing: "No ini file given: name the files to run",
  hint: (name) => {
    const near = nearest(name, CONTAINER_OPTIONS.map(({ name }) => name));
    return near && `set ${quote(near)} in [container] of the ini file`;
  },
  run,
};

async function run(options: ParsedOptions, io: Output): Promise<number> {
  const { positional: files } = options;
  const local = localOf(options);
  refuseMistyped(files[0]!);
  const web = options.has("web") ? await webOptionsOf(options) : undefined;
  if (web === undefined) refuseWebOptions(options);
  if (options.has("watch")) {
    refuseWatch(options);
    await using server = local && await startLocalServer(local);
    let said = "";
    await watch({
      files,
      args: [
        ...(server === undefined ? [] : ["--local", `--port=${server.port}`]),
        ...(options.has("debug") ? ["--debug"] : []),
        ...(web === undefined ? [] : ["--web", ...webArguments(options)]),
        ...files,
      ],
      onStart: async (configs) => {
        if (server === undefined) return;
        const { endpoint } = server;
        const localConfigs = configs
          .map((each) => onLocalServer(each, endpoint));
        const lines = await makeLocalQueues(
          localConfigs,
          server,
          local!.maxReceiveCount,
        );
        // After a restart they are the same, unless an ini file changed.
        if (lines.join() === said) return;
        said = lines.join();
        for (const line of lines) io.stderr(line);
      },
    }, io);
    return DONE;
  }
  const watcher = Number(options.get(WATCHER_OPTION.name));
  const configs = await Promise.all(files.map(readContainerConfig));
  const shared = sharedHealth(configs);
  if (shared.length > 0) throw new ConfigError(shared);
  using stop = stopSignals(io);
  const how = {
    forceSignal: stop.forceSignal,
    signal: watcher > 0
      ? AbortSignal.any([stop.signal, watcherEnded(watcher)])
      : stop.signal,
    drain: options.has("drain"),
    local: local !== undefined,
    ...(web === undefined ? {} : { page: { io, options: web } }),
  };
  if (local === undefined) {
    await runAll(watcher > 0 ? configs.map(withShortPolls) : configs, how);
    return DONE;
  }
  await using server = watcher > 0 ? undefined : await startLocalServer(local);
  const endpoint = server?.endpoint ?? localEndpoint(local.port);
  useServer(endpoint);
  const localConfigs = configs
    .map((each) => onLocalServer(withShortPolls(each), endpoint));
  if (server !== undefined) await prepare(localConfigs, server, local, io);
  await runAll(localConfigs, how);
  return DONE;
}

/** A stop waits for a poll: while somebody changes the code, that must be short. */
function withShortPolls(config: ContainerConfig): ContainerConfig {
  return { ...config, waitTimeSeconds: 1 };
}

/** Makes the queues of configurations on a local server, and says so. */
async function prepare(
  configs: readonly LocalConfig[],
  server: LocalServer,
  { maxReceiveCount }: LocalOptions,
  io: Output,
): Promise<void> {
  const lines = await makeLocalQueues(configs, server, maxReceiveCount);
  for (const line of lines) io.stderr(line);
}

function refuseWatch(options: ParsedOptions): void {
  if (options.has("drain")) {
    throw new UsageError("Give --watch or --drain, not both");
  }
  if (deno === undefined || deno.build.standalone) {
    throw new ConfigError(
      'Option --watch needs "deno run": restart the program yourself instead',
    );
  }
}

/** The options of `--local`, if it was given. */
interface LocalOptions {
  readonly port: number;
  readonly maxReceiveCount: number | undefined;
}

function localOf(options: ParsedOptions): LocalOptions | undefined {
  const port = portOf(options);
  const maxReceiveCount = maxReceiveCountOf(options);
  return options.has("local") ? { port, maxReceiveCount } : undefined;
}

/** How often the local server delivers a message. */
function maxReceiveCountOf(options: ParsedOptions): number | undefined {
  const text = options.get("max-receive-count");
  if (text === undefined) return undefined;
  if (!options.has("local")) {
    throw new UsageError("Option --max-receive-count needs --local");
  }
  return integerOf("max-receive-count", text, 1, 1000);
}

/** Refuses a word that was probably meant as a command. */
function refuseMistyped(word: string): void {
  if (/[./\\]/.test(word) || existsSync(word)) return;
  throw noCommand(word, "command and no file");
}

/** Makes queues that workers open use the local server, too. */
function useServer(endpoint: string): void {
  const { env } = process;
  env.AWS_ENDPOINT_URL_SQS = endpoint;
  if (!env.AWS_ACCESS_KEY_ID && !env.AWS_PROFILE) {
    env.AWS_ACCESS_KEY_ID = env.AWS_SECRET_ACCESS_KEY = "local";
  }
}

/** How containers are run; `local`: on a server of this machine. */
type RunAllOptions = Pick<StopSignals, "signal" | "forceSignal"> & {
  readonly drain: boolean;
  readonly local: boolean;
  /** The page to serve with them. */
  readonly page?: { readonly io: Output; readonly options: WebOptions };
};

/** Runs containers side by side; if one fails, the others stop too. */
async function runAll(
  configs: readonly ContainerConfig[],
  { signal, local, page, ...how }: RunAllOptions,
): Promise<void> {
  const stats = page !== undefined;
  const starting = startAll(configs, { local, signal, stats });
  const containers = await unlessAborted(starting, signal);
  if (containers === undefined) {
    // A container that starts after all ends with the process.
    starting.catch(() => {});
    return;
  }
  const mode = testMode();
  if (mode !== undefined) {
    for (const container of containers) await mode.attach(container);
    return;
  }
  await using _page = page &&
    await startPageOf(containers, configs, { ...page, local, signal });
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  await all(
    containers.map((container) =>
      container.run({ ...how, signal: either }).catch((error) => {
        failed.abort();
        throw error;
      })
    ),
  );
}

/** Serves the page, or stops the containers that wait for it. */
async function startPageOf(
  containers: readonly Container[],
  configs: readonly ContainerConfig[],
  { io, options, local, signal }:
    & NonNullable<RunAllOptions["page"]>
    & Pick<RunAllOptions, "local" | "signal">,
): Promise<AsyncDisposable> {
  try {
    return await startPage(io, {
      options,
      signal,
      specs: configs.map((config) => specOf(config, { local })),
      own: containers.map((container, i) => ({
        container,
        file: configs[i]!.file!,
      })),
    });
  } catch (error) {
    await Promise.allSettled(containers.map((each) => each.close()));
    throw error;
  }
}

async function startAll(
  configs: readonly ContainerConfig[],
  options: StartOptions,
): Promise<Container[]> {
  const starts = configs.map((config) => Container.start(config, options));
  try {
    const containers = await all(starts);
    refuseLoops(containers.flatMap(({ failureRoute }) => failureRoute ?? []));
    return containers;
  } catch (error) {
    const close = async (start: Promise<Container>) => (await start).close();
    await Promise.allSettled(starts.map(close));
    throw error;
  }
}

/** Waits for all promises, and throws all errors. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  const errors = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason] : []
  );
  if (errors.length > 1) {
    throw new AggregateError(errors, "Several containers failed");
  }
  return await Promise.all(promises);
}
