/**
 * A container's configuration from an ini file.
 *
 * @module
 */

import type { WorkerConfig } from "../job/worker.ts";
import { printable, quote, shortened, show, suggest } from "../text.ts";
import { unknownOption } from "./values.ts";
import { readFile } from "node:fs/promises";
import {
  type CheckedSettings,
  checkSettings,
  type Place,
  validOrThrow,
} from "./config.ts";
import { CONTAINER_OPTIONS, type ContainerConfig } from "./options.ts";
import type { ContainerSettings } from "./settings.ts";
import { ConfigError, messageOf } from "../errors.ts";
import {
  DEFAULT_SECTION,
  type IniFile,
  type IniOption,
  type IniSection,
  parseIni,
} from "./ini.ts";

/** Reads a container's settings from an ini file, and throws for wrong ones. */
export async function readConfig(file: string): Promise<ContainerSettings> {
  const given = readSettings(await readText(file), file);
  validOrThrow(checkSettings(...given));
  return given[0] as unknown as ContainerSettings;
}

/** Reads a container's configuration from an ini file, or throws. */
export async function readContainerConfig(
  file: string,
): Promise<ContainerConfig> {
  return validOrThrow(checkText(await readText(file), file));
}

/** Checks an ini file, and returns the options that are right. */
export async function inspectConfig(file: string): Promise<CheckedSettings> {
  try {
    return checkText(await readText(file), file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: { file }, problems: error.problems, wrong: new Set() };
  }
}

/** Checks the text of an ini file; paths in it are relative to the file. */
export function checkText(text: string, file: string): CheckedSettings {
  return checkSettings(...readSettings(text, file));
}

async function readText(file: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(await readFile(file));
  } catch (error) {
    throw new ConfigError(readProblem(file, error), { cause: error });
  }
}

function readProblem(file: string, error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  if (name === "NotCapable") {
    return `Cannot read ${file} without permission: run again with --allow-read=${file}`;
  }
  if (error instanceof TypeError && code === undefined) {
    return `Cannot read ${file} as it is not UTF-8 text: save it as UTF-8`;
  }
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return `Cannot read ${file} as there is no such file: give the path of an ini file`;
    case "EISDIR":
      return `Cannot read ${file} as it is a folder: give the path of an ini file`;
    case "EACCES":
    case "EPERM":
      return `Cannot read ${file} as this user has no permission: check the permissions of the file and its folders`;
    default:
      return `Cannot read ${file}: ${printable(messageOf(error))}`;
  }
}

function readSettings(
  text: string,
  file: string,
): Parameters<typeof checkSettings> {
  const ini = parseIni(text, file);
  const problems = unknownSections(ini, file);
  const container = ini.get("container");
  if (container === undefined) {
    const missing =
      `${file} has no [container] section: give one with "worker" and "queue"`;
    // A section with another name is probably the missing one.
    throw new ConfigError(
      (problems.length > 0 ? problems : [missing])
        .map((problem) => `Cannot start container as ${problem}`),
    );
  }
  const settings: Record<string, unknown> = {
    file,
    workerConfig: toWorkerConfig(ini.get("worker")),
  };
  for (const { name, key, fromText } of CONTAINER_OPTIONS) {
    const value = container.options.get(name)?.value;
    if (value !== undefined) settings[key] = fromText?.(value) ?? value;
  }
  problems.push(...unknownOptions(container, file));
  return [settings, inFile(container, file), problems];
}

function inFile({ options }: IniSection, file: string): Place {
  return {
    name: ({ name }) => name,
    subject({ name }) {
      const given = options.get(name);
      return given === undefined ? quote(name) : place(given, file);
    },
    missing: ({ name, required }) =>
      `[container] of ${file} has no ${quote(name)}: ${required}`,
    allowed: (option) => option.allowed,
    shown: ({ name }, value) => show(options.get(name)?.value ?? value),
    loggers: `"loggers" in [container] of ${file}`,
    loggersLines: options.get("loggers")?.valueLines,
  };
}

function place({ name, line, fromDefault }: IniOption, file: string): string {
  const section = fromDefault ? DEFAULT_SECTION : "container";
  return `${quote(name)} in [${section}] of ${file} (line ${line})`;
}

const SECTIONS: readonly string[] = ["container", "worker", DEFAULT_SECTION];

function unknownSections(ini: IniFile, file: string): string[] {
  const bracket = (name: string) => `[${shortened(name)}]`;
  return [...ini.values()]
    .filter(({ name }) => !SECTIONS.includes(name))
    .map(({ name, line }) => {
      const hint = suggest(name, SECTIONS, "sections", bracket);
      return `${
        bracket(name)
      } of ${file} (line ${line}) is not a section: ${hint}`;
    });
}

function unknownOptions({ options }: IniSection, file: string): string[] {
  const names = CONTAINER_OPTIONS.map((option) => option.name);
  return [...options]
    // As in Python, every section gets the options of [DEFAULT].
    .filter(([name, option]) => !option.fromDefault && !names.includes(name))
    .map(([name, option]) =>
      `${place(option, file)} ${unknownOption(name, names)}`
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
