/**
 * Isolation as users run it: the command line from JSR as a process, on fauxqs,
 * with its signals, its streams, and workers from everywhere.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import process from "node:process";
import { cli, Folder } from "../support/cli.ts";
import { Reports } from "../support/isolation_stage.ts";
import {
  runCli,
  servePackage,
  TestProcess,
  TestServer,
} from "../support/server.ts";

const JOBS = `
import { currentJob, getLogger, TransientError } from "jsr:@zsqs/cli";
import { word } from "#words";
import { later } from "./more/later.ts";

const told = (url, text) =>
  fetch(url, { method: "POST", body: text }).then((answer) => answer.text());

export function tell({ report }) {
  return {
    async handle(what) {
      const pid = (await import("node:process")).pid;
      await told(report, [what, pid, currentJob().receiveCount].join(" "));
      if (what === "loop") for (;;);
      if (what === "hang") {
        await told(report, "hanging");
        await new Promise(() => {});
      }
      if (what === "later" && currentJob().receiveCount === 1) {
        throw new TransientError(later, { delaySeconds: 0 });
      }
      console.log("did", what, word);
      getLogger("jobs").info("logged " + what);
    },
    [Symbol.dispose]() {
      console.log("disposed");
    },
  };
}

export function print() {
  return (letter) => {
    for (let i = 0; i < 6; i++) console.log(letter.repeat(1_048_576));
  };
}
`;

const FILES = {
  "worker.ts": JOBS,
  "words.ts": `export const word = "well";`,
  "more/later.ts": `export const later = "not now";`,
  "deno.json": `{ "imports": { "#words": "./words.ts" } }`,
};

/** What is needed to run a container as a process. */
interface Scene extends AsyncDisposable {
  readonly folder: Folder;
  readonly server: TestServer;
  readonly reports: Reports;
  readonly url: string;
  readonly env: Record<string, string>;
  /** Writes its ini file. */
  write(worker: string, options: string): Promise<void>;
  run(worker: string, options: string): Promise<TestProcess>;
}

