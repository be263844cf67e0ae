/**
 * Sends that are made at the same time travel together.
 *
 * @module
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Clock, systemClock } from "../../src/clock.ts";
import { VirtualClock } from "../../src/double/virtual_clock.ts";
import type {
  Connection,
  EntryResult,
  OutgoingMessage,
  Sent,
} from "../../src/sqs/connection.ts";
import { Sender } from "../../src/sending/sender.ts";
import { SendError, SqsError } from "../../src/errors.ts";

type Answer = (
  messages: readonly OutgoingMessage[],
) => EntryResult<Sent>[] | Promise<EntryResult<Sent>[]>;

/** A sender whose requests a test sees and answers. */
function open(
  answer: Answer = accept,
  name = "adder",
  clock: Clock = systemClock,
) {
  const requests: string[][] = [];
  const connection = {
    region: "us-east-1",
    send(_url: string, messages: readonly OutgoingMessage[]) {
      requests.push(messages.map(({ body }) => body));
      return Promise.resolve(messages).then(answer);
    },
    close() {},
  } as unknown as Connection;
  const sender = new Sender({
    ref: { text: name, name, fifo: name.endsWith(".fifo") },
    url: `https://sqs.us-east-1.amazonaws.com/000000000000/${name}`,
    connection,
    clock,
    random: Math.random,
  }, { body: "job", encoding: "json" });
  return { sender, requests };
}

function accept(messages: readonly OutgoingMessage[]): EntryResult<Sent>[] {
  return messages.map(({ body }) => ({ ok: true, value: { messageId: body } }));
}

const body = (i: number) => `[[${i}],{}]`;

function failure(senderFault: boolean): EntryResult<never> {
  const code = senderFault ? "InvalidParameterValue" : "InternalError";
  return { ok: false, failure: { code, message: "no", senderFault } };
}

/** What nobody handles until it is disposed, instead of ending the tests. */
function unhandledRejections() {
  const reasons: unknown[] = [];
  const { promise: first, resolve } = Promise.withResolvers<unknown>();
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    reasons.push(event.reason);
    resolve(event.reason);
  };
  addEventListener("unhandledrejection", onRejection);
  return {
    reasons,
    first,
    [Symbol.dispose]: () =>
      removeEventListener("unhandledrejection", onRejection),
  };
}

Deno.test("Queue() called 1,000 times at once makes 100 requests", async () => {
  const { sender, requests } = open();
  const results = await Promise.all(
    Array.from({ length: 1000 }, (_, i) => sender.send([i])),
  );
  assertEquals(
    results.map(({ messageId }) => messageId),
    [
      ...Array(1000).keys(),
    ].map(body),
  );
  assertEquals(requests.length, 100);
  assertEquals(requests.flat(), [...Array(1000).keys()].map(body));
});

Deno.test("Queue() takes a burst of any size", async () => {
  const { sender, requests } = open();
  await Promise.all(Array.from({ length: 130_000 }, () => sender.send([0])));
  assertEquals(requests.length, 13_000);
});

Deno.test("Queue#close() ends where a server does not answer for entries", async () => {
  const { sender } = open(() => []);
  const sending = [sender.send([1]), sender.send([2])];
  const results = await Promise.allSettled(sending);
  assertEquals(results.map(({ status }) => status), ["rejected", "rejected"]);
  await sender.close();
});

Deno.test("Queue() shows the failure of a send that nobody awaits", async () => {
  const { sender } = open((messages) => messages.map(() => failure(true)));
  using unhandled = unhandledRejections();
  sender.send([1]);
  assert(await unhandled.first instanceof SendError);
});

Deno.test("Queue#close() shows the failure of a send that nobody awaits", async () => {
  const { sender } = open((messages) => messages.map(() => failure(true)));
  using unhandled = unhandledRejections();
  sender.send([1]);
  const awaited = sender.send([2]).catch((error) => error);
  await sender.close();
  assertEquals(unhandled.reasons.length, 1);
  assert(unhandled.reasons[0] instanceof SendError);
  assert(await awaited instanceof SendError);
});

Deno.test("Queue() sends a lone job at once", async () => {
  const { sender, requests } = open();
  await sender.send([1]);
  await sender.send([2]);
  assertEquals(requests, [[body(1)], [body(2)]]);
});

Deno.test("Queue() puts at most 1 MiB in a request", async () => {
  const { sender, requests } = open();
  const half = "x".repeat(500_000);
  await Promise.all([1, 2, 3].map(() => sender.send([half])));
  assertEquals(requests.map((each) => each.length), [2, 1]);
});

Deno.test("Queue() rejects the job whose entry failed, and no other", async () => {
  const { sender } = open((messages) =>
    messages.map((message) =>
      message.body === body(3) ? failure(true) : accept([message])[0]!
    )
  );
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) => sender.send([i])),
  );
  assertEquals(
    results.map(({ status }) => status === "rejected"),
    Array.from({ length: 10 }, (_, i) => i === 3),
  );
  const { reason } = results[3] as PromiseRejectedResult;
  assert(reason instanceof SendError);
  assertEquals([reason.code, reason.senderFault], [
    "InvalidParameterValue",
    true,
  ]);
});

