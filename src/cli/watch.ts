/**
 * `zsqs CONFIG.ini... --watch`: runs the containers in a child process, and
 * starts them again when their files change.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { sleep, systemClock, unlessAborted } from "../clock.ts";
import { readContainerConfig } from "../config/ini_config.ts";
import type { ContainerConfig } from "../config/options.ts";
import { messageOf } from "../errors.ts";
import { ownFlags } from "../isolation/own_flags.ts";
import { deno } from "../runtime.ts";
import { SIGNALS } from "../signals.ts";
import { list } from "../text.ts";
import type { CommandOption } from "./command.ts";
import type { Output } from "./screen.ts";
import manifest from "../../deno.json" with { type: "json" };

/** The option with the watcher's process id, for the child. */
export const WATCHER_OPTION: CommandOption = {
  name: "watcher",
  value: "PID",
  meaning: "the process that watches this one",
  isInternal: true,
};

/** Editors write a file in several steps, in milliseconds. */
const SETTLE_MS = 100;

/** How often a child looks whether its watcher still runs, in milliseconds. */
const LOOK_MS = 1_000;

/** What is run again at each change. */
export interface Watched {
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
    paths = await pathsOf(watched.files, configs, paths);
    try {
      await watched.onStart(configs);
    } catch (error) {
      io.stderr({ text: messageOf(error), style: "red" });
    }
    using changes = new Changes(paths);
    const child = startChild(watched.args);
    signals.child = child;
    const ended = once(child, "exit");
    await unlessAborted(Promise.race([changes.first, ended]), signal);
    if (child.exitCode === null) {
      if (!signal.aborted) child.kill("SIGTERM");
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

/** The ini files and the workers' modules; of a broken module, the known ones. */
async function pathsOf(
  files: readonly string[],
  configs: readonly ContainerConfig[],
  known: readonly string[],
): Promise<string[]> {
  const { listModules } = await import("../isolation/module_graph.ts");
  const paths = new Set(files.map((file) => resolve(file)));
  let isBroken = configs.length < files.length;
  for (const { worker } of configs) {
    if (!("specifier" in worker) || !worker.specifier.startsWith("file:")) {
      continue;
    }
    paths.add(fileURLToPath(worker.specifier));
    try {
      const modules = await listModules(worker.specifier);
      modules.paths.forEach((path) => paths.add(path));
    } catch {
      isBroken = true;
    }
  }
  if (isBroken) known.forEach((path) => paths.add(path));
  return [...paths];
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

/** Changes of files. Editors replace files, so their folders are watched. */
class Changes implements Disposable {
  readonly #watcher: ReturnType<typeof Deno.watchFs>;
  /** Resolves after the first change. */
  readonly first: Promise<void>;

  constructor(paths: readonly string[]) {
    const folders = new Set(paths.map((path) => dirname(path)));
    this.#watcher = deno!.watchFs([...folders], { recursive: false });
    this.first = this.#wait(new Set(paths));
  }

  async #wait(paths: ReadonlySet<string>): Promise<void> {
    for await (const event of this.#watcher) {
      if (event.kind === "access") continue;
      if (event.paths.some((path) => paths.has(path))) break;
    }
    await sleep(systemClock, SETTLE_MS);
  }

  [Symbol.dispose](): void {
    try {
      this.#watcher.close();
    } catch {
      // The end of the loop has closed it.
    }
  }
}
