/**
 * `zsqs permissions`: the line that it prints is run word for word, and runs no
 * more without any part of it.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { bareEnvironment } from "../support/bare_environment.ts";
import { TestBucket } from "../support/buckets.ts";
import { Folder } from "../support/folder.ts";
import {
  runCli,
  servePackage,
  TestProcess,
  TestServer,
  wordsOf,
} from "../support/server.ts";

/** A folder with an ini file, and a server with a job for it. */
interface Stage extends AsyncDisposable {
  readonly folder: Folder;
  readonly server: TestServer;
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly ini: string;
}

interface StageOptions {
  readonly ini?: string;
  readonly region?: string;
  /** The body of the message; by default a job with 1 and 2. */
  readonly job?: string;
  /** Folders of packages that the registry has, too. */
  readonly packages?: readonly string[];
  /** The settings of the environment; by default the server and credentials. */
  readonly settings?: (server: TestServer) => Record<string, string>;
}

async function stageOf(
  files: Readonly<Record<string, string>>,
  {
    ini = "jobs.ini",
    job = "[[1,2],{}]",
    region,
    packages = [],
    settings,
  }: StageOptions = {},
): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await Folder.with(files));
  const registry = stack.use(await servePackage(...packages));
  const server = stack.use(await TestServer.start(region));
  await server.send(await server.createQueue("adder"), job);
  const given = settings?.(server) ?? server.env;
  return {
    folder,
    server,
    cwd: folder.path,
    env: { ...await bareEnvironment(folder.path, given), ...registry.env },
    ini,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The words of the line that is printed for an ini file. */
async function printedWords({ cwd, env, ini }: Stage): Promise<string[]> {
  await using permissions = runCli(["permissions", ini], { cwd, env });
  assertEquals(await permissions.status(), 0, permissions.stderr);
  const lines = permissions.stdout.trimEnd().split("\n");
  assertEquals(lines.length, 1, permissions.stdout);
  return await wordsOf(lines[0]!);
}

async function run(
  words: readonly string[],
  { cwd, env }: Stage,
): Promise<{ status: number; stdout: string; stderr: string }> {
  const [program, command, ...args] = words;
  assertEquals([program, command], ["deno", "run"]);
  await using container = new TestProcess(
    ["run", "-q", "--no-prompt", ...args, "--drain"],
    { cwd, env },
  );
  const status = await container.status();
  return { status, stdout: container.stdout, stderr: container.stderr };
}

/** The words with each part of each flag left out in turn. */
function* withoutEach(
  words: readonly string[],
): Generator<{ kind: string; part: string; words: string[] }> {
  for (const [position, word] of words.entries()) {
    const [, kind, list] = /^--allow-(\w+)(?:=(.*))?$/.exec(word) ?? [];
    if (kind === undefined) continue;
    const parts = list?.split(",") ?? [""];
    for (const part of parts) {
      const others = parts.filter((each) => each !== part);
      const flag = others.length === 0
        ? []
        : [`--allow-${kind}=${others.join(",")}`];
      yield { kind, part, words: words.toSpliced(position, 1, ...flag) };
    }
  }
}

/** Sees that no part of a line can be left out, except parts that other tests saw. */
async function assertNarrow(
  words: readonly string[],
  stage: Stage,
  seen: readonly string[] = [],
): Promise<void> {
  const cases = [...withoutEach(words)].filter(({ part }) =>
    !seen.includes(part)
  );
  const next = cases.values();
  const runSome = async () => {
    for (const { kind, part, words } of next) {
      const { status, stderr } = await run(words, stage);
      assert(status !== 0, `it runs without ${part} of --allow-${kind}`);
      assertMatch(
        stderr,
        new RegExp(`--allow-${kind}\\b`),
        `without ${part} of --allow-${kind}`,
      );
      assert(stderr.split("\n").length <= 4, stderr);
    }
  };
  await Promise.all([runSome(), runSome()]);
}

/** What each line has: seen once, it need not be seen each time. */
const COMMON = [
  "AWS_*",
  "HOME",
  "USERPROFILE",
  "HOMEPATH",
  "HOMEDRIVE",
  "_X_AMZN_TRACE_ID",
  "osRelease",
];

const WORKER = `import { scale } from "./lib/scale.ts";
export default () => (a: number, b: number) =>
  console.log("sum", scale * (a + b));`;

Deno.test("zsqs permissions prints a line that runs a local worker with log files, and needs each part of it", async () => {
  await using modules = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () =>
      new Response("export const factor: number = 2;", {
        headers: { "content-type": "text/typescript" },
      }),
  );
  await using stage = await stageOf({
    "worker.ts": WORKER,
    "lib/scale.ts": `import type { Nothing } from "./types.ts";
    import { factor } from "http://127.0.0.1:${modules.addr.port}/factor.ts";
    import { offset } from "./old/offset.cjs";
    export const scale: number = factor + offset;`,
    "lib/old/offset.cjs": 'module.exports = { offset: require("./zero.cjs") };',
    "lib/old/zero.cjs": "module.exports = 0;",
    "lib/types.ts": "export type Nothing = never;",
    "it's $1.ini": `[container]
worker = worker.ts
queue = adder
failures = adder-failed
health = 127.0.0.1:0
region = eu-west-1
wait_time = 1
loggers =
   <logger>
     level INFO
     <logfile>
       path app.log
       max-size 1KB
       old-files 2
     </logfile>
   </logger>
   <logger>
     name zsqs.messages
     <logfile>
       path messages.log
     </logfile>
   </logger>
`,
  }, { ini: "it's $1.ini", region: "eu-west-1" });
  const { folder, server } = stage;
  await server.createQueue("adder-failed");

  const words = await printedWords(stage);
  const sqs = new URL(server.endpoint).host;
  const jsr = new URL(stage.env.JSR_URL!).host;
  assertEquals(words, [
    "deno",
    "run",
    "--allow-read=it's $1.ini,app.log,app.log.1,worker.ts,lib/scale.ts,lib/old",
    "--allow-write=app.log,app.log.1,app.log.2,messages.log",
    `--allow-net=127.0.0.1:0,${sqs}`,
    "--allow-env=AWS_*,HOME,USERPROFILE,HOMEPATH,HOMEDRIVE,_X_AMZN_TRACE_ID",
    "--allow-sys=osRelease",
    `--allow-import=${jsr},127.0.0.1:${modules.addr.port}`,
    "jsr:@zsqs/cli",
    "it's $1.ini",
  ]);
  assertEquals(await run(words, stage), {
    status: 0,
    stdout: "sum 6\n",
    stderr: "",
  });
  assertStringIncludes(await folder.read("app.log"), "Listening to adder");
  await assertNarrow(words, stage);
});

