/**
 * Polling: receives that start when there is room, more of them while answers
 * are full, one long poll while they are empty.
 *
 * @module
 */

import { Alarm, type Clock, type Random, sleep } from "../clock.ts";
import { isNotCapable, messageOf, SqsError } from "../errors.ts";
import type { Logger } from "../logging/loggers.ts";
import {
  type Connection,
  isDenied,
  isMissingQueue,
  MAX_BATCH,
  type ReceivedMessage,
} from "../sqs/connection.ts";
import type { EngineConnection } from "../telemetry/counters.ts";

/** How much longer than its wait a receive may take, in milliseconds. */
const GRACE_MS = 10_000;

/** For how long receives must have failed to be a problem, in milliseconds. */
const PROBLEM_MS = 60_000;

/** When a time-out comes so late, the CPU was not free, in milliseconds. */
const LATE_MS = 500;

/** How much longer a receive may take then, in milliseconds. */
const EXTRA_MS = 1_000;

/** The shortest and longest pause after failed receives, in milliseconds. */
const MIN_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;

/** What the polls work with. */
export interface PollsOptions {
  readonly connection: EngineConnection;
  readonly url: string;
  /** The queue's name. */
  readonly queue: string;
  readonly fifo: boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** How many messages the container holds at most. */
  readonly capacity: number;
  readonly visibility: Visibility;
  /** Whether nobody has seen yet that the queue can be used. */
  readonly isUnseen: boolean;
  /** Called where the first receive tells that it cannot. */
  readonly onUnusable: (error: unknown) => void;
  /** Takes an answer, when its request was sent, and what that asked for. */
  readonly onAnswer: (
    messages: readonly ReceivedMessage[],
    sent: { readonly atMs: number; readonly visibilitySeconds: number },
  ) => void;
  /** Called when a poll has ended or may start. */
  readonly onChange: () => void;
}

/** What a container has room for. */
export interface Demand {
  /** How many messages more it may hold. */
  readonly room: number;
  /** How many it has that wait for their job to start. */
  readonly waiting: number;
  readonly waitTimeSeconds: number;
}

/** The receives of one container. */
export class Polls {
  readonly #options: PollsOptions;
  /** Of the receives in flight, ... */
  readonly #cuts: Cut[] = [];
  /** ... and for the next ones: a new signal for each would cost more. */
  readonly #unused: Cut[] = [];
  /** Rings when one of them is due. */
  readonly #alarm: Alarm;
  #isAborted = false;
  /** Ids of receives whose answer was lost, to be asked for again. */
  readonly #attemptIds: string[] = [];
  /** How many messages the polls in flight may bring. */
  #reserved = 0;
  #size = 0;
  /** How many polls may be in flight. */
  #allowed = 1;
  #failures = 0;
  #answered = false;
  /** When the first of them was, and what the last one said. */
  #failingSinceMs = 0;
  #lastError: unknown;
  #stopped = false;
  #cancelPause: (() => void) | undefined;
  /** How many answers in a row were empty. */
  empty = 0;

  constructor(options: PollsOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.#cutLate());
  }

  /** How many polls are in flight. */
  get size(): number {
    return this.#size;
  }

  /** Why no messages come, where receives have failed for a minute. */
  get problem(): string | undefined {
    const ms = this.#options.clock.now() - this.#failingSinceMs;
    // After one alone there may have been no room to try again.
    return this.#failures < 2 || ms < PROBLEM_MS
      ? undefined
      : `Cannot receive from ${this.#options.queue} for ${
        Math.floor(ms / 1000)
      } s: ${messageOf(this.#lastError)}`;
  }

