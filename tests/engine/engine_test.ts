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
  Connection,
  EntryResult,
  ReceivedMessage,
  ReceiveOptions,
  VisibilityChange,
} from "../../src/sqs/connection.ts";
import type { VirtualClock } from "../../src/double/virtual_clock.ts";
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
import { EngineRig, type RigOptions } from "../support/engine_rig.ts";
import { TestServer } from "../support/server.ts";
import { Printed } from "../support/printed.ts";
import { runForced } from "../support/run_forced.ts";
import { turn } from "../support/turn.ts";

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
  readonly clockAheadMs = 0;
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

/** An engine whose connection answers what a test wrote down. */
function scripted(
  handler: (name: string) => unknown = () => {},
  options: RigOptions = {},
): EngineRig & { readonly connection: ScriptedConnection } {
  let connection!: ScriptedConnection;
  const rig = new EngineRig(handler, {
    debug: true,
    ...options,
    connect: (clock) => connection = new ScriptedConnection(clock),
  });
  return Object.assign(rig, { connection });
}

const NOTHING = { received: 0, done: 0, failed: 0, retried: 0, released: 0 };

/** What became of the messages, without the requests that it took. */
function countsOf(
  { received, done, failed, retried, released }: EngineRig["summary"],
) {
  return { received, done, failed, retried, released };
}

Deno.test("Engine.run() receives, runs and deletes one message at a time", async () => {
  const gate = Promise.withResolvers<void>();
  const rig = scripted((name) => name === "a" ? gate.promise : undefined);
  rig.connection.answers.push([message("a")], [message("b")]);
  const running = rig.run();
  await turn();
  assertEquals(rig.connection.receives.length, 1);
  assertEquals(rig.connection.deleted, []);
  gate.resolve();
  await turn();
  assertEquals(rig.jobs, ["a", "b"]);
  assertEquals(rig.connection.deleted, ["handle of a", "handle of b"]);
  assertEquals(rig.connection.receives.length, 3);
  const { maxMessages, waitTimeSeconds, visibilityTimeoutSeconds } = rig
    .connection.receives[0]!;
  assertEquals([maxMessages, waitTimeSeconds, visibilityTimeoutSeconds], [
    1,
    20,
    30,
  ]);
  await rig.force();
  await running;
  assertEquals(countsOf(rig.summary), {
    ...NOTHING,
    received: 2,
    done: 2,
  });
  assertEquals(rig.log, []);
});

Deno.test("Engine.run() asks for its own visibility timeout", async () => {
  const rig = scripted(() => {}, {
    visibility: new Visibility(77),
    waitTimeSeconds: 3,
  });
  const running = rig.run({ drain: true });
  await rig.advance(6);
  await running;
  assertEquals(
    rig.connection.receives.map((receive) => [
      receive.visibilityTimeoutSeconds,
      receive.waitTimeSeconds,
    ]),
    [[77, 3], [77, 3]],
  );
});

Deno.test("Engine.run() asks for 30 s until the queue's own visibility timeout is known", async () => {
  const visibility = new Visibility();
  const rig = scripted(() => {
    throw new TransientError();
  }, { visibility });
  rig.connection.answers.push(
    sleep(rig.clock, 1000).then(() => [message("early")]),
  );
  const running = rig.run();
  await rig.advance(0.5);
  visibility.seconds = 300;
  await rig.advance(1);
  assertEquals(
    rig.connection.receives.map((receive) => receive.visibilityTimeoutSeconds),
    [30, 300],
  );
  // As long as any other message that will be received again.
  assertEquals(rig.connection.hidden, { "handle of early": 300 });
  await rig.force();
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
  Deno.test(`Engine.run() ${ends ? "ends" : "goes on"} where its first receive shows that ${what}`, async () => {
    const rig = scripted(() => {}, { isUnseen: true });
    rig.connection.answers.push(error);
    const running = rig.run();
    running.catch(() => {});
    await rig.advance(0);
    assertEquals(rig.ended, ends);
    assertEquals(rig.log.length, ends ? 0 : 1);
    if (ends) assertEquals(await assertRejects(() => running), error);
    else {
      await rig.force();
      await running;
    }
  });
}

function refusal(code: string, senderFault = false): SqsError {
  return new SqsError(`${code} failed`, { code, senderFault });
}

Deno.test("Engine.run() continues where its queue goes missing later", async () => {
  const rig = scripted(() => {}, { isUnseen: true });
  const missing = new SqsError("no such queue", {
    code: "QueueDoesNotExist",
    senderFault: true,
  });
  rig.connection.answers.push([], missing);
  const running = rig.run();
  await rig.advance(60);
  assertEquals(rig.ended, false);
  await rig.force();
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
    const rig = scripted();
    rig.connection.answers.push(...pauses.map(() => THROTTLED));
    const running = rig.run();
    await rig.advance(pauses.reduce((sum, pause) => sum + pause));
    const at = rig.connection.receives.map(({ at }) => at / 1000);
    assertEquals(
      at.slice(1).map((time, i) => time - at[i]!),
      pauses,
    );
    await rig.force();
    await running;
  });
}