Deno.test("zsqs permissions prints a line that runs a worker from JSR with a profile of ~/.aws, and needs each part of it", async () => {
  await using worker = await Folder.with({
    "deno.json":
      '{"name":"@own/worker","version":"1.0.0","exports":"./mod.ts"}',
    "mod.ts":
      'export default () => (a: number, b: number): void => console.log("sum", a + b);',
  });
  await using stage = await stageOf({
    "jobs.ini":
      "[container]\nworker = jsr:@own/worker\nqueue = adder\nwait_time = 1\n",
    ".aws/config": "[profile jobs]\nregion = eu-west-1\n",
    ".aws/credentials":
      "[jobs]\naws_access_key_id = test\naws_secret_access_key = test\n",
  }, {
    region: "eu-west-1",
    packages: [worker.path],
    settings: ({ endpoint }) => ({
      AWS_ENDPOINT_URL: endpoint,
      AWS_PROFILE: "jobs",
    }),
  });

  const words = await printedWords(stage);
  assertEquals(
    words[2],
    "--allow-read=jobs.ini,.aws/config,.aws/credentials",
  );
  assertEquals(words.filter((word) => word.startsWith("--")).length, 4);
  const { status, stdout, stderr } = await run(words, stage);
  assertEquals([status, stdout], [0, "sum 3\n"]);
  assertStringIncludes(stderr, "Listening to adder in eu-west-1; failed jobs");
  await assertNarrow(words, stage, COMMON);
});

Deno.test("zsqs permissions prints a line that runs jobs in child processes, and needs each part of it", async () => {
  await using stage = await stageOf({
    "worker.ts": `import { scale } from "./scale.ts";
export default () => (a: number, b: number) =>
  console.log("sum", scale * (a + b), Deno.env.get("GREETING"));`,
    "scale.ts": "export const scale = 2;",
    "jobs.ini": `[container]
worker = worker.ts
queue = adder
region = us-east-1
wait_time = 1
isolation = process
concurrency = 2
processes = 2
allow_env = GREETING
allow_run = ls
`,
  }, { settings: ({ env }) => ({ ...env, GREETING: "hello" }) });

  const words = await printedWords(stage);
  const env = words[4]!.replace("--allow-env=", "").split(",");
  assertEquals(words.with(4, ""), [
    "deno",
    "run",
    "--allow-read=jobs.ini",
    `--allow-net=${new URL(stage.server.endpoint).host}`,
    "",
    "--allow-sys=osRelease",
    `--allow-run=${Deno.execPath()}`,
    "jsr:@zsqs/cli",
    "jobs.ini",
  ]);
  const { status, stdout } = await run(words, stage);
  assertEquals([status, stdout], [0, "sum 6 hello\n"]);
  // Of what Deno itself needs of the environment two stand for all.
  const few = ["NODE_V8_COVERAGE", "GREETING", "PATH", "DENO_DIR", "TZ"];
  await assertNarrow(words, stage, [
    ...COMMON,
    ...env.filter((name) => !few.includes(name)),
  ]);
});

