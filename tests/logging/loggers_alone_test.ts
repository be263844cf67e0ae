import {
  assert,
  assertEquals,
  assertMatch,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { stub } from "@std/testing/mock";
import { FakeTime } from "@std/testing/time";
import fs from "node:fs";
import { ConfigError } from "../../src/errors.ts";
import {
  checkLogFiles,
  createLoggers,
  defaultLoggers,
  type Loggers,
  type LoggersOptions,
} from "../../src/logging/loggers.ts";
import { quote } from "../../src/text.ts";
import { listLogFiles, parseLoggers } from "../../src/logging/loggers_text.ts";
import { Printed } from "../support/printed.ts";

const WHERE = 'Cannot start container as "loggers" in [container] of adder.ini';

/** The text of the documentation of zc.sqs, as an ini file's reader gives it. */
const SEED = `
<logger>
level INFO
<logfile>
path STDOUT
format %(levelname)s %(name)s %(message)s
</logfile>
</logger>
<logger>
level INFO
propagate false
name zc.sqs.messages
<logfile>
path messages.log
format %(message)s
</logfile>
</logger>`;

/** A folder that is the current one while it is in scope. */
class CurrentFolder implements Disposable {
  readonly #before = Deno.cwd();
  readonly path = Deno.makeTempDirSync();

  constructor() {
    Deno.chdir(this.path);
  }

  names(): string[] {
    return [...Deno.readDirSync(".")].map(({ name }) => name).sort();
  }

  [Symbol.dispose](): void {
    Deno.chdir(this.#before);
    Deno.removeSync(this.path, { recursive: true });
  }
}

function create(
  text?: string,
  context?: LoggersOptions["context"],
): Loggers {
  const { config, problems } = parseLoggers(text);
  assertEquals(problems, []);
  return createLoggers(config, { where: WHERE, context });
}

function logger(keys: string, ...files: string[]): string {
  return `<logger>\n${keys}\n${files.join("\n")}\n</logger>\n`;
}

function logFile(path: string, ...keys: string[]): string {
  return `<logfile>\npath ${path}\n${keys.join("\n")}\n</logfile>`;
}

/** Makes an error whose stack is the same everywhere. */
function errorWithStack<T extends Error>(error: T, frame = "worker.ts:1:1"): T {
  error.stack = `${error.name}: ${error.message}\n    at ${frame}`;
  return error;
}

Deno.test("createLoggers() takes the text of zc.sqs's documentation", () => {
  using _folder = new CurrentFolder();
  using printed = new Printed();
  using loggers = create(SEED);
  loggers.get("zsqs").error(
    "Handling a message",
    errorWithStack(new TypeError("unsupported operand types")),
  );
  loggers.get("zsqs.messages").info('[[1, 2, ""], {}]');
  loggers.get("zsqs").debug("nobody sees it");
  assertEquals(printed.out, [
    "ERROR zsqs Handling a message\n" +
    "  TypeError: unsupported operand types\n      at worker.ts:1:1",
  ]);
  assertEquals(printed.err, []);
  assertEquals(Deno.readTextFileSync("messages.log"), '[[1, 2, ""], {}]\n');
});

Deno.test("createLoggers() takes INFO on standard error without a text", () => {
  using _time = new FakeTime(new Date(2026, 0, 5, 9, 7, 3));
  using printed = new Printed();
  using loggers = create();
  loggers.get("zsqs").info("Started");
  loggers.get("zsqs").debug("Received nothing");
  assertEquals(printed.out, []);
  assertEquals(printed.err, ["2026-01-05T09:07:03 INFO zsqs Started"]);
});

Deno.test("defaultLoggers() is one tree with INFO on standard error", () => {
  using _time = new FakeTime(new Date(2026, 0, 5, 9, 7, 3));
  using printed = new Printed();
  defaultLoggers().get("adder").debug("Adding");
  defaultLoggers().get("adder").warn("Added");
  assertStrictEquals(defaultLoggers(), defaultLoggers());
  assertEquals(printed.err, ["2026-01-05T09:07:03 WARNING adder Added"]);
});

Deno.test("createLoggers() reads ZConfig's syntax as ZConfig does", () => {
  using printed = new Printed();
  using loggers = create(
    [
      "# Comment",
      "<LOGGER>",
      "  Level   Debug",
      "",
      "  <LogFile>",
      "    PATH STDOUT",
      "    # Another: %(message)s",
      "    format # %(message)s $$x",
      "  </LOGFILE>",
      "</logger >",
    ].join("\n"),
  );
  loggers.get("").debug("Shown");
  assertEquals(printed.out, ["# Shown $x"]);
});

Deno.test("createLoggers() takes an empty section", () => {
  using printed = new Printed();
  using loggers = create("<logger/>");
  loggers.get("zsqs").critical("Nobody is there to see it");
  assertEquals([printed.out, printed.err], [[], []]);
});

Deno.test("Loggers passes records on as Python's loggers do", async (t) => {
  // What Python 3 with ZConfig wrote for the same texts and calls.
  const cases = [
    {
      name: "from a lower level to a root of a higher one",
      text: logger("level error", logFile("STDOUT", "format R %(message)s")) +
        logger(
          "name a.b\nlevel debug",
          logFile("STDOUT", "format B %(message)s"),
        ),
      out: "R  error; R  critical; R a error; R a critical; B a.b debug; " +
        "R a.b debug; B a.b info; R a.b info; B a.b warning; R a.b warning; " +
        "B a.b error; R a.b error; B a.b critical; R a.b critical; " +
        "B a.b.c debug; R a.b.c debug; B a.b.c info; R a.b.c info; " +
        "B a.b.c warning; R a.b.c warning; B a.b.c error; R a.b.c error; " +
        "B a.b.c critical; R a.b.c critical; R x error; R x critical",
      err: "",
    },
    {
      name: "up to a logger that does not propagate",
      text: logger("level error", logFile("STDOUT", "format R %(message)s")) +
        logger(
          "name a\nlevel critical\npropagate no",
          logFile("STDOUT", "format A %(message)s"),
        ) +
        logger(
          "name a.b\nlevel notset",
          logFile("STDOUT", "level 45", "format B %(message)s"),
        ),
      out: "R  error; R  critical; A a critical; B a.b critical; " +
        "A a.b critical; B a.b.c critical; A a.b.c critical; R x error; " +
        "R x critical",
      err: "",
    },
    {
      name: "to standard error from WARNING up without a root",
      text:
        logger("name a\nlevel 41", logFile("STDOUT", "format A %(message)s")) +
        logger("name a.b\npropagate off"),
      out: "A a critical",
      err: " warning;  error;  critical; x warning; x error; x critical",
    },
    {
      name: "all to a root of level notset",
      text: logger(
        "level 0",
        logFile("STDOUT", "level 15", "format R %(message)s"),
      ),
      out: ["", "a", "a.b", "a.b.c", "x"].map((name) =>
        `R ${name} info; R ${name} warning; R ${name} error; R ${name} critical`
      ).join("; "),
      err: "",
    },
    {
      name: "to standard error from WARNING up with empty text",
      text: "",
      out: "",
      err: ["", "a", "a.b", "a.b.c", "x"].map((name) =>
        `${name} warning; ${name} error; ${name} critical`
      ).join("; "),
    },
  ];
  for (const { name, text, out, err } of cases) {
    await t.step(name, () => {
      using printed = new Printed();
      using loggers = create(text);
      for (const name of ["", "a", "a.b", "a.b.c", "x"]) {
        const logger = loggers.get(name);
        logger.debug(`${name} debug`);
        logger.info(`${name} info`);
        logger.warn(`${name} warning`);
        logger.error(`${name} error`);
        logger.critical(`${name} critical`);
      }
      assertEquals(printed.out.join("; "), out);
      assertEquals(printed.err.join("; "), err);
    });
  }
});

Deno.test("createLoggers() takes levels by name and number", () => {
  const methods = ["debug", "info", "warn", "error", "critical"] as const;
  const counts = {
    critical: 1,
    FATAL: 1,
    error: 2,
    warn: 3,
    Warning: 3,
    info: 4,
    blather: 4,
    debug: 5,
    trace: 5,
    all: 5,
    notset: 5,
    50: 1,
    41: 1,
    40: 2,
    "+31": 2,
    15: 4,
    1_0: 5,
    0: 5,
  };
  for (const [level, count] of Object.entries(counts)) {
    using printed = new Printed();
    using onLogger = create(logger(`level ${level}`, logFile("STDOUT")));
    using onFile = create(
      logger("level all", logFile("STDERR", `level ${level}`)),
    );
    for (const method of methods) {
      onLogger.get("a")[method]("text");
      onFile.get("a")[method]("text");
    }
    assertEquals([printed.out.length, printed.err.length], [count, count]);
  }
});

Deno.test("createLoggers() makes trees that know nothing of each other", () => {
  using printed = new Printed();
  using one = create(logger("", logFile("STDOUT", "format 1 %(message)s")));
  using two = create(
    logger("level error", logFile("STDERR", "format 2 %(message)s")),
  );
  one.get("zsqs").info("from one");
  two.get("zsqs").info("from two");
  two.get("zsqs").error("from two");
  assertEquals(printed.out, ["1 from one"]);
  assertEquals(printed.err, ["2 from two"]);
});

Deno.test("Loggers.get() takes the names that zc.sqs had for zsqs", () => {
  using printed = new Printed();
  using loggers = create(
    logger("level error", logFile("STDOUT", "format R %(name)s")) +
      logger("name zc.sqs", logFile("STDOUT", "format Z %(name)s")),
  );
  for (
    const name of ["zc.sqs", "zc.sqs.messages", "zsqs.a", "zc.sqsx", "root", ""]
  ) {
    loggers.get(name).error("text");
  }
  assertEquals(printed.out, [
    "Z zsqs",
    "R zsqs",
    "Z zsqs.messages",
    "R zsqs.messages",
    "Z zsqs.a",
    "R zsqs.a",
    "R zc.sqsx",
    "R root",
    "R root",
  ]);
});

Deno.test("createLoggers() formats records as Python does", async (t) => {
  const message = "It's 100%: \u00e9\u{1f600}";
  // What Python 3 with ZConfig wrote for the same keys and record.
  const cases: [keys: string, line: string][] = [
    ["", `------\n2026-01-05T09:07:03 WARNING zsqs.messages ${message}`],
    ["format", message],
    [
      "dateformat\nformat %(asctime)s %(message)s",
      `2026-01-05 09:07:03,045 ${message}`,
    ],
    [
      "format %(levelname)-9s|%(levelname)9s|%(levelname).4s|" +
      "%(levelname)-6.2s|",
      "WARNING  |  WARNING|WARN|WA    |",
    ],
    [
      "format %(message)r\\t%(name).4r\\n%(levelno)r",
      `"${message}"\t'zsq\n30`,
    ],
    [
      "format %(levelno)s %(levelno)05d %(levelno)+d %(levelno)#x " +
      "%(levelno)-#6x| %(levelno).4d %(levelno).1f",
      "30 00030 +30 0x1e 0x1e  | 0030 30.0",
    ],
    [
      "format %(msecs)s %(msecs)d %(msecs)03d %(msecs).2f " +
      "%(msecs)r %(msecs)+09.1f",
      "45.0 45 045 45.00 45.0 +000045.0",
    ],
    [
      "format 100%% %(threadName)s/%(processName)s",
      "100% MainThread/MainProcess",
    ],
    ["format $$5 %(message)s", `$5 ${message}`],
    [
      "dateformat %a %A %b %B %d %e %H:%I %p %j %m %M %S %U %W %w %y %Y " +
      "100%%\nformat [%(asctime)s] [%(asctime)40s]",
      "[Mon Monday Jan January 05  5 09:09 AM 005 01 07 03 01 01 1 26 2026 " +
      "100%] [Mon Monday Jan January 05  5 09:09 AM 005 01 07 03 01 01 1 26 " +
      "2026 100%]",
    ],
    [
      "dateformat %c|%x|%X|%D|%F|%R|%T\nformat %(asctime)s",
      "Mon Jan  5 09:07:03 2026|01/05/26|09:07:03|01/05/26|2026-01-05|" +
      "09:07|09:07:03",
    ],
  ];
  for (const [keys, line] of cases) {
    await t.step(keys.replaceAll("\n", "; "), () => {
      using _time = new FakeTime(new Date(2026, 0, 5, 9, 7, 3, 45));
      using printed = new Printed();
      using loggers = create(logger("", logFile("STDOUT", keys)));
      loggers.get("zsqs.messages").warn(message);
      assertEquals(printed.out, [line]);
    });
  }
});

Deno.test("createLoggers() formats the time since the epoch", () => {
  const format = "format %(created)s %(created).0f %(created)d " +
    "%(created).25f";
  // What Python 3 made of 1700000000.5 and 1700000001.
  const lines = {
    1700000000_500: "1700000000.5 1700000000 1700000000 " +
      "1700000000.5000000000000000000000000",
    1700000001_000: "1700000001.0 1700000001 1700000001 " +
      "1700000001.0000000000000000000000000",
  };
  for (const [time, line] of Object.entries(lines)) {
    using _time = new FakeTime(Number(time));
    using printed = new Printed();
    using loggers = create(logger("", logFile("STDOUT", format)));
    loggers.get("zsqs").warn("text");
    assertEquals(printed.out, [line]);
  }
});

Deno.test("createLoggers() formats the process and the time it has run", () => {
  using printed = new Printed();
  using loggers = create(logger(
    "",
    logFile("STDOUT", "format %(process)d %(relativeCreated)d"),
  ));
  loggers.get("zsqs").warn("text");
  const [pid, elapsed] = (printed.out[0] ?? "").split(" ").map(Number);
  assertEquals(pid, Deno.pid);
  assertEquals(elapsed !== undefined && elapsed >= 0, true);
});

Deno.test("createLoggers() formats offsets and names of time zones", async () => {
  const module = import.meta.resolve("../../src/logging/strftime.ts");
  const script = `
    import { compileDateFormat } from ${JSON.stringify(module)};
    const format = compileDateFormat("%H:%M %z %Z", []);
    console.log(format(new Date(Date.UTC(2026, 0, 5, 12))));
    console.log(format(new Date(Date.UTC(2026, 6, 5, 12))));`;
  // What Python 3 writes in these zones, except the last.
  const zones = {
    "UTC": "12:00 +0000 UTC\n12:00 +0000 UTC\n",
    "Europe/Berlin": "13:00 +0100 CET\n14:00 +0200 CEST\n",
    "America/New_York": "07:00 -0500 EST\n08:00 -0400 EDT\n",
    "Asia/Kolkata": "17:30 +0530 +0530\n17:30 +0530 +0530\n",
  };
  for (const [TZ, expected] of Object.entries(zones)) {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", script],
      env: { TZ, NO_COLOR: "1" },
    }).output();
    assertEquals(new TextDecoder().decode(stdout), expected);
  }
});