Deno.test("Engine.run() logs where failed receives start and end, and the reason every five minutes", async () => {
  const rig = scripted();
  const others = [new Error("odd"), new TypeError("bug")];
  rig.connection.answers.push(
    THROTTLED,
    ...Array.from({ length: 98 }, (_, i) => others[i % 2]!),
    new DOMException("reset", "NetworkError"),
    [message("a")],
    [],
    THROTTLED,
    [],
  );
  const running = rig.run();
  await rig.advance(100 * 30 + 60);
  const repeated = rig.log.filter((line) => /: (odd|bug|reset)$/.test(line));
  assert(repeated.length <= 100 * 30 / 300, `${repeated.length} lines`);
  assertEquals(rig.log.filter((line) => !repeated.includes(line)), [
    "ERROR zsqs Receive from adder failed; retrying: ReceiveMessage failed: slow down",
    "INFO zsqs Receiving from adder again",
    "ERROR zsqs Receive from adder failed; retrying: ReceiveMessage failed: slow down",
    "INFO zsqs Receiving from adder again",
  ]);
  assertEquals(rig.jobs, ["a"]);
  const at = rig.connection.receives.map(({ at }) => at);
  for (let i = 1; i <= 100; i++) {
    const pause = at[i]! - at[i - 1]!;
    assert(pause >= 1000 && pause <= 30_000, `${pause} ms`);
  }
  // The pauses of the second streak are short again.
  assert(at[104]! - at[103]! <= 2000);
  await rig.force();
  await running;
});

Deno.test("Engine.run() logs that it receives again before it runs the job", async () => {
  const rig = scripted(() => new Promise(() => {}));
  rig.connection.answers.push(THROTTLED, [message("a")]);
  const running = rig.run();
  await rig.advance(2);
  assertEquals(rig.jobs, ["a"]);
  assertEquals(rig.log.at(-1), "INFO zsqs Receiving from adder again");
  await rig.force();
  await running;
});

for (const how of ["stop", "force"] as const) {
  Deno.test(`Engine.run() ends a pause at once at a ${how}`, async () => {
    const rig = scripted();
    rig.connection.answers.push(THROTTLED, THROTTLED);
    const running = rig.run();
    await turn();
    assertEquals(rig.ended, false);
    await rig[how]();
    await running;
    assertEquals(rig.clock.now(), 0);
    assertEquals(rig.connection.receives.length, 1);
  });
}

Deno.test("Engine.run() awaits the receive in flight when it is stopped", async () => {
  const rig = scripted();
  const running = rig.run();
  await rig.advance(15);
  await rig.stop();
  await rig.advance(4.9);
  assertEquals(rig.ended, false);
  await rig.advance(0.1);
  await running;
  assertEquals(rig.connection.receives.length, 1);
  assertEquals(rig.connection.receives[0]!.signal?.aborted, false);
  assertEquals(rig.log, []);
});

Deno.test("Engine.run() releases the messages of a receive that ends after the stop", async () => {
  const rig = scripted();
  const receive = Promise.withResolvers<ReceivedMessage[]>();
  rig.connection.answers.push(receive.promise);
  const running = rig.run();
  await rig.stop();
  receive.resolve([message("a"), message("b")]);
  await running;
  assertEquals(rig.jobs, []);
  assertEquals(rig.connection.deleted, []);
  assertEquals(rig.connection.hidden, { "handle of a": 0, "handle of b": 0 });
  assertEquals(countsOf(rig.summary), {
    ...NOTHING,
    received: 2,
    released: 2,
  });
});

Deno.test("Engine.run() releases the messages of a receive that ends after the force", async () => {
  const rig = scripted();
  const receive = Promise.withResolvers<ReceivedMessage[]>();
  rig.connection.answers.push(receive.promise);
  const running = rig.run();
  const forced = rig.force();
  receive.resolve([message("a")]);
  await Promise.all([forced, running]);
  assertEquals(rig.jobs, []);
  assertEquals(rig.connection.hidden, { "handle of a": 0 });
  assertEquals(rig.connection.receives.length, 1);
});

Deno.test("Engine.run() says nothing of a receive that fails after the stop", async () => {
  const rig = scripted();
  const receive = Promise.withResolvers<ReceivedMessage[]>();
  rig.connection.answers.push(receive.promise);
  const running = rig.run();
  await rig.stop();
  receive.reject(THROTTLED);
  await running;
  assertEquals(rig.log, []);
});

