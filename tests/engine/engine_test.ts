import { SqsError } from "../../src/errors.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
} from "@std/assert";
import { stub } from "@std/testing/mock";
import { sleep } from "../../src/clock.ts";
import type {
  ContainerSummary,
  Counters,
} from "../../src/telemetry/counters.ts";
import type {
  Connection,
  EntryResult,
  ReceivedMessage,
  ReceiveOptions,
  VisibilityChange,
} from "../../src/sqs/connection.ts";
import type { Engine, EngineRunOptions } from "../../src/engine/engine.ts";
import type { Logger } from "../../src/logging/loggers.ts";
import { VirtualClock } from "../../src/double/virtual_clock.ts";
import { Visibility } from "../../src/engine/visibility.ts";
import {
  currentJob,
  JobAbortedError,
  NonExistentQueueError,
  runContainer,
  type RunOptions,
  TransientError,
  type WorkerFactory,
} from "../../container.ts";
import { Queue } from "../../producer.ts";
import {
  type EngineSettings,
  makeEngine,
  turn,
} from "../support/engine_rig.ts";
import { TestServer } from "../support/server.ts";

function message(name: string): ReceivedMessage {
  return {
    messageId: name,
    receiptHandle: `handle of ${name}`,
    body: JSON.stringify([[name], {}]),
    attributes: {},
    receiveCount: 1,
    sentAtMs: 0,
  };
}

type Answer = ReceivedMessage[] | Error | Promise<ReceivedMessage[]>;

const OK: EntryResult = { ok: true, value: undefined };

/** A connection whose receives give what a test wrote down, then nothing. */
class ScriptedConnection implements Connection {
  readonly region = "us-east-1";
  readonly clock: VirtualClock;
  readonly answers: Answer[] = [];
  readonly receives: (ReceiveOptions & { readonly at: number })[] = [];
  readonly deleted: string[] = [];
  readonly hidden: Record<string, number> = {};
  /** What a delete and a change of visibility answer. */
  answerChange: () => EntryResult = () => OK;

  constructor(clock: VirtualClock) {
    this.clock = clock;
  }

  async receive(_url: string, options: ReceiveOptions) {
    this.receives.push({ ...options, at: this.clock.now() });
    const answer = this.answers.shift();
    if (answer instanceof Error) throw answer;
    if (answer !== undefined) return await answer;
    await sleep(this.clock, options.waitTimeSeconds * 1000, options.signal);
    options.signal?.throwIfAborted();
    return [];
  }

  // deno-lint-ignore require-await
  async delete(_url: string, handles: readonly string[]) {
    this.deleted.push(...handles);
    return handles.map(this.answerChange);
  }

  // deno-lint-ignore require-await
  async changeVisibility(_url: string, changes: readonly VisibilityChange[]) {
    for (const { receiptHandle, visibilityTimeoutSeconds } of changes) {
      this.hidden[receiptHandle] = visibilityTimeoutSeconds;
    }
    return changes.map(this.answerChange);
  }

  queueUrl(): never {
    throw new Error("No queue is looked up");
  }

  attributes(): never {
    throw new Error("No attributes are asked for");
  }

  send(): never {
    throw new Error("Nothing is sent");
  }

  close() {}
}

/** An engine on a virtual clock, and all that it did. */
class Bench {
  readonly clock = new VirtualClock(0);
  readonly connection = new ScriptedConnection(this.clock);
  /** Lines of `LEVEL logger message`. */
  readonly log: string[] = [];
  readonly jobs: string[] = [];
  readonly stop = new AbortController();
  readonly force = new AbortController();
  readonly engine: Engine;
  readonly #counters: Counters;
  ended = false;

