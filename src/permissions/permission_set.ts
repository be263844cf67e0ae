/**
 * Sets of Deno permissions, as flags and as a comparison with the permissions
 * of this program.
 *
 * @module
 */

import { dirname, relative, resolve, sep } from "node:path";
import process from "node:process";
import { PERMISSION_NAMES, type PermissionName } from "../permission_names.ts";
import { deno } from "../runtime.ts";

/** A set of Deno permissions. */
export class PermissionSet {
  readonly #values: ReadonlyMap<PermissionName, Set<string>> = new Map(
    PERMISSION_NAMES.map((name) => [name, new Set()]),
  );
  readonly #all = new Set<PermissionName>();

  /** Adds `--allow-NAME=VALUES`. */
  add(name: PermissionName, ...values: readonly string[]): void {
    for (const value of values) this.#values.get(name)!.add(value);
  }

  /** Adds `--allow-NAME`. */
  addAll(name: PermissionName): void {
    this.#all.add(name);
  }

  /** Adds the permissions of another set. */
  addFrom(other: PermissionSet): void {
    for (const name of PERMISSION_NAMES) {
      this.add(name, ...other.values(name));
      if (other.hasAll(name)) this.addAll(name);
    }
  }

  /** The values that were added for a name. */
  values(name: PermissionName): readonly string[] {
    return [...this.#values.get(name)!];
  }

  /** Whether it has `--allow-NAME` without values. */
  hasAll(name: PermissionName): boolean {
    return this.#all.has(name);
  }

  /** The flags that grant exactly these permissions. */
  flags(): string[] {
    return PERMISSION_NAMES.flatMap((name) => {
      if (this.hasAll(name)) return [`--allow-${name}`];
      const given = this.values(name);
      const isOfPaths = name === "read" || name === "write";
      const values = isOfPaths ? grantable(given) : given;
      return values.length === 0 ? [] : [`--allow-${name}=${values.join(",")}`];
    });
  }

  /** The permissions of this set that this program does not have. */
  missing(): PermissionSet {
    const missing = new PermissionSet();
    for (const name of PERMISSION_NAMES) {
      if (this.hasAll(name) && !isGranted(name)) missing.addAll(name);
      for (const value of this.values(name)) {
        if (!isGranted(name, value)) missing.add(name, value);
      }
    }
    return missing;
  }
}

/**
 * Paths as a flag can grant them: without paths inside other paths, and relative
 * if they are in the current folder. Deno splits the values of a flag at commas,
 * so a path with a comma becomes its folder.
 */
function grantable(paths: readonly string[]): string[] {
  const absolute = new Set(paths.map((path) => {
    let granted = resolve(path);
    while (granted.includes(",")) granted = dirname(granted);
    return granted;
  }));
  return [...absolute].filter((path) => !isInside(path, absolute))
    .map(shortPath);
}

/** Whether one of these paths is a folder that holds the path. */
function isInside(path: string, paths: ReadonlySet<string>): boolean {
  const folder = dirname(path);
  return folder !== path && (paths.has(folder) || isInside(folder, paths));
}

function shortPath(path: string): string {
  const below = relative(process.cwd(), path);
  if (below === "") return ".";
  return below === ".." || below.startsWith(`..${sep}`) ? path : below;
}

/** The member of a permission descriptor that holds the value. */
const VALUE_KEYS: Readonly<Record<PermissionName, string>> = {
  read: "path",
  write: "path",
  ffi: "path",
  net: "host",
  import: "host",
  env: "variable",
  sys: "kind",
  run: "command",
};

function isGranted(name: PermissionName, value?: string): boolean {
  const descriptor = {
    name,
    ...(value === undefined ? {} : { [VALUE_KEYS[name]]: value }),
  } as Deno.PermissionDescriptor;
  const status = deno?.permissions.querySync(descriptor);
  return status === undefined || status.state === "granted";
}