Deno.test("Logger joins a message and its arguments", () => {
  const cases: [values: [unknown, ...unknown[]], line: string][] = [
    [["100%", "%s", 5], "100% %s 5"],
    [[undefined], "undefined"],
    [[{ a: [1, "x"], b: 10n }], "{ a: [ 1, 'x' ], b: 10n }"],
    [[null, new Map([["a", 1]])], "null Map(1) { 'a' => 1 }"],
    [[() => "not called"], "[Function (anonymous)]"],
    [["two\nlines"], "two\n  lines"],
  ];
  for (const [values, line] of cases) {
    using printed = new Printed();
    using loggers = create(
      logger("", logFile("STDOUT", "format %(message)s")),
    );
    loggers.get("zsqs").warn(...values);
    assertEquals(printed.out, [line]);
  }
});

Deno.test("Logger writes errors with their stacks and causes", async (t) => {
  class BadInputError extends Error {
    override name = "BadInputError";
  }
  const plain = errorWithStack(new Error("plain"));
  const named = new BadInputError("bad");
  named.stack = "Error: bad\n    at worker.ts:2:2";
  const caused = errorWithStack(new Error("outer", { cause: plain }), "a:1:1");
  const thrown = errorWithStack(new Error("outer", { cause: { code: 5 } }));
  const circle = errorWithStack(new Error("circle"));
  circle.cause = errorWithStack(new Error("inner", { cause: circle }));
  const many = errorWithStack(
    new AggregateError([caused, "text", plain], "many", { cause: named }),
  );
  const bare = Object.assign(new Error("bare"), { stack: undefined });
  const suppressed = Object.assign(new Error("suppressed"), {
    name: "SuppressedError",
    stack: "SuppressedError: suppressed",
    error: plain,
    suppressed: "text",
  });
  const cases: [name: string, values: [unknown, ...unknown[]], line: string][] =
    [
      [
        "as an argument",
        ["Failed", plain],
        "Failed\n  Error: plain\n      at worker.ts:1:1",
      ],
      [
        "as the message",
        [plain],
        "plain\n  Error: plain\n      at worker.ts:1:1",
      ],
      [
        "several, with other arguments",
        ["Failed", plain, 5, bare],
        "Failed 5\n  Error: plain\n      at worker.ts:1:1\n  Error: bare",
      ],
      [
        "with the names they have",
        ["Failed", named],
        "Failed\n  BadInputError: bad\n      at worker.ts:2:2",
      ],
      [
        "with a cause",
        ["Failed", caused],
        "Failed\n  Error: outer\n      at a:1:1\n  " +
        "Caused by: Error: plain\n      at worker.ts:1:1",
      ],
      [
        "with a cause that is no error",
        ["Failed", thrown],
        "Failed\n  Error: outer\n      at worker.ts:1:1\n  Caused by: { code: 5 }",
      ],
      [
        "that cause themselves",
        ["Failed", circle],
        "Failed\n  Error: circle\n      at worker.ts:1:1\n  " +
        "Caused by: Error: inner\n      at worker.ts:1:1\n  " +
        "Caused by: Error: circle (see above)",
      ],
      [
        "that stand for others",
        ["Failed", many],
        "Failed\n  AggregateError: many\n      at worker.ts:1:1\n  " +
        "  Error 1: Error: outer\n        at a:1:1\n  " +
        "  Caused by: Error: plain\n        at worker.ts:1:1\n  " +
        "  Error 2: text\n  " +
        "  Error 3: Error: plain (see above)\n  " +
        "Caused by: BadInputError: bad\n      at worker.ts:2:2",
      ],
      [
        "that were suppressed",
        ["Failed", suppressed],
        "Failed\n  SuppressedError: suppressed\n  " +
        "  Error 1: Error: plain\n        at worker.ts:1:1\n    Error 2: text",
      ],
      [
        "not the values thrown in their place",
        ["Failed", "boom"],
        "Failed boom",
      ],
    ];
  for (const [name, values, line] of cases) {
    await t.step(name, () => {
      using printed = new Printed();
      using loggers = create(
        logger("", logFile("STDOUT", "format %(message)s")),
      );
      loggers.get("zsqs").error(...values);
      assertEquals(printed.out, [line]);
    });
  }
});

