/**
 * Tests of `deno task jsr` as a process, and of the registry behind it.
 *
 * @module
 */

import {
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { serveRegistry } from "../../tools/registry.ts";

const ROOT = `${import.meta.dirname}/../..`;
const COMMAND = ["run", "-A", `${ROOT}/tools/jsr.ts`];
// Nothing listens there.
const NOWHERE = "http://127.0.0.1:9/";
// With such a proxy jsr.io never answers.
const CLOSED_NETWORK = {
  JSR_URL: "",
  HTTPS_PROXY: NOWHERE,
  https_proxy: NOWHERE,
  NO_PROXY: "",
  no_proxy: "",
};
const PRINT_META = `
  for (const name of Deno.args) {
    const response = await fetch(Deno.env.get("JSR_URL") + name + "/meta.json");
    const meta = response.ok ? await response.json() : await response.text();
    console.log(name, Object.keys(meta.versions ?? {}).join());
  }
`;

interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly stdin?: string;
}

interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function runDeno(
  args: string[],
  { cwd = ROOT, env = {}, stdin = "" }: RunOptions = {},
): Promise<RunResult> {
  const inherited: Record<string, string> = {
    ...Deno.env.toObject(),
    JSR_URL: NOWHERE,
    ZSQS_JSR_PACKAGES: "",
    NO_COLOR: "1",
  };
  // A task inside a task keeps the folder of the outer one.
  delete inherited.INIT_CWD;
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    clearEnv: true,
    env: { ...inherited, ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin));
  await writer.close();
  const output = await child.output();
  const decoder = new TextDecoder();
  return {
    code: output.code,
    stdout: decoder.decode(output.stdout).replaceAll("\r\n", "\n"),
    stderr: decoder.decode(output.stderr).replaceAll("\r\n", "\n"),
  };
}

function runJsr(args: string[], options?: RunOptions): Promise<RunResult> {
  return runDeno([...COMMAND, ...args], options);
}

class Folder implements AsyncDisposable {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  static async create(files: Record<string, unknown> = {}): Promise<Folder> {
    const path = await Deno.realPath(await Deno.makeTempDir());
    const folder = new Folder(path);
    await folder.write(files);
    return folder;
  }

  async write(files: Record<string, unknown>): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const file = `${this.path}/${name}`;
      await Deno.mkdir(file.replace(/[^/]+$/, ""), { recursive: true });
      const text = typeof content === "string"
        ? content
        : JSON.stringify(content);
      await Deno.writeTextFile(file, text);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}

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

Deno.test("tools/jsr.ts passes on the exit status", async () => {
  const { code } = await runJsr(["deno", "eval", "Deno.exit(7)"]);
  assertEquals(code, 7);
});

Deno.test("tools/jsr.ts passes on the arguments as they are", async () => {
  const args = ["a b", "it's", '"q"', "$HOME", "*", "", "--cwd=/", "-x"];
  const { stdout } = await runJsr([
    "deno",
    "eval",
    "console.log(JSON.stringify(Deno.args))",
    ...args,
  ]);
  assertEquals(JSON.parse(stdout), args);
});

Deno.test("tools/jsr.ts passes on the standard streams", async () => {
  const code = `
    console.log(await new Response(Deno.stdin.readable).text());
    console.error("to stderr");
  `;
  const result = await runJsr(["deno", "eval", code], { stdin: "to stdin" });
  assertEquals(result.stdout, "to stdin\n");
  assertEquals(result.stderr, "to stderr\n");
});

Deno.test("tools/jsr.ts runs the command in the folder of --cwd", async () => {
  await using here = await Folder.create();
  await using there = await Folder.create();
  const command = ["deno", "eval", "console.log(Deno.cwd())"];
  const options = { cwd: here.path };
  for (
    const [flags, expected] of [
      [[], here.path],
      [["--cwd="], here.path],
      [[`--cwd=${there.path}`], there.path],
    ] as const
  ) {
    const { stdout } = await runJsr([...flags, ...command], options);
    assertEquals(stdout.trim(), expected);
  }
});

