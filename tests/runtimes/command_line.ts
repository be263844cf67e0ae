/**
 * What processes do with the package, for every runtime: a check for each other
 * row of the table of runtimes.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import type { Folder } from "../support/folder.ts";
import type { TestProcess, TestServer } from "../support/server.ts";
import { Visitor } from "../support/visitor.ts";

/** What checks are given. */
export interface ProcessStage {
  readonly runtime: "Deno" | "Node" | "Bun";
  readonly server: TestServer;
  /** The current folder of its processes. */
  readonly folder: Folder;
  /** Calls the command line. */
  cli(args: readonly string[], stdin?: string): TestProcess;
  /** Runs a program of the folder. */
  program(name: string): TestProcess;
}

/** A row that holds on some runtimes only. */
export interface ProcessCheck {
  /** Checks that it works, ... */
  works(stage: ProcessStage): Promise<void>;
  /** ... or that a line says why not. */
  refused?(stage: ProcessStage): Promise<void>;
}

/** Checks by the rows of the table of runtimes. */
export const COMMAND_LINE: Readonly<Record<string, ProcessCheck>> = {
  "`zsqs FILE.ini`, `check`, `send`, `status`, `failed`": { works: callAll },
  "`SIGTERM` stops a container": { works: stopBySignal },
  "`--web` and `zsqs web`": { works: servePage },
  "Errors that a job leaves behind end no container": { works: outliveErrors },
  "A job's exit logs its message, and the status is 1": { works: exit },
  "`examples/bulk`, rows in batches to `node:sqlite`": { works: insertRows },
  "`--local`": { works: runLocally, refused: refuseLocally },
  "`--watch`": { works: runWatched, refused: refuseWatch },
  "`jsr:` and `npm:` workers": { works: runFromJsr, refused: refuseJsr },
  "`isolation = process`": { works: isolate, refused: refuseIsolation },
  "`zsqs permissions`": {
    works: printPermissions,
    refused: refusePermissions,
  },
};

const WORKER = `
import { getLogger, type WorkerConfig } from "@zsqs/cli";

export default (config: WorkerConfig) => (what: unknown) => {
  if (what === "bad") throw new TypeError("no such thing");
  console.log(\`\${config.prefix}\${what}\`);
  getLogger("shop").info("did", what);
};
`;

const ini = (queue: string, more = "") =>
  `[container]
worker = worker.ts
queue = ${queue}
wait_time = 1
${more}
[worker]
prefix = did:
`;

async function callAll(stage: ProcessStage): Promise<void> {
  const { server, folder, cli } = stage;
  await server.createQueue("jobs");
  await server.createQueue("jobs-failed");
  await folder.write("worker.ts", WORKER);
  await folder.write("jobs.ini", ini("jobs", "failures = jobs-failed\n"));
  await passes(
    cli(["check", "jobs.ini"]),
    /\nChecked jobs\.ini: no problems\n$/,
  );
  await passes(cli(["send", "jobs", "one"]), /^Sent to jobs: \S+\n$/);
  const lines = '["two"]\n["bad"]\n';
  await passes(cli(["send", "--stdin", "jobs"], lines), /^$/);
  await passes(cli(["status", "--json", "jobs"]), /"visible":3\b/);
  await using container = cli(["jobs.ini", "--drain"]);
  assertEquals(await container.status(), 0, container.stderr);
  assertEquals(container.stdout.split("\n").sort(), ["", "did:one", "did:two"]);
  assertStringIncludes(container.stderr, "INFO shop did one\n");
  assertMatch(container.stderr, /: received 3, done 2, failed 1, /);
  await passes(
    cli(["failed", "jobs-failed"]),
    /jobs +TypeError: no such thing +\[\["bad"\],\{\}\]/,
  );
  await passes(cli(["failed", "--redrive", "--yes", "jobs-failed"]), /^/);
  await passes(cli(["status", "--json", "jobs"]), /"visible":1\b/);
  await folder.write("wrong.ini", ini("jobs").replace("worker.ts", "none.ts"));
  await refuses(cli(["wrong.ini"]), [
    /^Cannot start container as worker "none\.ts" of wrong\.ini does not exist: there is no file:\/\/\S+none\.ts$/,
  ]);
  await refuses(cli(["jobs.ini", "--drian"]), [
    /^Unknown option --drian: /,
    stage.runtime === "Deno"
      ? /^Try deno run -A jsr:@zsqs\/cli --help$/
      : /^Try (node|bun) zsqs\.js --help$/,
  ]);
}

async function stopBySignal({ server, folder, cli }: ProcessStage) {
  await server.createQueue("stopped");
  await folder.write("worker.ts", WORKER);
  await folder.write("stopped.ini", ini("stopped"));
  await using container = cli(["stopped.ini"]);
  await container.saw("Listening to stopped");
  container.kill("SIGTERM");
  assertEquals(await container.status(), 0, container.stderr);
  assertMatch(container.stderr, / Stopped listening to stopped: /);
}

