/**
 * `zsqs failed QUEUE`: lists, redrives or deletes failed messages.
 *
 * @module
 */

import { untilAborted } from "../clock.ts";
import { openStore } from "../connect/open_store.ts";
import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import { describeMessage } from "../operate/failed_message.ts";
import { FailedWork, type FailedWorkOptions } from "../operate/failed_work.ts";
import { PurgedObjects } from "../operate/purged_objects.ts";
import { readAttributes } from "../operate/queue_status.ts";
import { counted, plainNumber } from "../numbers.ts";
import { Redrive } from "../operate/redrive.ts";
import { SWEEP_VISIBILITY_SECONDS } from "../operate/sweep.ts";
import type { QueueAttributes } from "../sqs/connection.ts";
import { parseQueueRef } from "../sqs/queue_ref.ts";
import { list } from "../text.ts";
import {
  type Command,
  CONNECT_OPTIONS,
  connectOptionsOf,
  folderOf,
  type ParsedOptions,
  UsageError,
} from "./command.ts";
import { DONE, FAILED } from "./errors.ts";
import { messageLine, wholeMessage } from "./failed_message_text.ts";
import {
  type Selection,
  SELECTION_OPTIONS,
  selectionOf,
} from "./failed_selection.ts";
import { listSources } from "./failed_sources.ts";
import { readLines } from "./lines.ts";
import { orDash, type Output, Progress } from "./screen.ts";
import { untilForced } from "./stop.ts";

export const FAILED_COMMAND: Command = {
  name: "failed",
  summary:
    "List failed messages, send them back to be retried, or delete them.",
  brief: "list failed messages, redrive or delete them",
  usage: ["[OPTIONS] QUEUE"],
  about: `\
QUEUE is the name, URL or ARN of a queue that keeps failures ("failures" in an
ini file), or of an SQS dead-letter queue. Without --redrive or --purge it lists
the messages: age, source queue, error and body; in a pipe the message id first.

It receives every message until two long polls return none. Meanwhile it hides
them from other consumers, for ${SWEEP_VISIBILITY_SECONDS} s at a time. Then it releases the messages
that it did not redrive or delete. So receive counts rise by one, and by two if
it asks before a redrive. It leaves messages that arrive after it started.`,
  options: [
    ...SELECTION_OPTIONS,
    {
      name: "show",
      value: "ID",
      meaning: "all of one message: its body, attributes and stack",
    },
    {
      name: "redrive",
      meaning: `send them back, then delete them here, in batches of ten.
Asks first if messages name their source queue
themselves, unless --to or --yes is given`,
    },
    {
      name: "to",
      value: "QUEUE",
      meaning: "send all to this queue, not to their source queues",
    },
    { name: "purge", meaning: "delete them" },
    {
      name: "large",
      value: "S3URL",
      meaning: `with --purge: delete their bodies in this place of S3, too,
such as s3://bucket/prefix`,
    },
    { name: "yes", meaning: "do not ask; follow what messages name" },
    {
      name: "json",
      meaning: "a line of JSON for each message, or for the result",
    },
    ...CONNECT_OPTIONS,
  ],
  notes: "SIGTERM or Ctrl+C stops it after the current batch of ten.",
  exitStatus: `0 done or stopped as asked, 1 some could not be sent or
deleted, 2 bad usage, or no such queue.`,
  missing: "No queue given: name the queue that holds the failed messages",
  run: failed,
};

interface Order extends Pick<FailedWorkOptions, "action"> {
  readonly json: boolean;
  /** Whether it shows one message, whole. */
  readonly shows: boolean;
}

interface Task extends Order, Selection {
  readonly io: Output;
  readonly open: OpenQueue;
  readonly redrive: Redrive;
  /** Where the bodies of purged messages are deleted. */
  readonly objects: PurgedObjects | undefined;
  /** The queue's attributes, as far as they may be read. */
  readonly attributes: QueueAttributes;
}

