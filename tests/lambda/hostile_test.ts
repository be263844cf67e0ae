/** Malformed events and options of a Lambda function. */

import {
  assertEquals,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  ConfigError,
  currentJob,
  lambdaHandler,
  type LambdaOptions,
  type SqsEvent,
  TransientError,
} from "../../lambda.ts";
import { setUp } from "../../testing.ts";
import { S3_EVENT } from "../support/aws_bodies.ts";
import { Printed } from "../support/printed.ts";
import { record, returned } from "../support/trigger.ts";

/** Loggers that write nothing. */
const loggers = "<logger>\n level CRITICAL\n</logger>";

/** A worker that notes the jobs it gets, and how they should end. */
class Noted {
  readonly jobs: unknown[] = [];

  readonly worker = () => (id: unknown, end?: string) => {
    this.jobs.push(id);
    if (end === "transient") throw new TransientError();
    if (end === "fails") throw new Error("bad");
  };
}

/** What is no event at all. */
function eventOf(value: unknown): SqsEvent {
  return value as SqsEvent;
}

Deno.test("an event that is not from SQS is refused with one line", async () => {
  const handler = lambdaHandler(new Noted().worker, { loggers });
  const wanted =
    "Cannot run jobs as the event is not from SQS: wanted { Records: [...] }, not";
  const lines: [unknown, string][] = [
    [undefined, `${wanted} undefined`],
    [null, `${wanted} null`],
    ["text", `${wanted} "text"`],
    [{}, `${wanted} an object`],
    [{ Records: "x" }, `${wanted} an object`],
    [
      S3_EVENT,
      'Cannot run jobs as the event is from "aws:s3", not from SQS: give the function an SQS queue as its trigger',
    ],
    [
      { Records: [{ EventSource: "aws:sns", Sns: {} }] },
      'Cannot run jobs as the event is from "aws:sns", not from SQS: give the function an SQS queue as its trigger',
    ],
  ];
  for (const [event, line] of lines) {
    const error = await assertRejects(
      () => handler(eventOf(event)),
      TypeError,
    );
    assertEquals(error.message, line);
  }
});

/** Records that are malformed, each in its own way. */
const ODD: readonly unknown[] = [
  null,
  3,
  "record",
  [],
  {},
  { messageId: "" },
  { ...record("x", ["x"]), messageId: 5 },
  { ...record("no-body", []), body: undefined },
  { ...record("no-text", []), body: { a: 1 } },
  { ...record("no-json", []), body: "{" },
  { ...record("bad-attribute", []), messageAttributes: { a: null } },
  { ...record("bad-attributes", []), messageAttributes: "text" },
  {
    ...record("proto", []),
    messageAttributes: JSON.parse('{"__proto__":{"dataType":"String"}}'),
  },
];

Deno.test("an odd record is bad input, and stops no other", async () => {
  using printed = new Printed();
  const noted = new Noted();
  const handler = lambdaHandler(noted.worker);
  const Records = [record("a", ["a"]), ...ODD, record("b", ["b"])];
  assertEquals(await returned(handler(eventOf({ Records }))), []);
  assertEquals(noted.jobs, ["a", "b"]);
  const failures = printed.err.filter((line) =>
    line.includes("Handling a message failed")
  );
  assertEquals(failures.length, ODD.length);
  assertMatch(
    failures[0]!,
    /message unknown-[0-9a-f-]{36}, receive 1\n *TypeError: Cannot read message: its record has no messageId/,
  );
});

Deno.test("with failures keep, odd records return; one without an id returns all", async () => {
  const options = { loggers, failures: "keep" } as const;
  const handler = lambdaHandler(new Noted().worker, options);
  const named = ODD.slice(7);
  const ids = named.map((each) => Object(each).messageId);
  const Records = [record("a", ["a"]), ...named];
  assertEquals(await returned(handler(eventOf({ Records }))), ids);
  // Lambda takes an empty id for the failure of all.
  const nameless = [record("a", ["a"]), {}, {}];
  assertEquals(await returned(handler(eventOf({ Records: nameless }))), [""]);
});

Deno.test("an id forges no line of the log, and returns as it came", async () => {
  using printed = new Printed();
  const handler = lambdaHandler(new Noted().worker);
  const id = "a\nERROR zsqs forged";
  const event = { Records: [record(id, ["a", "transient"])] };
  assertEquals(await returned(handler(event)), [id]);
  const lines = printed.err.flatMap((line) => line.split("\n"));
  assertEquals(lines.filter((line) => line.startsWith("ERROR")), []);
  assertMatch(
    printed.err.join("\n"),
    /message a\\nERROR zsqs forged, receive 1/,
  );
});

Deno.test("odd system attributes have defaults, and no trace in other jobs", async () => {
  const seen: unknown[] = [];
  const handler = lambdaHandler(() => () => {
    const { receiveCount, groupId, queue, sentAt } = currentJob();
    seen.push([receiveCount, groupId, queue, sentAt.getTime()]);
  }, { loggers });
  const Records = [
    { ...record("a", []), attributes: null },
    {
      ...record("b", []),
      attributes: { ApproximateReceiveCount: "many", SentTimestamp: {} },
      eventSourceARN: "arn:aws:s3:::bucket",
    },
    { messageId: "c", body: "[[],{}]" },
  ];
  assertEquals(await returned(handler(eventOf({ Records }))), []);
  assertEquals(seen, [
    [1, undefined, "adder", 0],
    [1, undefined, "unknown-queue", 0],
    [1, undefined, "unknown-queue", 0],
  ]);
});

