/** Handlers whose code never runs: refused at start, or an error of the worker. */

import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { Readable } from "node:stream";
import {
  checkConfig,
  ConfigError,
  type Handler,
  runContainer,
  startContainer,
  type WorkerFactory,
} from "../../container.ts";
import { Queue } from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { Folder } from "../support/folder.ts";
import { Printed } from "../support/printed.ts";

/** A log of errors in memory. */
const QUIET = "<logger>\n level CRITICAL\n</logger>";

class Generating {
  *handle() {}
}

class AsyncGenerating {
  async *handle() {}
}

class Handling {
  handle() {}
}

const GENERATOR = "a generator function: give a function or async function, ";
const ASYNC = `an async ${GENERATOR.slice(2)}`;
const CLASS = "a class: give an instance of it, ";

const REFUSED: [what: string, factory: unknown, problem: string][] = [
  ["a generator function", () => function* () {}, GENERATOR],
  ["an async generator function", () => async function* () {}, ASYNC],
  [
    "a bound generator function",
    () => function* () {}.bind(null),
    GENERATOR,
  ],
  [
    "a proxy of a generator function",
    () => new Proxy(function* () {}, {}),
    GENERATOR,
  ],
  [
    "a generator method",
    () => new Generating(),
    `an object whose "handle" method is ${GENERATOR}`,
  ],
  [
    "a bound async generator method",
    () => {
      const worker = new AsyncGenerating();
      return { handle: worker.handle.bind(worker) };
    },
    `an object whose "handle" method is ${ASYNC}`,
  ],
  [
    "an instance of a class that generates",
    Generating,
    `an object whose "handle" method is ${GENERATOR}`,
  ],
  [
    "an instance of a class that generates asynchronously",
    AsyncGenerating,
    `an object whose "handle" method is ${ASYNC}`,
  ],
  ["a class", () => Handling, CLASS],
  ["a proxy of a class", () => new Proxy(Handling, {}), CLASS],
  ["a bound subclass", () => class extends Handling {}.bind(null), CLASS],
  ["a built-in class", () => Map, CLASS],
  [
    "a class as the method",
    () => ({ handle: Handling }),
    `an object whose "handle" method is ${CLASS}`,
  ],
];

for (const [what, factory, problem] of REFUSED) {
  Deno.test(`runContainer() refuses a factory that returns ${what}`, async () => {
    using _queues = setUp({ silent: true });
    const worker = Object.defineProperty(factory as WorkerFactory, "name", {
      value: "jobs",
    });
    const error = await assertRejects(
      () => runContainer({ queue: "adder", worker }),
      ConfigError,
    );
    assertMatch(
      error.message,
      new RegExp(
        `^Cannot start container as worker "jobs" returned ${problem}`,
      ),
    );
  });
}

Deno.test("checkConfig() refuses a generator or a class as the handler", () => {
  const check = (handler: unknown) =>
    assertThrows(
      () => checkConfig({ queue: "adder", handler: handler as Handler }),
      ConfigError,
    ).message;
  assertMatch(check(function* () {}), /"handler" is a generator function: /);
  assertMatch(check(Handling), /"handler" is a class: give an instance/);
  assertMatch(
    check(new Generating()),
    /"handler" is an object whose "handle" method is a generator function: /,
  );
});

/** How a job that returned a value left its message. */
async function end(handler: Handler) {
  await using queues = setUp({ silent: true });
  using printed = new Printed();
  await using container = await startContainer({ queue: "adder", handler });
  await (await Queue("adder"))();
  const { failed } = container.summary;
  const { messages, deleted } = queues.get("adder");
  return {
    kept: messages.length,
    deleted: deleted.length,
    failed,
    log: printed.err.join("\n"),
  };
}

function* generate() {}

async function* generateAsync() {}

