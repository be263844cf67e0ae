/**
 * The command line refuses mistakes, in one or two plain lines, when a
 * container starts and when it is checked.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import manifest from "../../deno.json" with { type: "json" };
import { setUp } from "../../testing.ts";
import { cli, Folder, freeAddress, textsOf } from "../support/cli.ts";
import { runCli, servePackage, TestProcess } from "../support/server.ts";

const CLI = "deno run -A jsr:@zsqs/cli";

const DELETED =
  'Warning: failed jobs of adder are deleted after logging: to keep them, set "failures" to a queue';

Deno.test("main() prints how it is used where it gets no arguments", async () => {
  const { status, stdout, stderr } = await cli([]);
  assertEquals(status, 2);
  assertEquals(stdout, []);
  assertEquals(stderr, (await cli(["--help"])).stdout);
});

Deno.test("main() takes short and spelled-out forms of help and version", async () => {
  const help = await cli(["--help"]);
  for (const args of [["-h"], ["help"]]) assertEquals(await cli(args), help);
  const check = await cli(["check", "--help"]);
  for (const args of [["check", "-h"], ["help", "check"]]) {
    assertEquals(await cli(args), check);
  }
  const version = await cli(["--version"]);
  for (const args of [["-V"], ["version"], ["check", "-V"]]) {
    assertEquals(await cli(args), version);
  }
  // What follows a queue is an argument.
  assertEquals((await cli(["send", "a b", "-h"])).status, 2);
});

Deno.test("main() prints the help of each command", async () => {
  const helps: [args: string[], first: string, ...parts: string[]][] = [
    [
      ["--help"],
      "Run background jobs from Amazon SQS.",
      "--drain",
      "shutdown_timeout",
      "Exit status:",
    ],
    [
      ["check", "--help"],
      "Report everything that is wrong with containers.",
      "Exit status:",
    ],
    [
      ["permissions", "--help"],
      "Print the deno command line with the fewest permissions that work.",
      "Exit status:",
    ],
    [
      ["send", "--help", "adder"],
      "Send a job to an SQS queue.",
      "--deduplication-id=ID",
      "--stdin",
      "--from=N",
    ],
    [
      ["status", "--help"],
      "Show how many messages SQS queues hold.",
      "--json",
      "--region=REGION",
      "Exit status:",
    ],
    [
      ["failed", "--help"],
      "List failed messages, send them back to be retried, or delete them.",
      "--error=PATTERN",
      "--purge",
      "--local",
      "Exit status:",
    ],
  ];
  for (const [args, first, ...parts] of helps) {
    const { status, stdout, stderr } = await cli(args);
    assertEquals([status, stderr], [0, []]);
    assertEquals(stdout[0], first);
    const text = stdout.join("\n");
    for (const part of parts) assertStringIncludes(text, part);
    assertEquals(text.split("\n").filter((line) => line.length > 80), []);
  }
});

Deno.test("main() prints the version", async () => {
  const version = {
    status: 0,
    stdout: [`zsqs ${manifest.version}`],
    stderr: [],
  };
  assertEquals(await cli(["--version"]), version);
  assertEquals(await cli(["check", "--version"]), version);
  assertEquals(await cli(["send", "--version"]), version);
});

/** Command lines, their errors, and whose help is offered. */
const BAD_USAGE: [args: string[], line: string, command?: string][] = [
  [
    ["sned", "adder", "1"],
    'There is no command and no file "sned": did you mean "send"?',
  ],
  [
    ["frobnicate"],
    'There is no command and no file "frobnicate": the commands are "init", "check", "permissions", "send", "status" and 2 more',
  ],
  [
    ["--debug=x", "adder.ini"],
    'Option --debug takes no value: got "x"',
  ],
  [
    ["--local", "check", "adder.ini"],
    `The command check must come first: write ${CLI} check, then its options`,
  ],
  [
    ["--region=eu-west-1", "send", "adder", "1"],
    `The command send must come first: write ${CLI} send, then its options`,
  ],
  [["help", "chek"], 'There is no command "chek": did you mean "check"?'],
  ...["waitTimeSeconds", "wait-time", "wait_time"].map((
    name,
  ): [string[], string] => [
    [`--${name}=3`, "adder.ini"],
    `Unknown option --${name}=3: set "wait_time" in [container] of the ini file`,
  ]),
  ...["olderThan", "older_than", "older"].map((
    name,
  ): [string[], string, string] => [
    ["failed", `--${name}=3d`, "adder"],
    `Unknown option --${name}=3d: did you mean --older-than?`,
    "failed",
  ]),
  [
    ["--drian", "adder.ini"],
    `Unknown option --drian: did you mean --drain?`,
  ],
  [
    ["adder.ini", "--prot=1"],
    `Unknown option --prot=1: did you mean --port?`,
  ],
  [
    ["-x"],
    "Unknown option -x: the options are --drain, --watch, --local, --port, --max-receive-count and 4 more",
  ],
  [
    ["check", "--debgu", "adder.ini"],
    "Unknown option --debgu: did you mean --debug?",
    "check",
  ],
  [
    ["send", "--dely=1", "adder"],
    "Unknown option --dely=1: did you mean --delay?",
    "send",
  ],
  [
    ["adder.ini", "--local", "--port"],
    "Option --port needs a value: write --port=PORT",
  ],
  [
    ["--local", "--port=", "adder.ini"],
    "Option --port needs a value: write --port=PORT",
  ],
  [
    ["--port", "--local", "adder.ini"],
    "Option --port needs a value: write --port=PORT",
  ],
  [
    ["--drain=yes", "adder.ini"],
    'Option --drain takes no value: got "yes"',
  ],
  [
    ["--drain", "true"],
    'Option --drain takes no value: got "true"',
  ],
  [
    ["send", "--stdin=jobs.txt", "adder"],
    'Option --stdin takes no value: got "jobs.txt"',
    "send",
  ],
  [["--port=4566", "adder.ini"], "Option --port needs --local"],
  [
    ["--max-receive-count=3", "adder.ini"],
    "Option --max-receive-count needs --local",
  ],
  [
    ["--local", "--max-receive-count=0", "adder.ini"],
    'Option --max-receive-count must be an integer from 1 to 1000: current value is "0"',
  ],
  [
    ["--maxReceiveCount=3", "adder.ini"],
    "Unknown option --maxReceiveCount=3: did you mean --max-receive-count?",
  ],
  [["--drain", "--watch", "a.ini"], "Give --watch or --drain, not both"],
  [["init", "a", "b"], "Give one folder: got a, b", "init"],
  [
    ["init", "--template=isolate"],
    'There is no template "isolate": did you mean "isolated"?',
    "init",
  ],
  [
    ["--data=queues", "adder.ini"],
    "Unknown option --data=queues: the options are --drain, --watch, --local, --port, --max-receive-count and 4 more",
  ],
  [
    ["send", "--port=4566", "adder"],
    "Option --port needs --local",
    "send",
  ],
  ...["x", "-1", "65536", "1e3", "080"].map((port): [string[], string] => [
    ["--local", `--port=${port}`, "adder.ini"],
    `Option --port must be an integer from 0 to 65535: current value is "${port}"`,
  ]),
  [["--local"], "No ini file given: name the files to run"],
  [["check"], "No ini file given: name the files to check", "check"],
  [["send"], "No queue given: name the queue to send to", "send"],
  ...["901", "1.5", "x"].map((delay): [string[], string, string] => [
    ["send", `--delay=${delay}`, "adder"],
    `Option --delay must be an integer from 0 to 900: current value is "${delay}"`,
    "send",
  ]),
  [
    ["send", "--attribute=trace", "adder"],
    'Option --attribute must be NAME=VALUE: current value is "trace"',
    "send",
  ],
  [
    ["send", "--local", "--endpoint=http://127.0.0.1", "adder"],
    "Give --endpoint or --local, not both",
    "send",
  ],
  [
    ["send", "--stdin", "adder", "1"],
    "Option --stdin takes no arguments as jobs come from standard input: got 1",
    "send",
  ],
  [["send", "--from=3", "adder"], "Option --from needs --stdin", "send"],
  [
    ["send", "adder", "x=1", "x=2"],
    "Keyword argument x is given twice",
    "send",
  ],
];

