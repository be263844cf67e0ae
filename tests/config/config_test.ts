import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import {
  checkConfig,
  configOf,
  validOrThrow,
} from "../../src/config/config.ts";
import {
  checkText,
  readConfig,
  readContainerConfig,
} from "../../src/config/ini_config.ts";
import {
  CONTAINER_OPTIONS,
  type ContainerConfig,
  PERMISSION_KEYS,
} from "../../src/config/options.ts";
import type { ContainerSettings } from "../../src/config/settings.ts";
import { ConfigError } from "../../src/errors.ts";
import { parseLoggers } from "../../src/logging/loggers_text.ts";
import { parseWorkerSpec, type WorkerSpec } from "../../src/job/worker_spec.ts";

const BASE = resolve("/conf");

function fileUrl(path: string): string {
  return pathToFileURL(resolve(BASE, path)).href;
}

const SPECS: [
  text: string,
  module: string,
  specifier: string,
  expr?: string,
][] = [
  ["adder.ts", "adder.ts", fileUrl("adder.ts")],
  ["adder.ts:fn", "adder.ts", fileUrl("adder.ts"), "fn"],
  ["adder.ts:default", "adder.ts", fileUrl("adder.ts"), "default"],
  ["adder.ts:a.default.b", "adder.ts", fileUrl("adder.ts"), "a.default.b"],
  ["adder.ts:$_.été", "adder.ts", fileUrl("adder.ts"), "$_.été"],
  ["adder.ts:𠮷", "adder.ts", fileUrl("adder.ts"), "𠮷"],
  ["adder:fn", "adder", fileUrl("adder"), "fn"],
  [
    "zc.sqs.tests:scaled_addr",
    "zc.sqs.tests",
    fileUrl("zc.sqs.tests"),
    "scaled_addr",
  ],
  ["../a b#?%é.ts:fn", "../a b#?%é.ts", fileUrl("../a b#?%é.ts"), "fn"],
  ["./a:b/c.ts", "./a:b/c.ts", fileUrl("./a:b/c.ts")],
  ["./a:b/c.ts:fn", "./a:b/c.ts", fileUrl("./a:b/c.ts"), "fn"],
  ["jobs/a:b.ts:fn", "jobs/a:b.ts", fileUrl("jobs/a:b.ts"), "fn"],
  ["./node:fn", "./node", fileUrl("node"), "fn"],
  ["./adder.ts:1x", "./adder.ts:1x", fileUrl("adder.ts:1x")],
  [
    "/jobs/adder.ts:fn",
    "/jobs/adder.ts",
    pathToFileURL("/jobs/adder.ts").href,
    "fn",
  ],
  ["C:\\jobs\\a b.ts", "C:\\jobs\\a b.ts", "file:///C:/jobs/a%20b.ts"],
  ["C:\\jobs\\a.ts:fn", "C:\\jobs\\a.ts", "file:///C:/jobs/a.ts", "fn"],
  ["c:/jobs/../a.ts:a.b", "c:/jobs/../a.ts", "file:///c:/a.ts", "a.b"],
  ["file:///x.ts", "file:///x.ts", "file:///x.ts"],
  ["file:///x.ts:fn", "file:///x.ts", "file:///x.ts", "fn"],
  ["file:///C:/a b.ts:fn", "file:///C:/a b.ts", "file:///C:/a%20b.ts", "fn"],
  ["FILE:/x.ts?v=1:fn", "FILE:/x.ts?v=1", "file:///x.ts?v=1", "fn"],
  ["jsr:@a/b", "jsr:@a/b", "jsr:@a/b"],
  ["jsr:@a/b:fn", "jsr:@a/b", "jsr:@a/b", "fn"],
  ["jsr:@a/b@1:c.d", "jsr:@a/b@1", "jsr:@a/b@1", "c.d"],
  [
    "jsr:/@a/b@^1.0.0-rc.9/sub",
    "jsr:/@a/b@^1.0.0-rc.9/sub",
    "jsr:/@a/b@^1.0.0-rc.9/sub",
  ],
  ["JSR:@a/b", "JSR:@a/b", "jsr:@a/b"],
  ["npm:x", "npm:x", "npm:x"],
  ["npm:x:y", "npm:x", "npm:x", "y"],
  [
    "npm:@a/x@1.2/sub:default",
    "npm:@a/x@1.2/sub",
    "npm:@a/x@1.2/sub",
    "default",
  ],
];

Deno.test("parseWorkerSpec() splits and resolves a worker", () => {
  for (const [text, module, specifier, expr] of SPECS) {
    assertEquals(
      parseWorkerSpec(text, BASE),
      { text, module, specifier, ...(expr ? { expr } : {}) },
      text,
    );
  }
});

const QUEUE_REF = "a queue's name, URL or ARN";

const NAME_HINT =
  'A name has up to 80 letters, digits, "_" and "-", including a ".fifo" at its end';