const RETURNED: [what: string, value: () => unknown, named: string][] = [
  ["a function", () => () => {}, "a function"],
  ["a generator function", () => generate, "a generator function"],
  ["a class", () => Handling, "a class"],
  ["a generator", () => generate(), "a generator"],
  ["an async generator", () => generateAsync(), "a generator"],
  ["an iterator", () => [1].values(), "an iterator"],
  ["an iterator's helper", () => generate().map(() => 1), "an iterator"],
  ["a worker", () => new Handling(), "a worker"],
  [
    "an async iterable",
    () => ({ [Symbol.asyncIterator]: generateAsync }),
    "an async iterable",
  ],
  [
    "an unread stream",
    () => new ReadableStream({ pull() {} }),
    "a stream that nobody read",
  ],
  [
    "an unread stream of Node",
    () => Readable.from(["x"]),
    "a stream that nobody read",
  ],
];

for (const [what, value, named] of RETURNED) {
  for (const how of ["returns", "resolves to"]) {
    Deno.test(`a job that ${how} ${what} stays and is logged as the worker's error`, async () => {
      const handler = how === "returns" ? value : async () => {
        await Promise.resolve();
        return value();
      };
      const { kept, deleted, failed, log } = await end(handler);
      assertEquals([kept, deleted, failed], [1, 0, 0]);
      assertMatch(
        log,
        /Job will be retried in 30 s: adder, message \S+, receive 1: fix the worker/,
      );
      assertMatch(
        log,
        new RegExp(`TypeError: The handler returned ${named}, whose code`),
      );
    });
  }
}

const DONE: [what: string, value: () => unknown][] = [
  ["an array", () => [1]],
  ["a map", () => new Map()],
  ["bytes", () => new Uint8Array(1)],
  ["a string", () => "text"],
  ["a response", () => new Response("text")],
  ["a date", () => new Date()],
  ["null", () => null],
  ["a stream that was read", async () => {
    const stream = new Response("text").body!;
    for await (const _ of stream);
    return stream;
  }],
  ["a stream that is read", () => {
    const stream = new ReadableStream({ pull() {} });
    stream.getReader();
    return stream;
  }],
  ["a stream of Node that was read", async () => {
    const stream = Readable.from(["x"]);
    for await (const _ of stream);
    return stream;
  }],
  [
    "a proxy that throws",
    () =>
      new Proxy({}, {
        get(_, key) {
          if (key !== "then") throw new Error("trap");
        },
        getPrototypeOf() {
          throw new Error("trap");
        },
      }),
  ],
];

for (const [what, value] of DONE) {
  Deno.test(`a job that returns ${what} is done`, async () => {
    const { kept, deleted, failed, log } = await end(value);
    assertEquals([kept, deleted, failed], [0, 1, 0], log);
  });
}

const ISOLATED = `
export const generates = () => function* () {};
export const curried = () => () => () => {};
export const streams = () => async () => new ReadableStream({ pull() {} });
`;

Deno.test("an isolated worker's generator function is refused, and what its jobs return stays", async () => {
  await using folder = await Folder.with({ "worker.ts": ISOLATED });
  await using queues = setUp({ silent: true });
  using printed = new Printed();
  const start = (name: string) =>
    startContainer({
      queue: name,
      worker: `${folder.at("worker.ts")}:${name}`,
      isolation: "process",
    });
  const error = await assertRejects(() => start("generates"), ConfigError);
  assertMatch(error.message, /:generates" returned a generator function: /);
  for (const name of ["curried", "streams"]) {
    await using container = await start(name);
    await (await Queue(name))();
    const { done, failed, retried } = container.summary;
    assertEquals({ done, failed, retried }, { done: 0, failed: 0, retried: 1 });
    assertEquals(queues.get(name).messages.length, 1);
  }
  const named = printed.err.filter((line) =>
    /receive 1: fix the worker/.test(line)
  );
  assertEquals(named.length, 2, printed.err.join("\n"));
});

Deno.test("a worker's function is no class for being bound, frozen or proxied", async () => {
  await using queues = setUp({ silent: true });
  let calls = 0;
  function count(this: unknown) {
    calls++;
  }
  const handlers = [
    count,
    count.bind(null),
    Object.freeze(count.bind(null)),
    new Proxy(count, {}),
    Object.freeze(function frozen() {
      calls++;
    }),
  ];
  for (const [i, handler] of handlers.entries()) {
    await runContainer({ queue: `q${i}`, loggers: QUIET, handler });
    await (await Queue(`q${i}`))();
    assertEquals(queues.get(`q${i}`).deleted.length, 1);
  }
  assertEquals(calls, handlers.length);
});
