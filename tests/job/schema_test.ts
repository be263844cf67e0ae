/**
 * Handlers with schemas: their arguments, and the fate of jobs that do not fit.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { stub } from "@std/testing/mock";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import {
  ConfigError,
  type ContainerSettings,
  currentJob,
  PermanentError,
  runContainer,
  SchemaError,
  type StandardSchema,
  TransientError,
  withSchema,
  type WorkerLike,
} from "../../container.ts";
import { kwargs, Queue } from "../../producer.ts";
import { setUp, type TestQueues } from "../../testing.ts";

/** A container on the double, whose failed jobs go to a queue. */
async function start(
  settings: Partial<ContainerSettings>,
): Promise<TestQueues> {
  const queues = setUp({ silent: true });
  const failures = { queue: "failed" };
  await runContainer({ queue: "orders", failures, ...settings });
  return queues;
}

/** The errors of failed jobs, as their messages carry them. */
function reasons(queues: TestQueues): { error: string; message: string }[] {
  return queues.get("failed").messages.map(({ attributes }) => {
    const { error, message } = JSON.parse(String(attributes["zsqs.failure"]));
    return { error, message };
  });
}

/** What becomes of one job. */
async function run(handler: WorkerLike, ...args: unknown[]) {
  await using queues = await start({ handler });
  await (await Queue("orders"))(...args);
  return { left: queues.get("orders").jobs, failed: reasons(queues) };
}

/** A schema of ours, which answers as a test says. */
function answering(answer: (value: unknown) => unknown) {
  const validate = answer as (value: unknown) => { value: unknown[] };
  const schema: StandardSchema<unknown[]> = {
    "~standard": { version: 1, vendor: "test", validate },
  };
  return schema;
}

const misfit = (...problems: string[]) => [{
  error: "SchemaError",
  message: ["Job does not fit the schema:", ...problems].join("\n"),
}];

/** Each wants an order with an id, and a number of seconds as text. */
const LIBRARIES: Record<
  string,
  [schema: StandardSchema<unknown[], [unknown, unknown]>, ...problems: string[]]
> = {
  zod: [
    z.tuple([
      z.object({ id: z.string() }),
      z.string().regex(/^\d+$/).transform(Number),
    ]),
    "args[0].id: Invalid input: expected string, received number",
    "args[1]: Invalid string: must match pattern /^\\d+$/",
  ],
  valibot: [
    v.tuple([
      v.object({ id: v.string() }),
      v.pipe(v.string(), v.digits(), v.transform(Number)),
    ]),
    "args[0].id: Invalid type: Expected string but received 1",
    'args[1]: Invalid digits: Received "x"',
  ],
  arktype: [
    type([{ id: "string" }, "string.numeric.parse"]),
    "args[0].id: value at [0].id must be a string (was a number)",
    'args[1]: value at [1] must be a well-formed numeric string (was "x")',
  ],
};

for (const [library, [schema, ...problems]] of Object.entries(LIBRARIES)) {
  Deno.test(`withSchema() gives the handler the output of a schema of ${library}`, async () => {
    const got: unknown[] = [];
    const handler = withSchema(schema, (...args) => {
      got.push(...args, ...currentJob().args);
    });
    const { left, failed } = await run(handler, { id: "a" }, "7");
    assertEquals([left, failed], [[], []]);
    assertEquals(got, [{ id: "a" }, 7, { id: "a" }, "7"]);
  });

  Deno.test(`withSchema() fails a job that does not fit a schema of ${library}`, async () => {
    const handler = withSchema(schema, () => {
      throw new Error("called");
    });
    const { left, failed } = await run(handler, { id: 1 }, "x");
    assertEquals(left, []);
    assertEquals(failed, misfit(...problems));
  });
}

