/**
 * Standard error that is closed, full or broken: it neither prevents nor ends a
 * container, and the summary counts the lost lines.
 *
 * @module
 */

import { assertEquals, assertMatch } from "@std/assert";
import { Folder } from "../support/folder.ts";
import { installForNode } from "../support/npm_registry.ts";
import { programOf } from "../support/runtimes.ts";
import { servePackage, TestProcess, TestServer } from "../support/server.ts";

const WORKER = `
import { getLogger } from "LIBRARY";
export default () => (n) => {
  getLogger("jobs").error("line", n);
  console.error("printed", n);
  if (n === 2) throw new Error("bad");
  if (n === 3) Promise.reject(new Error("left behind"));
};
`;

const LOGGERS = `
loggers =
  <logger>
    level INFO
    <logfile>
      path STDERR
    </logfile>
    <logfile>
      path log
    </logfile>
  </logger>
`;

const INI = `[container]
worker = WORKER
queue = jobs
wait_time = 1
`;

const WAYS: [what: string, redirection: string, isLost: boolean][] = [
  // The runtime opens /dev/null in its place.
  ["closed", "2>&-", false],
  ["on a full disk", "2>/dev/full", true],
  // Nothing tells a program on Deno or Node that these lines are lost.
  ["a pipe that nobody reads", "2>broken", false],
];

/** What runs a container, for a shell: the whole command but its arguments. */
const RUNTIMES = ["deno", "isolated", "node"] as const;

for (const runtime of RUNTIMES) {
  for (const [what, redirection, isLost] of WAYS) {
    Deno.test({
      name:
        `a container whose standard error is ${what} does its jobs: ${runtime}`,
      ignore: Deno.build.os !== "linux",
      fn: () => play(runtime, redirection, isLost && runtime !== "node"),
    });
  }
}

async function play(
  runtime: typeof RUNTIMES[number],
  redirection: string,
  isLost: boolean,
): Promise<void> {
  await using server = await TestServer.start();
  const url = await server.createQueue("jobs");
  await using registry = await servePackage();
  const isNode = runtime === "node";
  const worker = isNode ? "worker.js" : "worker.ts";
  const more = runtime === "isolated" ? "isolation = process\n" : "";
  await using folder = await Folder.with({
    "jobs.ini": INI.replace("WORKER", worker) + more + LOGGERS,
    [worker]: WORKER.replace("LIBRARY", isNode ? "@zsqs/cli" : "jsr:@zsqs/cli")
      .replace("(n)", isNode ? "(n)" : "(n: number)"),
    "main.js": 'import { sequential } from "@zsqs/cli/container";\n' +
      "await sequential();\n",
  });
  if (isNode) await installForNode(folder.path, registry.env.JSR_URL!);
  const command = isNode
    ? `"${await programOf("Node")}" main.js jobs.ini`
    : `"${Deno.execPath()}" run -q -A jsr:@zsqs/cli jobs.ini`;
  for (let n = 1; n <= 4; n++) await server.send(url, `[[${n}],{}]`);
  // A pipe whose reader has gone away.
  const pipe = redirection.endsWith("broken")
    ? "mkfifo broken; exec 3<>broken; exec 2>broken; exec 3<&-; "
    : "";
  const redirected = pipe === "" ? redirection : "";
  await using container = new TestProcess(
    ["-c", `${pipe}exec ${command} ${redirected}`],
    {
      program: "sh",
      cwd: folder.path,
      env: { ...registry.env, ...server.env },
    },
  );
  await server.left(url, 0);
  container.kill("SIGTERM");
  assertEquals(await container.status(), 0);
  const log = await folder.read("log");
  const lost = isLost ? ", log lines lost [1-9]\\d*" : "";
  assertMatch(
    log,
    new RegExp(`: received 4, done 3, failed 1, .*, undeleted 0${lost}; requ`),
  );
}
