/**
 * This package as JSR's npm registry gives it to Node and Bun: the published
 * files as JavaScript, under `node_modules`, with npm's names for what they
 * import.
 *
 * @module
 */

import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { mapImports } from "../tools/registry.ts";

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
  const todo = ["@zsqs/cli"];
  const done = new Set<string>();
  for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
    if (done.has(name)) continue;
    done.add(name);
    const uses = await installPackage(folder, registry, name);
    todo.push(...uses.jsr);
    Object.assign(npm, uses.npm);
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

/** What a package needs: npm packages with their versions, and JSR packages. */
interface Uses {
  readonly npm: Record<string, string>;
  readonly jsr: string[];
}

async function installPackage(
  folder: string,
  registry: string,
  name: string,
): Promise<Uses> {
  const get = async (path: string) => {
    const response = await fetch(`${registry}${name}/${path}`);
    if (!response.ok) throw new Error(`No ${name}/${path} in ${registry}`);
    return response;
  };
  const { latest } = await (await get("meta.json")).json();
  const { manifest, exports }: VersionMeta =
    await (await get(`${latest}_meta.json`)).json();
  const target = join(folder, "node_modules", npmName(name));
  const uses: Uses = { npm: {}, jsr: [] };
  const write = async (path: string, text: string) => {
    await Deno.mkdir(dirname(join(target, path)), { recursive: true });
    await Deno.writeTextFile(join(target, path), text);
  };
  for (const path of Object.keys(manifest)) {
    const text = await (await get(`${latest}${path}`)).text();
    await (path.endsWith(".ts")
      ? write(jsName(path), asJavaScript(text, uses))
      : write(path, text));
  }
  await write(
    "package.json",
    JSON.stringify({
      name: npmName(name),
      version: latest,
      type: "module",
      exports: Object.fromEntries(
        Object.entries(exports).map(([entry, path]) => [entry, jsName(path)]),
      ),
    }),
  );
  return uses;
}

function asJavaScript(code: string, uses: Uses): string {
  return mapImports(
    stripTypeScriptTypes(code, { mode: "transform" }),
    (specifier) => {
      const match = /^(jsr|npm):\/?(@[^/]+\/[^/@]+|[^/@]+)(?:@([^/]+))?(\/.*)?$/
        .exec(
          specifier,
        );
      if (match === null) return jsName(specifier);
      const [, from, name, version = "*", entry = ""] = match;
      if (from === "npm") uses.npm[name!] = version;
      else uses.jsr.push(name!);
      return `${from === "npm" ? name : npmName(name!)}${entry}`;
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
