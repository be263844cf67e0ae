/**
 * Whatever a body is, a container does its job or logs it, and continues.
 * Arguments that `Queue` took reach the handler unchanged.
 *
 * @module
 */

import { currentJob } from "../../src/job/current_job.ts";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { openQueue } from "../../src/connect/open_queue.ts";
import { decodeBody, encodeBody, kwargs } from "../../src/message/body.ts";
import { bodyText, readMessage } from "../../src/message/reading.ts";
import { writeBody } from "../../src/message/writing.ts";
import { runContainer } from "../../container.ts";
import { Queue } from "../../mod.ts";
import { setUp } from "../../testing.ts";
import { Folder } from "../support/cli.ts";
import {
  HOSTILE_BODIES,
  PRINTABLE,
  PROBLEMS,
  randomArgs,
  randomBody,
  randomRecord,
  randomText,
  randomValue,
  same,
} from "../support/body_fuzz.ts";
import { Dice } from "../support/dice.ts";
import { TestServer } from "../support/server.ts";

const SEED = 20_240_601;

for (const encoding of ["json", "base64"] as const) {
  Deno.test(`decodeBody() gives back whatever encodeBody() took, as ${encoding}`, () => {
    const dice = new Dice(SEED);
    for (let run = 0; run < 3000; run++) {
      const args = Array.from(
        { length: dice.below(4) },
        () => randomValue(dice, 4),
      );
      const keywords = dice.below(2) === 0 ? undefined : randomRecord(dice, 3);
      const body = encodeBody(
        keywords === undefined ? args : [...args, kwargs(keywords)],
        encoding,
      );
      assertMatch(body, PRINTABLE);
      const job = decodeBody(body);
      const detail = `seed ${SEED}, run ${run}: ${body}`;
      assert(same(job.args, args), detail);
      assert(same(job.kwargs, keywords ?? {}), detail);
      // JSON.stringify alone writes -0 as 0, which nothing else would.
      if (!body.includes("-0") && encoding === "json") {
        const round = JSON.parse(JSON.stringify([args, keywords ?? {}]));
        assert(same([job.args, job.kwargs], round), detail);
      }
    }
  });
}

Deno.test("decodeBody() returns or throws SyntaxError or TypeError, whatever a body is", () => {
  const dice = new Dice(SEED);
  const ends = { read: 0, SyntaxError: 0, TypeError: 0 };
  for (let run = 0; run < 5000; run++) {
    const body = randomBody(dice);
    try {
      const job = decodeBody(body);
      assert(Array.isArray(job.args));
      assert(typeof job.kwargs === "object" && job.kwargs !== null);
      ends.read++;
    } catch (error) {
      const { name, message } = error as Error;
      if (name !== "SyntaxError" && name !== "TypeError") {
        throw error;
      }
      const problem = PROBLEMS.get((error as Error).constructor);
      assertEquals(message.split(";")[0], problem);
      ends[name]++;
    }
    assertEquals(typeof bodyText(body), "string");
  }
  for (const [end, count] of Object.entries(ends)) {
    assert(count > 50, `only ${count} of ${end}, seed ${SEED}`);
  }
});

Deno.test("readMessage() reads what writeBody() wrote, and refuses all else with a known error", () => {
  const dice = new Dice(SEED);
  const ends = { written: 0, read: 0, refused: 0 };
  for (let run = 0; run < 3000; run++) {
    const value = randomValue(dice, 4);
    const body = writeBody([value], { body: "json", encoding: "json" });
    assertMatch(body, PRINTABLE);
    assert(same(readMessage({ body }, { body: "json" }).args, [value]), body);
    ends.written++;
    const hostile = randomNotification(dice);
    for (const format of ["job", "json", "text"] as const) {
      try {
        const reading = { body: format, envelope: "sns" } as const;
        const { notification } = readMessage({ body: hostile }, reading);
        assertEquals(typeof notification!.topicArn, "string", hostile);
        ends.read++;
      } catch (error) {
        const known = [SyntaxError, TypeError];
        const isKnown = known.some((each) => error instanceof each);
        const { message } = error as Error;
        assert(isKnown && message.startsWith("Cannot read "), hostile);
        assert(message.length < 1_000, message);
        ends.refused++;
      }
    }
  }
  for (const [end, count] of Object.entries(ends)) {
    assert(count > 500, `only ${count} of ${end}, seed ${SEED}`);
  }
});

/** A notification with odd fields. */
function randomNotification(dice: Dice): string {
  const odd = <T>(value: T) =>
    dice.below(12) > 0 ? value : randomValue(dice, 3);
  return JSON.stringify({
    Type: odd("Notification"),
    MessageId: odd("m"),
    TopicArn: odd(randomText(dice)),
    Message: odd(randomBody(dice)),
    Subject: odd(undefined),
    Timestamp: odd("2026-01-02T03:04:05.678Z"),
    MessageAttributes: odd({
      a: odd({ Type: odd("String"), Value: odd("a") }),
      b: odd({ Type: "Binary", Value: odd(randomText(dice)) }),
      c: randomValue(dice, 2),
    }),
  });
}

Deno.test("decodeBody() reads arrays nested a million deep", () => {
  const body = `[[${"[".repeat(1e6)}${"]".repeat(1e6)}],{}]`;
  assertEquals(decodeBody(body).args.length, 1);
  assertThrows(() => decodeBody("[".repeat(1e6)), SyntaxError);
});

/** Nothing that a terminal or a reader of lines takes for more than text. */
const ONE_LINE = /^(?:\t|[^\p{Cc}\p{Zl}\p{Zp}])*$/u;

