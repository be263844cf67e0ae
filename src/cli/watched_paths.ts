/**
 * The files of containers, and their changes.
 *
 * @module
 */

import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { sleep, systemClock } from "../clock.ts";
import type { ContainerConfig } from "../config/options.ts";
import { readGraph } from "../isolation/module_graph.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import { deno } from "../runtime.ts";

/** Editors write a file in several steps, in milliseconds. */
const SETTLE_MS = 100;

/**
 * The ini files, the modules of workers and hooks, and all that these import.
 *
 * @param known The paths before: a broken module or file hides its own.
 */
export async function watchedPaths(
  files: readonly string[],
  configs: readonly ContainerConfig[],
  known: readonly string[],
): Promise<string[]> {
  const paths = new Set(files.map((file) => resolve(file)));
  let isBroken = configs.length < files.length;
  const specifiers = configs.flatMap(({ worker, hooks }) => [worker, hooks])
    .map((module) => (module as Partial<WorkerSpec> | undefined)?.specifier)
    .filter((specifier) => specifier?.startsWith("file:"));
  for (const specifier of new Set(specifiers)) {
    paths.add(fileURLToPath(specifier!));
    try {
      const { modules } = await readGraph(specifier!);
      isBroken ||= modules.some(({ error }) => error !== undefined);
      for (const { specifier: url } of modules) {
        const isOwn = url.startsWith("file:") &&
          !url.includes("/node_modules/");
        if (isOwn) paths.add(fileURLToPath(url));
      }
    } catch {
      isBroken = true;
    }
  }
  if (isBroken) known.forEach((path) => paths.add(path));
  return [...paths];
}

/** Changes of files. Editors replace files, so their folders are watched. */
export class Changes implements Disposable {
  readonly #watcher: ReturnType<typeof Deno.watchFs>;
  /** Resolves to the path of the first change, shortly after it. */
  readonly first: Promise<string | undefined>;

  constructor(paths: readonly string[]) {
    const places = paths.map(placeOf);
    const folders = new Set(places.map((path) => dirname(path)));
    this.#watcher = deno!.watchFs([...folders], { recursive: false });
    this.first = this.#wait(new Set(places));
  }

  async #wait(paths: ReadonlySet<string>): Promise<string | undefined> {
    for await (const event of this.#watcher) {
      if (event.kind === "access") continue;
      const path = event.paths.find((path) => paths.has(path));
      if (path === undefined) continue;
      await sleep(systemClock, SETTLE_MS);
      return path;
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    try {
      this.#watcher.close();
    } catch {
      // The end of the loop has closed it.
    }
  }
}

/** A path as events name it; of a folder that is missing, the folder's own. */
function placeOf(path: string): string {
  const folder = dirname(path);
  if (existsSync(folder)) return join(realpathSync(folder), basename(path));
  return folder === path ? path : placeOf(folder);
}
