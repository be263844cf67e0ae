/**
 * sqs-consumer: as many consumers as the run asks for, one message or one batch
 * at a time.
 *
 * @module
 */

import { type Message, SQSClient } from "@aws-sdk/client-sqs";
// deno-lint-ignore no-import-prefix -- the published package does not need it
import { Consumer } from "npm:sqs-consumer@^15.0.3";
import type { Jobs } from "./jobs.ts";
import { type ClientTask, jobOf } from "./runs.ts";

/** Handles the jobs. */
export default async function run(
  task: ClientTask,
  jobs: Jobs,
): Promise<void> {
  const { url, pollers = 1, batchSize = 10 } = task;
  const sqs = new SQSClient({ useQueueUrlAsEndpoint: false });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let deleted = 0;
  const handleMessage = async (message: Message): Promise<Message> => {
    await jobs.handle(jobOf(message.Body!));
    return message;
  };
  const consumers = Array.from({ length: pollers }, () => {
    const consumer = Consumer.create({
      queueUrl: url,
      sqs,
      batchSize,
      waitTimeSeconds: 1,
      ...(task.batch
        ? {
          handleMessageBatch: (messages: Message[]) =>
            Promise.all(messages.map(handleMessage)),
        }
        : { handleMessage }),
    });
    consumer.on("message_processed", () => {
      if (++deleted === task.jobs) resolve();
    });
    consumer.on("error", reject);
    consumer.on("processing_error", reject);
    return consumer;
  });
  for (const consumer of consumers) consumer.start();
  await promise;
  for (const consumer of consumers) consumer.stop({ abort: true });
  sqs.destroy();
}
