/**
 * A JSR registry on the loopback address, for what this project and its
 * stand-ins need: JSR's protocol is static files. It serves each package as
 * `deno publish` would publish it.
 *
 * @module
 */

/** Options for {@linkcode serveRegistry}. */
interface RegistryOptions {
  /** The folders of the packages, each with a `deno.json`. */
  readonly packages: readonly string[];
  /** The registry that is asked for all other packages, by default none. */
  readonly upstream?: string;
}

/** A running registry. */
export interface Registry extends AsyncDisposable {
  /** The value for `JSR_URL`, with a slash at its end. */
  readonly url: string;
  /** Stops the registry; resolves when it listens no more. */
  close(): Promise<void>;
}

/** What of a `deno.json` matters here. */
interface PackageConfig {
  /** The package's name, `@scope/name`. */
  readonly name: string;
  /** The package's version. */
  readonly version: string;
  /** Its modules by entry point, or the only one. */
  readonly exports?: string | Readonly<Record<string, string>>;
  /** Its import map. */
  readonly imports?: Readonly<Record<string, string>>;
  /** What is published of it. */
  readonly publish?: { readonly include?: readonly string[] };
  /** The folders of the packages in it. */
  readonly workspace?: readonly string[];
}

type ImportMap = Readonly<Record<string, string>>;
type Files = Map<string, Uint8Array<ArrayBuffer>>;

/**
 * Serves packages on the loopback address.
 *
 * The URL's path holds a hash of all that is served, and the port is chosen by
 * it: Deno never asks again for a version it has, so other content needs
 * another URL, and the same content should have the same.
 *
 * @param options What is served.
 * @returns The running registry.
 * @throws {TypeError} If a folder has no `deno.json` with a name and a version,
 * or two hold the same version of the same package.
 */
export async function serveRegistry(
  options: RegistryOptions,
): Promise<Registry> {
  const files = await readPackages(options.packages);
  const parts: string[] = [];
  for (const [path, content] of files) {
    parts.push(path, await sha256(content));
  }
  const hash = await sha256(new TextEncoder().encode(parts.join("\n")));
  const prefix = `/${hash.slice(0, 16)}/`;
  const handler = (request: Request): Response | Promise<Response> =>
    answer(request, { files, prefix, upstream: options.upstream });
  const server = listen(20_000 + parseInt(hash.slice(0, 8), 16) % 20_000);
  const close = (): Promise<void> => server.shutdown();
  return {
    url: `http://127.0.0.1:${server.addr.port}${prefix}`,
    close,
    [Symbol.asyncDispose]: close,
  };

  function listen(port: number): Deno.HttpServer<Deno.NetAddr> {
    const onListen = (): void => {};
    try {
      return Deno.serve({ hostname: "127.0.0.1", port, onListen }, handler);
    } catch (error) {
      if (port === 0) throw error;
      return listen(0);
    }
  }
}

/**
 * Reads the `deno.json` of a package's folder.
 *
 * @param folder The package's folder.
 * @returns The parts of it that matter here.
 * @throws {TypeError} If there is none, or it has no name or version.
 */
export async function readConfig(folder: string): Promise<PackageConfig> {
  const config = await readJson(`${folder}/deno.json`);
  if (!config?.name || !config.version) {
    throw new TypeError(
      `Cannot serve package "${folder}": it has no deno.json with a name and a version`,
    );
  }
  return config;
}

async function readPackages(folders: readonly string[]): Promise<Files> {
  const files: Files = new Map();
  const versions = new Map<string, string[]>();
  for (const folder of folders) {
    const config = await readConfig(folder);
    const { name, version } = config;
    const known = versions.get(name) ?? [];
    if (known.includes(version)) {
      throw new TypeError(
        `Cannot serve package "${folder}": another folder has ${name} ${version} too`,
      );
    }
    versions.set(name, [...known, version]);
    const manifest: Record<string, { size: number; checksum: string }> = {};
    for (const [path, content] of await readPackage(folder, config)) {
      files.set(`${name}/${version}/${path}`, content);
      manifest[`/${path}`] = {
        size: content.length,
        checksum: `sha256-${await sha256(content)}`,
      };
    }
    const exports = typeof config.exports === "string"
      ? { ".": config.exports }
      : config.exports ?? {};
    files.set(`${name}/${version}_meta.json`, toJson({ manifest, exports }));
  }
  for (const [name, known] of versions) {
    const [scope, short] = name.slice(1).split("/");
    const latest = known.toSorted(compareVersions).at(-1);
    const byVersion = Object.fromEntries(known.map((version) => [version, {}]));
    files.set(
      `${name}/meta.json`,
      toJson({ scope, name: short, latest, versions: byVersion }),
    );
  }
  return files;
}

async function readPackage(
  folder: string,
  config: PackageConfig,
): Promise<Files> {
  const include = config.publish?.include;
  const isServed = include ? includes(include) : isShipped;
  const maps = [config.imports ?? {}, await readParentMap(folder)];
  const files: Files = new Map();
  for (const path of await listFiles(folder)) {
    if (!isServed(path)) continue;
    const content = await Deno.readFile(`${folder}/${path}`);
    if (/\.[cm]?[jt]sx?$/.test(path)) {
      const code = mapImports(
        new TextDecoder().decode(content),
        (name) => resolve(name, maps),
      );
      files.set(path, new TextEncoder().encode(code));
    } else files.set(path, content);
  }
  return files;
}