Deno.test("Logger does not throw for a value that cannot be shown", () => {
  const hostile = {
    [Symbol.for("nodejs.util.inspect.custom")](): string {
      throw new Error("cannot be\n  shown");
    },
  };
  using printed = new Printed();
  using loggers = create(logger("", logFile("STDOUT")));
  loggers.get("zsqs").error("Handling a message", hostile);
  assertEquals(printed.out.map((line) => line.split(" ").slice(2).join(" ")), [
    "zsqs Handling a message [a value that cannot be read]",
  ]);
  assertEquals(printed.err, []);
});

const FORGED =
  "\n2026-01-05T09:07:03 INFO zsqs All is done\r\x1b[2J\x9b\u2028\u202e";

Deno.test("Logger lets no text forge a line or drive a terminal", () => {
  for (const format of ["%(message)s", "%(levelname)s %(name)s %(message)s"]) {
    using printed = new Printed();
    using loggers = create(
      logger("", logFile("STDOUT", `format ${format}`)),
    );
    const error = new Error(`e${FORGED}`, { cause: `c${FORGED}` });
    error.name = `n${FORGED}`;
    error.stack = `${error.name}: ${error.message}\n    at f${FORGED}`;
    loggers.get(`l${FORGED}`).error(
      `m${FORGED}`,
      new AggregateError([error, `t${FORGED}`], "many"),
    );
    const [first, ...others] = printed.out.join("\n").split("\n");
    assertEquals(first, format === "%(message)s" ? "m" : "ERROR l");
    for (const line of others) assertMatch(line, /^ {2}/);
    assert(!/[^\P{C}\n]|[\p{Zl}\p{Zp}]/u.test(printed.out.join("\n")));
  }
});

