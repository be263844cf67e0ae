/**
 * `zsqs failed QUEUE`: lists failed messages, sends them back, deletes them.
 *
 * @module
 */

import { printable } from "../text.ts";
import { bodyText } from "../message/body.ts";
import { testMode } from "../connect/test_mode.ts";
import { unlessAborted } from "../clock.ts";
import {
  asInputError,
  type Command,
  type Io,
  type ParsedOptions,
  PROGRAM,
  UsageError,
} from "./command.ts";
import { DONE, FAILED } from "./errors.ts";
import { connectOptionsOf, WHERE_HELP, WHERE_OPTIONS } from "./command.ts";
import { counted, paint, plainNumber, Progress } from "./screen.ts";
import { systemClock } from "../clock.ts";
import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import {
  isDenied,
  type QueueAttributes,
  type ReceivedMessage,
} from "../sqs/connection.ts";
import {
  describeMessage,
  errorOf,
  failedAtMs,
  sourceName,
} from "../operate/failed_message.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { Redrive } from "../operate/redrive.ts";
import { listenToStopSignals } from "../signals.ts";
import {
  Sweep,
  SWEEP_VISIBILITY_SECONDS,
  type Swept,
} from "../operate/sweep.ts";

const HELP =
  `List failed messages, send them back to be tried again, or delete them.

Usage:
  ${PROGRAM} failed [OPTIONS] QUEUE

QUEUE is the name, URL or ARN of a queue that keeps failures ("failures" in an
ini file), or of an SQS dead-letter queue. Without --redrive and --purge it
lists its messages: age, the queue it came from, error, body; in a pipe the id
first.

It receives every message, hidden from others for ${SWEEP_VISIBILITY_SECONDS} s and longer as needed,
until two long polls in a row bring nothing new, and then releases what it did
not send back or delete. So the receive counts rise by one. What comes after it
was started is left.

Options:
  --error=PATTERN    only messages whose "ERROR: MESSAGE" holds this text, in
                     upper or lower case, or matches it: /REGULAR EXPRESSION/;
                     SQS's own dead letters carry no error
  --redrive          send them back, then delete them here, ten at a time
  --to=QUEUE         where to, instead of the queue each of them came from
  --purge            delete them
  --yes              do not ask before
  --json             a line of JSON for each message, or for what was done
${WHERE_HELP}
  --debug            print stacks with errors
  --help             print this

SIGTERM or Ctrl+C stops after the ten that are under way.

Exit status: 0 done or stopped as asked, 1 some could not be sent or deleted, 2
bad usage, or there is no such queue.`;

/** Lists failed messages, sends them back, deletes them. */
export const FAILED_COMMAND: Command = {
  help: HELP,
  boolean: ["redrive", "purge", "yes", "json", "local"],
  string: ["error", "to", ...WHERE_OPTIONS],
  run: failed,
};

type Action = "list" | "redrive" | "purge";

/** What is to be done, and with which messages. */
interface Order {
  readonly action: Action;
  /** What the messages must say, where not all are meant. */
  readonly pattern: ((error: string) => boolean) | undefined;
  readonly json: boolean;
}

async function failed(options: ParsedOptions, io: Io): Promise<number> {
  const [name, ...others] = options.positional;
  if (name === undefined || others.length > 0) {
    throw new UsageError(
      name === undefined
        ? "No queue given: name the queue that holds the failed messages"
        : `Give one queue: got ${options.positional.join(" ")}`,
    );
  }
  const order = orderOf(options, io);
  using stack = new DisposableStack();
  const { open, redrive } = await openAll(name, options, stack);
  const attributes = await attributesOf(open);
  if (!options.has("yes") && !await agreed(order, open, attributes, io)) {
    io.stderr("Nothing was done");
    return DONE;
  }
  return await new Work(io, order, open, redrive).run(attributes);
}

