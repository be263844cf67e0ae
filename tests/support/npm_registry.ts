/**
 * This package as JSR's npm registry gives it to Node and Bun. The published
 * files are JavaScript, under `node_modules`, and import by npm's names.
 *
 * @module
 */

import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { mapImports } from "../../tools/registry.ts";

/** What a registry says of a package's version. */
interface VersionMeta {
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly exports: Readonly<Record<string, string>>;
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
): Promise<void> {
  const npm: Record<string, string> = {};
  for (const [name, version] of await packagesOf(registry)) {
    Object.assign(
      npm,
      await installPackage(folder, `${registry}${name}/${version}`, name),
    );
  }
  // Deno has what npm would bring, as the tests use it themselves.
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ type: "module", dependencies: npm }),
  );
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["install", "--node-modules-dir=auto", "--lock=false"],
    cwd: folder,
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** This package and those from JSR that it needs, with their versions. */
async function packagesOf(registry: string): Promise<Map<string, string>> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "--no-config", "jsr:@zsqs/cli"],
    env: { JSR_URL: registry },
  }).output();
  const { packages } = JSON.parse(new TextDecoder().decode(stdout));
  return new Map(
    Object.values<string>(packages).map((id) => {
      const [, name, version] = /^(.+)@([^@]+)$/.exec(id)!;
      return [name!, version!];
    }),
  );
}

/** Installs a package, and returns which npm packages it needs. */
async function installPackage(
  folder: string,
  url: string,
  name: string,
): Promise<Record<string, string>> {
  const get = async (path: string) => {
    const response = await fetch(`${url}${path}`);
    if (!response.ok) throw new Error(`There is no ${url}${path}`);
    return response;
  };
  const { manifest, exports }: VersionMeta = await (await get("_meta.json"))
    .json();
  const target = join(folder, "node_modules", npmName(name));
  const write = async (path: string, text: string) => {
    await Deno.mkdir(dirname(join(target, path)), { recursive: true });
    await Deno.writeTextFile(join(target, path), text);
  };
  const npm: Record<string, string> = {};
  for (const path of Object.keys(manifest)) {
    const text = await (await get(path)).text();
    await (path.endsWith(".ts")
      ? write(jsName(path), asJavaScript(text, npm))
      : write(path, text));
  }
  await write(
    "package.json",
    JSON.stringify({
      name: npmName(name),
      type: "module",
      exports: Object.fromEntries(
        Object.entries(exports).map(([entry, path]) => [entry, jsName(path)]),
      ),
    }),
  );
  return npm;
}

/** A module as JavaScript; its npm packages are added to `npm`. */
function asJavaScript(code: string, npm: Record<string, string>): string {
  return mapImports(
    stripTypeScriptTypes(code, { mode: "transform" }),
    (specifier) => {
      const match = /^(jsr|npm):\/?(@[^/]+\/[^/@]+|[^/@]+)(?:@([^/]+))?(\/.*)?$/
        .exec(
          specifier,
        );
      if (match === null) return jsName(specifier);
      const [, from, name, version = "*", entry = ""] = match;
      if (from === "jsr") return `${npmName(name!)}${entry}`;
      npm[name!] = version;
      return `${name}${entry}`;
    },
  );
}

function jsName(path: string): string {
  return /^\.{0,2}\//.test(path) ? path.replace(/\.ts$/, ".js") : path;
}

/** A JSR package's name: as users install this one, JSR's own for others. */
function npmName(name: string): string {
  return name === "@zsqs/cli"
    ? name
    : `@jsr/${name.slice(1).replace("/", "__")}`;
}
