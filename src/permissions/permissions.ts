/**
 * The Deno permissions that containers need, told from their configurations.
 *
 * @module
 */

import { connectOptions } from "../config/config.ts";
import type { ContainerConfig } from "../config/options.ts";
import { dirname } from "node:path";
import process from "node:process";
import { DENO_ENV } from "../isolation/child_command.ts";
import {
  addServer,
  credentialAccess,
  regionAccess,
  sdkRights,
} from "./credential_chain.ts";
import { regionOf } from "../connect/open_queue.ts";
import { ConfigError } from "../errors.ts";
import type { LogFileConfig } from "../logging/loggers_text.ts";
import { listLogFiles } from "../logging/loggers_text.ts";
import { listModules, ModuleGraphError } from "./module_graph.ts";
import { loadSqs } from "../connect/open_queue.ts";
import { Rights } from "./permission_set.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";

/** Beyond so many old files a log file's folder is granted in their place. */
const MAX_LISTED_FILES = 20;

/** What containers need, and what there is to know about it. */
export interface NeededPermissions {
  readonly rights: Rights;
  /** One line for each thing to know. */
  readonly hints: readonly string[];
}

/**
 * Tells the permissions that containers need to run in one process, where this
 * program runs, without calling their workers or queues.
 *
 * @param configs The containers' configurations, from ini files.
 * @returns The permissions.
 * @throws {ConfigError} If a worker's module, or one that it imports, cannot be
 * loaded.
 */
export async function permissionsOf(
  configs: readonly ContainerConfig[],
): Promise<NeededPermissions> {
  const rights = new Rights();
  const hints = new Set<string>();
  for (const config of configs) {
    rights.add("read", config.file!);
    for (const file of listLogFiles(config.loggers)) {
      addLogFile(rights, file);
    }
    if (config.health !== undefined) rights.add("net", config.health.text);
    await addWorker(rights, config);
    await addQueues(rights, hints, config);
  }
  if (configs.some(({ isolation }) => isolation === "none")) {
    hints.add(
      "Without isolation a job has the container's permissions: add what the worker itself needs",
    );
  }
  return { rights, hints: [...hints] };
}

async function addWorker(
  rights: Rights,
  config: ContainerConfig,
): Promise<void> {
  if (config.isolation === "process") return addProcesses(rights, config);
  const { text, specifier } = config.worker as WorkerSpec;
  // What a program from JSR imports of JSR and npm takes no permission.
  if (!specifier.startsWith("file:")) return;
  try {
    const { paths, hosts } = await listModules(specifier);
    rights.add("read", ...paths);
    rights.add("import", ...hosts);
  } catch (error) {
    if (!(error instanceof ModuleGraphError)) throw error;
    throw new ConfigError(
      `Cannot list what worker "${text}" of ${config.file} imports: ${error.message}`,
      { cause: error },
    );
  }
}

/**
 * What jobs may do is up to their processes. The container starts these, and
 * makes their environment of its own.
 */
function addProcesses(rights: Rights, config: ContainerConfig): void {
  const { allowAll, allowEnv, allowRun } = config;
  const names = allowEnv?.split(",") ?? [];
  rights.add("run", process.execPath);
  rights.add("env", "NODE_V8_COVERAGE", ...DENO_ENV);
  if (allowRun !== undefined) rights.add("env", "PATH");
  // To pass on what is not named, all that there is must be seen.
  const isOpen = names.some((name) => name === "true" || name.endsWith("*"));
  if (allowAll || isOpen) rights.addAll("env");
  else rights.add("env", ...names);
}

/** A file that is rotated is looked at, and renamed over older ones. */
function addLogFile(rights: Rights, file: LogFileConfig): void {
  const { path, oldFiles } = file;
  rights.add("write", path);
  if (oldFiles === 0) return;
  if (oldFiles > MAX_LISTED_FILES) {
    rights.add("read", dirname(path));
    rights.add("write", dirname(path));
    return;
  }
  const old = Array.from(
    { length: oldFiles },
    (_, number) => `${path}.${number + 1}`,
  );
  rights.add("read", path, ...old.slice(0, -1));
  rights.add("write", ...old);
}

async function addQueues(
  rights: Rights,
  hints: Set<string>,
  config: ContainerConfig,
): Promise<void> {
  const { env } = process;
  rights.addFrom(sdkRights(env));
  const { queue, failures } = config;
  const refs = typeof failures === "string" ? [queue] : [queue, failures];
  for (const ref of refs) {
    const options = connectOptions(config);
    const given = regionOf(ref, options);
    const { findSqsServer } = await loadSqs();
    const { url, region } = await findSqsServer(
      { ...options, ...(given === undefined ? {} : { region: given }) },
      ref.origin,
    );
    addServer(rights, url.href, env);
    if (given === undefined) {
      const access = regionAccess(env, region);
      rights.addFrom(access.rights);
      hints.add(
        `Queue ${ref.name} is looked for in region ${region}, ${access.source}`,
      );
    }
    const access = credentialAccess(env, region);
    rights.addFrom(access.rights);
    hints.add(`Credentials come from ${access.source}`);
  }
}
