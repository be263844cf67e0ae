/**
 * Failed jobs on the page for operators: looks, filters, redrive and delete.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { openQueue } from "../../src/connect/open_queue.ts";
import type { OutgoingMessage } from "../../src/sqs/connection.ts";
import { parseQueueRef } from "../../src/sqs/queue_ref.ts";
import { setUp, type TestQueues } from "../../testing.ts";
import { replaceCalls } from "../support/call_faults.ts";
import { kept } from "../support/kept_messages.ts";
import { startWeb, Visitor } from "../support/visitor.ts";

const KEPT = "adder-failed";
const LIST = `/queues/${KEPT}/failed`;
const FAILURES = { name: "adder", failures: parseQueueRef(KEPT) };

async function put(...messages: readonly OutgoingMessage[]): Promise<void> {
  const { connection, url } = await openQueue(KEPT);
  for (let i = 0; i < messages.length; i += 10) {
    const results = await connection.send(url, messages.slice(i, i + 10));
    assert(results.every(({ ok }) => ok));
  }
  connection.close();
}

const upTo = (count: number) => [...Array(count).keys()];

function start(...more: Parameters<typeof setUp>[0][]): TestQueues {
  return setUp({
    queues: ["adder", "totals", KEPT],
    silent: true,
    startTime: new Date(3 * 3600_000),
    ...more[0],
  });
}

/** The ids that a page lists. */
function listed(text: string): string[] {
  return [...text.matchAll(/type="checkbox" name="id" value="([^"]+)"/g)]
    .map(([, id]) => id!);
}

/** The fields of the form that works on all matching jobs. */
function allFields(text: string): Record<string, string> {
  const look = /name="look" value="([^"]+)"/.exec(text)?.[1] ?? "";
  return { look, scope: "matching" };
}

function numbers(queues: TestQueues, queue: string): number[] {
  return queues.get(queue).jobs.map(([number]) => number as number)
    .sort((a, b) => a - b);
}

Deno.test("a look is asked for, receives each message once and releases it", async () => {
  await using queues = start();
  await put(...upTo(25).map((i) => kept(i)));
  await using page = await startWeb([FAILURES]);
  const visitor = await Visitor.open(page);
  assertEquals(listed((await visitor.get(LIST)).text), []);
  const receives = () =>
    queues.get(KEPT).messages.map(({ visible, receiveCount }) =>
      [visible, receiveCount].join()
    );
  assertEquals(new Set(receives()), new Set(["true,0"]));
  const { status, text } = await visitor.post(`${LIST}/look`);
  assertEquals(status, 200);
  assertEquals(listed(text).length, 25);
  assertEquals(new Set(receives()), new Set(["true,1"]));
  await visitor.get(LIST);
  await visitor.get("/");
  assertEquals(new Set(receives()), new Set(["true,1"]));
  assertMatch(text, /TypeError: 0 is bad/);
});

Deno.test("a filter finds text in any case and ids, and actions follow it", async () => {
  await using queues = start();
  await put(...upTo(6).map((i) => kept(i)));
  await using page = await startWeb([FAILURES]);
  const visitor = await Visitor.open(page);
  await visitor.post(`${LIST}/look`);
  const find = async (query: string) =>
    (await visitor.get(`${LIST}?${query}`)).text;
  assertEquals(listed(await find("text=typeERROR")).length, 3);
  assertEquals(listed(await find("text=%5B%5B4%5D")).length, 1);
  assertEquals(listed(await find("id=source-5")).length, 1);
  assertEquals(listed(await find("text=absent")), []);
  const text = await find("text=TypeError");
  const asked = await visitor.post(`${LIST}/actions`, {
    ...allFields(text),
    action: "delete",
    text: "TypeError",
  });
  assertMatch(asked.text, /Delete 3 jobs/);
  assertMatch(asked.text, /TypeError/);
  assert(!asked.text.includes("RangeError"));
  assertEquals(queues.get(KEPT).messages.length, 6);
  await runAction(visitor, asked.text);
  assertEquals(numbers(queues, KEPT), [1, 3, 5]);
});

/** Agrees to an action, and waits for its result. */
async function runAction(
  visitor: Visitor,
  asked: string,
  fields: Record<string, string> = {},
): Promise<string> {
  const path = /action="(\/actions\/[\w-]+)\/run"/.exec(asked)![1]!;
  let { text } = await visitor.post(`${path}/run`, fields);
  while (text.includes(`${path}/stop`)) text = (await visitor.get(path)).text;
  return text;
}