Deno.test("main() refuses bad usage", async (t) => {
  using _queues = setUp({ silent: true });
  for (const [args, line, command] of BAD_USAGE) {
    await t.step(args.join(" "), async () => {
      const call = command === undefined ? CLI : `${CLI} ${command}`;
      assertEquals(await cli(args), {
        status: 2,
        stdout: [],
        stderr: [line, `Try ${call} --help`],
      });
    });
  }
});

/** A configuration that is wrong. */
interface Wrong {
  readonly name: string;
  /** The file; without it there is none. */
  readonly ini?: string;
  /** What is said, with `FILE`, `FOLDER` and `FOLDER_URL` filled in. */
  readonly lines: readonly string[];
  /** Seen only when the factory is called, which `check` does not. */
  readonly onCall?: true;
}

const MODULES = {
  "adder.ts": "export default () => () => {};",
  "throws.ts": 'throw new Error("no database");',
  "syntax.ts": "export default () => {\n  const = 1;\n};",
  "imports.ts": 'import "./absent_lib.ts";\nexport default () => () => {};',
  "empty.ts": "export {};",
  "jobs.ts": `\
export const scale = 2;
export const tools = { adder: () => () => {} };
export function needy(config) {
  if (config.scale === undefined) throw new RangeError("scale is missing");
}
export async function rejects() {
  throw new Error("no answer from the database");
}
export function throwsText() {
  throw "no scale";
}
export function nothing() {}
export const number = () => 1;
export class Adder {}
`,
};

