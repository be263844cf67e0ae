/**
 * Sets of Deno permissions: what a program needs, as flags, and what of it the
 * running one was not given.
 *
 * @module
 */

import { dirname, relative, resolve, sep } from "node:path";
import process from "node:process";

/** Deno's kinds of permissions, in the order in which flags are written. */
const KINDS = [
  "read",
  "write",
  "net",
  "env",
  "sys",
  "run",
  "import",
] as const;

/** A kind of permission, as in `--allow-KIND`. */
export type Right = typeof KINDS[number];

/** A set of Deno permissions. */
export class Rights {
  readonly #values: ReadonlyMap<Right, Set<string>> = new Map(
    KINDS.map((kind) => [kind, new Set()]),
  );
  readonly #all = new Set<Right>();

  /** Adds permissions of a kind. */
  add(kind: Right, ...values: readonly string[]): void {
    for (const value of values) this.#values.get(kind)!.add(value);
  }

  /** Adds all permissions of a kind. */
  addAll(kind: Right): void {
    this.#all.add(kind);
  }

  /** Adds those of another set. */
  addFrom(other: Rights): void {
    for (const kind of KINDS) {
      this.add(kind, ...other.of(kind));
      if (other.has(kind)) this.addAll(kind);
    }
  }

  /** The permissions of a kind, one by one. */
  of(kind: Right): readonly string[] {
    return [...this.#values.get(kind)!];
  }

  /** Whether it has all permissions of a kind. */
  has(kind: Right): boolean {
    return this.#all.has(kind);
  }

  /** The command-line flags that grant all of it and no more. */
  flags(): string[] {
    return KINDS.flatMap((kind) => {
      if (this.has(kind)) return [`--allow-${kind}`];
      const isOfPaths = kind === "read" || kind === "write";
      const values = isOfPaths ? grantable(this.of(kind)) : this.of(kind);
      return values.length === 0 ? [] : [`--allow-${kind}=${values.join(",")}`];
    });
  }

  /** The part of it that this program was not given. */
  missing(): Rights {
    const missing = new Rights();
    for (const kind of KINDS) {
      if (this.has(kind) && !isGranted(kind)) missing.addAll(kind);
      for (const value of this.of(kind)) {
        if (!isGranted(kind, value)) missing.add(kind, value);
      }
    }
    return missing;
  }
}

/** A URL's host and port, as Deno's flags have them. */
export function hostOf({ protocol, hostname, port }: URL): string {
  return `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
}

/**
 * Paths as a flag can grant them: those that others do not hold, relative where
 * they are below this folder. Deno splits what a flag grants at each comma: for
 * a path with one its folder stands.
 */
function grantable(paths: readonly string[]): string[] {
  const absolute = new Set(paths.map((path) => {
    let granted = resolve(path);
    while (granted.includes(",")) granted = dirname(granted);
    return granted;
  }));
  return [...absolute].filter((path) => !isHeld(path, absolute))
    .map(shortPath);
}

/** Whether a folder that a path is in is among others. */
function isHeld(path: string, others: ReadonlySet<string>): boolean {
  const folder = dirname(path);
  return folder !== path && (others.has(folder) || isHeld(folder, others));
}

function shortPath(path: string): string {
  const below = relative(process.cwd(), path);
  if (below === "") return ".";
  return below === ".." || below.startsWith(`..${sep}`) ? path : below;
}

function isGranted(kind: Right, value?: string): boolean {
  return Deno.permissions.querySync(descriptor(kind, value)).state ===
    "granted";
}

function descriptor(
  kind: Right,
  value: string | undefined,
): Deno.PermissionDescriptor {
  const of = <K extends string>(key: K) =>
    (value === undefined ? {} : { [key]: value }) as { [P in K]?: string };
  switch (kind) {
    case "read":
    case "write":
      return { name: kind, ...of("path") };
    case "net":
    case "import":
      return { name: kind, ...of("host") };
    case "env":
      return { name: kind, ...of("variable") };
    case "sys":
      return { name: kind, ...of("kind") } as Deno.SysPermissionDescriptor;
    case "run":
      return { name: kind, ...of("command") };
  }
}