  constructor(
    handler: (name: string) => unknown = () => {},
    settings: EngineSettings = {},
  ) {
    const { engine, counters } = makeEngine((name: string) => {
      this.jobs.push(name);
      return handler(name);
    }, {
      connection: this.connection,
      url: "https://sqs.example.com/1/adder",
      queue: "adder",
      fifo: false,
      loggers: { get: (name) => this.#logger(name) },
      clock: this.clock,
      random: () => Math.random(),
    }, settings);
    this.engine = engine;
    this.#counters = counters;
  }

  get summary(): ContainerSummary {
    return this.#counters.summary;
  }

  run(options: Partial<EngineRunOptions> = {}): Promise<void> {
    return this.engine.run({
      signal: this.stop.signal,
      forceSignal: this.force.signal,
      drain: false,
      ...options,
    }).finally(() => this.ended = true);
  }

  async advance(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000, turn);
  }

  #logger(name: string): Logger {
    const write = (level: string) => (...values: unknown[]) =>
      void this.log.push([level, name, ...values].join(" "));
    return {
      debug: write("DEBUG"),
      info: write("INFO"),
      warn: write("WARNING"),
      error: write("ERROR"),
      critical: write("CRITICAL"),
    };
  }
}

const NOTHING = { received: 0, done: 0, failed: 0, retried: 0, released: 0 };

/** What became of the messages, without the requests that it took. */
function countsOf(
  { received, done, failed, retried, released }: ContainerSummary,
) {
  return { received, done, failed, retried, released };
}

Deno.test("Engine.run() receives, runs and deletes one message at a time", async () => {
  const gate = Promise.withResolvers<void>();
  const bench = new Bench((name) => name === "a" ? gate.promise : undefined);
  bench.connection.answers.push([message("a")], [message("b")]);
  const running = bench.run();
  await turn();
  assertEquals(bench.connection.receives.length, 1);
  assertEquals(bench.connection.deleted, []);
  gate.resolve();
  await turn();
  assertEquals(bench.jobs, ["a", "b"]);
  assertEquals(bench.connection.deleted, ["handle of a", "handle of b"]);
  assertEquals(bench.connection.receives.length, 3);
  const { maxMessages, waitTimeSeconds, visibilityTimeoutSeconds } = bench
    .connection.receives[0]!;
  assertEquals([maxMessages, waitTimeSeconds, visibilityTimeoutSeconds], [
    1,
    20,
    30,
  ]);
  bench.force.abort();
  await running;
  assertEquals(countsOf(bench.summary), {
    ...NOTHING,
    received: 2,
    done: 2,
  });
  assertEquals(bench.log, []);
});

Deno.test("Engine.run() asks for its own visibility timeout", async () => {
  const bench = new Bench(() => {}, {
    visibility: new Visibility(77),
    waitTimeSeconds: 3,
  });
  const running = bench.run({ drain: true });
  await bench.advance(6);
  await running;
  assertEquals(
    bench.connection.receives.map((receive) => [
      receive.visibilityTimeoutSeconds,
      receive.waitTimeSeconds,
    ]),
    [[77, 3], [77, 3]],
  );
});

Deno.test("Engine.run() asks for 30 s until the queue's own visibility timeout is known", async () => {
  const visibility = new Visibility();
  const bench = new Bench(() => {
    throw new TransientError();
  }, { visibility });
  bench.connection.answers.push(
    sleep(bench.clock, 1000).then(() => [message("early")]),
  );
  const running = bench.run();
  await bench.advance(0.5);
  visibility.seconds = 300;
  await bench.advance(1);
  assertEquals(
    bench.connection.receives.map((receive) =>
      receive.visibilityTimeoutSeconds
    ),
    [30, 300],
  );
  // As long as any other message that is to be received again.
  assertEquals(bench.connection.hidden, { "handle of early": 300 });
  bench.force.abort();
  await running;
});

const UNUSABLE: [what: string, error: Error, ends: boolean][] = [
  ["there is no queue", refusal("QueueDoesNotExist", true), true],
  ["it may not", refusal("AccessDenied", true), true],
  ["there are no credentials", refusal("CredentialsProviderError"), true],
  ["a permission is missing", new Deno.errors.NotCapable("net"), true],
  ["SQS throttles", refusal("ThrottlingException"), false],
  ["the connection breaks", refusal("ECONNRESET"), false],
];