const HINT = 'MODULE is a path or a "file:", "jsr:" or "npm:" specifier; ' +
  "expr is a name, or names joined by dots";

const SHAPE = `must be MODULE or MODULE:expr. ${HINT}`;

const BAD_SPECS: [text: string, message: string][] = [
  ["", SHAPE],
  [":", SHAPE],
  [":fn", SHAPE],
  ["adder.ts:", SHAPE],
  ["npm:", SHAPE],
  ["C:", SHAPE],
  ["adder.ts\n:fn", SHAPE],
  [
    "adder.ts:1x",
    `${SHAPE}. Start a path that has a ":" in its first part with "./"`,
  ],
  [
    "adder.ts:make-adder",
    `${SHAPE}. Start a path that has a ":" in its first part with "./"`,
  ],
  [
    "constructor:a/b",
    `${SHAPE}. Start a path that has a ":" in its first part with "./"`,
  ],
  [
    "C:fn",
    'must have an absolute path after "C:". If that is no drive letter, start with "./"',
  ],
  [
    "a:b/c.ts:fn",
    'must have an absolute path after "a:". If that is no drive letter, start with "./"',
  ],
  [
    "https://x.y/z.ts:fn",
    'must be a local file. Let it re-export that module, as Deno lets no program from JSR import "https:" URLs',
  ],
  [
    "HTTP://localhost:8000/z.ts",
    'must be a local file. Let it re-export that module, as Deno lets no program from JSR import "http:" URLs',
  ],
  [
    "data:text/javascript,1",
    'must not start with "data:". Give a path, or a "file:", "jsr:" or "npm:" specifier',
  ],
  [
    "node:fs",
    'must not start with "node:". Give a path, or a "file:", "jsr:" or "npm:" specifier',
  ],
  [
    "node:fs:readFile",
    'must not start with "node:". Give a path, or a "file:", "jsr:" or "npm:" specifier',
  ],
  ["jsr:a/b", "must have the form jsr:@SCOPE/NAME"],
  [
    "npm:@a:fn",
    "must have the form npm:NAME or npm:@SCOPE/NAME",
  ],
  ["file:x.ts", "must have the form file:///PATH"],
];

Deno.test("parseWorkerSpec() refuses what Deno could not import", () => {
  for (const [text, message] of BAD_SPECS) {
    const error = assertThrows(() => parseWorkerSpec(text, BASE), SyntaxError);
    assertEquals(error.message, message, text);
  }
});

function parse(text: string, file: string): ContainerConfig {
  return validOrThrow(checkText(text, file));
}

const WHERE = 'Cannot start container as "loggers"';

const MINIMAL = "[container]\nworker = adder.ts\nqueue = adder\n";

Deno.test("checkText() applies the defaults", () => {
  const config = parse(MINIMAL, "conf/adder.ini");
  assertEquals({ ...config, workerConfig: { ...config.workerConfig } }, {
    file: "conf/adder.ini",
    worker: {
      text: "adder.ts",
      module: "adder.ts",
      specifier: pathToFileURL(resolve("conf/adder.ts")).href,
    },
    workerConfig: {},
    queue: { text: "adder", name: "adder", fifo: false },
    body: "job",
    loggers: parseLoggers(undefined).config,
    loggersWhere: `${WHERE} in [container] of conf/adder.ini`,
    concurrency: 1,
    prefetch: 0,
    deleteDelaySeconds: 1,
    waitTimeSeconds: 20,
    shutdownTimeoutSeconds: 25,
    isolation: "none",
  });
  assert(Object.isFrozen(config));
});

Deno.test("checkText() reads every option, in any case and from [DEFAULT]", () => {
  const config = parse(
    "[DEFAULT]\nregion: eu-west-1\nscale = 2\n\n[container]\n" +
      "Worker = /jobs/adder.ts:jobs.adder\nQUEUE = adder.fifo\n" +
      "endpoint = http://127.0.0.1:4566\nloggers =\n  json\n" +
      "concurrency = 1\nwait_time = 1\nvisibility_timeout = 43200\n" +
      "shutdown_timeout = 0\n[worker]\nscale = 3\n",
    "adder.ini",
  );
  assertEquals({ ...config, workerConfig: { ...config.workerConfig } }, {
    file: "adder.ini",
    worker: {
      text: "/jobs/adder.ts:jobs.adder",
      module: "/jobs/adder.ts",
      specifier: pathToFileURL("/jobs/adder.ts").href,
      expr: "jobs.adder",
    },
    workerConfig: { region: "eu-west-1", scale: "3" },
    queue: { text: "adder.fifo", name: "adder.fifo", fifo: true },
    region: "eu-west-1",
    endpoint: "http://127.0.0.1:4566",
    body: "job",
    loggers: parseLoggers("json").config,
    loggersWhere: `${WHERE} in [container] of adder.ini`,
    concurrency: 1,
    prefetch: 0,
    deleteDelaySeconds: 1,
    waitTimeSeconds: 1,
    visibilityTimeoutSeconds: 43200,
    shutdownTimeoutSeconds: 0,
    isolation: "none",
  });
});

