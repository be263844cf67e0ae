/**
 * How a process for jobs is started: what it runs, what it may do, and its
 * environment.
 *
 * @module
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import {
  type ContainerConfig,
  PERMISSION_KEYS,
  type PermissionName,
} from "../config/options.ts";
import { ConfigError } from "../errors.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";

/**
 * What Deno itself needs of the environment: its cache, registries, proxies and
 * certificates, and how text is to look. A job can read none of it unless
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

/** The argument that tells a compiled program to run jobs, and nothing else. */
const CHILD_ARGUMENT = "--zsqs-jobs";

/** The registry whose modules need no permission to be imported. */
const JSR = "https://jsr.io";

/** How a process is started. */
export interface ChildCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** What it reads from standard input. */
  readonly input: string;
  readonly env: Readonly<Record<string, string>>;
  /** The permissions that it may hold, and refuses to start with others. */
  readonly granted: readonly string[];
}

/** A container's configuration, as far as it says how jobs are isolated. */
export type IsolationConfig = Pick<
  ContainerConfig,
  "allowAll" | (typeof PERMISSION_KEYS)[PermissionName]
>;

/**
 * Tells how a process for jobs is started.
 *
 * @param worker The worker that it runs.
 * @param config What jobs may do.
 * @returns The program, its arguments and environment.
 * @throws {ConfigError} If jobs cannot be isolated so here.
 */
export function childCommand(
  worker: WorkerSpec,
  config: IsolationConfig,
): ChildCommand {
  if (!("Deno" in globalThis)) {
    throw new ConfigError(
      'Cannot start container as "isolation" is "process": only Deno can do that, and this is another runtime',
    );
  }
  const names = Object.keys(PERMISSION_KEYS) as PermissionName[];
  const granted = names.filter((name) =>
    config.allowAll || config[PERMISSION_KEYS[name]] !== undefined
  );
  const env = childEnv(config);
  if (isCompiled()) {
    checkCompiled(config);
    return {
      file: process.execPath,
      args: [CHILD_ARGUMENT],
      input: "",
      env,
      granted,
    };
  }
  return {
    file: process.execPath,
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      ...configFlag(),
      ...permissionFlags(config),
      // From standard input, Deno looks for a deno.json where it would for
      // this program.
      "-",
    ],
    input: entryPoint(worker),
    env,
    granted,
  };
}

let servesCompiled = false;

/**
 * Tells whether this process is to run jobs, as a compiled program's child; for
 * the command line, which does so, and with which alone it works.
 */
export function isCompiledChild(): boolean {
  if (!isCompiled()) return false;
  servesCompiled = true;
  // Unlike the environment, arguments need no permission to be read; those that
  // were compiled in come first.
  return Deno.args.at(-1) === CHILD_ARGUMENT;
}

function isCompiled(): boolean {
  return "Deno" in globalThis && Deno.build.standalone;
}

/** The permissions of a compiled program are those it was compiled with. */
function checkCompiled({ allowAll }: IsolationConfig): void {
  if (!servesCompiled) {
    throw new ConfigError(
      'Cannot start container as "isolation" is "process" in a compiled program other than the command line: compile that, or run it with "deno run"',
    );
  }
  if (allowAll) return;
  throw new ConfigError(
    'Cannot start container as "isolation" is "process" in a compiled program, whose permissions cannot be narrowed: give "allow_all" as "true", or run it with "deno run"',
  );
}

/**
 * The program: this package's part of it, then the worker. The import is
 * written out, as Deno then reads the worker's own modules without a
 * permission to read files; and nothing of them runs before it is called.
 */
function entryPoint({ specifier }: WorkerSpec): string {
  const own = JSON.stringify(import.meta.resolve("./child.ts"));
  const worker = JSON.stringify(specifier);
  return `import { serve } from ${own};\nserve(() => import(${worker}));\n`;
}

/** Where this package is in a folder, its own imports are named there. */
function configFlag(): string[] {
  const url = new URL("../../deno.json", import.meta.url);
  return url.protocol === "file:" ? [`--config=${fileURLToPath(url)}`] : [];
}

/** There is always one: Deno grants all where it finds none. */
function permissionFlags(config: IsolationConfig): string[] {
  if (config.allowAll) return ["--allow-all"];
  const flags: string[] = [];
  for (const [name, key] of Object.entries(PERMISSION_KEYS)) {
    const value = config[key];
    if (value === "true") flags.push(`--allow-${name}`);
    else if (name === "import") {
      // In place of Deno's list of hosts that anybody may import from.
      const hosts = value === undefined ? [] : [value];
      flags.push(`--allow-import=${[...hosts, registryHost()].join(",")}`);
    } else if (value !== undefined) flags.push(`--allow-${name}=${value}`);
  }
  return flags;
}

/** The host that this package, and JSR modules of the worker, are from. */
function registryHost(): string {
  const { protocol, href } = new URL(import.meta.url);
  const from = protocol === "file:" ? process.env.JSR_URL || JSR : href;
  const { hostname, port, protocol: scheme } = new URL(from);
  return `${hostname}:${port || (scheme === "http:" ? 80 : 443)}`;
}

function childEnv(config: IsolationConfig): Record<string, string> {
  const all = config.allowAll || config.allowEnv === "true";
  const named = config.allowEnv?.split(",") ?? [];
  const names = new Set([
    ...DENO_ENV,
    ...(config.allowRun === undefined ? [] : ["PATH"]),
    ...named.filter((name) => !name.endsWith("*")),
  ]);
  const prefixes = named.filter((name) => name.endsWith("*"))
    .map((name) => name.slice(0, -1));
  // Only these need to see every name there is.
  const seen = all || prefixes.length > 0 ? Object.keys(process.env) : [];
  for (const name of seen) {
    const isNamed = prefixes.some((prefix) => name.startsWith(prefix));
    if (isNamed || (all && !name.startsWith("AWS_"))) names.add(name);
  }
  const env: Record<string, string> = {};
  for (const name of names) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  if (process.stdout.isTTY && !env.NO_COLOR) env.FORCE_COLOR ??= "1";
  return env;
}