async function servePage({ server, folder, cli }: ProcessStage) {
  await server.createQueue("seen");
  await folder.write("worker.ts", WORKER);
  await folder.write("seen.ini", ini("seen"));
  for (const args of [["seen.ini", "--web"], ["web", "seen"]]) {
    await using page = cli([...args, "--address=127.0.0.1:0"]);
    await page.saw("/?token=");
    await page.saw("\n");
    const url = /^Page: (\S+)\n/.exec(page.stdout)![1]!;
    const entered = await fetch(url, { redirect: "manual" });
    await entered.body?.cancel();
    const [cookie = ""] = entered.headers.getSetCookie();
    const headers = { cookie: cookie.split(";")[0]! };
    const get = (path: string) => fetch(new URL(path, url), { headers });
    assertStringIncludes(await (await get("/")).text(), "/queues/seen");
    // A stop waits for no open page.
    const stream = await get("/events?topic=counts");
    page.kill("SIGTERM");
    assertEquals(await page.status(), 0, page.stderr);
    await stream.text().catch(() => {});
  }
}

const LEAVING = `
const acts = {
  rejection: () => void Promise.reject(new Error("nobody awaits me")),
  late: () => void setTimeout(() => Promise.reject(new Error("too late"))),
  timer: () => void setTimeout(() => { throw new Error("on its own") }),
};
export default () => (act) => acts[act]();
`;

/** A program with a container beside its own work. */
const BESIDE = `
import process from "node:process";
import { startContainer } from "@zsqs/cli/container";
import worker from "./leaving.js";
const container = await startContainer({
  queue: "leaving",
  waitTimeSeconds: 1,
  worker,
});
process.on("SIGTERM", () => container.stop());
await container.finished;
`;

async function outliveErrors(stage: ProcessStage): Promise<void> {
  const { server, folder } = stage;
  const url = await server.createQueue("leaving");
  await folder.write("leaving.js", LEAVING);
  await folder.write("beside.js", BESIDE);
  await folder.write(
    "leaving.ini",
    ini("leaving").replace("worker.ts", "leaving.js"),
  );
  for (
    const run of [
      () => stage.cli(["leaving.ini"]),
      () => stage.program("beside.js"),
    ]
  ) {
    await using container = run();
    for (const act of ["rejection", "late", "timer"]) {
      await server.send(url, JSON.stringify([[act], {}]));
    }
    await container.saw("Work that a job left behind failed", 3);
    for (const text of ["nobody awaits me", "too late", "on its own"]) {
      assertStringIncludes(container.stderr, `Error: ${text}\n`);
    }
    await server.left(url, 0);
    container.kill("SIGTERM");
    assertEquals(await container.status(), 0, container.stderr);
  }
}

async function exit({ server, folder, cli }: ProcessStage): Promise<void> {
  const url = await server.createQueue("exited");
  await server.send(url, "[[],{}]");
  await folder.write("exit.js", "export default () => () => process.exit(0);");
  await folder.write(
    "exited.ini",
    ini("exited").replace("worker.ts", "exit.js"),
  );
  await using container = cli(["exited.ini"]);
  assertEquals(await container.status(), 1, container.stderr);
  assertMatch(
    container.stderr,
    / A job ended the process: exited, message \S+, receive 1\. /,
  );
}

const EXAMPLE = new URL("../../examples/bulk/", import.meta.url);

async function insertRows({ server, folder, cli }: ProcessStage) {
  // The library's check has the example's own queues and database.
  await server.createQueue("rows");
  await server.createQueue("rows-failed");
  const read = (name: string) => Deno.readTextFile(new URL(name, EXAMPLE));
  await folder.write("readings.ts", await read("readings.ts"));
  const config = await read("readings.ini");
  // Two empty polls end it.
  const quick = config.replace("[container]", "[container]\nwait_time = 1")
    .replace(/readings(?=\n|-failed|\.db)/g, "rows");
  await folder.write("readings.ini", quick);
  const rows = '["north",20.5]\n["south",-300]\n["west",18]\n';
  await passes(cli(["send", "--stdin", "rows"], rows), /^$/);
  await using container = cli(["readings.ini", "--drain"]);
  assertEquals(await container.status(), 0, container.stderr);
  assertMatch(container.stderr, /: received 3, done 2, failed 1, /);
  using database = new DatabaseSync(folder.at("rows.db"));
  const inserted = database.prepare("SELECT sensor FROM readings ORDER BY 1");
  assertEquals(inserted.all().map(({ sensor }) => sensor), ["north", "west"]);
}

async function runLocally({ folder, cli }: ProcessStage): Promise<void> {
  await folder.write("worker.ts", WORKER);
  await folder.write("local.ini", ini("local"));
  await using container = cli(["local.ini", "--local", "--port=0"]);
  await container.saw("Listening to local");
  const [, port] = /http:\/\/127\.0\.0\.1:(\d+)/.exec(container.stderr)!;
  await passes(cli(["send", "--local", `--port=${port}`, "local", "one"]), /^/);
  await container.saw("did:one");
  container.kill("SIGTERM");
  assertEquals(await container.status(), 0, container.stderr);
}

