/**
 * Imports what an option names as `MODULE:expr`, and calls it if it is a factory.
 *
 * @module
 */

import { pathToFileURL } from "node:url";
import { ConfigError, isLoadDenied, messageOf } from "../errors.ts";
import { errorSummary } from "../logging/error_data.ts";
import { isError } from "../logging/value_text.ts";
import { RUNTIME } from "../runtime.ts";
import { list, nearest, quote } from "../text.ts";
import { isClass } from "./unrun.ts";
import type { WorkerSpec } from "./worker_spec.ts";

/** Imports a module, as `import()` does. */
export type ModuleLoader = (specifier: string) => Promise<object>;

/** A value that nobody awaits: it may be an object that refuses to be read. */
interface Loaded {
  readonly value: unknown;
}

/**
 * Imports a module and finds an export of it.
 *
 * @param subject What messages call it: `worker "adder.ts:adder" of adder.ini`.
 * @throws {ConfigError} If there is no such module or export.
 */
export async function importExport(
  spec: WorkerSpec,
  subject: string,
  load: ModuleLoader = (specifier) => import(specifier),
): Promise<Loaded> {
  const module = await importModule(spec, subject, load);
  try {
    return { value: exportIn(module, spec, subject) };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw startError(subject, `cannot be read: ${firstLine(error)}`, error);
  }
}

/**
 * Calls a factory: a function, an async function or a class.
 *
 * @throws {ConfigError} If it throws.
 */
export async function callFactory(
  factory: unknown,
  config: unknown,
  subject: string,
): Promise<Loaded> {
  try {
    const value = isClass(factory)
      ? Reflect.construct(factory, [config])
      : await (factory as (config: unknown) => unknown)(config);
    return { value };
  } catch (error) {
    if (isLoadDenied(error)) throw error;
    throw startError(subject, `failed: ${firstLine(error)}`, error);
  }
}

/** The error of a container that cannot start because of a part of it. */
export function startError(
  subject: string,
  what: string,
  cause?: unknown,
): ConfigError {
  return new ConfigError(
    `Cannot start container as ${subject} ${what}`,
    { cause },
  );
}

/** A member of anything. */
export function memberOf(value: unknown, name: string): unknown {
  return (Object(value) as Record<string, unknown>)[name];
}

function exportIn(
  module: unknown,
  spec: WorkerSpec,
  subject: string,
): unknown {
  const path = (spec.expr ?? "default").split(".");
  let value = module;
  for (const [i, name] of path.entries()) {
    const found = memberOf(value, name);
    if (found === undefined) {
      const missing = quote(path.slice(0, i + 1).join("."));
      const what = spec.expr === undefined
        ? `default export${
          exportsHint(value)
        }; to take another, give "${spec.module}:NAME"`
        : `${missing}${exportsHint(value, name)}`;
      throw startError(subject, `has no ${what}`);
    }
    value = found;
  }
  return value;
}

async function importModule(
  spec: WorkerSpec,
  subject: string,
  load: ModuleLoader,
): Promise<object> {
  const { specifier } = spec;
  if (RUNTIME !== "Deno" && /^(?:jsr|npm):/.test(specifier)) {
    throw startError(
      subject,
      `needs Deno, as ${RUNTIME} imports no "jsr:" and "npm:" specifiers: name a file that re-exports it`,
    );
  }
  try {
    return await load(specifier);
  } catch (error) {
    if (isLoadDenied(error)) throw error;
    throw startError(
      subject,
      isMissing(error, specifier)
        ? `does not exist: there is no ${specifier}`
        : `cannot be imported: ${firstLine(error)}`,
      error,
    );
  }
}

/** Whether the module itself is missing, not a module that it imports. */
function isMissing(error: unknown, specifier: string): boolean {
  const [, , name] =
    /^(?:Module not found|Cannot find module) (["'])(.*?)\1/.exec(
      messageOf(error),
    ) ?? [];
  if (name === undefined) return false;
  // Node names the file.
  return name === specifier || pathToFileURL(name).href === specifier;
}

function exportsHint(module: unknown, name?: string): string {
  const names = Object.keys(Object(module));
  if (names.length === 0) return ", nor any other export";
  const near = name === undefined ? undefined : nearest(name, names);
  return near === undefined
    ? `: it exports ${list(names.map(quote))}`
    : `: did you mean ${quote(near)}?`;
}

function isMissingModule(error: Error): boolean {
  try {
    return (error as { code?: unknown }).code === "ERR_MODULE_NOT_FOUND";
  } catch {
    return false; // A proxy or getter that throws.
  }
}

/** An error in one line, with its place in the code if Deno names one. */
function firstLine(error: unknown): string {
  if (!isError(error)) return messageOf(error);
  const { name, message } = errorSummary(error);
  // deno-lint-ignore no-control-regex
  const text = message.replace(/\x1b\[\d*m/g, "");
  const [line = "", ...rest] = text.split("\n");
  const place = /^\s+at (\S+:\d+:\d+)$/m.exec(rest.join("\n"))?.[1];
  // Deno wraps any error of an import in a TypeError with a code.
  const named = isMissingModule(error) || line.startsWith(name)
    ? line
    : line === ""
    ? name
    : `${name}: ${line}`;
  return place === undefined ? named : `${named} (${place})`;
}
