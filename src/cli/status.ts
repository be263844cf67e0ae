/**
 * `zsqs status QUEUE...`: how many messages queues hold.
 *
 * @module
 */

import {
  asInputError,
  type Command,
  type Io,
  type ParsedOptions,
  PROGRAM,
  UsageError,
} from "./command.ts";
import { describeError, DONE, stackOf } from "./errors.ts";
import { connectOptionsOf, WHERE_HELP, WHERE_OPTIONS } from "./command.ts";
import { paint, plainNumber } from "./screen.ts";
import { openQueue } from "../connect/open_queue.ts";
import type { ConnectOptions, QueueAttributes } from "../sqs/connection.ts";
import { NonExistentQueueError, SqsError } from "../errors.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";

const HELP = `Tell how many messages SQS queues hold.

Usage:
  ${PROGRAM} status [OPTIONS] QUEUE...

QUEUE is a queue's name, URL or ARN. It tells how many messages wait to be
received, are in flight (received, and neither deleted nor visible again) and
are delayed, and how many its dead-letter queue holds. The numbers are SQS's,
which are approximate for about a minute. It needs sqs:GetQueueUrl and
sqs:GetQueueAttributes, on the dead-letter queue too.

Options:
  --json             a line of JSON for each queue
${WHERE_HELP}
  --debug            print stacks with errors
  --help             print this

Exit status: 0 done, 1 a queue could not be asked, 2 bad usage, or there is no
such queue.`;

/** Tells how many messages queues hold. */
export const STATUS: Command = {
  help: HELP,
  boolean: ["json", "local"],
  string: WHERE_OPTIONS,
  run: status,
};

/** How many messages a queue holds. */
interface Depth {
  readonly visible: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** What is told of a queue. */
interface QueueStatus extends Depth {
  readonly queue: string;
  readonly region: string;
  /** Its dead-letter queue; `null` where it has none. */
  readonly deadLetter: DeadLetterStatus | null;
}

/** A dead-letter queue: its depth, or why that is not known. */
type DeadLetterStatus =
  & { readonly queue: string }
  & (Depth | { readonly error: string });

async function status(options: ParsedOptions, io: Io): Promise<number> {
  if (options.positional.length === 0) {
    throw new UsageError("No queue given: name the queues to look at");
  }
  const where = connectOptionsOf(options);
  const results = await Promise.allSettled(
    options.positional.map((queue) => statusOf(queue, where)),
  );
  const found = results.flatMap((result) =>
    result.status === "fulfilled" ? [result.value] : []
  );
  if (options.has("json")) {
    for (const each of found) io.stdout(JSON.stringify(each));
  } else if (found.length > 0) printTable(found, io);
  let worst = DONE;
  for (const result of results) {
    if (result.status === "fulfilled") continue;
    const report = await describeError(asInputError(result.reason));
    for (const line of report.lines) {
      io.stderr(paint(line, "red", io, "stderr"));
    }
    if (options.has("debug")) io.stderr(stackOf(result.reason));
    worst = Math.max(worst, report.status);
  }
  return worst;
}

async function statusOf(
  queue: string,
  where: ConnectOptions,
): Promise<QueueStatus> {
  const { ref, region, attributes } = await ask(queue, where);
  const deadLetter = attributes.redrive?.deadLetterQueue;
  return {
    queue: ref.name,
    region,
    ...depthOf(attributes),
    deadLetter: deadLetter === undefined
      ? null
      : await deadLetterStatus(deadLetter, where),
  };
}

async function ask(queue: string, where: ConnectOptions) {
  const { ref, url, connection } = await openQueue(queue, where);
  try {
    return {
      ref,
      region: connection.region,
      attributes: await connection.attributes(url),
    };
  } catch (error) {
    throw error instanceof SqsError
      ? new SqsError(
        `Cannot tell the status of queue "${ref.name}": ${error.message}`,
        { code: error.code, senderFault: error.senderFault, cause: error },
      )
      : error;
  } finally {
    connection.close();
  }
}

/** Its state is told where it can be: the queue itself was found. */
async function deadLetterStatus(
  arn: string,
  where: ConnectOptions,
): Promise<DeadLetterStatus> {
  const queue = parseQueueRef(arn)?.name ?? arn;
  try {
    const { attributes } = await ask(arn, where);
    return { queue, ...depthOf(attributes) };
  } catch (error) {
    if (
      error instanceof SqsError || error instanceof NonExistentQueueError
    ) return { queue, error: error.message };
    throw error;
  }
}

function depthOf(
  { visible = 0, inFlight = 0, delayed = 0 }: QueueAttributes,
): Depth {
  return { visible, inFlight, delayed };
}

const HEADER = ["QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED", "DEAD LETTERS"];

function printTable(found: readonly QueueStatus[], io: Io): void {
  const rows = found.map(({ queue, visible, inFlight, delayed }) => [
    queue,
    ...[visible, inFlight, delayed].map(plainNumber),
  ]);
  const widths = HEADER.slice(0, -1).map((title, i) =>
    Math.max(title.length, ...rows.map((row) => row[i]!.length))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)
    ).join("  ");
  io.stdout(
    paint(`${line(HEADER.slice(0, -1))}  ${HEADER.at(-1)}`, "bold", io),
  );
  for (const [i, row] of rows.entries()) {
    io.stdout(`${line(row)}  ${deadLetterCell(found[i]!, io)}`);
  }
  for (const { deadLetter } of found) {
    if (deadLetter !== null && "error" in deadLetter) {
      io.stderr(deadLetter.error);
    }
  }
}

function deadLetterCell({ deadLetter }: QueueStatus, io: Io): string {
  if (deadLetter === null) return "-";
  const { queue } = deadLetter;
  if ("error" in deadLetter) return `not known, in ${queue}`;
  const count = deadLetter.visible + deadLetter.inFlight + deadLetter.delayed;
  const text = `${plainNumber(count)} in ${queue}`;
  return count > 0 ? paint(text, "red", io) : text;
}