const MINIMAL = "[container]\nworker = adder.ts\nqueue = adder\n";

function wrong(name: string, ini: string, ...lines: string[]): Wrong {
  return { name, ini, lines };
}

function wrongOption(option: string, value: string, wanted: string): Wrong {
  return wrong(
    `${option} = ${value}`,
    `${MINIMAL}${option} = ${value}\n`,
    `Cannot start container as "${option}" in [container] of FILE (line 4) must be ${wanted}: current value is "${value}"`,
  );
}

function wrongNumbers(
  option: string,
  wanted: string,
  ...values: string[]
): Wrong[] {
  return [...values, "", "x", "1.5", "1e1", "+5", "1 s", "0x10", "٣"]
    .map((value) => wrongOption(option, value, wanted));
}

/** Logger text whose problem is on its line `line`, counted from 0. */
function wrongLoggers(
  name: string,
  text: string,
  line: number,
  problem: string,
): Wrong {
  const indented = text.replaceAll(/^/gm, "  ");
  return wrong(
    name,
    `${MINIMAL}loggers =\n${indented}\n`,
    `Cannot start container as "loggers" in [container] of FILE (line ${
      5 + line
    }) ${problem}`,
  );
}

function wrongWorker(worker: string, problem: string): Wrong {
  return wrong(
    `worker = ${worker}`,
    `[container]\nworker = ${worker}\nqueue = adder\n`,
    `Cannot start container as worker "${worker}" of FILE ${problem}`,
  );
}

function wrongFactory(worker: string, problem: string): Wrong {
  return { ...wrongWorker(worker, problem), onCall: true };
}

const LOG_FILE = `\
<logger>
  <logfile>
    path PATH
    format %(message)s
  </logfile>
</logger>`;

const WANTED_HANDLER =
  'return a function that takes a job\'s arguments, or an object with a "handle" method';