async function failed(options: ParsedOptions, io: Output): Promise<number> {
  const [name = "", ...others] = options.positional;
  if (others.length > 0) {
    throw new UsageError(`Give one queue: got ${options.positional.join(" ")}`);
  }
  const order = { ...orderOf(options, io), ...selectionOf(options) };
  const folder = folderOf(options);
  if (folder !== undefined && order.action !== "purge") {
    throw new UsageError("Option --large needs --purge");
  }
  const where = connectOptionsOf(options);
  using stack = new DisposableStack();
  const open = await openQueue(name, { ...where, sweeps: true });
  stack.defer(() => open.connection.close());
  const to = options.get("to");
  const trusting = options.has("yes");
  const redrive = stack.use(new Redrive({ from: open, where, to, trusting }));
  await redrive.checkTarget();
  const attributes = await readAttributes(open) ?? {};
  const store = folder && await openStore(folder, { queue: open.ref, where });
  stack.defer(() => store?.close());
  const objects = folder && new PurgedObjects(folder, store!);
  const task = { ...order, io, open, redrive, objects, attributes };
  const isAsked = !trusting && order.action !== "list" && canAsk(io);
  const lists = isAsked && order.action === "redrive" && to === undefined;
  warn(task);
  return await untilForced(async (signal) => {
    const isSeen = !lists || await listSources({ ...task, signal });
    if (isSeen && (!isAsked || await agreed(task, signal))) {
      return await work(task, signal);
    }
    io.stderr("Nothing done");
    return DONE;
  }, {
    io,
    left: () =>
      `received messages are visible again within ${SWEEP_VISIBILITY_SECONDS} s`,
  });
}

function orderOf(options: ParsedOptions, io: Output): Order {
  const redrive = options.has("redrive");
  const purge = options.has("purge");
  if (redrive && purge) {
    throw new UsageError("Give --redrive or --purge, not both");
  }
  const shows = options.get("show") !== undefined;
  if (shows && (redrive || purge)) {
    throw new UsageError(
      "Option --show only shows: give --id=ID to work on it",
    );
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
    json: options.has("json"),
    shows,
  };
}

function canAsk({ screen }: Output): boolean {
  return screen.stdin && screen.stderr;
}

/** Asks while no message is held, so that an answer may take its time. */
async function agreed(task: Task, signal: AbortSignal): Promise<boolean> {
  const { action, selects, io, open, attributes: { visible } } = task;
  const all = visible === undefined ? "the messages" : `about ${many(visible)}`;
  const which = selects === undefined ? all : `the matching ones of ${all}`;
  const messages = `${which} in ${open.ref.name}`;
  io.ask(
    action === "purge"
      ? `Delete ${messages} for good?`
      : `Send ${messages} back to be retried?`,
  );
  for await (
    const { bytes } of untilAborted(readLines(io.stdin(), 100), signal)
  ) {
    return /^\s*y(es)?\s*$/i.test(new TextDecoder().decode(bytes));
  }
  return false;
}

/** Says what each receive costs in a queue with a redrive policy. */
function warn({ io, open, attributes: { redrive } }: Task): void {
  if (redrive === undefined) return;
  const target = orDash(parseQueueRef(redrive.deadLetterQueue)?.name);
  const receives = counted(redrive.maxReceiveCount, "receive");
  io.stderr(
    `Every receive counts: SQS moves a message of ${open.ref.name} to ${target} after ${receives}`,
  );
}

/** The most reasons for messages that stay. */
const MAX_PROBLEMS = 5;

const VERBS = { list: "Listed", redrive: "Sent back", purge: "Deleted" };