  /** Starts as many polls as there is room and reason for. */
  start({ room, waiting, waitTimeSeconds }: Demand): void {
    while (this.#cancelPause === undefined && this.#size < this.#allowed) {
      const max = Math.min(MAX_BATCH, room - this.#reserved);
      const wanted = max === MAX_BATCH ||
        (max > 0 && waiting === 0 && this.#size === 0);
      if (!wanted) return;
      this.#poll(max, waitTimeSeconds).then(() => this.#options.onChange());
    }
  }

  /**
   * One receive that waits for nothing, made again where it fails; tells how
   * many messages it brought.
   */
  async once(room: number): Promise<number> {
    for (;;) {
      try {
        const messages = await this.#receive(Math.min(MAX_BATCH, room), 0);
        this.#recovered();
        return messages.length;
      } catch (error) {
        if (!(error instanceof SqsError)) throw error;
        await sleep(this.#options.clock, this.#failed(error));
      }
    }
  }

  /** Ends a pause after failures: no poll is to start any more. */
  stop(): void {
    this.#stopped = true;
    this.#cancelPause?.();
    this.#cancelPause = undefined;
  }

  /** Drops the polls in flight. */
  abort(): void {
    this.#isAborted = true;
    for (const cut of this.#cuts) cut.abort(DROPPED);
  }

  async #poll(max: number, waitTimeSeconds: number): Promise<void> {
    this.#size++;
    this.#reserved += max;
    try {
      const messages = await this.#receive(max, waitTimeSeconds);
      this.#adapt(messages.length, max);
    } catch (error) {
      if (this.#stopped) return;
      const { isUnseen, onUnusable } = this.#options;
      if (isUnseen && !this.#answered && isFinal(error)) onUnusable(error);
      else this.#pause(error);
    } finally {
      this.#size--;
      this.#reserved -= max;
    }
  }

  async #receive(
    maxMessages: number,
    waitTimeSeconds: number,
  ): Promise<readonly ReceivedMessage[]> {
    const { connection, url, fifo, clock, visibility, onAnswer } =
      this.#options;
    const attemptId = fifo
      ? this.#attemptIds.pop() ?? crypto.randomUUID()
      : undefined;
    const sent = { atMs: clock.now(), visibilitySeconds: visibility.seconds };
    const cut = this.#unused.pop() ?? new Cut();
    cut.expect(sent.atMs, waitTimeSeconds * 1000 + GRACE_MS);
    this.#cuts.push(cut);
    this.#alarm.setBy(cut.dueMs);
    if (this.#isAborted) cut.abort(DROPPED);
    try {
      const receiving = connection.receive(url, {
        maxMessages,
        waitTimeSeconds,
        signal: cut.signal,
        visibilityTimeoutSeconds: sent.visibilitySeconds,
        ...(attemptId === undefined ? {} : { attemptId }),
      });
      // The SDK does not look at the signal while it waits for credentials.
      const messages = await cut.wait(receiving);
      if (messages === undefined) {
        // What comes late all the same is there to be done, or given back.
        receiving.then((late) => onAnswer(late, sent)).catch(() => {});
        throw cut.signal.reason;
      }
      this.#answered = true;
      onAnswer(messages, sent);
      return messages;
    } catch (error) {
      if (attemptId !== undefined) this.#attemptIds.push(attemptId);
      throw error;
    } finally {
      this.#cuts.splice(this.#cuts.indexOf(cut), 1);
      cut.end();
      if (!cut.signal.aborted) this.#unused.push(cut);
      if (this.#cuts.length === 0) this.#alarm.off();
    }
  }

  /** Cuts off the receives that have not been answered in time. */
  #cutLate(): void {
    const now = this.#options.clock.now();
    for (const cut of this.#cuts) {
      if (cut.dueMs <= now) {
        // Where a job kept the CPU the answer may be there, and not yet read.
        const isLate = now - cut.dueMs >= LATE_MS;
        if (isLate && !cut.isPutOff) cut.putOff(now + EXTRA_MS);
        else cut.abort(noAnswer(cut.limitMs));
      }
      this.#alarm.setBy(cut.dueMs);
    }
  }

  /**
   * An answer that is half full at least means that there is more: SQS gives
   * less than there is. An empty one means that there is nothing.
   */
  #adapt(count: number, max: number): void {
    const { capacity } = this.#options;
    this.#recovered();
    this.empty = count === 0 ? this.empty + 1 : 0;
    if (count === 0) this.#allowed = 1;
    else if (count < max / 2) this.#allowed = Math.max(1, this.#allowed - 1);
    else {
      const most = Math.max(1, Math.floor(capacity / MAX_BATCH));
      this.#allowed = Math.min(most, this.#allowed + 1);
    }
  }

  /** Waits after a failed receive. */
  #pause(error: unknown): void {
    const { clock, onChange } = this.#options;
    if (this.#cancelPause !== undefined) return;
    this.#allowed = 1;
    this.#cancelPause = clock.timer(this.#failed(error), () => {
      this.#cancelPause = undefined;
      onChange();
    });
  }

  #recovered(): void {
    const { logger, queue } = this.#options;
    if (this.#failures > 0) logger.info(`Receiving from ${queue} again`);
    this.#failures = 0;
  }

  /** Says once that receives fail; tells the pause, longer each time, in ms. */
  #failed(error: unknown): number {
    const { clock, random, logger, queue } = this.#options;
    this.#failures++;
    this.#lastError = error;
    if (this.#failures === 1) {
      this.#failingSinceMs = clock.now();
      logger.error(
        `Cannot receive from ${queue}, trying on: ${messageOf(error)}`,
      );
    }
    const longest = Math.min(MAX_PAUSE_MS, MIN_PAUSE_MS * 2 ** this.#failures);
    return MIN_PAUSE_MS + random() * (longest - MIN_PAUSE_MS);
  }
}

/** What cuts off one receive after another, for the SDK and for who waits. */
class Cut {
  readonly #controller = new AbortController();
  #giveUp: ((nothing: undefined) => void) | undefined;
  readonly signal: AbortSignal = this.#controller.signal;
  /** How long the receive may take, in milliseconds. */
  limitMs = 0;
  /** When it is cut off, ... */
  dueMs = Infinity;
  /** ... and whether that was put off. */
  isPutOff = false;

  /** A receive begins. */
  expect(nowMs: number, limitMs: number): void {
    this.limitMs = limitMs;
    this.dueMs = nowMs + limitMs;
    this.isPutOff = false;
  }

  /** Waits for its answer; there is none where it was cut off. */
  wait<T>(answer: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      // Itself, in no closure: V8 kept what a closure here could reach.
      this.#giveUp = resolve;
      if (this.signal.aborted) resolve(undefined);
      answer.then(resolve, reject);
    });
  }