Deno.test("Logger escapes in JSON what ends lines and drives terminals", () => {
  using printed = new Printed();
  using loggers = create("json");
  const error = new Error(FORGED, { cause: FORGED });
  loggers.get("zsqs").error(FORGED, error);
  assert(!/[\p{C}\p{Zl}\p{Zp}]/u.test(printed.err.join("")));
  const record = JSON.parse(printed.err[0]!);
  assertEquals(record.message, FORGED);
  assertEquals([record.error.message, record.error.cause], [FORGED, FORGED]);
});

Deno.test("Logger shows this package's own frames at level DEBUG alone", () => {
  const frames = (level: string) => {
    using printed = new Printed();
    using loggers = create(
      logger(`level ${level}`, logFile("STDOUT", "format %(message)s")),
    );
    const thrown = assertThrows(() => quote(5 as unknown as string));
    loggers.get("zsqs").error("Failed", thrown);
    return printed.out[0]!.split("\n").map((line) =>
      /\w+\.ts(?=:)|^Failed$|^ {2}TypeError(?=: )/.exec(line)?.[0]
    ).filter((found) => found !== undefined);
  };
  assertEquals(frames("debug").slice(0, 4), [
    "Failed",
    "  TypeError",
    "text.ts",
    "text.ts",
  ]);
  assertEquals(frames("info").slice(0, 3), [
    "Failed",
    "  TypeError",
    "loggers_alone_test.ts",
  ]);
});

