/**
 * The queues that the page lists, and the queues that hold their failed jobs.
 * Everybody who looks shares one call for each queue every ten seconds.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import {
  type OpenQueue,
  openQueue,
  timeAndChance,
} from "../connect/open_queue.ts";
import { messageOf, SqsError } from "../errors.ts";
import { AS_JOBS, type Reading } from "../message/reading.ts";
import type { Writing } from "../message/writing.ts";
import type { ConnectOptions, QueueAttributes } from "../sqs/connection.ts";
import { parseQueueRef, type QueueRef } from "../sqs/queue_ref.ts";
import { printable } from "../text.ts";
import { History, type Work } from "./history.ts";
import type { QueueSpec } from "./options.ts";
import type { HolderKind } from "./pages/views.ts";

/** How old counts may be, in milliseconds. */
const REFRESH_MS = 10_000;

/** How long SQS may take for an answer, in milliseconds. */
const ANSWER_MS = 8_000;

/** The longest text of an error. */
const MAX_ERROR = 300;

const AS_SENT: Writing = { body: "job", encoding: "json" };

/** A queue that the page asks for. */
export class WatchedQueue {
  /** In addresses. */
  readonly key: string;
  readonly ref: QueueRef;
  readonly where: ConnectOptions;
  /** Absent until it could be opened. */
  open: OpenQueue | undefined;
  attributes: QueueAttributes = {};
  /** Why the last call failed. */
  error: { readonly text: string; readonly code: string } | undefined;
  /** When `attributes` were read. */
  updatedMs: number | undefined;
  readonly history: History = new History();
  isListed = false;
  readonly files: string[] = [];
  reading: Reading = AS_JOBS;
  writing: Writing = AS_SENT;
  failures: WatchedQueue | undefined;
  deadLetters: WatchedQueue | undefined;
  /** What it holds, if it holds failed jobs. */
  holds: HolderKind | undefined;
  /** The queues whose failed jobs it holds. */
  readonly sources = new Set<WatchedQueue>();
  #askedMs = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(key: string, ref: QueueRef, where: ConnectOptions) {
    this.key = key;
    this.ref = ref;
    this.where = where;
  }

  get region(): string {
    return this.open?.connection.region ?? this.ref.region ??
      this.where.region ?? "";
  }

  /** Asks SQS, unless it was asked a short time ago; never rejects. */
  refresh(clock: Clock): Promise<void> {
    const now = clock.now();
    if (this.#asking === undefined && now - this.#askedMs < REFRESH_MS) {
      return Promise.resolve();
    }
    if (this.#asking === undefined) this.#askedMs = now;
    return this.#asking ??= this.#ask(clock).finally(() =>
      this.#asking = undefined
    );
  }

  async #ask(clock: Clock): Promise<void> {
    const late = new AbortController();
    const cancel = clock.timer(ANSWER_MS, () => late.abort(noAnswer()));
    const { signal } = late;
    try {
      this.open ??= await openQueue(this.ref, {
        ...this.where,
        ...{ probe: false, signal },
      });
      const { connection, url } = this.open;
      this.attributes = await connection.attributes(url, { signal });
      this.updatedMs = clock.now();
      this.error = undefined;
    } catch (error) {
      this.error = {
        text: printable(messageOf(error)).slice(0, MAX_ERROR),
        code: error instanceof SqsError ? error.code : "Error",
      };
    } finally {
      cancel();
    }
  }

  /** Notes its counts, if they are new. */
  note(work: Work | undefined): void {
    const atMs = this.updatedMs;
    if (atMs === undefined || this.history.last?.atMs === atMs) return;
    const { visible, inFlight, delayed } = this.attributes;
    this.history.add({ atMs, visible, inFlight, delayed, work });
  }
}

/** All queues of the page, by their keys. */
export class Queues implements Disposable {
  readonly clock: Clock = timeAndChance().clock;
  readonly #byKey = new Map<string, WatchedQueue>();

  /**
   * Opens the listed queues.
   *
   * @param onWait Gets a line if SQS is away; opening is then retried.
   * @throws {NonExistentQueueError} If one does not exist.
   * @throws {SqsError} If SQS refuses one, or cannot be reached.
   */
  static async open(
    specs: readonly QueueSpec[],
    options: {
      readonly onWait: (line: string) => void;
      readonly signal: AbortSignal;
    },
  ): Promise<Queues> {
    const queues = new Queues();
    const opening = specs.map(async ({ queue, where }) =>
      await openQueue(queue, { ...where, ...options, probe: false })
    );
    const results = await Promise.allSettled(opening);
    for (const [i, result] of results.entries()) {
      if (result.status === "fulfilled") queues.#list(specs[i]!, result.value);
    }
    const failed = results.find(({ status }) => status === "rejected");
    if (failed !== undefined) {
      queues[Symbol.dispose]();
      throw (failed as PromiseRejectedResult).reason;
    }
    return queues;
  }

