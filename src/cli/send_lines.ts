/**
 * `zsqs send --stdin`: a job for each line of standard input.
 *
 * @module
 */

import { untilAborted } from "../clock.ts";
import type { OpenQueue } from "../connect/open_queue.ts";
import { messageOf, SendError } from "../errors.ts";
import { kwargs } from "../message/body.ts";
import type { BodyFormat } from "../message/reading.ts";
import { parseExact } from "../message/strict_json.ts";
import { counted } from "../numbers.ts";
import { refuseUnknown } from "../unknown_options.ts";
import { MAX_BYTES } from "../sqs/connection.ts";
import { MAX_OBJECT_BYTES } from "../sqs/objects.ts";
import { isShared } from "../sending/send_queue.ts";
import {
  JOB_OPTIONS,
  type JobOptions,
  type SendAllResult,
} from "../sending/job_options.ts";
import type { Sender } from "../sending/sender.ts";
import { DONE, FAILED } from "./errors.ts";
import { type LinePart, readLines } from "./lines.ts";
import { type Output, Progress } from "./screen.ts";
import { untilForced } from "./stop.ts";

/**
 * The longest line that is read into memory. JSON may spell each byte of a body
 * with six characters, such as `\u0041`.
 */
const MAX_LINE_BYTES = 8 * MAX_BYTES;

/** The same if bodies may go to S3: few of their characters may be spelt so. */
const MAX_LARGE_LINE_BYTES = MAX_OBJECT_BYTES + MAX_LINE_BYTES;

const MAX_NAMED = 5;

const LINE_MEMBERS = ["args", "kwargs", ...JOB_OPTIONS];

interface LineJob extends JobOptions {
  readonly args: readonly unknown[];
}

interface SendLinesOptions {
  readonly io: Output;
  readonly open: OpenQueue;
  /** The options of jobs whose lines do not set them. */
  readonly defaults: JobOptions;
  /** The first line to send, counted from 1. */
  readonly from: number;
  /** What a line is: a job, or a body. */
  readonly body: BodyFormat;
  /** Whether bodies that are too large for SQS go to S3. */
  readonly isLarge: boolean;
}

/**
 * Sends a job for each line of standard input, copies refused lines to standard
 * output, and closes the queue.
 *
 * @throws {SendError} If a failure stops it that every line would share.
 */
export async function sendLines(
  queue: Sender,
  options: SendLinesOptions,
): Promise<number> {
  const sending = new LineSender(queue, options);
  return await untilForced((signal) => sending.run(signal), {
    io: options.io,
    left: () => `it is unknown whether ${sending.inFlight} went out`,
  });
}

/** A line, or the first part of one that is too long. */
interface Line extends LinePart {
  readonly number: number;
}

class LineSender {
  readonly #queue: Sender;
  readonly #options: SendLinesOptions;
  readonly #progress: Progress;
  readonly #maxBytes: number;
  /** Aborts when no more lines must be read. */
  readonly #enough = new AbortController();
  readonly #inFlight: Line[] = [];
  /** Resolves when the last line in flight is settled. */
  #settled = Promise.withResolvers<void>();
  #sent = 0;
  #refused = 0;
  #copied = 0;
  #readBytes = 0;
  /** The first line that was not read. */
  #next = 1;
  /** A failure that every further line would share. */
  #failure: { readonly error: unknown } | undefined;

  constructor(queue: Sender, options: SendLinesOptions) {
    this.#queue = queue;
    this.#options = options;
    this.#maxBytes = options.isLarge ? MAX_LARGE_LINE_BYTES : MAX_LINE_BYTES;
    const textOf = (done: number) => `Sent ${counted(done, "job")}`;
    this.#progress = new Progress(options.io, options.open.clock, textOf);
  }

