/**
 * The fan-out of an SNS topic to queues, over HTTP, with and without raw message
 * delivery.
 *
 * @module
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  type ContainerSettings,
  currentJob,
  type Job,
  runContainer,
} from "../../container.ts";
import { SnsServer } from "../support/sns.ts";

/** Runs a container until its queue is empty; returns its jobs. */
async function drain(
  { sqs: { endpoint } }: SnsServer,
  settings: Partial<ContainerSettings> & { readonly queue: string },
): Promise<Job[]> {
  const jobs: Job[] = [];
  const { failed } = await runContainer({
    endpoint,
    region: "us-east-1",
    loggers: "",
    waitTimeSeconds: 1,
    handler: () => {
      jobs.push(currentJob());
    },
    ...settings,
  }, { drain: true });
  assertEquals(failed, 0);
  return jobs;
}

Deno.test("a notification of SNS reaches two queues, whole and raw", async () => {
  await using server = await SnsServer.start();
  await server.sqs.createQueue("whole");
  await server.sqs.createQueue("raw");
  const topic = await server.createTopic("orders");
  await server.subscribe(topic, "whole");
  await server.subscribe(topic, "raw", { raw: true });
  const attribute = "MessageAttributes.entry.1";
  await server.publish(topic, '{"id":"o1"}', {
    Subject: "An order",
    [`${attribute}.Name`]: "tenant",
    [`${attribute}.Value.DataType`]: "String",
    [`${attribute}.Value.StringValue`]: "blue",
  });

  const [whole, ...more] = await drain(server, {
    queue: "whole",
    body: "json",
    envelope: "sns",
  });
  assertEquals(more, []);
  assertEquals([whole!.args, whole!.attributes], [[{ id: "o1" }], {}]);
  const { messageId, timestampMs, ...rest } = whole!.notification!;
  assertEquals(rest, {
    topicArn: topic,
    subject: "An order",
    attributes: { tenant: "blue" },
  });
  assertMatch(messageId, /^[0-9a-f-]{36}$/);
  assert(Math.abs(timestampMs! - Date.now()) < 3_600_000);

  const [raw] = await drain(server, { queue: "raw", body: "json" });
  assertEquals(
    [raw!.args, raw!.attributes, raw!.notification],
    [[{ id: "o1" }], { tenant: "blue" }, undefined],
  );
});

Deno.test("a FIFO topic brings jobs in the order of their group", async () => {
  await using server = await SnsServer.start();
  await server.sqs.createQueue("jobs.fifo", { FifoQueue: "true" });
  const topic = await server.createTopic("jobs.fifo", { FifoTopic: "true" });
  await server.subscribe(topic, "jobs.fifo");
  for (let i = 1; i <= 5; i++) {
    await server.publish(topic, `[[${i}],{}]`, {
      MessageGroupId: "g",
      MessageDeduplicationId: String(i),
    });
  }
  const jobs = await drain(server, {
    queue: "jobs.fifo",
    envelope: "sns",
    concurrency: 5,
  });
  assertEquals(jobs.map(({ args }) => args), [[1], [2], [3], [4], [5]]);
  assertEquals(jobs.map(({ groupId }) => groupId), Array(5).fill("g"));
});