Deno.test("checkText() reads how jobs are run", () => {
  const read = (lines: string) => parse(MINIMAL + lines, "adder.ini");
  const config = read(
    "concurrency = 20\ndelete_delay = 0\ntimeout = 300\n" +
      "retry_delay = 1..600\nfailures = adder-failed\n",
  );
  assertEquals([config.concurrency, config.prefetch], [20, 10]);
  assertEquals([config.deleteDelaySeconds, config.timeoutSeconds], [0, 300]);
  assertEquals(config.retryDelay, { minSeconds: 1, maxSeconds: 600 });
  assertEquals(config.failures, {
    text: "adder-failed",
    name: "adder-failed",
    fifo: false,
  });
  assertEquals(read("failures = keep\n").failures, "keep");
  assertEquals(read("concurrency = 3\n").prefetch, 3);
  assertEquals(read("concurrency = 3\nprefetch = 0\n").prefetch, 0);
  assertEquals(read("retry_delay = 30\n").retryDelay, {
    minSeconds: 30,
    maxSeconds: 30,
  });
});

Deno.test("checkText() reads what bodies are", () => {
  const read = (lines: string) => parse(MINIMAL + lines, "adder.ini");
  const { body, envelope } = read("body = text\nenvelope = sns\n");
  assertEquals([body, envelope], ["text", "sns"]);
  assertEquals(read("body = json").envelope, undefined);
});

Deno.test("checkText() reads how jobs are isolated", () => {
  const read = (lines: string) =>
    parse(MINIMAL + "isolation = process\n" + lines, "adder.ini");
  assertEquals(read("").processes, 1);
  assertEquals(read("").allowNet, undefined);
  assertEquals(read("processes = 3\nconcurrency = 3\n").processes, 3);
  const all = read(
    "allow_net = a.example:443,[::1]:80\nallow_read =\n  a b,\n  c\n" +
      "allow_write = /tmp\nallow_env = A, B_*\nallow_run = true\n" +
      "allow_sys = osRelease\nallow_ffi = ./x.so\nallow_import = esm.sh:443\n",
  );
  assertEquals(
    Object.values(PERMISSION_KEYS).map((key) => all[key]),
    [
      "a.example:443,[::1]:80",
      "a b,c",
      "/tmp",
      "A,B_*",
      "true",
      "osRelease",
      "./x.so",
      "esm.sh:443",
    ],
  );
  assertEquals(read("allow_all = true\n").allowAll, true);
  assertEquals(read("allow_all = false\nallow_env = A\n").allowAll, false);
});

const ALONE = (option: string, value: string) =>
  `Cannot start container as "${option}" in [container] of adder.ini (line 4) needs "isolation" to be "process": current value is "${value}"`;

const BAD_TOGETHER: [lines: string, ...problems: string[]][] = [
  ["processes = 1", ALONE("processes", "none")],
  ["allow_net = a.example", ALONE("allow_net", "none")],
  ["allow_all = false", ALONE("allow_all", "none")],
  [
    "isolation = process\nallow_all = true\nallow_net = a\nallow_env = B",
    'Cannot start container as "allow_net" in [container] of adder.ini (line 6) must not be given together with "allow_all": give one of them',
    'Cannot start container as "allow_env" in [container] of adder.ini (line 7) must not be given together with "allow_all": give one of them',
  ],
  [
    "isolation = process\nprocesses = 2",
    'Cannot start container as "concurrency" must be at least "processes": current values are 1 and 2',
  ],
  [
    "isolation = worker\nprocesses = 1",
    'Cannot start container as "isolation" in [container] of adder.ini (line 4) must be "none" or "process": current value is "worker"',
  ],
];

Deno.test("checkText() refuses options of isolation that do not fit together", () => {
  for (const [lines, ...problems] of BAD_TOGETHER) {
    assertEquals(problemsOf(MINIMAL + lines), problems, lines);
  }
});

Deno.test("checkText() refuses failures that go back to the queue", () => {
  assertEquals(problemsOf(MINIMAL + "failures = adder\n"), [
    'Cannot start container as "failures" must be another queue than "queue": current value of both is "adder"',
  ]);
});

const ARN = "arn:aws:sqs:eu-west-1:123456789012:adder";
const AWS_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/adder";