const WRONG: readonly Wrong[] = [
  {
    name: "no file",
    lines: [
      "Cannot read FILE as there is no such file: give the path of an ini file",
    ],
  },
  wrong(
    "an unknown option",
    `${MINIMAL}quue = adder\n`,
    `Cannot start container as "quue" in [container] of FILE (line 4) is not an option: did you mean "queue"?`,
  ),
  wrong(
    "[workers]",
    `${MINIMAL}[workers]\nscale = 2\n`,
    `Cannot start container as [workers] of FILE (line 4) is not a section: did you mean [worker]?`,
  ),
  wrong(
    "[contaner]",
    MINIMAL.replace("container", "contaner"),
    `Cannot start container as [contaner] of FILE (line 1) is not a section: did you mean [container]?`,
  ),
  wrong(
    "an empty file",
    "",
    'Cannot start container as FILE has no [container] section: give one with "worker" and "queue"',
  ),
  wrong(
    "no worker",
    "[container]\nqueue = adder\n",
    'Cannot start container as [container] of FILE has no "worker": give the worker as MODULE or MODULE:expr',
  ),
  wrong(
    "no queue",
    "[container]\nworker = adder.ts\n",
    'Cannot start container as [container] of FILE has no "queue": give the name, URL or ARN of an SQS queue',
  ),
  wrong(
    "a repeated option",
    `${MINIMAL}Queue = adder\n`,
    'Cannot read FILE as line 4 repeats option "Queue" of [container]: it is first given on line 3',
  ),
  wrong(
    "a repeated section",
    `${MINIMAL}[container]\n`,
    "Cannot read FILE as line 4 repeats section [container]: it is first given on line 1",
  ),
  wrong(
    "a queue that is no queue's name",
    "[container]\nworker = adder.ts\nqueue = my queue\n",
    `Cannot start container as "queue" in [container] of FILE (line 3) must be a queue's name, URL or ARN: current value is "my queue". A name has up to 80 letters, digits, "_" and "-", including a ".fifo" at its end`,
  ),
  wrong(
    "a queue that does not exist",
    "[container]\nworker = adder.ts\nqueue = absent\n",
    'Cannot find queue "absent" in region "us-east-1": create it first, or check its name and region',
  ),
  ...wrongNumbers(
    "concurrency",
    "an integer from 1 to 1000",
    "0",
    "1001",
    "-1",
  ),
  ...wrongNumbers("wait_time", "an integer from 1 to 20", "0", "21", "-1"),
  ...wrongNumbers(
    "visibility_timeout",
    "an integer from 1 to 43200",
    "0",
    "43201",
    "-1",
  ),
  ...wrongNumbers(
    "shutdown_timeout",
    "an integer from 0 to 3600",
    "3601",
    "-1",
  ),
  ...["localhost:4566", "127.0.0.1", "ftp://127.0.0.1", "http://", ""].map(
    (value) => wrongOption("endpoint", value, "an http or https URL"),
  ),
  ...["eu west", "eu_west_1", "-", ""].map((value) =>
    wrongOption(
      "region",
      value,
      'an AWS region such as "eu-west-1"',
    )
  ),
  wrongLoggers(
    "an unknown key in <logger>",
    "<logger>\n  levl INFO\n</logger>",
    1,
    'has an unknown key "levl" in <logger>: did you mean "level"?',
  ),
  wrongLoggers(
    "a handler that is not supported",
    "<logger>\n  <syslog>\n  </syslog>\n</logger>",
    1,
    "has <syslog>, which is not supported: use <logger> with <logfile>",
  ),
  wrongLoggers(
    "a bad level",
    "<logger>\n  level LOUD\n</logger>",
    1,
    `has a bad "level" in <logger>: "LOUD" is not an integer from 0 to 50, or a name such as error, warn, info or debug`,
  ),
  wrongLoggers(
    "a section that is not closed",
    "<logger>\n  level INFO",
    0,
    "never closes <logger>",
  ),
  wrongLoggers(
    "an unknown format field",
    LOG_FILE.replace("PATH", "STDOUT").replace("message", "mesage"),
    3,
    `has a bad "format" in <logfile>: "mesage" is not a known field: did you mean "message"?`,
  ),
  wrongLoggers(
    "a log file in a folder that does not exist",
    LOG_FILE.replace("PATH", "FOLDER/absent/adder.log"),
    1,
    "cannot open log file \"FOLDER/absent/adder.log\": ENOENT: no such file or directory, open 'FOLDER/absent/adder.log'",
  ),
  wrongLoggers(
    "a log file that is a folder",
    LOG_FILE.replace("PATH", "FOLDER"),
    1,
    "cannot open log file \"FOLDER\": EISDIR: illegal operation on a directory, open 'FOLDER'",
  ),
  wrongWorker(
    "absent.ts",
    "does not exist: there is no FOLDER_URL/absent.ts",
  ),
  wrongWorker("throws.ts", "cannot be imported: Error: no database"),
  wrongWorker(
    "syntax.ts",
    "cannot be imported: SyntaxError: Unexpected token `=`. Expected yield, an identifier, [ or { (FOLDER_URL/syntax.ts:2:9)",
  ),
  wrongWorker(
    "imports.ts",
    'cannot be imported: Module not found "FOLDER_URL/absent_lib.ts". (FOLDER_URL/imports.ts:1:8)',
  ),
  wrongWorker("jobs.ts:addr", 'has no "addr": did you mean "Adder"?'),
  wrongWorker(
    "jobs.ts:tools.addr",
    'has no "tools.addr": did you mean "adder"?',
  ),
  wrongWorker(
    "jobs.ts",
    'has no default export: it exports "Adder", "needy", "nothing", "number", "rejects" and 3 more; to take another, give "jobs.ts:NAME"',
  ),
  wrongWorker(
    "empty.ts",
    'has no default export, nor any other export; to take another, give "empty.ts:NAME"',
  ),
  wrongWorker(
    "jobs.ts:scale",
    "is 2: export a function or class that takes the [worker] options",
  ),
  wrongWorker(
    "jobs.ts:tools",
    "is an object: export a function or class that takes the [worker] options",
  ),
  wrong(
    "worker = https:",
    "[container]\nworker = https://example.com/adder.ts\nqueue = adder\n",
    'Cannot start container as "worker" in [container] of FILE (line 2) must be a local file: current value is "https://example.com/adder.ts". Let it re-export that module, as Deno lets no program from JSR import "https:" URLs',
  ),
  wrongFactory("jobs.ts:needy", "failed: RangeError: scale is missing"),
  wrongFactory(
    "jobs.ts:rejects",
    "failed: Error: no answer from the database",
  ),
  wrongFactory("jobs.ts:throwsText", "failed: no scale"),
  wrongFactory("jobs.ts:nothing", `returned undefined: ${WANTED_HANDLER}`),
  wrongFactory("jobs.ts:number", `returned 1: ${WANTED_HANDLER}`),
  wrongFactory("jobs.ts:Adder", `returned an object: ${WANTED_HANDLER}`),
];

