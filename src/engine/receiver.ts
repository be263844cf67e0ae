/**
 * Receives. They start when there is room: several at a time while answers are
 * full, one long poll while they are empty. After failures they back off.
 *
 * @module
 */

import { Alarm, sleep } from "../clock.ts";
import { messageOf, SqsError } from "../errors.ts";
import {
  isFinal,
  isRefusal,
  MAX_BATCH,
  MAX_POLLS,
  type ReceivedMessage,
} from "../sqs/connection.ts";
import { type EngineContext, jobsAtATime, request } from "./context.ts";
import type { SentReceive } from "./lease.ts";
import type { Leases } from "./leases.ts";
import { ReceiveDeadline } from "./receive_deadline.ts";
import type { Settler } from "./settler.ts";

/** How much longer than its wait a receive may take, in milliseconds. */
const GRACE_MS = 10_000;

/** How long receives must have failed to be a problem, in milliseconds. */
const PROBLEM_MS = 60_000;

/** How often the log has the reason of failures that stay, in milliseconds. */
const LOG_MS = 300_000;

/** A timer that is so late says that the CPU was not free, in milliseconds. */
const LATE_MS = 500;

/** How much longer a receive may take then, in milliseconds. */
const EXTRA_MS = 1_000;

/** The shortest and longest pause after failed receives, in milliseconds. */
const MIN_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;

/** How many messages may be held at most for each job at a time. */
const MAX_HELD = 10;

/** How many refused deletes let one job at a time continue. */
const MAX_RETRYING = 1_000;

const DROPPED = new DOMException("The receive was dropped", "AbortError");

/** What a receiver reports to its engine. */
interface ReceiverOptions {
  readonly leases: Leases;
  readonly settler: Settler;
  /** Whether nobody has seen yet that the queue can be used. */
  readonly isUnseen: boolean;
  /** Whether it ends when the queue is empty: it must not wait without end. */
  readonly isDraining: () => boolean;
  /** Called if the receives show that the queue cannot be used. */
  readonly onUnusable: (error: unknown) => void;
  readonly onMessages: (
    messages: readonly ReceivedMessage[],
    sent: SentReceive,
  ) => void;
  /** Called when a receive has ended, or may start again. */
  readonly onChange: () => void;
}

/** The receives of one container. */
export class Receiver {
  readonly #context: EngineContext;
  readonly #options: ReceiverOptions;
  readonly #deadlines: ReceiveDeadline[] = [];
  /** For the next receives: a new signal for each would cost more. */
  readonly #unused: ReceiveDeadline[] = [];
  /** Rings at the first of the deadlines. */
  readonly #alarm: Alarm;
  /** Ids of receives whose answer was lost, to be asked for again. */
  readonly #attemptIds: string[] = [];
  /** How many messages the receives in flight may bring. */
  #reserved = 0;
  /** How many receives are in flight. */
  inFlight = 0;
  /** How many receives may be in flight. */
  #allowed = 1;
  /** How many receives in a row returned nothing. */
  emptyInRow = 0;
  #failures = 0;
  #failingSinceMs = 0;
  /** Since when each receive was refused. */
  #refusedSinceMs = Infinity;
  /** The code of the refusal that was logged, and when. */
  #logged = { code: "", atMs: 0 };
  #hasAnswered = false;
  #isStopped = false;
  #isAborted = false;
  #cancelPause: (() => void) | undefined;

  constructor(context: EngineContext, options: ReceiverOptions) {
    this.#context = context;
    this.#options = options;
    this.#alarm = new Alarm(context.clock, () => this.#endLate());
  }

  /** Whether receives have failed for a minute. */
  get isFailing(): boolean {
    const ms = this.#context.clock.now() - this.#failingSinceMs;
    // After a single failure there may have been no room to try again.
    return this.#failures >= 2 && ms >= PROBLEM_MS;
  }