Deno.test("tools/jsr.ts leaves JSR_URL as it is where it is set", async () => {
  const { stdout } = await runJsr(
    ["deno", "eval", 'console.log(Deno.env.get("JSR_URL"))'],
    {
      env: { JSR_URL: "http://127.0.0.1:9/mine/", ZSQS_JSR_PACKAGES: "/none" },
    },
  );
  assertEquals(stdout, "http://127.0.0.1:9/mine/\n");
});

Deno.test("tools/jsr.ts refuses what it cannot run, in one line", async () => {
  for (
    const [args, code, message] of [
      [[], 2, "Usage: deno task jsr COMMAND ARGS..."],
      [["--cwd="], 2, "Usage: deno task jsr COMMAND ARGS..."],
      [["no-such-zsqs"], 127, 'Cannot run "no-such-zsqs": no such command'],
      [
        ["--cwd=/no-such-zsqs", "deno"],
        2,
        'Cannot run "deno" in "/no-such-zsqs": no such folder',
      ],
    ] as const
  ) {
    const result = await runJsr([...args]);
    assertEquals(result, { code, stdout: "", stderr: `${message}\n` });
  }
});

Deno.test({
  name: "tools/jsr.ts passes SIGTERM on and exits as the command does",
  ignore: Deno.build.os === "windows",
  async fn() {
    const code = `
      const timer = setInterval(() => {}, 1000);
      Deno.addSignalListener("SIGTERM", () => {
        console.log("stopped");
        Deno.exit(5);
      });
      console.log("ready");
    `;
    const child = new Deno.Command(Deno.execPath(), {
      args: [...COMMAND, "deno", "eval", code],
      env: { JSR_URL: NOWHERE },
      stdout: "piped",
    }).spawn();
    const seen: string[] = [];
    for await (
      const text of child.stdout.pipeThrough(new TextDecoderStream())
    ) {
      seen.push(text);
      if (seen.join("") === "ready\n") child.kill("SIGTERM");
    }
    assertEquals(seen.join(""), "ready\nstopped\n");
    assertEquals((await child.status).code, 5);
  },
});

Deno.test({
  name: "tools/jsr.ts exits with 128 and the number of a deadly signal",
  ignore: Deno.build.os === "windows",
  async fn() {
    const code = 'Deno.kill(Deno.pid, "SIGKILL"); while (true);';
    assertEquals((await runJsr(["deno", "eval", code])).code, 137);
  },
});

Deno.test("tools/jsr.ts makes JSR imports work in a closed network", async () => {
  await using folder = await Folder.create({
    "main.ts": `
      import { assertEquals } from "jsr:@std/assert@1";
      import { levenshteinDistance } from "jsr:@std/text@^1.0.19/levenshtein-distance";
      import { parse } from "jsr:@std/ini@^1.0.0-rc.9";
      assertEquals(parse("a = 1"), { a: 1 });
      console.log(levenshteinDistance("tow", "two"));
    `,
  });
  const { code, stdout, stderr } = await runJsr(
    ["deno", "run", "--check", "main.ts"],
    {
      cwd: folder.path,
      env: { ...CLOSED_NETWORK, DENO_DIR: `${folder.path}/cache` },
    },
  );
  assertEquals([code, stdout], [0, "2\n"], stderr);
});

Deno.test("tools/jsr.ts keeps a proxy away from its registry", async () => {
  const { stdout } = await runJsr(["deno", "eval", PRINT_META, "@std/ini"], {
    env: {
      ...CLOSED_NETWORK,
      HTTP_PROXY: NOWHERE,
      http_proxy: NOWHERE,
    },
  });
  assertEquals(stdout, "@std/ini 1.0.0-rc.9\n");
});