async function work(task: Task, signal: AbortSignal): Promise<number> {
  const { action, selects, json, shows, io, open } = task;
  const { clock } = open;
  const { visible } = task.attributes;
  const total = selects === undefined && task.limit === undefined
    ? visible
    : undefined;
  using progress = new Progress(
    io,
    clock,
    (done) =>
      total === undefined
        ? `${VERBS[action]} ${many(done)}`
        : `${VERBS[action]} ${plainNumber(done)} of about ${many(total)}`,
  );
  const { stdout, stderr } = io.screen;
  // A list on the same terminal shows its progress itself.
  const isShown = action !== "list" || (stderr && !stdout);
  const work = new FailedWork(open, {
    ...task,
    signal,
    warn: (text) => progress.above(() => io.stderr(text)),
    onPurged: task.objects && ((messages) => task.objects!.delete(messages)),
    onMessage(message) {
      const now = clock.now() + open.connection.clockAheadMs;
      if (json) io.stdout(JSON.stringify(describeMessage(message, now)));
      else if (shows) {
        wholeMessage(message, now).forEach((line) => io.stdout(line));
      } else io.stdout(...messageLine(message, now, io));
    },
    onBatch() {
      const fraction = visible ? work.sweep.seen / visible : undefined;
      if (isShown) progress.update(work.done, fraction);
    },
  });
  try {
    await work.run();
  } finally {
    progress[Symbol.dispose]();
    report(work, task);
    if (signal.aborted) io.stderr("Stopped as asked: rerun for the rest");
  }
  const isMissing = shows && work.selected === 0;
  if (isMissing) {
    io.stderr(`${open.ref.name} has no such message: list it without --show`);
  }
  const isPartial = work.undeleted > 0 || (task.objects?.failed ?? 0) > 0;
  return work.problems.size > 0 || isPartial || isMissing ? FAILED : DONE;
}

function report(work: FailedWork, task: Task): void {
  const { action, selects, json, io, objects } = task;
  const { name, fifo } = task.open.ref;
  const { selected, done, undeleted } = work;
  const { seen, newer, unreleased } = work.sweep;
  const targets = [...work.sentTo].map(([to, count]) =>
    `${plainNumber(count)} to ${to}`
  );
  const result = `${VERBS[action]} ${
    done === seen ? many(done) : `${plainNumber(done)} of ${many(seen)}`
  } of ${name}${targets.length > 0 ? `: ${list(targets)}` : ""}${
    objects === undefined
      ? ""
      : `, and ${counted(objects.deleted, "object")} of S3`
  }`;
  if (action === "list") {
    io.stderr(seen === 0 ? result : `${result}, each received and released`);
  } else if (json) {
    const counts = action === "purge"
      ? { deleted: done, ...(objects && { objects: objects.deleted }) }
      : { sentBack: done, sentTo: Object.fromEntries(work.sentTo) };
    io.stdout(JSON.stringify({ queue: name, seen, selected, ...counts }));
  } else io.stdout(result);
  const problems = [...work.problems];
  for (const [problem, count] of problems.slice(0, MAX_PROBLEMS)) {
    const each = count === 1 ? "it" : "each";
    io.stderr(`Left ${many(count)} of ${name}: ${each} ${problem}`);
  }
  const others = problems.slice(MAX_PROBLEMS);
  if (others.length > 0) {
    const left = others.reduce((sum, [, count]) => sum + count, 0);
    io.stderr(`Left ${many(left)} of ${name} for other reasons`);
  }
  if (undeleted > 0) {
    const what = `Could not delete ${many(undeleted)} of ${name}`;
    const sent = ": sent, and sent again by the next run";
    io.stderr(action === "redrive" ? what + sent : what);
  }
  if (objects !== undefined && objects.failed > 0) {
    const left = counted(objects.failed, "object");
    io.stderr(`Could not delete ${left}, such as ${objects.problem}`);
  }
  if (newer > 0) io.stderr(`Left ${many(newer)} that arrived meanwhile`);
  if (unreleased > 0) {
    io.stderr(
      `Could not release ${
        many(unreleased)
      }: visible again within ${SWEEP_VISIBILITY_SECONDS} s`,
    );
  }
  if (fifo && (action === "list" || selects !== undefined)) {
    io.stderr(
      `${name} is a FIFO queue: later messages of a group are hidden behind its first`,
    );
  }
}

function many(messages: number): string {
  return counted(messages, "message");
}