for (const [what, error, ends] of UNUSABLE) {
  Deno.test(`Engine.run() ${ends ? "ends" : "goes on"} where its first receive tells that ${what}`, async () => {
    const bench = new Bench(() => {}, { isUnseen: true });
    bench.connection.answers.push(error);
    const running = bench.run();
    running.catch(() => {});
    await bench.advance(0);
    assertEquals(bench.ended, ends);
    assertEquals(bench.log.length, ends ? 0 : 1);
    if (ends) assertEquals(await assertRejects(() => running), error);
    else {
      bench.force.abort();
      await running;
    }
  });
}

function refusal(code: string, senderFault = false): SqsError {
  return new SqsError(`${code} failed`, { code, senderFault });
}

Deno.test("Engine.run() goes on where its queue goes missing later", async () => {
  const bench = new Bench(() => {}, { isUnseen: true });
  const missing = new SqsError("no such queue", {
    code: "QueueDoesNotExist",
    senderFault: true,
  });
  bench.connection.answers.push([], missing);
  const running = bench.run();
  await bench.advance(60);
  assertEquals(bench.ended, false);
  bench.force.abort();
  await running;
});

const THROTTLED = new SqsError("ReceiveMessage failed: slow down", {
  code: "ThrottlingException",
  senderFault: false,
});

const JITTER: [random: number, pauses: number[]][] = [
  [0, [1, 1, 1, 1, 1, 1, 1]],
  [1, [2, 4, 8, 16, 30, 30, 30]],
  [0.5, [1.5, 2.5, 4.5, 8.5, 15.5, 15.5, 15.5]],
];

for (const [random, pauses] of JITTER) {
  Deno.test(`Engine.run() pauses longer after each failed receive, with a jitter of ${random}`, async () => {
    using _random = stub(Math, "random", () => random);
    const bench = new Bench();
    bench.connection.answers.push(...pauses.map(() => THROTTLED));
    const running = bench.run();
    await bench.advance(pauses.reduce((sum, pause) => sum + pause));
    const at = bench.connection.receives.map(({ at }) => at / 1000);
    assertEquals(
      at.slice(1).map((time, i) => time - at[i]!),
      pauses,
    );
    bench.force.abort();
    await running;
  });
}

Deno.test("Engine.run() logs one line where failed receives start and one where they end", async () => {
  const bench = new Bench();
  const others = [new Error("odd"), new TypeError("bug")];
  bench.connection.answers.push(
    THROTTLED,
    ...Array.from({ length: 98 }, (_, i) => others[i % 2]!),
    new DOMException("reset", "NetworkError"),
    [message("a")],
    [],
    THROTTLED,
    [],
  );
  const running = bench.run();
  await bench.advance(100 * 30 + 60);
  assertEquals(bench.log, [
    "ERROR zsqs Receive from adder failed; retrying: ReceiveMessage failed: slow down",
    "INFO zsqs Receiving from adder again",
    "ERROR zsqs Receive from adder failed; retrying: ReceiveMessage failed: slow down",
    "INFO zsqs Receiving from adder again",
  ]);
  assertEquals(bench.jobs, ["a"]);
  const at = bench.connection.receives.map(({ at }) => at);
  for (let i = 1; i <= 100; i++) {
    const pause = at[i]! - at[i - 1]!;
    assert(pause >= 1000 && pause <= 30_000, `${pause} ms`);
  }
  // The pauses of the second streak are short again.
  assert(at[104]! - at[103]! <= 2000);
  bench.force.abort();
  await running;
});

