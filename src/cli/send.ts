/**
 * `zsqs send QUEUE ARG...`: sends jobs.
 *
 * @module
 */

import { loadTelemetry, openQueue } from "../connect/open_queue.ts";
import { kwargs } from "../message/body.ts";
import { isBodyFormat } from "../message/reading.ts";
import { parseExact } from "../message/strict_json.ts";
import type { Writing } from "../message/writing.ts";
import type { JobOptions } from "../sending/job_options.ts";
import { checkLarge, type Large } from "../sending/large_bodies.ts";
import { Sender } from "../sending/sender.ts";
import { MAX_BYTES, MAX_DELAY_SECONDS } from "../sqs/connection.ts";
import {
  type Command,
  CONNECT_OPTIONS,
  connectOptionsOf,
  folderOf,
  integerOf,
  optionsOf,
  type ParsedOptions,
  UsageError,
} from "./command.ts";
import { DONE } from "./errors.ts";
import { sendLines } from "./send_lines.ts";
import { orDash, type Output } from "./screen.ts";

export const SEND: Command = {
  name: "send",
  summary: "Send a job to an SQS queue.",
  brief: "send a job",
  usage: ["[OPTIONS] QUEUE ARG...", "[OPTIONS] --stdin QUEUE"],
  about: `\
QUEUE is the queue's name, URL or ARN. Options come before it; everything after
it is an argument of the job. An argument that parses as JSON is sent as JSON,
any other as a string. NAME=ARG is a keyword argument.

With --stdin, each line of standard input is a job. It is a JSON array of
arguments, or an object with "args". The object may also have "kwargs",
"delaySeconds", "groupId", "deduplicationId" and "attributes".

With --body=json or --body=text, a job has one argument, and its body is that
JSON or text alone. With --stdin, each line is a body, and blank lines are
skipped.

Refused lines of standard input are copied to standard output unchanged, so that
"> rest.jsonl" keeps them. It stops early at Ctrl+C, if every further line would
fail, and at the first refused line of a FIFO queue. Then it prints the --from
that sends the rest.`,
  options: [
    ...CONNECT_OPTIONS,
    {
      name: "body",
      value: "FORMAT",
      meaning: "the body: job (the default), json or text",
    },
    { name: "base64", meaning: "write jobs in Base64, for zc.sqs workers" },
    {
      name: "delay",
      value: "SECONDS",
      meaning: `hide the job for up to ${MAX_DELAY_SECONDS} s`,
    },
    { name: "group", value: "ID", meaning: "the message group" },
    {
      name: "deduplication-id",
      value: "ID",
      meaning: "the deduplication id, on FIFO queues",
    },
    {
      name: "attribute",
      value: "NAME=VALUE",
      meaning: "a message attribute; may be repeated",
    },
    {
      name: "large",
      value: "S3URL",
      meaning: "where jobs over 1 MiB go: s3://bucket/prefix",
    },
    {
      name: "large-from",
      value: "BYTES",
      meaning: "the size from which a job goes there",
    },
    { name: "stdin", meaning: "send a job for each line of standard input" },
    { name: "from", value: "N", meaning: "start at line N of standard input" },
  ],
  exitStatus: `0 done or stopped as asked, 1 a job was not sent, 2 bad usage
or input, or no such queue.`,
  stopEarly: true,
  missing: "No queue given: name the queue to send to",
  run: send,
};

async function send(options: ParsedOptions, io: Output): Promise<number> {
  const [name = "", ...texts] = options.positional;
  const isStdin = options.has("stdin");
  if (isStdin && texts.length > 0) {
    throw new UsageError(
      `Option --stdin takes no arguments as jobs come from standard input: got ${
        texts[0]
      }`,
    );
  }
  const first = options.get("from");
  if (first !== undefined && !isStdin) {
    throw new UsageError("Option --from needs --stdin");
  }
  const from = integerOf("from", first ?? "1", 1, 1e9);
  const defaults = jobOptionsOf(options);
  const where = connectOptionsOf(options);
  const writing = writingOf(options);
  const large = largeOf(options);
  const { body } = writing;
  if (body !== "job" && !isStdin && texts.length !== 1) {
    throw new UsageError(
      `Option --body=${body} takes one argument: got ${texts.length}`,
    );
  }
  const job = body === "text" ? texts : argumentsOf(texts);
  const open = await openQueue(name, where);
  const telemetry = await loadTelemetry();
  const sender = new Sender(open, writing, { telemetry, large, where });
  if (isStdin) {
    const lines = { io, open, defaults, from, body };
    return await sendLines(sender, { ...lines, isLarge: large !== undefined });
  }
  await using queue = sender;
  const { messageId } = await queue.send(job, defaults);
  io.stdout(`Sent to ${queue.name}: ${orDash(messageId)}`);
  // After "--" they are meant as arguments.
  const end = texts.includes("--") ? texts.indexOf("--") : texts.length;
  for (const text of texts.slice(0, end).filter(isOption)) {
    io.stderr(
      `Sent ${text} as an argument: options must come before the queue`,
    );
  }
  return DONE;
}

/** Whether an argument is spelt like an option of this command. */
function isOption(text: string): boolean {
  const [, spelt] = /^--([a-z0-9-]+)(?:=.*)?$/s.exec(text) ?? [];
  return optionsOf(SEND).some(({ name }) => name === spelt);
}

function writingOf(options: ParsedOptions): Writing {
  const body = options.get("body") ?? "job";
  if (!isBodyFormat(body)) {
    throw new UsageError(
      `Option --body must be job, json or text: current value is "${body}"`,
    );
  }
  if (!options.has("base64")) return { body, encoding: "json" };
  if (body === "job") return { body, encoding: "base64" };
  throw new UsageError(`Give --base64 or --body=${body}, not both`);
}

function largeOf(options: ParsedOptions): Large | undefined {
  const large = options.get("large");
  const from = options.get("large-from");
  if (large === undefined && from !== undefined) {
    throw new UsageError("Option --large-from needs --large");
  }
  folderOf(options);
  const largeFrom = from && integerOf("large-from", from, 1, MAX_BYTES);
  return checkLarge({ large, largeFrom: largeFrom || undefined });
}

function argumentsOf(texts: readonly string[]): unknown[] {
  const args: unknown[] = [];
  const keywords = new Map<string, unknown>();
  for (const text of texts) {
    const [, name, value] =
      /^([\p{ID_Start}_][\p{ID_Continue}]*)=(.*)$/su.exec(text) ?? [];
    if (name === undefined) args.push(valueOf(text));
    else if (!keywords.has(name)) keywords.set(name, valueOf(value!));
    else throw new UsageError(`Keyword argument ${name} is given twice`);
  }
  return keywords.size === 0
    ? args
    : [...args, kwargs(Object.fromEntries(keywords))];
}

function valueOf(text: string): unknown {
  try {
    return parseExact(text);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    return text;
  }
}

function jobOptionsOf(options: ParsedOptions): JobOptions {
  const delay = options.get("delay");
  const attributes = options.all("attribute").map((text) => {
    const [, name, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    if (name !== undefined) return [name, value!] as const;
    throw new UsageError(
      `Option --attribute must be NAME=VALUE: current value is "${text}"`,
    );
  });
  return {
    delaySeconds: delay === undefined
      ? undefined
      : integerOf("delay", delay, 0, MAX_DELAY_SECONDS),
    groupId: options.get("group"),
    deduplicationId: options.get("deduplication-id"),
    attributes: Object.fromEntries(attributes),
  };
}