async function listFiles(folder: string, below = ""): Promise<string[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(`${folder}/${below}`)) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const path = `${below}${entry.name}`;
    if (entry.isFile) paths.push(path);
    if (entry.isDirectory) {
      paths.push(...await listFiles(folder, `${path}/`));
    }
  }
  return paths.sort();
}

function includes(patterns: readonly string[]): (path: string) => boolean {
  const regexps = patterns.map((pattern) => {
    const names = pattern.replace(/^\.\//, "").replace(/\/$/, "").split("*");
    const escaped = names.map((name) => name.replace(/[^\w/-]/g, "\\$&"));
    return new RegExp(`^${escaped.join("[^/]*")}(/|$)`);
  });
  return (path) => regexps.some((regexp) => regexp.test(path));
}

function isShipped(path: string): boolean {
  return !/_test\.[cm]?[jt]sx?$/.test(path) && !/(^|\/)testdata\//.test(path);
}

async function readParentMap(folder: string): Promise<ImportMap> {
  const names = (await Deno.realPath(folder)).split(/[/\\]/);
  while (names.pop() !== undefined) {
    const parent = names.join("/");
    const config = await readJson(`${parent}/deno.json`);
    if (!config) continue;
    const members: Record<string, string> = {};
    for (const member of config.workspace ?? []) {
      const { name, version } = await readConfig(`${parent}/${member}`);
      members[name] = `jsr:${name}@^${version}`;
    }
    return { ...members, ...config.imports };
  }
  return {};
}

// What is not an import is matched first where text might look like one:
// comments, regular expressions, template literals and strings.
const CODE_REGEXP = new RegExp(
  [
    /\/\/.*|\/\*[^]*?\*\//,
    /(?<=[=(,:;!&|?{}[]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\//,
    /(?<head>\bfrom\s*|\bimport\s*(?:\(\s*)?)(?<quote>["'])(?<name>[^"'\n]+)\k<quote>/,
    /`(?:\\[^]|[^`\\])*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/,
  ].map((regexp) => regexp.source).join("|"),
  "g",
);

/**
 * Replaces the specifiers of a module's imports, and leaves alone what only
 * looks like one.
 *
 * @param code The module's text.
 * @param replace Gives the new specifier.
 * @returns The text with the new ones.
 */
export function mapImports(
  code: string,
  replace: (name: string) => string,
): string {
  return code.replace(CODE_REGEXP, (text, ...rest) => {
    const { head, quote, name } = rest.at(-1) as Record<string, string>;
    return name ? `${head}${quote}${replace(name)}${quote}` : text;
  });
}

function resolve(name: string, maps: readonly ImportMap[]): string {
  for (const map of maps) {
    const key = Object.keys(map)
      .filter((key) =>
        name === key || name.startsWith(key.endsWith("/") ? key : `${key}/`)
      )
      .sort((a, b) => a.length - b.length).at(-1);
    const target = key === undefined ? undefined : map[key];
    if (target && /^(jsr|npm):/.test(target)) {
      return target + name.slice(key!.length);
    }
  }
  return name;
}

interface Served {
  readonly files: Files;
  readonly prefix: string;
  readonly upstream: string | undefined;
}

function answer(
  request: Request,
  { files, prefix, upstream }: Served,
): Response | Promise<Response> {
  const { pathname } = new URL(request.url);
  const rest = pathname.slice(prefix.length);
  const path = decodeURIComponent(rest);
  const content = files.get(path);
  if (pathname.startsWith(prefix) && content) {
    const type = contentType(path);
    return new Response(content, { headers: { "content-type": type } });
  }
  const name = path.split("/").slice(0, 2).join("/");
  if (
    !pathname.startsWith(prefix) || !upstream || files.has(`${name}/meta.json`)
  ) return new Response("Not found", { status: 404 });
  return pass(request, upstream.replace(/\/?$/, "/") + rest);
}

async function pass(request: Request, url: string): Promise<Response> {
  try {
    const accept = request.headers.get("accept") ?? "*/*";
    const response = await fetch(url, {
      method: request.method,
      headers: { accept },
    });
    const type = response.headers.get("content-type") ?? contentType(url);
    return new Response(response.body, {
      status: response.status,
      headers: { "content-type": type },
    });
  } catch (error) {
    return new Response(`Cannot reach ${url}: ${error}`, { status: 502 });
  }
}

function contentType(path: string): string {
  if (path.endsWith(".json")) return "application/json";
  if (/\.[cm]?tsx?$/.test(path)) return "text/typescript; charset=utf-8";
  if (/\.[cm]?jsx?$/.test(path)) return "text/javascript; charset=utf-8";
  return "application/octet-stream";
}

function compareVersions(a: string, b: string): number {
  // A release counts more than any version before one, for "latest" too.
  if (a.includes("-") !== b.includes("-")) return a.includes("-") ? -1 : 1;
  return a.localeCompare(b, "en", { numeric: true });
}

async function readJson(file: string): Promise<PackageConfig | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  return JSON.parse(text);
}

function toJson(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

async function sha256(content: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", content);
  return Array.from(
    new Uint8Array(digest),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}