async function scene(...packages: string[]): Promise<Scene> {
  const stack = new AsyncDisposableStack();
  const reports = stack.use(new Reports());
  const folder = stack.use(await Folder.with({}));
  await Deno.mkdir(folder.at("more"));
  for (const [name, text] of Object.entries(FILES)) {
    await folder.write(name, text);
  }
  const server = stack.use(await TestServer.start());
  const registry = stack.use(await servePackage(...packages));
  const env = { ...registry.env, ...server.env };
  const scene: Scene = {
    folder,
    server,
    reports,
    env,
    url: await server.createQueue("jobs"),
    async write(worker, options) {
      await folder.write(
        "jobs.ini",
        `[container]\nworker = ${worker}\nqueue = jobs\nisolation = process\n` +
          `wait_time = 1\n${options}\n[worker]\nreport = ${reports.url}\n`,
      );
    },
    async run(worker, options) {
      await scene.write(worker, options);
      return runCli(["jobs.ini"], { cwd: folder.path, env });
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
  return scene;
}

async function stopped(container: TestProcess): Promise<string> {
  container.kill("SIGTERM");
  assertEquals(await container.status(), 0, container.stderr);
  return container.stderr;
}

/** Whether there is a process. */
function lives(pid: number): boolean {
  try {
    // Where nobody reaps it, it is still there when it has ended.
    if (Deno.build.os === "linux") {
      return !/\) Z /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
    }
    // Signal 0 asks alone.
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

Deno.test("zsqs isolates a local worker with several modules, an import map and jsr: imports", async () => {
  await using the = await scene();
  await the.server.send(the.url, '[["one"],{}]');
  await the.server.send(the.url, '[["later"],{}]');
  await using container = await the.run(
    "worker.ts:tell",
    `processes = 2\nconcurrency = 2\nallow_net = ${the.reports.host}`,
  );
  await container.saw("did later well\n");
  await the.server.left(the.url, 0);
  const stderr = await stopped(container);
  assertMatch(stderr, /INFO jobs logged one\n/);
  assertMatch(stderr, /done 2, failed 0, retried 1, released 0/);
  assertEquals(
    container.stdout.split("\n").toSorted(),
    ["", "did later well", "did one well", "disposed", "disposed"],
  );
});

Deno.test("zsqs isolates workers from JSR and npm", async (t) => {
  await using folder = await Folder.with({
    "deno.json":
      `{ "name": "@test/worker", "version": "1.0.0", "exports": "./mod.ts" }`,
    "mod.ts": `import { getLogger } from "jsr:@zsqs/cli@^0.1.0";\n` +
      `export const held = async () => (await Deno.permissions.query({ name: "import" })).state;\n` +
      `export default () => async (what: string) => getLogger("jobs").info("did", what, await held());\n`,
  });
  const workers: [worker: string, logged: string][] = [
    ["jsr:@test/worker@1", "INFO jobs did it prompt\n"],
    // It takes a function that is not there.
    ["npm:tslib@2:__param", "TypeError: decorator is not a function\n"],
  ];
  for (const [worker, logged] of workers) {
    await t.step(worker, async () => {
      await using the = await scene(folder.path);
      await the.server.send(the.url, '[["it"],{}]');
      await using container = await the.run(worker, "");
      await container.saw(logged);
      await the.server.left(the.url, 0);
      await stopped(container);
    });
  }
});

Deno.test("zsqs passes long lines of isolated jobs through unbroken", async () => {
  await using the = await scene();
  for (const letter of "abcd") {
    await the.server.send(the.url, JSON.stringify([[letter], {}]));
  }
  await using container = await the.run(
    "worker.ts:print",
    "processes = 2\nconcurrency = 4",
  );
  await the.server.left(the.url, 0);
  await stopped(container);
  const lines = container.stdout.trimEnd().split("\n");
  assertEquals(lines.length, 24);
  assert(lines.every((line) => line === line[0]!.repeat(1_048_576)));
});

Deno.test("Ctrl+C lets isolated jobs finish, as their processes do not heed it", async () => {
  await using the = await scene();
  const release = Promise.withResolvers<void>();
  the.reports.holds.set("held", release.promise);
  await the.server.send(the.url, '[["held"],{}]');
  await using container = await the.run(
    "worker.ts:tell",
    `allow_net = ${the.reports.host}`,
  );
  const pid = Number((await the.reports.next())[1]);
  // A terminal sends it to all processes of the program.
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.kill(pid, signal);
  container.kill("SIGINT");
  await container.saw("Stopping: ");
  release.resolve();
  assertEquals(await container.status(), 0);
  assertEquals(container.stdout, "did held well\ndisposed\n");
  assertMatch(container.stderr, /done 1, failed 0, retried 0, released 0/);
  assert(!lives(pid));
});

Deno.test("shutdown_timeout ends isolated jobs in an endless loop, and gives them back", async () => {
  await using the = await scene();
  await the.server.send(the.url, '[["loop"],{}]');
  await using container = await the.run(
    "worker.ts:tell",
    `allow_net = ${the.reports.host}\nshutdown_timeout = 0`,
  );
  const pid = Number((await the.reports.next())[1]);
  await stopped(container);
  assertMatch(container.stderr, /released 1/);
  assert(!lives(pid));
  assertEquals(await the.server.receive(the.url), ['[["loop"],{}]']);
});

Deno.test({
  name:
    "a process for jobs holds no connection to SQS, and ends with its container",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using the = await scene();
    await the.server.send(the.url, '[["hang"],{}]');
    await using container = await the.run(
      "worker.ts:tell",
      `allow_net = ${the.reports.host}`,
    );
    const pid = Number((await the.reports.next())[1]);
    await the.reports.next();
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    const parent = Number(/PPid:\s+(\d+)/.exec(status)![1]);
    const port = Number(new URL(the.server.endpoint).port);
    assert(await connections(parent, port) > 0);
    assertEquals(await connections(pid, port), 0);
    const environ = await Deno.readTextFile(`/proc/${pid}/environ`);
    assert(!environ.includes("AWS_"), environ);

    const ends = ended(pid);
    container.kill("SIGKILL");
    await ends;
    assert(!lives(pid));
  },
});

Deno.test({
  name: "a compiled program runs its jobs in itself, with allow_all alone",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using the = await scene();
    const { folder } = the;
    // Stands in for one: it knows itself as compiled, and its own path.
    const program = await folder.write(
      "program",
      `#!/bin/sh\nexec "${Deno.execPath()}" run -q -A "${
        folder.at("main.ts")
      }" jobs.ini "$@"\n`,
    );
    await Deno.chmod(program, 0o755);
    await folder.write(
      "main.ts",
      `import process from "node:process";
Object.defineProperty(Deno, "build", {
  value: { ...Deno.build, standalone: true },
});
process.execPath = ${JSON.stringify(program)};
const { runCli } = await import("jsr:@zsqs/cli/cli");
runCli();
`,
    );
    const start = async (options: string) => {
      await the.write("worker.ts:tell", options);
      return new TestProcess(["run", "-q", "-A", "main.ts", "jobs.ini"], {
        cwd: folder.path,
        env: the.env,
      });
    };
    await the.server.send(the.url, '[["one"],{}]');
    await using container = await start("allow_all = true");
    await container.saw("did one well\n");
    await the.server.left(the.url, 0);
    await stopped(container);

    await using refused = await start(`allow_net = ${the.reports.host}`);
    assertEquals(await refused.status(), 2);
    assertEquals(
      refused.stderr,
      'Cannot start container as a compiled program cannot narrow the permissions of jobs: set "allow_all" to "true", or use "deno run"\n',
    );
  },
});

/** How many TCP connections to a port a process has open. */
async function connections(pid: number, port: number): Promise<number> {
  const remote = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => Deno.readTextFile(`/proc/net/${name}`)),
  );
  const inodes = tables.join("\n").split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[2]?.endsWith(remote))
    .map((fields) => `socket:[${fields[9]}]`);
  let count = 0;
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      const target = await Deno.readLink(`/proc/${pid}/fd/${name}`);
      if (inodes.includes(target)) count++;
    } catch {
      // It was closed meanwhile.
    }
  }
  return count;
}