Deno.test("tools/jsr.ts serves the folders of ZSQS_JSR_PACKAGES", async () => {
  await using folder = await Folder.create({
    "text/deno.json": { name: "@std/text", version: "9.0.0" },
    "old/deno.json": { name: "@std/text", version: "8.0.0" },
    "more/deno.json": { name: "@some/more", version: "0.1.0" },
  });
  const separator = Deno.build.os === "windows" ? ";" : ":";
  const { stdout, stderr } = await runJsr(
    ["deno", "eval", PRINT_META, "@std/text", "@some/more", "@std/ini", "@a/b"],
    {
      env: {
        ...CLOSED_NETWORK,
        ZSQS_JSR_PACKAGES: ["text", "old", "more"]
          .map((name) => `${folder.path}/${name}`).join(separator),
      },
    },
  );
  assertEquals(stderr, "");
  assertEquals(stdout.split("\n"), [
    "@std/text 9.0.0,8.0.0",
    "@some/more 0.1.0",
    "@std/ini 1.0.0-rc.9",
    "@a/b ",
    "",
  ]);
});

Deno.test("tools/jsr.ts refuses a folder without a package", async () => {
  await using folder = await Folder.create();
  const result = await runJsr(["deno", "--version"], {
    env: { ...CLOSED_NETWORK, ZSQS_JSR_PACKAGES: folder.path },
  });
  assertEquals(result, {
    code: 2,
    stdout: "",
    stderr:
      `Cannot serve package "${folder.path}": it has no deno.json with a name and a version\n`,
  });
});

Deno.test("deno task jsr runs the command in the caller's folder", async () => {
  const cwd = await Deno.realPath(`${ROOT}/tests/jsr`);
  const code = "console.log(Deno.cwd(), JSON.stringify(Deno.args))";
  const { stdout, stderr } = await runDeno(
    ["task", "jsr", "deno", "eval", code, "a b", "it's", "$HOME"],
    { cwd },
  );
  assertEquals(stdout, `${cwd} ["a b","it's","$HOME"]\n`, stderr);
});

Deno.test("serveRegistry() lists the versions of a package", async () => {
  await using folder = await Folder.create({
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
  await using folder = await Folder.create({
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
  await using folder = await Folder.create({
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
  await using folder = await Folder.create({
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
  await using folder = await Folder.create({
    "deno.json": { name: "@x/y", version: "1.0.0" },
    "mod.ts": "export const a = 1;",
  });
  const packages = [folder.path];
  await using first = await serveRegistry({ packages });
  // The first one has the port that this one would choose.
  await using second = await serveRegistry({ packages });
  await folder.write({ "mod.ts": "export const a = 2;" });
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
  await using folder = await Folder.create({
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

Deno.test("serveRegistry() refuses what is no package, or one twice", async () => {
  await using folder = await Folder.create({
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

Deno.test("serveRegistry() is a registry to Deno", async () => {
  await using folder = await Folder.create({
    "w/deno.json": {
      name: "@x/w",
      version: "1.2.3-rc.4",
      exports: { "./two": "./two.ts" },
    },
    "w/two.ts": "export const two: number = 2;",
    "y/deno.json": {
      name: "@x/y",
      version: "1.0.0",
      exports: "./mod.ts",
      imports: { "@x/w": "jsr:@x/w@^1.2.3-rc.1" },
    },
    "y/mod.ts": `
      import { two } from "@x/w/two";
      export const four: number = two + two;
    `,
    "main.ts": `
      const { four } = await import("jsr:@x/y@1");
      console.log(four);
    `,
  });
  await using registry = await serveRegistry({
    packages: [`${folder.path}/w`, `${folder.path}/y`],
  });
  const options = {
    cwd: folder.path,
    env: { JSR_URL: registry.url, DENO_DIR: `${folder.path}/cache` },
  };
  const { code, stdout, stderr } = await runDeno(
    ["run", "--check", "main.ts"],
    options,
  );
  assertEquals([code, stdout], [0, "4\n"], stderr);
  const none = await runDeno(["eval", 'import "jsr:@x/none@1"'], options);
  assertStringIncludes(none.stderr, "@x/none");
  assertEquals(none.code, 1);
});
