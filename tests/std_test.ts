/**
 * What this project relies on in `@std`: these tests pass on the real packages
 * and on the stand-ins under `tests/jsr/` alike.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
import { parseArgs, type ParseOptions } from "@std/cli/parse-args";
import { parse } from "@std/ini";
import { BaseHandler } from "@std/log/base-handler";
import {
  getLevelByName,
  getLevelName,
  type LevelName,
  type LogLevel,
  LogLevels,
} from "@std/log/levels";
import { Logger, LogRecord } from "@std/log/logger";
import { MockError, spy, stub } from "@std/testing/mock";
import { FakeTime, TimeError } from "@std/testing/time";
import { assertType, type IsExact } from "@std/testing/types";
import { levenshteinDistance } from "@std/text/levenshtein-distance";

class Point {
  readonly #x: number;
  constructor(x: number) {
    this.#x = x;
  }
  get x(): number {
    return this.#x;
  }
}

function cycle(value: number): unknown {
  const object: Record<string, unknown> = { value };
  object.self = object;
  return object;
}

const EQUAL: [name: string, a: unknown, b: unknown][] = [
  ["NaN", NaN, NaN],
  ["zeros", 0, -0],
  ["nested values", { a: [1, { b: "x" }] }, { a: [1, { b: "x" }] }],
  ["keys in another order", { a: 1, b: 2 }, { b: 2, a: 1 }],
  ["an object without a prototype", Object.create(null), {}],
  ["dates", new Date(5), new Date(5)],
  ["patterns", /a/g, /a/g],
  ["URLs", new URL("http://a"), new URL("http://a/")],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 2])],
  ["buffers", new ArrayBuffer(2), new ArrayBuffer(2)],
  ["sets", new Set([1, 2]), new Set([2, 1])],
  [
    "sets of objects",
    new Set([{ a: 1 }, { a: 2 }]),
    new Set([{ a: 2 }, { a: 1 }]),
  ],
  ["maps", new Map([["a", [1]]]), new Map([["a", [1]]])],
  ["maps by object", new Map([[{ a: 1 }, 1]]), new Map([[{ a: 1 }, 1]])],
  ["instances", new Point(1), new Point(1)],
  ["cycles", cycle(1), cycle(1)],
];

const UNEQUAL: [name: string, a: unknown, b: unknown][] = [
  ["types", 1, "1"],
  ["null and undefined", null, undefined],
  ["a missing key and undefined", { a: undefined }, {}],
  ["a hole and undefined", [1, , 3], [1, undefined, 3]],
  ["keys", { a: 1 }, { b: 1 }],
  ["symbol keys", { [Symbol.for("a")]: 1 }, {}],
  ["lengths", [1, 2], [1]],
  ["dates", new Date(5), new Date(6)],
  ["flags", /a/g, /a/i],
  ["URLs", new URL("http://a"), new URL("http://b")],
  ["bytes", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  ["bytes and numbers", new Uint8Array([1]), [1]],
  ["sets", new Set([1, 2]), new Set([1, 3])],
  ["sets of objects", new Set([{ a: 1 }]), new Set([{ a: 2 }])],
  ["maps", new Map([["a", [1]]]), new Map([["a", [2]]])],
  ["map keys", new Map([["a", 1]]), new Map([["b", 1]])],
  ["messages", new Error("a"), new Error("b")],
  ["error classes", new TypeError("a"), new Error("a")],
  ["instances", new Point(1), new Point(2)],
  ["an instance and an object", new Point(1), { x: 1 }],
  ["functions", () => 1, () => 1],
  ["cycles", cycle(1), cycle(2)],
];

Deno.test("assertEquals() compares deeply", async (t) => {
  for (const [name, a, b] of EQUAL) {
    await t.step(`equal: ${name}`, () => {
      assertEquals(a, b);
      assertThrows(() => assertNotEquals(a, b), AssertionError);
    });
  }
  for (const [name, a, b] of UNEQUAL) {
    await t.step(`not equal: ${name}`, () => {
      assertNotEquals(a, b);
      assertThrows(() => assertEquals(a, b), AssertionError);
    });
  }
});

Deno.test("assertEquals() finds an error equal to itself", () => {
  const error = new Error("a", { cause: 1 });
  assertEquals({ error }, { error });
});

Deno.test("assertEquals() shows both values and the message", () => {
  const error = assertThrows(
    () => assertEquals(["same", "left"], ["same", "right"], "Sides"),
    AssertionError,
    "Values are not equal: Sides",
  );
  assertStringIncludes(error.message, "left");
  assertStringIncludes(error.message, "right");
  assertThrows(() => assertEquals(1, 2), Error, "Values are not equal.");
});

Deno.test("assertStrictEquals() compares by identity", () => {
  const object = {};
  assertStrictEquals(object, object);
  assertStrictEquals(NaN, NaN);
  assertThrows(() => assertStrictEquals({}, {}), AssertionError, "reference");
  assertThrows(() => assertStrictEquals(0, -0), AssertionError, "strictly");
  const value: unknown = 1;
  assertStrictEquals(value, 1);
  const narrowed: number = value;
  assertEquals(narrowed, 1);
});

Deno.test("assert() and its kind narrow types", () => {
  const text = ["a"].find((item) => item === "a");
  assert(text);
  assertEquals(text.length, 1);
  const found: string | null | undefined = ["b"].find((item) => item === "b");
  assertExists(found);
  assertEquals(found.length, 1);
  const thrown: unknown = new RangeError("Out");
  assertInstanceOf(thrown, RangeError);
  assertEquals(thrown.message, "Out");
  assertFalse("");
});

Deno.test("assert() and its kind throw AssertionError with the message", () => {
  const failing: [fn: () => void, message: string][] = [
    [() => assert(0, "Zero"), "Zero"],
    [() => assertFalse(1, "One"), "One"],
    [() => assertExists(null, "Null"), "Null"],
    [() => assertExists(undefined), "null or undefined"],
    [() => assertInstanceOf({}, Map, "Map"), "Map"],
    [() => assertInstanceOf(null, Map), '"Map"'],
    [() => assertStringIncludes("abc", "x"), '"abc" to contain: "x"'],
    [() => assertMatch("abc", /x/), '"abc" to match: "/x/"'],
    [() => assertGreater(1, 1), "1 > 1"],
    [() => assertLess(2, 1), "2 < 1"],
    [() => fail("Because"), "Failed assertion: Because"],
    [() => fail(), "Failed assertion."],
  ];
  for (const [fn, message] of failing) {
    const error = assertThrows(fn, AssertionError, message);
    assertEquals(error.name, "AssertionError");
  }
  assertMatch("abc", /b/);
  assertGreater(2, 1);
  assertLess(new Date(1), new Date(2));
});

Deno.test("assertThrows() returns the error and compares it", () => {
  const fn = () => {
    throw new TypeError("Wrong type");
  };
  assertEquals(assertThrows(fn, TypeError, "type").message, "Wrong type");
  assertInstanceOf(assertThrows(fn), TypeError);
  assertInstanceOf(assertThrows(fn, "A message"), TypeError);
  assertEquals(assertThrows(fn, Error).name, "TypeError");
  const failing: [fn: () => unknown, message: string][] = [
    [() => assertThrows(fn, RangeError), 'instance of "RangeError"'],
    [() => assertThrows(fn, TypeError, "shape"), 'include "shape"'],
    [() => assertThrows(() => 1), "Expected function to throw."],
    [() => assertThrows(() => 1, "Note"), "to throw: Note"],
    [() => assertThrows(() => 1, Error, "x", "Note"), "to throw: Note"],
    [
      () =>
        assertThrows(() => {
          throw "text";
        }, Error),
      "non-Error object was thrown",
    ],
  ];
  for (const [fn, message] of failing) {
    assertThrows(fn, AssertionError, message);
  }
});

Deno.test("assertRejects() returns the error and compares it", async () => {
  const fn = () => Promise.reject(new TypeError("Wrong type"));
  const error = await assertRejects(fn, TypeError, "type");
  assertEquals(error.message, "Wrong type");
  assertInstanceOf(await assertRejects(fn), TypeError);
  const failing: [fn: () => Promise<unknown>, message: string][] = [
    [() => assertRejects(fn, RangeError), 'instance of "RangeError"'],
    [() => assertRejects(fn, TypeError, "shape"), 'include "shape"'],
    [() => assertRejects(() => Promise.resolve()), "to reject."],
    [() => assertRejects(() => Promise.resolve(), "Note"), "reject: Note"],
    [() => assertRejects(() => Promise.reject(1), Error), "non-Error object"],
    [
      () =>
        assertRejects(() => {
          throw new TypeError("Early");
        }, TypeError),
      "Function throws when expected to reject",
    ],
  ];
  for (const [fn, message] of failing) {
    await assertRejects(fn, AssertionError, message);
  }
});

// The real result types are exact about the options; the values are at stake.
function read(args: string[], options: ParseOptions = {}): unknown {
  return parseArgs(args, options);
}

Deno.test("parseArgs() reads switches, values and positional arguments", () => {
  assertEquals(read(["--a", "--b=x", "--c", "y", "z"]), {
    _: ["z"],
    a: true,
    b: "x",
    c: "y",
  });
  assertEquals(read(["--a", "--b", "-"], {}), {
    _: ["-"],
    a: true,
    b: true,
  });
  assertEquals(read(["0123", "1e3", "x", ""]), {
    _: [123, 1000, "x", ""],
  });
  assertEquals(read(["--n", "5", "--m=0x10"]), { _: [], n: 5, m: 16 });
  assertEquals(read(["--a", "true", "--b", "false"]), {
    _: [],
    a: "true",
    b: "false",
  });
  assertEquals(read(["--x.y=1"]), { _: [], x: { y: 1 } });
  assertEquals(read(["--a=b=c", "--e="]), { _: [], a: "b=c", e: "" });
  assertEquals(read(["--n", "1", "--n", "2"]), { _: [], n: 2 });
});

Deno.test("parseArgs() keeps strings as they are", () => {
  assertEquals(
    read(["--a", "007", "--b", "--c=1", "08"], {
      string: ["a", "b", "_"],
    }),
    { _: ["08"], a: "007", b: "", c: 1 },
  );
  // The reason why a string option wants its value after "=".
  assertEquals(
    read(["--local", "config.ini"], { string: ["local"] }),
    { _: [], local: "config.ini" },
  );
  assertEquals(read([], { string: ["a"] }), { _: [] });
});

Deno.test("parseArgs() takes no value for a boolean", () => {
  assertEquals(
    read(["--a", "x", "--b=false", "--c", "false", "--d=x"], {
      boolean: ["a", "b", "c", "d", "e"],
    }),
    { _: ["x"], a: true, b: false, c: false, d: true, e: false },
  );
  assertEquals(read(["--a", "x"], { boolean: true }), {
    _: ["x"],
    a: true,
  });
});

Deno.test("parseArgs() gathers values", () => {
  const options = { string: ["q", "r"], collect: ["q", "r"] };
  assertEquals(read(["--q", "1", "--q=2"], options), {
    _: [],
    q: ["1", "2"],
    r: [],
  });
  assertEquals(read(["--n=1"], { collect: ["n"] }), { _: [], n: [1] });
});

Deno.test("parseArgs() reads short flags", () => {
  assertEquals(read(["-abc"]), { _: [], a: true, b: true, c: true });
  assertEquals(read(["-n5", "-m", "6", "-k=7"]), {
    _: [],
    n: 5,
    m: 6,
    k: 7,
  });
  assertEquals(read(["-q", "-v", "x"], { boolean: ["q", "v"] }), {
    _: ["x"],
    q: true,
    v: true,
  });
  assertEquals(read(["-s", "-v"], { string: ["s"] }), {
    _: [],
    s: "",
    v: true,
  });
  // The reason why negative numbers want "=".
  assertEquals(read(["--n", "-1"]), { _: [], n: true, 1: true });
});

Deno.test("parseArgs() sets all aliases", () => {
  const options = {
    alias: { help: "h", queue: ["q", "Q"] },
    boolean: ["help"],
    string: ["queue"],
  };
  assertEquals(read(["-h", "-q", "1"], options), {
    _: [],
    help: true,
    h: true,
    queue: "1",
    q: "1",
    Q: "1",
  });
  assertEquals(read(["--help", "x"], options), {
    _: ["x"],
    help: true,
    h: true,
  });
});

Deno.test("parseArgs() fills in defaults", () => {
  const options = {
    default: { a: 1, b: true, c: "x" },
    boolean: ["b"],
    alias: { c: "d" },
  };
  assertEquals(read([], options), {
    _: [],
    a: 1,
    b: true,
    c: "x",
    d: "x",
  });
  assertEquals(read(["--a=2", "--b=false", "-d", "y"], options), {
    _: [],
    a: 2,
    b: false,
    c: "y",
    d: "y",
  });
});

Deno.test("parseArgs() negates what can be negated", () => {
  assertEquals(read(["--no-color", "--no-x"], { negatable: ["color"] }), {
    _: [],
    color: false,
    "no-x": true,
  });
  assertEquals(read(["--no-x=1"]), { _: [], x: 1 });
});

Deno.test("parseArgs() stops early and at a double dash", () => {
  assertEquals(
    read(["-a", "--b", "run", "--c", "1"], {
      boolean: ["a", "b"],
      stopEarly: true,
    }),
    { _: ["run", "--c", "1"], a: true, b: true },
  );
  assertEquals(read(["x", "--", "--a", "1"]), { _: ["x", "--a", "1"] });
  assertEquals(read(["x", "--", "--a", "1"], { "--": true }), {
    _: ["x"],
    "--": ["--a", "1"],
  });
});

Deno.test("parseArgs() asks about unknown arguments", () => {
  const asked: unknown[][] = [];
  const args = read(["--a", "--b=1", "-c", "--d", "2", "x"], {
    boolean: ["a"],
    alias: { help: "h" },
    unknown: (arg, key, value) => {
      asked.push([arg, key, value]);
      return arg !== "x" && key !== "b";
    },
  });
  assertEquals(args, { _: [], a: true, c: true, d: 2 });
  assertEquals(asked, [
    ["--b=1", "b", "1"],
    ["-c", "c", true],
    ["--d", "d", "2"],
    ["x", undefined, undefined],
  ]);
});

Deno.test("parseArgs() never touches a prototype", () => {
  read(["--__proto__.polluted=1", "--a.__proto__.polluted=1"]);
  assertEquals(({} as Record<string, unknown>).polluted, undefined);
});

Deno.test("parseArgs() has usable types", () => {
  const args = parseArgs(["run", "--local", "--queue=q", "--", "x"], {
    boolean: ["local", "help"],
    string: ["queue", "region", "_"],
    collect: ["queue"],
    alias: { help: "h" },
    default: { region: "here" },
    stopEarly: false,
    "--": true,
    unknown: (arg) => arg === "run",
  });
  const local: boolean = args.local;
  const queues: string[] = args.queue;
  const region: string | undefined = args.region;
  const positional: (string | number)[] = args._;
  const rest: string[] = args["--"];
  assertEquals([local, region], [true, "here"]);
  assertEquals([queues, positional, rest], [["q"], ["run"], ["x"]]);
});

Deno.test("parse() reads sections, comments and types", () => {
  const text = [
    "; one",
    "# two",
    "// three",
    "top = level",
    "",
    "[queue]",
    "  name=jobs  ",
    "url = https://host/?a=b ; kept",
    'quoted = " 7 "',
    "empty =",
    "zeros = 007",
    "exponent = 1e3",
    "yes = true",
    "no = false",
    "none = null",
    "twice = 1",
    "twice = 2",
    "[with space]\r\na=1\rb=2",
    "__proto__ = 3",
  ].join("\n");
  const config = parse<Record<string, Record<string, unknown>>>(text);
  assertEquals(Object.keys(config), ["top", "queue", "with space"]);
  assertEquals(config.top as unknown, "level");
  assertEquals(config.queue, {
    name: "jobs",
    url: "https://host/?a=b ; kept",
    quoted: " 7 ",
    empty: 0,
    zeros: 7,
    exponent: 1000,
    yes: true,
    no: false,
    none: null,
    twice: 2,
  });
  assertEquals(Object.entries(config["with space"]!), [
    ["a", 1],
    ["b", 2],
    ["__proto__", 3],
  ]);
});

Deno.test("parse() begins a section named twice anew", () => {
  assertEquals(parse("[a]\nx=1\n[b]\n[a]\ny=2"), { a: { y: 2 }, b: {} });
});

Deno.test("parse() asks the reviver", () => {
  const asked: unknown[][] = [];
  const config = parse("a = 1\n[s]\nb = x", {
    reviver: (key, value, section) => {
      asked.push([key, value, section]);
      return `${value}!`;
    },
  });
  assertEquals(config, { a: "1!", s: { b: "x!" } });
  assertEquals(asked, [["a", 1, undefined], ["b", "x", "s"]]);
});

Deno.test("parse() refuses other text than INI, naming the line", () => {
  const bad: [text: string, message: string][] = [
    ["a = 1\nwords", "Unexpected token w in INI at line 2"],
    ["a = 1\n  continued", "Unexpected token c in INI at line 2"],
    ["\r\n= 1", "Unexpected empty key name at line 2"],
    ["[a", "Unexpected end of INI section at line 1"],
    ["[a] ; b", "Unexpected end of INI section at line 1"],
    ["[]", "Unexpected empty section name at line 1"],
    ["[ ]", "Unexpected empty section name at line 1"],
  ];
  for (const [text, message] of bad) {
    assertEquals(assertThrows(() => parse(text), SyntaxError).message, message);
  }
});

class MemoryHandler extends BaseHandler {
  readonly lines: string[] = [];
  readonly records: LogRecord[] = [];
  readonly events: string[] = [];

  override handle(record: LogRecord): void {
    this.records.push(record);
    super.handle(record);
  }

  override log(msg: string): void {
    this.lines.push(msg);
  }

  override setup(): void {
    this.events.push("setup");
  }

  override destroy(): void {
    this.events.push("destroy");
  }
}

Deno.test("Logger hands records of its level and above to its handlers", () => {
  const all = new MemoryHandler("NOTSET");
  const errors = new MemoryHandler("ERROR", {
    formatter: (record) => `${record.loggerName}/${record.msg}`,
  });
  const logger = new Logger("jobs", "INFO", { handlers: [all, errors] });
  assertEquals(logger.debug("one"), "one");
  assertEquals(logger.info("two", 1, { a: 2 }), "two");
  assertEquals(logger.warn("three"), "three");
  assertEquals(logger.error("four"), "four");
  assertEquals(logger.critical("five"), "five");
  assertEquals(all.lines, [
    "INFO two",
    "WARN three",
    "ERROR four",
    "CRITICAL five",
  ]);
  assertEquals(errors.lines, ["jobs/four", "jobs/five"]);
  const record = all.records[0];
  assertInstanceOf(record, LogRecord);
  assertEquals(record.args, [1, { a: 2 }]);
  assertEquals(record.level, LogLevels.INFO);
  assertEquals(record.levelName, "INFO");
  assertEquals(record.loggerName, "jobs");
  assertInstanceOf(record.datetime, Date);
  record.args.push(3);
  assertEquals(record.args.length, 2);
});

Deno.test("Logger calls a message function only where it is logged", () => {
  const handler = new MemoryHandler("NOTSET");
  const logger = new Logger("jobs", "WARN", { handlers: [handler] });
  const message = spy(() => ({ a: 1 }));
  assertEquals(logger.info(message), undefined);
  assertEquals(message.calls.length, 0);
  assertEquals(logger.warn(message), { a: 1 });
  assertEquals(message.calls.length, 1);
  assertEquals(handler.lines, ['WARN {"a":1}']);
});

Deno.test("Logger turns messages into text", () => {
  const handler = new MemoryHandler("NOTSET", { formatter: (r) => r.msg });
  const logger = new Logger("jobs", "NOTSET", { handlers: [handler] });
  const error = new Error("Broken");
  logger.info(undefined);
  logger.info(null);
  logger.info(5n);
  logger.info(true);
  logger.info(error);
  logger.info([1, "x", [null]]);
  logger.info({ a: { b: "c" }, d: undefined });
  assertEquals(handler.lines, [
    "undefined",
    "null",
    "5",
    "true",
    error.stack!,
    '{"0":1,"1":"x","2":{"0":null}}',
    '{"a":{"b":"c"},"d":undefined}',
  ]);
});

Deno.test("Logger has no handlers unless given", () => {
  const logger = new Logger("jobs", "DEBUG");
  assertEquals(logger.handlers, []);
  assertEquals(logger.loggerName, "jobs");
  logger.handlers = [new MemoryHandler("DEBUG")];
  assertEquals(logger.handlers.length, 1);
});

Deno.test("Logger and BaseHandler change their level", () => {
  const logger = new Logger("jobs", "DEBUG");
  const handler = new MemoryHandler("DEBUG");
  for (const target of [logger, handler]) {
    assertEquals(target.level, LogLevels.DEBUG);
    assertEquals(target.levelName, "DEBUG");
    target.levelName = "ERROR";
    assertEquals(target.level, 40);
    target.level = LogLevels.WARN;
    assertEquals(target.levelName, "WARN");
    assertThrows(() => target.level = 15 as LogLevel);
    assertThrows(() => target.levelName = "LOUD" as LevelName);
  }
});

Deno.test("BaseHandler is set up, destroyed and disposed", () => {
  const handler = new MemoryHandler("DEBUG");
  {
    using disposed = handler;
    disposed.setup();
  }
  assertEquals(handler.events, ["setup", "destroy"]);
});

Deno.test("getLevelName() and getLevelByName() refuse what has no name", () => {
  for (const [name, level] of Object.entries(LogLevels)) {
    assertEquals(getLevelByName(name as LevelName), level);
    assertEquals(getLevelName(level), name);
  }
  assertThrows(() => getLevelByName("LOUD" as LevelName), Error, "LOUD");
  assertThrows(() => getLevelName(15 as LogLevel), Error, "15");
  assertThrows(() =>
    new LogRecord({ msg: "", args: [], level: 5 as LogLevel, loggerName: "" })
  );
});

Deno.test("spy() records calls of a function", () => {
  const add = spy((a: number, b: number) => a + b);
  assertEquals(add(1, 2), 3);
  assertEquals(add.calls.length, 1);
  assertEquals(add.calls[0]!.args, [1, 2]);
  assertEquals(add.calls[0]!.returned, 3);
  assertThrows(() => add.restore(), MockError);
  const broken = spy(() => {
    throw new TypeError("Broken");
  });
  assertThrows(() => broken(), TypeError, "Broken");
  assertInstanceOf(broken.calls[0]!.error, TypeError);
  const nothing = spy();
  assertEquals(nothing("x"), undefined);
  assertEquals(nothing.calls, [{ args: ["x"], returned: undefined }]);
});

Deno.test("spy() records calls of a method until it is restored", () => {
  const object = {
    base: 1,
    add(n: number): number {
      return this.base + n;
    },
  };
  const { add } = object;
  const method = spy(object, "add");
  assertEquals(object.add(2), 3);
  assertEquals(method.calls[0]!.args, [2]);
  assertStrictEquals(method.calls[0]!.self, object);
  assertStrictEquals(method.original, add);
  assertThrows(() => spy(object, "add"), MockError, "already");
  assertFalse(method.restored);
  method.restore();
  assert(method.restored);
  assertStrictEquals(object.add, add);
  assertThrows(() => method.restore(), MockError, "already restored");
  assertThrows(() => spy(object, "base"), MockError, "not an instance method");
});

Deno.test("stub() replaces a method until it is disposed", () => {
  class Greeter {
    greet(name: string): string {
      return `Hello ${name}`;
    }
  }
  const greeter = new Greeter();
  {
    using greet = stub(greeter, "greet", (name) => `Bye ${name}`);
    assertEquals(greeter.greet("Ann"), "Bye Ann");
    assertEquals(greet.calls[0]!.args, ["Ann"]);
    assertEquals(greet.fake.call(greeter, "Bob"), "Bye Bob");
    assertEquals(greet.original.call(greeter, "Bob"), "Hello Bob");
  }
  assertEquals(greeter.greet("Ann"), "Hello Ann");
  assertFalse(Object.hasOwn(greeter, "greet"));
  using nothing = stub(greeter, "greet");
  assertEquals(greeter.greet("Ann"), undefined as unknown as string);
  assertEquals(nothing.calls.length, 1);
});

Deno.test("FakeTime stands in for dates until it is disposed", () => {
  const RealDate = Date;
  {
    using time = new FakeTime("2026-01-02T03:04:05Z");
    const start = RealDate.UTC(2026, 0, 2, 3, 4, 5);
    assertEquals(time.start, start);
    assertEquals(Date.now(), start);
    assertEquals(new Date(), new RealDate(start));
    assertEquals(new Date(7).getTime(), 7);
    assertEquals(Date(), new RealDate(start).toString());
    assertInstanceOf(new Date(), RealDate);
    assertInstanceOf(new RealDate(), Date);
    time.tick(500);
    assertEquals(Date.now(), start + 500);
    time.now = start + 900;
    assertEquals(new Date().getTime(), start + 900);
    assertThrows(() => time.now = start, RangeError);
    assertThrows(() => new FakeTime(), TimeError);
  }
  assertStrictEquals(Date, RealDate);
});

Deno.test("FakeTime starts at a number, a date or now", () => {
  for (const start of [5, 5.5, new Date(5)]) {
    using time = new FakeTime(start);
    assertEquals(time.now, 5);
  }
  const before = Date.now();
  const time = new FakeTime();
  const { now } = time;
  time.restore();
  assert(before <= now && now <= Date.now());
  assertThrows(() => time.restore(), TimeError);
  assertThrows(() => new FakeTime("no date"), TypeError);
});

Deno.test("FakeTime runs timers in their order, at their times", () => {
  using time = new FakeTime(0);
  const seen: string[] = [];
  const note = (name: string) => {
    seen.push(`${name}@${Date.now()}`);
  };
  setTimeout(note, 20, "late");
  setTimeout(note, 10, "first");
  setTimeout(note, 10, "second");
  setTimeout(() => {
    note("nested");
    setTimeout(note, 5, "inner");
  }, 10);
  const cleared = setTimeout(note, 10, "cleared");
  clearTimeout(cleared);
  const interval = setInterval(note, 8, "every");
  time.tick(9);
  assertEquals(seen, ["every@8"]);
  time.tick(16);
  assertEquals(seen.slice(1), [
    "first@10",
    "second@10",
    "nested@10",
    "inner@15",
    "every@16",
    "late@20",
    "every@24",
  ]);
  clearInterval(interval);
  time.tick(100);
  assertEquals(seen.length, 8);
});

Deno.test("FakeTime runs timers without a delay at the next tick", () => {
  using time = new FakeTime(0);
  const callback = spy();
  setTimeout(callback);
  assertEquals(callback.calls.length, 0);
  time.tick();
  assertEquals(callback.calls.length, 1);
});

Deno.test("FakeTime#tickAsync() lets promises continue first", async () => {
  using time = new FakeTime(0);
  const seen: number[] = [];
  const loop = (async () => {
    await Promise.resolve();
    for (let round = 0; round < 3; round++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      seen.push(Date.now());
    }
  })();
  for (const expected of [[10], [10, 20], [10, 20, 30]]) {
    await time.tickAsync(10);
    await time.runMicrotasks();
    assertEquals(seen, expected);
  }
  await loop;
});

Deno.test("FakeTime goes from timer to timer", async () => {
  using time = new FakeTime(0);
  const seen: number[] = [];
  const chain = (left: number): void => {
    if (left === 0) return;
    setTimeout(() => {
      seen.push(Date.now());
      chain(left - 1);
    }, 7);
  };
  chain(4);
  assert(time.next());
  assertEquals(seen, [7]);
  assert(await time.nextAsync());
  await time.runAllAsync();
  assertEquals(seen, [7, 14, 21, 28]);
  assertFalse(time.next());
  chain(2);
  time.runAll();
  assertEquals(time.now, 42);
});

Deno.test("FakeTime stands in for AbortSignal.timeout()", () => {
  using time = new FakeTime(0);
  const signal = AbortSignal.timeout(50);
  time.tick(49);
  assertFalse(signal.aborted);
  time.tick(1);
  assert(signal.aborted);
  assertEquals(signal.reason.name, "TimeoutError");
});

Deno.test("levenshteinDistance() counts the fewest edits", () => {
  for (
    const [from, to, edits] of [
      ["", "", 0],
      ["", "abc", 3],
      ["abc", "", 3],
      ["queue", "queue", 0],
      ["concurency", "concurrency", 1],
      ["AB", "ab", 2],
      ["kitten", "sitting", 3],
      ["drian", "drain", 2],
      ["\u{1f600}", "x", 1],
    ] as const
  ) {
    assertEquals(levenshteinDistance(from, to), edits, `${from} ${to}`);
  }
});

Deno.test("assertType() takes the answer of IsExact", () => {
  type Made = { [Key in "a" | "b"]: Key extends "a" ? string : number };
  assertType<IsExact<string, string>>(true);
  assertType<IsExact<string | number, number | string>>(true);
  assertType<IsExact<[a: string, b?: number], [a: string, b?: number]>>(true);
  assertType<IsExact<Made, { a: string; b: number }>>(true);
  assertType<IsExact<unknown, unknown>>(true);
  assertType<IsExact<never, never>>(true);
  assertType<IsExact<string | undefined, string>>(false);
  assertType<IsExact<"a", string>>(false);
  assertType<IsExact<[string], string[]>>(false);
  assertType<IsExact<[string], readonly [string]>>(false);
  assertType<IsExact<[string, number], [string, string]>>(false);
  assertType<IsExact<{ a: string }, { a?: string }>>(false);
  assertType<IsExact<{ a: string }, { a: string; b: number }>>(false);
  // deno-lint-ignore no-explicit-any
  assertType<IsExact<any, string>>(false);
  // deno-lint-ignore no-explicit-any
  assertType<IsExact<[any], [string]>>(false);
  assertType<IsExact<unknown, string>>(false);
  assertType<IsExact<never, string>>(false);
  // @ts-expect-error the types are the same
  assertType<IsExact<string, string>>(false);
});