  /** Starts as many receives as there is room and reason for. */
  start(): void {
    const { startable } = this.#options.leases.waiting;
    const room = this.#roomFor(startable);
    const { batch = 1 } = this.#context.options;
    while (!this.#cancelPause && this.inFlight < this.#allowed) {
      const max = Math.min(MAX_BATCH, room - this.#reserved);
      const isWanted = max === MAX_BATCH ||
        (max > 0 && startable < batch && this.inFlight === 0);
      if (!isWanted) return;
      this.#poll(max).then(() => this.#options.onChange());
    }
  }

  /**
   * Receives once without waiting for messages, and tries again if that fails.
   *
   * @returns How many messages it brought.
   */
  async receiveVisible(): Promise<number> {
    for (;;) {
      try {
        const { startable } = this.#options.leases.waiting;
        const max = Math.min(MAX_BATCH, Math.max(1, this.#roomFor(startable)));
        const count = await this.#receive(max, 0);
        this.#recover();
        return count;
      } catch (error) {
        if (!(error instanceof SqsError)) throw error;
        await sleep(this.#context.clock, this.#fail(error));
      }
    }
  }

  /** Ends a pause after failures: no receive starts any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }

  /** Drops the receives in flight. */
  abort(): void {
    this.#isAborted = true;
    for (const deadline of this.#deadlines) deadline.abort(DROPPED);
  }

  /** How many more messages the container may hold. */
  #roomFor(startable: number): number {
    const { leases, settler: { retrying } } = this.#options;
    const { running, settling, waiting: { size: waiting } } = leases;
    const { concurrency, prefetch } = this.#context.options;
    const capacity = jobsAtATime(this.#context.options) + prefetch;
    // zc.sqs, one job at a time, settles a message before it receives the next,
    // if SQS takes that. Elsewhere a refused delete keeps its place, or every
    // job of the queue would be done, and none deleted.
    const isSequential = capacity === 1 && retrying < MAX_RETRYING;
    const unsettled = isSequential ? settling - retrying : retrying;
    // What waits behind its own group takes no room, as one slow group would
    // otherwise stop all others; but there is a limit.
    const counted = capacity > 1 ? startable : waiting;
    const most = Math.max(capacity, MAX_HELD * concurrency);
    return Math.min(capacity - counted, most - waiting) - running - unsettled;
  }

  async #poll(max: number): Promise<void> {
    const { options: { waitTimeSeconds }, visibility } = this.#context;
    this.inFlight++;
    this.#reserved += max;
    try {
      const wait = Math.min(waitTimeSeconds, visibility.longestWaitSeconds);
      const count = await this.#receive(max, wait);
      this.#adapt(count, max);
    } catch (error) {
      if (this.#isStopped) return;
      const { isUnseen, isDraining, onUnusable } = this.#options;
      if (isUnseen && !this.#hasAnswered && isFinal(error)) {
        return onUnusable(error);
      }
      this.#pause(error);
      if (isDraining() && this.#drainLeftMs <= 0) {
        onUnusable(this.#drainError(error));
      }
    } finally {
      this.inFlight--;
      this.#reserved -= max;
    }
  }

  /** Receives once; returns how many messages that brought. */
  async #receive(maxMessages: number, waitTimeSeconds: number) {
    const { fifo, clock, visibility } = this.#context;
    const attempt = fifo
      ? { attemptId: this.#attemptIds.pop() ?? crypto.randomUUID() }
      : undefined;
    const sent = { atMs: clock.now(), visibilitySeconds: visibility.seconds };
    const deadline = this.#unused.pop() ?? new ReceiveDeadline();
    deadline.begin(sent.atMs, waitTimeSeconds * 1000 + GRACE_MS);
    this.#deadlines.push(deadline);
    this.#alarm.setBy(deadline.dueMs);
    if (this.#isAborted) deadline.abort(DROPPED);
    try {
      const receiving = request(
        this.#context,
        "ReceiveMessage",
        (connection, url) =>
          connection.receive(url, {
            maxMessages,
            waitTimeSeconds,
            visibilityTimeoutSeconds: sent.visibilitySeconds,
            signal: deadline.signal,
            onLeft: this.#onLeft,
            ...attempt,
          }),
      );
      // The SDK does not look at the signal while it waits for credentials.
      const messages = await deadline.wait(receiving);
      if (messages === undefined) {
        // A late answer's messages can still be done, or released.
        receiving.then((late) => this.#take(late, sent)).catch(() => {});
        throw deadline.signal.reason;
      }
      this.#hasAnswered = true;
      this.#take(messages, sent);
      return messages.length;
    } catch (error) {
      if (attempt !== undefined) this.#attemptIds.push(attempt.attemptId);
      if (!this.#isStopped) this.#context.events.receiveFailed?.(error);
      throw error;
    } finally {
      this.#deadlines.splice(this.#deadlines.indexOf(deadline), 1);
      deadline.end();
      if (!deadline.signal.aborted) this.#unused.push(deadline);
      if (this.#deadlines.length === 0) this.#alarm.off();
    }
  }

  readonly #onLeft = (problem: string): void => {
    const { loggers, queue } = this.#context;
    loggers.get("zsqs").error(`Left a message in ${queue}: ${problem}`);
  };

  #take(messages: readonly ReceivedMessage[], sent: SentReceive): void {
    this.#context.events.received(messages.length);
    this.#options.onMessages(messages, sent);
  }

  /** Gives up the receives that were not answered in time. */
  #endLate(): void {
    const now = this.#context.clock.now();
    for (const deadline of this.#deadlines) {
      if (deadline.dueMs <= now) {
        // A busy event loop fires this timer late, with the answer already
        // there and not yet read.
        const isLate = now - deadline.dueMs >= LATE_MS;
        if (isLate && !deadline.isPutOff) {
          deadline.dueMs = now + EXTRA_MS;
          deadline.isPutOff = true;
        } else deadline.abort(noAnswer(deadline.limitMs));
      }
      this.#alarm.setBy(deadline.dueMs);
    }
  }

  /**
   * A half-full answer means that there is more, as SQS gives less than there
   * is. An empty one means that there is nothing.
   */
  #adapt(count: number, max: number): void {
    const { options } = this.#context;
    this.#recover();
    this.emptyInRow = count === 0 ? this.emptyInRow + 1 : 0;
    if (count === 0) this.#allowed = 1;
    else if (count < max / 2) this.#allowed = Math.max(1, this.#allowed - 1);
    else {
      const capacity = jobsAtATime(options) + options.prefetch;
      const full = Math.floor(capacity / MAX_BATCH);
      // A poll without a socket would wait, and its lease run out.
      const most = Math.min(MAX_POLLS, Math.max(1, full));
      this.#allowed = Math.min(most, this.#allowed + 1);
    }
  }

  /** Waits after a failed receive. */
  #pause(error: unknown): void {
    if (this.#cancelPause !== undefined) return;
    this.#allowed = 1;
    this.#cancelPause = this.#context.clock.timer(this.#fail(error), () => {
      this.#cancelPause = undefined;
      this.#options.onChange();
    });
  }

  #recover(): void {
    const { loggers, queue } = this.#context;
    if (this.#failures > 0) {
      loggers.get("zsqs").info(`Receiving from ${queue} again`);
    }
    this.#failures = 0;
    this.#refusedSinceMs = Infinity;
  }

  /** How long a drain tries on, if each receive is refused or none was taken. */
  get #drainLeftMs(): number {
    const sinceMs = this.#hasAnswered
      ? this.#refusedSinceMs
      : this.#failingSinceMs;
    return sinceMs + PROBLEM_MS - this.#context.clock.now();
  }

  #drainError(error: unknown): unknown {
    if (!this.#hasAnswered || !(error instanceof SqsError)) return error;
    const { code, senderFault, message } = error;
    return new SqsError(
      `Cannot drain ${this.#context.queue}, as each receive for 60 s was refused: ${message}`,
      { code, senderFault, cause: error },
    );
  }

  /** Returns the pause after a failure, longer each time, in ms. */
  #fail(error: unknown): number {
    const { clock, random } = this.#context;
    const now = clock.now();
    if (this.#failures === 0) this.#failingSinceMs = now;
    const since = isRefusal(error) ? this.#refusedSinceMs : Infinity;
    this.#refusedSinceMs = isRefusal(error) ? Math.min(since, now) : Infinity;
    this.#logFailure(error, this.#failures === 0, now);
    this.#failures++;
    const longest = Math.min(MAX_PAUSE_MS, MIN_PAUSE_MS * 2 ** this.#failures);
    const ms = MIN_PAUSE_MS + random() * (longest - MIN_PAUSE_MS);
    const isEnding = this.#options.isDraining() && this.#drainLeftMs > 0;
    return isEnding ? Math.min(ms, this.#drainLeftMs) : ms;
  }

  /** An outage shows itself in ever other ways: only a new refusal is news. */
  #logFailure(error: unknown, isFirst: boolean, now: number): void {
    const { loggers, queue } = this.#context;
    const isKnown = error instanceof SqsError && isRefusal(error);
    const code = isKnown ? error.code : "";
    const isNews = code !== this.#logged.code ||
      now - this.#logged.atMs >= LOG_MS;
    if (!isFirst && !isNews) return;
    this.#logged = { code, atMs: now };
    loggers.get("zsqs").error(
      `Receive from ${queue} failed; retrying: ${messageOf(error)}`,
    );
  }
}

function noAnswer(limitMs: number): SqsError {
  return new SqsError(
    `ReceiveMessage failed: no answer within ${limitMs / 1000} s`,
    { code: "TimeoutError", senderFault: false },
  );
}