Deno.test("Loggers counts the lines that it loses, and does not throw", () => {
  using folder = new CurrentFolder();
  using loggers = create(
    logger(
      "",
      logFile("STDOUT"),
      logFile("STDERR", "level error"),
      logFile("a.log"),
    ),
  );
  const full = () => {
    throw new Error("No space left on device");
  };
  const log = loggers.get("zsqs");
  {
    using _out = stub(console, "log", full);
    using _err = stub(console, "error", full);
    log.info("1");
    assertEquals(loggers.lostLines, 1);
    log.error("2");
    assertEquals(loggers.lostLines, 3);
    using _file = stub(fs, "writeSync", full);
    log.error("3");
    assertEquals(loggers.lostLines, 6);
  }
  using _printed = new Printed();
  log.error("4");
  assertEquals(loggers.lostLines, 6);
  assertEquals(folder.names(), ["a.log"]);
});

Deno.test("createLoggers() writes JSON lines on standard error", () => {
  using _time = new FakeTime(Date.UTC(2026, 0, 5, 9, 7, 3, 45));
  using printed = new Printed();
  using loggers = create(
    "\njson",
    () => ({ job: "id-1", level: "not replaced" }),
  );
  const cause = errorWithStack(new TypeError("inner"));
  loggers.get("zc.sqs").error(
    "Handling\na message",
    errorWithStack(new Error("outer", { cause })),
  );
  loggers.get("").info("Started", { a: 1 });
  loggers.get("").debug("Not written");
  assertEquals(printed.out, []);
  assertEquals(printed.err.map((line) => JSON.parse(line)), [
    {
      time: "2026-01-05T09:07:03.045Z",
      level: "ERROR",
      logger: "zsqs",
      message: "Handling\na message",
      error: {
        name: "Error",
        message: "outer",
        stack: "Error: outer\n    at worker.ts:1:1",
        cause: {
          name: "TypeError",
          message: "inner",
          stack: "TypeError: inner\n    at worker.ts:1:1",
        },
      },
      job: "id-1",
    },
    {
      time: "2026-01-05T09:07:03.045Z",
      level: "INFO",
      logger: "root",
      message: "Started { a: 1 }",
      job: "id-1",
    },
  ]);
  assertEquals(printed.err[1]?.startsWith('{"time":"2026-01-05'), true);
  assertEquals(printed.err.some((line) => line.includes("\n")), false);
});

Deno.test("createLoggers() writes JSON lines of any value", async (t) => {
  const circle: Record<string, unknown> = { same: 1 };
  circle.self = circle;
  const error = errorWithStack(new Error("circle"));
  error.cause = new AggregateError([error, 5n], "many");
  (error.cause as Error).stack = "";
  const shared = { a: 1 };
  const cases: [name: string, context: () => unknown, added: unknown][] = [
    ["bigint", () => ({ n: 10n }), { n: "10" }],
    ["cycles", () => ({ circle }), {
      circle: { same: 1, self: "[circular]" },
    }],
    ["repeated objects", () => ({ a: shared, b: [shared, shared] }), {
      a: { a: 1 },
      b: [{ a: 1 }, { a: 1 }],
    }],
    ["errors", () => ({ error2: error }), {
      error2: {
        name: "Error",
        message: "circle",
        stack: "Error: circle\n    at worker.ts:1:1",
        cause: {
          name: "AggregateError",
          message: "many",
          stack: "AggregateError: many",
          errors: ["Error: circle (see above)", "5n"],
        },
      },
    }],
    ["dates and functions", () => ({ date: new Date(0), f: () => 1 }), {
      date: "1970-01-01T00:00:00.000Z",
    }],
    ["getters that throw", () => ({
      a: {
        get b() {
          throw new Error("no b");
        },
      },
    }), { contextError: "no b" }],
    ["a context that throws", () => {
      throw new Error("no context");
    }, { contextError: "no context" }],
  ];
  for (const [name, context, added] of cases) {
    await t.step(name, () => {
      using _time = new FakeTime(0);
      using printed = new Printed();
      using loggers = create(
        "json",
        context as NonNullable<LoggersOptions["context"]>,
      );
      loggers.get("zsqs").warn("text");
      assertEquals(printed.err.map((line) => JSON.parse(line)), [{
        time: "1970-01-01T00:00:00.000Z",
        level: "WARNING",
        logger: "zsqs",
        message: "text",
        ...added as object,
      }]);
    });
  }
});

Deno.test("createLoggers() writes several errors in a JSON line", () => {
  using printed = new Printed();
  using loggers = create("json");
  loggers.get("zsqs").warn("text", new Error("one"), new Error("two"));
  const { error, otherErrors } = JSON.parse(printed.err[0] ?? "");
  assertEquals(error.message, "one");
  assertEquals(otherErrors.map((error: Error) => error.message), ["two"]);
});

Deno.test("Loggers appends to a file at once", () => {
  using folder = new CurrentFolder();
  Deno.writeTextFileSync("a.log", "before\n");
  const loggers = create(
    logger("", logFile("a.log", "format %(message)s")),
  );
  const other = Deno.makeTempDirSync();
  Deno.chdir(other);
  loggers.get("zsqs").info("é😀");
  assertEquals(
    Deno.readTextFileSync(`${folder.path}/a.log`),
    "before\né😀\n",
  );
  loggers.close();
  loggers.close();
  loggers.get("zsqs").info("after the end");
  assertEquals(
    Deno.readTextFileSync(`${folder.path}/a.log`),
    "before\né😀\n",
  );
  Deno.removeSync(other);
});

