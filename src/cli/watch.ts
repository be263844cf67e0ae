/**
 * `zsqs CONFIG.ini... --watch`: runs the containers in a child process, and
 * starts them again when their files change.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { basename } from "node:path";
import { unlessAborted } from "../clock.ts";
import { readContainerConfig } from "../config/ini_config.ts";
import type { ContainerConfig } from "../config/options.ts";
import { messageOf } from "../errors.ts";
import { ownFlags } from "../isolation/own_flags.ts";
import { SIGNALS } from "../signals.ts";
import { list } from "../text.ts";
import type { CommandOption } from "./command.ts";
import type { Output } from "./screen.ts";
import { Changes, watchedPaths } from "./watched_paths.ts";
import manifest from "../../deno.json" with { type: "json" };

/** The option with the watcher's process id, for the child. */
export const WATCHER_OPTION: CommandOption = {
  name: "watcher",
  value: "PID",
  meaning: "the process that watches this one",
  isInternal: true,
};

/** How often a child looks whether its watcher still runs, in milliseconds. */
const LOOK_MS = 1_000;

/** What is run again at each change. */
interface Watched {
  /** The ini files. */
  readonly files: readonly string[];
  /** The arguments of the child's command line. */
  readonly args: readonly string[];
  /** Called before each start with the configurations that can be read. */
  readonly onStart: (configs: readonly ContainerConfig[]) => Promise<void>;
}

/** Runs until a stop signal; returns when the child has ended. */
export async function watch(watched: Watched, io: Output): Promise<void> {
  using signals = new ForwardedSignals();
  const { signal } = signals;
  let paths: readonly string[] = [];
  while (!signal.aborted) {
    const configs = await readConfigs(watched.files);
    paths = await watchedPaths(watched.files, configs, paths);
    try {
      await watched.onStart(configs);
    } catch (error) {
      io.stderr({ text: messageOf(error), style: "red" });
    }
    using changes = new Changes(paths);
    const child = startChild(watched.args);
    signals.child = child;
    const ended = once(child, "exit");
    const isEnded = ended.then(() => undefined);
    const changed = await unlessAborted(
      Promise.race([changes.first, isEnded]),
      signal,
    );
    if (child.exitCode === null && child.signalCode === null) {
      if (changed !== undefined) {
        io.stderr(`Restarting as ${basename(changed)} has changed`);
        child.kill("SIGTERM");
      }
      await ended;
      continue;
    }
    if (signal.aborted) return;
    io.stderr(
      `Waiting for a change of ${list(paths.map((path) => basename(path)))}`,
    );
    await unlessAborted(changes.first, signal);
  }
}

/** Aborts a child's signal when its watcher has ended. */
export function watcherEnded(watcher: number): AbortSignal {
  const ended = new AbortController();
  const timer = setInterval(() => {
    if (process.ppid === watcher) return;
    clearInterval(timer);
    ended.abort();
  }, LOOK_MS);
  timer.unref();
  return ended.signal;
}

function startChild(args: readonly string[]): ChildProcess {
  const { protocol, href } = new URL("../../cli.ts", import.meta.url);
  // For a URL, Deno looks for no deno.json in the current folder.
  const cli = protocol === "file:"
    ? href
    : `jsr:${manifest.name}@${manifest.version}/cli`;
  return spawn(
    process.execPath,
    [
      ...["run", "--quiet", "-A", ...ownFlags(), cli],
      `--${WATCHER_OPTION.name}=${process.pid}`,
      ...args,
    ],
    { stdio: "inherit" },
  );
}

/** A file that cannot be read has its error logged by the child. */
async function readConfigs(
  files: readonly string[],
): Promise<ContainerConfig[]> {
  const results = await Promise.allSettled(files.map(readContainerConfig));
  return results.flatMap((result) =>
    result.status === "fulfilled" ? [result.value] : []
  );
}

/** Passes the stop signals on, and aborts at the first. */
class ForwardedSignals implements Disposable {
  readonly #controller = new AbortController();
  child: ChildProcess | undefined;

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#forward);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly #forward = (name: NodeJS.Signals) => {
    this.#controller.abort();
    // A terminal gives Ctrl+C to both processes.
    if (name === "SIGINT" && process.stdin.isTTY) return;
    this.child?.kill(name);
  };

  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.#forward);
  }
}
