/**
 * Jobs whose bodies are in S3: they are fetched before the job runs. The bytes
 * held at a time are limited.
 *
 * @module
 */

import { ByteBudget } from "../byte_budget.ts";
import { isNotCapable, SqsError } from "../errors.ts";
import type { Outcome } from "../job/decide.ts";
import type {
  BatchOutcome,
  BatchRunner,
  JobControl,
  OwnOutcome,
  Runner,
} from "../job/runner.ts";
import type { Reading } from "../message/reading.ts";
import {
  claimedBytes,
  pointerOf,
  shownPlace,
  withFetched,
} from "../message/s3_pointer.ts";
import type { JobMessage } from "../sqs/connection.ts";
import {
  isWithin,
  MAX_OBJECT_BYTES,
  type ObjectFolder,
  type ObjectPlace,
  type ObjectStore,
  ObjectTooLargeError,
  whyRefused,
} from "../sqs/objects.ts";

/** The most bytes of objects that are held at a time. */
const MAX_HELD_BYTES = 4 * MAX_OBJECT_BYTES;

/** How often a missing object is looked for, if `attempts` is not set. */
const MISSING_ATTEMPTS = 3;

/** What fetching works with. */
interface FetchOptions {
  readonly folder: ObjectFolder;
  readonly store: ObjectStore;
  readonly reading: Reading;
  readonly fifo: boolean;
  readonly attempts?: number | undefined;
}

/** A message of a run, and its position there. */
interface Placed {
  readonly position: number;
  readonly message: JobMessage;
}

/** The messages of a run that are whole, and how the others ended. */
interface Fetched {
  readonly whole: readonly Placed[];
  readonly own: readonly OwnOutcome[];
  /** How many messages that is: there is no room for the bodies of the rest. */
  readonly ran: number;
  readonly bytes: number;
}

/** A limit of bytes was too low for an object that is allowed. */
class TooLittleRoom extends Error {}

/** Fetches the bodies of messages, then lets another runner run them. */
export class FetchedJobs implements Runner {
  readonly #inner: Runner | BatchRunner;
  readonly #options: FetchOptions;
  readonly #budget = new ByteBudget(MAX_HELD_BYTES);
  #cancel = new AbortController();