Deno.test("Loggers rotates a file before it reaches its size", () => {
  using folder = new CurrentFolder();
  using loggers = create(logger(
    "",
    logFile("a.log", "format %(message)s", "max-size 10", "old-files 2"),
  ));
  const contents = () =>
    folder.names().map((name) => [name, Deno.readTextFileSync(name)]);
  const log = loggers.get("zsqs");
  log.info("1234");
  log.info("123");
  assertEquals(contents(), [["a.log", "1234\n123\n"]]);
  log.info("");
  assertEquals(contents(), [["a.log", "\n"], ["a.log.1", "1234\n123\n"]]);
  log.info("longer than a file");
  assertEquals(contents(), [
    ["a.log", "longer than a file\n"],
    ["a.log.1", "\n"],
    ["a.log.2", "1234\n123\n"],
  ]);
  log.info("éé");
  assertEquals(contents(), [
    ["a.log", "éé\n"],
    ["a.log.1", "longer than a file\n"],
    ["a.log.2", "\n"],
  ]);
  // Bytes count, not characters.
  log.info("éé");
  assertEquals(contents(), [
    ["a.log", "éé\n"],
    ["a.log.1", "éé\n"],
    ["a.log.2", "longer than a file\n"],
  ]);
});

Deno.test("Loggers does not rotate an empty file", () => {
  using folder = new CurrentFolder();
  using loggers = create(logger(
    "",
    logFile("a.log", "format %(message)s", "max-size 10", "old-files 2"),
  ));
  loggers.get("zsqs").info("longer than a file");
  assertEquals(folder.names(), ["a.log"]);
});

Deno.test("Loggers opens a file anew that could not be written", () => {
  using folder = new CurrentFolder();
  using printed = new Printed();
  using loggers = create(logger("", logFile("a.log", "format %(message)s")));
  const log = loggers.get("zsqs");
  {
    using _stub = stub(fs, "writeSync", () => {
      throw new Error("stale\nfile");
    });
    log.info("1");
    log.info("2");
  }
  Deno.renameSync("a.log", "b.log");
  log.info("3");
  // What the file does not hold is shown, as it may be a lost job.
  assertEquals(printed.err, [
    'Cannot write log file "a.log": stale file',
    "1",
    "2",
  ]);
  assertEquals(folder.names(), ["a.log", "b.log"]);
  assertEquals(Deno.readTextFileSync("a.log"), "3\n");
});

Deno.test("Loggers fills each file where two rotate the same", () => {
  using folder = new CurrentFolder();
  const file = logFile(
    "a.log",
    "format %(message)s",
    "max-size 10",
    "old-files 9",
  );
  using one = create(logger("", file));
  using two = create(logger("", file));
  const texts = Array.from({ length: 12 }, (_, index) => `${100 + index}`);
  for (const [index, text] of texts.entries()) {
    (index % 3 === 0 ? one : two).get("").info(text);
  }
  assertEquals(
    folder.names().map((name) => Deno.readTextFileSync(name)),
    [
      "110\n111\n",
      "108\n109\n",
      "106\n107\n",
      "104\n105\n",
      "102\n103\n",
      "100\n101\n",
    ],
  );
});

Deno.test("createLoggers() takes sizes as ZConfig does", () => {
  using folder = new CurrentFolder();
  const sizes = { "1KB": 1, "1 kb": 1, "1024": 1, "1Mb": 0, "0": 0, "1gb": 0 };
  for (const [size, rotations] of Object.entries(sizes)) {
    const oldFiles = size === "0" ? 0 : 1;
    using loggers = create(logger(
      "",
      logFile(
        "a.log",
        "format %(message)s",
        `max-size ${size}`,
        `old-files ${oldFiles}`,
      ),
    ));
    loggers.get("").info("x".repeat(511));
    loggers.get("").info("x".repeat(511));
    assertEquals(folder.names().length, 1 + rotations);
    for (const name of folder.names()) Deno.removeSync(name);
  }
});

Deno.test("Loggers says once that a file cannot be rotated", () => {
  using folder = new CurrentFolder();
  using printed = new Printed();
  using loggers = create(logger(
    "",
    logFile("a.log", "format %(message)s", "max-size 5", "old-files 1"),
  ));
  const log = loggers.get("zsqs");
  Deno.mkdirSync("a.log.1/x", { recursive: true });
  for (const text of ["1111", "2222", "3333"]) log.info(text);
  assertEquals(Deno.readTextFileSync("a.log"), "1111\n2222\n3333\n");
  Deno.removeSync("a.log.1", { recursive: true });
  log.info("4444");
  assertEquals(Deno.readTextFileSync("a.log"), "4444\n");
  assertEquals(folder.names(), ["a.log", "a.log.1"]);
  assertEquals(printed.err.length, 1);
  assertEquals(
    printed.err[0]?.startsWith('Cannot rotate log file "a.log": '),
    true,
  );
});

Deno.test("Loggers continue when a file's folder is gone", () => {
  using _folder = new CurrentFolder();
  using printed = new Printed();
  Deno.mkdirSync("logs");
  using loggers = create(logger(
    "",
    logFile("logs/a.log", "format %(message)s", "max-size 5", "old-files 1"),
    logFile("STDOUT", "format %(message)s"),
  ));
  const log = loggers.get("zsqs");
  log.info("1111");
  Deno.removeSync("logs", { recursive: true });
  log.info("2222");
  log.info("3333");
  Deno.mkdirSync("logs");
  log.info("4444");
  Deno.removeSync("logs", { recursive: true });
  log.info("5555");
  assertEquals(printed.out, ["1111", "2222", "3333", "4444", "5555"]);
  assertEquals(
    printed.err.map((line) => line.replace(/: [^:]*ENOENT.*/, "")),
    [
      'Cannot open log file "logs/a.log"',
      "2222",
      "3333",
      'Cannot open log file "logs/a.log"',
      "5555",
    ],
  );
});

