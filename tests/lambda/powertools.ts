/**
 * A process of AWS Lambda Powertools. It runs the jobs of the event at its
 * standard input, and prints its answer and the order of its jobs.
 *
 * @module
 */

import {
  BatchProcessor,
  EventType,
  processPartialResponse,
  SqsFifoPartialProcessorAsync,
} from "@aws-lambda-powertools/batch";
import { JobCalls } from "./peer_job.ts";

const isFifo = Deno.args[0] === "fifo";
const event = await new Response(Deno.stdin.readable).json();
const calls = new JobCalls();
const handler = ({ messageId, body }: { messageId: string; body: string }) =>
  calls.run(messageId, ...JSON.parse(body)[0] as [string]);
const response = isFifo
  ? await processPartialResponse(
    event,
    handler,
    new SqsFifoPartialProcessorAsync(),
    { throwOnFullBatchFailure: false, skipGroupOnError: true },
  )
  : await processPartialResponse(
    event,
    handler,
    new BatchProcessor(EventType.SQS),
    { throwOnFullBatchFailure: false },
  );
console.log(JSON.stringify({ ...response, calls: calls.ids }));