/** Resolves when a process has ended. */
async function ended(pid: number): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (lives(pid)) {
    if (Date.now() > deadline) throw new Error(`Process ${pid} still lives`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

Deno.test("zsqs says what keeps a process for jobs from starting", async () => {
  await using the = await scene();
  const wrong: [worker: string, options: string, line: string][] = [
    [
      "worker.ts:tel",
      "",
      'Cannot start container as worker "worker.ts:tel" of jobs.ini has no "tel": did you mean "tell"?',
    ],
    [
      "worker.ts:tell",
      "allow_net = http://a.example",
      'Cannot start worker "worker.ts:tell" of jobs.ini: its process ended with exit code 1 before it was ready',
    ],
  ];
  for (const [worker, options, line] of wrong) {
    await using container = await the.run(worker, options);
    assert(await container.status() !== 0);
    assertEquals(container.stderr.trimEnd().split("\n").at(-1), line);
  }
  await using container = new TestProcess(
    [
      ...["run", "-q", "--no-prompt", "--allow-env", "--allow-read"],
      ...["--allow-net", "--allow-sys", "jsr:@zsqs/cli", "jobs.ini"],
    ],
    { cwd: the.folder.path, env: the.env },
  );
  assertEquals(await container.status(), 1);
  assertMatch(
    container.stderr,
    /^A Deno permission is missing: Requires run access to ".*deno.*", run again with the --allow-run flag\n$/,
  );
});

Deno.test("main() checks an isolated worker where its jobs would run", async () => {
  await using server = await TestServer.start();
  await server.createQueue("jobs");
  await using folder = await Folder.with({
    "worker.ts": `export const worker = () => () => {};`,
    "far.ts":
      `import "https://esm.sh/any";\nexport const worker = () => () => {};`,
    "needy.ts": `Deno.env.get("HOME");\nexport const worker = () => () => {};`,
  });
  const check = async (worker: string, options: string) => {
    const file = await folder.write(
      "jobs.ini",
      `[container]\nworker = ${worker}:worker\nqueue = jobs\n` +
        `isolation = process\nendpoint = ${server.endpoint}\n${options}\n`,
    );
    return await cli(["check", file]);
  };
  assertEquals((await check("worker.ts", "")).status, 0);
  assertEquals((await check("needy.ts", "allow_env = HOME")).status, 0);
  const refused: [worker: string, what: string, kind: string][] = [
    ["needy.ts", 'env access to "HOME"', "env"],
    ["far.ts", 'import access to "esm.sh:443"', "import"],
  ];
  for (const [worker, what, kind] of refused) {
    const { status, stderr } = await check(worker, "");
    assertEquals(status, 2);
    assertStringIncludes(
      stderr[0]!,
      `failed: Requires ${what}, run again with the --allow-${kind} flag, or give "allow_${kind}" in [container]`,
    );
  }
});
