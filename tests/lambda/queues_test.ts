/** Failures queues and delays of a Lambda function, on queues of the double. */

import { assertEquals, assertMatch } from "@std/assert";
import {
  currentJob,
  lambdaHandler,
  PermanentError,
  TransientError,
} from "../../lambda.ts";
import { SqsError } from "../../src/errors.ts";
import { setUp } from "../../testing.ts";
import { replaceCalls } from "../support/call_faults.ts";
import { cli } from "../support/cli.ts";
import { Printed } from "../support/printed.ts";
import { Trigger } from "../support/trigger.ts";

/** Loggers that write nothing. */
const loggers = "<logger>\n level CRITICAL\n</logger>";

/** A message of a job. */
function job(...args: unknown[]) {
  return { body: JSON.stringify([args, {}]) };
}

/** The seconds until each message of a queue is visible. */
function hiddenSeconds(queues: ReturnType<typeof setUp>, name: string) {
  return queues.get(name).messages.map(({ visibleAt }) =>
    (visibleAt.getTime() - queues.now.getTime()) / 1000
  );
}

Deno.test("a failed message goes to the failures queue with its reason, and is redriven", async () => {
  await using queues = setUp({
    silent: true,
    queues: ["adder", "adder-failed"],
  });
  const trigger = new Trigger("adder");
  let isBad = true;
  const handler = lambdaHandler(() => () => {
    if (isBad) throw new PermanentError("bad input");
  }, { loggers, attempts: 3, failures: { queue: "adder-failed" } });
  await trigger.send({
    ...job(1),
    attributes: { kind: { type: "String", value: "sum" } },
  });
  assertEquals(await trigger.invoke(handler), 0);
  const [kept] = queues.get("adder-failed").messages;
  const { "zsqs.failure": reason, kind } = kept!.attributes;
  assertEquals([kept!.body, kind], ["[[1],{}]", "sum"]);
  const { queue, error, message, hops } = JSON.parse(String(reason));
  assertEquals(
    { queue, error, message, hops },
    { queue: "adder", error: "PermanentError", message: "bad input", hops: 1 },
  );

  isBad = false;
  const { status } = await cli([
    "failed",
    "--redrive",
    "--yes",
    "adder-failed",
  ]);
  assertEquals(status, 0);
  assertEquals(queues.get("adder").bodies, ["[[1],{}]"]);
  assertEquals(await trigger.invoke(handler), 0);
  assertEquals(queues.get("adder").bodies, []);
});

Deno.test("a message that the failures queue does not take returns, and goes there later", async () => {
  await using queues = setUp({ silent: true });
  using printed = new Printed();
  let isDown = true;
  using _calls = replaceCalls({
    send(real, ...args) {
      const options = { code: "ServiceUnavailable", senderFault: false };
      return isDown && args[0].endsWith("adder-failed")
        ? Promise.reject(new SqsError("try later", options))
        : real.send(...args);
    },
    queueUrl(real, ...args) {
      const options = { code: "AccessDenied", senderFault: true };
      return isDown && args[0] === "adder-failed"
        ? Promise.reject(new SqsError("not allowed", options))
        : real.queueUrl(...args);
    },
  });
  const trigger = new Trigger("adder");
  const handler = lambdaHandler(() => () => {
    throw new Error("bad input");
  }, { failures: { queue: "adder-failed" } });
  await trigger.send(job(1), job(2));
  assertEquals(await trigger.invoke(handler), 2);
  assertMatch(
    printed.err.join("\n"),
    /ERROR zsqs Sending a failed message to its queue failed; it will be received again when its visibility timeout ends: adder, message .*: .*adder-failed.*not allowed/,
  );
  isDown = false;
  await queues.advance(30);
  assertEquals(await trigger.invoke(handler), 0);
  assertEquals(queues.get("adder-failed").messages.length, 2);
});

Deno.test("delays are made before the function returns, in one request for ten", async () => {
  await using queues = setUp({ silent: true, queues: ["adder"] });
  const requests: number[] = [];
  using _calls = replaceCalls({
    changeVisibility(real, url, changes) {
      requests.push(changes.length);
      return real.changeVisibility(url, changes);
    },
  });
  const trigger = new Trigger("adder");
  await trigger.send(...[7, 0, undefined, "done"].map((delay) => job(delay)));
  const handler = lambdaHandler(() => (delay?: number | "done") => {
    if (delay === "done") return;
    throw new TransientError("", { delaySeconds: delay ?? undefined });
  }, { loggers, retryDelaySeconds: 60 });
  assertEquals(await trigger.invoke(handler), 3);
  assertEquals(hiddenSeconds(queues, "adder"), [7, 0, 60]);
  assertEquals(requests, [3]);
});

