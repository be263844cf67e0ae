import { SqsError } from "../../src/errors.ts";
import { setTestMode } from "../../src/connect/test_mode.ts";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { openQueue } from "../../src/connect/open_queue.ts";
import type {
  Connection,
  EntryResult,
  OutgoingMessage,
  QueueAttributes,
  Sent,
} from "../../src/sqs/connection.ts";
import {
  currentJob,
  type Job,
  runContainer,
  type WorkerConfig,
} from "../../container.ts";
import {
  type Attributes,
  type JobArgs,
  kwargs,
  NonExistentQueueError,
  Queue,
  type QueueOptions,
  type SendAllOptions,
  type SendAllResult,
  SendError,
  type SendOptions,
} from "../../producer.ts";
import { setUp } from "../../testing.ts";
import { VirtualClock } from "../../src/double/virtual_clock.ts";
import { TestServer } from "../support/server.ts";
import { turn } from "../support/turn.ts";

/** Where behaviours that all servers have in common are tried. */
interface Backend extends AsyncDisposable {
  readonly options: QueueOptions;
}

/** Each of them has the queues that {@linkcode BEHAVIOURS} uses. */
const BACKENDS: Record<string, () => Promise<Backend>> = {
  async double() {
    const queues = setUp({
      silent: true,
      queues: [
        "adder",
        { name: "small", maximumMessageSize: 1024 },
        "order.fifo",
        { name: "explicit.fifo", contentBasedDeduplication: false },
      ],
    });
    return await Promise.resolve({
      options: {},
      [Symbol.asyncDispose]: () => queues[Symbol.asyncDispose](),
    });
  },
  async fauxqs() {
    const stack = new AsyncDisposableStack();
    const server = stack.use(await TestServer.start());
    await server.createQueue("adder");
    await server.createQueue("small", { MaximumMessageSize: "1024" });
    await server.createQueue("order.fifo", {
      FifoQueue: "true",
      ContentBasedDeduplication: "true",
    });
    await server.createQueue("explicit.fifo", { FifoQueue: "true" });
    return {
      options: { endpoint: server.endpoint },
      [Symbol.asyncDispose]: () => stack.disposeAsync(),
    };
  },
};

/** Runs a worker until it has had so many jobs. */
async function collect(
  { options }: Backend,
  queue: string,
  jobs: number,
): Promise<Job[]> {
  const collected: Job[] = [];
  const enough = new AbortController();
  await runContainer({
    ...options as { endpoint?: string },
    queue,
    loggers: "",
    worker: () => () => {
      if (collected.push(currentJob()) === jobs) enough.abort();
    },
  }, { signal: enough.signal });
  assertEquals(collected.length, jobs);
  return collected;
}

/** How many messages a queue has. */
async function state(
  { options }: Backend,
  queue: string,
): Promise<Omit<QueueAttributes, "visibilityTimeoutSeconds">> {
  const { url, connection } = await openQueue(queue, options);
  const { visible, inFlight, delayed } = await connection.attributes(url);
  connection.close();
  return { visible, inFlight, delayed } as QueueAttributes;
}

