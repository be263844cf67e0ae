/**
 * Looks at the failed jobs of a queue: each message is received once, noted in
 * bounded memory, and released.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { type OpenQueue, openQueue } from "../connect/open_queue.ts";
import { messageOf } from "../errors.ts";
import { fromWire } from "../message/attributes.ts";
import { FAILURE_ATTRIBUTE } from "../message/failure_reason.ts";
import {
  bodyOf,
  describeMessage,
  errorOf,
  failedAtMs,
  sourceName,
} from "../operate/failed_message.ts";
import { FailedWork } from "../operate/failed_work.ts";
import { Redrive, type Source } from "../operate/redrive.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import { printable } from "../text.ts";
import type { CutText, FailedRow, Filter } from "./pages/views.ts";
import type { WatchedQueue } from "./queues.ts";

/** The most messages of a look. */
export const MAX_MESSAGES = 10_000;

/** What is kept of every message, in characters; a page shows less. */
const MAX_ERROR = 500;
const MAX_EXCERPT = 1_000;
const MAX_NAME = 100;

/** What a look keeps of bodies, attributes and stacks, in characters. */
const MAX_KEPT = 16_000_000;

/** The most of one text: SQS's own messages are smaller. */
const MAX_TEXT = 1_048_576;

/** A failed job that a look found. */
export interface Found extends FailedRow {
  readonly sourceId: string | undefined;
  readonly sentAtMs: number | undefined;
  readonly seenAtMs: number;
  readonly groupId: string | undefined;
  readonly receiveCount: number;
  readonly body: CutText;
  readonly attributes: readonly (readonly [string, CutText])[];
  readonly stack: CutText | undefined;
  /** Where a redrive would send it. */
  readonly target: Source | undefined;
}

export class Look {
  readonly id: string = randomBytes(9).toString("base64url");
  readonly holder: WatchedQueue;
  readonly startedMs: number;
  /** What SQS counted when it started. */
  readonly counted: number | undefined;
  endedMs: number | undefined;
  error: string | undefined;
  unreleased = 0;
  /** Jobs with texts of which only the start is kept. */
  cut = 0;
  readonly found = new Map<string, Found>();
  /** Resolves when it has ended; never rejects. */
  readonly ended: Promise<void>;
  readonly #stop = new AbortController();
  #left = MAX_KEPT;

  /** @param onChange Called when it has found more, and when it has ended. */
  constructor(holder: WatchedQueue, nowMs: number, onChange: () => void) {
    const { visible } = holder.attributes;
    this.holder = holder;
    this.startedMs = nowMs;
    this.counted = visible;
    this.ended = this.#run(onChange)
      .catch((error) => this.error = printable(messageOf(error)))
      .then(() => {
        this.endedMs ??= nowMs;
        onChange();
      });
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Stops receiving, and releases the messages that were found. */
  stop(): void {
    if (this.endedMs === undefined) this.#stop.abort();
  }

  async #run(onChange: () => void): Promise<void> {
    const { ref, where } = this.holder;
    const open = await openQueue(ref, { ...where, sweeps: true, probe: false });
    const { clock, connection } = open;
    using redrive = new Redrive({ from: open, where, trusting: false });
    const work = new FailedWork(open, {
      action: "list",
      limit: MAX_MESSAGES,
      redrive,
      signal: this.#stop.signal,
      warn: (text) => this.error ??= printable(text),
      onMessage: (message) => this.#note(message, redrive, open),
      onBatch: onChange,
    });
    try {
      await work.run();
    } finally {
      this.unreleased = work.sweep.unreleased;
      this.endedMs = clock.now();
      connection.close();
    }
  }

  #note(message: ReceivedMessage, redrive: Redrive, open: OpenQueue): void {
    const { clock, connection } = open;
    const facts = describeMessage(
      message,
      clock.now() + connection.clockAheadMs,
    );
    const text = (value: unknown, most: number) =>
      typeof value === "string" ? cut(value, most) : undefined;
    const { [FAILURE_ATTRIBUTE]: _reason, ...attributes } = fromWire(
      message.attributes,
    );
    const error = errorOf(message);
    const body = this.#keep(message.body);
    const kept = Object.entries(attributes).map(([name, value]) =>
      [
        cut(name, MAX_NAME),
        this.#keep(
          value instanceof Uint8Array
            ? Buffer.from(value).toString("base64")
            : String(value),
        ),
      ] as const
    );
    const stack = typeof facts.stack === "string"
      ? this.#keep(facts.stack)
      : undefined;
    const texts = [body, stack, ...kept.map(([, value]) => value)];
    if (texts.some((each) => each?.cutFrom !== undefined)) this.cut++;
    this.found.set(message.messageId, {
      id: message.messageId,
      error: text(error && printable(error), MAX_ERROR),
      source: text(sourceName(message), MAX_NAME),
      attempts: facts.receiveCount as number | null ?? undefined,
      failedAtMs: failedAtMs(message),
      arguments: cut(bodyOf(message), MAX_EXCERPT),
      sourceId: text(facts.fromMessageId, MAX_NAME),
      sentAtMs: message.sentAtMs || undefined,
      seenAtMs: clock.now(),
      groupId: message.groupId,
      receiveCount: message.receiveCount,
      body,
      attributes: kept,
      stack,
      target: redrive.sourceOf(message),
    });
  }

  /** Keeps a text whole while there is room, then its start. */
  #keep(text: string): CutText {
    const most = text.length <= this.#left ? MAX_TEXT : MAX_EXCERPT;
    const isCut = text.length > most;
    const kept = isCut ? startOf(text, most) : text;
    this.#left -= Math.min(kept.length, this.#left);
    return { text: kept, cutFrom: isCut ? text.length : undefined };
  }
}

/** The jobs that a filter lets through; hidden arguments are not searched. */
export function matching(
  look: Look,
  { text, id }: Filter,
  hidesArguments: boolean,
): Found[] {
  const wanted = text.toLowerCase();
  return [...look.found.values()].filter((job) => {
    if (!job.id.startsWith(id) && !job.sourceId?.startsWith(id)) return false;
    if (wanted === "") return true;
    const texts = [job.error, job.source, job.id, job.sourceId];
    if (!hidesArguments) texts.push(job.body.text, job.arguments);
    return texts.some((each) => each?.toLowerCase().includes(wanted));
  });
}

/** A row of a list, with as much as a row shows. */
export function rowOf(found: Found, hidesArguments: boolean): FailedRow {
  const { id, error, source, attempts, failedAtMs } = found;
  return {
    ...{ id, source, attempts, failedAtMs },
    error: error === undefined ? undefined : cut(error, 300),
    arguments: hidesArguments ? undefined : cut(found.arguments ?? "", 300),
  };
}

/** A text, or its start. */
function cut(text: string, most: number): string {
  return text.length > most ? `${startOf(text, most)}…` : text;
}

/** A copy: a slice would keep the whole text in memory. */
function startOf(text: string, most: number): string {
  return Buffer.from(text.slice(0, most)).toString();
}
