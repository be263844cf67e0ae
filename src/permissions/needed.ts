/**
 * Finds the Deno permissions that containers need.
 *
 * @module
 */

import { connectOptions } from "../config/config.ts";
import type { ContainerConfig } from "../config/options.ts";
import type { Address } from "../config/values.ts";
import { dirname } from "node:path";
import process from "node:process";
import { DENO_ENV } from "../isolation/child_command.ts";
import {
  addServer,
  credentialAccess,
  regionAccess,
  sdkPermissions,
} from "./credential_chain.ts";
import { ConfigError } from "../errors.ts";
import { listLogFiles, type LogFileConfig } from "../logging/loggers_text.ts";
import { listModules, ModuleGraphError } from "../isolation/module_graph.ts";
import { loadS3, storeOptions } from "../connect/open_store.ts";
import type { ObjectFolder } from "../sqs/objects.ts";
import { loadSqs, regionOf } from "../connect/open_queue.ts";
import { PermissionSet } from "./permission_set.ts";
import type { WorkerSpec } from "../job/worker_spec.ts";
import { isAwsUrl, type QueueRef } from "../sqs/queue_ref.ts";

/** The most old log files to list; for more, the flag grants their folder. */
const MAX_LISTED_FILES = 20;

/** The permissions that containers need. */
interface NeededPermissions {
  readonly permissions: PermissionSet;
  /** Notes for the user, one line each. */
  readonly hints: readonly string[];
}

/** The page for operators, which a process serves. */
export interface PageNeeds {
  /** The addresses that it listens on or asks. */
  readonly addresses: readonly Address[];
  /** The files that it reads. */
  readonly files: readonly string[];
  /** Whether it is served without the containers. */
  readonly isAlone: boolean;
}

/**
 * Finds the permissions that containers need to run in one process on this
 * machine, without calling their workers or queues.
 *
 * @param configs The containers' configurations, from ini files.
 * @param page The page that is served with them, or in their place.
 * @throws {ConfigError} If a module of a worker or of hooks, or one of its imports,
 * cannot be loaded.
 */
export async function permissionsOf(
  configs: readonly ContainerConfig[],
  page?: PageNeeds,
): Promise<NeededPermissions> {
  const needs = new Needs();
  for (const config of configs) {
    needs.permissions.add("read", config.file!);
    if (!page?.isAlone) await needs.addContainer(config);
    await needs.addQueues(config);
  }
  const { addresses = [], files = [], isAlone = false } = page ?? {};
  needs.permissions.add("net", ...addresses.map(({ text }) => text));
  needs.permissions.add("read", ...files);
  if (isAlone) return { ...needs, hints: [...needs.hints] };
  if (configs.some(({ isolation }) => isolation === "none")) {
    needs.hints.add(
      "Without isolation, jobs have the container's permissions: add the flags that the worker needs",
    );
  }
  if (configs.some(({ hooks }) => hooks !== undefined)) {
    needs.hints.add(
      "Hooks have the container's permissions: add the flags that they need",
    );
  }
  return { permissions: needs.permissions, hints: [...needs.hints] };
}

class Needs {
  readonly permissions = new PermissionSet();
  readonly hints = new Set<string>();

  async addContainer(config: ContainerConfig): Promise<void> {
    const { file, loggers, health, isolation, worker, hooks } = config;
    for (const file of listLogFiles(loggers)) this.#addLogFile(file);
    if (health !== undefined) this.permissions.add("net", health.text);
    if (isolation === "process") this.#addProcesses(config);
    else await this.#addModule("worker", worker, file);
    // The container runs them, whatever runs the jobs.
    if (hooks !== undefined) await this.#addModule("hooks", hooks, file);
  }

  async addQueues(config: ContainerConfig): Promise<void> {
    const { queue, failures } = config;
    this.permissions.addFrom(sdkPermissions(process.env));
    await this.#addQueue(queue, config);
    if (typeof failures === "object") await this.#addQueue(failures, config);
    if (config.large !== undefined) await this.#addBucket(config.large, config);
  }

  async #addModule(
    option: string,
    spec: ContainerConfig["worker" | "hooks"],
    file: string | undefined,
  ): Promise<void> {
    const { text, specifier } = spec as WorkerSpec;
    // A program from JSR imports modules of JSR and npm without permissions.
    if (!specifier.startsWith("file:")) return;
    try {
      const { paths, hosts } = await listModules(specifier);
      this.permissions.add("read", ...paths);
      this.permissions.add("import", ...hosts);
    } catch (error) {
      if (!(error instanceof ModuleGraphError)) throw error;
      throw new ConfigError(
        `Cannot list what ${option} "${text}" of ${file} imports: ${error.message}`,
        { cause: error },
      );
    }
  }

  /** The container starts processes, and builds their environment. */
  #addProcesses({ allowAll, allowEnv, allowRun }: ContainerConfig): void {
    const names = allowEnv?.split(",") ?? [];
    this.permissions.add("run", process.execPath);
    this.permissions.add("env", "NODE_V8_COVERAGE", ...DENO_ENV);
    if (allowRun !== undefined) this.permissions.add("env", "PATH");
    // A pattern passes variables on: the container must read all of them.
    const isOpen = names.some((name) => name === "true" || name.endsWith("*"));
    if (allowAll || isOpen) this.permissions.addAll("env");
    else this.permissions.add("env", ...names);
  }

  /** A rotating log file is read for its size and renamed. */
  #addLogFile({ path, oldFiles }: LogFileConfig): void {
    this.permissions.add("write", path);
    if (oldFiles === 0) return;
    if (oldFiles > MAX_LISTED_FILES) {
      this.permissions.add("read", dirname(path));
      this.permissions.add("write", dirname(path));
      return;
    }
    const old = Array.from({ length: oldFiles }, (_, i) => `${path}.${i + 1}`);
    this.permissions.add("read", path, ...old.slice(0, -1));
    this.permissions.add("write", ...old);
  }

  async #addQueue(ref: QueueRef, config: ContainerConfig): Promise<void> {
    const { env } = process;
    const { findSqsServer } = await loadSqs();
    const options = connectOptions(config);
    const given = regionOf(ref, options);
    const { url, region } = await findSqsServer(
      { ...options, ...(given === undefined ? {} : { region: given }) },
      ref.origin,
    );
    addServer(this.permissions, url.href, env);
    if (given === undefined) {
      const { source, permissions } = await regionAccess(env, region);
      this.permissions.addFrom(permissions);
      this.hints.add(`Queue ${ref.name} is in region ${region}, ${source}`);
    }
    const { source, permissions, note } = await credentialAccess(env, region);
    this.permissions.addFrom(permissions);
    this.hints.add(`Credentials come from ${source}`);
    if (note !== undefined) this.hints.add(note);
  }

  async #addBucket(
    { bucket }: ObjectFolder,
    config: ContainerConfig,
  ): Promise<void> {
    const { findS3Server } = await loadS3();
    const { queue } = config;
    const where = connectOptions(config);
    const url = await findS3Server(storeOptions(bucket, { queue, where }));
    addServer(this.permissions, url.href, process.env);
    if (!isAwsUrl(url.href)) return;
    this.hints.add(
      `The line takes bucket ${bucket} to be in the queue's region: if it is in another one, add --allow-net=${
        url.hostname.replace(/(?<=\bs3\.)[a-z0-9-]+/, "REGION")
      }`,
    );
  }
}
