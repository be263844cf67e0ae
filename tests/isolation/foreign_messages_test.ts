/**
 * Messages that other programs and AWS wrote, in child processes.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Queue } from "../../producer.ts";
import { notification, S3_EVENT, TOPIC } from "../support/aws_bodies.ts";
import { Stage } from "../support/isolation_stage.ts";

Deno.test("a child process reads messages as its container's options say", async () => {
  await using stage = await Stage.start("act", {
    body: "text",
    envelope: "sns",
  });
  await using queue = await Queue("adder", { body: "text" });
  const before = (await stage.log()).length;
  await queue(notification("job", {
    Subject: "An order",
    MessageAttributes: { n: { Type: "Number", Value: "5" } },
  }));
  const line = (await stage.log()).slice(before);
  const job = JSON.parse(line.slice("INFO worker job: ".length));
  assertEquals(job.args, ["job"]);
  assertEquals({ ...job.notification, messageId: "" }, {
    topicArn: TOPIC,
    messageId: "",
    subject: "An order",
    timestampMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    attributes: { n: 5 },
  });
  assertEquals(stage.left, []);

  const ended = (await stage.log()).length;
  await queue("job");
  assertMatch(
    (await stage.log()).slice(ended),
    /^ERROR zsqs Handling a message failed: .*\n {2}TypeError: Cannot read message body: it is not an SNS notification/,
  );
  assertEquals(stage.left, []);
});

Deno.test("an event of AWS stays, though a child process read it", async () => {
  await using stage = await Stage.start("act", { retryDelaySeconds: 60 });
  await using queue = await Queue("adder", { body: "text" });
  const before = (await stage.log()).length;
  await queue(JSON.stringify(S3_EVENT));
  const log = (await stage.log()).slice(before);
  assertMatch(log, /^ERROR zsqs Job will be retried in \d+ s: /);
  assertStringIncludes(log, "set body = json");
  assertEquals(stage.left, [JSON.stringify(S3_EVENT)]);
});