Deno.test("Engine.run() tells that it receives again before it runs the job", async () => {
  const bench = new Bench(() => new Promise(() => {}));
  bench.connection.answers.push(THROTTLED, [message("a")]);
  const running = bench.run();
  await bench.advance(2);
  assertEquals(bench.jobs, ["a"]);
  assertEquals(bench.log.at(-1), "INFO zsqs Receiving from adder again");
  bench.force.abort();
  await running;
});

for (const how of ["stop", "force"] as const) {
  Deno.test(`Engine.run() ends a pause at once at a ${how}`, async () => {
    const bench = new Bench();
    bench.connection.answers.push(THROTTLED, THROTTLED);
    const running = bench.run();
    await turn();
    assertEquals(bench.ended, false);
    bench[how].abort();
    await running;
    assertEquals(bench.clock.now(), 0);
    assertEquals(bench.connection.receives.length, 1);
  });
}

Deno.test("Engine.run() awaits the receive in flight when it is stopped", async () => {
  const bench = new Bench();
  const running = bench.run();
  await bench.advance(15);
  bench.stop.abort();
  await bench.advance(4.9);
  assertEquals(bench.ended, false);
  await bench.advance(0.1);
  await running;
  assertEquals(bench.connection.receives.length, 1);
  assertEquals(bench.connection.receives[0]!.signal?.aborted, false);
  assertEquals(bench.log, []);
});

Deno.test("Engine.run() releases unrun what a receive brings after the stop", async () => {
  const bench = new Bench();
  const receive = Promise.withResolvers<ReceivedMessage[]>();
  bench.connection.answers.push(receive.promise);
  const running = bench.run();
  bench.stop.abort();
  receive.resolve([message("a"), message("b")]);
  await running;
  assertEquals(bench.jobs, []);
  assertEquals(bench.connection.deleted, []);
  assertEquals(bench.connection.hidden, { "handle of a": 0, "handle of b": 0 });
  assertEquals(countsOf(bench.summary), {
    ...NOTHING,
    received: 2,
    released: 2,
  });
});

Deno.test("Engine.run() releases unrun what a receive brings after the force", async () => {
  const bench = new Bench();
  const receive = Promise.withResolvers<ReceivedMessage[]>();
  bench.connection.answers.push(receive.promise);
  const running = bench.run();
  bench.force.abort();
  receive.resolve([message("a")]);
  await running;
  assertEquals(bench.jobs, []);
  assertEquals(bench.connection.hidden, { "handle of a": 0 });
  assertEquals(bench.connection.receives.length, 1);
});

Deno.test("Engine.run() says nothing of a receive that fails after the stop", async () => {
  const bench = new Bench();
  const receive = Promise.withResolvers<ReceivedMessage[]>();
  bench.connection.answers.push(receive.promise);
  const running = bench.run();
  bench.stop.abort();
  receive.reject(THROTTLED);
  await running;
  assertEquals(bench.log, []);
});

Deno.test("Engine.run() lets the running job finish when it is stopped", async () => {
  const gate = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  const bench = new Bench(() => {
    signal = currentJob().signal;
    return gate.promise;
  });
  bench.connection.answers.push([message("a")], [message("b")]);
  const running = bench.run();
  await turn();
  bench.stop.abort();
  await bench.advance(3600);
  assertEquals(bench.ended, false);
  assertEquals(signal!.aborted, false);
  gate.resolve();
  await running;
  assertEquals(bench.jobs, ["a"]);
  assertEquals(bench.connection.deleted, ["handle of a"]);
  // Its visibility timeout was extended all the while.
  assertEquals(bench.connection.hidden, { "handle of a": 30 });
  assertEquals(countsOf(bench.summary), {
    ...NOTHING,
    received: 1,
    done: 1,
  });
});