/** Calls the command line on each wrong configuration, in a separate folder. */
async function eachWrong(
  t: Deno.TestContext,
  test: (file: string, wrong: Wrong, lines: readonly string[]) => Promise<void>,
): Promise<void> {
  await using folder = await Folder.with(MODULES);
  using _queues = setUp({ queues: ["adder"], silent: true });
  for (const [number, each] of WRONG.entries()) {
    await t.step(each.name, async () => {
      const file = folder.at(`${number}.ini`);
      const fill = (text: string) =>
        text.replaceAll("FILE", file).replaceAll("FOLDER_URL", folder.url)
          .replaceAll("FOLDER", folder.path);
      if (each.ini !== undefined) {
        await Deno.writeTextFile(file, fill(each.ini));
      }
      await test(file, each, each.lines.map(fill));
    });
  }
}

Deno.test("main() refuses a wrong configuration", async (t) => {
  await eachWrong(t, async (file, _wrong, lines) => {
    assertEquals(await cli([file]), { status: 2, stdout: [], stderr: lines });
  });
});

Deno.test("main() checks a wrong configuration", async (t) => {
  await eachWrong(t, async (file, { onCall }, lines) => {
    const { status, stdout, stderr } = await cli(["check", file]);
    const texts = textsOf(stderr);
    if (onCall) {
      assertEquals([status, texts], [0, [DELETED]]);
      assertEquals(stdout.at(-1), `Checked ${file}: no problems, 1 warning`);
      return;
    }
    // A wrong worker hides no warning.
    const problems = texts.filter((text) => text !== DELETED);
    assertEquals([status, problems], [2, lines]);
    assertMatch(stdout.at(-1)!, /: 1 problem(?:, 1 warning)?$/);
  });
});