Deno.test("checkConfig() compares the queues that failures and queue name", () => {
  const problems = (queue: string, failures: string, region?: string) => {
    const settings = { worker: "adder.ts", queue, region };
    try {
      checkConfig({ ...settings, failures: { queue: failures } });
      return [];
    } catch (error) {
      assert(error instanceof ConfigError);
      return error.problems;
    }
  };
  for (const [a, b] of [[ARN, AWS_URL], ["adder", ARN], [AWS_URL, "adder"]]) {
    assertEquals(problems(a!, b!), [
      `Cannot start container as "failures" must be another queue than "queue": current values are "${b}" and "${a}"`,
    ]);
  }
  const other = (from: string, to: string) => ARN.replace(from, to);
  assertEquals(problems(ARN, other("eu-west-1", "us-east-1")), []);
  assertEquals(problems(ARN, other("123456789012", "210987654321")), []);
  assertEquals(problems(AWS_URL, other("123456789012", "210987654321")), []);
  assertEquals(problems("adder", ARN, "us-east-1"), []);
  assertEquals(problems("adder", "adder.fifo"), []);
  assertEquals(problems("http://a:1/1/adder", "http://a:2/1/adder"), []);
});

Deno.test("checkText() reads the seed's file", () => {
  const config = parse(
    "[container]\nworker = zc.sqs.tests:scaled_addr\nqueue = adder\n" +
      "loggers =\n   <logger>\n     level INFO\n   </logger>\n\n" +
      "[worker]\nscale = 2\n",
    "ini",
  );
  assertEquals(specOf(config).expr, "scaled_addr");
  assertEquals(config.loggers, [
    { name: "", level: 20, propagate: true, files: [], line: 5 },
  ]);
  assertEquals(config.workerConfig.scale, "2");
});

Deno.test("checkText() takes a queue's name, URL or ARN", () => {
  for (
    const queue of [
      "a",
      "A-z_0.fifo",
      "x".repeat(80),
      "x".repeat(75) + ".fifo",
      "https://sqs.eu-west-1.amazonaws.com/123456789012/adder",
      "http://sqs.us-east-1.localhost:4566/000000000000/adder.fifo",
      "arn:aws:sqs:eu-west-1:123456789012:adder",
      "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:adder.fifo",
    ]
  ) {
    const config = parse(
      `[container]\nworker = adder.ts\nqueue = ${queue}\n`,
      "adder.ini",
    );
    assertEquals(config.queue.text, queue);
  }
});

Deno.test("checkText() hands each [worker] value over exactly", () => {
  const config = parse(
    MINIMAL +
      '[worker]\na = 007\nb = 1e3\nc = true\nd = null\ne = "quoted"\n' +
      "f = a=b:c\ng = ü\nh = #x\ni =\nj = ; not a comment\nk =\n  one\n\n" +
      "    two  \n# a comment\n  three\nl = -0\nm = 1_000\nn = %(a)s\n" +
      "camelCase = Value\nÄ = Ö\n__proto__ = 1\nconstructor = 2\n",
    "adder.ini",
  ).workerConfig;
  assertEquals(Object.entries(config), [
    ["a", "007"],
    ["b", "1e3"],
    ["c", "true"],
    ["d", "null"],
    ["e", '"quoted"'],
    ["f", "a=b:c"],
    ["g", "ü"],
    ["h", "#x"],
    ["i", ""],
    ["j", "; not a comment"],
    ["k", "\none\n\ntwo\nthree"],
    ["l", "-0"],
    ["m", "1_000"],
    ["n", "%(a)s"],
    ["camelCase", "Value"],
    ["camelcase", "Value"],
    ["Ä", "Ö"],
    ["ä", "Ö"],
    ["__proto__", "1"],
    ["constructor", "2"],
  ]);
  assertEquals(Object.getPrototypeOf(config), null);
  assert(Object.isFrozen(config));
  assertEquals(config.toString, undefined);
});

Deno.test("checkText() gives [DEFAULT] to [worker], as Python does", () => {
  const defaults = "[DEFAULT]\nScale = 1\nunit = m\n";
  const { workerConfig } = parse(
    `${defaults}${MINIMAL}[worker]\nSCALE = 2\n`,
    "adder.ini",
  );
  assertEquals({ ...workerConfig }, { SCALE: "2", scale: "2", unit: "m" });
  assertEquals(
    Object.keys(parse(defaults + MINIMAL, "adder.ini").workerConfig),
    [],
  );
});

function specOf(config: ContainerConfig): WorkerSpec {
  const { worker } = config;
  assert("specifier" in worker);
  return worker;
}

type BadOption = [line: string, subject: string, problem: string];

/** Values that an option refuses, each for the same reason. */
function refused(
  name: string,
  problem: string,
  ...values: readonly string[]
): BadOption[] {
  return values.map((value) => {
    const shown = JSON.stringify(value.replace(/\n +/, "\n"));
    return [
      `${name} = ${value}`,
      name,
      `${problem}: current value is ${shown}`,
    ];
  });
}

const integer = (from: number, to: number) =>
  `must be an integer from ${from} to ${to}`;

