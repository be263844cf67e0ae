/**
 * How SQS behaves, by AWS's documentation, as a connection shows it. Each
 * behaviour makes its own queues and waits by long polls only. So it runs on the
 * double and on any server, at the same time as the others.
 *
 * No behaviour depends on a fast machine. A message may come later than it
 * should, but never earlier. If a call must be made while a message is hidden,
 * the message stays hidden for 5 seconds or more.
 *
 * @module
 */

import { SqsError } from "../../src/errors.ts";
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import type {
  Connection,
  EntryResult,
  OutgoingMessage,
  ReceivedMessage,
  ReceiveOptions,
  Sent,
} from "../../src/sqs/connection.ts";

/** A queue to make. SQS's defaults apply. */
export interface QueueToMake {
  readonly fifo?: boolean;
  readonly visibilityTimeoutSeconds?: number;
  readonly delaySeconds?: number;
  readonly maximumMessageSize?: number;
  /** `true` where it is left out. */
  readonly contentBasedDeduplication?: boolean;
  /** Makes a dead-letter queue too. */
  readonly maxReceiveCount?: number;
}

/** A server under test. */
export interface BehaviourServer {
  readonly connection: Connection;
  /** Milliseconds from any start, by the server's clock. */
  now(): number;
  /** Makes a queue with a new name, and its dead-letter queue. */
  makeQueue(
    options: QueueToMake,
  ): Promise<{ url: string; deadLetterUrl: string }>;
}

/** One behaviour that AWS documents. */
export interface Behaviour {
  readonly name: string;
  check(server: BehaviourServer): Promise<void>;
}

/** How early a server's timer may ring. */
const EARLY_MS = 20;

/** A queue under observation. */
class Subject {
  readonly connection: Connection;
  readonly url: string;
  readonly dead: () => Subject;
  readonly #now: () => number;

  private constructor(server: BehaviourServer, url: string, dead: string) {
    this.connection = server.connection;
    this.url = url;
    this.dead = () => new Subject(server, dead, dead);
    this.#now = () => server.now();
  }

  static async make(
    server: BehaviourServer,
    options: QueueToMake = {},
  ): Promise<Subject> {
    const { url, deadLetterUrl } = await server.makeQueue(options);
    return new Subject(server, url, deadLetterUrl);
  }

  /** Hides a message, and receives it no earlier than after so many seconds. */
  async oneAfter(
    seconds: number,
    hide: () => Promise<unknown>,
  ): Promise<ReceivedMessage> {
    const startMs = this.#now();
    await hide();
    const message = await this.one();
    const passedMs = this.#now() - startMs;
    assert(
      passedMs >= seconds * 1000 - EARLY_MS,
      `it came after ${passedMs} ms already`,
    );
    return message;
  }

  async try(
    body: string,
    options: Partial<OutgoingMessage> = {},
  ): Promise<EntryResult<Sent>> {
    const [result] = await this.connection.send(this.url, [
      { body, attributes: {}, ...options },
    ]);
    return result!;
  }

  async send(
    body: string,
    options: Partial<OutgoingMessage> = {},
  ): Promise<Sent> {
    const result = await this.try(body, options);
    assert(result.ok, `"${body}" is refused: ${codeOf(result)}`);
    return result.value;
  }

  receive(options: Partial<ReceiveOptions> = {}): Promise<ReceivedMessage[]> {
    return this.connection.receive(this.url, {
      maxMessages: 10,
      waitTimeSeconds: 0,
      ...options,
    });
  }

  /** One message, for which it waits. */
  async one(options: Partial<ReceiveOptions> = {}): Promise<ReceivedMessage> {
    const [message] = await this.receive({
      maxMessages: 1,
      waitTimeSeconds: 20,
      ...options,
    });
    assert(message !== undefined, "no message came");
    return message;
  }

  /** The bodies of one receive. */
  async bodies(options: Partial<ReceiveOptions> = {}): Promise<string[]> {
    return (await this.receive(options)).map(({ body }) => body);
  }

  async delete({ receiptHandle }: ReceivedMessage): Promise<string> {
    const [result] = await this.connection.delete(this.url, [receiptHandle]);
    return codeOf(result!);
  }