Deno.test("a job that does not fit fails at its first attempt, one whose schema throws at its last", async () => {
  const schema = z.tuple([z.string().transform((text) => JSON.parse(text))]);
  await using queues = await start({
    attempts: 2,
    handler: withSchema(schema, () => {}),
  });
  const queue = await Queue("orders");
  await queue(1);
  await queue("no JSON");
  assertEquals(reasons(queues).map(({ error }) => error), ["SchemaError"]);
  await queues.advance(30);
  assertEquals(
    reasons(queues).map(({ error }) => error),
    ["SchemaError", "SyntaxError"],
  );
});

Deno.test("withSchema() gives the keyword arguments last", async () => {
  const schema = z.tuple([z.number(), z.strictObject({ x: z.number() })]);
  const got: unknown[] = [];
  const handler = withSchema(schema, (...args) => got.push(args));
  await run(handler, 1, kwargs({ x: 2 }));
  const { failed } = await run(handler, 1, kwargs({ y: 2 }));
  assertEquals(got, [[1, { x: 2 }]]);
  assertEquals(failed[0]?.error, "SchemaError");
  assertStringIncludes(failed[0]!.message, "\nargs[1].x: ");
});

Deno.test("withSchema() gives a handler one value if that is the output", async () => {
  const schema = z.tuple([z.string(), z.number()])
    .transform(([id, quantity]) => ({ id, quantity }));
  const got: unknown[] = [];
  await run(withSchema(schema, (order) => got.push(order)), "a", 1);
  assertEquals(got, [{ id: "a", quantity: 1 }]);
});

const BODIES: Record<
  string,
  [
    settings: Partial<ContainerSettings>,
    schema: StandardSchema,
    fit: string,
    output: unknown,
    unfit: string,
    problem: string,
  ]
> = {
  "an object of JSON": [
    { body: "json" },
    z.object({ day: z.coerce.date() }),
    '{"day":"2026-07-01","x":1}',
    { day: new Date("2026-07-01") },
    '{"day":"x"}',
    "body.day: Invalid input: expected date, received Date",
  ],
  "an array of JSON": [
    { body: "json" },
    z.array(z.number()),
    "[1,2]",
    [1, 2],
    '[1,"x"]',
    "body[1]: Invalid input: expected number, received string",
  ],
  "what looks like a job": [
    { body: "json" },
    type([["number"], {}]),
    "[[1],{}]",
    [[1], {}],
    "[[],{}]",
    "body[0]: value at [0] must be exactly length 1 (was 0)",
  ],
  "text": [
    { body: "text" },
    z.string().regex(/^\d+$/).transform(Number),
    "7",
    7,
    "x",
    "body: Invalid string: must match pattern /^\\d+$/",
  ],
  "the message of a notification": [
    { body: "text", envelope: "sns" },
    z.string().regex(/^\d+$/).transform(Number),
    notification("7"),
    7,
    notification("x"),
    "body: Invalid string: must match pattern /^\\d+$/",
  ],
};

/** A body as SNS writes it. */
function notification(Message: string): string {
  return JSON.stringify({
    Type: "Notification",
    MessageId: crypto.randomUUID(),
    TopicArn: "arn:aws:sns:us-east-1:000000000000:orders",
    Message,
    Timestamp: "2026-07-01T12:00:00.000Z",
  });
}

for (
  const [what, [settings, schema, fit, output, unfit, problem]] of Object
    .entries(BODIES)
) {
  Deno.test(`withSchema() checks ${what} as one value`, async () => {
    const got: unknown[] = [];
    const handler = withSchema(schema, (...args) => got.push(args));
    await using queues = await start({ handler, ...settings });
    const queue = await Queue("orders", { body: "text" });
    await queue(fit);
    await queue(unfit);
    assertEquals(got, [[output]]);
    assertEquals(reasons(queues), misfit(problem));
  });
}

