/**
 * `zsqs status QUEUE...`: how many messages queues hold.
 *
 * @module
 */

import { sleep, unlessAborted } from "../clock.ts";
import { timeAndChance } from "../connect/open_queue.ts";
import { type QueueStatus, StatusReader } from "../operate/queue_status.ts";
import { isoTime } from "../text.ts";
import {
  type Command,
  CONNECT_OPTIONS,
  connectOptionsOf,
  type ParsedOptions,
} from "./command.ts";
import { describeError, DONE, printError, USAGE } from "./errors.ts";
import type { Output, Styled } from "./screen.ts";
import { tableOf } from "./status_table.ts";
import { stopSignals } from "./stop.ts";

/** The pause between two looks, in milliseconds. */
const LOOK_MS = 10_000;

/** The queues that are asked at a time. */
const AT_A_TIME = 10;

export const STATUS: Command = {
  name: "status",
  summary: "Show how many messages SQS queues hold.",
  brief: "show how many messages queues hold",
  usage: ["[OPTIONS] QUEUE..."],
  about: `\
QUEUE is a queue's name, URL or ARN. The table counts visible, in-flight and
delayed messages, and the messages of the dead-letter queue. A message is in
flight if it was received, but is neither deleted nor visible again. SQS's
numbers are approximate for about a minute. It needs the rights sqs:GetQueueUrl
and sqs:GetQueueAttributes, for the dead-letter queue too.`,
  options: [
    {
      name: "watch",
      meaning: `look every ${LOOK_MS / 1000} s until Ctrl+C: redraws a terminal,
appends lines with the time elsewhere`,
    },
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
  using stack = new DisposableStack();
  const readers = options.positional
    .map((queue) => stack.use(new StatusReader(queue, where)));
  const [json, debug, local] = ["json", "debug", "local"]
    .map((name) => options.has(name)) as [boolean, boolean, boolean];
  const how = { json, debug, local };
  if (options.has("watch")) return await watchStatus(readers, how, io);
  const { found, problems } = await look(readers);
  print(found, how, io);
  return await report(problems, how, io);
}

interface How {
  readonly json: boolean;
  readonly debug: boolean;
  readonly local: boolean;
}

/** What a look at queues found, and why it found nothing of others. */
interface Look {
  readonly found: readonly QueueStatus[];
  readonly problems: readonly unknown[];
}

async function look(
  readers: readonly StatusReader[],
  signal?: AbortSignal,
): Promise<Look> {
  const found: QueueStatus[] = [];
  const problems: unknown[] = [];
  const call = signal === undefined ? {} : { signal };
  for (let i = 0; i < readers.length; i += AT_A_TIME) {
    const part = readers.slice(i, i + AT_A_TIME);
    const results = await Promise.allSettled(
      part.map((reader) => reader.read(call)),
    );
    for (const result of results) {
      if (result.status === "fulfilled") found.push(result.value);
      else problems.push(result.reason);
    }
  }
  return { found, problems };
}

function print(found: readonly QueueStatus[], how: How, io: Output): void {
  if (how.json) { for (const each of found) io.stdout(JSON.stringify(each)); }
  else if (found.length > 0) {
    for (const line of tableOf(found)) io.stdout(...line);
    for (const text of deadLetterErrors(found)) io.stderr(text);
  }
}

function deadLetterErrors(found: readonly QueueStatus[]): string[] {
  return found.flatMap(({ deadLetter }) =>
    deadLetter !== null && "error" in deadLetter ? [deadLetter.error] : []
  );
}

/** Prints problems, and returns the worst status. */
async function report(
  problems: readonly unknown[],
  how: How,
  io: Output,
): Promise<number> {
  let worst = DONE;
  for (const problem of problems) {
    worst = Math.max(worst, await printError(problem, io, how));
  }
  return worst;
}

/** Looks until a signal: redraws on a terminal, appends lines elsewhere. */
async function watchStatus(
  readers: readonly StatusReader[],
  how: How,
  io: Output,
): Promise<number> {
  const { clock } = timeAndChance();
  using stop = stopSignals(io);
  const { signal } = stop;
  const draws = io.screen.stdout && !how.json;
  const said = new Set<string>();
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    const seen = await unlessAborted(look(readers, signal), signal);
    if (seen === undefined) break;
    const { found, problems } = seen;
    const reports = await Promise.all(
      problems.map((problem) => describeError(problem, how)),
    );
    if (isFirst && reports.some(({ status }) => status === USAGE)) {
      print(found, how, io);
      return await report(problems, how, io);
    }
    const lines = [
      ...deadLetterErrors(found),
      ...reports.flatMap(({ lines }) => lines),
    ];
    const time = isoTime(clock.now())!.replace(/\.\d+/, "");
    if (draws) io.redrawLines(frameOf(found, lines, time));
    else {
      append(found, { ...how, isFirst, time }, io);
      // An outage is one line, not one for each look.
      const fresh = lines.filter((text) => !said.has(text));
      for (const text of fresh) io.stderr({ text, style: "red" });
      said.clear();
      for (const text of lines) said.add(text);
    }
    await sleep(clock, LOOK_MS, signal);
  }
  return DONE;
}

function frameOf(
  found: readonly QueueStatus[],
  problems: readonly string[],
  time: string,
): Styled[][] {
  return [
    ...tableOf(found),
    ...problems.map((text): Styled[] => [{ text, style: "red" }]),
    [{
      text: `At ${time}, every ${LOOK_MS / 1000} s; Ctrl+C stops`,
      style: "dim",
    }],
  ];
}

function append(
  found: readonly QueueStatus[],
  { json, isFirst, time }: How & {
    readonly isFirst: boolean;
    readonly time: string;
  },
  io: Output,
): void {
  if (json) {
    for (const each of found) io.stdout(JSON.stringify({ time, ...each }));
    return;
  }
  const [header, ...lines] = tableOf(found);
  if (isFirst) io.stdout("TIME".padEnd(time.length + 2), ...header!);
  for (const line of lines) io.stdout(`${time}  `, ...line);
}
