/**
 * Counts on the page for operators: how often SQS is asked, and the rates.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { connect } from "node:net";
import { Queue } from "../../producer.ts";
import { SqsError } from "../../src/errors.ts";
import { openQueue } from "../../src/connect/open_queue.ts";
import { EventStreams, type Outgoing } from "../../src/web/streams.ts";
import { History, type Sample } from "../../src/web/history.ts";
import { setUp } from "../../testing.ts";
import { replaceCalls } from "../support/call_faults.ts";
import { startWeb, Visitor } from "../support/visitor.ts";

/** Counts the calls of the page, by operation and queue. */
function countCalls() {
  const counts: Record<string, number> = {};
  const count = (operation: string, url: string) => {
    const key = `${operation} ${url.split("/").at(-1)}`;
    counts[key] = (counts[key] ?? 0) + 1;
  };
  const calls = replaceCalls({
    attributes: (real, url, options) => {
      count("attributes", url);
      return real.attributes(url, options);
    },
    receive: (real, url, options) => {
      count("receive", url);
      return real.receive(url, options);
    },
  });
  return { counts, [Symbol.dispose]: () => calls[Symbol.dispose]() };
}

const REDRIVE = { deadLetterQueue: "adder-dead", maxReceiveCount: 3 };

/** An open page, which is told of changes. */
async function watch(
  { url, cookie }: Visitor,
  topic: string,
): Promise<Disposable & { readonly text: () => string }> {
  const socket = connect(Number(url.port), "127.0.0.1");
  let text = "";
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("data", (data) => {
    text += data;
    if (text.includes("retry:")) resolve();
  });
  socket.on("error", () => {});
  socket.write(
    `GET /events?topic=${topic} HTTP/1.1\r\nHost: ${url.host}\r\nCookie: ${cookie}\r\n\r\n`,
  );
  await promise;
  return {
    text: () => text,
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

Deno.test("SQS is asked once in ten seconds for a queue, whoever looks, and never for messages", async () => {
  await using queues = setUp({
    queues: [{ name: "adder", redrive: REDRIVE }, "adder-dead"],
    silent: true,
  });
  using calls = countCalls();
  await using page = await startWeb(["adder"]);
  await queues.advance(60);
  assertEquals(calls.counts, {});
  const visitors = [await Visitor.open(page), await Visitor.open(page)];
  const paths = ["/", "/queues/adder", "/failed", "/queues/adder-dead/failed"];
  const look = () =>
    Promise.all(
      visitors.flatMap((each) => paths.map((path) => each.get(path))),
    );
  await look();
  await look();
  assertEquals(calls.counts, {
    "attributes adder": 1,
    "attributes adder-dead": 1,
  });
  // Open pages look, too.
  {
    using _a = await watch(visitors[0]!, "counts");
    using _b = await watch(visitors[1]!, "counts");
    await queues.advance(61);
    await look();
    assert(calls.counts["attributes adder"]! <= 7);
    assert(calls.counts["attributes adder"]! >= 5);
  }
  // Until nobody looks any more.
  await new Promise((next) => setTimeout(next, 50));
  const before = { ...calls.counts };
  await queues.advance(3600);
  assertEquals(calls.counts, before);
  assert(Object.keys(before).every((key) => !key.startsWith("receive")));
});

Deno.test("a dead-letter queue that is named itself keeps its list of failed jobs", async () => {
  await using queues = setUp({
    queues: [{ name: "adder", redrive: REDRIVE }, "adder-dead"],
    silent: true,
  });
  await using page = await startWeb(["adder", "adder-dead"]);
  const visitor = await Visitor.open(page);
  for (let i = 0; i < 3; i++) {
    const list = await visitor.get("/queues/adder-dead/failed");
    assertEquals(list.status, 200);
    await queues.advance(11);
  }
});

Deno.test("an open page is told when counts are new", async () => {
  await using queues = setUp({ queues: ["adder"], silent: true });
  await using page = await startWeb(["adder"]);
  const visitor = await Visitor.open(page);
  using stream = await watch(visitor, "counts");
  using others = await watch(visitor, "work");
  await queues.advance(12);
  while (!stream.text().includes("event: update\ndata: ")) {
    await new Promise((next) => setTimeout(next, 5));
  }
  assert(!others.text().includes("update"));
  assert(/content-type: text\/event-stream/i.test(stream.text()));
});

Deno.test("a queue that nobody consumes is told after three minutes", async () => {
  await using queues = setUp({ queues: ["adder"], silent: true });
  const adder = await Queue("adder");
  for (let i = 0; i < 3; i++) await adder(i);
  await using page = await startWeb([{ name: "adder", file: "adder.ini" }]);
  const visitor = await Visitor.open(page);
  const isWarned = async () =>
    (await visitor.get("/")).text.includes("adder.ini");
  assertEquals(await isWarned(), false);
  for (let minute = 1; minute <= 3; minute++) {
    await queues.advance(60);
    assertEquals(await isWarned(), minute === 3);
  }
  await queues.advance(30);
  assertEquals(await isWarned(), true);
  // Somebody takes one.
  const { connection, url } = await openQueue("adder");
  await connection.receive(url, { maxMessages: 1, waitTimeSeconds: 0 });
  await queues.advance(11);
  assertEquals(await isWarned(), false);
  connection.close();
});

Deno.test("counts stay while SQS does not answer, and the page says so", async () => {
  await using queues = setUp({ queues: ["adder"], silent: true });
  let error: SqsError | undefined;
  using _calls = replaceCalls({
    attributes: (real, url, options) =>
      error === undefined
        ? real.attributes(url, options)
        : Promise.reject(error),
  });
  await using page = await startWeb(["adder"]);
  const visitor = await Visitor.open(page);
  await (await Queue("adder"))();
  await queues.advance(11);
  assert(!(await visitor.get("/")).text.includes("Throttl"));
  error = new SqsError("slow <down>", {
    code: "ThrottlingException",
    senderFault: false,
  });
  {
    // Open pages are told.
    using stream = await watch(visitor, "counts");
    const told = async (times: number) => {
      const count = () => stream.text().split("event: update").length - 1;
      for (let i = 0; count() < times && i < 1_000; i++) {
        await new Promise((next) => setTimeout(next, 1));
      }
      assertEquals(count(), times);
    };
    await queues.advance(4);
    await told(1);
    await queues.advance(20);
    await told(2);
  }
  const { text } = await visitor.get("/");
  assertStringIncludes(text, "ThrottlingException");
  assertMatch(text, /Counts from <time/);
  assertStringIncludes(text, ">adder</bdi>");
  assert(!text.includes("<down>"));
  error = new SqsError("no right", { code: "AccessDenied", senderFault: true });
  await queues.advance(11);
  const denied = await visitor.get("/");
  assertEquals(denied.status, 200);
  assertStringIncludes(denied.text, "no right");
  error = undefined;
  await queues.advance(11);
  const again = (await visitor.get("/")).text;
  assert(!/Counts from|no right|ThrottlingException/.test(again));
});

Deno.test("a reader that is too slow is dropped, and others are not", () => {
  const outgoing = (isSlow: boolean) => {
    const stream = { text: "", writableLength: 0, isDestroyed: false };
    return Object.assign(stream, {
      writeHead() {},
      on() {},
      write(text: string) {
        stream.text += text;
        if (isSlow) stream.writableLength += text.length;
        return !isSlow;
      },
      destroy: () => void (stream.isDestroyed = true),
    });
  };
  let now = 0;
  const timers: (() => void)[] = [];
  const clock = {
    now: () => now,
    timer(_ms: number, callback: () => void) {
      timers.push(callback);
      return () => {};
    },
  };
  let changes = 0;
  using streams = new EventStreams(clock, () => changes++);
  const [slow, fast] = [outgoing(true), outgoing(false)];
  for (const each of [slow, fast]) {
    streams.open(each as unknown as Outgoing, "counts", {});
  }
  for (; now < 3_600_000; now += 1_000) {
    streams.announce("counts", "work");
    streams.announce("counts");
    timers.splice(0).forEach((each) => each());
  }
  assertEquals([slow.isDestroyed, fast.isDestroyed], [true, false]);
  assert(slow.text.length < 20_000);
  assert(fast.text.split("event: update").length <= 7_201);
  assertEquals(changes, 3);
});

/** Samples every ten seconds. */
function samples(
  count: number,
  of: (i: number) => Partial<Sample>,
): Sample[] {
  return Array.from({ length: count }, (_, i) => ({
    atMs: i * 10_000,
    visible: 0,
    inFlight: 0,
    delayed: 0,
    work: undefined,
    ...of(i),
  }));
}

function historyOf(all: readonly Sample[]): History {
  const history = new History();
  for (const sample of all) history.add(sample);
  return history;
}

Deno.test("completions come from known containers, and other queues have a net change", () => {
  const net = historyOf(samples(7, (i) => ({ visible: 10 * i })));
  assertEquals(net.rates, { kind: "net", changePerMinute: 60 });
  assertEquals(net.lastHour(60_000).at(-1)!.completed, undefined);
  // Six a minute come, twelve are done.
  const known = historyOf(samples(7, (i) => ({
    visible: 100 - i,
    work: { done: 2 * i, removed: 2 * i },
  })));
  assertEquals(known.rates, {
    kind: "known",
    arrivalsPerMinute: 6,
    completionsPerMinute: 12,
  });
  const { arrived, completed } = known.lastHour(60_000).at(-1)!;
  assertEquals([arrived, completed], [1, 2]);
  assertEquals(historyOf(samples(1, () => ({}))).rates, undefined);
});

Deno.test("history is bounded, and covers the last hour and the whole time", () => {
  const week = 7 * 24 * 360;
  const history = historyOf(samples(week, (i) => ({ visible: i })));
  const now = week * 10_000;
  const hour = history.lastHour(now);
  assertEquals([hour.length, hour.at(-1)!.visible], [360, week - 1]);
  const whole = history.whole();
  assert(whole.length > 300 && whole.length <= 720);
  assertEquals([whole[0]!.visible, whole.at(-1)!.visible], [0, week - 1]);
});

Deno.test("a falling queue, one in flight and an empty one have a consumer, or need none", () => {
  const seen = (of: (i: number) => Partial<Sample>) =>
    historyOf(samples(30, of)).unconsumedSinceMs;
  assertEquals(seen(() => ({ visible: 5 })), 0);
  assertEquals(seen((i) => ({ visible: 5 + i })), 0);
  assertEquals(seen(() => ({ visible: 0 })), undefined);
  assertEquals(seen(() => ({ visible: undefined })), undefined);
  assertEquals(seen(() => ({ visible: 5, inFlight: 1 })), undefined);
  assertEquals(seen((i) => ({ visible: 100 - i })), undefined);
  // The last fall is 90 s ago.
  assertEquals(seen((i) => ({ visible: i < 20 ? 9 : 5 })), undefined);
  assertEquals(seen((i) => ({ visible: i < 5 ? 9 : 5 })), 50_000);
  // SQS's counts of large queues waver.
  assertEquals(seen((i) => ({ visible: 10_000 - i % 2 })), 0);
});
