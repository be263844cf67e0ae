/**
 * This package as JSR's npm registry gives it to Node and Bun: `@jsr/zsqs__cli`,
 * which `npx jsr add @zsqs/cli` puts into `node_modules/@zsqs/cli`. Next to each
 * published module is its JavaScript, with npm's names for its imports.
 *
 * Not made are the declarations of types (`_dist/`) and source maps, and not
 * tried is JSR's own conversion, which Node's `stripTypeScriptTypes()` stands in
 * for.
 *
 * @module
 */

import { stripTypeScriptTypes } from "node:module";
import { dirname, join, relative } from "node:path";
import { mapImports } from "../../tools/registry.ts";
import manifest from "../../deno.json" with { type: "json" };

const ROOT = join(import.meta.dirname!, "../..");

const OWN = "@zsqs/cli";

/** What a registry says of a package's version. */
interface VersionMeta {
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly exports: Readonly<Record<string, string>>;
}

/** Versions of packages, by their names. */
type Dependencies = Record<string, string>;

/** What an installation needs of both registries. */
interface Needs {
  readonly jsr: Dependencies;
  readonly npm: Dependencies;
}

/** Options of {@linkcode installForNode}. */
interface InstallOptions {
  /** Modules of `tests/`, which are put at their places in the folder. */
  readonly tests?: readonly string[];
  /** Further packages of npm. */
  readonly npm?: Readonly<Dependencies>;
}

/**
 * Installs this package and all it needs in a folder.
 *
 * @param folder The folder, which gets a `package.json` and `node_modules`.
 * @param registry A registry as JSR is, with this package.
 */
export async function installForNode(
  folder: string,
  registry: string,
  { tests = [], npm = {} }: InstallOptions = {},
): Promise<void> {
  const needs: Needs = { jsr: {}, npm: { ...npm } };
  await installTests(folder, tests, needs);
  const wanted = Object.entries(needs.jsr).map(([name, version]) =>
    `jsr:${name}@${version}`
  );
  for (
    const [name, version] of await packagesOf(registry, [
      `jsr:${OWN}`,
      ...wanted,
    ])
  ) {
    const url = `${registry}${name}/${version}`;
    Object.assign(needs.npm, await installPackage(folder, url, name, version));
  }
  // Deno has what npm would bring, as the tests use it themselves.
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ type: "module", dependencies: needs.npm }),
  );
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--node-modules-dir=auto", "--lock=false"],
    cwd: folder,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** Packages from JSR and their dependencies, with their versions. */
async function packagesOf(
  registry: string,
  specifiers: readonly string[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const specifier of specifiers) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--no-config", specifier],
      env: { JSR_URL: registry },
    }).output();
    const { packages } = JSON.parse(new TextDecoder().decode(stdout));
    for (const id of Object.values<string>(packages)) {
      const [, name, version] = /^(.+)@([^@]+)$/.exec(id)!;
      found.set(name!, version!);
    }
  }
  return found;
}

/** Installs a package, and returns which npm packages it needs. */
async function installPackage(
  folder: string,
  url: string,
  name: string,
  version: string,
): Promise<Dependencies> {
  const get = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    if (!response.ok) throw new Error(`There is no ${url}${path}`);
    return response;
  };
  const { manifest, exports }: VersionMeta = await (await get("_meta.json"))
    .json();
  // This package has the name that users install it as.
  const target = join("node_modules", name === OWN ? OWN : npmName(name));
  const needs: Needs = { jsr: {}, npm: {} };
  const rename = (specifier: string) =>
    npmSpecifier(specifier, needs) ?? jsName(specifier);
  for (const path of Object.keys(manifest)) {
    const text = await (await get(path)).text();
    const isModule = path.endsWith(".ts");
    const source = isModule ? mapImports(text, rename) : text;
    await write(join(folder, target, path), source);
    if (!isModule) continue;
    await write(join(folder, target, jsName(path)), asJavaScript(text, rename));
  }
  const packageJson = {
    name: npmName(name),
    version,
    homepage: `https://jsr.io/${name}`,
    type: "module",
    exports: Object.fromEntries(
      Object.entries(exports).map(([entry, path]) => [
        entry,
        { default: jsName(path) },
      ]),
    ),
    dependencies: {
      ...Object.fromEntries(
        Object.entries(needs.jsr).map(([each, req]) => [npmName(each), req]),
      ),
      ...needs.npm,
    },
  };
  await write(
    join(folder, target, "package.json"),
    JSON.stringify(packageJson, undefined, 2),
  );
  return needs.npm;
}

/** Puts modules of `tests/` into a folder, with all that they import there. */
async function installTests(
  folder: string,
  modules: readonly string[],
  needs: Needs,
): Promise<void> {
  const all = new Set(modules);
  for (const path of all) {
    const code = asJavaScript(
      await Deno.readTextFile(join(ROOT, path)),
      (specifier) => {
        if (!specifier.startsWith(".")) return testSpecifier(specifier, needs);
        const target = join(dirname(path), specifier);
        if (target.startsWith("tests/")) {
          all.add(target);
          return jsName(specifier);
        }
        const entry = Object.entries(manifest.exports)
          .find(([, file]) => join(file) === target)?.[0];
        if (entry !== undefined) return join(OWN, entry);
        const installed = join("node_modules", OWN, jsName(`./${target}`));
        return relative(dirname(path), installed);
      },
    );
    await write(join(folder, path.replace(/\.ts$/, ".js")), code);
  }
}

/** What a test imports by a name of `deno.json`. */
function testSpecifier(name: string, needs: Needs): string {
  const [key, target] =
    Object.entries(manifest.imports).find(([key]) =>
      name === key || name.startsWith(`${key}/`)
    ) ?? [name, name];
  const rest = name.slice(key.length);
  return npmSpecifier(`${target}${rest}`, needs) ?? name;
}

/** A module as JavaScript. */
function asJavaScript(
  code: string,
  rename: (specifier: string) => string,
): string {
  return mapImports(stripTypeScriptTypes(code, { mode: "transform" }), rename);
}

/** npm's name for a `jsr:` or `npm:` specifier, which is added to the needs. */
function npmSpecifier(specifier: string, needs: Needs): string | undefined {
  const [, from, name, version = "*", entry = ""] =
    /^(jsr|npm):\/?(@[^/]+\/[^/@]+|[^/@]+)(?:@([^/]+))?(\/.*)?$/
      .exec(specifier) ?? [];
  if (from === undefined) return undefined;
  needs[from as keyof Needs][name!] = version;
  return `${from === "jsr" ? npmName(name!) : name}${entry}`;
}

function jsName(path: string): string {
  return /^\.{0,2}\//.test(path) ? path.replace(/\.ts$/, ".js") : path;
}

/** A JSR package's name at npm: `@jsr/std__cli` for `@std/cli`. */
function npmName(name: string): string {
  return `@jsr/${name.slice(1).replace("/", "__")}`;
}

async function write(path: string, text: string): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.writeTextFile(path, text);
}
