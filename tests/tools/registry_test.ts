/**
 * The JSR registry of closed networks, on the loopback address.
 *
 * @module
 */

import {
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { serveRegistry } from "../../tools/registry.ts";
import { Folder } from "../support/folder.ts";

const ROOT = `${import.meta.dirname}/../..`;
// Nothing listens there.
const NOWHERE = "http://127.0.0.1:9/";

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url);
  assertEquals(response.status, 200, url);
  return await response.json();
}

async function getText(url: string): Promise<string> {
  const response = await fetch(url);
  assertEquals(response.status, 200, url);
  return await response.text();
}

async function getStatus(url: string): Promise<number> {
  const response = await fetch(url);
  await response.body?.cancel();
  return response.status;
}

Deno.test("serveRegistry() lists the versions of a package", async () => {
  await using folder = await Folder.with({
    "a/deno.json": { name: "@x/y", version: "1.9.0" },
    "b/deno.json": { name: "@x/y", version: "1.10.0" },
    "c/deno.json": { name: "@x/y", version: "2.0.0-rc.1" },
  });
  await using registry = await serveRegistry({
    packages: ["a", "b", "c"].map((name) => `${folder.path}/${name}`),
  });
  assertEquals(await getJson(`${registry.url}@x/y/meta.json`), {
    scope: "x",
    name: "y",
    latest: "1.10.0",
    versions: { "1.9.0": {}, "1.10.0": {}, "2.0.0-rc.1": {} },
  });
});

Deno.test("serveRegistry() lists a version's files and their checksums", async () => {
  await using folder = await Folder.with({
    "deno.json": { name: "@x/y", version: "1.0.0", exports: "./mod.ts" },
    "mod.ts": 'export * from "./lib/a.ts";\n',
    "lib/a.ts": "export const a = 1;\n",
    "lib/a_test.ts": "",
    "testdata/a.txt": "",
    "node_modules/a/index.js": "",
    ".hidden": "",
    ".git/config": "",
    "README.md": "# Y, 100 % ünïcode\n",
  });
  await using registry = await serveRegistry({ packages: [folder.path] });
  const meta = await getJson(`${registry.url}@x/y/1.0.0_meta.json`) as {
    exports: unknown;
    manifest: Record<string, { size: number; checksum: string }>;
  };
  assertEquals(meta.exports, { ".": "./mod.ts" });
  assertEquals(Object.keys(meta.manifest).sort(), [
    "/README.md",
    "/deno.json",
    "/lib/a.ts",
    "/mod.ts",
  ]);
  for (const [path, { size, checksum }] of Object.entries(meta.manifest)) {
    const response = await fetch(`${registry.url}@x/y/1.0.0${path}`);
    const content = await response.bytes();
    const digest = await crypto.subtle.digest("SHA-256", content);
    assertEquals(size, content.length);
    assertEquals(checksum, `sha256-${new Uint8Array(digest).toHex()}`);
  }
  assertEquals(await getStatus(`${registry.url}@x/y/1.0.0/lib/a_test.ts`), 404);
});

Deno.test("serveRegistry() serves what publish.include names", async () => {
  await using folder = await Folder.with({
    "deno.json": {
      name: "@x/y",
      version: "1.0.0",
      exports: { ".": "./mod.ts", "./b": "./b.ts" },
      publish: { include: ["*.ts", "deno.json", "docs/", "./LICENSE"] },
    },
    "mod.ts": "",
    "b.ts": "",
    "b.tsx": "",
    "lib/c.ts": "",
    "docs/deep/d.md": "",
    "LICENSE": "",
    "LICENSE.old": "",
    "xdeno.json": "",
    "denoxjson": "",
  });
  await using registry = await serveRegistry({ packages: [folder.path] });
  const meta = await getJson(`${registry.url}@x/y/1.0.0_meta.json`) as {
    exports: unknown;
    manifest: object;
  };
  assertEquals(meta.exports, { ".": "./mod.ts", "./b": "./b.ts" });
  assertEquals(Object.keys(meta.manifest).sort(), [
    "/LICENSE",
    "/b.ts",
    "/deno.json",
    "/docs/deep/d.md",
    "/mod.ts",
  ]);
});

Deno.test("serveRegistry() serves this package as it would be published", async () => {
  await using registry = await serveRegistry({ packages: [ROOT] });
  const { name, version, imports } = JSON.parse(
    await Deno.readTextFile(`${ROOT}/deno.json`),
  );
  const base = `${registry.url}${name}/${version}`;
  const { manifest } = await getJson(`${base}_meta.json`) as {
    manifest: Record<string, unknown>;
  };
  for (const path of Object.keys(manifest)) {
    assertMatch(path, /^\/(src\/.+|[^/]+)$/);
    if (!path.endsWith(".ts")) continue;
    const code = await getText(`${base}${path}`);
    for (const name of Object.keys(imports)) {
      assertEquals(code.match(`^[^*/]*from "${name}[/"]`), null, path);
    }
  }
});