Deno.test("Engine.run() aborts the running job and releases it when it is forced", async () => {
  let reason: unknown;
  const bench = new Bench(() => {
    const { signal } = currentJob();
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        reason = signal.reason;
        reject(signal.reason);
      })
    );
  });
  bench.connection.answers.push([message("a")], [message("b")]);
  const running = bench.run();
  await turn();
  bench.stop.abort();
  bench.force.abort();
  await running;
  assertInstanceOf(reason, JobAbortedError);
  assertEquals(reason.reason, "stopping");
  assertEquals(reason.message, "Job aborted: stopping");
  assertEquals(bench.connection.deleted, []);
  assertEquals(bench.connection.hidden, { "handle of a": 0 });
  assertEquals(bench.log, [
    "WARNING zsqs Gave up running jobs as the container is stopping; they will be received again: adder, message a, receive 1",
  ]);
  assertEquals(countsOf(bench.summary), {
    ...NOTHING,
    received: 1,
    released: 1,
  });
});

Deno.test("Engine.run() waits for no job that ignores the force", async () => {
  const gate = Promise.withResolvers<void>();
  const bench = new Bench(() => gate.promise);
  bench.connection.answers.push([message("a")]);
  const running = bench.run();
  await turn();
  bench.force.abort();
  await running;
  gate.resolve();
  await turn();
  assertEquals(bench.connection.deleted, []);
  assertEquals(countsOf(bench.summary), {
    ...NOTHING,
    received: 1,
    released: 1,
  });
});

Deno.test("Engine.run() drops the receive when it is forced", async () => {
  const bench = new Bench();
  const running = bench.run();
  await bench.advance(5);
  bench.force.abort();
  await running;
  assertEquals(bench.clock.now(), 5000);
  assertEquals(bench.log, []);
});

Deno.test("Engine.run() starts no receive where it was stopped before", async () => {
  const bench = new Bench();
  bench.stop.abort();
  await bench.run();
  assertEquals(bench.connection.receives, []);
});

Deno.test("Engine.run() drains until two polls in a row were empty", async () => {
  const bench = new Bench();
  bench.connection.answers.push([message("a")], [], [message("b")]);
  const running = bench.run({ drain: true });
  await bench.advance(39.9);
  assertEquals(bench.ended, false);
  await bench.advance(0.1);
  await running;
  assertEquals(bench.jobs, ["a", "b"]);
  assertEquals(bench.connection.receives.length, 5);
});

const CHANGE_FAILURES: [
  what: string,
  answer: () => EntryResult,
  how: string,
  why: string,
][] = [
  [
    "is refused",
    () => ({
      ok: false,
      failure: {
        code: "ReceiptHandleIsInvalid",
        message: "gone",
        senderFault: true,
      },
    }),
    " failed",
    ": ReceiptHandleIsInvalid: gone",
  ],
  [
    "rejects",
    () => {
      throw THROTTLED;
    },
    " failed; retrying",
    ": ThrottlingException: ReceiveMessage failed: slow down",
  ],
];

for (const [what, answer, how, why] of CHANGE_FAILURES) {
  Deno.test(`Engine.run() logs a delete that ${what} and goes on`, async () => {
    const bench = new Bench();
    bench.connection.answerChange = answer;
    bench.connection.answers.push([message("a")], [message("b")]);
    const running = bench.run();
    await turn();
    assertEquals(bench.jobs, ["a", "b"]);
    assertEquals(bench.log, [
      `ERROR zsqs Delete${how}: adder, message a, receive 1${why}`,
      `ERROR zsqs Delete${how}: adder, message b, receive 1${why}`,
    ]);
    bench.force.abort();
    await bench.advance(5);
    await running;
  });

  Deno.test(`Engine.run() logs a change of visibility that ${what} and goes on`, async () => {
    const bench = new Bench((name) => {
      if (name === "a") throw new TransientError("", { delaySeconds: 5 });
    });
    bench.connection.answers.push([message("a")], [message("b")]);
    bench.connection.answerChange = () =>
      Object.keys(bench.connection.hidden).length > 0 &&
        bench.connection.deleted.length === 0
        ? answer()
        : OK;
    const running = bench.run();
    await turn();
    assertEquals(bench.jobs, ["a", "b"]);
    assertEquals(bench.connection.deleted, ["handle of b"]);
    assertMatch(
      bench.log[0]!,
      /^DEBUG zsqs Job will be received again: adder, message a, receive 1 /,
    );
    assertEquals(bench.log.slice(1), [
      `ERROR zsqs Visibility change${how}: adder, message a, receive 1${why}`,
    ]);
    bench.force.abort();
    await running;
  });
}