/** Opens the queue, and the one to send to where it is named for all. */
async function openAll(
  name: string,
  options: ParsedOptions,
  stack: DisposableStack,
): Promise<{ open: OpenQueue; redrive: Redrive }> {
  const where = connectOptionsOf(options);
  try {
    const open = await openQueue(name, where);
    stack.defer(() => open.connection.close());
    const redrive = stack.use(
      new Redrive({ from: open, where, to: options.get("to") }),
    );
    await redrive.checkTarget();
    return { open, redrive };
  } catch (error) {
    throw asInputError(error);
  }
}

function orderOf(options: ParsedOptions, io: Io): Order {
  const redrive = options.has("redrive");
  const purge = options.has("purge");
  if (redrive && purge) {
    throw new UsageError("Give --redrive or --purge, not both");
  }
  if (options.get("to") !== undefined && !redrive) {
    throw new UsageError("Option --to goes with --redrive");
  }
  if (purge && !options.has("yes") && !canAsk(io)) {
    throw new UsageError(
      "Option --purge needs --yes where there is no terminal to ask on",
    );
  }
  return {
    action: redrive ? "redrive" : purge ? "purge" : "list",
    pattern: patternOf(options.get("error")),
    json: options.has("json"),
  };
}

/** What `--error` means: text in upper or lower case, or `/EXPRESSION/`. */
function patternOf(
  text: string | undefined,
): ((error: string) => boolean) | undefined {
  if (text === undefined) return undefined;
  const expression = /^\/(.+)\/(i?)$/s.exec(text);
  if (expression === null) {
    const wanted = text.toLowerCase();
    return (error) => error.toLowerCase().includes(wanted);
  }
  try {
    const regExp = new RegExp(expression[1]!, `u${expression[2]}`);
    return (error) => regExp.test(error);
  } catch (error) {
    throw new UsageError(
      `Option --error must be text or a /REGULAR EXPRESSION/: ${
        (error as Error).message
      }`,
    );
  }
}

function canAsk({ screen }: Io): boolean {
  return screen.stdin && screen.stderr;
}

/** Nothing is held while it asks, so that an answer may take its time. */
async function agreed(
  { action, pattern }: Order,
  { ref }: OpenQueue,
  { visible }: QueueAttributes,
  io: Io,
): Promise<boolean> {
  if (action === "list" || !canAsk(io)) return true;
  const many = visible === undefined
    ? "the messages"
    : `about ${counted(visible, "message")}`;
  const which = pattern === undefined
    ? many
    : `those of ${many} that match --error`;
  io.draw(
    action === "purge"
      ? `Delete ${which} in ${ref.name} for good? [y/N] `
      : `Send ${which} in ${ref.name} back to be tried again? [y/N] `,
  );
  for await (const answer of io.stdin()) {
    return /^y(es)?$/i.test(answer.trim());
  }
  return false;
}

/** What is known of the queue; the right to ask is not needed. */
async function attributesOf(
  { connection, url }: OpenQueue,
): Promise<QueueAttributes> {
  try {
    return await connection.attributes(url);
  } catch (error) {
    if (isDenied(error)) return {};
    throw error;
  }
}

/** What the action is called when it is done. */
const VERBS = { list: "Listed", redrive: "Sent back", purge: "Deleted" };

/** One run of the command. */
class Work {
  readonly #io: Io;
  readonly #order: Order;
  readonly #open: OpenQueue;
  readonly #redrive: Redrive;
  readonly #clock = testMode()?.clock ?? systemClock;
  /** How many messages were meant. */
  #selected = 0;
  /** How many were listed, sent back or deleted. */
  #done = 0;
  /** How many of what was sent back have come again. */
  #again = 0;
  /** How many were sent to each queue. */
  readonly #sentTo = new Map<string, number>();
  /** How many stay, by why. */
  readonly #problems = new Map<string, number>();

  constructor(io: Io, order: Order, open: OpenQueue, redrive: Redrive) {
    this.#io = io;
    this.#order = order;
    this.#open = open;
    this.#redrive = redrive;
  }

