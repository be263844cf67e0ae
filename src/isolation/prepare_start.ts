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
import { existsSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../errors.ts";
import type { LoadHooksOptions } from "../job/hooks.ts";
import { workerSubject } from "../job/worker.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import { list } from "../text.ts";
import { childCommand, type IsolationConfig } from "./child_command.ts";
import { type Graph, ModuleGraphError, readGraph } from "./module_graph.ts";

/** The files that mark the folder of a project. */
const PROJECT_FILES = ["deno.json", "deno.jsonc", "package.json"];

/** Deno reads these up from the current folder, or from a module's. */
const CONFIG_FILES = [...PROJECT_FILES, ".npmrc"];

/** What Deno parses as code; it gives the rest as data. */
const CODE = /^(JavaScript|Jsx|Mjs|Cjs|TypeScript|Mts|Cts|Dts|Dmts|Dcts|Tsx)$/;

type StartConfig = IsolationConfig & {
  readonly worker: WorkerSpec;
  /** Run by the container itself. */
  readonly hooks?: LoadHooksOptions["hooks"];
  readonly file?: string;
};

/**
 * Checks a worker's imports, and puts them into Deno's cache.
 *
 * @throws {ConfigError} If a module imports a file that it may not read.
 */
export async function prepareStart(
  config: StartConfig,
  { signal }: { readonly signal?: AbortSignal },
): Promise<void> {
  const { worker, file } = config;
  const { file: program, env, fill } = childCommand(worker, config);
  if (fill === undefined) return;
  const filler = spawn(program, [...fill.args], {
    env: { ...env },
    stdio: ["pipe", "ignore", "ignore"],
    ...(signal === undefined ? {} : { signal, killSignal: "SIGKILL" }),
  });
  // The child itself reports problems of the worker.
  const filled = once(filler, "close").catch(() => {});
  filler.stdin!.on("error", () => {}).end(fill.input);
  try {
    const specs = modulesOf(config);
    const graphs = await Promise.all(specs.map(graphOf));
    const written = listWritten(graphs, config);
    if (written.length > 0) {
      throw new ConfigError(
        `Cannot start container as "allow_write" lets isolated jobs change what a later start runs: ${
          list(written)
        }. Name narrower folders, or set "allow_write_code" to "true"`,
      );
    }
    const outside = listOutside(graphs[0]!, config);
    if (outside.length === 0) return;
    throw new ConfigError(
      `Cannot start container as worker ${
        workerSubject(worker, file)
      } imports files outside its folder: ${
        list(outside)
      }. Move them into it, or let isolated jobs read them: name them in "allow_read"`,
    );
  } finally {
    await filled;
  }
}

/** The worker's module, and the hooks' if there is one. */
function modulesOf({ worker, hooks }: StartConfig): WorkerSpec[] {
  const isModule = typeof hooks === "object" && "specifier" in hooks;
  return isModule ? [worker, hooks] : [worker];
}

/** The graph of a local module; none if a module is missing. */
async function graphOf({ specifier }: WorkerSpec): Promise<Graph> {
  const none = { modules: [] };
  if (!specifier.startsWith("file:")) return none;
  return await readGraph(specifier).catch((error) => {
    if (error instanceof ModuleGraphError) return none;
    throw error;
  });
}

function listOutside(
  graph: Graph,
  { worker, allowAll, allowRead }: StartConfig,
): string[] {
  if (allowAll || allowRead === "true" || graph.modules.length === 0) return [];
  const folder = dirname(fileURLToPath(worker.specifier));
  const readable = [...ownFolder(), ...pathsOf(allowRead)];
  const project = projectOf(folder);
  const outside = [...filesOf(graph)].filter(([path, isCode]) =>
    ![isCode ? project : folder, ...readable].some((each) =>
      isWithin(realPath(path), realPath(resolve(each)))
    )
  );
  return outside.map(([path]) => path);
}

/** The paths of `allow_write` that change what a later start runs. */
function listWritten(
  graphs: readonly Graph[],
  config: StartConfig,
): string[] {
  const { file, allowWrite, allowWriteCode } = config;
  if (allowWrite === undefined || allowWriteCode) return [];
  if (allowWrite === "true") return ["all files"];
  const local = modulesOf(config)
    .filter(({ specifier }) => specifier.startsWith("file:"))
    .map(({ specifier }) => fileURLToPath(specifier));
  const starts = [process.cwd(), ...local.map((path) => dirname(path))];
  const configured = starts.flatMap(above).flatMap((folder) =>
    CONFIG_FILES.map((name) => join(folder, name))
  );
  const files = [
    ...(file === undefined ? [] : [resolve(file)]),
    ...[...local, ...graphs.flatMap((graph) => [...filesOf(graph).keys()])],
    ...configured,
  ].map((path) => realPath(path));
  const folders = [
    denoFolder(),
    ...starts.flatMap(above).map((folder) => join(folder, "node_modules")),
  ].map((path) => realPath(path));
  return pathsOf(allowWrite).filter((path) => {
    const real = realPath(path);
    return files.some((each) => isWithin(each, real)) ||
      folders.some((each) => isWithin(each, real) || isWithin(real, each));
  });
}

/** The folder of this package, if it is in one: workers may import it. */
function ownFolder(): string[] {
  const url = new URL("../..", import.meta.url);
  return url.protocol === "file:" ? [fileURLToPath(url)] : [];
}

function pathsOf(list = ""): string[] {
  return list.split(",").filter((path) => path !== "")
    .map((path) => resolve(path));
}

/** A folder and all folders above it. */
function above(folder: string): string[] {
  const up = dirname(folder);
  return up === folder ? [folder] : [folder, ...above(up)];
}

/** Where Deno keeps the code that it fetched. */
function denoFolder(): string {
  const { env, platform } = process;
  if (env.DENO_DIR) return resolve(env.DENO_DIR);
  if (platform === "win32") return join(env.LOCALAPPDATA ?? "", "deno");
  if (platform === "darwin") return join(env.HOME ?? "", "Library/Caches/deno");
  return join(env.XDG_CACHE_HOME || join(env.HOME ?? "", ".cache"), "deno");
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
  const found = above(folder).find((each) =>
    PROJECT_FILES.map((name) => join(each, name))
      .some((file) => mayRead(file) && existsSync(file))
  );
  if (found !== undefined) return found;
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

/**
 * The path without links, as far as it exists and this program may look at it.
 *
 * @param links How many links to nowhere may follow each other.
 */
function realPath(path: string, links = 40): string {
  if (!mayRead(path)) return path;
  try {
    return realpathSync(path);
  } catch {
    const folder = dirname(path);
    if (folder === path || links === 0) return path;
    const target = linkTarget(path);
    return target === undefined
      ? join(realPath(folder), basename(path))
      : realPath(resolve(folder, target), links - 1);
  }
}

/** Where a link to nowhere leads; `undefined` if the path is none. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
