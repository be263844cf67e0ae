/**
 * `deno task jsr` as a process.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { serveRegistry } from "../../tools/registry.ts";
import { Folder } from "../support/folder.ts";

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
  await using here = await Folder.with();
  await using there = await Folder.with();
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

Deno.test("tools/jsr.ts refuses commands that it cannot run, in one line", async () => {
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
  await using folder = await Folder.with({
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
  await using folder = await Folder.with({
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
  await using folder = await Folder.with();
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

Deno.test("serveRegistry() is a registry to Deno", async () => {
  await using folder = await Folder.with({
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