async function refuseLocally({ runtime, folder, cli }: ProcessStage) {
  await folder.write("worker.ts", WORKER);
  await folder.write("local.ini", ini("local"));
  await refuses(cli(["local.ini", "--local", "--port=0"]), [
    new RegExp(
      `^Cannot start local SQS server on ${runtime}: run "npm install fauxqs@\\S+" first, or use Deno$`,
    ),
  ]);
}

async function runWatched({ server, folder, cli }: ProcessStage) {
  await server.createQueue("watched");
  await folder.write("worker.ts", WORKER);
  await folder.write("watched.ini", ini("watched"));
  const page = ["--web", "--address=127.0.0.1:0", "--read-only"];
  await using container = cli(["watched.ini", "--watch", ...page]);
  await container.saw("Listening to watched");
  await folder.write("watched.ini", ini("watched") + "\n");
  await container.saw("Listening to watched", 2);
  // The new process serves the page, with the options of the command line.
  await container.saw("/?token=", 2);
  const url = container.stdout.trim().split("Page: ").at(-1)!;
  const visitor = await Visitor.open({ url });
  assertMatch((await visitor.get("/")).text, /Read-only: this page/);
  container.kill("SIGTERM");
  assertEquals(await container.status(), 0, container.stderr);
}

async function refuseWatch({ folder, cli }: ProcessStage): Promise<void> {
  await folder.write("worker.ts", WORKER);
  await folder.write("watched.ini", ini("watched"));
  await refuses(cli(["watched.ini", "--watch"]), [
    /^Option --watch needs "deno run": restart the program yourself instead$/,
  ]);
}

async function runFromJsr({ server, folder, cli }: ProcessStage) {
  const url = await server.createQueue("imported");
  await server.send(url, '[["one"],{}]');
  await folder.write(
    "imported.ini",
    ini("imported").replace("worker.ts", "jsr:@zsqs-tests/worker"),
  );
  await using container = cli(["imported.ini", "--drain"]);
  assertEquals(await container.status(), 0, container.stderr);
  assertEquals(container.stdout, "from JSR: one\n");
}

async function refuseJsr({ runtime, folder, cli, server }: ProcessStage) {
  await server.createQueue("imported");
  for (const specifier of ["jsr:@zsqs-tests/worker", "npm:worker"]) {
    await folder.write(
      "imported.ini",
      ini("imported").replace("worker.ts", specifier),
    );
    for (const args of [["imported.ini"], ["check", "imported.ini"]]) {
      await refuses(cli(args), [
        new RegExp(
          `^(?:  Worker +)?Cannot start container as worker "${specifier}" of imported\\.ini needs Deno, as ${runtime} imports no `,
        ),
      ]);
    }
  }
}

async function isolate({ server, folder, cli }: ProcessStage): Promise<void> {
  const url = await server.createQueue("isolated");
  await server.send(url, '[["one"],{}]');
  await folder.write("worker.ts", WORKER);
  await folder.write("isolated.ini", ini("isolated", "isolation = process\n"));
  await using container = cli(["isolated.ini", "--drain"]);
  assertEquals(await container.status(), 0, container.stderr);
  assertEquals(container.stdout, "did:one\n");
}

async function refuseIsolation({ runtime, folder, cli, server }: ProcessStage) {
  await server.createQueue("isolated");
  await folder.write("worker.ts", WORKER);
  await folder.write("isolated.ini", ini("isolated", "isolation = process\n"));
  for (const args of [["isolated.ini"], ["check", "isolated.ini"]]) {
    await refuses(cli(args), [
      new RegExp(
        `^(?:  Worker +)?Cannot start container as "isolation" is "process", which needs Deno, not ${runtime}: `,
      ),
    ]);
  }
}

async function printPermissions({ folder, cli }: ProcessStage): Promise<void> {
  await folder.write("worker.ts", WORKER);
  await folder.write("jobs.ini", ini("jobs"));
  await passes(cli(["permissions", "jobs.ini"]), /^deno run --allow-read=/);
}

async function refusePermissions({ runtime, folder, cli }: ProcessStage) {
  await folder.write("worker.ts", WORKER);
  await folder.write("jobs.ini", ini("jobs"));
  await refuses(cli(["permissions", "jobs.ini"]), [
    new RegExp(`^Cannot print permissions on ${runtime}, as only Deno has `),
  ]);
}

/** Checks that a command succeeds. */
async function passes(running: TestProcess, output: RegExp): Promise<void> {
  await using process = running;
  assertEquals(await process.status(), 0, process.stderr);
  assertMatch(process.stdout, output);
}

/** Checks that a command is refused, in these lines and warnings. */
async function refuses(
  running: TestProcess,
  lines: readonly RegExp[],
): Promise<void> {
  await using process = running;
  const status = await process.status();
  const written = process.stderr.trimEnd().split("\n")
    .filter((line) => !/^(?: {2}.+? {2,})?Warning: /.test(line));
  assertEquals([status, written.length], [2, lines.length], process.stderr);
  for (const [i, line] of lines.entries()) assertMatch(written[i]!, line);
}