/** Each is one option in addition to the required ones. */
const BAD_OPTIONS: readonly BadOption[] = [
  ...refused(
    "allow_net",
    'must be values separated by commas, or "true"',
    ...["", "a,,b", ",", "false", "a,\tb\tc"],
  ),
  ...refused("allow_all", 'must be "true" or "false"', "yes"),
  ...refused(
    "body",
    'must be "job", "json" or "text"',
    ...["", "JSON", "job, json", "base64"],
  ),
  ...refused("envelope", 'must be "sns"', "", "none"),
  ...refused("processes", integer(1, 64), "0"),
  ...refused("Wait_Time", integer(1, 20), "abc"),
  ...refused(
    "wait_time",
    integer(1, 20),
    ...["abc", "", "0", "21", "1e1", "0x10", "5.0", "+5", "05", "1_0", "١"],
    ...["5 ; s", "5\n  6", "9".repeat(24)],
  ),
  ...refused("visibility_timeout", integer(1, 43200), "0", "43201"),
  ...refused("shutdown_timeout", integer(0, 3600), "-1", "3601"),
  ...refused("concurrency", integer(1, 1000), "0", "1001", "1.5", "many"),
  ...refused("prefetch", integer(0, 1000), "-1", "1001"),
  ...refused("delete_delay", integer(0, 10), "-1", "11"),
  ...refused("timeout", integer(1, 43200), "0", "43201"),
  ...refused(
    "retry_delay",
    "must be seconds from 0 to 43200, or MIN..MAX",
    ...["", "-1", "1.5", "43201", "10..1", "1..", "..5", "1...5", "1..43201"],
  ),
  ...refused(
    "region",
    'must be an AWS region such as "eu-west-1"',
    ...["", "eu west"],
  ),
  ...refused(
    "endpoint",
    "must be an http or https URL",
    ...["localhost:4566", "ftp://localhost", "http://"],
  ),
  [
    "isolaton = process",
    "isolaton",
    'is not an option: did you mean "isolation"?',
  ],
  [
    "large_from = 9",
    "large_from",
    "is an option of producers: give it to Queue() or zsqs send, and remove it here",
  ],
  [
    "wait_tim = 9",
    "wait_tim",
    'is not an option: did you mean "wait_time"?',
  ],
  [
    "Visibility-Timeout = 9",
    "Visibility-Timeout",
    'is not an option: did you mean "visibility_timeout"?',
  ],
  [
    "__proto__ = 9",
    "__proto__",
    'is not an option: the options are "worker", "queue", "region", "endpoint", "loggers" and 31 more',
  ],
];

Deno.test("checkText() refuses a bad option and names the allowed values", () => {
  for (const [line, subject, problem] of BAD_OPTIONS) {
    assertEquals(problemsOf(MINIMAL + line), [
      `Cannot start container as "${subject}" in [container] of adder.ini ` +
      `(line 4) ${problem}`,
    ]);
  }
});

Deno.test("checkText() refuses a queue that SQS cannot have", () => {
  for (
    const queue of [
      "",
      "a b",
      "ü",
      "a.b",
      ".fifo",
      "a.fifo.fifo",
      "x".repeat(76) + ".fifo",
      "x".repeat(81),
      "https://sqs.eu-west-1.amazonaws.com/",
      "arn:aws:sns:eu-west-1:123456789012:adder",
      "arn:aws:sqs:eu-west-1:123456789012:a.b",
    ]
  ) {
    assertEquals(
      problemsOf(`[container]\nworker = adder.ts\nqueue = ${queue}\n`),
      [
        `Cannot start container as "queue" in [container] of adder.ini ` +
        `(line 3) must be ${QUEUE_REF}: current value is "${queue}". ${NAME_HINT}`,
      ],
    );
  }
});

