/**
 * `zsqs send QUEUE ARG...`: sends jobs.
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
} from "./_cli_command.ts";
import { DONE } from "./_cli_errors.ts";
import {
  integerOf,
  WHERE_HELP,
  WHERE_OPTIONS,
  whereOf,
} from "./_cli_options.ts";
import { linesOf, sendLines } from "./_cli_send_lines.ts";
import { openQueue } from "./_connect.ts";
import { type JobOptions, Sender } from "./_sender.ts";
import { parseExact } from "./_exact_json.ts";
import { loadTelemetry } from "./_telemetry.ts";
import { kwargs } from "./_wire.ts";

const HELP = `Send a job to an SQS queue.

Usage:
  ${PROGRAM} send [OPTIONS] QUEUE ARG...
  ${PROGRAM} send [OPTIONS] --stdin QUEUE

QUEUE is the queue's name, URL or ARN. Options come before it; all after it is
the job's arguments, an option too: each is JSON where it parses as JSON, else a
string, and NAME=ARG is a keyword argument.

With --stdin each line of standard input is a job: a JSON array of its
arguments, or an object with "args" and, as needed, "kwargs", "delaySeconds",
"groupId", "deduplicationId" and "attributes". At a line that is wrong it stops:
those before are sent, none after, and it says with which --lines to go on.

Options:
${WHERE_HELP}
  --base64           write the body in Base64, for workers of zc.sqs
  --delay=SECONDS    hide the job for up to 900 s
  --group=ID         the message group
  --deduplication-id=ID    the deduplication id, on FIFO queues
  --attribute=NAME=VALUE   a message attribute; may be repeated
  --stdin            send a job for each line of standard input
  --lines=LIST       only these lines of it, such as 7 or 3,7-9,105-
  --debug            print stacks with errors
  --help             print this

Exit status: 0 done or stopped as asked, 1 a job could not be sent, 2 bad usage
or input, or there is no such queue.`;

/** Sends a job, or one for each line of standard input. */
export const SEND: Command = {
  help: HELP,
  boolean: ["local", "base64", "stdin"],
  string: [...WHERE_OPTIONS, "delay", "group", "deduplication-id", "lines"],
  collect: ["attribute"],
  stopEarly: true,
  run: send,
};

async function send(options: ParsedOptions, io: Io): Promise<number> {
  try {
    return await sendJobs(options, io);
  } catch (error) {
    throw asInputError(error);
  }
}

async function sendJobs(options: ParsedOptions, io: Io): Promise<number> {
  const [name, ...texts] = options.positional;
  if (name === undefined) {
    throw new UsageError("No queue given: name the queue to send to");
  }
  if (options.has("stdin") && texts.length > 0) {
    throw new UsageError(
      `Option --stdin takes jobs from standard input: got the argument ${
        texts[0]
      } too`,
    );
  }
  const lines = linesOf(options.get("lines"));
  if (lines !== undefined && !options.has("stdin")) {
    throw new UsageError("Option --lines goes with --stdin");
  }
  const defaults = jobOptionsOf(options);
  const where = whereOf(options);
  const job = options.has("stdin") ? undefined : argumentsOf(texts);
  const encoding = options.has("base64") ? "base64" : "json";
  const sender = new Sender(
    await openQueue(name, where),
    encoding,
    await loadTelemetry(),
  );
  if (job === undefined) {
    return await sendLines(sender, { defaults, io, ...(lines && { lines }) });
  }
  await using queue = sender;
  const { messageId } = await queue.send(job, defaults);
  io.stdout(`Sent to ${queue.name}: ${messageId}`);
  // Who writes -- means what stands after it.
  const end = texts.includes("--") ? texts.indexOf("--") : texts.length;
  for (const text of texts.slice(0, end).filter(isOption)) {
    io.stderr(
      `Sent ${text} as an argument as it stands after the queue: options come before it`,
    );
  }
  return DONE;
}

/** Whether an argument is spelt as one of this command's options. */
function isOption(text: string): boolean {
  const [, name] = /^--([a-z0-9-]+)(?:=.*)?$/s.exec(text) ?? [];
  return name !== undefined &&
    [...SEND.boolean, ...SEND.string, ...SEND.collect ?? []].includes(name);
}

/** The arguments that the command line gives. */
function argumentsOf(texts: readonly string[]): unknown[] {
  const args: unknown[] = [];
  const keywords = new Map<string, unknown>();
  for (const text of texts) {
    const match = /^(?<name>[\p{ID_Start}_][\p{ID_Continue}]*)=(?<value>.*)$/su
      .exec(text);
    if (match === null) {
      args.push(valueOf(text));
      continue;
    }
    const { name, value } = match.groups as { name: string; value: string };
    if (keywords.has(name)) {
      throw new UsageError(`Keyword argument ${name} is given twice`);
    }
    keywords.set(name, valueOf(value));
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
  const groupId = options.get("group");
  const deduplicationId = options.get("deduplication-id");
  const attributes = options.all("attribute").map((text) => {
    const [, name, value] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
    if (name === undefined) {
      throw new UsageError(
        `Option --attribute must be NAME=VALUE: current value is "${text}"`,
      );
    }
    return [name, value!] as const;
  });
  return {
    ...(delay === undefined
      ? {}
      : { delaySeconds: integerOf("delay", delay, 0, 900) }),
    ...(groupId === undefined ? {} : { groupId }),
    ...(deduplicationId === undefined ? {} : { deduplicationId }),
    ...(attributes.length === 0
      ? {}
      : { attributes: Object.fromEntries(attributes) }),
  };
}
