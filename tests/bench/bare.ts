/**
 * A bare loop on the SDK: as many pollers as the run asks for receive ten
 * messages, handle them, and delete them.
 *
 * @module
 */

import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { Jobs } from "./jobs.ts";
import { type ClientTask, jobOf } from "./runs.ts";

/** Handles the jobs. */
export default async function run(
  task: ClientTask,
  jobs: Jobs,
): Promise<void> {
  const sqs = new SQSClient({ useQueueUrlAsEndpoint: false });
  const { url: QueueUrl, pollers = 1 } = task;
  await Promise.all(Array.from({ length: pollers }, async () => {
    while (!jobs.done.aborted) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: 10,
          WaitTimeSeconds: 1,
        }),
      );
      if (Messages.length === 0) continue;
      await Promise.all(
        Messages.map(({ Body }) => jobs.handle(jobOf(Body!))),
      );
      await sqs.send(
        new DeleteMessageBatchCommand({
          QueueUrl,
          Entries: Messages.map(({ ReceiptHandle }, i) => ({
            Id: String(i),
            ReceiptHandle,
          })),
        }),
      );
    }
  }));
  sqs.destroy();
}