const LOGGERS = `
<logger>
  level INFO
  <logfile>
    path main.log
    format LINE %(levelname)s %(name)s %(message)s
  </logfile>
</logger>
<logger>
  name zsqs.messages
  level INFO
  propagate false
  <logfile>
    path messages.log
    format BODY %(message)s
  </logfile>
</logger>
`;

function loggersIn(folder: Folder): string {
  return LOGGERS.replaceAll(
    /path (.*)/g,
    (_, name) => `path ${folder.at(name)}`,
  );
}

function randomBodies(count: number): string[] {
  const dice = new Dice(SEED);
  return Array.from({ length: count }, () => randomBody(dice));
}

Deno.test("a container does the job of each body or logs it on a line, and continues with the next", async () => {
  await using folder = await Folder.with({});
  await using _queues = setUp({ silent: true });
  const calls: unknown[][] = [];
  await runContainer({
    queue: "adder",
    loggers: loggersIn(folder),
    worker: () => (...args: unknown[]) => calls.push(args),
  });
  const { connection, url } = await openQueue("adder");
  const bodies = [
    ...HOSTILE_BODIES.map(([, body]) => body),
    ...randomBodies(500),
  ];
  let bad = 0;
  let good = 0;
  for (const body of bodies) {
    const value = new Uint8Array([0, 255, 128]);
    const [result] = await connection.send(url, [
      { body, attributes: { data: { type: "Binary.any", value } } },
    ]);
    // SQS refuses some characters.
    if (!result!.ok) continue;
    const detail = `seed ${SEED}: ${body.slice(0, 200)}`;
    const { visible, inFlight } = await connection.attributes(url);
    assertEquals([visible, inFlight], [0, 0], detail);
    const expected = expectedCall(body);
    if (expected === undefined) bad++;
    else {
      good++;
      assert(same(calls.at(-1), expected), detail);
    }
    assertEquals(calls.length, good, detail);
  }
  assert(good > 50 && bad > 50, `${good} good, ${bad} bad, seed ${SEED}`);
  const messages = (await folder.read("messages.log")).split("\n");
  assertEquals(messages.pop(), "");
  assertEquals(messages.length, bad);
  for (const line of messages) {
    assert(line.startsWith("BODY "), line.slice(0, 200));
    assertMatch(line, ONE_LINE);
  }
  const lines = (await folder.read("main.log")).trimEnd().split("\n");
  const kinds = Map.groupBy(
    lines,
    (line) =>
      /^(LINE ERROR zsqs Handling a message failed(?=: \S+, message \S+, receive \d+$)| {2}\w+Error: Cannot )/
        .exec(
          line,
        )?.[1],
  );
  assertEquals(kinds.get(undefined), undefined);
  assertEquals(
    kinds.get("LINE ERROR zsqs Handling a message failed")?.length,
    bad,
  );
});

/** The arguments of the handler, if it is called. */
function expectedCall(body: string): unknown[] | undefined {
  try {
    const { args, kwargs } = decodeBody(body);
    if (args.length > 65_535) return undefined;
    return Object.keys(kwargs).length > 0 ? [...args, kwargs] : args;
  } catch {
    return undefined;
  }
}

for (const encoding of ["json", "base64"] as const) {
  Deno.test(`a handler gets the arguments that Queue took, as ${encoding}`, async () => {
    await using queues = setUp({ silent: true });
    const dice = new Dice(SEED);
    let call: unknown[] | undefined;
    let attributes: unknown;
    await runContainer({
      queue: "adder",
      loggers: "json",
      worker: () => (...args: unknown[]) => {
        call = args;
        attributes = { ...currentJob().attributes };
      },
    });
    const queue = await Queue("adder", { encoding });
    for (let run = 0; run < 300; run++) {
      const args = randomArgs(dice);
      const sent = {
        text: `t${dice.below(1e9)}\u{1f600}`,
        number: dice.below(1e9) / 8,
        data: Uint8Array.from(
          { length: 1 + dice.below(40) },
          () => dice.below(256),
        ),
      };
      await queue.send(args, { attributes: sent });
      const detail = `seed ${SEED}, run ${run}`;
      const last = args.at(-1);
      const isEmpty = typeof last === "object" && last !== null &&
        Symbol.toStringTag in last && Object.keys(last).length === 0;
      assert(same(call, isEmpty ? args.slice(0, -1) : args), detail);
      assertEquals(attributes, sent, detail);
      assertEquals(queues.get("adder").messages, [], detail);
    }
  });
}

Deno.test("a container on a real server does or logs each body that the server takes", async () => {
  await using folder = await Folder.with({});
  await using server = await TestServer.start();
  const url = await server.createQueue("adder");
  let accepted = 0;
  for (
    const body of [
      ...HOSTILE_BODIES.map(([, body]) => body),
      ...randomBodies(60),
      "[[1],{}]",
    ]
  ) {
    try {
      await server.send(url, body);
      accepted++;
    } catch {
      // It takes no empty body, and not all characters.
    }
  }
  assert(accepted > 60, `${accepted} accepted`);
  const stop = new AbortController();
  let last: unknown;
  const running = runContainer({
    queue: "adder",
    endpoint: server.endpoint,
    region: "us-east-1",
    loggers: loggersIn(folder),
    waitTimeSeconds: 1,
    worker: () => (value: unknown) => last = value,
  }, { signal: stop.signal });
  await server.left(url, 0);
  stop.abort();
  const { received, done, failed, retried, leasesLost } = await running;
  assertEquals([received, done + failed, retried, leasesLost], [
    accepted,
    accepted,
    0,
    0,
  ]);
  assertEquals(last, 1);
  const messages = (await folder.read("messages.log")).trimEnd().split("\n");
  assertEquals(messages.length, failed);
});
