/**
 * What waits to be sent is held until it is sent or given up, and no longer.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { systemClock } from "../../src/clock.ts";
import type {
  EntryResult,
  OutgoingMessage,
  SendConnection,
  Sent,
} from "../../src/sqs/connection.ts";
import { SendQueue } from "../../src/sending/send_queue.ts";
import { turn } from "../support/turn.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Counts objects that are still held by something else. */
class Held {
  readonly #refs: WeakRef<object>[] = [];

  add<T extends object>(value: T): T {
    this.#refs.push(new WeakRef(value));
    return value;
  }

  /** A message group that can be counted, as a string cannot. */
  group(name: string): string {
    const object = Object(name);
    this.add(object);
    return object;
  }

  async count(): Promise<number> {
    // A WeakRef holds its object until the end of the turn that looked at it.
    await turn();
    collectGarbage();
    return this.#refs.filter((ref) => ref.deref() !== undefined).length;
  }
}

/** The body of a message that is not answered before the gate opens. */
const WAITING = "[[],{}]";

/** A queue that takes all messages, the waiting ones once the gate is open. */
function open(fifo: boolean) {
  const { promise: gate, resolve: openGate } = Promise.withResolvers<void>();
  const connection: SendConnection = {
    async send(_url, messages): Promise<EntryResult<Sent>[]> {
      const { length } = messages;
      if (messages[0]!.body === WAITING) await gate;
      return Array.from(
        { length },
        () => ({ ok: true, value: { messageId: "1" } }),
      );
    },
  };
  const queue = new SendQueue({
    ref: { text: "adder", name: "adder", fifo },
    url: "https://localhost/adder",
    connection,
    clock: systemClock,
  });
  return { queue, openGate };
}

function message(more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  return { body: "[[1],{}]", attributes: {}, ...more };
}

for (const fifo of [false, true]) {
  const what = fifo ? "a FIFO queue" : "a standard queue";
  const add = (queue: SendQueue, count: number) =>
    Array.from(
      { length: count },
      () => queue.send(message({ groupId: "a", body: WAITING })),
    );

  Deno.test(`SendQueue of ${what} holds nothing that was sent`, async () => {
    const { queue, openGate } = open(fifo);
    const held = new Held();
    const sent = Array.from(
      { length: 150 },
      () => queue.send(held.add(message({ groupId: "a" }))),
    );
    const waiting = add(queue, 200);
    await Promise.all(sent);
    assertEquals(await held.count(), 0);
    openGate();
    await Promise.all(waiting);
  });

  Deno.test(`SendQueue of ${what} holds nothing that was aborted behind others`, async () => {
    const { queue, openGate } = open(fifo);
    const held = new Held();
    const controller = new AbortController();
    const before = add(queue, 200);
    const aborted = Array.from(
      { length: 30 },
      () =>
        queue.send(held.add(message({ groupId: "a" })), controller.signal)
          .catch(() => {}),
    );
    const after = add(queue, 10);
    await turn();
    controller.abort();
    await Promise.all(aborted);
    assertEquals(await held.count(), 0);
    openGate();
    await Promise.all([...before, ...after]);
  });
}

Deno.test("SendQueue of a FIFO queue holds no group whose jobs were sent or aborted", async () => {
  const { queue } = open(true);
  const held = new Held();
  for (let i = 0; i < 30; i++) {
    const controller = new AbortController();
    const aborted = queue.send(
      held.add(message({ groupId: held.group(`aborted ${i}`) })),
      controller.signal,
    ).catch(() => {});
    controller.abort();
    await aborted;
    await queue.send(
      held.add(message({ groupId: held.group(`sent ${i}`) })),
    );
  }
  assertEquals(await held.count(), 0);
});
