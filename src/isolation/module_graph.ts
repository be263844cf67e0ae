/**
 * The modules that Deno loads with a worker's module, from `deno info`.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { hostOf } from "../permission_names.ts";

/** The files and hosts that Deno needs to load a module. */
interface ModuleFiles {
  /**
   * The module's file and the files that it imports; for a CommonJS module that
   * requires others, its folder.
   */
  readonly paths: readonly string[];
  /**
   * The hosts of imports, if Deno's default hosts do not include them all. The
   * registry is among them, as the flag replaces Deno's list.
   */
  readonly hosts: readonly string[];
}

/** The part of `deno info --json` that is used. */
export interface Graph {
  readonly modules: readonly GraphModule[];
  readonly redirects?: Readonly<Record<string, string>>;
}

interface GraphModule {
  readonly specifier: string;
  readonly error?: string;
  readonly mediaType?: string;
  readonly dependencies?: readonly {
    /** What `with { type }` says: `text`, `json`. */
    readonly assertionType?: string;
    /** Absent for an import of types alone. */
    readonly code?: {
      readonly specifier?: string;
      readonly resolutionMode?: string;
      readonly error?: string;
    };
    readonly isDynamic?: boolean;
  }[];
}

/** The hosts from which Deno allows imports by default. */
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
 * Lists the files and hosts of a module's imports, without running any code.
 *
 * @param specifier The module's URL.
 * @throws {ModuleGraphError} If a module is missing or cannot be read.
 */
export async function listModules(specifier: string): Promise<ModuleFiles> {
  const graph = await readGraph(specifier);
  const modules = new Map(
    graph.modules.map((module) => [module.specifier, module]),
  );
  const loaded = new Set<string>();
  const folders = new Set<string>();
  /** A module behind a dynamic import may be missing. */
  const visit = (name: string, isDynamic: boolean) => {
    const target = graph.redirects?.[name] ?? name;
    const { error, mediaType, dependencies = [] } = modules.get(target) ?? {};
    if (error !== undefined && !isDynamic) throw new ModuleGraphError(error);
    if (error !== undefined || loaded.has(target)) return;
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
  // Deno reads node_modules without a permission.
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

/** A module that cannot be loaded or listed. */
export class ModuleGraphError extends Error {
  constructor(text: string) {
    super(text.replace(/^\s*error: /, "").split("\n")[0]);
    this.name = "ModuleGraphError";
  }
}

/**
 * Reads the graph of a module, with literal dynamic imports. `deno info` uses the
 * same import map and cache as a run.
 */
export async function readGraph(specifier: string): Promise<Graph> {
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
  const jsr = Deno.env.get("JSR_URL") || "https://jsr.io";
  const [registry, ...rest] = [jsr, ...urls].map((url) => hostOf(new URL(url)));
  const hosts = new Set([registry!, ...rest]);
  const others = [...hosts].filter((host) => !DEFAULT_HOSTS.has(host));
  return others.every((host) => host === registry) ? [] : [...hosts];
}
