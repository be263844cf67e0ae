/**
 * `zsqs status QUEUE...`: how many messages queues hold.
 *
 * @module
 */

import { type QueueStatus, queueStatus } from "../operate/queue_status.ts";
import {
  type Command,
  CONNECT_OPTIONS,
  connectOptionsOf,
  type ParsedOptions,
} from "./command.ts";
import { DONE, printError } from "./errors.ts";
import { orDash, type Output, type Styled } from "./screen.ts";

export const STATUS: Command = {
  name: "status",
  summary: "Show how many messages SQS queues hold.",
  brief: "show how many messages queues hold",
  usage: ["[OPTIONS] QUEUE..."],
  about: `\
QUEUE is a queue's name, URL or ARN. The table shows the messages that are
visible, in flight (received, but neither deleted nor visible again) and
delayed, and those of the dead-letter queue. SQS's numbers are approximate for
about a minute. It needs the rights sqs:GetQueueUrl and sqs:GetQueueAttributes,
for the dead-letter queue too.`,
  options: [
    { name: "json", meaning: "a line of JSON for each queue" },
    ...CONNECT_OPTIONS,
  ],
  exitStatus: `0 done, 1 SQS did not answer for a queue, 2 bad usage, or no such
queue.`,
  missing: "No queue given: name the queues to look at",
  run: status,
};

async function status(options: ParsedOptions, io: Output): Promise<number> {
  const where = connectOptionsOf(options);
  const results = await Promise.allSettled(
    options.positional.map((queue) => queueStatus(queue, where)),
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
    const debug = options.has("debug");
    worst = Math.max(worst, await printError(result.reason, io, { debug }));
  }
  return worst;
}

const HEADER = ["QUEUE", "VISIBLE", "IN FLIGHT", "DELAYED"];

function printTable(found: readonly QueueStatus[], io: Output): void {
  const rows = [
    HEADER,
    ...found.map(({ queue, visible, inFlight, delayed }) =>
      [queue, visible, inFlight, delayed].map(orDash)
    ),
  ];
  const [first = "", ...lines] = rows.map((row) =>
    row.map((cell, i) => {
      const width = Math.max(...rows.map((each) => each[i]!.length));
      return i === 0 ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ")
  );
  io.stdout({ text: `${first}  DEAD LETTERS`, style: "bold" });
  for (const [i, line] of lines.entries()) {
    io.stdout(`${line}  `, deadLetterCell(found[i]!));
  }
  for (const { deadLetter } of found) {
    if (deadLetter !== null && "error" in deadLetter) {
      io.stderr(deadLetter.error);
    }
  }
}

function deadLetterCell({ deadLetter }: QueueStatus): string | Styled {
  if (deadLetter === null) return orDash(undefined);
  const { queue } = deadLetter;
  if ("error" in deadLetter) return `unknown, in ${queue}`;
  const { visible, inFlight, delayed } = deadLetter;
  const known = [visible, inFlight, delayed].filter((count) => count !== null);
  if (known.length === 0) return `${orDash(undefined)} in ${queue}`;
  const count = known.reduce((sum, each) => sum + each);
  const text = `${orDash(count)} in ${queue}`;
  return count > 0 ? { text, style: "red" } : text;
}
