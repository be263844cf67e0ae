/**
 * What Deno loads with a worker's module, as `deno info` tells it.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { hostOf } from "./permission_set.ts";

/** What a module needs to be loaded. */
export interface ModuleFiles {
  /**
   * What must be read of this machine: its own file and those that it imports,
   * and the folder of each that requires others.
   */
  readonly paths: readonly string[];
  /**
   * The hosts that are imported from, where Deno would not allow them by
   * itself; the registry's is among them, as a list of hosts replaces Deno's.
   */
  readonly hosts: readonly string[];
}

/** The part of `deno info --json` that is used. */
interface Graph {
  readonly modules: readonly GraphModule[];
  readonly redirects?: Readonly<Record<string, string>>;
}

interface GraphModule {
  readonly specifier: string;
  readonly error?: string;
  readonly mediaType?: string;
  readonly dependencies?: readonly {
    /** What is imported to run; absent where only types are. */
    readonly code?: {
      readonly specifier?: string;
      readonly resolutionMode?: string;
      readonly error?: string;
    };
    readonly isDynamic?: boolean;
  }[];
}

/** The hosts that Deno allows imports from where it is given no others. */
const DEFAULT_HOSTS: ReadonlySet<string> = new Set([
  "deno.land:443",
  "jsr.io:443",
  "esm.sh:443",
  "raw.esm.sh:443",
  "cdn.jsdelivr.net:443",
  "raw.githubusercontent.com:443",
  "gist.githubusercontent.com:443",
]);

/**
 * Lists what a module loads, without running any of it.
 *
 * @param specifier The module's URL.
 * @returns Its paths and hosts.
 * @throws {ModuleGraphError} If a module of it is missing or cannot be read.
 */
export async function listModules(specifier: string): Promise<ModuleFiles> {
  const graph = await readGraph(specifier);
  const modules = new Map(
    graph.modules.map((module) => [module.specifier, module]),
  );
  const loaded = new Set<string>();
  const folders = new Set<string>();
  /** What may never be imported may be missing. */
  const visit = (name: string, isDynamic: boolean) => {
    const target = graph.redirects?.[name] ?? name;
    const { error, mediaType, dependencies = [] } = modules.get(target) ?? {};
    if (error !== undefined && isDynamic) return;
    if (error !== undefined) throw new ModuleGraphError(error);
    if (loaded.has(target)) return;
    loaded.add(target);
    for (const { code, isDynamic: dynamic = false } of dependencies) {
      if (code?.error !== undefined && !dynamic) {
        throw new ModuleGraphError(`${code.error} in ${target}`);
      }
      if (code?.specifier === undefined) continue;
      const isRequired = code.resolutionMode === "require" ||
        mediaType === "Cjs" || mediaType === "Cts";
      if (isRequired && isLocal(code.specifier)) {
        folders.add(new URL(".", target).href);
      }
      visit(code.specifier, dynamic);
    }
  };
  visit(specifier, false);
  // What is in node_modules Deno reads without a permission.
  const local = [...loaded, ...folders].filter((url) =>
    isLocal(url) && !url.includes("/node_modules/")
  );
  return {
    paths: local.map((url) => fileURLToPath(url)),
    hosts: importHosts([...loaded].filter((url) => /^https?:/.test(url))),
  };
}

function isLocal(url: string): boolean {
  return url.startsWith("file:");
}

/** A module that cannot be loaded, or nothing that tells of it. */
export class ModuleGraphError extends Error {
  constructor(text: string) {
    super(text.replace(/^\s*error: /, "").split("\n")[0]);
    this.name = "ModuleGraphError";
  }
}

/** Deno reads its own import map and cache for it, as it would for a run. */
async function readGraph(specifier: string): Promise<Graph> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--allow-import", specifier],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (code !== 0) throw new ModuleGraphError(text(stderr));
  return JSON.parse(text(stdout));
}

function importHosts(urls: readonly string[]): string[] {
  const registry = hostOf(
    new URL(Deno.env.get("JSR_URL") ?? "https://jsr.io"),
  );
  const hosts = new Set([registry]);
  for (const url of urls) hosts.add(hostOf(new URL(url)));
  const others = [...hosts].filter((host) => !DEFAULT_HOSTS.has(host));
  return others.every((host) => host === registry) ? [] : [...hosts];
}