const BEHAVIOURS: Record<string, (backend: Backend) => Promise<void>> = {
  async "Queue() opens a queue by its name, URL or ARN"(backend) {
    await using byName = await Queue("adder", backend.options);
    assertMatch(byName.url, /^https?:\/\/.+\/000000000000\/adder$/);
    const arn = "arn:aws:sqs:us-east-1:000000000000:adder";
    for (const ref of ["adder", byName.url, arn]) {
      await using queue = await Queue(ref, backend.options);
      assertEquals(queue.name, "adder");
      assertEquals(queue.url, byName.url);
      assertEquals(queue.region, "us-east-1");
      await queue(ref);
    }
    const jobs = await collect(backend, "adder", 3);
    assertEquals(jobs.map(({ args }) => args), [
      ["adder"],
      [byName.url],
      [arn],
    ]);
  },

  async "Queue() rejects a queue that does not exist"(backend) {
    await using adder = await Queue("adder", backend.options);
    const refs = [
      "nonexistent",
      "nonexistent.fifo",
      "arn:aws:sqs:us-east-1:000000000000:nonexistent",
      adder.url.replace(/adder$/, "nonexistent"),
    ];
    for (const ref of refs) {
      const error = await assertRejects(
        () => Queue(ref, backend.options),
        NonExistentQueueError,
      );
      assertEquals(error.name, "NonExistentQueueError");
      assertEquals(error.queue, ref);
      assertEquals(
        error.message,
        `Cannot find queue "${ref}" in region "us-east-1": create it first, or check its name and region`,
      );
      assertInstanceOf(error.cause, SqsError);
      assertEquals(error.cause.code, "QueueDoesNotExist");
    }
  },

  async "Queue() gives a queue that sends its arguments when called"(backend) {
    await using queue = await Queue("adder", backend.options);
    const result = await queue(1, "é😀\0", [null], kwargs({ x: 3 }));
    assertEquals(Object.keys(result), ["messageId"]);
    const [job] = await collect(backend, "adder", 1);
    assertEquals(job!.messageId, result.messageId);
    assertEquals(job!.args, [1, "é😀\0", [null]]);
    assertEquals({ ...job!.kwargs }, { x: 3 });
    assertEquals(await state(backend, "adder"), {
      visible: 0,
      inFlight: 0,
      delayed: 0,
    });
  },

  async "Queue() with base64 sends what a worker reads"(backend) {
    const options = { ...backend.options, encoding: "base64" } as const;
    await using queue = await Queue("adder", options);
    await queue("é😀", kwargs({ x: 3 }));
    const [job] = await collect(backend, "adder", 1);
    assertEquals(job!.args, ["é😀"]);
    assertEquals({ ...job!.kwargs }, { x: 3 });
  },

  async "Queue.send() sends attributes that the job has equal"(backend) {
    const attributes = {
      text: "é\t\n\r 😀",
      like: "12",
      whole: 12,
      real: -1.5e-7,
      bytes: new Uint8Array([0, 1, 255]),
      "a.b-c_d": "x",
    };
    await using queue = await Queue("adder", backend.options);
    const bytes = attributes.bytes.slice();
    const sending = queue.send([1], { attributes: { ...attributes, bytes } });
    bytes.fill(7);
    await sending;
    const [job] = await collect(backend, "adder", 1);
    assertEquals<unknown>({ ...job!.attributes }, attributes);
    assertStrictEquals(job!.attributes.bytes!.constructor, Uint8Array);
  },

  async "Queue.send() hides a message for delaySeconds"(backend) {
    await using queue = await Queue("adder", backend.options);
    await queue.send([1], { delaySeconds: 900 });
    await queue.send([2], { delaySeconds: 0 });
    assertEquals(await state(backend, "adder"), {
      visible: 1,
      inFlight: 0,
      delayed: 1,
    });
    const [job] = await collect(backend, "adder", 1);
    assertEquals(job!.args, [2]);
  },

  async "Queue.send() takes a group on a standard queue"(backend) {
    await using queue = await Queue("adder", backend.options);
    await queue.send([1], { groupId: "g" });
    const [job] = await collect(backend, "adder", 1);
    assertEquals(job!.args, [1]);
  },

  async "Queue() refuses a job over the queue's own limit"(backend) {
    await using queue = await Queue("small", backend.options);
    const error = await assertRejects(() => queue("x".repeat(2000)));
    assertInstanceOf(error, RangeError);
    assertEquals(
      error.message,
      "Cannot send job as it has 2009 bytes including attributes: the limit is 1024 bytes",
    );
    await queue("x".repeat(1024 - 9));
    assertEquals((await state(backend, "small")).visible, 1);
  },

  async "Queue() sends 1 MiB"(backend) {
    await using queue = await Queue("adder", backend.options);
    await queue("x".repeat(1_048_576 - 9));
    const [job] = await collect(backend, "adder", 1);
    assertEquals((job!.args[0] as string).length, 1_048_576 - 9);
  },

  async "Queue.send() keeps a group's order without awaiting"(backend) {
    await using queue = await Queue("order.fifo", backend.options);
    const numbers = Array.from({ length: 12 }, (_, i) => i);
    const results = await Promise.all(
      numbers.map((i) => queue.send([i], { groupId: `group${i % 2}` })),
    );
    assertMatch(results[0]!.sequenceNumber!, /^\d+$/);
    const jobs = await collect(backend, "order.fifo", numbers.length);
    for (const group of [0, 1]) {
      assertEquals(
        jobs.filter(({ groupId }) => groupId === `group${group}`)
          .map(({ args }) => args[0]),
        numbers.filter((i) => i % 2 === group),
      );
    }
  },

  async "Queue.send() takes equal jobs of a FIFO queue for one"(backend) {
    await using queue = await Queue("order.fifo", backend.options);
    for (const args of [[1], [1], [2]]) {
      await queue.send(args, { groupId: "g" });
    }
    assertEquals((await state(backend, "order.fifo")).visible, 2);
  },

  async "Queue.send() takes equal deduplication ids for one job"(backend) {
    await using queue = await Queue("explicit.fifo", backend.options);
    for (const [arg, deduplicationId] of [[1, "a"], [2, "a"], [1, "b"]]) {
      await queue.send([arg], {
        groupId: "g",
        deduplicationId: String(deduplicationId),
      });
    }
    const jobs = await collect(backend, "explicit.fifo", 2);
    assertEquals(jobs.map(({ args }) => args), [[1], [1]]);
  },

  async "Queue.send() says what to do where deduplication is off"(backend) {
    await using queue = await Queue("explicit.fifo", backend.options);
    const error = await assertRejects(
      () => queue.send([1], { groupId: "g" }),
      SendError,
    );
    assertMatch(
      error.message,
      /^Cannot send job to "explicit\.fifo": InvalidParameterValue: .+ \(set "deduplicationId", or enable the queue's content-based deduplication\)$/,
    );
    assertEquals(error.name, "SendError");
    assertEquals(error.code, "InvalidParameterValue");
    assertEquals(error.senderFault, true);
    assertEquals(error.index, undefined);
  },

  async "Queue.send() rejects with the reason of an aborted signal"(backend) {
    await using queue = await Queue("adder", backend.options);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    assertStrictEquals(
      await assertRejects(() => queue.send([1], { signal })),
      reason,
    );
    assertStrictEquals(
      await assertRejects(() => Queue("adder", { ...backend.options, signal })),
      reason,
    );
    assertEquals((await state(backend, "adder")).visible, 0);
  },

  async "Queue.close() waits for accepted jobs and refuses more"(backend) {
    const queue = await Queue("adder", backend.options);
    const settled: string[] = [];
    const sending = Array.from(
      { length: 5 },
      (_, i) => queue(i).then(() => settled.push("sent")),
    );
    await queue.close().then(() => settled.push("closed"));
    assertEquals(settled.at(-1), "closed");
    assertEquals((await state(backend, "adder")).visible, 5);
    await Promise.all(sending);
    for (const send of [() => queue(1), () => queue.send([1])]) {
      const error = await assertRejects(send, TypeError);
      assertEquals(
        error.message,
        'Cannot send job to "adder" as the queue is closed',
      );
    }
    await queue.close();
  },

  async "Queue.sendAll() gives each job's result in order"(backend) {
    await using queue = await Queue("small", backend.options);
    const results: SendAllResult[] = [];
    const summary = await queue.sendAll([
      ["a"],
      ["x".repeat(2000)],
      { args: ["b"], attributes: { n: 1 } },
      [undefined],
      { args: ["c"], delaySeconds: 1000 },
      ["d"],
    ], { onResult: (result) => results.push(result) });
    assertEquals(summary, { sent: 3, failed: 3 });
    assertEquals(results.map(({ index }) => index), [0, 1, 2, 3, 4, 5]);
    assertEquals(
      results.map((result) =>
        result.status === "failed"
          ? `${result.error.name}: ${result.error.message}`
          : typeof result.messageId
      ),
      [
        "string",
        "RangeError: Cannot send job as it has 2009 bytes including attributes: the limit is 1024 bytes",
        "string",
        "TypeError: Cannot send job as args[0] is undefined: arguments must survive JSON unchanged",
        'RangeError: Cannot send job as "delaySeconds" must be an integer from 0 to 900: current value is 1000',
        "string",
      ],
    );
    const jobs = await collect(backend, "small", 3);
    const sent = results.flatMap((result) =>
      "messageId" in result ? [result.messageId] : []
    );
    assertEquals(
      jobs.map(({ messageId }) => messageId).sort(),
      sent.sort(),
    );
    const b = jobs.find(({ args }) => args[0] === "b");
    assertEquals({ ...b!.attributes }, { n: 1 });
  },

  async "Queue.sendAll() takes an async iterable"(backend) {
    await using queue = await Queue("order.fifo", backend.options);
    async function* jobs() {
      for (let i = 0; i < 25; i++) {
        yield await Promise.resolve({ args: [i], groupId: "g" });
      }
    }
    assertEquals(await queue.sendAll(jobs()), { sent: 25, failed: 0 });
    const done = await collect(backend, "order.fifo", 25);
    assertEquals(
      done.map(({ args }) => args[0]),
      Array.from({ length: 25 }, (_, i) => i),
    );
  },
};

for (const [what, start] of Object.entries(BACKENDS)) {
  for (const [behaviour, run] of Object.entries(BEHAVIOURS)) {
    Deno.test(`${behaviour} (${what})`, async () => {
      await using backend = await start();
      await run(backend);
    });
  }
}

const BAD_REFS = [
  "",
  " ",
  "two words",
  "a/b",
  "a.b",
  "adder.fifo.fifo",
  ".fifo",
  "adder\n",
  "x".repeat(81),
  "x".repeat(76) + ".fifo",
  "arn:aws:sns:us-east-1:000000000000:adder",
  "arn:aws:sqs:us-east-1:adder",
  "arn:aws:sqs:us-east-1:000000000000:adder:more",
  "http://",
  "https://sqs.us-east-1.amazonaws.com/",
  "https://sqs.us-east-1.amazonaws.com/000000000000/",
  "https://sqs.us-east-1.amazonaws.com/000000000000/adder?x=1",
  "ftp://example.com/adder",
  1,
  undefined,
  null,
];

for (const ref of BAD_REFS) {
  const shown = JSON.stringify(ref);
  Deno.test(`Queue() refuses ${shown} as a queue`, async () => {
    using _queues = setUp({ silent: true });
    const error = await assertRejects(() => Queue(ref as string), TypeError);
    assertEquals(
      error.message,
      `Cannot open queue ${shown}: give a queue's name, URL or ARN. A name has up to 80 letters, digits, "_" and "-", including a ".fifo" at its end`,
    );
  });
}

const BAD_QUEUE_OPTIONS: [options: object, problem: string][] = [
  [
    { regoin: "eu-west-1" },
    '"regoin" is not an option: did you mean "region"?',
  ],
  [
    { encoding: "Base64" },
    '"encoding" must be "json" or "base64": current value is "Base64"',
  ],
  [
    { endpoint: "localhost:4566" },
    '"endpoint" must be an http or https URL: current value is "localhost:4566"',
  ],
  [
    { region: "" },
    '"region" must be an AWS region such as "eu-west-1": current value is ""',
  ],
  [
    { region: "eu west" },
    '"region" must be an AWS region such as "eu-west-1": current value is "eu west"',
  ],
];

for (const [options, problem] of BAD_QUEUE_OPTIONS) {
  Deno.test(`Queue() refuses the options ${JSON.stringify(options)}`, async () => {
    using _queues = setUp({ silent: true });
    const error = await assertRejects(() => Queue("adder", options), TypeError);
    assertEquals(error.message, `Cannot open queue as ${problem}`);
  });
}

const delay =
  '"delaySeconds" must be an integer from 0 to 900: current value is';
const id = "must be 1 to 128 letters, digits and punctuation: current value is";
const attribute =
  "give a string, a finite number or a Uint8Array that is not empty";
const name =
  'Use up to 256 letters, digits, "_" and "-", with single "." between them, and no "AWS." or "Amazon." first';

const BAD_SEND_OPTIONS: [
  options: SendOptions,
  errorClass: ErrorConstructor,
  problem: string,
  queue?: string,
][] = [
  [
    { delaySecond: 3 } as SendOptions,
    TypeError,
    'as "delaySecond" is not an option: did you mean "delaySeconds"?',
  ],
  [{ delaySeconds: -1 }, RangeError, `as ${delay} -1`],
  [{ delaySeconds: 901 }, RangeError, `as ${delay} 901`],
  [{ delaySeconds: 1.5 }, RangeError, `as ${delay} 1.5`],
  [{ delaySeconds: NaN }, RangeError, `as ${delay} NaN`],
  [{ delaySeconds: "3" as unknown as number }, RangeError, `as ${delay} "3"`],
  [{ groupId: "" }, TypeError, `as "groupId" ${id} ""`],
  [{ groupId: "a b" }, TypeError, `as "groupId" ${id} "a b"`],
  [{ groupId: "é" }, TypeError, `as "groupId" ${id} "é"`],
  [
    { groupId: "x".repeat(129) },
    TypeError,
    `as "groupId" ${id} "${"x".repeat(129)}"`,
  ],
  [
    { groupId: 1 as unknown as string },
    TypeError,
    `as "groupId" ${id} 1`,
  ],
  [
    { groupId: "g", deduplicationId: "a b" },
    TypeError,
    `as "deduplicationId" ${id} "a b"`,
    "adder.fifo",
  ],
  [
    { deduplicationId: "d" },
    TypeError,
    'to "adder" with "deduplicationId": only FIFO queues accept it (their names end in ".fifo")',
  ],
  [
    {},
    TypeError,
    'to "adder.fifo" without "groupId": a FIFO queue requires it, and runs the jobs of one group in order',
    "adder.fifo",
  ],
  [
    { groupId: "g", delaySeconds: 0 },
    TypeError,
    'to "adder.fifo" with "delaySeconds": a FIFO queue has one delay for all messages',
    "adder.fifo",
  ],
  [
    {
      attributes: Object.fromEntries(
        Array.from({ length: 11 }, (_, i) => [`a${i}`, 1]),
      ),
    },
    RangeError,
    "as it has 11 attributes: SQS takes at most 10",
  ],
  ...[new Map([["a", "b"]]), "abc", ["x"], 5, null].map((
    attributes,
  ): [SendOptions, ErrorConstructor, string] => [
    { attributes: attributes as unknown as Attributes },
    TypeError,
    "as its attributes are not a plain object: give an object of strings, finite numbers and Uint8Arrays",
  ]),
  [
    null as unknown as SendOptions,
    TypeError,
    "as its options are null: wanted an object",
  ],
  [
    { signal: "x" as unknown as AbortSignal },
    TypeError,
    'as "signal" must be an AbortSignal: current value is "x"',
  ],
  [
    { attributes: { a: "" } },
    TypeError,
    `as attribute "a" is empty: ${attribute}`,
  ],
  [
    { attributes: { a: new Uint8Array() } },
    TypeError,
    `as attribute "a" is empty: ${attribute}`,
  ],
  [
    { attributes: { a: NaN } },
    TypeError,
    `as attribute "a" is NaN: ${attribute}`,
  ],
  ...[
    [null, "null"],
    [undefined, "of type undefined"],
    [true, "of type boolean"],
    [["x"], "of type object"],
  ].map(([value, what]) =>
    [
      { attributes: { a: value as string } },
      TypeError,
      `as attribute "a" is ${what}: ${attribute}`,
    ] as [SendOptions, ErrorConstructor, string]
  ),
  [
    { attributes: { a: "x\u0007" } },
    TypeError,
    `as attribute "a" is text with the character U+0007: ${attribute}`,
  ],
  [
    { attributes: { a: "\ud83d" } },
    TypeError,
    `as attribute "a" is text with the character U+D83D: ${attribute}`,
  ],
  ...["", "a b", ".a", "a.", "a..b", "é", "AWS.x", "amazon.x", "x".repeat(257)]
    .map((bad) =>
      [
        { attributes: { [bad]: 1 } },
        TypeError,
        `as SQS refuses the attribute name ${JSON.stringify(bad)}. ${name}`,
      ] as [SendOptions, ErrorConstructor, string]
    ),
];

for (
  const [options, errorClass, problem, queueName = "adder"] of BAD_SEND_OPTIONS
) {
  const shown = JSON.stringify(options).slice(0, 60);
  Deno.test(`Queue.send() refuses ${shown} on ${queueName}: ${problem.slice(0, 50)}`, async () => {
    using queues = setUp({ silent: true });
    const queue = await Queue(queueName);
    const error = await assertRejects(() => queue.send([1], options));
    assertStrictEquals((error as Error).constructor, errorClass);
    assertEquals((error as Error).message, `Cannot send job ${problem}`);
    assertEquals(queues.get(queueName).messages, []);
  });
}

for (
  const [args, shown] of [
    ["abc", '"abc"'],
    [undefined, "undefined"],
    [null, "null"],
    [{ 0: 1 }, "an object"],
    [3, "3"],
  ] as const
) {
  Deno.test(`Queue.send() refuses ${JSON.stringify(args)} as arguments`, async () => {
    using queues = setUp({ silent: true });
    const queue = await Queue("adder");
    const problem = (shown: string) =>
      `Cannot send job as its arguments must be an array: current value is ${shown}`;
    const error = await assertRejects(
      () => queue.send(args as unknown as []),
      TypeError,
    );
    assertEquals(error.message, problem(shown));
    const failure = await assertRejects(
      () => queue.sendAll([args as unknown as []]),
      TypeError,
    );
    // An object is a job with options: this one has no "args".
    const shownArgs = shown === "an object" ? "undefined" : shown;
    assertEquals(failure.message, problem(shownArgs));
    assertEquals(queues.get("adder").messages, []);
  });
}

Deno.test("Queue.sendAll() refuses jobs that cannot be iterated", async () => {
  using _queues = setUp({ silent: true });
  const queue = await Queue("adder");
  for (const [jobs, shown] of [[undefined, "undefined"], [{}, "an object"]]) {
    const error = await assertRejects(
      () => queue.sendAll(jobs as unknown as []),
      TypeError,
    );
    assertEquals(
      error.message,
      `Cannot send jobs as they must be an iterable or async iterable: current value is ${shown}`,
    );
  }
});

Deno.test("Queue.send() and Queue.sendAll() take readonly tuples", async () => {
  using queues = setUp({ silent: true });
  const queue = await Queue<[a: number, b: number]>("adder");
  const job: readonly [number, number] = [1, 2];
  await queue.send(job);
  await queue.sendAll([job, { args: job, groupId: "g" }]);
  assertEquals(queues.get("adder").jobs, [[1, 2], [1, 2], [1, 2]]);
});

Deno.test("Queue.sendAll() refuses an unknown option", async () => {
  using _queues = setUp({ silent: true });
  const queue = await Queue("adder");
  const error = await assertRejects(
    () => queue.sendAll([], { onresult() {} } as SendAllOptions),
    TypeError,
  );
  assertEquals(
    error.message,
    'Cannot send jobs as "onresult" is not an option: did you mean "onResult"?',
  );
});

Deno.test("Queue.send() keeps the group of a standard queue's message", async () => {
  using queues = setUp({ silent: true });
  await (await Queue("adder")).send([1], { groupId: "g" });
  assertEquals(queues.get("adder").messages[0]!.groupId, "g");
});

/** A connection whose sends a test answers. */
class ScriptedConnection implements Connection {
  readonly clockAheadMs = 0;
  readonly region = "us-east-1";
  readonly sends: {
    readonly bodies: string[];
    readonly answer: (result: EntryResult<Sent>) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  /** Answers each send; without it the test does. */
  answer: ((message: OutgoingMessage) => EntryResult<Sent>) | undefined;
  closed = false;

  queueUrl(name: string) {
    return Promise.resolve(`https://sqs.example.com/1/${name}`);
  }

  send(_url: string, messages: readonly OutgoingMessage[]) {
    const { promise, resolve, reject } = Promise.withResolvers<
      EntryResult<Sent>[]
    >();
    this.sends.push({
      bodies: messages.map(({ body }) => body),
      answer: (result) => resolve(messages.map(() => result)),
      reject,
    });
    if (this.answer !== undefined) resolve(messages.map(this.answer));
    return promise;
  }

  attributes() {
    return Promise.resolve({});
  }

  receive(): never {
    throw new Error("Nothing is received");
  }

  delete(): never {
    throw new Error("Nothing is deleted");
  }

  changeVisibility(): never {
    throw new Error("Nothing is changed");
  }

  close() {
    this.closed = true;
  }
}

/** Has queues use a connection. */
function connectTo(connection: Connection): Disposable {
  const before = setTestMode({
    clock: new VirtualClock(0),
    random: Math.random,
    connect: () => connection,
    attach: () => Promise.resolve(),
  });
  return {
    [Symbol.dispose]() {
      setTestMode(before);
    },
  };
}

const ok: EntryResult<Sent> = { ok: true, value: { messageId: "id" } };

Deno.test("Queue() refuses a job over 1 MiB before any request", async () => {
  const connection = new ScriptedConnection();
  connection.answer = () => ok;
  using _mode = connectTo(connection);
  await using queue = await Queue("adder");
  const room = 1_048_576 - '[[""],{}]'.length;
  const cases: [args: string[], options: SendOptions, bytes: number][] = [
    [["x".repeat(room + 1)], {}, 1_048_577],
    // Characters are counted as they are sent: UTF-8, or escapes of 6 bytes.
    [["é".repeat(room / 2 + 1)], {}, 1_048_577],
    [["😀".repeat(room / 12 + 1)], {}, 1_048_581],
    // Name, type and value: 1 + 6 + 4 and 1 + 6 + 3 bytes.
    [["x".repeat(room - 10)], { attributes: { a: "éé" } }, 1_048_577],
    [
      ["x".repeat(room - 9)],
      { attributes: { a: new Uint8Array(3) } },
      1_048_577,
    ],
  ];
  for (const [args, options, bytes] of cases) {
    const error = await assertRejects(() => queue.send(args, options));
    assertInstanceOf(error, RangeError);
    assertEquals(
      error.message,
      `Cannot send job as it has ${bytes} bytes including attributes: the limit is 1048576 bytes`,
    );
  }
  assertEquals(connection.sends, []);
  await queue.send(["x".repeat(room - 11)], { attributes: { a: "éé" } });
  await queue("x".repeat(room));
  assertEquals(connection.sends.length, 2);
});

Deno.test("Queue.send() rejects with what SQS says of the message", async () => {
  const connection = new ScriptedConnection();
  connection.answer = () => ({
    ok: false,
    failure: {
      code: "InternalError",
      message: "try later",
      senderFault: false,
    },
  });
  using _mode = connectTo(connection);
  await using queue = await Queue("adder");
  const error = await assertRejects(() => queue(1), SendError);
  assertEquals(
    error.message,
    'Cannot send job to "adder": InternalError: try later',
  );
  assertEquals(error.code, "InternalError");
  assertEquals(error.senderFault, false);
  assertEquals(error.index, undefined);
  assertEquals("cause" in error, false);
});

Deno.test("Queue.send() rejects with what kept the request from SQS as the cause", async () => {
  const connection = new ScriptedConnection();
  using _mode = connectTo(connection);
  await using queue = await Queue("adder");
  const cause = new SqsError("no way", {
    code: "ECONNRESET",
    senderFault: false,
  });
  const sending = queue(1);
  await turn();
  connection.sends[0]!.reject(cause);
  const error = await assertRejects(() => sending, SendError);
  assertEquals(
    error.message,
    'Cannot send job to "adder": ECONNRESET: no way',
  );
  assertEquals(error.code, "ECONNRESET");
  assertStrictEquals(error.cause, cause);
});

Deno.test("Queue waits at the end of its scope for accepted jobs", async () => {
  const connection = new ScriptedConnection();
  using _mode = connectTo(connection);
  let ended = false;
  let sending: Promise<unknown> | undefined;
  const scope = (async () => {
    await using queue = await Queue("adder");
    sending = queue(1);
  })().then(() => ended = true);
  await turn();
  assertEquals([ended, connection.closed], [false, false]);
  connection.sends[0]!.answer(ok);
  await sending;
  await scope;
  assertEquals(connection.closed, true);
});

Deno.test("Queue.sendAll() stops at the first failure and rejects with it", async () => {
  const connection = new ScriptedConnection();
  connection.answer = ({ body }) =>
    body === "[[2],{}]"
      ? { ok: false, failure: { code: "X", message: "no", senderFault: true } }
      : ok;
  using _mode = connectTo(connection);
  await using queue = await Queue("adder");
  let returned = false;
  function* numbers() {
    try {
      for (let i = 0; i < 1000; i++) yield [i];
    } finally {
      returned = true;
    }
  }
  const error = await assertRejects(() => queue.sendAll(numbers()), SendError);
  assertEquals(error.index, 2);
  assertEquals(error.code, "X");
  assertEquals(error.message, 'Cannot send job to "adder": X: no');
  assert(returned);
  assert(connection.sends.length < 100);
});

Deno.test("Queue.sendAll() rejects with what its iterable throws, after the sends under way", async () => {
  const connection = new ScriptedConnection();
  using _mode = connectTo(connection);
  await using queue = await Queue("adder");
  const lost = new Error("lost input");
  function* numbers() {
    yield [1];
    throw lost;
  }
  let settled = false;
  const sending = queue.sendAll(numbers());
  sending.catch(() => settled = true);
  await turn();
  assertEquals(settled, false);
  connection.sends[0]!.answer(ok);
  assertStrictEquals(await assertRejects(() => sending), lost);
});

Deno.test("Queue.sendAll() rejects with what onResult throws", async () => {
  const connection = new ScriptedConnection();
  connection.answer = () => ok;
  using _mode = connectTo(connection);
  await using queue = await Queue("adder");
  const bug = new Error("bug");
  const sending = queue.sendAll([[1], [2]], {
    onResult() {
      throw bug;
    },
  });
  assertStrictEquals(await assertRejects(() => sending), bug);
});

Deno.test("Queue.sendAll() never takes much more than it has sent", async () => {
  const connection = new ScriptedConnection();
  connection.answer = () => ok;
  using _mode = connectTo(connection);
  await using queue = await Queue("adder");
  let taken = 0;
  let settled = 0;
  let ahead = 0;
  function* numbers() {
    for (let i = 0; i < 5000; i++) {
      taken++;
      ahead = Math.max(ahead, taken - settled);
      yield [i];
    }
  }
  const summary = await queue.sendAll(numbers(), {
    onResult: () => settled++,
  });
  assertEquals(summary, { sent: 5000, failed: 0 });
  assertEquals(settled, 5000);
  assert(ahead <= 100, `${ahead} ahead`);
});

Deno.test("Queue.sendAll() stops when its signal aborts, and awaits the sends under way", async () => {
  const connection = new ScriptedConnection();
  connection.answer = () => ok;
  using _mode = connectTo(connection);
  await using queue = await Queue("adder");
  const controller = new AbortController();
  const reason = new Error("enough");
  let returned = false;
  function* numbers() {
    try {
      for (let i = 0; i < 1000; i++) {
        if (i === 50) controller.abort(reason);
        yield [i];
      }
    } finally {
      returned = true;
    }
  }
  const error = await assertRejects(() =>
    queue.sendAll(numbers(), { signal: controller.signal })
  );
  assertStrictEquals(error, reason);
  assert(returned);
  const sent = connection.sends.flatMap(({ bodies }) => bodies);
  assertEquals(sent.length, 50);
});

Deno.test("Queue.sendAll() leaves a source that stalls when its signal aborts", async () => {
  const connection = new ScriptedConnection();
  connection.answer = () => ok;
  using _mode = connectTo(connection);
  await using queue = await Queue("adder");
  const controller = new AbortController();
  const reason = new Error("enough");
  const results: number[] = [];
  async function* stalling() {
    yield [1];
    await new Promise(() => {});
  }
  const sending = queue.sendAll(stalling(), {
    signal: controller.signal,
    onResult: ({ index }) => void results.push(index),
  });
  await turn();
  await turn();
  assertEquals(results, [0]);
  controller.abort(reason);
  assertStrictEquals(await assertRejects(() => sending), reason);
});

Deno.test("Queue() does not multiply sends that SQS throttles", async () => {
  let sends = 0;
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen() {} },
    async (request) => {
      await request.text();
      const found = request.headers.get("x-amz-target")!.endsWith(
        "GetQueueUrl",
      );
      if (!found) sends++;
      return found
        ? Response.json({ QueueUrl: "https://sqs.nowhere.invalid/1/adder" })
        : Response.json({
          __type: "com.amazonaws.sqs#RequestThrottled",
          message: "slow down",
        }, { status: 400 });
    },
  );
  await using queue = await Queue("adder", {
    endpoint: `http://127.0.0.1:${server.addr.port}`,
  });
  const results = await Promise.allSettled([queue(1), queue(2), queue(3)]);
  for (const result of results) {
    assert(result.status === "rejected");
    assertInstanceOf(result.reason, SendError);
    assertEquals(
      [result.reason.code, result.reason.senderFault],
      ["RequestThrottled", false],
    );
  }
  // One request, which the SDK tries three times.
  assertEquals(sends, 3);
});

