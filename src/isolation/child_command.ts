/**
 * The command that starts a child process: its program, arguments, permissions
 * and environment.
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { type ContainerConfig, PERMISSION_KEYS } from "../config/options.ts";
import { ConfigError } from "../errors.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import { PERMISSION_NAMES, type PermissionName } from "../permission_names.ts";
import { deno, RUNTIME } from "../runtime.ts";
import { ownFlags } from "./own_flags.ts";

/**
 * The environment variables that Deno itself needs: for its cache, registries,
 * proxies, certificates and locale. A job can read one of them only if
 * `allow_env` names it.
 */
export const DENO_ENV: readonly string[] = [
  ...["DENO_DIR", "HOME", "XDG_CACHE_HOME", "USERPROFILE", "LOCALAPPDATA"],
  ...["JSR_URL", "NPM_CONFIG_REGISTRY", "DENO_CERT", "DENO_TLS_CA_STORE"],
  ...["SSL_CERT_FILE", "SSL_CERT_DIR", "SystemRoot", "TMPDIR", "TMP", "TEMP"],
  ...["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"],
  ...["http_proxy", "https_proxy", "all_proxy", "no_proxy"],
  ...["LANG", "LC_ALL", "LC_CTYPE", "LC_TIME", "LC_NUMERIC", "TZ"],
  ...["NO_COLOR", "FORCE_COLOR", "TERM"],
];

/** With the container's process id, it makes a compiled program a child. */
const CHILD_ARGUMENT = "--zsqs-jobs=";

/** The registry whose modules need no permission to be imported. */
const JSR = "https://jsr.io";

/** How a child process is started. */
export interface ChildCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** The text of its standard input. */
  readonly input: string;
  readonly env: Readonly<Record<string, string>>;
  /** Puts the worker's modules into Deno's cache, and runs none of them. */
  readonly fill?: Pick<ChildCommand, "args" | "input">;
  /** The permissions that it must not hold, or it refuses to start. */
  readonly denied: readonly PermissionName[];
}

/** The part of a container's configuration that grants permissions. */
export type IsolationConfig = Pick<
  ContainerConfig,
  "allowAll" | "allowWriteCode" | (typeof PERMISSION_KEYS)[PermissionName]
>;

/**
 * The command that starts a child process.
 *
 * @param worker The worker that it runs.
 * @param config The permissions of its jobs.
 * @throws {ConfigError} If this program cannot start such a process.
 */
export function childCommand(
  worker: WorkerSpec,
  config: IsolationConfig,
): ChildCommand {
  if (deno === undefined) {
    throw new ConfigError(
      `Cannot start container as "isolation" is "process", which needs Deno, not ${RUNTIME}: run it with Deno, or set "isolation" to "none"`,
    );
  }
  const command = {
    file: process.execPath,
    env: childEnv(config),
    denied: config.allowAll
      ? []
      : PERMISSION_NAMES.filter((name) =>
        config[PERMISSION_KEYS[name]] === undefined
      ),
  };
  if (isCompiled()) {
    checkCompiled(config);
    return { ...command, args: [`${CHILD_ARGUMENT}${process.pid}`], input: "" };
  }
  const flags = ["--quiet", "--no-prompt", ...flagsOf(config), "-"];
  // Jobs could tell a registry their secrets by names of packages.
  const mayFetch = config.allowAll || config.allowImport === "true";
  const cachedOnly = mayFetch ? [] : ["--cached-only"];
  return {
    ...command,
    // For standard input, Deno finds the same deno.json as for this program.
    args: ["run", ...cachedOnly, ...flags],
    input: entryPoint(worker),
    fill: { args: ["run", ...flags], input: filler(worker) },
  };
}

let servesCompiled = false;

/**
 * The container's process id, if this process is the child of a compiled
 * program. Only the command line asks, so only a compiled command line can start
 * such children.
 */
export function compiledContainer(): number | undefined {
  if (!isCompiled()) return undefined;
  servesCompiled = true;
  // Reading arguments needs no permission. Those compiled in come first.
  const last = deno?.args.at(-1);
  return last?.startsWith(CHILD_ARGUMENT)
    ? Number(last.slice(CHILD_ARGUMENT.length))
    : undefined;
}