Deno.test("Engine.run() lets the running job finish when it is stopped", async () => {
  const gate = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  const rig = scripted(() => {
    signal = currentJob().signal;
    return gate.promise;
  });
  rig.connection.answers.push([message("a")], [message("b")]);
  const running = rig.run();
  await turn();
  await rig.stop();
  await rig.advance(3600);
  assertEquals(rig.ended, false);
  assertEquals(signal!.aborted, false);
  gate.resolve();
  await running;
  assertEquals(rig.jobs, ["a"]);
  assertEquals(rig.connection.deleted, ["handle of a"]);
  // Its visibility timeout was extended all the while.
  assertEquals(rig.connection.hidden, { "handle of a": 30 });
  assertEquals(countsOf(rig.summary), {
    ...NOTHING,
    received: 1,
    done: 1,
  });
});

Deno.test("Engine.run() aborts the running job and releases it when it is forced", async () => {
  let reason: unknown;
  const rig = scripted(() => {
    const { signal } = currentJob();
    return new Promise((_, reject) =>
      signal.addEventListener("abort", () => {
        reason = signal.reason;
        reject(signal.reason);
      })
    );
  });
  rig.connection.answers.push([message("a")], [message("b")]);
  const running = rig.run();
  await turn();
  await rig.stop();
  await rig.force();
  await running;
  assertInstanceOf(reason, JobAbortedError);
  assertEquals(reason.reason, "stopping");
  assertEquals(reason.message, "Job aborted: stopping");
  assertEquals(rig.connection.deleted, []);
  assertEquals(rig.connection.hidden, { "handle of a": 0 });
  assertEquals(rig.log, [
    "WARNING zsqs Gave up running jobs as the container is stopping; they will be received again: adder, message a, receive 1",
  ]);
  assertEquals(countsOf(rig.summary), {
    ...NOTHING,
    received: 1,
    released: 1,
  });
});

Deno.test("Engine.run() waits for no job that ignores the force", async () => {
  const gate = Promise.withResolvers<void>();
  const rig = scripted(() => gate.promise);
  rig.connection.answers.push([message("a")]);
  const running = rig.run();
  await turn();
  await rig.force();
  await running;
  gate.resolve();
  await turn();
  assertEquals(rig.connection.deleted, []);
  assertEquals(countsOf(rig.summary), {
    ...NOTHING,
    received: 1,
    released: 1,
  });
});

Deno.test("Engine.run() drops the receive when it is forced", async () => {
  const rig = scripted();
  const running = rig.run();
  await rig.advance(5);
  await rig.force();
  await running;
  assertEquals(rig.clock.now(), 5000);
  assertEquals(rig.log, []);
});

Deno.test("Engine.run() starts no receive where it was stopped before", async () => {
  const rig = scripted();
  await rig.stop();
  await rig.run();
  assertEquals(rig.connection.receives, []);
});