Deno.test("a redrive of ticked jobs sends them to their queues, and no others", async () => {
  await using queues = start();
  await put(
    kept(0),
    kept(1),
    kept(2, {}, { queue: "totals" }),
    { body: "[[3],{}]", attributes: {} },
    kept(4),
  );
  await using page = await startWeb([FAILURES, "totals"]);
  const visitor = await Visitor.open(page);
  const { text } = await visitor.post(`${LIST}/look`);
  const ids = listed(text);
  const none = await visitor.post(`${LIST}/actions`, {
    action: "redrive",
    scope: "selected",
  });
  assertMatch(none.text, /Select at least one job/);
  const asked = await visitor.post(`${LIST}/actions`, {
    action: "redrive",
    scope: "selected",
    id: [...ids.slice(0, 4), "unknown"],
  });
  assertMatch(asked.text, /Redrive 4 jobs/);
  // Two go home, one to the other queue, one names none.
  const result = await runAction(visitor, asked.text, { to: "totals" });
  assertMatch(result, /Redrove 4 (?:of 4 )?jobs/);
  assertEquals(numbers(queues, "adder"), [0, 1]);
  assertEquals(numbers(queues, "totals"), [2, 3]);
  assertEquals(numbers(queues, KEPT), [4]);
  // Its list is old, and nothing is selected any more.
  assertEquals(listed((await visitor.get(LIST)).text), []);
});

Deno.test("an action works on listed jobs alone, and reports the ones that it did not find", async () => {
  await using queues = start();
  await put(...upTo(3).map((i) => kept(i)));
  await using page = await startWeb([FAILURES]);
  const visitor = await Visitor.open(page);
  const { text } = await visitor.post(`${LIST}/look`);
  const asked = await visitor.post(`${LIST}/actions`, {
    ...allFields(text),
    action: "delete",
  });
  // Somebody takes one away, and another one fails meanwhile.
  const { connection, url } = await openQueue(KEPT);
  const [taken] = await connection.receive(url, {
    maxMessages: 1,
    waitTimeSeconds: 0,
  });
  await connection.delete(url, [taken!.receiptHandle]);
  connection.close();
  await put(kept(7));
  const result = await runAction(visitor, asked.text);
  assertMatch(result, /Deleted 2 of 3 jobs/);
  assertEquals(numbers(queues, KEPT), [7]);
  // A second click does nothing, however late; newer questions take no result.
  await queues.advance(601);
  const listedAgain = (await visitor.post(`${LIST}/look`)).text;
  let oldest: string | undefined;
  for (let i = 0; i < 21; i++) {
    const { text } = await visitor.post(`${LIST}/actions`, {
      ...allFields(listedAgain),
      action: "delete",
    });
    oldest ??= /action="(\/actions\/[\w-]+)\/run"/.exec(text)![1]!;
  }
  assertEquals((await visitor.get(oldest!)).status, 404);
  const again = await runAction(visitor, asked.text);
  assertMatch(again, /Deleted 2 of 3 jobs/);
  assertEquals(numbers(queues, KEPT), [7]);
});

Deno.test("an action on all jobs of an older look is refused", async () => {
  await using queues = start();
  await put(kept(0));
  await using page = await startWeb([FAILURES]);
  const visitor = await Visitor.open(page);
  const { text } = await visitor.post(`${LIST}/look`);
  await put(kept(1));
  await visitor.post(`${LIST}/look`);
  const refused = await visitor.post(`${LIST}/actions`, {
    ...allFields(text),
    action: "delete",
  });
  assertMatch(refused.text, /The list has changed/);
  assertEquals(queues.get(KEPT).messages.length, 2);
  // A question stands for ten minutes.
  const asked = await visitor.post(`${LIST}/actions`, {
    ...allFields((await visitor.get(LIST)).text),
    action: "delete",
  });
  const path = /action="(\/actions\/[\w-]+)\/run"/.exec(asked.text)![1]!;
  await queues.advance(601);
  assertEquals((await visitor.post(`${path}/run`)).status, 404);
  assertEquals(queues.get(KEPT).messages.length, 2);
});