Deno.test("Queue() rejects where nothing listens at the endpoint", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  const error = await assertRejects(() =>
    Queue("adder", { endpoint: `http://127.0.0.1:${port}` })
  );
  assertInstanceOf(error, SqsError);
  assertEquals(error.code, "ECONNREFUSED");
  assertEquals(
    (error as Error).message,
    `Cannot open queue "adder" in region "us-east-1": GetQueueUrl failed: connect ECONNREFUSED 127.0.0.1:${port}`,
  );
});

Deno.test("JobArgs takes the argument types from a worker's factory", async () => {
  using queues = setUp({ silent: true });
  type Handler = (a: number, b?: string) => void;
  function factory(_config: WorkerConfig): Handler {
    return () => {};
  }
  const asyncFactory = async (_config: WorkerConfig): Promise<Handler> =>
    await Promise.resolve(() => {});
  class ClassFactory {
    constructor(readonly config: WorkerConfig) {}
    handle(_a: number, _b?: string): void {}
  }
  const objectFactory = () => ({ handle(_a: number, _b?: string) {} });

  const typed = [
    await Queue<JobArgs<typeof factory>>("adder"),
    await Queue<JobArgs<typeof asyncFactory>>("adder"),
    await Queue<JobArgs<typeof ClassFactory>>("adder"),
    await Queue<JobArgs<typeof objectFactory>>("adder"),
    await Queue<[a: number, b?: string]>("adder"),
  ] as const;
  for (const queue of typed) {
    const same: Queue<[a: number, b?: string]> = queue;
    await same(1);
    await queue(1, "x");
    await queue.send([1]);
    await queue.sendAll([[1], { args: [1, "x"], delaySeconds: 0 }]);
    // @ts-expect-error the first argument is a number
    await queue("1");
    // @ts-expect-error the first argument is missing
    await queue();
    // @ts-expect-error there are at most two
    await queue(1, "x", 2);
    // @ts-expect-error the second argument is a string
    await queue.send([1, 2]);
    // @ts-expect-error the first argument is a number
    await queue.sendAll([["x"]]);
  }
  assertEquals(queues.get("adder").messages.length, typed.length * 10);
});

