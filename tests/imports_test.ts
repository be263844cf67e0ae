/**
 * The floors of `src/`: a file imports files of the same folder and of lower
 * floors only. Types count, and no file leads back to itself.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** The lowest first. Two folders of one floor never import each other. */
const FLOORS: readonly (readonly string[])[] = [
  ["src"],
  ["src/sqs", "src/logging"],
  ["src/message", "src/aws"],
  ["src/job"],
  ["src/config", "src/telemetry"],
  ["src/connect", "src/engine", "src/isolation"],
  ["src/sending", "src/container", "src/double", "src/permissions"],
  ["src/operate", "src/lambda", "src/web/pages"],
  ["src/web"],
  ["src/cli"],
  ["."],
];

/** The files that each file imports, by its path below the root. */
type Imports = ReadonlyMap<string, readonly string[]>;

async function readImports(): Promise<Imports> {
  const imports = new Map<string, string[]>();
  for (const path of [...await list("."), ...await listBelow("src")]) {
    const text = await Deno.readTextFile(join(ROOT, path));
    const code = text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "");
    const specifiers = code.matchAll(
      /(?:\bfrom\s*|\bimport\s*\(?\s*)"(?<name>\.{1,2}\/[^"]+)"/g,
    );
    imports.set(
      path,
      // deno.json is data, which any floor may read.
      [...specifiers].filter(({ groups }) => groups!.name!.endsWith(".ts"))
        .map(({ groups }) =>
          relative(ROOT, join(ROOT, dirname(path), groups!.name!))
        ),
    );
  }
  return imports;
}

async function list(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isFile } of Deno.readDir(join(ROOT, folder))) {
    if (isFile && name.endsWith(".ts")) paths.push(join(folder, name));
  }
  return paths;
}

async function listBelow(folder: string): Promise<string[]> {
  const paths = await list(folder);
  for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
    if (isDirectory) paths.push(...await listBelow(join(folder, name)));
  }
  return paths;
}

function floorOf(path: string): number {
  return FLOORS.findIndex((folders) => folders.includes(dirname(path)));
}

/** What the floors forbid: `src/sqs/a.ts imports src/job/b.ts`. */
function breaches(imports: Imports): string[] {
  return [...imports].flatMap(([from, paths]) =>
    paths.filter((to) =>
      dirname(from) !== dirname(to) && floorOf(to) >= floorOf(from)
    ).map((to) => `${from} imports ${to}`)
  );
}

/** The files of the first circle, the first one again at its end. */
function findCircle(imports: Imports): string[] {
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): string[] => {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return [];
    for (const next of imports.get(path) ?? []) {
      const circle = visit(next, [...way, path]);
      if (circle.length > 0) return circle;
    }
    done.add(path);
    return [];
  };
  for (const path of imports.keys()) {
    const circle = visit(path, []);
    if (circle.length > 0) return circle;
  }
  return [];
}

Deno.test("every folder of src/ stands on a floor", async () => {
  const imports = await readImports();
  const homeless = [...imports.keys()].filter((path) => floorOf(path) < 0);
  assertEquals(homeless, []);
});

Deno.test("files import files of the same folder and of lower floors only", async () => {
  assertEquals(breaches(await readImports()), []);
});

Deno.test("no file imports itself by way of others", async () => {
  assertEquals(findCircle(await readImports()).join(" -> "), "");
});

/** The packages of npm that a file's code imports, or may import later. */
async function packagesOf(path: string): Promise<string[]> {
  const text = await Deno.readTextFile(join(ROOT, path));
  const code = text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, "")
    .replace(/\b(?:import|export) type [^;]*;|\btypeof import\(/g, "");
  return [...code.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)"(@[^"]+)"/g)]
    .map(([, name]) => name!).filter((name) => !name.startsWith("@std/"));
}

Deno.test("a container imports one package of npm, as each takes Deno long to resolve", async () => {
  const imports = await readImports();
  const reached = new Set(["container.ts", "lambda.ts", "producer.ts"]);
  // The loop reaches entries that are added meanwhile.
  for (const path of reached) {
    const text = await Deno.readTextFile(join(ROOT, path));
    for (const next of imports.get(path) ?? []) {
      const name = next.slice(next.lastIndexOf("/"));
      const isCode = text.replace(/\b(?:import|export) type [^;]*;/g, "")
        .includes(`${name}"`);
      if (isCode) reached.add(next);
    }
  }
  const packages = await Promise.all([...reached].map(packagesOf));
  assertEquals([...new Set(packages.flat())], ["@aws-sdk/client-sqs"]);
});

Deno.test("the command line loads the page for operators only on demand", async () => {
  const imports = await readImports();
  const reached = new Set(["cli.ts"]);
  for (const path of reached) {
    const text = (await Deno.readTextFile(join(ROOT, path)))
      .replace(/\b(?:import|export) type [^;]*;|\bimport\([^)]*\)/g, "");
    for (const next of imports.get(path) ?? []) {
      const name = next.slice(next.lastIndexOf("/"));
      // Templates import files of a project.
      if (imports.has(next) && text.includes(`${name}"`)) reached.add(next);
    }
  }
  assertEquals(reached.has("src/cli/web.ts"), true);
  // Of the options, it imports types.
  reached.delete("src/web/options.ts");
  const pages = [...reached].filter((path) => path.startsWith("src/web/"));
  assertEquals(pages, []);
});

Deno.test("the SDK's client of S3 is loaded at the version of deno.json", async () => {
  const read = (path: string) => Deno.readTextFile(join(ROOT, path));
  const { imports } = JSON.parse(await read("deno.json"));
  const [, name, version] = /PACKAGE = \["([^"]+)", "([^"]+)"\]/.exec(
    await read("src/aws/s3.ts"),
  )!;
  assertEquals(imports[name!], `npm:${name}@${version}`);
});

Deno.test("a forbidden import and a circle are named", () => {
  const imports: Imports = new Map([
    ["src/sqs/a.ts", ["src/sqs/b.ts"]],
    ["src/sqs/b.ts", ["src/sqs/a.ts", "src/job/c.ts"]],
    ["src/job/c.ts", []],
  ]);
  assertEquals(breaches(imports), ["src/sqs/b.ts imports src/job/c.ts"]);
  assertEquals(
    findCircle(imports).join(" -> "),
    [
      "src/sqs/a.ts",
      "src/sqs/b.ts",
      "src/sqs/a.ts",
    ].join(" -> "),
  );
});