Deno.test("main() checks all at once", async () => {
  await using folder = await Folder.with(MODULES);
  using _queues = setUp({ queues: ["adder"], silent: true });
  const bad = await folder.write(
    "bad.ini",
    "[container]\nworker = absent.ts\nqueue = absent\nquue = adder\nwait_time = 0\nloggers = <logger>\n",
  );
  const good = await folder.write("good.ini", MINIMAL);
  const worse = folder.at("none.ini");
  assertEquals(await cli(["check", bad, good, worse]), {
    status: 2,
    stdout: [
      bad,
      good,
      "  Configuration   one job at a time",
      "  Worker          adder.ts, imported but not called",
      "  Job rights      the container's own, as jobs run in its process",
      "  Queue           adder in us-east-1, visibility timeout 30 s",
      "  Redrive policy  none: the queue has no dead-letter queue",
      "  SQS rights      GetQueueUrl, GetQueueAttributes: allowed; not tried: ReceiveMessage, DeleteMessage, ChangeMessageVisibility",
      worse,
      "Checked 3 files: 6 problems, 1 warning",
    ],
    stderr: [
      `  Configuration   Cannot start container as "quue" in [container] of ${bad} (line 4) is not an option: did you mean "queue"?`,
      `  Configuration   Cannot start container as "wait_time" in [container] of ${bad} (line 5) must be an integer from 1 to 20: current value is "0"`,
      `  Configuration   Cannot start container as "loggers" in [container] of ${bad} (line 6) never closes <logger>`,
      `  Worker          Cannot start container as worker "absent.ts" of ${bad} does not exist: there is no ${folder.url}/absent.ts`,
      '  Queue           Cannot find queue "absent" in region "us-east-1": create it first, or check its name and region',
      `  Failed jobs     ${DELETED}`,
      `  Configuration   Cannot read ${worse} as there is no such file: give the path of an ini file`,
    ],
  });
});

Deno.test("main() checks a good file, calling nothing and making no log file", async () => {
  await using folder = await Folder.with({
    "calls.ts": `\
export function factory() { globalThis.zsqsCalled = true; return () => {}; }
export class Adder { constructor() { globalThis.zsqsCalled = true; } handle() {} }
`,
  });
  using _queues = setUp({ queues: ["adder"], silent: true });
  const loggers = `loggers =\n${
    LOG_FILE.replace("PATH", folder.at("adder.log")).replaceAll(/^/gm, "  ")
  }\n`;
  for (const expr of ["factory", "Adder"]) {
    const file = await folder.write(
      "adder.ini",
      `[container]\nworker = calls.ts:${expr}\nqueue = adder\n${loggers}`,
    );
    const { status, stdout, stderr } = await cli(["check", file]);
    assertEquals([status, textsOf(stderr)], [0, [DELETED]]);
    assertEquals(
      stdout[2],
      `  Log files       ${folder.at("adder.log")}, can be written`,
    );
  }
  assert(!("zsqsCalled" in globalThis));
  const names = (await Array.fromAsync(Deno.readDir(folder.path)))
    .map(({ name }) => name).sort();
  assertEquals(names, ["adder.ini", "calls.ts"]);
});

Deno.test("main() says what to do where the server cannot be reached", async () => {
  const address = freeAddress();
  const where = [`--endpoint=http://${address}`, "--region=us-east-1", "adder"];
  for (const args of [["failed", ...where], ["status", ...where]]) {
    assertEquals(await cli(args), {
      status: 1,
      stdout: [],
      stderr: [
        `Cannot open queue "adder" in region "us-east-1": GetQueueUrl failed: connect ECONNREFUSED ${address}`,
        "Check the region and endpoint, and that the server runs",
      ],
    });
  }
});