Deno.test({
  name: "Loggers says once that a file cannot be written",
  ignore: Deno.build.os !== "linux",
  fn() {
    using printed = new Printed();
    using loggers = create(logger("", logFile("/dev/full")));
    loggers.get("zsqs").info("1111");
    loggers.get("zsqs").info("2222");
    const [problem, ...lines] = printed.err;
    assertEquals(
      problem?.startsWith('Cannot write log file "/dev/full": '),
      true,
    );
    assertEquals(lines.map((line) => line.split(" ").at(-1)), ["1111", "2222"]);
  },
});

Deno.test("createLoggers() names the files that it cannot open", () => {
  using folder = new CurrentFolder();
  const text = logger("", logFile("ok.log"), logFile("none/a.log")) +
    logger("name a", logFile(folder.path));
  const lines = text.split("\n").map((_, i) => i + 4);
  const error = assertThrows(
    () => createLoggers(parseLoggers(text, lines).config, { where: WHERE }),
    ConfigError,
  );
  assertEquals(
    error.problems.map((line) => line.replace(/: E[A-Z]+: .*/, ": reason")),
    [
      `${WHERE} (line 10) cannot open log file "none/a.log": reason`,
      `${WHERE} (line 17) cannot open log file "${folder.path}": reason`,
    ],
  );
});

Deno.test("parseLoggers() opens no file, and checkLogFiles() makes none", () => {
  using folder = new CurrentFolder();
  const text = logger("", logFile("a.log"), logFile("none/a.log"));
  const { config, problems } = parseLoggers(text);
  assertEquals(problems, []);
  assertEquals(listLogFiles(config).map(({ path }) => path), [
    "a.log",
    "none/a.log",
  ]);
  assertEquals(checkLogFiles(config, WHERE).length, 1);
  for (const text of [SEED, "json", undefined]) {
    assertEquals(parseLoggers(text).problems, []);
  }
  assertEquals(folder.names(), []);
});