Deno.test("records of one id run once if they are equal, and otherwise in turn", async () => {
  const noted = new Noted();
  const handler = lambdaHandler(noted.worker, { loggers });
  const copies = [record("a", ["same"]), record("a", ["same"])];
  assertEquals(await returned(handler({ Records: copies })), []);
  assertEquals(noted.jobs.splice(0), ["same"]);
  const differing = [
    record("a", ["first"]),
    record("b", ["other"]),
    record("a", ["second", "transient"]),
    record("a", ["third"]),
  ];
  assertEquals(await returned(handler({ Records: differing })), ["a"]);
  assertEquals(noted.jobs, ["first", "other", "second"]);
});

Deno.test("the records of several queues keep their own queue", async () => {
  const queues: string[] = [];
  const handler = lambdaHandler(() => () => {
    queues.push(currentJob().queue);
    throw new TransientError();
  }, { loggers });
  const names = ["adder", "orders", "adder"];
  const Records = names.map((queue, i) => record(`m${i}`, [], { queue }));
  const ids = await returned(handler({ Records }));
  assertEquals(ids.sort(), ["m0", "m1", "m2"]);
  assertEquals(queues.sort(), ["adder", "adder", "orders"]);
});

Deno.test("10,000 records and a body of 5 MB are run", async () => {
  const noted = new Noted();
  const handler = lambdaHandler(noted.worker, { loggers });
  const Records = Array.from(
    { length: 10_000 },
    (_, i) => record(`m${i}`, [i]),
  );
  Records.push(record("large", ["x".repeat(5_000_000)]));
  assertEquals(await returned(handler({ Records })), []);
  assertEquals(noted.jobs.length, 10_001);
});

Deno.test("a delay whose record names no queue or receive is one line", async () => {
  await using _queues = setUp({ silent: true });
  using printed = new Printed();
  const handler = lambdaHandler(() => () => {
    throw new TransientError("", { delaySeconds: 5 });
  });
  const Records = [{ messageId: "a", body: "[[],{}]" }];
  assertEquals(await returned(handler(eventOf({ Records }))), ["a"]);
  assertMatch(
    printed.err.join("\n"),
    /WARNING zsqs Retries of unknown-queue are not delayed, .*: the event does not name its queue/,
  );
});

Deno.test("a failures queue that triggers the function is refused", async () => {
  const handler = lambdaHandler(new Noted().worker, {
    loggers,
    failures: { queue: "adder" },
  });
  await assertRejects(
    () => handler({ Records: [record("a", [])] }),
    ConfigError,
    'Cannot start Lambda function as "failures" must be another queue than "queue"',
  );
});

Deno.test("options without a use on Lambda, and wrong ones, are refused with one line each", () => {
  const problems = (options: object, worker: unknown = () => () => {}) =>
    assertThrows(
      () => lambdaHandler(worker as () => () => void, options as LambdaOptions),
      ConfigError,
    ).problems.map((line) =>
      line.replace("Cannot start Lambda function as ", "")
    );
  assertEquals(
    problems({
      prefetch: 10,
      health: "127.0.0.1:8080",
      queue: "adder",
      handler: () => {},
      consurrency: 2,
    }),
    [
      '"prefetch" has no use on Lambda: remove it',
      '"health" has no use on Lambda: remove it',
      '"queue" comes with each event: remove it',
      '"handler" is for containers: give a worker that returns it',
      '"consurrency" is not an option: did you mean "concurrency"?',
    ],
  );
  assertEquals(
    problems(
      { attempts: 0, reporting: "none", hooks: "hooks.ts" },
      "worker.ts",
    ),
    [
      'the worker must be a function or class that makes a handler: current value is "worker.ts"',
      '"hooks" must be an object, a function or a class, so that a bundle holds them: current value is "hooks.ts"',
      '"reporting" must be "list" or "throw": current value is "none"',
      '"attempts" must be an integer from 1 to 1000: current value is 0',
    ],
  );
  const isolated = ["isolation", "processes", "allowNet", "waitTimeSeconds"];
  for (const name of isolated) {
    assertEquals(problems({ [name]: 1 }), [
      `"${name}" has no use on Lambda: remove it`,
    ]);
  }
});

Deno.test("a worker of batches needs batch, and a handler is no worker", async () => {
  const event = { Records: [record("a", [])] };
  const batches = lambdaHandler(() => ({ handleBatch() {} }), { loggers });
  await assertRejects(
    () => batches(event),
    ConfigError,
    'takes batches: set "batch" to the largest number of jobs in one',
  );
  const handler = lambdaHandler((() => undefined) as never, { loggers });
  await assertRejects(
    () => handler(event),
    ConfigError,
    "returned undefined: return a function that takes a job's arguments",
  );
});