Deno.test("dead letters return to the queue that SQS names", async () => {
  await using queues = setUp({
    queues: [
      {
        name: "adder",
        redrive: { deadLetterQueue: "adder-dead", maxReceiveCount: 1 },
      },
      {
        name: "adder-dead",
        redrive: { deadLetterQueue: "adder-end", maxReceiveCount: 4 },
      },
      "adder-end",
    ],
    silent: true,
  });
  const { connection, url } = await openQueue("adder");
  await connection.send(url, [{ body: "[[5],{}]", attributes: {} }]);
  for (let i = 0; i < 2; i++) {
    await connection.receive(url, {
      maxMessages: 1,
      waitTimeSeconds: 0,
      visibilityTimeoutSeconds: 0,
    });
  }
  connection.close();
  await using page = await startWeb(["adder"]);
  const visitor = await Visitor.open(page);
  const { text } = await visitor.post("/queues/adder-dead/failed/look");
  const ids = listed(text);
  assertEquals(ids.length, 1);
  // It has its own redrive policy.
  assertMatch(text, /adder-end|receives?/);
  const asked = await visitor.post("/queues/adder-dead/failed/actions", {
    action: "redrive",
    scope: "selected",
    id: ids,
  });
  await runAction(visitor, asked.text);
  assertEquals(queues.get("adder").jobs, [[5]]);
  assertEquals(queues.get("adder-dead").messages, []);
});

Deno.test("hostile bodies, errors and queue names are text", async () => {
  await using _queues = start();
  const evil =
    `"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\u0000javascript:alert(1)</style>`;
  await put(
    kept(0, { body: JSON.stringify([[evil], {}]) }, {
      ...{ error: evil, message: evil, stack: evil, queue: "adder" },
      messageId: evil,
    }),
    {
      body: "x",
      attributes: { traceparent: { type: "String", value: "<i id=evil>" } },
    },
  );
  await using page = await startWeb([FAILURES]);
  const visitor = await Visitor.open(page);
  const { text } = await visitor.post(`${LIST}/look`);
  const ids = listed(text);
  assertEquals(ids.length, 2);
  const pages = [
    text,
    (await visitor.get(
      `${LIST}?text=${encodeURIComponent(evil)}&id=%22%3E%3Cscript%3E`,
    )).text,
    ...await Promise.all(
      ids.map(async (id) => (await visitor.get(`${LIST}/${id}`)).text),
    ),
    (await visitor.post(`${LIST}/actions`, {
      action: "redrive",
      scope: "selected",
      id: ids,
    })).text,
    (await visitor.post("/queues/adder", { arguments: evil })).text,
  ];
  for (const each of pages) {
    assert(
      !/<script>|<img|<i id|<\/style>|onerror=alert\(1\)>/.test(each),
      each,
    );
  }
  // The body is there as it was received.
  assertMatch(pages[2]! + pages[3]!, /&lt;script&gt;alert\(1\)/);
});

Deno.test("hidden arguments are in no list, on no page and not searched", async () => {
  await using _queues = start();
  await put(kept(0, {
    body: '[["s3cret"],{}]',
    attributes: { customer: { type: "String", value: "s3cret" } },
  }));
  await using page = await startWeb([FAILURES], { hidesArguments: true });
  const visitor = await Visitor.open(page);
  const { text } = await visitor.post(`${LIST}/look`);
  const [id] = listed(text);
  const job = await visitor.get(`${LIST}/${id}`);
  const asked = await visitor.post(`${LIST}/actions`, {
    action: "redrive",
    scope: "selected",
    id: id!,
  });
  for (const each of [text, job.text, asked.text]) {
    assert(!each.includes("s3cret"));
  }
  assertEquals(listed((await visitor.get(`${LIST}?text=s3cret`)).text), []);
  assertEquals(listed((await visitor.get(`${LIST}?text=TypeError`)).text), [
    id,
  ]);
});

