/**
 * `zsqs failed QUEUE`: lists, redrives or deletes failed messages.
 *
 * @module
 */

import { unlessAborted } from "../clock.ts";
import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import { bodyText } from "../message/body.ts";
import {
  describeMessage,
  errorOf,
  failedAtMs,
  sourceName,
} from "../operate/failed_message.ts";
import { type FailedAction, FailedWork } from "../operate/failed_work.ts";
import { readAttributes } from "../operate/queue_status.ts";
import { Redrive } from "../operate/redrive.ts";
import { SWEEP_VISIBILITY_SECONDS } from "../operate/sweep.ts";
import { listenToStopSignals } from "../signals.ts";
import type { QueueAttributes, ReceivedMessage } from "../sqs/connection.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { printable } from "../text.ts";
import {
  asInputError,
  type Command,
  CONNECT_OPTIONS,
  connectOptionsOf,
  type Io,
  type ParsedOptions,
  UsageError,
} from "./command.ts";
import { DONE, FAILED } from "./errors.ts";
import { readLines } from "./lines.ts";
import { counted, orDash, paint, plainNumber, Progress } from "./screen.ts";

/** Lists failed messages, redrives them, or deletes them. */
export const FAILED_COMMAND: Command = {
  name: "failed",
  summary:
    "List failed messages, send them back to be retried, or delete them.",
  usage: ["[OPTIONS] QUEUE"],
  about: `\
QUEUE is the name, URL or ARN of a queue that keeps failures ("failures" in an
ini file), or of an SQS dead-letter queue. Without --redrive or --purge it lists
the messages: age, source queue, error and body; in a pipe the message id first.

It receives every message until two long polls return none. Meanwhile it hides
them from other consumers, for ${SWEEP_VISIBILITY_SECONDS} s at a time. Then it releases the messages
that it did not redrive or delete. So receive counts rise by one. It leaves
messages that arrive after it started.`,
  options: [
    {
      name: "error",
      value: "PATTERN",
      meaning: `only messages whose "ERROR: MESSAGE" contains this text,
in upper or lower case, or matches /REGULAR EXPRESSION/;
SQS's own dead letters carry no error`,
    },
    {
      name: "redrive",
      meaning: "send them back, then delete them here, in batches of ten",
    },
    {
      name: "to",
      value: "QUEUE",
      meaning: "send all to this queue, not to their source queues",
    },
    { name: "purge", meaning: "delete them" },
    { name: "yes", meaning: "do not ask first" },
    {
      name: "json",
      meaning: "a line of JSON for each message, or for the result",
    },
    ...CONNECT_OPTIONS,
  ],
  notes: "SIGTERM or Ctrl+C stops it after the current batch of ten.",
  exitStatus: `0 done or stopped as asked, 1 some could not be sent or
deleted, 2 bad usage, or no such queue.`,
  run: failed,
};

/** The action, and the messages that it concerns. */
interface Order {
  readonly action: FailedAction;
  readonly selects: ((error: string) => boolean) | undefined;
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
  const attributes = await readAttributes(open) ?? {};
  if (!options.has("yes") && !await agreed(order, open, attributes, io)) {
    io.stderr("Nothing done");
    return DONE;
  }
  return await work(open, { io, order, redrive, attributes });
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
    throw new UsageError("Option --to needs --redrive");
  }
  if (purge && !options.has("yes") && !canAsk(io)) {
    throw new UsageError(
      "Option --purge needs --yes without a terminal to ask on",
    );
  }
  return {
    action: redrive ? "redrive" : purge ? "purge" : "list",
    selects: selectorOf(options.get("error")),
    json: options.has("json"),
  };
}