function isCompiled(): boolean {
  return deno?.build.standalone ?? false;
}

/** A compiled program has the permissions that it was compiled with. */
function checkCompiled({ allowAll }: IsolationConfig): void {
  if (!servesCompiled) {
    throw new ConfigError(
      'Cannot start container as "isolation" is "process" in a compiled program: compile the command line instead, or use "deno run"',
    );
  }
  if (allowAll) return;
  throw new ConfigError(
    'Cannot start container as a compiled program cannot narrow the permissions of jobs: set "allow_all" to "true", or use "deno run"',
  );
}

/**
 * The program of a child. Deno needs no read permission for a worker's modules
 * if their import is literal text. None of them runs before `serve` imports it.
 */
function entryPoint({ specifier }: WorkerSpec): string {
  const own = JSON.stringify(import.meta.resolve("./child_main.ts"));
  const worker = JSON.stringify(specifier);
  return `import { serve } from ${own};
serve(() => import(${worker}), ${process.pid});
`;
}

/** Deno loads modules of literal imports before it runs a program. */
function filler({ specifier }: WorkerSpec): string {
  const modules = [import.meta.resolve("./child_main.ts"), specifier];
  const imports = modules.map((each) => `import(${JSON.stringify(each)})`);
  return `export const load = () => [${imports.join(", ")}];\n`;
}

/**
 * The flags that choose how modules are found. If this package is in a folder,
 * that folder's deno.json maps its imports.
 */
function moduleFlags(): string[] {
  const own = ownFlags();
  if (own.some((flag) => /^(--config|-c|--no-config)\b/.test(flag))) return own;
  const url = new URL("../../deno.json", import.meta.url);
  if (url.protocol !== "file:") return own;
  return [...own, `--config=${fileURLToPath(url)}`];
}

/** At least one grants something: without any, Deno grants all permissions. */
function flagsOf(config: IsolationConfig): string[] {
  const flags = moduleFlags();
  if (config.allowAll) return [...flags, "--allow-all"];
  for (const [name, key] of Object.entries(PERMISSION_KEYS)) {
    const value = config[key];
    if (value === "true") flags.push(`--allow-${name}`);
    else if (name === "import") {
      // The flag replaces Deno's default list of hosts.
      const hosts = value === undefined ? [] : [value];
      flags.push(`--allow-import=${[...hosts, registryHost()].join(",")}`);
    } else if (value !== undefined) flags.push(`--allow-${name}=${value}`);
  }
  return flags;
}

/** The host of this package, and of the worker's JSR modules. */
function registryHost(): string {
  const { protocol, href } = new URL(import.meta.url);
  const from = protocol === "file:" ? process.env.JSR_URL || JSR : href;
  const { hostname, port, protocol: scheme } = new URL(from);
  return `${hostname}:${port || (scheme === "http:" ? 80 : 443)}`;
}

/** The variables that Deno itself needs. */
export function denoEnv(): Record<string, string> {
  return environment(DENO_ENV);
}

function environment(names: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of names) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  return env;
}

function childEnv(config: IsolationConfig): Record<string, string> {
  const all = config.allowAll || config.allowEnv === "true";
  const named = config.allowEnv?.split(",") ?? [];
  const prefixes = named.filter((name) => name.endsWith("*"))
    .map((name) => name.slice(0, -1));
  // Listing all names needs permission for all of the environment.
  const seen = all || prefixes.length > 0 ? Object.keys(process.env) : [];
  const names = [
    ...[...named, ...(config.allowRun ? ["PATH"] : [])],
    ...seen.filter((name) => {
      const isAws = name.toUpperCase().startsWith("AWS_");
      // A wide pattern does not mean the container's credentials.
      return (all && !isAws) ||
        prefixes.some((prefix) =>
          name.startsWith(prefix) && (!isAws || prefix.startsWith("AWS_"))
        );
    }),
  ];
  const env = { ...denoEnv(), ...environment(names) };
  if (process.stdout.isTTY && !env.NO_COLOR) env.FORCE_COLOR ??= "1";
  return env;
}