const RETRIES: [
  workSeconds: number,
  delaySeconds: number | undefined,
  hidden: number | undefined,
][] = [
  [0, undefined, undefined],
  [0, 0, 0],
  [0, 43_198, 43_198],
  [0, 43_200, 43_198],
  [3600, 39_598, 39_598],
  [3600, 43_200, 39_598],
  [0.5, 43_200, 43_197],
];

for (const [workSeconds, delaySeconds, hidden] of RETRIES) {
  Deno.test(`Engine.run() hides a job of ${workSeconds} s that asks for ${delaySeconds} s for ${hidden} s`, async () => {
    const bench = new Bench(async () => {
      await sleep(bench.clock, workSeconds * 1000);
      throw new TransientError(
        "",
        delaySeconds === undefined ? {} : { delaySeconds },
      );
    });
    bench.connection.answers.push([message("a")]);
    const running = bench.run();
    await bench.advance(workSeconds);
    bench.force.abort();
    await running;
    assertEquals(
      bench.connection.hidden,
      hidden === undefined ? {} : { "handle of a": hidden },
    );
    assertEquals(
      bench.log.slice(1),
      hidden === delaySeconds ? [] : [
        `WARNING zsqs Shortened a retry delay from ${delaySeconds} s to ${hidden} s, as SQS hides a message for at most 12 hours after its receive: adder, message a, receive 1`,
      ],
    );
    assertEquals(countsOf(bench.summary), {
      ...NOTHING,
      received: 1,
      retried: 1,
    });
  });
}

Deno.test("Engine.summary counts what became of the messages", async () => {
  const bench = new Bench((name) => {
    if (name === "bad") throw new TypeError("bad");
    if (name === "busy") throw new TransientError();
  });
  bench.connection.answers.push(
    ...["ok", "bad", "busy", "ok", "ok"].map((name) => [message(name)]),
    [{ ...message("none"), body: "no job" }],
  );
  const running = bench.run();
  await turn();
  assertEquals(countsOf(bench.summary), {
    received: 6,
    done: 3,
    failed: 2,
    retried: 1,
    released: 0,
  });
  bench.force.abort();
  await running;
});

const LOG_ALL = `
<logger>
  level DEBUG
  <logfile>
    path STDOUT
    format %(levelname)s %(name)s %(message)s
  </logfile>
</logger>`;

/** A container on a real server, stopped at the end of its scope. */
class Running implements AsyncDisposable {
  readonly log: string[] = [];
  readonly stop = new AbortController();
  readonly force = new AbortController();
  readonly server: TestServer;
  readonly url: string;
  readonly ended: ReturnType<typeof runContainer>;
  readonly #stack: AsyncDisposableStack;
  readonly #waiting = new Map<string, () => void>();

  private constructor(
    stack: AsyncDisposableStack,
    server: TestServer,
    url: string,
    worker: WorkerFactory,
    options: RunOptions,
    settings: object,
  ) {
    this.#stack = stack;
    this.server = server;
    this.url = url;
    stack.use(stub(console, "log", (line: unknown) => {
      this.log.push(String(line));
      for (const [text, found] of this.#waiting) {
        if (String(line).includes(text)) found();
      }
    }));
    this.ended = runContainer({
      queue: "adder",
      endpoint: server.endpoint,
      region: "us-east-1",
      waitTimeSeconds: 1,
      loggers: LOG_ALL,
      worker,
      ...settings,
    }, {
      signal: this.stop.signal,
      forceSignal: this.force.signal,
      ...options,
    });
  }

