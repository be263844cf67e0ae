import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { openQueue } from "../../src/connect/open_queue.ts";
import type { ReceivedMessage } from "../../src/sqs/connection.ts";
import { LocalRunner } from "../../src/job/run_job.ts";
import { endedAfter, JobControl } from "../../src/job/runner.ts";
import { AS_JOBS } from "../../src/message/reading.ts";
import { createLoggers } from "../../src/logging/loggers.ts";
import {
  ConfigError,
  currentJob,
  getLogger,
  type Handler,
  type Job,
  JobAbortedError,
  type JobAbortReason,
  PermanentError,
  runContainer,
  TransientError,
  type WorkerConfig,
  type WorkerFactory,
} from "../../container.ts";
import {
  kwargs,
  NonExistentQueueError,
  Queue,
  SendError,
} from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { Printed } from "../support/printed.ts";

/** Everything, with level and name, on standard output. */
const LOG_ALL = `
<logger>
  level DEBUG
  <logfile>
    path STDOUT
    format %(levelname)s %(name)s %(message)s
  </logfile>
</logger>`;

/** Another copy of a module of this package. */
function copyOf(module: string) {
  return import(`../../src/${module}?copy=${crypto.randomUUID()}`);
}

/** What becomes of a job that a handler has, and the log. */
async function run(
  handler: Handler,
  args: readonly unknown[] = [1, 2],
): Promise<{ messages: Left[]; deleted: number; log: string[] }> {
  await using queues = setUp({ silent: true });
  using printed = new Printed();
  await runContainer({
    queue: "adder",
    loggers: LOG_ALL,
    worker: () => handler,
  });
  await (await Queue("adder"))(...args);
  const { messages, deleted } = queues.get("adder");
  const now = queues.now.getTime();
  assertEquals(printed.err, []);
  return {
    messages: messages.map(({ body, receiveCount, visibleAt }) => ({
      body,
      receiveCount,
      hiddenSeconds: (visibleAt.getTime() - now) / 1000,
    })),
    deleted: deleted.length,
    log: printed.out,
  };
}

interface Left {
  readonly body: string;
  readonly receiveCount: number;
  readonly hiddenSeconds: number;
}

/** What is left of a job that is retried. */
function retried(hiddenSeconds: number): Left[] {
  return [{ body: "[[1,2],{}]", receiveCount: 1, hiddenSeconds }];
}

class SumWorker {
  readonly #scale: number;

  constructor({ scale }: WorkerConfig) {
    this.#scale = Number(scale);
  }