  async hide(
    { receiptHandle }: ReceivedMessage,
    visibilityTimeoutSeconds: number,
  ): Promise<string> {
    const [result] = await this.connection.changeVisibility(this.url, [
      { receiptHandle, visibilityTimeoutSeconds },
    ]);
    return codeOf(result!);
  }
}

/** `ok`, or the code of the refusal. */
function codeOf(result: EntryResult): string {
  return result.ok ? "ok" : result.failure.code;
}

/** The code with which SQS refuses a call and blames the sender, or `ok`. */
async function refusalOf(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
  } catch (error) {
    if (error instanceof SqsError && error.senderFault) {
      return error.code;
    }
    throw error;
  }
  return "ok";
}

/** Whether a message is refused for the sender's fault, alone or as a call. */
async function isRefused(
  queue: Subject,
  body: string,
  options: Partial<OutgoingMessage> = {},
): Promise<boolean> {
  let refused = false;
  const call = async () => {
    const result = await queue.try(body, options);
    refused = !result.ok && result.failure.senderFault;
  };
  return await refusalOf(call) !== "ok" || refused;
}

const text = (value: string) => ({ type: "String", value });

/** All behaviours. */
export const behaviours: readonly Behaviour[] = [
  {
    name: "a received message is hidden until its visibility timeout ends",
    async check(server) {
      const queue = await Subject.make(server, { visibilityTimeoutSeconds: 1 });
      const { messageId } = await queue.send("a");
      let first: ReceivedMessage | undefined;
      const again = await queue.oneAfter(1, async () => {
        first = await queue.one();
      });
      assertEquals([first!.messageId, first!.receiveCount], [messageId, 1]);
      assertEquals(
        [again.messageId, again.body, again.receiveCount],
        [messageId, "a", 2],
      );
      assertNotEquals(again.receiptHandle, first!.receiptHandle);
      assertEquals(again.sentAtMs, first!.sentAtMs);
    },
  },
  {
    name: "a receive may ask for another visibility timeout",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a");
      const again = await queue.oneAfter(
        1,
        () => queue.one({ visibilityTimeoutSeconds: 1 }),
      );
      assertEquals(again.receiveCount, 2);
    },
  },
  {
    name: "a change of visibility counts from now on",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a");
      const message = await queue.one();
      // Time passes, so that an end counted from the receive is too early.
      assertEquals(await queue.bodies({ waitTimeSeconds: 1 }), []);
      const again = await queue.oneAfter(2, async () => {
        assertEquals(await queue.hide(message, 2), "ok");
      });
      assertEquals(again.receiveCount, 2);
    },
  },
  {
    name: "a visibility of 0 shows a message at once",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a");
      assertEquals(await queue.hide(await queue.one(), 0), "ok");
      assertEquals((await queue.one()).receiveCount, 2);
    },
  },
  {
    name: "a message is hidden for 12 hours after its receive at most",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a");
      const message = await queue.one();
      assertEquals(await queue.receive({ waitTimeSeconds: 1 }), []);
      assertEquals(await queue.hide(message, 43_200), "InvalidParameterValue");
      assertEquals(await queue.hide(message, 43_000), "ok");
    },
  },
  {
    name: "a message that is visible again has no visibility to change",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a");
      const message = await queue.one();
      assertEquals(await queue.hide(message, 0), "ok");
      assertEquals(await queue.hide(message, 10), "MessageNotInflight");
    },
  },
  {
    name: "a delete is for good, and may be made again",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a");
      const message = await queue.one({ visibilityTimeoutSeconds: 10 });
      assertEquals(await queue.delete(message), "ok");
      assertEquals(await queue.bodies({ waitTimeSeconds: 11 }), []);
      assertEquals(await queue.delete(message), "ok");
    },
  },
  {
    name: "a standard queue deletes by the last receipt handle, late too",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a");
      const message = await queue.one();
      assertEquals(await queue.hide(message, 0), "ok");
      assertEquals(await queue.delete(message), "ok");
      assertEquals(await queue.bodies({ waitTimeSeconds: 1 }), []);
    },
  },
  {
    // Whether it deletes the message is left open.
    name: "a standard queue takes a delete by an older receipt handle",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a");
      const old = await queue.one({ visibilityTimeoutSeconds: 1 });
      const last = await queue.one();
      assertEquals(await queue.delete(old), "ok");
      assertEquals(await queue.delete(last), "ok");
      assertEquals(await queue.bodies({ waitTimeSeconds: 1 }), []);
    },
  },
  {
    name: "an older receipt handle shows no message that others hold",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a");
      const old = await queue.one();
      assertEquals(await queue.hide(old, 0), "ok");
      assertEquals((await queue.one()).receiveCount, 2);
      // Whether it is refused is left open.
      await queue.hide(old, 0);
      assertEquals(await queue.bodies({ waitTimeSeconds: 1 }), []);
    },
  },
  {
    name: "a FIFO queue refuses a delete by an expired receipt handle",
    async check(server) {
      const queue = await Subject.make(server, { fifo: true });
      await queue.send("a", { groupId: "g" });
      const old = await queue.one({ visibilityTimeoutSeconds: 1 });
      const last = await queue.one();
      assertNotEquals(await queue.delete(old), "ok");
      assertEquals(await queue.delete(last), "ok");
    },
  },
  {
    name: "a receipt handle that SQS did not give is refused",
    async check(server) {
      const queue = await Subject.make(server);
      const made = { receiptHandle: "made up" } as ReceivedMessage;
      assertEquals(await queue.delete(made), "ReceiptHandleIsInvalid");
      assertEquals(await queue.hide(made, 0), "ReceiptHandleIsInvalid");
    },
  },
  {
    name: "a delayed message comes when its delay ends",
    async check(server) {
      const queue = await Subject.make(server);
      const { body } = await queue.oneAfter(
        1,
        () => queue.send("later", { delaySeconds: 1 }),
      );
      assertEquals(body, "later");
    },
  },
  {
    name: "a queue's delay is for messages without a delay",
    async check(server) {
      const late = await Subject.make(server, { delaySeconds: 900 });
      await late.send("later");
      await late.send("now", { delaySeconds: 0 });
      assertEquals((await late.one()).body, "now");
      const soon = await Subject.make(server, { delaySeconds: 1 });
      await soon.oneAfter(1, () => soon.send("soon"));
    },
  },
  {
    name: "a delay is at most 900 seconds",
    async check(server) {
      const queue = await Subject.make(server);
      assert(await isRefused(queue, "a", { delaySeconds: 901 }));
      await queue.send("a", { delaySeconds: 900 });
    },
  },
  {
    name: "a FIFO queue takes no delay for one message",
    async check(server) {
      const queue = await Subject.make(server, { fifo: true });
      const options = { groupId: "g", delaySeconds: 5 };
      assert(await isRefused(queue, "a", options));
    },
  },
  {
    name: "a FIFO queue's delay holds nothing up that was sent before",
    async check(server) {
      const queue = await Subject.make(server, {
        fifo: true,
        delaySeconds: 12,
      });
      await queue.send("a", { groupId: "g" });
      assertEquals(await queue.bodies({ waitTimeSeconds: 5 }), []);
      await queue.send("b", { groupId: "g" });
      assertEquals(await queue.bodies({ waitTimeSeconds: 20 }), ["a"]);
    },
  },
  {
    name: "a receive brings several messages of a FIFO group, in order",
    async check(server) {
      const queue = await Subject.make(server, { fifo: true });
      for (const body of ["a1", "b1", "a2", "a3"]) {
        await queue.send(body, { groupId: body[0]! });
      }
      const received = await queue.receive();
      assertEquals(
        received.map(({ body }) => body).filter((body) => body[0] === "a"),
        ["a1", "a2", "a3"],
      );
      assertEquals(received[0]!.groupId, received[0]!.body[0]);
    },
  },
  {
    name: "a FIFO group gives nothing while one of its messages is in flight",
    async check(server) {
      const queue = await Subject.make(server, { fifo: true });
      await queue.send("a1", { groupId: "a" });
      const first = await queue.one();
      await queue.send("a2", { groupId: "a" });
      await queue.send("b1", { groupId: "b" });
      assertEquals(await queue.bodies(), ["b1"]);
      assertEquals(await queue.bodies(), []);
      assertEquals(await queue.delete(first), "ok");
      assertEquals((await queue.one()).body, "a2");
    },
  },
  {
    name:
      "a FIFO message that is released comes before later messages of its group",
    async check(server) {
      const queue = await Subject.make(server, { fifo: true });
      for (const body of ["a1", "a2"]) await queue.send(body, { groupId: "a" });
      assertEquals(await queue.hide(await queue.one(), 0), "ok");
      const again = await queue.one();
      assertEquals([again.body, again.receiveCount], ["a1", 2]);
    },
  },
  {
    name: "a FIFO queue numbers its messages",
    async check(server) {
      const queue = await Subject.make(server, { fifo: true });
      const first = await queue.send("a", { groupId: "a" });
      const second = await queue.send("b", { groupId: "b" });
      assert(BigInt(first.sequenceNumber!) < BigInt(second.sequenceNumber!));
    },
  },
  {
    name: "a deduplication id is delivered once, though it was deleted",
    async check(server) {
      const queue = await Subject.make(server, { fifo: true });
      const options = { groupId: "g", deduplicationId: "d" };
      await queue.send("a", options);
      const message = await queue.one();
      assertEquals(message.deduplicationId, "d");
      assertEquals(await queue.delete(message), "ok");
      await queue.send("b", options);
      await queue.send("c", { groupId: "other", deduplicationId: "d" });
      assertEquals(await queue.bodies({ waitTimeSeconds: 1 }), []);
    },
  },
  {
    name: "content-based deduplication takes equal bodies for one",
    async check(server) {
      const queue = await Subject.make(server, { fifo: true });
      await queue.send("a", { groupId: "g" });
      await queue.send("a", { groupId: "g", attributes: { a: text("b") } });
      await queue.send("b", { groupId: "g" });
      const bodies = [await queue.one(), await queue.receive()].flat();
      assertEquals(bodies.map(({ body }) => body).includes("a"), true);
      for (const message of bodies) await queue.delete(message);
      const rest = await queue.bodies({ waitTimeSeconds: 1 });
      assertEquals(
        [...bodies.map(({ body }) => body), ...rest].sort(),
        ["a", "b"],
      );
    },
  },
  {
    name: "a FIFO queue wants a group, and a deduplication id or its own",
    async check(server) {
      const queue = await Subject.make(server, {
        fifo: true,
        contentBasedDeduplication: false,
      });
      assert(await isRefused(queue, "a", { deduplicationId: "d" }));
      assert(await isRefused(queue, "a", { groupId: "g" }));
      await queue.send("a", { groupId: "g", deduplicationId: "d" });
    },
  },
  {
    name: "a FIFO receive with the same attempt id brings the same messages",
    async check(server) {
      const queue = await Subject.make(server, { fifo: true });
      await queue.send("a", { groupId: "g" });
      const attemptId = crypto.randomUUID();
      const [first] = await queue.receive({ attemptId });
      assertEquals(await queue.receive({ attemptId: crypto.randomUUID() }), []);
      const [again] = await queue.receive({ attemptId });
      assertEquals(
        [again?.messageId, again?.receiptHandle],
        [first!.messageId, first!.receiptHandle],
      );
    },
  },
  ...[false, true].map((fifo) => ({
    name: `a ${
      fifo ? "FIFO" : "standard"
    } queue moves a message received too often`,
    async check(server: BehaviourServer) {
      const queue = await Subject.make(server, { fifo, maxReceiveCount: 2 });
      const { messageId } = await queue.send("a", {
        ...(fifo ? { groupId: "g" } : {}),
        attributes: { a: text("b") },
      });
      const first = await queue.one({ visibilityTimeoutSeconds: 1 });
      const second = await queue.one();
      assertEquals(second.receiveCount, 2);
      assertEquals(await queue.hide(second, 0), "ok");
      assertEquals(await queue.bodies({ waitTimeSeconds: 1 }), []);
      const dead = await queue.dead().one();
      assertEquals(
        [dead.messageId, dead.body, dead.attributes],
        [messageId, "a", { a: text("b") }],
      );
      if (!fifo) assertEquals(dead.sentAtMs, first.sentAtMs);
      else assertEquals(dead.groupId, "g");
    },
  })),
  {
    name: "a receive count counts all queues that a message was in",
    async check(server) {
      const queue = await Subject.make(server, { maxReceiveCount: 1 });
      await queue.send("a");
      assertEquals(await queue.hide(await queue.one(), 0), "ok");
      assertEquals(await queue.bodies({ waitTimeSeconds: 1 }), []);
      assertEquals((await queue.dead().one()).receiveCount, 2);
    },
  },
  {
    name: "a batch has one to ten entries",
    async check(server) {
      const { connection, url } = await Subject.make(server);
      const of = <T>(length: number, make: (i: number) => T) =>
        Array.from({ length }, (_, i) => make(i));
      const message = (i: number) => ({ body: `${i}`, attributes: {} });
      const handle = (i: number) => `${i}`;
      const change = (i: number) => ({
        receiptHandle: `${i}`,
        visibilityTimeoutSeconds: 0,
      });
      const calls = [
        (n: number) => connection.send(url, of(n, message)),
        (n: number) => connection.delete(url, of(n, handle)),
        (n: number) => connection.changeVisibility(url, of(n, change)),
      ];
      for (const call of calls) {
        assertEquals(await refusalOf(() => call(0)), "EmptyBatchRequest");
        assertEquals(
          await refusalOf(() => call(11)),
          "TooManyEntriesInBatchRequest",
        );
      }
      const results = await connection.send(url, of(10, message));
      assertEquals(results.filter(({ ok }) => ok).length, 10);
    },
  },
  {
    name: "each entry of a batch has its result",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a");
      const { receiptHandle } = await queue.one();
      const results = await queue.connection.delete(queue.url, [
        "made up",
        receiptHandle,
      ]);
      assertEquals(results.map(codeOf), ["ReceiptHandleIsInvalid", "ok"]);
    },
  },
  {
    name: "a batch is at most 1 MiB, attributes counted",
    async check(server) {
      const { connection, url } = await Subject.make(server);
      const large = (size: number) => ({
        body: "x".repeat(size),
        attributes: { a: text("x") },
      });
      // An attribute's name, type and value count too: eight bytes.
      const half = 524_288;
      assertEquals(
        await refusalOf(() =>
          connection.send(url, [large(half - 8), large(half - 7)])
        ),
        "BatchRequestTooLong",
      );
      const results = await connection.send(url, [
        large(half - 8),
        large(half - 8),
      ]);
      assertEquals(results.map(codeOf), ["ok", "ok"]);
    },
  },
  {
    name: "a message larger than its queue takes is refused alone",
    async check(server) {
      const queue = await Subject.make(server, { maximumMessageSize: 1024 });
      const results = await queue.connection.send(queue.url, [
        { body: "x".repeat(1025), attributes: {} },
        { body: "x".repeat(1024), attributes: {} },
      ]);
      assertEquals(results.map(codeOf), ["InvalidParameterValue", "ok"]);
      assertEquals((await queue.one()).body.length, 1024);
    },
  },
  {
    name: "a message has a body",
    async check(server) {
      assert(await isRefused(await Subject.make(server), ""));
    },
  },
  {
    name: "a body has the characters that XML has",
    async check(server) {
      const queue = await Subject.make(server);
      for (const body of ["\0", "\x1f", "\ufffe", "\uffff"]) {
        const call = async () => {
          assertEquals(codeOf(await queue.try(body)), "InvalidMessageContents");
        };
        const code = await refusalOf(call);
        assert(["ok", "InvalidMessageContents"].includes(code), code);
      }
      const fine = "\t\n\r é \ud7ff \ufffd";
      await queue.send(fine);
      assertEquals((await queue.one()).body, fine);
    },
  },
  {
    name: "a body may have characters above U+FFFF",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("😀\u{10ffff}");
      assertEquals((await queue.one()).body, "😀\u{10ffff}");
    },
  },
  {
    name: "attributes come as they were sent",
    async check(server) {
      const queue = await Subject.make(server);
      const attributes = {
        text: text("é"),
        "a-b.c_1": { type: "Number.int", value: "1234567890123456789" },
        bytes: { type: "Binary", value: new Uint8Array([0, 255]) },
      };
      await queue.send("a", { attributes });
      const received = (await queue.one()).attributes;
      assertEquals(
        Object.keys(received).sort(),
        Object.keys(attributes).sort(),
      );
      assertEquals(received.text, attributes.text);
      assertEquals(received["a-b.c_1"], attributes["a-b.c_1"]);
      assertEquals([...received.bytes!.value], [0, 255]);
    },
  },
  {
    name: "a message has at most ten attributes",
    async check(server) {
      const queue = await Subject.make(server);
      const many = (length: number) => ({
        attributes: Object.fromEntries(
          Array.from({ length }, (_, i) => [`a${i}`, text("x")]),
        ),
      });
      assert(await isRefused(queue, "a", many(11)));
      await queue.send("a", many(10));
    },
  },
  {
    name: "an attribute has a value, a type and a name that SQS takes",
    async check(server) {
      const queue = await Subject.make(server);
      const bad = [
        { a: text("") },
        { a: { type: "Text", value: "x" } },
        { a: { type: "Number", value: "one" } },
        { "AWS.a": text("x") },
        { "a b": text("x") },
      ];
      for (const attributes of bad) {
        const what = JSON.stringify(attributes);
        assert(await isRefused(queue, "a", { attributes }), what);
      }
    },
  },
  {
    name: "a standard queue keeps a group id",
    async check(server) {
      const queue = await Subject.make(server);
      await queue.send("a", { groupId: "tenant" });
      assertEquals((await queue.one()).groupId, "tenant");
    },
  },
  {
    name: "a long poll ends when a message comes",
    async check(server) {
      const queue = await Subject.make(server);
      const polling = queue.one({ waitTimeSeconds: 20 });
      const waited = queue.receive({ waitTimeSeconds: 1 });
      assertEquals(await waited, []);
      await queue.send("a");
      assertEquals((await polling).body, "a");
    },
  },
  {
    name: "a receive returns at most as many messages as it asks for",
    async check(server) {
      const queue = await Subject.make(server, { fifo: true });
      for (const body of ["a", "b", "c"]) {
        await queue.send(body, { groupId: body });
      }
      assertEquals(await queue.bodies({ maxMessages: 2 }), ["a", "b"]);
    },
  },
  {
    name:
      "a receive asks for 1 to 10 messages, waits 0 to 20 s, hides 0 to 12 h",
    async check(server) {
      const queue = await Subject.make(server);
      for (
        const options of [
          { maxMessages: 0 },
          { maxMessages: 11 },
          { waitTimeSeconds: 21 },
          { visibilityTimeoutSeconds: 43_201 },
        ]
      ) {
        assertNotEquals(
          await refusalOf(() => queue.receive(options)),
          "ok",
          JSON.stringify(options),
        );
      }
    },
  },
  {
    name: "a queue that does not exist is known by its error's name",
    async check(server) {
      const { connection, url } = await Subject.make(server);
      const none = `${url}-none`;
      const calls = [
        () => connection.queueUrl(none.split("/").at(-1)!),
        () => connection.attributes(none),
        () => connection.send(none, [{ body: "a", attributes: {} }]),
        () => connection.receive(none, { maxMessages: 1, waitTimeSeconds: 0 }),
        () => connection.delete(none, ["x"]),
        () =>
          connection.changeVisibility(none, [
            { receiptHandle: "x", visibilityTimeoutSeconds: 0 },
          ]),
      ];
      for (const call of calls) {
        assertEquals(await refusalOf(call), "QueueDoesNotExist");
      }
    },
  },
  {
    name: "a queue tells its settings and counts its messages",
    async check(server) {
      const queue = await Subject.make(server, { visibilityTimeoutSeconds: 7 });
      const attributes = await queue.connection.attributes(queue.url);
      assertEquals(attributes, {
        visibilityTimeoutSeconds: 7,
        messageRetentionSeconds: 345_600,
        delaySeconds: 0,
        maximumMessageSize: 1_048_576,
        visible: 0,
        inFlight: 0,
        delayed: 0,
      });
    },
  },
];