Deno.test("main() says how to start the server of --local", async () => {
  const [, port] = freeAddress().split(":");
  const where = ["--local", `--port=${port}`, "adder"];
  for (
    const args of [["failed", ...where], ["status", ...where], [
      "send",
      ...where,
      "1",
    ]]
  ) {
    const { status, stderr } = await cli(args);
    assertEquals([status, stderr[1]], [
      1,
      `Start the server first: ${CLI} --local CONFIG.ini`,
    ]);
  }
});

Deno.test("zsqs init says why it cannot write, and what to do", async () => {
  await using folder = await Folder.with({ file: "" });
  const { status, stderr } = await cli(["init", folder.at("file")]);
  assertEquals(status, 1);
  assertMatch(
    stderr.join(),
    /^Cannot write to ".*\/file": EEXIST.*\. Give another folder$/,
  );
});

Deno.test("zsqs says what to do where there are no credentials", async () => {
  await using folder = await Folder.with({
    ...MODULES,
    "adder.ini":
      `${MINIMAL}region = us-east-1\nendpoint = http://${freeAddress()}\n`,
  });
  await using registry = await servePackage();
  await using process = runCli(["adder.ini"], {
    cwd: folder.path,
    env: {
      ...registry.env,
      AWS_ACCESS_KEY_ID: "",
      AWS_SECRET_ACCESS_KEY: "",
      AWS_EC2_METADATA_DISABLED: "true",
    },
  });
  assertEquals([await process.status(), process.stdout], [1, ""]);
  assertEquals(process.stderr.split("\n"), [
    'Cannot open queue "adder" in region "us-east-1": GetQueueUrl failed: Could not load credentials from any providers',
    "Give AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run with a role",
    "",
  ]);
});

Deno.test("main() adds the stack and the causes with --debug", async () => {
  await using folder = await Folder.with({
    ...MODULES,
    "adder.ini": "[container]\nworker = jobs.ts:rejects\nqueue = adder\n",
  });
  using _queues = setUp({ silent: true });
  const file = folder.at("adder.ini");
  const line =
    `Cannot start container as worker "jobs.ts:rejects" of ${file} failed: Error: no answer from the database`;
  assertEquals((await cli([file])).stderr, [line]);
  const { status, stderr: [first, ...stack] } = await cli(["--debug", file]);
  assertEquals([status, first], [2, line]);
  assertMatch(
    stack.join("\n"),
    /^ConfigError: Cannot start [^]*\n {6}at [^]*\n {2}Caused by: Error: no answer from the database\n {6}at rejects \(file:[^]*jobs\.ts:7:9\)/,
  );
});

Deno.test("zsqs names the Deno permission that is missing", async () => {
  await using folder = await Folder.with({
    ...MODULES,
    "adder.ini": MINIMAL,
  });
  await using registry = await servePackage();
  const run = async (...flags: string[]) => {
    await using process = new TestProcess(
      ["run", "-q", "--no-prompt", ...flags, "jsr:@zsqs/cli", "adder.ini"],
      { cwd: folder.path, env: registry.env },
    );
    return { status: await process.status(), stderr: process.stderr };
  };
  // Without any flag Deno itself grants nothing.
  assertEquals(await run(), {
    status: 2,
    stderr:
      "Cannot read adder.ini without permission: run again with --allow-read=adder.ini\n",
  });
  const { status, stderr } = await run("--allow-read");
  assertEquals(status, 1);
  assertMatch(
    stderr,
    /^A Deno permission is missing: Requires env access to "[A-Z_]+", run again with the --allow-env flag\n$/,
  );
});

Deno.test("a command whose reader has seen enough ends without a word", async () => {
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "-q",
      new URL("../../cli.ts", import.meta.url).href,
      "--help",
    ],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await command.stdout.cancel();
  const stderr = await new Response(command.stderr).text();
  assertEquals([stderr, (await command.status).code], ["", 1]);
});