  putOff(dueMs: number): void {
    this.dueMs = dueMs;
    this.isPutOff = true;
  }

  /** The receive has ended: nothing of it is held. */
  end(): void {
    this.#giveUp = undefined;
  }

  abort(reason: unknown): void {
    this.dueMs = Infinity;
    this.#controller.abort(reason);
    this.#giveUp?.(undefined);
  }
}

const DROPPED = new DOMException("The receive was dropped", "AbortError");

/** Whether it is no use to try again: a first receive ends the run with that. */
function isFinal(error: unknown): boolean {
  return !(error instanceof SqsError) || error.senderFault ||
    error.code === "CredentialsProviderError";
}

function noAnswer(limitMs: number): SqsError {
  return new SqsError(
    `ReceiveMessage failed: no answer within ${limitMs / 1000} s`,
    { code: "TimeoutError", senderFault: false },
  );
}

/** SQS's default, which is asked for while the queue's own is not known. */
const DEFAULT_SECONDS = 30;

/** The pause before it is asked for again where that failed, in milliseconds. */
const RETRY_MS = 30_000;

/**
 * The visibility timeout that a container's receives ask for. They always do,
 * so that what a lease is worth is known though somebody changes the queue.
 */
export class Visibility {
  /** How long a receive that starts now hides a message. */
  seconds: number;

  constructor(seconds: number = DEFAULT_SECONDS) {
    this.seconds = seconds;
  }

  /**
   * The longest that a receive may wait: a lease counts from the sending of its
   * receive, so a third of it must be left when a message comes at the end.
   */
  get longestWaitSeconds(): number {
    return Math.max(1, Math.floor(this.seconds * 2 / 3));
  }
}

/** The queue whose visibility timeout is asked for. */
export interface VisibilitySource {
  readonly connection: Pick<Connection, "attributes">;
  readonly url: string;
  /** The queue's name. */
  readonly name: string;
}

/** How a queue's own visibility timeout is asked for. */
export interface LearnOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the asking. */
  readonly signal: AbortSignal;
}

/**
 * Asks a queue for its own visibility timeout, until it is known, and takes it
 * over. Where it cannot be had the default stays, with one log line. It never
 * rejects: that the queue cannot be used at all, its receives tell.
 */
export async function learnVisibility(
  visibility: Visibility,
  { connection, url, name }: VisibilitySource,
  { clock, logger, signal }: LearnOptions,
): Promise<void> {
  let told = false;
  const tell = (why: string) => {
    if (told) return;
    told = true;
    logger.info(
      `Hiding messages of ${name} for ${DEFAULT_SECONDS} s, not for the queue's own visibility timeout: ${why}`,
    );
  };
  while (!signal.aborted) {
    try {
      const { visibilityTimeoutSeconds } = await connection.attributes(
        url,
        { signal },
      );
      if (visibilityTimeoutSeconds) {
        visibility.seconds = visibilityTimeoutSeconds;
      } else tell("it is 0, which would have two containers run each job");
      return;
    } catch (error) {
      if (signal.aborted || isMissingQueue(error) || isNotCapable(error)) {
        return;
      }
      if (isDenied(error)) {
        return tell("the right sqs:GetQueueAttributes is missing");
      }
      tell(`it is not known yet: ${messageOf(error)}`);
    }
    await sleep(clock, RETRY_MS, signal);
  }
}