Deno.test("serveRegistry() rewrites specifiers as deno publish does", async () => {
  const config = {
    name: "@x/y",
    version: "1.0.0",
    imports: { "@own/z": "jsr:@own/z@^3", "chalk": "npm:chalk@5", "~/": "./" },
  };
  await using folder = await Folder.with({
    "deno.json": {
      imports: { "@own/z": "jsr:@own/other@1", "@map/": "jsr:/@map@2/" },
      workspace: ["./y", "./w"],
    },
    "w/deno.json": { name: "@std/w", version: "1.2.3-rc.4" },
    "y/deno.json": config,
    "y/mod.ts": [
      'import { a } from "@own/z";',
      "import type { b } from '@own/z/sub/path';",
      'import "chalk";',
      'export * from "@std/w";',
      'export { c } from "@std/w/c";',
      "import {",
      "  d,",
      '} from "@map/d";',
      'import e from "./@own/z.ts";',
      'import f from "@own/zebra";',
      'import g from "node:fs";',
      'import h from "~/h.ts";',
      '/** import "chalk" and {@link import("chalk")} */',
      "// import 'chalk' it's",
      "const pattern = /[`\"'/]/.test('x');",
      'const text = \'import "chalk"\' + `from "chalk" \\` /*`;',
      'const chalk = await import("chalk");',
      'const sub = () => import( "chalk/sub");',
      "const computed = import(`chalk`);",
      'type Chalk = typeof import("chalk");',
    ].join("\n"),
    "y/data.json": { text: 'from "chalk"' },
  });
  await using registry = await serveRegistry({
    packages: [`${folder.path}/y`],
  });
  const base = `${registry.url}@x/y/1.0.0`;
  const code = await getText(`${base}/mod.ts`);
  assertEquals(code.split("\n"), [
    'import { a } from "jsr:@own/z@^3";',
    "import type { b } from 'jsr:@own/z@^3/sub/path';",
    'import "npm:chalk@5";',
    'export * from "jsr:@std/w@^1.2.3-rc.4";',
    'export { c } from "jsr:@std/w@^1.2.3-rc.4/c";',
    "import {",
    "  d,",
    '} from "jsr:/@map@2/d";',
    'import e from "./@own/z.ts";',
    'import f from "@own/zebra";',
    'import g from "node:fs";',
    'import h from "~/h.ts";',
    '/** import "chalk" and {@link import("chalk")} */',
    "// import 'chalk' it's",
    "const pattern = /[`\"'/]/.test('x');",
    'const text = \'import "chalk"\' + `from "chalk" \\` /*`;',
    'const chalk = await import("npm:chalk@5");',
    'const sub = () => import( "npm:chalk@5/sub");',
    "const computed = import(`chalk`);",
    'type Chalk = typeof import("npm:chalk@5");',
  ]);
  assertEquals(await getJson(`${base}/deno.json`), config);
  assertEquals(await getJson(`${base}/data.json`), { text: 'from "chalk"' });
});

Deno.test("serveRegistry() has another path where it serves other content", async () => {
  await using folder = await Folder.with({
    "deno.json": { name: "@x/y", version: "1.0.0" },
    "mod.ts": "export const a = 1;",
  });
  const packages = [folder.path];
  await using first = await serveRegistry({ packages });
  // The first one has the port that this one would choose.
  await using second = await serveRegistry({ packages });
  await folder.write("mod.ts", "export const a = 2;");
  await using third = await serveRegistry({ packages });
  const path = (url: string) => new URL(url).pathname;
  assertEquals(path(first.url), path(second.url));
  assertNotEquals(path(first.url), path(third.url));
  const file = "@x/y/1.0.0/mod.ts";
  assertEquals(await getText(first.url + file), "export const a = 1;");
  assertEquals(await getText(second.url + file), "export const a = 1;");
  assertEquals(await getText(third.url + file), "export const a = 2;");
  assertEquals(
    await getStatus(new URL(path(first.url), third.url) + file),
    404,
  );
});

Deno.test("serveRegistry() asks upstream for other packages only", async () => {
  await using folder = await Folder.with({
    "near/deno.json": { name: "@x/y", version: "2.0.0" },
    "near/mod.ts": "near",
    "far/deno.json": { name: "@x/y", version: "1.0.0" },
    "far/mod.ts": "far",
    "other/deno.json": { name: "@x/other", version: "1.0.0" },
    "other/mod.ts": "other",
  });
  await using upstream = await serveRegistry({
    packages: [`${folder.path}/far`, `${folder.path}/other`],
  });
  const packages = [`${folder.path}/near`];
  await using registry = await serveRegistry({
    packages,
    upstream: upstream.url,
  });
  const { url } = registry;
  assertEquals(await getText(`${url}@x/other/1.0.0/mod.ts`), "other");
  assertEquals(await getText(`${url}@x/y/2.0.0/mod.ts`), "near");
  assertEquals(await getStatus(`${url}@x/y/1.0.0/mod.ts`), 404);
  assertEquals(await getStatus(`${url}@x/none/meta.json`), 404);
  await using alone = await serveRegistry({ packages });
  assertEquals(await getStatus(`${alone.url}@x/other/meta.json`), 404);
});

Deno.test("serveRegistry() answers 502 where upstream does not", async () => {
  await using registry = await serveRegistry({
    packages: [],
    upstream: NOWHERE,
  });
  assertEquals(await getStatus(`${registry.url}@x/y/meta.json`), 502);
});

Deno.test("serveRegistry() refuses a folder without a package, or a package twice", async () => {
  await using folder = await Folder.with({
    "unnamed/deno.json": { version: "1.0.0" },
    "a/deno.json": { name: "@x/y", version: "1.0.0" },
    "b/deno.json": { name: "@x/y", version: "1.0.0" },
  });
  for (const name of ["none", "unnamed"]) {
    await assertRejects(
      () => serveRegistry({ packages: [`${folder.path}/${name}`] }),
      TypeError,
      `${name}": it has no deno.json with a name and a version`,
    );
  }
  await assertRejects(
    () => serveRegistry({ packages: [`${folder.path}/a`, `${folder.path}/b`] }),
    TypeError,
    'b": another folder has @x/y 1.0.0 too',
  );
});