/** Whole files, and all that is wrong in them. */
const BAD_FILES: [text: string, ...problems: string[]][] = [
  [
    "",
    'Cannot start container as adder.ini has no [container] section: give one with "worker" and "queue"',
  ],
  [
    "[container]\n",
    'Cannot start container as [container] of adder.ini has no "worker": give the worker as MODULE or MODULE:expr',
    'Cannot start container as [container] of adder.ini has no "queue": give the name, URL or ARN of an SQS queue',
  ],
  [
    "[container]\nworker = https://x.y/z.ts:fn\nqueue = adder\n",
    'Cannot start container as "worker" in [container] of adder.ini (line 2) must be a local file: current value is "https://x.y/z.ts:fn". Let it re-export that module, as Deno lets no program from JSR import "https:" URLs',
  ],
  [
    "[container]\nworker =\nqueue = adder\n",
    `Cannot start container as "worker" in [container] of adder.ini (line 2) must be MODULE or MODULE:expr: current value is "". ${HINT}`,
  ],
  [
    `${MINIMAL}[workers]\nscale = 2\n`,
    "Cannot start container as [workers] of adder.ini (line 4) is not a section: did you mean [worker]?",
  ],
  [
    "[Container]\nworker = adder.ts\nqueue = adder\n",
    "Cannot start container as [Container] of adder.ini (line 1) is not a section: did you mean [container]?",
  ],
  [
    `[DEFAULT]\nwait_time = x\n${MINIMAL}`,
    'Cannot start container as "wait_time" in [DEFAULT] of adder.ini (line 2) must be an integer from 1 to 20: current value is "x"',
  ],
  [
    "[worker ]\n[container]\nqueue = a b\nwait_time = 0\nconcurency = 1\n",
    "Cannot start container as [worker ] of adder.ini (line 1) is not a section: did you mean [worker]?",
    `Cannot start container as "concurency" in [container] of adder.ini (line 5) is not an option: did you mean "concurrency"?`,
    'Cannot start container as [container] of adder.ini has no "worker": give the worker as MODULE or MODULE:expr',
    `Cannot start container as "queue" in [container] of adder.ini (line 3) must be ${QUEUE_REF}: current value is "a b". ${NAME_HINT}`,
    'Cannot start container as "wait_time" in [container] of adder.ini (line 4) must be an integer from 1 to 20: current value is "0"',
  ],
  [
    "[container]\nqueue = a\nqueue = b\n",
    'Cannot read adder.ini as line 3 repeats option "queue" of [container]: it is first given on line 2',
  ],
];

Deno.test("checkText() refuses a queue's URL with a line end in it", () => {
  assertEquals(
    problemsOf(MINIMAL.replace("= adder\n", "= http://h/1\n  /a\n")),
    [
      `Cannot start container as "queue" in [container] of adder.ini (line 3) ` +
      `must be ${QUEUE_REF}: current value is "http://h/1\\n/a". ${NAME_HINT}`,
    ],
  );
});

Deno.test("checkText() tells all that is wrong at once", () => {
  for (const [text, ...problems] of BAD_FILES) {
    assertEquals(problemsOf(text), problems);
  }
});

function problemsOf(text: string): readonly string[] {
  const error = assertThrows(
    () => parse(text, "adder.ini"),
    ConfigError,
  );
  assertEquals(error.message, error.problems.join("\n"));
  return error.problems;
}

Deno.test("readConfig() reads a file with a byte-order mark", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "adder.ini");
    await writeFile(file, "\ufeff" + MINIMAL.replaceAll("\n", "\r\n"));
    assertEquals((await readConfig(file)).file, file);
    assertEquals(
      specOf(await readContainerConfig(file)).specifier,
      pathToFileURL(join(folder, "adder.ts")).href,
    );
  });
});

Deno.test("readConfig() refuses a file that it cannot read", async () => {
  await withFolder(async (folder) => {
    const missing = join(folder, "missing.ini");
    const latin1 = join(folder, "latin1.ini");
    const utf16 = join(folder, "utf16.ini");
    await writeFile(latin1, Uint8Array.of(0x23, 0xe9, 0x0a));
    await writeFile(utf16, "\ufeff[container]\n", "utf16le");
    const cases = [
      [
        missing,
        `Cannot read ${missing} as there is no such file: give the path of an ini file`,
      ],
      [
        folder,
        `Cannot read ${folder} as it is a folder: give the path of an ini file`,
      ],
      [
        latin1,
        `Cannot read ${latin1} as it is not UTF-8 text: save it as UTF-8`,
      ],
      [utf16, `Cannot read ${utf16} as it is not UTF-8 text: save it as UTF-8`],
    ] as const;
    for (const [file, message] of cases) {
      const error = await assertRejects(() => readConfig(file), ConfigError);
      assertEquals(error.problems, [message]);
    }
  });
});

Deno.test({
  name: "readConfig() names the missing permission",
  permissions: { read: false },
  async fn() {
    const error = await assertRejects(
      () => readConfig("adder.ini"),
      ConfigError,
    );
    assertEquals(
      error.message,
      "Cannot read adder.ini without permission: " +
        "run again with --allow-read=adder.ini",
    );
  },
});