  constructor(inner: Runner | BatchRunner, options: FetchOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  /** Runs single jobs or batches, as the inner runner does. */
  get runner(): Runner | BatchRunner {
    return "runBatch" in this.#inner
      ? { runBatch: (messages, control) => this.#runBatch(messages, control) }
      : this;
  }

  /** Ends the fetches of jobs that have not started. */
  cancel(): void {
    this.#cancel.abort();
    this.#cancel = new AbortController();
  }

  run(message: JobMessage, control: JobControl): Promise<Outcome> {
    const inner = this.#inner as Runner;
    return this.#placeOf(message) === undefined
      ? inner.run(message, control)
      : this.#within([message], control, async ({ whole: [first], own }) =>
        first === undefined
          ? own[0]!.outcome
          : await inner.run(first.message, control), (outcome) =>
        outcome);
  }

  async #runBatch(
    messages: readonly JobMessage[],
    control: JobControl,
  ): Promise<BatchOutcome> {
    const inner = this.#inner as BatchRunner;
    if (messages.every((each) => this.#placeOf(each) === undefined)) {
      return await inner.runBatch(messages, control);
    }
    return await this.#within(messages, control, async (fetched) => {
      const { whole, own, ran } = fetched;
      if (whole.length === 0) return { outcome: { kind: "done" }, own, ran };
      const run = whole.map(({ message }) => message);
      const end = await inner.runBatch(run, control);
      const ended = (end.own ?? []).map(({ position, outcome }) => ({
        position: whole[position]!.position,
        outcome,
      }));
      return { outcome: end.outcome, own: [...own, ...ended], ran };
    }, (outcome) => ({ outcome }));
  }

  #placeOf(message: JobMessage): ObjectPlace | undefined {
    return pointerOf(message, this.#options.reading);
  }

  /** Holds the bodies of messages while they run. */
  async #within<T>(
    messages: readonly JobMessage[],
    control: JobControl,
    run: (fetched: Fetched) => Promise<T>,
    ended: (outcome: Outcome) => T,
  ): Promise<T> {
    // What has started once is not released by a stop.
    const signals = control.startedAtMs === undefined
      ? [control.signal, this.#cancel.signal]
      : [control.signal];
    const signal = AbortSignal.any(signals);
    const claimed = messages.reduce((bytes, message) => {
      const isFetched = this.#placeOf(message) !== undefined;
      return bytes +
        (isFetched ? claimedBytes(message, this.#options.reading) : 0);
    }, 0);
    // A pointer may say less than is true, but is believed once.
    for (let room = claimed;; room = MAX_OBJECT_BYTES) {
      room = Math.min(room, MAX_OBJECT_BYTES);
      const held = await this.#budget.take(room, signal);
      if (held === undefined) return ended(stopped(control));
      try {
        const fetched = await this.#fetchAll(messages, room, signal);
        held.keep(fetched.bytes);
        return await run(fetched);
      } catch (error) {
        if (signal.aborted) return ended(stopped(control));
        if (!(error instanceof TooLittleRoom)) throw error;
      } finally {
        held.giveBack();
      }
    }
  }

  /**
   * Fetches bodies one after the other, until there is no room for the next.
   *
   * @throws {TooLittleRoom} If the objects are larger than they seemed.
   */
  async #fetchAll(
    messages: readonly JobMessage[],
    room: number,
    signal: AbortSignal,
  ): Promise<Fetched> {
    const { fifo } = this.#options;
    const whole: Placed[] = [];
    const own: OwnOutcome[] = [];
    const blocked = new Set<string | undefined>();
    let bytes = 0;
    for (const [position, message] of messages.entries()) {
      const place = this.#placeOf(message);
      const isBehind = fifo && blocked.has(message.groupId);
      if (place === undefined && !isBehind) {
        whole.push({ position, message });
        continue;
      }
      // None overtakes another one of its group that stays.
      const end = isBehind
        ? released("an earlier job of its group stays")
        : await this.#fetch(message, place!, room - bytes, signal);
      if (end === undefined) {
        if (room < MAX_OBJECT_BYTES) throw new TooLittleRoom();
        return { whole, own, ran: position, bytes };
      }
      if ("kind" in end) {
        own.push({ position, outcome: end });
        if (end.kind !== "unfit") blocked.add(message.groupId);
      } else {
        bytes += end.bytes;
        whole.push({ position, message: end.message });
      }
    }
    return { whole, own, ran: messages.length, bytes };
  }

  /**
   * Fetches one body; returns how the job ends if it cannot.
   *
   * @returns `undefined` if the body is allowed, but has more than `maxBytes`.
   */
  async #fetch(
    message: JobMessage,
    place: ObjectPlace,
    maxBytes: number,
    signal: AbortSignal,
  ): Promise<
    | Outcome
    | { readonly message: JobMessage; readonly bytes: number }
    | undefined
  > {
    const { folder, store, reading } = this.#options;
    const url = shownPlace(place);
    if (!isWithin(place, folder)) {
      const problem =
        `it points to ${url}, which is not in ${folder.text}; correct "large" to take it`;
      return stays(problem);
    }
    try {
      const bytes = await store.get(place.key, { maxBytes, signal });
      const whole = withFetched(message, text(bytes, url), reading);
      if (reading.body === "job" && pointerOf(whole, reading) !== undefined) {
        return stays(`${url} is a pointer, too, and only one is followed`);
      }
      return { message: whole, bytes: bytes.byteLength };
    } catch (error) {
      if (signal.aborted) throw error;
      if (!(error instanceof ObjectTooLargeError)) {
        return this.#failed(message, error, url);
      }
      if (error.bytes >= MAX_OBJECT_BYTES) {
        return unfit(
          `Cannot read message body: ${url} has more than ${MAX_OBJECT_BYTES} bytes`,
        );
      }
      return undefined;
    }
  }

  /** How a job ends whose body S3 does not give. */
  #failed({ receiveCount }: JobMessage, error: unknown, url: string): Outcome {
    const { folder, attempts } = this.#options;
    if (error instanceof SyntaxError) return { kind: "unfit", error };
    if (isNotCapable(error)) return { kind: "notCapable", error };
    const { code = "" } = error instanceof SqsError ? error : {};
    const cannot = `Cannot fetch ${url}`;
    if (code === "NoSuchKey") {
      const missing = new Error(`${cannot}: there is no such object`);
      const isLast = attempts === undefined && receiveCount >= MISSING_ATTEMPTS;
      return { kind: isLast ? "unfit" : "transient", error: missing };
    }
    const why = whyRefused(error, "s3:GetObject", folder);
    return { kind: "unfetched", error: new Error(`${cannot}: ${why}`) };
  }
}

/** How jobs end whose fetch was cancelled. */
function stopped(control: JobControl): Outcome {
  return control.aborted
    ? { kind: "aborted", error: control.signal.reason }
    : released("the container stops before its body is fetched");
}

function released(why: string): Outcome {
  return { kind: "released", error: new Error(`Not started, as ${why}`) };
}

/** A message that stays unless `failures` is set, as another program wrote it. */
function stays(problem: string): Outcome {
  const error = new TypeError(`Cannot read message body: ${problem}`);
  return { kind: "awsEvent", error };
}

function unfit(problem: string): Outcome {
  return { kind: "unfit", error: new RangeError(problem) };
}

/** @throws {SyntaxError} If the bytes are no text. */
function text(bytes: Uint8Array, url: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    throw new SyntaxError(`Cannot read message body: ${url} is not UTF-8 text`);
  }
}
