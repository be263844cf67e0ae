/**
 * Finds the Deno permissions that containers need.
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
  sdkPermissions,
} from "./credential_chain.ts";
import { regionOf } from "../connect/open_queue.ts";
import { ConfigError } from "../errors.ts";
import type { LogFileConfig } from "../logging/loggers_text.ts";
import { listLogFiles } from "../logging/loggers_text.ts";
import { listModules, ModuleGraphError } from "./module_graph.ts";
import { loadSqs } from "../connect/open_queue.ts";
import { PermissionSet } from "./permission_set.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";

/** The most old log files to list; for more, the flag grants their folder. */
const MAX_LISTED_FILES = 20;

/** The permissions that containers need. */
export interface NeededPermissions {
  readonly permissions: PermissionSet;
  /** Notes for the user, one line each. */
  readonly hints: readonly string[];
}

/**
 * Finds the permissions that containers need to run in one process on this
 * machine, without calling their workers or queues.
 *
 * @param configs The containers' configurations, from ini files.
 * @throws {ConfigError} If a worker's module or one of its imports cannot be
 * loaded.
 */
export async function permissionsOf(
  configs: readonly ContainerConfig[],
): Promise<NeededPermissions> {
  const permissions = new PermissionSet();
  const hints = new Set<string>();
  for (const config of configs) {
    permissions.add("read", config.file!);
    for (const file of listLogFiles(config.loggers)) {
      addLogFile(permissions, file);
    }
    if (config.health !== undefined) permissions.add("net", config.health.text);
    await addWorker(permissions, config);
    await addQueues(permissions, hints, config);
  }
  if (configs.some(({ isolation }) => isolation === "none")) {
    hints.add(
      "Without isolation, jobs have the container's permissions: add the flags that the worker needs",
    );
  }
  return { permissions, hints: [...hints] };
}

async function addWorker(
  permissions: PermissionSet,
  config: ContainerConfig,
): Promise<void> {
  if (config.isolation === "process") return addProcesses(permissions, config);
  const { text, specifier } = config.worker as WorkerSpec;
  // A program from JSR imports modules of JSR and npm without permissions.
  if (!specifier.startsWith("file:")) return;
  try {
    const { paths, hosts } = await listModules(specifier);
    permissions.add("read", ...paths);
    permissions.add("import", ...hosts);
  } catch (error) {
    if (!(error instanceof ModuleGraphError)) throw error;
    throw new ConfigError(
      `Cannot list what worker "${text}" of ${config.file} imports: ${error.message}`,
      { cause: error },
    );
  }
}

/** The container starts processes, and builds their environment. */
function addProcesses(
  permissions: PermissionSet,
  config: ContainerConfig,
): void {
  const { allowAll, allowEnv, allowRun } = config;
  const names = allowEnv?.split(",") ?? [];
  permissions.add("run", process.execPath);
  permissions.add("env", "NODE_V8_COVERAGE", ...DENO_ENV);
  if (allowRun !== undefined) permissions.add("env", "PATH");
  // A pattern passes variables on: the container must read all of them.
  const isOpen = names.some((name) => name === "true" || name.endsWith("*"));
  if (allowAll || isOpen) permissions.addAll("env");
  else permissions.add("env", ...names);
}

/** A rotating log file is read for its size and renamed. */
function addLogFile(permissions: PermissionSet, file: LogFileConfig): void {
  const { path, oldFiles } = file;
  permissions.add("write", path);
  if (oldFiles === 0) return;
  if (oldFiles > MAX_LISTED_FILES) {
    permissions.add("read", dirname(path));
    permissions.add("write", dirname(path));
    return;
  }
  const old = Array.from(
    { length: oldFiles },
    (_, number) => `${path}.${number + 1}`,
  );
  permissions.add("read", path, ...old.slice(0, -1));
  permissions.add("write", ...old);
}

async function addQueues(
  permissions: PermissionSet,
  hints: Set<string>,
  config: ContainerConfig,
): Promise<void> {
  const { env } = process;
  permissions.addFrom(sdkPermissions(env));
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
    addServer(permissions, url.href, env);
    if (given === undefined) {
      const access = await regionAccess(env, region);
      permissions.addFrom(access.permissions);
      hints.add(
        `Queue ${ref.name} is in region ${region}, ${access.source}`,
      );
    }
    const access = await credentialAccess(env, region);
    permissions.addFrom(access.permissions);
    hints.add(`Credentials come from ${access.source}`);
    if (access.note !== undefined) hints.add(access.note);
  }
}
