/**
 * A container's configuration from an ini file.
 *
 * @module
 */

import type { WorkerConfig } from "../job/worker.ts";
import { printable, quote, show, suggest } from "../text.ts";
import { readFile } from "node:fs/promises";
import { type InspectedConfig, type Place, settle, settled } from "./config.ts";
import { CONTAINER_OPTIONS, type ContainerConfig } from "./options.ts";
import { ConfigError, messageOf } from "../errors.ts";
import {
  DEFAULT_SECTION,
  type IniFile,
  type IniOption,
  type IniSection,
  parseIni,
} from "./ini.ts";

/**
 * Reads a container's configuration from an ini file.
 *
 * @param file The file's path.
 * @returns The configuration.
 * @throws {ConfigError} If the file cannot be read, or for all that is wrong
 * in it at once.
 *
 * @example Read a file and change it
 * ```ts
 * import { readConfig, resolveConfig } from "@zsqs/cli/container";
 * import { assertEquals } from "@std/assert";
 *
 * const file = await Deno.makeTempFile({ suffix: ".ini" });
 * await Deno.writeTextFile(
 *   file,
 *   "[container]\nworker = worker.ts\nqueue = adder\n",
 * );
 *
 * const config = await readConfig(file);
 * assertEquals(config.queue, "adder");
 * assertEquals(resolveConfig({ ...config, concurrency: 10 }).concurrency, 10);
 * ```
 */
export async function readConfig(file: string): Promise<ContainerConfig> {
  return settled(inspectText(await readText(file), file));
}

/**
 * Reads a container's configuration from an ini file, and goes on where it is
 * wrong.
 *
 * @param file The file's path.
 * @returns What is right and what is wrong in it.
 */
export async function inspectConfig(file: string): Promise<InspectedConfig> {
  try {
    return inspectText(await readText(file), file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: { file }, problems: error.problems, wrong: new Set() };
  }
}

async function readText(file: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new ConfigError(readProblem(file, error), { cause: error });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch (error) {
    throw new ConfigError(
      `Cannot read ${file} as it is not UTF-8 text: save it as UTF-8`,
      { cause: error },
    );
  }
}

/**
 * Makes a container's configuration from an ini file's text.
 *
 * @param text The file's text.
 * @param file The file's path, for messages, and for paths in it, which are
 * relative to its folder.
 * @returns The configuration.
 * @throws {ConfigError} For all that is wrong in it at once.
 */
export function parseConfig(text: string, file: string): ContainerConfig {
  return settled(inspectText(text, file));
}

function inspectText(text: string, file: string): InspectedConfig {
  const ini = readIni(text, file);
  const problems = unknownSections(ini, file);
  const container = ini.sections.get("container");
  if (!container) {
    // A section with another name is most likely the one that is missing.
    if (problems.length > 0) {
      return { config: { file }, problems, wrong: new Set() };
    }
    problems.push(
      `Cannot start container as ${file} has no [container] section: ` +
        'give one with "worker" and "queue"',
    );
    return { config: { file }, problems, wrong: new Set() };
  }
  problems.push(...unknownOptions(container, file));
  const settings: Record<string, unknown> = {
    file,
    workerConfig: toWorkerConfig(ini.sections.get("worker")),
  };
  for (const option of CONTAINER_OPTIONS) {
    const given = container.options.get(option.name);
    if (!given) continue;
    settings[option.key] = option.fromText?.(given.value) ?? given.value;
    if (option.key === "loggers") settings.loggersLines = given.valueLines;
  }
  return settle(settings, problems, inFile(container, file));
}

function inFile(container: IniSection, file: string): Place {
  return {
    subject(option) {
      const given = container.options.get(option.name);
      return given ? place(given, container, file) : quote(option.name);
    },
    missing: (option) => `[container] of ${file} has no ${quote(option.name)}`,
    shown: (option, value) =>
      show(container.options.get(option.name)?.value ?? value),
  };
}

function place(option: IniOption, section: IniSection, file: string): string {
  const name = option.fromDefault ? DEFAULT_SECTION : section.name;
  return `${quote(option.name)} in [${name}] of ${file} (line ${option.line})`;
}

function readIni(text: string, file: string): IniFile {
  try {
    return parseIni(text, { file });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ConfigError(error.message, { cause: error });
  }
}

function readProblem(file: string, error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (name === "NotCapable") {
    return `Cannot read ${file} without permission: ` +
      `run again with --allow-read=${file}`;
  }
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return `Cannot read ${file} as there is no such file: ` +
        "give the path of an ini file";
    case "EISDIR":
      return `Cannot read ${file} as it is a folder: ` +
        "give the path of an ini file";
    case "EACCES":
    case "EPERM":
      return `Cannot read ${file} as this user may not: ` +
        "check the permissions of the file and its folders";
    default:
      return `Cannot read ${file}: ${printable(messageOf(error))}`;
  }
}

const SECTIONS: readonly string[] = ["container", "worker", DEFAULT_SECTION];

function unknownSections(ini: IniFile, file: string): string[] {
  const bracket = (name: string) => `[${printable(name)}]`;
  return [...ini.sections.values()]
    .filter((section) => !SECTIONS.includes(section.name))
    .map(({ name, line }) =>
      `Cannot start container as ${bracket(name)} of ${file} (line ${line}) ` +
      `is not a section: ${suggest(name, SECTIONS, "sections", bracket)}`
    );
}

function unknownOptions(container: IniSection, file: string): string[] {
  const names = CONTAINER_OPTIONS.map((option) => option.name);
  return [...container.options]
    // What [DEFAULT] gives is there for all sections, as in Python.
    .filter(([name, option]) => !option.fromDefault && !names.includes(name))
    .map(([name, option]) =>
      `Cannot start container as ${place(option, container, file)} ` +
      `is not an option: ${suggest(name, names, "options")}`
    );
}

function toWorkerConfig(section: IniSection | undefined): WorkerConfig {
  const config: Record<string, string> = Object.create(null);
  for (const [lowerName, { name, value }] of section?.options ?? []) {
    config[name] = value;
    config[lowerName] = value;
  }
  return config;
}