  static async start(
    worker: WorkerFactory,
    options: RunOptions = {},
    settings: object = {},
  ): Promise<Running> {
    const stack = new AsyncDisposableStack();
    const server = stack.use(await TestServer.start());
    const url = await server.createQueue("adder");
    return new Running(stack, server, url, worker, options, settings);
  }

  /** Sends jobs with these single arguments. */
  async send(...args: readonly unknown[]): Promise<void> {
    await using queue = await Queue("adder", {
      endpoint: this.server.endpoint,
      region: "us-east-1",
    });
    for (const arg of args) await queue(arg);
  }

  /** Resolves when a line with this text is logged. */
  async logged(text: string): Promise<void> {
    if (this.log.some((line) => line.includes(text))) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(text, resolve);
    await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.force.abort();
    await this.ended;
    await this.#stack.disposeAsync();
  }
}

Deno.test("runContainer() runs jobs from a server until its signal aborts", async () => {
  const last = Promise.withResolvers<void>();
  const events: string[] = [];
  await using running = await Running.start(() => ({
    handle: (what: string) => {
      events.push(what);
      if (what === "bad") throw new TypeError("bad");
      if (what === "busy") throw new TransientError("busy");
      if (what === "last") last.resolve();
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.resolve();
      events.push("disposed");
    },
  }));
  await running.send("ok", "bad", "busy", "last");
  await last.promise;
  running.stop.abort();
  assertEquals(countsOf(await running.ended), {
    received: 4,
    done: 2,
    failed: 1,
    retried: 1,
    released: 0,
  });
  assertEquals(events, ["ok", "bad", "busy", "last", "disposed"]);
  assertEquals(await running.server.state(running.url), {
    visible: 0,
    inFlight: 1,
    delayed: 0,
  });
  assertEquals(
    running.log.map((line) => line.split("\n")[0])
      .filter((line) => !/^DEBUG/.test(line!))
      .map((line) => line!.replace(/, leases lost .*/, ""))
      .map((line) => line!.replace(/[0-9a-f-]{36}/, "ID")),
    [
      "INFO zsqs Listening to adder in us-east-1",
      "ERROR zsqs Handling a message failed: adder, message ID, receive 1",
      'INFO zsqs.messages [["bad"],{}]',
      "INFO zsqs Stopping: no new receive from adder; running jobs finish",
      "INFO zsqs Stopped listening to adder: received 4, done 2, failed 1, retried 1, released 0",
    ],
  );
});

Deno.test("runContainer() stops while it is idle, and strands no message", async () => {
  await using running = await Running.start(() => () => {});
  await running.logged("Listening");
  running.stop.abort();
  assertEquals(countsOf(await running.ended), NOTHING);
  await running.send(1);
  assertEquals((await running.server.state(running.url)).visible, 1);
});

for (const how of ["forceSignal", "shutdownTimeoutSeconds"] as const) {
  Deno.test(`runContainer() gives a running job back at its ${how}`, async () => {
    const begun = Promise.withResolvers<void>();
    let reason: unknown;
    await using running = await Running.start(
      () => async () => {
        const { signal } = currentJob();
        begun.resolve();
        await new Promise((resolve) =>
          signal.addEventListener("abort", resolve)
        );
        reason = signal.reason;
        signal.throwIfAborted();
      },
      {},
      how === "forceSignal" ? {} : { shutdownTimeoutSeconds: 0 },
    );
    await running.send(1);
    await begun.promise;
    running[how === "forceSignal" ? "force" : "stop"].abort();
    assertEquals(countsOf(await running.ended), {
      ...NOTHING,
      received: 1,
      released: 1,
    });
    assertInstanceOf(reason, JobAbortedError);
    assertEquals(reason.reason, "stopping");
    assertEquals(await running.server.state(running.url), {
      visible: 1,
      inFlight: 0,
      delayed: 0,
    });
    assertEquals(
      running.log.filter((line) => /Gave up/.test(line)).length,
      1,
    );
  });
}