  /** The lines whose results are unknown. */
  get inFlight(): string {
    const [first, last] = [this.#inFlight[0], this.#inFlight.at(-1)];
    return first === last
      ? `line ${first?.number}`
      : `lines ${first!.number} to ${last!.number}`;
  }

  async run(signal: AbortSignal): Promise<number> {
    const enough = AbortSignal.any([signal, this.#enough.signal]);
    await using queue = this.#queue;
    const onResult = (result: SendAllResult) => this.#settle(result);
    {
      using _progress = this.#progress;
      await queue.sendAll(this.#jobs(enough), { onResult });
    }
    this.#report(enough.aborted);
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#refused > 0 ? FAILED : DONE;
  }

  #report(stopped: boolean): void {
    const { io } = this.#options;
    io.stderr(`Sent ${counted(this.#sent, "job")} to ${this.#queue.name}`);
    if (this.#copied > 0) {
      const lines = counted(this.#copied, "refused line");
      const how = this.#failure === undefined ? "fix and resend" : "resend";
      io.stderr(`Copied ${lines} to standard output: ${how} them`);
    }
    if (stopped) {
      io.stderr(
        `Stopped before line ${this.#next}: rerun with --from=${this.#next} to send the rest`,
      );
    }
  }

  /** Jobs of the lines, until the input ends or it is enough. */
  async *#jobs(enough: AbortSignal): AsyncGenerator<LineJob, void, void> {
    const { io, from } = this.#options;
    let isRest = false;
    try {
      const parts = readLines(io.stdin(), this.#maxBytes);
      for await (const part of untilAborted(parts, enough)) {
        const number = isRest ? this.#next - 1 : this.#next++;
        this.#readBytes += part.bytes.length;
        if (number >= from) {
          const job = await this.#read({ ...part, number }, isRest);
          if (job !== undefined) yield job;
        }
        isRest = part.more;
      }
    } catch (error) {
      if (!enough.aborted) this.#stop(error);
    }
  }

  /** A line's job, unless the line is blank or refused. */
  async #read(line: Line, isRest: boolean): Promise<LineJob | undefined> {
    try {
      if (line.more || isRest) {
        throw new RangeError(`it is over ${this.#maxBytes} bytes`);
      }
      const { defaults, body } = this.#options;
      const parsed = parseLine(decode(line), body);
      if (parsed === undefined) return undefined;
      const job = { ...defaults, ...parsed };
      this.#queue.check(job);
      this.#inFlight.push(line);
      return job;
    } catch (error) {
      // Copies keep the input's order.
      if (this.#inFlight.length > 0) await this.#settled.promise;
      if (isRest) this.#copy(line);
      else this.#refuse(line, messageOf(error));
      return undefined;
    }
  }

  #settle(result: SendAllResult): void {
    const line = this.#inFlight.shift()!;
    if (result.status === "failed") {
      if (concernsAll(result.error)) this.#stop(result.error);
      this.#refuse(line, result.error.message);
    } else this.#sent++;
    if (this.#inFlight.length === 0) {
      this.#settled.resolve();
      this.#settled = Promise.withResolvers();
    }
    const { stdin, inputBytes } = this.#options.io.screen;
    // A person who types the lines sees them already.
    if (stdin) return;
    const fraction = inputBytes ? this.#readBytes / inputBytes : undefined;
    this.#progress.update(this.#sent, fraction);
  }

  #refuse(line: Line, problem: string): void {
    const { io, open } = this.#options;
    this.#refused++;
    // Later jobs of its group would overtake it.
    if (open.ref.fifo) this.#enough.abort();
    // A failure that stops all is reported at the end.
    if (this.#failure === undefined && this.#refused <= MAX_NAMED) {
      const text = `Line ${line.number} refused: ${problem}`;
      this.#progress.above(() => io.stderr(text));
    }
    if (this.#copy(line)) this.#copied++;
  }

  #stop(error: unknown): void {
    this.#failure ??= { error };
    this.#enough.abort();
  }

  /** Returns whether standard output took it. */
  #copy({ bytes }: Line): boolean {
    try {
      this.#progress.above(() => this.#options.io.copy(bytes));
      return true;
    } catch (error) {
      this.#stop(error);
      return false;
    }
  }
}

/** Whether further lines would fail for the same reason. */
function concernsAll(error: Error): boolean {
  return error instanceof SendError
    ? !error.senderFault || isShared(error)
    : !(error instanceof TypeError || error instanceof RangeError);
}

/** A line without its end; a byte-order mark counts at the start alone. */
function decode({ bytes, number }: Line): string {
  const options = { fatal: true, ignoreBOM: number > 1 };
  try {
    return new TextDecoder("utf-8", options).decode(bytes)
      .replace(/\r?\n$/, "");
  } catch {
    throw new TypeError("it is not UTF-8");
  }
}

/** The job of a line, unless the line is blank. */
function parseLine(line: string, body: BodyFormat): LineJob | undefined {
  if (line.trim() === "") return undefined;
  switch (body) {
    case "job":
      return parseJob(line.trim());
    case "json":
      return { args: [parseExact(line.trim())] };
    case "text":
      return { args: [line] };
  }
}

function parseJob(line: string): LineJob {
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
