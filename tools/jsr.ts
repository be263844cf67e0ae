/**
 * Runs a command with JSR imports working, whether jsr.io is reached or not.
 *
 * ```sh
 * deno run -A tools/jsr.ts [--cwd=DIR] COMMAND ARGS...
 * ```
 *
 * Where `JSR_URL` is set or jsr.io answers, the command runs as it is. Else it
 * runs with `JSR_URL` at a registry on the loopback address with this package
 * and the stand-ins of `tests/jsr/`. The folders named in `ZSQS_JSR_PACKAGES`
 * are served in their place, over jsr.io too where it answers.
 *
 * @module
 */

import { readConfig, type Registry, serveRegistry } from "./registry.ts";

const ROOT = `${import.meta.dirname}/..`;
const JSR_IO = "https://jsr.io";
const PROBE_TIMEOUT_MS = 3_000;
const USAGE = "Usage: deno task jsr COMMAND ARGS...";

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(args: readonly string[]): Promise<number> {
  const hasCwd = args[0]?.startsWith("--cwd=") ?? false;
  const cwd = hasCwd ? args[0]!.slice("--cwd=".length) : "";
  const [command, ...commandArgs] = hasCwd ? args.slice(1) : args;
  if (command === undefined) {
    console.error(USAGE);
    return 2;
  }
  let registry: RunningRegistry | undefined;
  try {
    registry = await startRegistry();
  } catch (error) {
    console.error(error instanceof TypeError ? error.message : error);
    return 2;
  }
  try {
    return await runCommand(command, {
      args: commandArgs,
      cwd: cwd || ".",
      env: registry?.env ?? {},
    });
  } finally {
    await registry?.[Symbol.asyncDispose]();
  }
}

/** A registry, and the environment in which a command uses it. */
interface RunningRegistry extends AsyncDisposable {
  /** `JSR_URL`, and what keeps a proxy from it. */
  readonly env: Record<string, string>;
}

/**
 * Starts the registry that a command needs.
 *
 * @param options `ownPackage` serves this package also where JSR is reached.
 * @returns The registry, or `undefined` if JSR is reached without.
 * @throws {TypeError} If a folder of `ZSQS_JSR_PACKAGES` holds no package.
 */
export async function startRegistry(
  options: { readonly ownPackage?: boolean } = {},
): Promise<RunningRegistry | undefined> {
  const { ownPackage = false } = options;
  const given = Deno.env.get("JSR_URL");
  if (given) {
    return ownPackage
      ? running(await serveRegistry({ packages: [ROOT], upstream: given }))
      : undefined;
  }
  const separator = Deno.build.os === "windows" ? ";" : ":";
  const named = (Deno.env.get("ZSQS_JSR_PACKAGES") ?? "").split(separator)
    .filter((folder) => folder !== "");
  const isReached = await reachesJsr();
  if (isReached && named.length === 0 && !ownPackage) return undefined;
  const own = isReached ? [ROOT] : [ROOT, ...await listStandIns()];
  const packages = new Map<string, string[]>();
  for (const folder of own) {
    packages.set((await readConfig(folder)).name, [folder]);
  }
  const replaced = new Set<string>();
  for (const folder of named) {
    const { name } = await readConfig(folder);
    const others = replaced.has(name) ? packages.get(name)! : [];
    packages.set(name, [...others, folder]);
    replaced.add(name);
  }
  return running(
    await serveRegistry({
      packages: [...packages.values()].flat(),
      ...(isReached ? { upstream: JSR_IO } : {}),
    }),
  );
}

function running(registry: Registry): RunningRegistry {
  // Where there is a proxy, Deno asks it for loopback addresses too.
  const direct = Deno.env.get("NO_PROXY") ?? Deno.env.get("no_proxy");
  const noProxy = direct ? `${direct},127.0.0.1` : "127.0.0.1";
  return {
    env: { JSR_URL: registry.url, NO_PROXY: noProxy, no_proxy: noProxy },
    [Symbol.asyncDispose]: () => registry.close(),
  };
}

async function reachesJsr(): Promise<boolean> {
  try {
    const response = await fetch(`${JSR_IO}/@std/assert/meta.json`, {
      signal: AbortSignal.timeout(PROBE_TIMEOUT_MS),
    });
    return (await response.json()).name === "assert";
  } catch {
    return false;
  }
}

async function listStandIns(): Promise<string[]> {
  const folders: string[] = [];
  for await (const entry of Deno.readDir(`${ROOT}/tests/jsr`)) {
    if (entry.isDirectory) folders.push(`${ROOT}/tests/jsr/${entry.name}`);
  }
  return folders.sort();
}

/** How {@linkcode runCommand} runs a command. */
export interface RunOptions {
  readonly args: string[];
  readonly cwd: string;
  readonly env: Record<string, string>;
  /** Whether `env` is all of its environment. */
  readonly clearEnv?: boolean;
}

/**
 * Runs a command on this process's standard streams.
 *
 * @returns Its exit status: 126 or 127 if it cannot start.
 */
export async function runCommand(
  command: string,
  options: RunOptions,
): Promise<number> {
  try {
    // A missing folder and a missing command are the same error to spawn().
    await Deno.stat(options.cwd);
  } catch {
    console.error(
      `Cannot run "${command}" in "${options.cwd}": no such folder`,
    );
    return 2;
  }
  let child: Deno.ChildProcess | undefined;
  const terminate = (): void => {
    try {
      child?.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
  };
  // Ctrl+C reaches the command too, so the command decides about it.
  Deno.addSignalListener("SIGINT", () => {});
  // Windows has no SIGTERM to listen to.
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGTERM", terminate);
  }
  const program = command === "deno" ? Deno.execPath() : command;
  try {
    child = new Deno.Command(program, options).spawn();
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    console.error(
      isMissing
        ? `Cannot run "${command}": no such command`
        : `Cannot run "${command}": ${(error as Error).message}`,
    );
    return isMissing ? 127 : 126;
  }
  const { code } = await child.status;
  return code;
}