Deno.test("runContainer() ends a drain when nothing comes any more", async () => {
  const done: unknown[] = [];
  const sent = Promise.withResolvers<void>();
  await using running = await Running.start(
    async () => {
      await sent.promise;
      return (a: number) => {
        done.push(a);
        if (a === 2) throw new TransientError("", { delaySeconds: 600 });
      };
    },
    { drain: true },
  );
  await running.send(1, 2, 3);
  sent.resolve();
  assertEquals(countsOf(await running.ended), {
    ...NOTHING,
    received: 3,
    done: 2,
    retried: 1,
  });
  assertEquals(done, [1, 2, 3]);
  assertEquals(
    running.log.at(-1),
    "INFO zsqs Drained adder: 0 visible, 1 in flight and 0 delayed messages remain",
  );
});

Deno.test("runContainer() goes on when its queue disappears", async () => {
  await using running = await Running.start(() => () => {});
  await running.logged("Listening");
  await running.server.deleteQueue(running.url);
  await running.logged("Receive from adder failed; retrying: ");
  running.stop.abort();
  assertEquals(countsOf(await running.ended), NOTHING);
});

Deno.test("runContainer() rejects a queue that does not exist, and disposes nothing", async () => {
  await using server = await TestServer.start();
  let made = false;
  const error = await assertRejects(
    () =>
      runContainer({
        queue: "nonexistent",
        endpoint: server.endpoint,
        region: "us-east-1",
        worker: () => {
          made = true;
          return () => {};
        },
      }),
    NonExistentQueueError,
  );
  assertEquals(error.queue, "nonexistent");
  assertEquals(made, false);
});

Deno.test("runContainer() rejects the URL of a queue that does not exist, and disposes its worker", async () => {
  await using server = await TestServer.start();
  const url = `${server.endpoint}/000000000000/nonexistent`;
  let disposed = false;
  const error = await assertRejects(
    () =>
      runContainer({
        queue: url,
        region: "us-east-1",
        loggers: "",
        worker: () => ({
          handle() {},
          [Symbol.dispose]: () => disposed = true,
        }),
      }),
    NonExistentQueueError,
  );
  assertEquals([error.queue, disposed], [url, true]);
});

Deno.test("runContainer() rejects with what its worker throws at disposal", async () => {
  await using server = await TestServer.start();
  await server.createQueue("adder");
  const stop = new AbortController();
  stop.abort();
  const error = await assertRejects(() =>
    runContainer({
      queue: "adder",
      endpoint: server.endpoint,
      region: "us-east-1",
      loggers: "",
      worker: () => ({
        handle() {},
        [Symbol.dispose]() {
          throw new RangeError("stuck");
        },
      }),
    }, { signal: stop.signal })
  );
  assertInstanceOf(error, Error);
  assertEquals(error.message, "Cannot dispose the worker of adder: stuck");
  assertInstanceOf(error.cause, RangeError);
});

Deno.test("runContainer() logs an error in work that a job left behind, and goes on", async () => {
  const ids: string[] = [];
  const done = Promise.withResolvers<void>();
  await using running = await Running.start(() => (what: string) => {
    ids.push(currentJob().messageId);
    if (what === "stray") Promise.reject(new TypeError("left behind"));
    else done.resolve();
  });
  await running.send("stray");
  await running.logged("left behind");
  await running.send("ok");
  await done.promise;
  running.stop.abort();
  assertEquals((await running.ended).done, 2);
  const line = running.log.find((line) => line.includes("left behind"))!;
  assert(
    line.startsWith(
      `ERROR zsqs Work that a job left behind failed: adder, message ${
        ids[0]
      }, receive 1\n  TypeError: left behind\n`,
    ),
    line,
  );
});