Deno.test("parseLoggers() refuses bad text, naming the line", async (t) => {
  const levels = "an integer from 0 to 50, or a name such as error, warn, " +
    "info or debug";
  const conversions = "s, d, f, r, x";
  const inLogger = (...lines: string[]) => ["<logger>", ...lines, "</logger>"];
  const inFile = (...lines: string[]) =>
    inLogger("<logfile>", "path a.log", ...lines, "</logfile>");
  const format = (text: string) => inFile(`format ${text}`);
  const badFormat = '(line 4) has a bad "format" in <logfile>: ';
  const cases: [lines: string[], ...problems: string[]][] = [
    [
      ["debug"],
      '(line 1) has "debug" outside a <logger> section: move it into ' +
      "one, or use json",
    ],
    [["<logger"], '(line 1) has no ">" in "<logger"'],
    [
      ["<a b c>", "(x"],
      '(line 1) has a malformed section start: "<a b c>"',
      '(line 2) has neither a key nor a section in "(x"',
    ],
    [["<logger>"], "(line 1) never closes <logger>"],
    [["</logger>"], "(line 1) closes <logger>, which is not open"],
    [
      ["<logger>", "<logfile>", "path a.log", "</logger>"],
      "(line 4) closes <logger> before <logfile> of line 2",
    ],
    [
      ["<loger>", "level loud", "</loger>"],
      "(line 1) has an unknown section <loger>: did you mean <logger>?",
    ],
    [
      inLogger("<logfil/>"),
      "(line 2) has an unknown section <logfil>: did you mean <logfile>?",
    ],
    [
      ["<logfile/>", ...inLogger("<logger/>")],
      "(line 1) has <logfile> outside a <logger> section, where it cannot be",
      "(line 3) has <logger> in <logger>, where it cannot be",
    ],
    [
      inFile("<x/>"),
      "(line 4) has <x> in <logfile>, which holds no sections",
    ],
    [
      ["<logger zsqs/>"],
      '(line 1) has <logger zsqs>: remove "zsqs"',
    ],
    [
      ["<eventlog/>", ...inLogger("<syslog/>", "<email-notifier/>")],
      ...[[1, "eventlog"], [3, "syslog"], [4, "email-notifier"]].map((
        [line, type],
      ) =>
        `(line ${line}) has <${type}>, which is not supported: use <logger> ` +
        "with <logfile>"
      ),
    ],
    [
      ["%define a b", "%import x", "%include y", "%(message)s"],
      ...["%define a b", "%import x", "%include y", "%(message)s"].map((
        text,
        index,
      ) =>
        `(line ${index + 1}) has "${text}": write the value itself, ` +
        "as directives are not supported"
      ),
    ],
    [
      inLogger("name $name", "level $(LEVEL)"),
      '(line 2) has a single "$" in "name": write "$$", as ' +
      "substitution is not supported",
      '(line 3) has a single "$" in "level": write "$$", as ' +
      "substitution is not supported",
      `(line 3) has a bad "level" in <logger>: "$(LEVEL)" is not ${levels}`,
    ],
    [
      inLogger("nam zsqs"),
      '(line 2) has an unknown key "nam" in <logger>: did you mean "name"?',
    ],
    [
      inFile("formt %(message)s"),
      '(line 4) has an unknown key "formt" in <logfile>: did you mean ' +
      '"format"?',
    ],
    [
      inFile("when D", "formatter a.b", "style template", "encoding utf-8"),
      ...["when", "formatter", "style", "encoding"].map((key, index) =>
        `(line ${index + 4}) has "${key}" in <logfile>, which is not ` +
        "supported: remove it"
      ),
    ],
    [
      inFile("interval 1", "delay true", "arbitrary-fields true"),
      ...["interval", "delay", "arbitrary-fields"].map((key, index) =>
        `(line ${index + 4}) has "${key}" in <logfile>, which is not ` +
        "supported: remove it"
      ),
    ],
    [
      inLogger("level info", "LEVEL error"),
      '(line 3) has "level" in <logger> again, after line 2',
    ],
    [
      [...inLogger("name zc.sqs"), ...inLogger("name zsqs")],
      '(line 4) configures logger "zsqs" again, after line 1: put all in one ' +
      "<logger>",
    ],
    [
      ["<logger/>", ...inLogger("name root")],
      "(line 2) configures the root logger again, after line 1: put all in " +
      "one <logger>",
    ],
    ...["loud", "51", "-1", "1.5", ""].map((
      level,
    ): [string[], string] => [
      inLogger(`level ${level}`),
      `(line 2) has a bad "level" in <logger>: "${level}" is not ${levels}`,
    ]),
    [
      inLogger("propagate 1", "name a..b"),
      '(line 2) has a bad "propagate" in <logger>: "1" is not true or false',
      '(line 3) has a bad "name" in <logger>: "a..b" is not a dotted name, ' +
      "such as zsqs.messages",
    ],
    [
      inLogger("<logfile>", "</logfile>", "<logfile>", "path", "</logfile>"),
      '(line 2) has a <logfile> without a "path": a file, STDOUT or STDERR',
      '(line 4) has a <logfile> without a "path": a file, STDOUT or STDERR',
    ],
    ...["10 apples", "MB", "-1", "1.5MB", "9999999999GB"].map((
      size,
    ): [string[], string] => [
      inFile(`max-size ${size}`, "old-files 1"),
      `(line 4) has a bad "max-size" in <logfile>: "${size}" is not a number ` +
      "of bytes, or of KB, MB or GB, such as 10MB",
    ]),
    [
      inFile("max-size 1MB", "old-files many"),
      '(line 5) has a bad "old-files" in <logfile>: "many" is not an integer ' +
      "from 0 to 10000",
    ],
    [
      inFile("max-size 1MB"),
      '(line 2) has "max-size" without "old-files": add how many full files ' +
      "to keep",
    ],
    [
      inFile("old-files 1"),
      '(line 2) has "old-files" without "max-size": add the size of a full ' +
      "file, such as 10MB",
    ],
    [
      inLogger("<logfile>", "path STDOUT", "max-size 1", "</logfile>"),
      '(line 2) has "max-size" or "old-files" for STDOUT, ' +
      "which cannot be rotated: remove them",
    ],
    [
      inFile("dateformat %Y-%Q%"),
      ...["%Q", "%"].map((directive) =>
        '(line 4) has a bad "dateformat" in <logfile>: ' +
        `"${directive}" is no directive of strftime, such as %Y`
      ),
    ],
    [
      format("%(levelnam)s %(lineno)d"),
      `${badFormat}"levelnam" is not a known field: did you mean ` +
      `"levelname"?`,
      `${badFormat}"lineno" is not a supported field: remove it`,
    ],
    [
      format("only text, 100%%"),
      `${badFormat}it has no field, such as %(message)s`,
    ],
    [
      format("%s %(message)s 100%"),
      `${badFormat}"%s" names no field: write %(message)s for a field, and ` +
      "%% for a percent sign",
      `${badFormat}"%" names no field: write %(message)s for a field, and ` +
      "%% for a percent sign",
    ],
    [
      format("%(message %(name)"),
      `${badFormat}"%(" names no field: write %(message)s for a field, and ` +
      "%% for a percent sign",
      `${badFormat}"%(name)" must end in one of ${conversions}`,
    ],
    [
      format(
        "%(name)q %(message)5d %(created)x %(asctime)x %(levelno)*d %(process)c %(created)e",
      ),
      `${badFormat}"%(name)q" must end in one of ` +
      conversions,
      `${badFormat}"%(message)5d" is for a number, which the field is not: ` +
      "end it in s",
      `${badFormat}"%(created)x" is for an integer, which the field is not: ` +
      "end it in s",
      `${badFormat}"%(asctime)x" is for an integer, which the field is not: ` +
      "end it in s",
      `${badFormat}"%(levelno)*d" needs a width of at most 1000 and a ` +
      "precision of at most 50",
      `${badFormat}"%(process)c" must end in one of ${conversions}`,
      `${badFormat}"%(created)e" must end in one of ${conversions}`,
    ],
    [
      format("%(name)1001s %(msecs).51f"),
      `${badFormat}"%(name)1001s" needs a width of at most 1000 and a ` +
      "precision of at most 50",
      `${badFormat}"%(msecs).51f" needs a width of at most 1000 and a ` +
      "precision of at most 50",
    ],
  ];
  for (const [lines, ...problems] of cases) {
    await t.step(lines.join("; "), () => {
      assertEquals(
        parseLoggers(lines.join("\n")).problems
          .map(({ line, text }) => `(line ${line}) ${text}`),
        problems,
      );
    });
  }
});

Deno.test("parseLoggers() names the lines of the file that the text is from", () => {
  const text = "\n<logger>\nlevle 5\n</logger>";
  assertEquals(parseLoggers(text, [5, 6, 9, 10]).problems, [{
    line: 9,
    text: 'has an unknown key "levle" in <logger>: did you mean "level"?',
  }]);
});