Deno.test("zsqs permissions prints a line that runs large jobs, and needs each part of it", async () => {
  await using s3 = await TestServer.start();
  await using stage = await stageOf({
    "worker.ts":
      "export default () => (text: string) => console.log(text.length);",
    "jobs.ini":
      "[container]\nworker = worker.ts\nqueue = adder\nregion = us-east-1\nwait_time = 1\nlarge = s3://jobs/big\n",
  }, {
    job:
      '["software.amazon.payloadoffloading.PayloadS3Pointer",{"s3BucketName":"jobs","s3Key":"big/a"}]',
    settings: ({ env }) => ({ ...env, AWS_ENDPOINT_URL_S3: s3.endpoint }),
  });
  using bucket = await TestBucket.create(s3.endpoint, "jobs");
  await bucket.put("big/a", JSON.stringify([["x".repeat(2_000_000)], {}]));

  const words = await printedWords(stage);
  const [sqs, own] = [stage.server, s3].map((each) =>
    new URL(each.endpoint).host
  );
  assertEquals(words[3], `--allow-net=${sqs},${own}`);
  const { status, stdout } = await run(words, stage);
  assertEquals([status, stdout], [0, "2000000\n"]);
  assertEquals(await bucket.keys(), []);
  await assertNarrow(words, stage, [...COMMON, "jobs.ini", "worker.ts", sqs!]);
});

/** Its worker takes the options, and gives a function that resolves to them. */
const NPM_INI =
  "[container]\nworker = npm:@smithy/core@3/config:fromStatic\nqueue = adder\nwait_time = 1\n";

/** The metadata service of an instance with a role. */
function serveMetadata(): Deno.HttpServer<Deno.NetAddr> {
  const role = "/latest/meta-data/iam/security-credentials/";
  const answers = new Map([
    ["/latest/api/token", "token"],
    ["/latest/meta-data/placement/region", "eu-west-3"],
    [role, "jobs"],
    [
      `${role}jobs`,
      JSON.stringify({
        AccessKeyId: "test",
        SecretAccessKey: "test",
        Token: "test",
        Expiration: new Date(Date.now() + 3_600_000).toISOString(),
      }),
    ],
  ]);
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) => {
      const answer = answers.get(new URL(request.url).pathname);
      return new Response(answer, { status: answer ? 200 : 404 });
    },
  );
}

Deno.test("zsqs permissions prints a line that runs a worker from npm with an instance's role and region, and needs each part of it", async () => {
  await using metadata = serveMetadata();
  await using stage = await stageOf({ "jobs.ini": NPM_INI }, {
    region: "eu-west-3",
    settings: ({ endpoint }) => ({
      AWS_ENDPOINT_URL_SQS: endpoint,
      AWS_EC2_METADATA_DISABLED: "",
      AWS_EC2_METADATA_SERVICE_ENDPOINT:
        `http://127.0.0.1:${metadata.addr.port}`,
    }),
  });

  const words = await printedWords(stage);
  assertEquals(words.slice(2, 4), [
    "--allow-read=jobs.ini",
    `--allow-net=${
      new URL(stage.server.endpoint).host
    },127.0.0.1:${metadata.addr.port}`,
  ]);
  const { status, stderr } = await run(words, stage);
  assertEquals(status, 0);
  assertStringIncludes(stderr, "Listening to adder in eu-west-3; failed jobs");
  assertStringIncludes(stderr, "received 1, done 1, ");
  await assertNarrow(words, stage, COMMON);
});

Deno.test("zsqs refuses to take the default region where it may not read the profiles", async () => {
  await using stage = await stageOf({ "jobs.ini": NPM_INI });
  const words = await printedWords(stage);
  assertEquals(
    words[2],
    "--allow-read=jobs.ini,.aws/config,.aws/credentials",
  );
  assertEquals((await run(words, stage)).status, 0);
  assertEquals(
    await run(words.with(2, "--allow-read=jobs.ini"), stage),
    {
      status: 1,
      stdout: "",
      stderr:
        `Cannot find the AWS region, as a profile that may name it is not readable: Requires read access to "${
          stage.folder.at(".aws/config")
        }", run again with the --allow-read flag\nGive a "region" or AWS_REGION, or rerun with --allow-read=.aws/config,.aws/credentials\n`,
    },
  );
});