async function withFolder(
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "zsqs-config-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

Deno.test("readConfig() returns the settings of the file, as a program would give them", async () => {
  await withFolder(async (folder) => {
    const file = join(folder, "adder.ini");
    await writeFile(
      file,
      MINIMAL +
        "Wait_Time = 5\nretry_delay = 1..600\nfailures = adder-failed\n" +
        "loggers =\n  json\nisolation = process\nallow_net = a, b\n" +
        "allow_all = false\n[worker]\nScale = 2\n",
    );
    const { workerConfig, ...settings } = await readConfig(file);
    assertEquals<unknown>(settings, {
      file,
      worker: "adder.ts",
      queue: "adder",
      waitTimeSeconds: 5,
      retryDelaySeconds: { min: 1, max: 600 },
      failures: { queue: "adder-failed" },
      loggers: "\njson",
      isolation: "process",
      allowNet: "a, b",
      allowAll: false,
    });
    assertEquals({ ...workerConfig }, { Scale: "2", scale: "2" });
    const changed = { ...settings, concurrency: 3 };
    assertEquals(checkConfig(changed).prefetch, 3);
    assertEquals(
      configOf(changed).retryDelay,
      (await readContainerConfig(file)).retryDelay,
    );
  });
});

Deno.test("checkText() reports the problems of loggers with all others", () => {
  assertEquals(
    problemsOf(
      MINIMAL.replace("adder.ts", "https://a.example/w.ts") +
        "loggers =\n  <logger>\n  # a comment\n    level LOUD\n  </logger>\n" +
        "wait_time = 0\n",
    ).map((problem) => problem.slice(0, 76)),
    [
      'Cannot start container as "worker" in [container] of adder.ini (line 2) must',
      'Cannot start container as "wait_time" in [container] of adder.ini (line 9) m',
      'Cannot start container as "loggers" in [container] of adder.ini (line 7) has',
    ],
  );
});

Deno.test("configOf() parses what a program gives, and applies the defaults", () => {
  const config = configOf({
    worker: "adder.ts:fn",
    queue: "adder",
    workerConfig: { Scale: "2" },
    region: undefined,
  });
  assertEquals({ ...config, workerConfig: { ...config.workerConfig } }, {
    worker: {
      text: "adder.ts:fn",
      module: "adder.ts",
      specifier: pathToFileURL(resolve("adder.ts")).href,
      expr: "fn",
    },
    workerConfig: { Scale: "2" },
    queue: { text: "adder", name: "adder", fifo: false },
    body: "job",
    loggers: parseLoggers(undefined).config,
    loggersWhere: WHERE,
    concurrency: 1,
    prefetch: 0,
    deleteDelaySeconds: 1,
    waitTimeSeconds: 20,
    shutdownTimeoutSeconds: 25,
    isolation: "none",
  });
  assertEquals(Object.getPrototypeOf(config.workerConfig), null);
  assert(Object.isFrozen(config.workerConfig));
});

Deno.test("configOf() takes a worker's function with any workerConfig, or a handler", () => {
  const worker = (config: { readonly rates: readonly number[] }) => () =>
    config.rates;
  const workerConfig = { rates: [1, 2] };
  const config = configOf({ worker, queue: "adder", workerConfig });
  assertEquals<unknown>(config.worker, worker);
  assertEquals<unknown>(config.workerConfig, workerConfig);
  assertEquals<unknown>(
    configOf({
      worker: (rate: number) => () => rate,
      queue: "a",
      workerConfig: 0,
    })
      .workerConfig,
    0,
  );
  assertEquals<unknown>(
    { ...configOf({ worker: () => () => {}, queue: "adder" }).workerConfig },
    {},
  );
  const handler = (order: { readonly id: string }) => order.id;
  assertEquals(configOf({ handler, queue: "adder" }).worker, { handler });
  const object = { handle: handler };
  assertEquals(configOf({ handler: object, queue: "adder" }).worker, {
    handler: object,
  });
});

Deno.test("configOf() takes typed failures, retry delays and permissions", () => {
  const read = (settings: Partial<ContainerSettings>) =>
    configOf({ worker: "adder.ts", queue: "adder", ...settings });
  assertEquals(read({ failures: { queue: "delete" } }).failures, {
    text: "delete",
    name: "delete",
    fifo: false,
  });
  assertEquals(read({ failures: "keep" }).failures, "keep");
  assertEquals(read({ retryDelaySeconds: 30 }).retryDelay, {
    minSeconds: 30,
    maxSeconds: 30,
  });
  assertEquals(read({ retryDelaySeconds: { min: 0, max: 9 } }).retryDelay, {
    minSeconds: 0,
    maxSeconds: 9,
  });
  const isolated = read({
    isolation: "process",
    allowNet: ["a.example:443", " b "],
    allowRead: "a, b",
    allowEnv: true,
    allowAll: false,
  });
  assertEquals(
    [isolated.allowNet, isolated.allowRead, isolated.allowEnv],
    ["a.example:443,b", "a,b", "true"],
  );
});

Deno.test("checkConfig() returns the settings with their defaults, nothing parsed", () => {
  const settings = {
    worker: "adder.ts",
    queue: "adder",
    concurrency: 4,
    isolation: "process",
    failures: { queue: "adder-failed" },
    region: undefined,
  } as const;
  const checked = checkConfig(settings);
  assertEquals<unknown>(checked, {
    ...settings,
    body: "job",
    prefetch: 4,
    waitTimeSeconds: 20,
    deleteDelaySeconds: 1,
    shutdownTimeoutSeconds: 25,
    processes: 1,
  });
  assert(Object.isFrozen(checked));
  assertEquals(checkConfig(checked), checked);
});

/** Settings of a program, each with its problems. */
const BAD_SETTINGS: [
  settings: Record<string, unknown>,
  ...problems: string[],
][] = [
  [
    {
      worker: 1,
      waitTimeSeconds: "5",
      concurrency: 1.5,
      visibilityTimeoutSeconds: null,
      shutdownTimeoutSeconds: NaN,
      endpoint: new URL("http://localhost"),
      wait_time: 5,
      largeFrom: 5,
      workerConfig: { scale: 2, unit: undefined },
      file: 1,
    },
    '"wait_time" is not an option: did you mean "waitTimeSeconds"?',
    '"largeFrom" is an option of producers: give it to Queue() or zsqs send, and remove it here',
    '"scale" in "workerConfig" must be a string: current value is 2',
    '"file" must be a path: current value is 1',
    '"worker" must be a function, a class, or MODULE:expr: current value is 1',
    '"queue" is missing: give the name, URL or ARN of an SQS queue',
    '"endpoint" must be an http or https URL: current value is an object',
    '"concurrency" must be an integer from 1 to 1000: current value is 1.5',
    '"waitTimeSeconds" must be an integer from 1 to 20: current value is "5"',
    '"visibilityTimeoutSeconds" must be an integer from 1 to 43200: current value is null',
    '"shutdownTimeoutSeconds" must be an integer from 0 to 3600: current value is NaN',
  ],
  [
    { queue: "adder" },
    '"worker" is missing: give a "worker", "handler" or "handleBatch"',
  ],
  [
    { queue: "adder", worker: "a.ts", workerConfig: null },
    '"workerConfig" must be an object of strings: current value is null',
  ],
  [
    { queue: "adder", handler: { handel() {} } },
    '"handler" must be a function, or an object with a "handle" method: current value is an object',
  ],
  [
    { queue: "adder", handler() {}, worker: "a.ts", workerConfig: {} },
    '"worker" must not be given together with "handler": give one of them',
    '"workerConfig" must not be given together with "handler": give one of them',
  ],
  [
    { queue: "adder", worker: () => {}, isolation: "process" },
    '"worker" must be MODULE:expr if "isolation" is "process": current value is a function',
  ],
  [
    { queue: "adder", handler() {}, isolation: "process" },
    '"worker" must be MODULE:expr if "isolation" is "process": current value is a function',
  ],
  ...["adder-failed", {}, { queue: 1 }, { queue: "a", kind: "b" }, ["a"]].map(
    (failures): [Record<string, unknown>, string] => [
      { queue: "adder", worker: "a.ts", failures },
      `"failures" must be "delete", "keep" or { queue }: current value is ${
        typeof failures === "string"
          ? `"${failures}"`
          : Array.isArray(failures)
          ? "an array"
          : "an object"
      }. Give ${QUEUE_REF}. ${NAME_HINT}`,
    ],
  ),
  ...[-1, 1.5, "1..600", { min: 2, max: 1 }, { min: 1 }, { min: 1, max: "9" }]
    .map((retryDelaySeconds): [Record<string, unknown>, string] => [
      { queue: "adder", worker: "a.ts", retryDelaySeconds },
      `"retryDelaySeconds" must be seconds from 0 to 43200, or { min, max }: current value is ${
        typeof retryDelaySeconds === "object"
          ? "an object"
          : JSON.stringify(retryDelaySeconds)
      }`,
    ]),
  ...[[], [""], ["a,b"], [1], false].map(
    (allowNet): [Record<string, unknown>, string] => [
      { queue: "adder", worker: "a.ts", isolation: "process", allowNet },
      `"allowNet" must be a list of texts, or true for all: current value is ${
        allowNet === false ? "false" : "an array"
      }`,
    ],
  ),
  [
    { queue: "adder", worker: "a.ts", loggers: "<logger>\nlevle 5\n</logger>" },
    '"loggers" (line 2) has an unknown key "levle" in <logger>: did you mean "level"?',
  ],
];

Deno.test("checkConfig() refuses mistakes, by the names of the program", () => {
  for (const [settings, ...problems] of BAD_SETTINGS) {
    const error = assertThrows(
      () => checkConfig(settings as unknown as ContainerSettings),
      ConfigError,
    );
    assertEquals(
      error.problems,
      problems.map((problem) => `Cannot start container as ${problem}`),
    );
  }
});

Deno.test("CONTAINER_OPTIONS have what --help says of each", () => {
  for (const option of CONTAINER_OPTIONS) {
    assertEquals(option.name, option.name.toLowerCase());
    for (const text of [option.meaning, option.allowed]) {
      assert(text !== "" && !text.includes("\n"), option.name);
    }
    const value = typeof option.default === "function"
      ? option.default({ concurrency: 4 })
      : option.default;
    if (value !== undefined) {
      assertEquals(option.check(value, BASE), value, option.name);
    }
  }
});