Deno.test("JobArgs takes the argument types from the jobs of a batch", async () => {
  using _queues = setUp({ silent: true });
  type Row = [name: string, size?: number];
  const method = () => ({ handleBatch(_jobs: Job<Row>[]) {} });
  const lasting = () => ({ handleBatch: (_jobs: readonly Job<Row>[]) => {} });
  class Rows {
    constructor(readonly config: WorkerConfig) {}
    async handleBatch(_jobs: Job<Row>[], { signal }: { signal: AbortSignal }) {
      await Promise.resolve(signal);
    }
  }
  const typed = [
    await Queue<JobArgs<typeof method>>("rows"),
    await Queue<JobArgs<typeof lasting>>("rows"),
    await Queue<JobArgs<typeof Rows>>("rows"),
  ] as const;
  for (const queue of typed) {
    const same: Queue<Row> = queue;
    await same("a", 1);
    // @ts-expect-error the first argument is a string
    await queue(1);
  }
});

Deno.test("kwargs() fits where a worker takes that object", async () => {
  using queues = setUp({ silent: true });
  const adder = () => (_a: number, _options: { x: number }) => {};
  const queue = await Queue<JobArgs<typeof adder>>("adder");
  await queue(1, kwargs({ x: 3 }));
  await queue(1, { x: 3 });
  // @ts-expect-error x is a number
  await queue(1, kwargs({ x: "3" }));
  // @ts-expect-error x is missing
  await queue(1, kwargs({}));
  const untyped = await Queue("adder");
  await untyped(1, "x", kwargs({ y: [] }));
  assertEquals(queues.get("adder").bodies, [
    '[[1],{"x":3}]',
    '[[1,{"x":3}],{}]',
    '[[1],{"x":"3"}]',
    "[[1],{}]",
    '[[1,"x"],{"y":[]}]',
  ]);
});
