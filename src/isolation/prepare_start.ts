/**
 * What is done before a worker's first child process starts: its imports are
 * checked, and fetched.
 *
 * Deno loads what a module imports by a literal name without a permission, so a
 * dependency could read a secret as text. And while jobs run, nothing is fetched.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../errors.ts";
import { workerSubject } from "../job/worker.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import { list } from "../text.ts";
import { childCommand, type IsolationConfig } from "./child_command.ts";
import { type Graph, ModuleGraphError, readGraph } from "./module_graph.ts";

/** The files that mark the folder of a project. */
const PROJECT_FILES = ["deno.json", "deno.jsonc", "package.json"];

/** What Deno parses as code; it gives the rest as data. */
const CODE = /^(JavaScript|Jsx|Mjs|Cjs|TypeScript|Mts|Cts|Dts|Dmts|Dcts|Tsx)$/;

/**
 * Checks a worker's imports, and puts them into Deno's cache.
 *
 * @throws {ConfigError} If a module imports a file that it may not read.
 */
export async function prepareStart(
  config: IsolationConfig & {
    readonly worker: WorkerSpec;
    readonly file?: string;
  },
  { signal }: { readonly signal?: AbortSignal },
): Promise<void> {
  const { worker, file, allowAll, allowRead } = config;
  const { file: program, env, fill } = childCommand(worker, config);
  if (fill === undefined) return;
  const filler = spawn(program, [...fill.args], {
    env: { ...env },
    stdio: ["pipe", "ignore", "ignore"],
    ...(signal === undefined ? {} : { signal, killSignal: "SIGKILL" }),
  });
  // The child itself reports what is wrong with the worker.
  const filled = once(filler, "close").catch(() => {});
  filler.stdin!.on("error", () => {}).end(fill.input);
  try {
    if (allowAll || allowRead === "true") return;
    const outside = await listOutside(worker.specifier, allowRead);
    if (outside.length === 0) return;
    throw new ConfigError(
      `Cannot start container as worker ${
        workerSubject(worker, file)
      } imports files outside its folder, which isolated jobs may not read: ${
        list(outside)
      }. Move them into its folder, or give them in "allow_read"`,
    );
  } finally {
    await filled;
  }
}

async function listOutside(
  specifier: string,
  allowRead: string | undefined,
): Promise<string[]> {
  if (!specifier.startsWith("file:")) return [];
  const graph = await readGraph(specifier).catch((error) => {
    if (error instanceof ModuleGraphError) return undefined;
    throw error;
  });
  if (graph === undefined) return [];
  const folder = dirname(fileURLToPath(specifier));
  const readable = (allowRead ?? "").split(",").filter((path) => path !== "")
    .map((path) => resolve(path));
  const project = projectOf(folder);
  const outside = [...filesOf(graph)].filter(([path, isCode]) => {
    const paths = [isCode ? project : folder, ...readable];
    return !paths.some((each) => isWithin(realPath(path), realPath(each)));
  });
  return outside.map(([path]) => path);
}

/** The local files of a graph, and whether each is code alone. */
function filesOf({ modules, redirects = {} }: Graph): Map<string, boolean> {
  const files = new Map<string, boolean>();
  const add = (url: string, isCode: boolean) => {
    // Deno reads node_modules for any program.
    if (!url.startsWith("file:") || url.includes("/node_modules/")) return;
    const { protocol, pathname } = new URL(url);
    const path = fileURLToPath(`${protocol}//${pathname}`);
    files.set(path, isCode && (files.get(path) ?? true));
  };
  for (const { specifier, mediaType = "", dependencies = [] } of modules) {
    add(specifier, CODE.test(mediaType));
    for (const { code, assertionType } of dependencies) {
      if (code?.specifier === undefined || assertionType === undefined) {
        continue;
      }
      add(redirects[code.specifier] ?? code.specifier, false);
    }
  }
  return files;
}

/**
 * The folder of the project, to which a worker's code may belong: the nearest one
 * with a configuration file, or otherwise the current folder.
 */
function projectOf(folder: string): string {
  for (let at = folder;; at = dirname(at)) {
    const files = PROJECT_FILES.map((name) => join(at, name));
    if (files.some((file) => mayRead(file) && existsSync(file))) return at;
    if (at === dirname(at)) break;
  }
  const current = process.cwd();
  return isWithin(folder, current) ? current : folder;
}

function isWithin(path: string, folder: string): boolean {
  const below = relative(folder, path);
  return below !== ".." && !below.startsWith(`..${sep}`) &&
    resolve(folder, below) === path;
}

/** Whether this program may look at a path, without a prompt. */
function mayRead(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

/** The path without links, if this program may look at it. */
function realPath(path: string): string {
  try {
    return mayRead(path) ? realpathSync(path) : path;
  } catch {
    return path;
  }
}