Deno.test("without a delay, a function connects to no queue", async () => {
  await using _queues = setUp({ silent: false });
  using printed = new Printed();
  const trigger = new Trigger("adder.fifo");
  await trigger.send(...[2, 1, 3].map((n) => ({
    ...job(n),
    groupId: n === 2 ? "done" : "stays",
    deduplicationId: String(n),
  })));
  const event = await trigger.receive();
  printed.take();
  const handler = lambdaHandler(() => (n: number) => {
    if (n === 1) throw new TransientError();
  }, { loggers });
  const { batchItemFailures } = await handler(event);
  assertEquals(batchItemFailures.length, 2);
  assertEquals(printed.take(), []);
});

Deno.test("denied delays are one line, and the messages return", async () => {
  await using queues = setUp({ silent: true, queues: ["adder"] });
  using printed = new Printed();
  using _calls = replaceCalls({
    changeVisibility() {
      const options = { code: "AccessDenied", senderFault: true };
      return Promise.reject(new SqsError("not authorized", options));
    },
  });
  const trigger = new Trigger("adder");
  await trigger.send(...Array.from({ length: 10 }, (_, i) => job(i)));
  const handler = lambdaHandler(() => () => {
    throw new TransientError("", { delaySeconds: 5 });
  });
  assertEquals(await trigger.invoke(handler), 10);
  await queues.advance(30);
  assertEquals(await trigger.invoke(handler), 10);
  const lines = printed.err.filter((line) => line.includes(" WARNING "));
  assertEquals(lines.length, 1);
  assertMatch(
    lines[0]!,
    /WARNING zsqs Retries of adder are not delayed, and wait for the visibility timeout: sqs:ChangeMessageVisibility is not allowed/,
  );
});

Deno.test("a delay that SQS refuses for one message is one line", async () => {
  await using queues = setUp({ silent: true, queues: ["adder"] });
  using printed = new Printed();
  const trigger = new Trigger("adder");
  await trigger.send(job(1), job(2));
  const event = await trigger.receive();
  // Somebody else deleted the first message.
  await trigger.settle(event.Records.slice(0, 1), []);
  const handler = lambdaHandler(() => () => {
    throw new TransientError("", { delaySeconds: 5 });
  });
  const { batchItemFailures } = await handler(event);
  assertEquals(batchItemFailures.length, 2);
  assertEquals(hiddenSeconds(queues, "adder"), [5]);
  const lines = printed.err.filter((line) => line.includes(" WARNING "));
  assertEquals(lines.length, 1, lines.join("\n"));
});

Deno.test("on a FIFO queue, the rest of a group waits no longer than the delayed job", async () => {
  const visibilityTimeoutSeconds = 180;
  const queue = { name: "adder.fifo", visibilityTimeoutSeconds };
  await using queues = setUp({ silent: true, queues: [queue] });
  const trigger = new Trigger("adder.fifo");
  let isDown = true;
  const order: string[] = [];
  const handler = lambdaHandler(() => (id: string) => {
    if (isDown && id === "a1") {
      throw new TransientError("", { delaySeconds: 5 });
    }
    order.push(id);
  }, { loggers });
  await trigger.send(...["a1", "a2", "b1", "a3"].map((id) => ({
    ...job(id),
    groupId: id[0]!,
    deduplicationId: id,
  })));
  assertEquals(await trigger.invoke(handler), 3);
  isDown = false;
  await queues.advance(5);
  assertEquals(await trigger.invoke(handler), 0);
  assertEquals(order, ["b1", "a1", "a2", "a3"]);
});

Deno.test("a job knows its queue, its receives and its attributes", async () => {
  await using queues = setUp({ silent: true, queues: ["adder"] });
  const trigger = new Trigger("adder");
  const counts: number[] = [];
  const handler = lambdaHandler(() => () => {
    const { receiveCount, queue, attributes } = currentJob();
    counts.push(receiveCount);
    assertEquals([queue, attributes], ["adder", { kind: "sum" }]);
    if (receiveCount === 1) throw new TransientError();
  }, { loggers });
  const attributes = { kind: { type: "String", value: "sum" } };
  await trigger.send({ attributes });
  assertEquals(await trigger.invoke(handler), 1);
  await queues.advance(30);
  assertEquals(await trigger.invoke(handler), 0);
  assertEquals(counts, [1, 2]);
});