Deno.test("Engine.run() drains until two polls in a row were empty", async () => {
  const rig = scripted();
  rig.connection.answers.push([message("a")], [], [message("b")]);
  const running = rig.run({ drain: true });
  await rig.advance(39.9);
  assertEquals(rig.ended, false);
  await rig.advance(0.1);
  await running;
  assertEquals(rig.jobs, ["a", "b"]);
  assertEquals(rig.connection.receives.length, 5);
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
  const again = "; the jobs have ended, and may run again";
  const end = how === " failed" ? how + again : how;

  Deno.test(`Engine.run() logs a delete that ${what} and continues`, async () => {
    const rig = scripted();
    rig.connection.answerChange = answer;
    rig.connection.answers.push([message("a")], [message("b")]);
    const running = rig.run();
    await turn();
    assertEquals(rig.jobs, ["a", "b"]);
    assertEquals(rig.log, [
      `ERROR zsqs Delete${end}: adder, message a, receive 1${why}`,
      `ERROR zsqs Delete${end}: adder, message b, receive 1${why}`,
    ]);
    await rig.force();
    await rig.advance(5);
    await running;
  });

  Deno.test(`Engine.run() logs a change of visibility that ${what} and continues`, async () => {
    const rig = scripted((name) => {
      if (name === "a") throw new TransientError("", { delaySeconds: 5 });
    });
    rig.connection.answers.push([message("a")], [message("b")]);
    rig.connection.answerChange = () =>
      Object.keys(rig.connection.hidden).length > 0 &&
        rig.connection.deleted.length === 0
        ? answer()
        : OK;
    const running = rig.run();
    await turn();
    assertEquals(rig.jobs, ["a", "b"]);
    assertEquals(rig.connection.deleted, ["handle of b"]);
    assertMatch(
      rig.log[0]!,
      /^INFO zsqs Job will be retried in 5 s: adder, message a, receive 1 /,
    );
    assertEquals(rig.log.slice(1), [
      `ERROR zsqs Visibility change${how}: adder, message a, receive 1${why}`,
    ]);
    await rig.force();
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
    const rig = scripted(async () => {
      await sleep(rig.clock, workSeconds * 1000);
      throw new TransientError(
        "",
        delaySeconds === undefined ? {} : { delaySeconds },
      );
    });
    rig.connection.answers.push([message("a")]);
    const running = rig.run();
    await rig.advance(workSeconds);
    await rig.force();
    await running;
    assertEquals(
      rig.connection.hidden,
      hidden === undefined ? {} : { "handle of a": hidden },
    );
    assertEquals(
      rig.log.filter((line) => line.startsWith("WARNING zsqs Shortened")),
      hidden === delaySeconds ? [] : [
        `WARNING zsqs Shortened a retry delay from ${delaySeconds} s to ${hidden} s, the most that SQS allows: adder, message a, receive 1`,
      ],
    );
    assertEquals(countsOf(rig.summary), {
      ...NOTHING,
      received: 1,
      retried: 1,
    });
  });
}

Deno.test("Engine.summary counts what became of the messages", async () => {
  const rig = scripted((name) => {
    if (name === "bad") throw new TypeError("bad");
    if (name === "busy") throw new TransientError();
  });
  rig.connection.answers.push(
    ...["ok", "bad", "busy", "ok", "ok"].map((name) => [message(name)]),
    [{ ...message("none"), body: "no job" }],
  );
  const running = rig.run();
  await turn();
  assertEquals(countsOf(rig.summary), {
    received: 6,
    done: 3,
    failed: 2,
    retried: 1,
    released: 0,
  });
  await rig.force();
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
  readonly printed: Printed;
  readonly stop = new AbortController();
  readonly force = new AbortController();
  readonly server: TestServer;
  readonly url: string;
  readonly ended: ReturnType<typeof runContainer>;
  readonly #stack: AsyncDisposableStack;

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
    this.printed = stack.use(new Printed());
    this.ended = runForced({
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
    running.printed.out.map((line) => line.split("\n")[0])
      .filter((line) => !/^DEBUG/.test(line!))
      .map((line) => line!.replace(/, leases lost .*/, ""))
      .map((line) => line!.replace(/[0-9a-f-]{36}/, "ID")),
    [
      "INFO zsqs Listening to adder in us-east-1; failed jobs are deleted after logging",
      "ERROR zsqs Handling a message failed: adder, message ID, receive 1",
      'INFO zsqs.messages [["bad"],{}]',
      "INFO zsqs Job will be retried in 30 s: adder, message ID, receive 1",
      "INFO zsqs Stopping: no new receive from adder. A running poll may take 1 s (wait_time), running jobs 25 s (shutdown_timeout). To stop immediately, call stop({ force: true })",
      "INFO zsqs Stopped listening to adder: received 4, done 2, failed 1, retried 1, released 0",
    ],
  );
});

Deno.test("runContainer() stops while it is idle, and strands no message", async () => {
  await using running = await Running.start(() => () => {});
  await running.printed.line("Listening");
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
      running.printed.out.filter((line) => /Gave up/.test(line)).length,
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
    running.printed.out.at(-1),
    "INFO zsqs Drained adder: 0 visible, 1 in flight and 0 delayed messages remain",
  );
});

Deno.test("runContainer() continues when its queue disappears", async () => {
  await using running = await Running.start(() => () => {});
  await running.printed.line("Listening");
  await running.server.deleteQueue(running.url);
  await running.printed.line("Receive from adder failed; retrying: ");
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

Deno.test("runContainer() logs an error in work that a job left behind, and continues", async () => {
  const ids: string[] = [];
  const done = Promise.withResolvers<void>();
  await using running = await Running.start(() => (what: string) => {
    ids.push(currentJob().messageId);
    if (what === "stray") Promise.reject(new TypeError("left behind"));
    else done.resolve();
  });
  await running.send("stray");
  await running.printed.line("left behind");
  await running.send("ok");
  await done.promise;
  running.stop.abort();
  assertEquals((await running.ended).done, 2);
  const line = running.printed.out.find((line) =>
    line.includes("left behind")
  )!;
  assert(
    line.startsWith(
      `ERROR zsqs Work that a job left behind failed: adder, message ${
        ids[0]
      }, receive 1\n  TypeError: left behind\n`,
    ),
    line,
  );
});
