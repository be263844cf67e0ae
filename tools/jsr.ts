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
  let registry: Registry | undefined;
  try {
    registry = await startRegistry();
  } catch (error) {
    console.error(error instanceof TypeError ? error.message : error);
    return 2;
  }
  try {
    return await run(command, {
      args: commandArgs,
      cwd: cwd || ".",
      env: registry ? environment(registry.url) : {},
    });
  } finally {
    await registry?.close();
  }
}

function environment(registryUrl: string): Record<string, string> {
  // Where there is a proxy, Deno asks it for loopback addresses too.
  const direct = Deno.env.get("NO_PROXY") ?? Deno.env.get("no_proxy");
  const noProxy = direct ? `${direct},127.0.0.1` : "127.0.0.1";
  return { JSR_URL: registryUrl, NO_PROXY: noProxy, no_proxy: noProxy };
}

async function startRegistry(): Promise<Registry | undefined> {
  if (Deno.env.get("JSR_URL")) return undefined;
  const separator = Deno.build.os === "windows" ? ";" : ":";
  const named = (Deno.env.get("ZSQS_JSR_PACKAGES") ?? "").split(separator)
    .filter((folder) => folder !== "");
  const isReached = await reachesJsr();
  if (isReached && named.length === 0) return undefined;
  const root = `${import.meta.dirname}/..`;
  const own = isReached ? [root] : [root, ...await listStandIns(root)];
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
  return await serveRegistry({
    packages: [...packages.values()].flat(),
    ...(isReached ? { upstream: JSR_IO } : {}),
  });
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

async function listStandIns(root: string): Promise<string[]> {
  const folders: string[] = [];
  for await (const entry of Deno.readDir(`${root}/tests/jsr`)) {
    if (entry.isDirectory) folders.push(`${root}/tests/jsr/${entry.name}`);
  }
  return folders.sort();
}

interface RunOptions {
  readonly args: string[];
  readonly cwd: string;
  readonly env: Record<string, string>;
}

async function run(command: string, options: RunOptions): Promise<number> {
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
  // Ctrl+C reaches the command too, so it is the one to decide what it means.
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