Deno.test("withSchema() takes async schemas", async () => {
  const known = z.string().refine(async (id) => {
    assertEquals(currentJob().args, [id]); // The check is part of the job.
    return await Promise.resolve(id === "a");
  }, "unknown order");
  const got: unknown[] = [];
  const handler = withSchema(z.tuple([known]), (id) => got.push(id));
  assertEquals((await run(handler, "a")).failed, []);
  assertEquals(
    (await run(handler, "b")).failed,
    misfit("args[0]: unknown order"),
  );
  assertEquals(got, ["a"]);
});

const NUMBER = z.tuple([z.number()]);

class Scale implements AsyncDisposable {
  readonly #factor = 2;
  disposed = false;
  readonly got: number[] = [];
  handle(value: number): void {
    this.got.push(this.#factor * value);
  }
  [Symbol.asyncDispose](): Promise<void> {
    this.disposed = this.#factor === 2;
    return Promise.resolve();
  }
}

class Field {
  static got: unknown[] = [];
  readonly factor = 2;
  handle = withSchema(NUMBER, (value) => Field.got.push(this.factor * value));
}

Deno.test("withSchema() works in factories, async factories and fields of classes", async () => {
  const got: unknown[] = [];
  const handler = withSchema(NUMBER, (value) => got.push(value));
  const workers: ContainerSettings["worker"][] = [
    () => handler,
    () => Promise.resolve(handler),
    () => ({ handle: handler }),
    Field,
  ];
  for (const worker of workers) {
    await using queues = await start({ worker });
    const queue = await Queue("orders");
    await queue(1);
    await queue("1");
    assertEquals(reasons(queues).map(({ error }) => error), ["SchemaError"]);
  }
  assertEquals([got, Field.got], [[1, 1, 1], [2]]);
});

Deno.test("withSchema() takes a worker, and disposes it", async () => {
  const scale = new Scale();
  {
    await using queues = await start({
      worker: () => withSchema(NUMBER, scale),
    });
    const queue = await Queue("orders");
    await queue(1);
    await queue("1");
    assertEquals(reasons(queues).map(({ error }) => error), ["SchemaError"]);
  }
  assertEquals([scale.got, scale.disposed], [[2], true]);
});

Deno.test("withSchema() of another copy of the package is known", async () => {
  const copy = await import(
    `../../src/job/schema.ts?copy=${crypto.randomUUID()}`
  );
  const { failed } = await run(copy.withSchema(NUMBER, () => {}), "1");
  assertEquals(failed[0]?.error, "SchemaError");
});

Deno.test("withSchema() leaves the given handler as it is", async () => {
  const got: unknown[] = [];
  const save = (value: unknown) => got.push(value);
  const numbers = withSchema(NUMBER, save);
  const texts = withSchema(z.tuple([z.string()]), save);
  assertEquals((await run(numbers, 1)).failed, []);
  assertEquals((await run(texts, "a")).failed, []);
  assertEquals((await run(save, true)).failed, []);
  assertEquals(got, [1, "a", true]);
  assertEquals([numbers.name, texts(1 as never)], ["save", 4]);
});

const THROWN: Record<string, [Error, left: number, failed: string[]]> = {
  "an error": [new RangeError("broken"), 0, ["RangeError"]],
  "TransientError": [new TransientError(), 1, []],
  "PermanentError": [new PermanentError("never"), 0, ["PermanentError"]],
};

for (const [what, [error, left, failed]] of Object.entries(THROWN)) {
  for (const isAsync of [false, true]) {
    Deno.test(`a schema that throws ${what}${isAsync ? ", async," : ""} counts as the handler`, async () => {
      const schema = answering(() => {
        if (isAsync) return Promise.reject(error);
        throw error;
      });
      const fate = await run(withSchema(schema, () => {}));
      assertEquals(fate.left.length, left);
      assertEquals(fate.failed.map(({ error }) => error), failed);
    });
  }
}

for (const result of [undefined, null, true, "x", {}, { issues: 0 }]) {
  Deno.test(`a schema that returns ${JSON.stringify(result)} is an error`, async () => {
    const { failed } = await run(withSchema(answering(() => result), () => {}));
    assertEquals(failed[0]?.error, "TypeError");
    assertStringIncludes(
      failed[0]!.message,
      'a Standard Schema returns an object with "value" or "issues"',
    );
  });
}

Deno.test("a schema may make as many arguments as a call can have", async () => {
  const value = Array(65_535).fill(0);
  const schema = answering(() => ({ value }));
  const counts: number[] = [];
  const count = withSchema(schema, (...args) => counts.push(args.length));
  assertEquals((await run(count)).failed, []);
  value.push(0);
  const { failed: [failed] } = await run(count);
  assertEquals(failed?.error, "RangeError");
  assertStringIncludes(failed!.message, "the limit is 65535");
  assertEquals(counts, [65_535]);
});

Deno.test("a job whose time is over during its check does not start", async () => {
  const answer = Promise.withResolvers<unknown>();
  const started: unknown[] = [];
  await using queues = await start({
    timeoutSeconds: 5,
    handler: withSchema(answering(() => answer.promise), () => {
      started.push(1);
    }),
  });
  const sent = (await Queue("orders"))();
  await queues.advance(5);
  answer.resolve({ value: [] });
  await sent;
  await queues.advance(0);
  assertEquals(started, []);
  assertEquals(queues.get("orders").jobs, [[]]);
});

const trap = (): never => {
  throw new Error("trap");
};
const ISSUES: Record<string, [issues: unknown, ...lines: string[]]> = {
  "no array": [true, "args: the schema gives no reason"],
  "an empty array": [[], "args: the schema gives no reason"],
  "no issues": [
    [null, "x", { message: 1 }, ,],
    ...Array(4).fill("args: the schema gives no reason"),
  ],
  "an object that is like an array": [
    { length: 1, 0: { message: "x" } },
    "args: the schema gives no reason",
  ],
  "a proxy that throws": [
    new Proxy([], { get: trap }),
    "args: [a value that cannot be read]",
  ],
  "getters that throw": [
    [
      {
        get message() {
          return trap();
        },
      },
      {
        message: "x",
        get path() {
          return trap();
        },
      },
      {
        message: "x",
        path: [{
          get key() {
            return trap();
          },
        }],
      },
      { message: "fine", path: [1] },
    ],
    ...Array(3).fill("args: [a value that cannot be read]"),
    "args[1]: fine",
  ],
  "paths of all kinds": [
    [
      { message: "a", path: [0, "x", "a b", "__proto__"] },
      { message: "b", path: [{ key: 0 }, { key: "x" }, { key: Symbol("y") }] },
      { message: "c", path: [Symbol.iterator, { key: {} }, { key: null }] },
      { message: "d", path: "no array" },
      { message: "e", path: [{}] },
    ],
    'args[0].x["a b"].__proto__: a',
    "args[0].x[Symbol(y)]: b",
    "args[Symbol(Symbol.iterator)][an object][null]: c",
    "args: d",
    "args[undefined]: e",
  ],
  "line ends and control characters": [
    [{ message: "a\n  b\r\n\x1b[2Jc\u2028d\u202e", path: ["x\ny"] }],
    'args["x\\ny"]: a b \\u001b[2Jc\\u2028d\\u202e',
  ],
  "many issues": [
    Array(1e6).fill({ message: "x" }),
    ...Array(20).fill("args: x"),
    "and 999980 more",
  ],
  "a long path": [
    [{ message: "x", path: Array(1e6).fill(0) }],
    `args${"[0]".repeat(20)}...: x`,
  ],
  "long texts": [
    [{ message: "x".repeat(1e7), path: ["k".repeat(1e7)] }],
    `args["${"k".repeat(294)}...: ${"x".repeat(300)}...`,
  ],
};

for (const [what, [issues, ...lines]] of Object.entries(ISSUES)) {
  Deno.test(`SchemaError lists ${what}, within bounds`, async () => {
    using _queues = setUp({ silent: true });
    const queue = await Queue("orders", {
      schema: answering(() => ({ issues })),
    });
    const error = await assertRejects(() => queue(), SchemaError);
    assertEquals(error.problems, lines);
    assertEquals(
      error.message,
      ["Cannot send job as it does not fit the schema:", ...lines].join("\n"),
    );
  });
}

Deno.test("a container logs a job that does not fit, with one line an issue", async () => {
  const lines: string[] = [];
  using _out = stub(console, "log", (line: string) => {
    lines.push(line);
  });
  await using _queues = await start({
    failures: "delete",
    loggers:
      "<logger>\n<logfile>\npath STDOUT\nformat %(levelname)s %(name)s %(message)s\n</logfile>\n</logger>",
    handler: withSchema(z.tuple([z.string(), z.string()]), () => {}),
  });
  const { messageId } = await (await Queue("orders"))(1, 2);
  assertEquals(lines.join("\n").split("\n"), [
    `ERROR zsqs Handling a message failed: orders, message ${messageId}, receive 1`,
    "  SchemaError: Job does not fit the schema:",
    "    args[0]: Invalid input: expected string, received number",
    "    args[1]: Invalid input: expected string, received number",
    "INFO zsqs.messages [[1,2],{}]",
  ]);
});

// deno-lint-ignore no-explicit-any
const ANY: any = undefined;

const REFUSED: [what: string, schema: unknown, handler: unknown, string][] = [
  ["no schema", undefined, () => {}, 'as "schema" is undefined: give'],
  ["a function", () => {}, () => {}, 'as "schema" is a function: give'],
  ["an object", {}, () => {}, 'as "schema" is an object: give'],
  [
    "another version",
    { "~standard": { version: 2, validate() {} } },
    () => {},
    'as "schema" implements version 2 of Standard Schema: use a library that implements version 1',
  ],
  [
    "no validate()",
    { "~standard": { version: 1 } },
    () => {},
    "give a schema of zod, valibot, arktype or another Standard Schema library",
  ],
  ["no handler", NUMBER, undefined, "as it is undefined: give a function"],
  [
    "an object without methods",
    NUMBER,
    {},
    'with a "handle" or "handleBatch" method',
  ],
  ["a class", NUMBER, class {}, "it is a class: give an instance of it"],
  ["a generator function", NUMBER, function* () {}, "it is a generator"],
  ["a schema twice", NUMBER, withSchema(NUMBER, () => {}), "it has one"],
];

for (const [what, schema, handler, problem] of REFUSED) {
  Deno.test(`withSchema() refuses ${what}`, () => {
    const error = assertThrows(
      () => withSchema(schema ?? ANY, handler ?? ANY),
      TypeError,
      problem,
    );
    assertStringIncludes(error.message, "Cannot give a handler its schema as ");
    assert(!error.message.includes("\n"));
  });
}

Deno.test("a container refuses a handler with a schema as its worker", async () => {
  using _queues = setUp({ silent: true });
  const worker = withSchema(NUMBER, function adder() {}) as () => () => void;
  const module = `${import.meta.dirname}/../isolation/schema_worker.ts:bare`;
  const workers = [["adder", worker], [module, module]] as const;
  for (const [name, worker] of workers) {
    const error = await assertRejects(
      () => runContainer({ queue: "orders", worker }),
      ConfigError,
    );
    assertEquals(
      error.message,
      `Cannot start container as worker "${name}" is a handler with a schema: export a function that takes the [worker] options and returns it`,
    );
  }
});

Deno.test("a SchemaError of another copy is one of ours", async () => {
  const copy = await import(
    `../../src/job_errors.ts?copy=${crypto.randomUUID()}`
  );
  assertInstanceOf(new copy.SchemaError("x", ["y"]), SchemaError);
});