Deno.test("Queue() sends an entry alone again that failed on SQS's side", async () => {
  let first = true;
  const { sender, requests } = open((messages) => {
    const results = accept(messages);
    if (first) results[4] = failure(false);
    first = false;
    return results;
  });
  await Promise.all(Array.from({ length: 10 }, (_, i) => sender.send([i])));
  assertEquals(requests.slice(1), [[body(4)]]);
});

Deno.test("Queue() retries without a pause on a clock that nobody moves", async () => {
  let tries = 0;
  const clock = new VirtualClock(0);
  const { sender } = open(
    (messages) => ++tries < 4 ? [failure(false)] : accept(messages),
    "adder",
    clock,
  );
  await sender.send([1]);
  assertEquals([tries, clock.next], [4, Infinity]);
});

Deno.test("Queue() pauses before the second and third retry", async () => {
  const pauses: number[] = [];
  const clock: Clock = {
    now: () => 0,
    timer(ms, callback) {
      pauses.push(ms);
      queueMicrotask(callback);
      return () => {};
    },
  };
  const { sender } = open(() => [failure(false)], "adder", clock);
  await assertRejects(() => sender.send([1]), SendError);
  assertEquals(pauses, [100, 200]);
});

Deno.test("Queue() finds the bad job of a request that was refused whole", async () => {
  const { sender } = open((messages) => {
    if (messages.some((message) => message.body === body(1))) {
      throw new SqsError("bad characters", {
        code: "InvalidMessageContents",
        senderFault: true,
      });
    }
    return accept(messages);
  });
  const results = await Promise.allSettled(
    [0, 1, 2].map((i) => sender.send([i])),
  );
  assertEquals(results.map(({ status }) => status), [
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
});

Deno.test("Queue#close() waits until all that was accepted is settled", async () => {
  const { promise: hold, resolve: go } = Promise.withResolvers<void>();
  const { sender } = open(async (messages) => {
    await hold;
    return accept(messages);
  });
  const sending = sender.send([1]);
  const order: string[] = [];
  const closing = sender.close().then(() => order.push("closed"));
  sending.then(() => order.push("sent"));
  await assertRejects(() => sender.send([2]), TypeError, "is closed");
  go();
  await closing;
  assertEquals(order, ["sent", "closed"]);
});

Deno.test("Queue() has one request of a FIFO group in flight, in order", async () => {
  const inFlight = new Set<string>();
  const { sender, requests } = open(async (messages) => {
    const groups = new Set(messages.map(({ groupId }) => groupId!));
    for (const group of groups) {
      assert(!inFlight.has(group), `two requests of ${group}`);
      inFlight.add(group);
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
    for (const group of groups) inFlight.delete(group);
    return accept(messages);
  }, "adder.fifo");
  await Promise.all(
    Array.from(
      { length: 60 },
      (_, i) => sender.send([i], { groupId: `g${i % 3}` }),
    ),
  );
  for (const rest of [0, 1, 2]) {
    const order = requests.flat().map((text) => JSON.parse(text)[0][0])
      .filter((i) => i % 3 === rest);
    assertEquals(order, order.toSorted((a, b) => a - b));
  }
});

Deno.test("Queue() does not send a job late that a later one of its group overtook", async () => {
  let first = true;
  const { sender, requests } = open((messages) => {
    const results = accept(messages);
    // Of group a the second fails and the third is accepted; of b the last.
    if (first) results[1] = results[5] = failure(false);
    first = false;
    return results;
  }, "adder.fifo");
  const results = await Promise.allSettled(
    ["a", "a", "a", "b", "b", "b"].map((groupId, i) =>
      sender.send([i], { groupId })
    ),
  );
  assertEquals(requests.slice(1), [[body(5)]]);
  const rejected = results.map((result) =>
    result.status === "rejected" ? String(result.reason.message) : ""
  );
  assertEquals(rejected.map((text) => text !== ""), [
    false,
    true,
    false,
    false,
    false,
    false,
  ]);
  assert(rejected[1]!.includes("SQS accepted a later job of its group"));
});

Deno.test("Queue#sendAll() fills requests, and never reads far ahead", async () => {
  const { sender, requests } = open();
  let read = 0;
  let most = 0;
  let settled = 0;
  function* jobs() {
    for (; read < 10_000; read++) {
      most = Math.max(most, read - settled);
      yield [read];
    }
  }
  const summary = await sender.sendAll(jobs(), {
    onResult: ({ index }) => assertEquals(index, settled++),
  });
  assertEquals(summary, { sent: 10_000, failed: 0 });
  assert(requests.length <= 1100, `${requests.length} requests`);
  assert(most <= 200, `${most} jobs read ahead`);
});
