/**
 * `zsqs send QUEUE ARG...`: sends jobs.
 *
 * @module
 */

import { testMode } from "../connect/test_mode.ts";
import { Buffer } from "node:buffer";
import { systemClock, unlessAborted, untilAborted } from "../clock.ts";
import { loadTelemetry, openQueue } from "../connect/open_queue.ts";
import { messageOf } from "../errors.ts";
import { kwargs } from "../message/body.ts";
import { parseExact } from "../message/strict_json.ts";
import { refuseUnknown } from "../options.ts";
import { MAX_DELAY_SECONDS } from "../sqs/connection.ts";
import type { JobOptions } from "../sending/job_options.ts";
import { Sender } from "../sending/sender.ts";
import { listenToStopSignals } from "../signals.ts";
import {
  asInputError,
  type Command,
  connectOptionsOf,
  InputError,
  integerOf,
  type Io,
  type ParsedOptions,
  PROGRAM,
  UsageError,
  WHERE_HELP,
  WHERE_OPTIONS,
} from "./command.ts";
import { DONE, FAILED } from "./errors.ts";
import { counted, Progress } from "./screen.ts";

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
  --delay=SECONDS    hide the job for up to ${MAX_DELAY_SECONDS} s
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
  const where = connectOptionsOf(options);
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
      : { delaySeconds: integerOf("delay", delay, 0, MAX_DELAY_SECONDS) }),
    ...(groupId === undefined ? {} : { groupId }),
    ...(deduplicationId === undefined ? {} : { deduplicationId }),
    ...(attributes.length === 0
      ? {}
      : { attributes: Object.fromEntries(attributes) }),
  };
}

/** Which lines are meant, each range with its first and last, in order. */
export type Lines = readonly (readonly [first: number, last: number])[];

/** What `sendLines` works with. */
export interface SendLinesOptions {
  readonly io: Io;
  /** The options of jobs that do not say otherwise. */
  readonly defaults: JobOptions;
  /** The lines to send; all by default. */
  readonly lines?: Lines;
}

/** What an object in a line may have. */
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

/**
 * Reads the value of `--lines`: `7`, `3,7-9` or `105-`.
 *
 * @throws {UsageError} If it is none.
 */
export function linesOf(text: string | undefined): Lines | undefined {
  return text?.split(",").map((part) => {
    const [, first, rest, last] =
      /^([1-9]\d{0,14})(-([1-9]\d{0,14})?)?$/.exec(part) ?? [];
    const ends = [
      Number(first),
      rest === "-" ? Infinity : Number(last ?? first),
    ] as const;
    if (ends[0] <= ends[1]) return ends;
    throw new UsageError(
      `Option --lines must be line numbers and ranges such as 7, 3,7-9 or 105-: current value is "${text}"`,
    );
  });
}

/**
 * Sends a job for each line of standard input, until one is wrong or refused.
 *
 * @param queue The queue, which is closed when all is settled.
 * @param options What is sent how.
 * @returns The exit status.
 * @throws {InputError} If a line is wrong.
 */
export async function sendLines(
  queue: Sender,
  options: SendLinesOptions,
): Promise<number> {
  using stop = listenToStopSignals();
  const sending = new LineSender(queue, options);
  const run = async () => {
    await using _queue = queue;
    return await sending.run(stop.signal);
  };
  const status = await unlessAborted(run(), stop.forceSignal);
  if (status !== undefined) return status;
  options.io.stderr(
    `Stopped at once: it is not known whether ${sending.underWay} went out`,
  );
  return FAILED;
}

/** Sends the jobs of lines, and keeps account of what was sent. */
class LineSender {
  readonly #queue: Sender;
  readonly #options: SendLinesOptions;
  /** How many bytes there are to read, where a bar can show it. */
  readonly #size: number | undefined;
  /** Aborts where no more lines are to be read. */
  readonly #enough = new AbortController();
  /** The lines whose jobs are under way, in order. */
  readonly #underWay: number[] = [];
  /** The lines that were refused, by why. */
  readonly #refused = new Map<string, number[]>();
  #sent = 0;
  #readBytes = 0;
  /** The first line that was not read, unless all were. */
  #next: number | undefined = 1;
  /** What is wrong with that line. */
  #wrong: { readonly error: unknown } | undefined;

  constructor(queue: Sender, options: SendLinesOptions) {
    const { screen } = options.io;
    this.#queue = queue;
    this.#options = options;
    this.#size = screen.stderr ? screen.inputBytes : undefined;
  }