  handle(sums: unknown, a: number): void {
    record(sums, this.#scale * a);
  }
}

const recorded = new Map<unknown, number[]>();

function record(id: unknown, sum: number): void {
  recorded.set(id, [...recorded.get(id) ?? [], sum]);
}

const times = ({ scale }: WorkerConfig) => (id: unknown, a: number) =>
  record(id, Number(scale) * a);

const FACTORIES: Record<string, WorkerFactory> = {
  "a function": times,
  "an async function": (config) => Promise.resolve(times(config)),
  "a class": SumWorker,
  "a function that gives an object": (config) => ({ handle: times(config) }),
  "a function that gives an instance": (config) => new SumWorker(config),
  "a function whose handler is async": (config) => async (id, a) => {
    await Promise.resolve();
    times(config)(id, a);
  },
};

for (const [what, worker] of Object.entries(FACTORIES)) {
  Deno.test(`runContainer() takes ${what} as the worker's factory`, async () => {
    await using queues = setUp({ silent: true });
    await runContainer({
      queue: "adder",
      worker,
      workerConfig: { scale: "2" },
    });
    await (await Queue("adder"))(what, 3);
    assertEquals(recorded.get(what), [6]);
    assertEquals(queues.get("adder").deleted.length, 1);
  });
}

const BAD_FACTORIES: [what: string, factory: () => unknown, problem: string][] =
  [
    ["undefined", () => undefined, "returned undefined"],
    ["null", () => null, "returned null"],
    ["a string", () => "x", 'returned "x"'],
    ["an array", () => [], "returned an array"],
    ["an object", () => ({ handel() {} }), "returned an object"],
  ];

for (const [what, worker, problem] of BAD_FACTORIES) {
  Deno.test(`runContainer() refuses a factory that gives ${what}`, async () => {
    using _queues = setUp({ silent: true });
    const settings = { queue: "adder", worker: worker as () => Handler };
    const error = await assertRejects(() => runContainer(settings));
    assertInstanceOf(error, ConfigError);
    assertEquals(
      error.message,
      `Cannot start container as worker "factory" ${problem}: return a function that takes a job's arguments, or an object with a "handle" method`
        .replace("factory", worker.name),
    );
  });
}

for (const what of ["throws", "rejects"]) {
  Deno.test(`runContainer() rejects where the factory ${what}`, async () => {
    using _queues = setUp({ silent: true });
    const cause = new RangeError("no scale");
    const worker = (_config: WorkerConfig): Promise<Handler> => {
      if (what === "throws") throw cause;
      return Promise.reject(cause);
    };
    const error = await assertRejects(
      () => runContainer({ queue: "adder", worker }),
      ConfigError,
    );
    assertEquals(
      error.message,
      'Cannot start container as worker "worker" failed: RangeError: no scale',
    );
    assertStrictEquals(error.cause, cause);
  });
}

const DISPOSABLE: Record<
  string,
  (disposed: string[]) => WorkerFactory
> = {
  "an async disposable object": (disposed) => () => ({
    handle() {},
    async [Symbol.asyncDispose]() {
      await Promise.resolve();
      disposed.push("async");
    },
  }),
  "a disposable object": (disposed) => () => ({
    handle() {},
    [Symbol.dispose]() {
      disposed.push("sync");
    },
  }),
  "a disposable handler": (disposed) => () =>
    Object.assign(() => {}, {
      [Symbol.dispose]() {
        disposed.push("sync");
      },
    }),
  "a class that is both": (disposed) =>
    class {
      handle() {}
      [Symbol.dispose]() {
        disposed.push("sync");
      }
      async [Symbol.asyncDispose]() {
        await Promise.resolve();
        disposed.push("async");
      }
    },
};

for (const [what, make] of Object.entries(DISPOSABLE)) {
  Deno.test(`setUp() disposes ${what} once, at the end of its scope`, async () => {
    const disposed: string[] = [];
    {
      await using queues = setUp({ silent: true });
      await runContainer({ queue: "adder", worker: make(disposed) });
      await (await Queue("adder"))();
      assertEquals(disposed, []);
      assertEquals(queues.get("adder").deleted.length, 1);
    }
    assertEquals(disposed, [
      what.startsWith("a disposable") ? "sync" : "async",
    ]);
  });
}

Deno.test("runContainer() deletes the message of a job that returns", async () => {
  for (const value of [undefined, 1, Promise.resolve(new Error("ignored"))]) {
    assertEquals(await run(() => value), { messages: [], deleted: 1, log: [] });
  }
});

class Busy extends TransientError {
  constructor() {
    super("busy", { delaySeconds: 7 });
    this.name = "Busy";
  }
}

const TRANSIENT: [
  what: string,
  make: () => unknown,
  hidden: number,
  text: RegExp,
][] = [
  [
    "TransientError",
    () => new TransientError("not now"),
    30,
    /\n {2}TransientError: not now\n {6}at /,
  ],
  [
    "TransientError with delaySeconds",
    () => new TransientError("not now", { delaySeconds: 600 }),
    600,
    /\n {2}TransientError: not now\n/,
  ],
  [
    "TransientError with the longest delaySeconds",
    () => new TransientError("not now", { delaySeconds: 43_198 }),
    43_198,
    /\n {2}TransientError: not now\n/,
  ],
  ["a subclass of TransientError", () => new Busy(), 7, /\n {2}Busy: busy\n/],
  [
    "TransientError with a cause",
    () => new TransientError("not now", { cause: new TypeError("bug") }),
    30,
    /\n {2}TransientError: not now\n[^]*TypeError: bug/,
  ],
  [
    "the RangeError of a bad delaySeconds",
    () => new TransientError("not now", { delaySeconds: 43_201 }),
    30,
    /\n {2}RangeError: Cannot create TransientError as "delaySeconds" must be an integer from 0 to 43200: current value is 43201\n/,
  ],
];

for (const [what, make, hidden, text] of TRANSIENT) {
  for (const where of ["at once", "later"]) {
    Deno.test(`runContainer() keeps the message of a job that throws ${what} ${where}`, async () => {
      const handler = where === "at once"
        ? () => {
          throw make();
        }
        : async () => {
          await Promise.resolve();
          throw make();
        };
      const { messages, deleted, log } = await run(handler);
      assertEquals(messages, retried(hidden));
      assertEquals(deleted, 0);
      assertEquals(log.length, 1);
      assertMatch(
        log[0]!,
        /^INFO zsqs Job will be retried in \d+ s: adder, message [-0-9a-f]{36}, receive \d+\n/,
      );
      assertMatch(log[0]!, text);
    });
  }
}

Deno.test("runContainer() keeps the message of a job whose TransientError is another copy's", async () => {
  const copy = await copyOf("job_errors.ts");
  assert(copy.TransientError !== TransientError);
  const error = new copy.TransientError("not now", { delaySeconds: 9 });
  assertInstanceOf(error, TransientError);
  assertInstanceOf(new TransientError(), copy.TransientError);
  assertEquals((await run(() => Promise.reject(error))).messages, retried(9));
  const range = assertThrows(() =>
    new copy.TransientError("", { delaySeconds: -1 })
  );
  assertInstanceOf(range, RangeError);
  assertEquals((await run(() => Promise.reject(range))).messages, retried(30));
});

Deno.test("the errors of another copy are instances of ours", async () => {
  const copy = {
    ...await copyOf("errors.ts"),
    ...await copyOf("job_errors.ts"),
  };
  const pairs: [unknown, abstract new (...args: never[]) => Error][] = [
    [new copy.JobAbortedError("stopping"), JobAbortedError],
    [new copy.NonExistentQueueError("adder"), NonExistentQueueError],
    [new copy.ConfigError("bad"), ConfigError],
    [
      new copy.SendError("no", { code: "X", senderFault: true }),
      SendError,
    ],
  ];
  for (const [error, ours] of pairs) {
    assert(error instanceof ours, ours.name);
    assert(!(new Error() instanceof ours), ours.name);
  }
});

Deno.test("TransientError is told apart from its subclasses and from others", () => {
  assertEquals(new TransientError() instanceof Busy, false);
  assertEquals(new Busy() instanceof TransientError, true);
  for (const value of [new Error(), null, undefined, {}, "TransientError"]) {
    assertEquals((value as unknown) instanceof TransientError, false);
  }
});

for (const delaySeconds of [-1, 43_201, 1.5, NaN, Infinity, "5", null]) {
  Deno.test(`TransientError refuses ${JSON.stringify(delaySeconds)} (${String(delaySeconds)}) as delaySeconds`, () => {
    const error = assertThrows(
      () => new TransientError("x", { delaySeconds: delaySeconds as number }),
      RangeError,
    );
    assertEquals(
      error.message,
      `Cannot create TransientError as "delaySeconds" must be an integer from 0 to 43200: current value is ${delaySeconds}`,
    );
  });
}

class NotCapable extends Error {
  override name = "NotCapable";
}

for (const NotCapableClass of [Deno.errors.NotCapable, NotCapable]) {
  Deno.test(`runContainer() keeps the message of a job that lacks a permission: ${NotCapableClass === NotCapable ? "by name" : "by class"}`, async () => {
    const { messages, deleted, log } = await run(() => {
      throw new NotCapableClass(
        'Requires net access to "example.com:443", run again with the --allow-net flag',
      );
    });
    assertEquals(messages, retried(30));
    assertEquals(deleted, 0);
    assertEquals(log.length, 1);
    assertMatch(
      log[0]!,
      /^ERROR zsqs Job will be retried in 30 s: adder, message [-0-9a-f]{36}, receive \d+: start the container with the Deno permission that its worker needs\n {2}NotCapable: Requires net access to "example\.com:443", run again with the --allow-net flag\n/,
    );
  });
}

const FAILURES: [what: string, thrown: unknown, text: RegExp][] = [
  [
    "an Error",
    new TypeError("no number"),
    /\n {2}TypeError: no number\n {6}at /,
  ],
  [
    "an Error whose cause is a TransientError",
    new Error("wrapped", { cause: new TransientError("not now") }),
    /\n {2}Error: wrapped\n[^]*TransientError: not now/,
  ],
  [
    "an AggregateError of a TransientError",
    new AggregateError([new TransientError("not now")], "all"),
    /\n {2}AggregateError: all\n/,
  ],
  ["an AbortError", new DOMException("aborted", "AbortError"), /aborted/],
  ["a string", "no number", /no number/],
  ["null", null, /null/],
  ["undefined", undefined, /undefined/],
  ["an object", { reason: "no number" }, /no number/],
];

for (const [what, thrown, text] of FAILURES) {
  Deno.test(`runContainer() logs and deletes a job that throws ${what}`, async () => {
    const { messages, deleted, log } = await run(() => {
      throw thrown;
    }, [1, "é", kwargs({ x: 3 })]);
    assertEquals(messages, []);
    assertEquals(deleted, 1);
    assertEquals(log.length, 2);
    assertMatch(log[0]!, /^ERROR zsqs Handling a message/);
    assertMatch(log[0]!, text);
    assertEquals(log[1], 'INFO zsqs.messages [[1,"é"],{"x":3}]');
  });
}

const BAD_BODIES: [body: string, logged: string, text: string][] = [
  ["hello", "hello", "SyntaxError: Cannot read message body: it is neither"],
  ["1234", "1234", "TypeError: Cannot read message body: it is JSON, but not"],
  ["WzFd", "[1]", "TypeError: Cannot read message body: it is JSON, but not"],
];

for (const [body, logged, text] of BAD_BODIES) {
  Deno.test(`runContainer() logs and deletes a message that is no job: ${body}`, async () => {
    await using queues = setUp({ silent: true });
    using printed = new Printed();
    let called = false;
    await runContainer({
      queue: "adder",
      loggers: LOG_ALL,
      worker: () => () => called = true,
    });
    const { connection, url } = await openQueue("adder");
    await connection.send(url, [{ body, attributes: {} }]);
    assertEquals(called, false);
    assertEquals(queues.get("adder").messages, []);
    assertEquals(queues.get("adder").deleted.map(({ body }) => body), [body]);
    assertEquals(printed.out.length, 2);
    const [first, ...rest] = printed.out[0]!.split("\n");
    assertMatch(
      first!,
      /^ERROR zsqs Handling a message failed: adder, message \S+, receive 1$/,
    );
    assert(rest.join("\n").startsWith(`  ${text}`), printed.out[0]);
    assertEquals(printed.out[1], `INFO zsqs.messages ${logged}`);
  });
}

function message(body: string): ReceivedMessage {
  return {
    messageId: "m1",
    receiptHandle: "h1",
    body,
    attributes: {},
    receiveCount: 1,
    sentAtMs: 0,
  };
}

const THROWN: [thrown: unknown, reason: JobAbortReason | undefined, string][] =
  [
    [new TypeError("bug"), undefined, "failed"],
    [new TypeError("bug"), "timed out", "timedOut"],
    [new TypeError("bug"), "lease lost", "aborted"],
    [new TypeError("bug"), "stopping", "aborted"],
    ["text", "timed out", "timedOut"],
    [new JobAbortedError("timed out"), "timed out", "timedOut"],
    [new JobAbortedError("timed out"), undefined, "failed"],
    [new NotCapable(), "timed out", "notCapable"],
    [new TransientError(), "timed out", "transient"],
    [new TransientError(), "lease lost", "aborted"],
    [new PermanentError(), undefined, "unfit"],
    [new PermanentError(), "timed out", "unfit"],
    [new PermanentError(), "lease lost", "unfit"],
  ];

for (const [thrown, reason, kind] of THROWN) {
  Deno.test(`A job that throws ${thrown} is ${kind}, abort: ${reason}`, async () => {
    using loggers = createLoggers([], { where: "" });
    const control = new JobControl();
    const runner = new LocalRunner({
      queue: "adder",
      reading: AS_JOBS,
      loggers,
      handler: async () => {
        const { signal } = currentJob();
        if (reason !== undefined) control.abort(reason);
        await Promise.resolve();
        assertEquals(signal.reason?.reason, reason);
        throw thrown;
      },
    });
    const outcome = await runner.run(message("[[],{}]"), control);
    assertEquals(endedAfter(outcome, control.abortReason).kind, kind);
  });
}

Deno.test("LocalRunner takes a job that returns after an abort as done", async () => {
  using loggers = createLoggers([], { where: "" });
  const control = new JobControl();
  const runner = new LocalRunner({
    queue: "adder",
    reading: AS_JOBS,
    loggers,
    handler: () => control.abort("timed out"),
  });
  const ended = await runner.run(message("[[],{}]"), control);
  assertEquals(ended, { kind: "done" });
});

const CALLS: [what: string, sent: unknown[], got: unknown[]][] = [
  ["nothing", [], []],
  ["positional arguments", [1, [2], null], [1, [2], null]],
  ["an object in the last place", [1, { x: 3 }], [1, { x: 3 }]],
  ["keyword arguments after them", [1, kwargs({ x: 3 })], [1, { x: 3 }]],
  ["keyword arguments alone", [kwargs({ x: 3 })], [{ x: 3 }]],
  ["no empty keyword arguments", [1, kwargs({})], [1]],
];

for (const [what, sent, got] of CALLS) {
  Deno.test(`runContainer() gives the handler ${what}`, async () => {
    let call: unknown[] | undefined;
    await run((...args: unknown[]) => call = args, sent);
    assertEquals(call, got);
  });
}

Deno.test("currentJob() returns the job, in functions that the handler awaits, too", async () => {
  const startTime = new Date("2024-05-06T07:08:09Z");
  await using queues = setUp({ silent: true, startTime });
  const jobs: Job[] = [];
  const nested = async () => {
    await Promise.resolve();
    await new Promise((resolve) => setTimeout(resolve, 0));
    jobs.push(currentJob());
  };
  const copy = await copyOf("job/current_job.ts");
  await runContainer({
    queue: "adder.fifo",
    worker: () => async () => {
      jobs.push(currentJob(), copy.currentJob());
      await Promise.all([nested()]);
      if (currentJob().receiveCount === 1) throw new TransientError();
    },
  });
  const queue = await Queue("adder.fifo");
  const { messageId } = await queue.send([1, kwargs({ x: 3 })], {
    groupId: "g",
    attributes: { a: 1, b: "two" },
  });
  await queues.advance(30);

  const [first, other, awaited, second] = jobs;
  assertEquals(jobs.length, 6);
  assertStrictEquals(other, first);
  assertStrictEquals(awaited, first);
  const { signal, kwargs: keywords, attributes, ...fields } = first!;
  assertEquals(fields, {
    args: [1],
    messageId,
    queue: "adder.fifo",
    receiveCount: 1,
    sentAt: startTime,
    groupId: "g",
    notification: undefined,
  });
  assertEquals({ ...keywords }, { x: 3 });
  assertEquals<unknown>({ ...attributes }, { a: 1, b: "two" });
  assertEquals([signal instanceof AbortSignal, signal.aborted], [true, false]);
  assertEquals(second!.receiveCount, 2);
  assertEquals(second!.sentAt, startTime);
});

Deno.test("currentJob() returns the job in work that its handler left behind", async () => {
  await using _queues = setUp({ silent: true });
  const ended = Promise.withResolvers<void>();
  let left: Promise<Job> | undefined;
  await runContainer({
    queue: "adder",
    worker: () => () => {
      left = ended.promise.then(currentJob);
    },
  });
  const queue = await Queue("adder");
  const { messageId } = await queue.send([1, kwargs({ x: 3 })]);
  ended.resolve();
  const job = await left!;
  assertEquals(
    [job.messageId, job.args, job.kwargs, job.signal.aborted],
    [messageId, [1], { x: 3 }, false],
  );
});

Deno.test("currentJob() has no group on a standard queue", async () => {
  let job: Job | undefined;
  await run(() => job = currentJob());
  assertEquals(job!.groupId, undefined);
  assertEquals(job!.queue, "adder");
});

Deno.test("currentJob() throws outside of a job", async () => {
  const problem =
    "No current job: call currentJob() in a handler, or in code that it awaits";
  assertEquals(assertThrows(() => currentJob(), Error).message, problem);
  await using _queues = setUp({ silent: true });
  let made: unknown;
  await runContainer({
    queue: "adder",
    worker: () => {
      made = assertThrows(() => currentJob());
      return () => {};
    },
  });
  assertEquals((made as Error).message, problem);
  await (await Queue("adder"))();
  assertThrows(() => currentJob());
});

Deno.test("getLogger() writes to the container's loggers inside of it, otherwise to standard error", async () => {
  using printed = new Printed();
  // Made once, before there is a container, as modules do.
  const log = getLogger("adder.sums");
  const copy = await copyOf("job/current_job.ts");
  {
    await using _queues = setUp({ silent: true });
    await runContainer({
      queue: "adder",
      loggers: LOG_ALL,
      worker: () => {
        log.info("made");
        return {
          handle: async (a: number) => {
            await Promise.resolve();
            log.debug("got", a);
            copy.getLogger("copy").warn("got", a);
            log.error(new TypeError("odd"));
          },
          [Symbol.dispose]: () => log.critical("ended"),
        };
      },
    });
    await (await Queue("adder"))(3);
    log.debug("outside");
    log.info("outside");
  }
  assertMatch(printed.out[3]!, /^ERROR adder\.sums odd\n {2}TypeError: odd\n/);
  assertEquals(printed.out.toSpliced(3, 1), [
    "INFO adder.sums made",
    "DEBUG adder.sums got 3",
    "WARNING copy got 3",
    "CRITICAL adder.sums ended",
  ]);
  assertEquals(printed.err.length, 1);
  assertMatch(printed.err[0]!, /^\S+ INFO adder\.sums outside$/);
});

Deno.test("runContainer() writes to the loggers of each container its own", async () => {
  using printed = new Printed();
  await using _queues = setUp({ silent: true });
  const log = getLogger("jobs");
  const loggers = (name: string) =>
    `<logger>\n<logfile>\npath STDOUT\nformat ${name} %(message)s\n</logfile>\n</logger>`;
  for (const name of ["one", "two"]) {
    await runContainer({
      queue: name,
      loggers: loggers(name),
      worker: () => () => log.info(`job of ${currentJob().queue}`),
    });
  }
  const [one, two] = [await Queue("one"), await Queue("two")];
  await Promise.all([one(), two(), one()]);
  assertEquals(printed.out.toSorted(), [
    "one job of one",
    "one job of one",
    "two job of two",
  ]);
});