  async run(attributes: QueueAttributes): Promise<number> {
    using stop = listenToStopSignals();
    const status = await unlessAborted(
      this.#sweep(attributes, stop.signal),
      stop.forceSignal,
    );
    if (status !== undefined) return status;
    this.#io.stderr(
      `Stopped at once: what was received is visible again within ${SWEEP_VISIBILITY_SECONDS} s`,
    );
    return FAILED;
  }

  async #sweep(
    { visible, redrive }: QueueAttributes,
    signal: AbortSignal,
  ): Promise<number> {
    const { action, pattern } = this.#order;
    if (redrive !== undefined) {
      this.#io.stderr(
        `Each receive counts: SQS moves a message of ${this.#open.ref.name} to ${
          parseQueueRef(redrive.deadLetterQueue)?.name
        } after ${counted(redrive.maxReceiveCount, "receive")}`,
      );
    }
    using progress = new Progress(this.#io, {
      verb: VERBS[action],
      noun: "message",
      clock: this.#clock,
      total: pattern === undefined ? visible : undefined,
    });
    const sweep = new Sweep(this.#open, {
      clock: this.#clock,
      signal,
      warn: (text) => progress.say(text),
    });
    try {
      for await (const batch of sweep.batches()) {
        await this.#handle(batch, sweep);
        if (!this.#showsProgress) continue;
        progress.update(this.#done, visible ? sweep.seen / visible : undefined);
      }
    } finally {
      progress[Symbol.dispose]();
      await sweep[Symbol.asyncDispose]();
      this.#report(sweep);
      if (signal.aborted) {
        this.#io.stderr("Stopped as asked: run it again for the rest");
      }
    }
    return this.#problems.size > 0 || sweep.undeleted > 0 ? FAILED : DONE;
  }

  /** The lines of a list tell themselves how far it is, where they are seen. */
  get #showsProgress(): boolean {
    const { stdout, stderr } = this.#io.screen;
    return this.#order.action !== "list" || (stderr && !stdout);
  }

  /** Does what is to be done with messages that were received together. */
  async #handle(batch: readonly Swept[], sweep: Sweep): Promise<void> {
    const ours = batch.filter(({ lease }) => !lease.lost);
    const chosen = ours.filter(({ message }) => this.#isMeant(message));
    this.#selected += chosen.length;
    const { gone, stop } = await this.#act(chosen);
    if (gone.length > 0) await sweep.delete(gone);
    sweep.pass(ours.filter((each) => !gone.includes(each)));
    if (stop !== undefined) throw stop.error;
  }

  /** Tells which messages are to be deleted, and what stops all else. */
  async #act(chosen: readonly Swept[]): Promise<Acted> {
    switch (this.#order.action) {
      case "list":
        for (const { message } of chosen) this.#list(message);
        this.#done += chosen.length;
        return { gone: [] };
      case "purge":
        this.#done += chosen.length;
        return { gone: chosen };
      case "redrive":
        return await this.#sendBack(chosen);
    }
  }

  async #sendBack(chosen: readonly Swept[]): Promise<Acted> {
    const { results, stop } = await this.#redrive.send(
      chosen.map(({ message }) => message),
    );
    const gone = chosen.filter((_, i) => {
      const result = results[i]!;
      if ("sentTo" in result) add(this.#sentTo, result.sentTo);
      else if ("again" in result) this.#again++;
      else if (stop === undefined) add(this.#problems, result.problem);
      return "sentTo" in result;
    });
    this.#done += gone.length;
    return { gone, stop };
  }

  #isMeant(message: ReceivedMessage): boolean {
    const { pattern } = this.#order;
    if (pattern === undefined) return true;
    const error = errorOf(message);
    return error !== undefined && pattern(error);
  }

  #list(message: ReceivedMessage): void {
    const now = this.#clock.now();
    this.#io.stdout(
      this.#order.json
        ? JSON.stringify(describeMessage(message, now))
        : messageLine(message, now, this.#io),
    );
  }

  #report(sweep: Sweep): void {
    const { action, json, pattern } = this.#order;
    const { name, fifo } = this.#open.ref;
    const say = (line: string) => this.#io.stderr(line);
    if (action === "list") {
      const again = sweep.seen === 0
        ? ""
        : ", received once more and visible again";
      say(`${this.#result(sweep)}${again}`);
    } else this.#io.stdout(json ? this.#json(sweep) : this.#result(sweep));
    for (const [text, count] of this.#problems) {
      say(
        `Left ${counted(count, "message")} of ${name}: ${
          count === 1 ? "it" : "each"
        } ${text}`,
      );
    }
    if (sweep.undeleted > 0) {
      say(
        `Could not delete ${counted(sweep.undeleted, "message")} of ${name}${
          action === "redrive" ? ": sent, and sent again by the next run" : ""
        }`,
      );
    }
    const newer = sweep.newer + this.#again;
    if (newer > 0) say(`Left ${counted(newer, "message")} that came meanwhile`);
    if (sweep.unreleased > 0) {
      say(
        `Could not release ${
          counted(sweep.unreleased, "message")
        }: visible again within ${SWEEP_VISIBILITY_SECONDS} s`,
      );
    }
    if (fifo && (action === "list" || pattern !== undefined)) {
      say(
        `${name} is a FIFO queue: what stands behind the first messages of a group shows when those are gone`,
      );
    }
  }

  /** What was done, in a line. */
  #result(sweep: Sweep): string {
    const { action } = this.#order;
    const done = this.#doneBy(sweep);
    const seen = sweep.seen - this.#again;
    const many = done === seen
      ? counted(done, "message")
      : `${plainNumber(done)} of ${counted(seen, "message")}`;
    const where = [...this.#sentTo].map(([queue, count]) =>
      `${plainNumber(count)} to ${queue}`
    );
    return `${VERBS[action]} ${many} of ${this.#open.ref.name}${
      where.length > 0 ? `: ${where.join(", ")}` : ""
    }`;
  }

  #json(sweep: Sweep): string {
    const done = this.#doneBy(sweep);
    return JSON.stringify({
      queue: this.#open.ref.name,
      seen: sweep.seen - this.#again,
      selected: this.#selected - this.#again,
      ...(this.#order.action === "purge"
        ? { deleted: done }
        : { sentBack: done, sentTo: Object.fromEntries(this.#sentTo) }),
    });
  }

  #doneBy({ undeleted }: Sweep): number {
    return this.#order.action === "purge" ? this.#done - undeleted : this.#done;
  }
}

/** What came of an action. */
interface Acted {
  /** What is to be deleted. */
  readonly gone: readonly Swept[];
  /** What keeps the others from being handled. */
  readonly stop?: { readonly error: unknown } | undefined;
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

/**
 * It in a line: with its id first in a pipe; on a terminal without, and cut to
 * the width.
 */
function messageLine(
  message: ReceivedMessage,
  nowMs: number,
  io: Io,
): string {
  const error = errorOf(message) ??
    `received ${counted(message.receiveCount, "time")}`;
  const parts = [
    age(nowMs - failedAtMs(message)).padStart(6),
    sourceName(message) ?? "-",
    error,
    bodyText(message.body),
  ].map(printable);
  if (!io.screen.stdout) return [message.messageId, ...parts].join("  ");
  let room = io.screen.columns;
  return parts.map((part, i) => {
    const text = i === 0 ? part : `  ${part}`;
    const cut = text.length <= room
      ? text
      : text.slice(0, Math.max(0, room - 1)) + (room > 0 ? "…" : "");
    room -= cut.length;
    return paint(cut, STYLES[i]!, io);
  }).join("");
}

const STYLES = ["dim", "bold", "red", "plain"] as const;

function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