/** Reads `--error`: text in upper or lower case, or `/EXPRESSION/`. */
function selectorOf(
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

/** Asks before anything is received, so that an answer may take its time. */
async function agreed(
  { action, selects }: Order,
  { ref }: OpenQueue,
  { visible }: QueueAttributes,
  io: Io,
): Promise<boolean> {
  if (action === "list" || !canAsk(io)) return true;
  const many = visible === undefined
    ? "the messages"
    : `about ${counted(visible, "message")}`;
  const which = selects === undefined
    ? `${many} in ${ref.name}`
    : `the matching ones of ${many} in ${ref.name}`;
  io.draw(
    action === "purge"
      ? `Delete ${which} for good? [y/N] `
      : `Send ${which} back to be retried? [y/N] `,
  );
  for await (const { bytes } of readLines(io.stdin(), 100)) {
    return /^\s*y(es)?\s*$/i.test(new TextDecoder().decode(bytes));
  }
  return false;
}

const VERBS = { list: "Listed", redrive: "Sent back", purge: "Deleted" };

interface WorkOptions {
  readonly io: Io;
  readonly order: Order;
  readonly redrive: Redrive;
  readonly attributes: QueueAttributes;
}

/** Does the work until it ends or is stopped, and returns the exit status. */
async function work(open: OpenQueue, options: WorkOptions): Promise<number> {
  const { io, attributes: { redrive } } = options;
  if (redrive !== undefined) {
    const target = parseQueueRef(redrive.deadLetterQueue)?.name;
    io.stderr(
      `Every receive counts: SQS moves a message of ${open.ref.name} to ${
        orDash(target)
      } after ${counted(redrive.maxReceiveCount, "receive")}`,
    );
  }
  using stop = listenToStopSignals();
  const status = await unlessAborted(
    handle(open, options, stop.signal),
    stop.forceSignal,
  );
  if (status !== undefined) return status;
  io.stderr(
    `Stopped immediately: received messages are visible again within ${SWEEP_VISIBILITY_SECONDS} s`,
  );
  return FAILED;
}

async function handle(
  open: OpenQueue,
  { io, order, redrive, attributes: { visible } }: WorkOptions,
  signal: AbortSignal,
): Promise<number> {
  const { action, selects, json } = order;
  const { clock } = open;
  using progress = new Progress(io, {
    verb: VERBS[action],
    noun: "message",
    clock,
    total: selects === undefined ? visible : undefined,
  });
  const { stdout, stderr } = io.screen;
  // A list on the same terminal shows its progress itself.
  const isShown = action !== "list" || (stderr && !stdout);
  const work = new FailedWork(open, {
    ...order,
    redrive,
    signal,
    warn: (text) => progress.say(text),
    onMessage: (message) => {
      const now = clock.now();
      io.stdout(
        json
          ? JSON.stringify(describeMessage(message, now))
          : messageLine(message, now, io),
      );
    },
    onBatch: () => {
      if (isShown) {
        progress.update(work.done, visible ? work.seen / visible : undefined);
      }
    },
  });
  try {
    await work.run();
  } finally {
    progress[Symbol.dispose]();
    report(work, open, { io, order });
    if (signal.aborted) io.stderr("Stopped as asked: rerun for the rest");
  }
  return work.problems.size > 0 || work.undeleted > 0 ? FAILED : DONE;
}

/** Prints the result and the problems. */
function report(
  work: FailedWork,
  { ref: { name, fifo } }: OpenQueue,
  { io, order: { action, selects, json } }: Pick<WorkOptions, "io" | "order">,
): void {
  const say = (line: string) => io.stderr(line);
  const result = resultOf(work, action, name);
  if (action === "list") {
    say(work.seen === 0 ? result : `${result}, each received and released`);
  } else io.stdout(json ? resultJson(work, action, name) : result);
  for (const [problem, count] of work.problems) {
    say(
      `Left ${counted(count, "message")} of ${name}: ${
        count === 1 ? "it" : "each"
      } ${problem}`,
    );
  }
  if (work.undeleted > 0) {
    say(
      `Could not delete ${counted(work.undeleted, "message")} of ${name}${
        action === "redrive" ? ": sent, and sent again by the next run" : ""
      }`,
    );
  }
  if (work.newer > 0) {
    say(`Left ${counted(work.newer, "message")} that arrived meanwhile`);
  }
  if (work.unreleased > 0) {
    say(
      `Could not release ${
        counted(work.unreleased, "message")
      }: visible again within ${SWEEP_VISIBILITY_SECONDS} s`,
    );
  }
  if (fifo && (action === "list" || selects !== undefined)) {
    say(
      `${name} is a FIFO queue: later messages of a group are hidden behind its first`,
    );
  }
}

/** The result in a line: `Sent back 2 of 9 messages of adder-failed: ...`. */
function resultOf(
  { done, seen, sentTo }: FailedWork,
  action: FailedAction,
  queue: string,
): string {
  const many = done === seen
    ? counted(done, "message")
    : `${plainNumber(done)} of ${counted(seen, "message")}`;
  const targets = [...sentTo].map(([to, count]) =>
    `${plainNumber(count)} to ${to}`
  );
  return `${VERBS[action]} ${many} of ${queue}${
    targets.length > 0 ? `: ${targets.join(", ")}` : ""
  }`;
}

function resultJson(
  { done, seen, selected, sentTo }: FailedWork,
  action: FailedAction,
  queue: string,
): string {
  return JSON.stringify({
    queue,
    seen,
    selected,
    ...(action === "purge"
      ? { deleted: done }
      : { sentBack: done, sentTo: Object.fromEntries(sentTo) }),
  });
}

const STYLES = ["dim", "bold", "red", "plain"] as const;

/**
 * A message in a line: in a pipe with its id first; on a terminal without it,
 * and cut to the width.
 */
function messageLine(
  message: ReceivedMessage,
  nowMs: number,
  io: Io,
): string {
  const parts = [
    age(nowMs, failedAtMs(message)).padStart(6),
    orDash(sourceName(message)),
    errorOf(message) ?? `received ${counted(message.receiveCount, "time")}`,
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

function age(nowMs: number, failedMs: number | undefined): string {
  if (failedMs === undefined) return orDash(failedMs);
  const seconds = Math.max(0, Math.floor((nowMs - failedMs) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${plainNumber(Math.floor(seconds / 86_400))} d`;
}
