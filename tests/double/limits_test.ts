/**
 * SQS's limits on the testing double: messages in flight, and calls to a FIFO
 * queue; and the long polls that wait at them.
 *
 * @module
 */

import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DoubleConnection } from "../../src/double/connection.ts";
import { TestServer } from "../../src/double/server.ts";
import type { TestQueueOptions } from "../../src/double/queue_settings.ts";
import { VirtualClock } from "../../src/double/virtual_clock.ts";
import { SqsError } from "../../src/errors.ts";
import { setUp } from "../../testing.ts";
import { turn } from "../support/turn.ts";

/** A queue of the double, its connection, and its clock. */
class Rig {
  readonly clock = new VirtualClock(0);
  readonly connection: DoubleConnection;
  readonly url: string;

  constructor(options: TestQueueOptions) {
    const server = new TestServer(this.clock, { queues: [options] });
    this.connection = new DoubleConnection(server, "us-east-1");
    this.url = server.queues.get(options.name)!.url;
  }

  async send(count: number, delaySeconds?: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await this.connection.send(this.url, [{
        body: `[[${i}],{}]`,
        attributes: {},
        ...(this.url.endsWith(".fifo")
          ? { groupId: `${i}`, deduplicationId: `${i}` }
          : {}),
        ...(delaySeconds === undefined ? {} : { delaySeconds }),
      }]);
    }
  }

  async receive(waitTimeSeconds = 0, signal?: AbortSignal): Promise<string[]> {
    const messages = await this.connection.receive(this.url, {
      maxMessages: 10,
      waitTimeSeconds,
      ...(signal && { signal }),
    });
    return messages.map(({ receiptHandle }) => receiptHandle);
  }

  async advance(seconds: number): Promise<void> {
    await this.clock.advance(seconds * 1000, turn);
  }
}

/** The code with which a call is refused. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => call, SqsError)).code;
}

Deno.test("a standard queue refuses a short poll at its limit of messages in flight", async () => {
  const rig = new Rig({ name: "adder", maxInFlight: 3 });
  await rig.send(5);
  const first = await rig.receive();
  assertEquals(first.length, 3);
  assertEquals(await codeOf(rig.receive()), "OverLimit");
  await rig.connection.delete(rig.url, first.slice(0, 1));
  assertEquals((await rig.receive()).length, 1);
  // What becomes visible again is in flight no more.
  await rig.connection.changeVisibility(rig.url, [
    { receiptHandle: first[1]!, visibilityTimeoutSeconds: 0 },
  ]);
  assertEquals((await rig.receive()).length, 1);
  assertEquals(await codeOf(rig.receive()), "OverLimit");
  await rig.advance(30);
  assertEquals((await rig.receive()).length, 3);
});

Deno.test("a long poll at the limit waits until a message leaves", async () => {
  const rig = new Rig({ name: "adder", maxInFlight: 2 });
  await rig.send(3);
  const [first] = await rig.receive();
  const poll = rig.receive(20);
  await rig.advance(5);
  await rig.connection.delete(rig.url, [first!]);
  assertEquals((await poll).length, 1);
  // Nothing leaves: the poll ends with its time.
  const empty = rig.receive(20);
  await rig.advance(20);
  assertEquals(await empty, []);
});

Deno.test("a FIFO queue gives nothing at the limit, and says nothing", async () => {
  const rig = new Rig({ name: "adder.fifo", maxInFlight: 2 });
  await rig.send(3);
  assertEquals((await rig.receive()).length, 2);
  assertEquals(await rig.receive(), []);
});

Deno.test("delayed messages are not in flight", async () => {
  const rig = new Rig({ name: "adder", maxInFlight: 1 });
  await rig.send(3, 60);
  await rig.send(1);
  assertEquals((await rig.receive()).length, 1);
});

Deno.test("a message wakes the long poll that waits longest, and no other", async () => {
  const rig = new Rig({ name: "adder" });
  const answered: number[] = [];
  const gone = new AbortController();
  const dropped = rig.receive(20, gone.signal).catch(() => answered.push(0));
  const polls = [1, 2, 3].map(async (name) => {
    const { length } = await rig.receive(20);
    if (length > 0) answered.push(name);
  });
  await rig.advance(1);
  // Dropped in the turn in which it is woken, the first one passes it on.
  const sent = rig.send(1);
  gone.abort();
  await sent;
  await turn();
  assertEquals(answered.toSorted(), [0, 1]);
  await rig.send(1, 3);
  await rig.advance(2);
  assertEquals(answered.length, 2);
  await rig.advance(1);
  assertEquals(answered.slice(2), [2]);
  await rig.advance(20);
  await Promise.all([...polls, dropped]);
});

Deno.test("a FIFO queue refuses the calls of an action beyond its limit", async () => {
  const rig = new Rig({ name: "adder.fifo", maxCallsPerSecond: 3 });
  await rig.send(3);
  assertEquals(await codeOf(rig.send(1)), "ThrottlingException");
  // Each action has its own limit.
  const handles = await rig.receive();
  assertEquals(handles.length, 3);
  const [first] = handles;
  await rig.connection.delete(rig.url, [first!]);
  // A third of a second earns one call, and no pause earns more than a second.
  await rig.advance(0.34);
  await rig.send(1);
  assertEquals(await codeOf(rig.send(1)), "ThrottlingException");
  await rig.advance(60);
  await rig.send(3);
  assertEquals(await codeOf(rig.send(1)), "ThrottlingException");
});

Deno.test("setUp() checks the limits of a queue", () => {
  const bad: [TestQueueOptions, new () => Error, string][] = [
    [{ name: "a", maxInFlight: 0 }, RangeError, "from 1 to 120000"],
    [{ name: "a", maxInFlight: 120_001 }, RangeError, "from 1 to 120000"],
    [{ name: "a.fifo", maxCallsPerSecond: 0 }, RangeError, "1 or more"],
    [{ name: "a", maxCallsPerSecond: 300 }, TypeError, "for FIFO queues"],
  ];
  for (const [queue, kind, text] of bad) {
    assertThrows(() => setUp({ silent: true, queues: [queue] }), kind, text);
  }
});