  /** The queues that the command line names. */
  get listed(): WatchedQueue[] {
    return this.all.filter(({ isListed }) => isListed);
  }

  /** The queues that hold failed jobs. */
  get holders(): WatchedQueue[] {
    return this.all.filter(({ holds }) => holds !== undefined);
  }

  get all(): WatchedQueue[] {
    return [...this.#byKey.values()];
  }

  get(key: string): WatchedQueue | undefined {
    return this.#byKey.get(key);
  }

  /** Asks SQS for all counts that are old. */
  async refresh(): Promise<void> {
    await Promise.all(this.all.map((queue) => queue.refresh(this.clock)));
    for (const queue of this.listed) this.#findDeadLetters(queue);
    // A dead-letter queue is known once its source has answered.
    await Promise.all(
      this.holders.map((queue) => queue.refresh(this.clock)),
    );
  }

  [Symbol.dispose](): void {
    for (const { open } of this.all) open?.connection.close();
  }

  #list(spec: QueueSpec, open: OpenQueue): void {
    const same = this.all.find((each) => each.open?.url === open.url);
    const queue = same ?? this.#add(spec.queue, spec.where);
    if (same !== undefined) open.connection.close();
    else queue.open = open;
    queue.isListed = true;
    if (spec.file !== undefined) queue.files.push(spec.file);
    queue.reading = spec.reading;
    queue.writing = spec.writing;
    if (spec.failures === undefined) return;
    queue.failures = this.#holder(spec.failures, spec.where);
    queue.failures.holds = "failures";
    queue.failures.sources.add(queue);
  }

  #findDeadLetters(queue: WatchedQueue): void {
    const before = queue.deadLetters;
    const ref = deadLetterRef(queue);
    if (ref?.text === before?.ref.text) return;
    queue.deadLetters = ref && this.#holder(ref, queue.where);
    // A listed queue has the name that the command line gave it.
    if (queue.deadLetters === before) return;
    for (const holder of [before, queue.deadLetters]) {
      if (holder === undefined || holder === queue.failures) continue;
      if (holder === before) holder.sources.delete(queue);
      else holder.sources.add(queue);
      holder.holds = holder.sources.size === 0
        ? undefined
        : holder.holds ?? "dead letters";
    }
  }

  /** A queue that holds failed jobs: one that is known, or a new one. */
  #holder(ref: QueueRef, where: ConnectOptions): WatchedQueue {
    const region = ref.region ?? where.region;
    return this.all.find((each) =>
      isSame(each, ref, region) && each.where.endpoint === where.endpoint
    ) ?? this.#add(ref, where);
  }

  #add(ref: QueueRef, where: ConnectOptions): WatchedQueue {
    let key = ref.name;
    for (let i = 2; this.#byKey.has(key); i++) key = `${ref.name}~${i}`;
    const queue = new WatchedQueue(key, ref, where);
    this.#byKey.set(key, queue);
    return queue;
  }
}

/** Its dead-letter queue is on its server, which its URL may name. */
function deadLetterRef(
  { ref: { name, url }, attributes }: WatchedQueue,
): QueueRef | undefined {
  const ref = parseQueueRef(attributes.redrive?.deadLetterQueue ?? "");
  if (ref === undefined || url === undefined) return ref;
  return parseQueueRef(url.slice(0, -name.length) + ref.name);
}

/** Whether a queue is the one that a text names, as far as that is known. */
function isSame(
  { ref, region, open }: WatchedQueue,
  other: QueueRef,
  otherRegion: string | undefined,
): boolean {
  if (ref.name !== other.name) return false;
  if (otherRegion !== undefined && region !== otherRegion) return false;
  const account = (given: QueueRef, url = given.url) =>
    given.accountId ?? /\/(\d{12})\/[^/]+$/.exec(url ?? "")?.[1];
  const [a, b] = [account(ref, open?.url ?? ref.url), account(other)];
  return a === undefined || b === undefined || a === b;
}

function noAnswer(): SqsError {
  return new SqsError(`no answer within ${ANSWER_MS / 1000} s`, {
    code: "TimeoutError",
    senderFault: false,
  });
}