Deno.test("long answers are cut, and a look holds at most 10,000 jobs", async () => {
  await using _queues = start();
  const huge = "x".repeat(10_000_000);
  let n = 0;
  // A server that never ends, and sends what SQS would not.
  using _calls = replaceCalls({
    receive: (_real, _url, { maxMessages }) =>
      Promise.resolve(
        upTo(maxMessages).map(() => ({
          messageId: `m-${n++}`,
          receiptHandle: `r-${n}`,
          body: n < 4 ? huge : `[[${n}],{}]`,
          attributes: n < 4
            ? { big: { type: "String", value: huge } }
            : kept(n, {}, { message: "e".repeat(2_000) }).attributes,
          receiveCount: 1,
          sentAtMs: 0,
        })),
      ),
    changeVisibility: (_real, _url, changes) =>
      Promise.resolve(
        changes.map(() => ({ ok: true as const, value: undefined })),
      ),
  });
  await using page = await startWeb([FAILURES]);
  const visitor = await Visitor.open(page);
  let { text } = await visitor.post(`${LIST}/look`);
  while (text.includes(`${LIST}/stop`)) text = (await visitor.get(LIST)).text;
  assert(n <= 10_040);
  assertMatch(text, /10,000/);
  assert(text.length < 1_000_000, `${text.length}`);
  assertEquals(listed(text).length, 100);
  assertMatch(text, /3 jobs with long texts: only their start is kept/);
  const job = await visitor.get(`${LIST}/m-0`);
  assertEquals(job.status, 200);
  assert(job.text.length < 5_000_000, `${job.text.length}`);
  // Its body and its attribute.
  const cuts = job.text.match(
    /of 10,000,000 characters: the page keeps no more/g,
  );
  assertEquals(cuts?.length, 2);
});

Deno.test("a job of a form is checked, and sent as the queue's container reads it", async () => {
  await using queues = setUp({
    queues: [
      "adder",
      "events",
      "notes",
      "orders.fifo",
      { name: "slow", delaySeconds: 30 },
    ],
    silent: true,
  });
  const reading = { body: "json" } as const;
  await using page = await startWeb([
    "adder",
    { name: "events", reading, writing: { body: "json", encoding: "json" } },
    "orders.fifo",
    "slow",
  ]);
  const visitor = await Visitor.open(page);
  const send = async (queue: string, fields: Record<string, string>) => {
    const { status, text } = await visitor.post(`/queues/${queue}`, fields);
    return `${status} ${/(Not sent|Job sent)[^<]*/.exec(text)?.[0]}`;
  };
  const array =
    "400 Not sent: arguments must be a JSON array. Fix them, then send again.";
  for (const text of ["", "1", "{}", "[1", "[1] x"]) {
    assertEquals(await send("adder", { arguments: text }), array);
  }
  assertMatch(
    await send("adder", { arguments: "[12345678901234567890]" }),
    /^400 Not sent: .*12345678901234567890/,
  );
  for (const delay of ["-1", "901", "1.5", "x"]) {
    assertMatch(
      await send("adder", { arguments: "[]", delay }),
      /^400 Not sent: the delay must be an integer from 0 to 900/,
    );
  }
  assertMatch(
    await send("adder", { arguments: '[1, "two"]', delay: "60" }),
    /^200 Job sent\. Message ID /,
  );
  // No delay is not the delay of 0 s.
  await send("slow", { arguments: "[]" });
  await send("slow", { arguments: "[]", delay: "0" });
  assertEquals(queues.get("slow").messages.map(({ visible }) => visible), [
    false,
    true,
  ]);
  assertMatch(await send("events", { arguments: '{"a": 1}' }), /^200 Job sent/);
  assertMatch(
    await send("orders.fifo", { arguments: "[1]" }),
    /^400 Not sent: .*groupId/,
  );
  for (let i = 0; i < 2; i++) {
    assertMatch(
      await send("orders.fifo", { arguments: "[1]", group: "a" }),
      /^200 Job sent/,
    );
  }
  assertEquals(
    queues.get("adder").messages.map(({ body, visible }) => [body, visible]),
    [
      ['[[1,"two"],{}]', false],
    ],
  );
  assertEquals(queues.get("events").messages[0]!.body, '{"a":1}');
  assertEquals(queues.get("orders.fifo").messages.length, 2);
});

Deno.test("a second look at a queue is refused while one runs, and a stop ends it", async () => {
  await using _queues = start();
  await put(...upTo(3).map((i) => kept(i)));
  const go = Promise.withResolvers<void>();
  using _calls = replaceCalls({
    receive: async (real, url, options) => {
      await go.promise;
      return await real.receive(url, options);
    },
  });
  const page = await startWeb([FAILURES]);
  const visitor = await Visitor.open(page);
  const first = visitor.post(`${LIST}/look`);
  let { text } = await visitor.get(LIST);
  while (!text.includes(`${LIST}/stop`)) text = (await visitor.get(LIST)).text;
  const second = await visitor.post(`${LIST}/look`);
  assertMatch(second.text, /under way/);
  const stopped = visitor.post(`${LIST}/stop`);
  go.resolve();
  await stopped;
  await first;
  await page[Symbol.asyncDispose]();
});