  /** The lines of which nothing is known yet. */
  get underWay(): string {
    return named(rangesOf(this.#underWay));
  }

  async run(signal: AbortSignal): Promise<number> {
    const { io } = this.#options;
    await this.#sendAll(signal);
    io.stdout(`Sent ${counted(this.#sent, "job")} to ${this.#queue.name}`);
    for (const [problem, lines] of this.#refused) {
      const text = named(rangesOf(lines));
      io.stderr(`${text[0]!.toUpperCase()}${text.slice(1)}: ${problem}`);
    }
    const rest = this.#rest();
    const again = `run it again with --lines=${listed(rest)}`;
    if (this.#wrong !== undefined) {
      const { error } = this.#wrong;
      throw new InputError(
        `Cannot send line ${this.#next}: ${messageOf(error)}`,
        { cause: error, hint: `Mend what is wrong, and ${again}` },
      );
    }
    if (rest.length > 0) {
      io.stderr(
        this.#refused.size === 0
          ? `Stopped as asked: for the rest ${again}`
          : `Mend what is wrong, and ${again}`,
      );
    }
    return this.#refused.size > 0 ? FAILED : DONE;
  }

  async #sendAll(signal: AbortSignal): Promise<void> {
    using progress = new Progress(this.#options.io, {
      verb: "Sent",
      noun: "job",
      clock: testMode()?.clock ?? systemClock,
    });
    const enough = AbortSignal.any([signal, this.#enough.signal]);
    await this.#queue.sendAll(this.#jobs(enough), {
      onResult: (result) => {
        const line = this.#underWay.shift()!;
        if (result.status === "failed") {
          this.#refuse(result.error.message, line);
        } else this.#sent++;
        // Who types the lines sees how far it is.
        if (this.#options.io.screen.stdin) return;
        progress.update(
          this.#sent,
          this.#size ? this.#readBytes / this.#size : undefined,
        );
      },
    });
  }

  #refuse(problem: string, line: number): void {
    const lines = this.#refused.get(problem);
    if (lines === undefined) this.#refused.set(problem, [line]);
    else lines.push(line);
    this.#enough.abort();
  }

  /** The jobs of the lines, until one is wrong or it is enough. */
  async *#jobs(enough: AbortSignal): AsyncGenerator<LineJob> {
    const { io, defaults, lines = ALL } = this.#options;
    const end = Math.max(...lines.map(([, last]) => last));
    let number = 0;
    try {
      for await (const text of untilAborted(io.stdin(), enough)) {
        const line = number++ === 0 ? text.replace(/^\ufeff/, "") : text;
        this.#next = number;
        if (this.#size) this.#readBytes += Buffer.byteLength(text) + 1;
        if (line.trim() !== "" && isAmong(number, lines)) {
          const job = { ...defaults, ...jobOf(line) };
          this.#queue.check(job);
          this.#underWay.push(number);
          this.#next = number + 1;
          yield job;
        }
        if (number === end) break;
      }
      this.#next = undefined;
    } catch (error) {
      if (!enough.aborted) this.#wrong = { error };
    }
  }

  /** The lines that were meant and not sent. */
  #rest(): Lines {
    const from = this.#next ?? Infinity;
    const ahead = (this.#options.lines ?? ALL)
      .map(([first, last]) => [Math.max(first, from), last] as const)
      .filter(([first, last]) => first <= last && first < Infinity);
    const refused = [...this.#refused.values()].flat().sort((a, b) => a - b);
    return [...rangesOf(refused), ...ahead];
  }
}

const ALL: Lines = [[1, Infinity]];

function isAmong(line: number, lines: Lines): boolean {
  return lines.some(([first, last]) => line >= first && line <= last);
}

/** Ascending numbers as ranges. */
function rangesOf(numbers: readonly number[]): Lines {
  const ranges: [first: number, last: number][] = [];
  for (const number of numbers) {
    const range = ranges.at(-1);
    if (range !== undefined && range[1] === number - 1) range[1] = number;
    else ranges.push([number, number]);
  }
  return ranges;
}

/** Ranges as `--lines` takes them. */
function listed(lines: Lines): string {
  return lines.map(([first, last]) =>
    last === Infinity
      ? `${first}-`
      : first === last
      ? String(first)
      : `${first}-${last}`
  ).join(",");
}

function named(lines: Lines): string {
  const [range] = lines;
  const one = lines.length === 1 && range![0] === range![1];
  return `${one ? "line" : "lines"} ${listed(lines)}`;
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
