/**
 * `zsqs send QUEUE ARG...`: sends jobs.
 *
 * @module
 */

import {
  type Command,
  InputError,
  type Io,
  type ParsedOptions,
  PROGRAM,
  UsageError,
} from "./_cli_command.ts";
import { DONE, FAILED } from "./_cli_errors.ts";
import { integerOf, portOf } from "./_cli_options.ts";
import { LOCAL_PORT, LOCAL_REGION } from "./_local.ts";
import { openQueue } from "./_connect.ts";
import type { ConnectOptions } from "./_connection.ts";
import { type JobOptions, Sender } from "./_sender.ts";
import { loadTelemetry } from "./_telemetry.ts";
import { refuseUnknown } from "./_unknown.ts";
import { kwargs } from "./_wire.ts";

const HELP = `Send a job to an SQS queue.

Usage:
  ${PROGRAM} send [OPTIONS] QUEUE ARG...
  ${PROGRAM} send [OPTIONS] --stdin QUEUE

QUEUE is the queue's name, URL or ARN. Options come before it; all after it is
the job's arguments, an option too: each is JSON where it parses as JSON, else a string, and NAME=ARG is a keyword
argument. With --stdin each line of standard input is a job: a JSON array of its
arguments, or an object with "args" and, as needed, "kwargs", "delaySeconds",
"groupId", "deduplicationId" and "attributes".

Options:
  --region=REGION              the AWS region
  --endpoint=URL               the SQS server
  --local                      the server that a container with --local started
  --port=PORT                  its port, ${LOCAL_PORT} by default
  --base64                     write the body in Base64, for workers of zc.sqs
  --delay=SECONDS              hide the job for up to 900 s
  --group=ID                   the message group
  --deduplication-id=ID        the deduplication id, on FIFO queues
  --attribute=NAME=VALUE       a message attribute; may be repeated
  --stdin                      send a job for each line of standard input
  --debug                      print stacks with errors
  --help                       print this`;

/** Sends a job, or one for each line of standard input. */
export const SEND: Command = {
  help: HELP,
  boolean: ["local", "base64", "stdin"],
  string: ["region", "endpoint", "port", "delay", "group", "deduplication-id"],
  collect: ["attribute"],
  stopEarly: true,
  run: send,
};

async function send(options: ParsedOptions, io: Io): Promise<number> {
  try {
    return await sendJobs(options, io);
  } catch (error) {
    // What the producer refuses is what the command line was given.
    throw error instanceof TypeError || error instanceof RangeError
      ? new InputError(error.message, { cause: error })
      : error;
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
  const jobOptions = jobOptionsOf(options);
  const where = whereOf(options);
  const job = options.has("stdin") ? undefined : argumentsOf(texts);
  const encoding = options.has("base64") ? "base64" : "json";
  const open = await openQueue(name, where);
  await using queue = new Sender(open, encoding, await loadTelemetry());
  if (job === undefined) return await sendLines(queue, jobOptions, io);
  const { messageId } = await queue.send(job, jobOptions);
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

async function sendLines(
  queue: Sender,
  defaults: JobOptions,
  io: Io,
): Promise<number> {
  const lines: number[] = [];
  let bad: Error | undefined;
  let failed = false;
  async function* jobs() {
    let number = 0;
    for await (const text of io.stdin()) {
      const line = number++ === 0 ? text.replace(/^\ufeff/, "") : text;
      if (line.trim() === "") continue;
      if (failed) return;
      try {
        const job = { ...defaults, ...jobOf(line) };
        lines.push(number);
        yield job;
      } catch (error) {
        bad = new TypeError(
          `Cannot send line ${number}: ${(error as Error).message}`,
        );
        return;
      }
    }
  }
  const { sent } = await queue.sendAll(jobs(), {
    onResult(result) {
      if (!("error" in result)) return;
      failed = true;
      io.stderr(`Line ${lines[result.index]}: ${result.error.message}`);
    },
  });
  const end = failed ? `: nothing after line ${lines.at(-1)} was sent` : "";
  io.stdout(
    `Sent ${sent} ${sent === 1 ? "job" : "jobs"} to ${queue.name}${end}`,
  );
  if (bad !== undefined) throw bad;
  return failed ? FAILED : DONE;
}

/** What an object in a line of `--stdin` may have. */
const LINE_MEMBERS = [
  "args",
  "kwargs",
  "delaySeconds",
  "groupId",
  "deduplicationId",
  "attributes",
];

interface LineJob extends JobOptions {
  readonly args: readonly unknown[];
}

function jobOf(line: string): LineJob {
  const value = parseExact(line);
  if (Array.isArray(value)) return { args: value };
  if (typeof value !== "object" || value === null || !("args" in value)) {
    throw new TypeError(
      'wanted a JSON array of arguments, or an object with "args"',
    );
  }
  refuseUnknown(value, LINE_MEMBERS, "send job");
  const { args, kwargs: keywords, ...options } = value as
    & LineJob
    & { kwargs?: object };
  if (!Array.isArray(args)) throw new TypeError('"args" must be an array');
  return {
    ...options,
    args: keywords === undefined ? args : [...args, kwargs(keywords)],
  };
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

/** Reads JSON, refusing whole numbers that JavaScript would change. */
function parseExact(text: string): unknown {
  return JSON.parse(
    text,
    // TypeScript does not know the third parameter yet.
    ((_key: string, value: unknown, context?: { source?: string }) => {
      const source = context?.source ?? "";
      if (
        typeof value === "number" && /^-?\d+$/.test(source) &&
        !(Number.isFinite(value) && BigInt(source) === BigInt(value))
      ) {
        throw new RangeError(
          `Cannot send ${source} as a number as JavaScript would change it to ${value}: send it as a string, "${source}" with the quotes`,
        );
      }
      return value;
    }) as (key: string, value: unknown) => unknown,
  );
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

function whereOf(options: ParsedOptions): ConnectOptions {
  const local = options.has("local");
  if (!local && options.get("port") !== undefined) {
    throw new UsageError("Option --port goes with --local");
  }
  if (local && options.get("endpoint") !== undefined) {
    throw new UsageError("Give --endpoint or --local, not both");
  }
  const port = portOf(options.get("port"));
  const region = options.get("region") ?? (local ? LOCAL_REGION : undefined);
  const endpoint = local ? `http://127.0.0.1:${port}` : options.get("endpoint");
  return {
    local,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
}
