/**
 * The engine: receives messages, runs their jobs and settles them.
 *
 * One message is received and handled at a time, as in zc.sqs.
 *
 * @module
 */

import type { Clock } from "./_clock.ts";
import type { Connection, ReceivedMessage } from "./_connection.ts";
import { JobAbortedError, MAX_VISIBILITY_SECONDS } from "./_errors.ts";
import { type Handler, type Outcome, runJob } from "./_job.ts";
import type { Logger } from "./_loggers.ts";
import { bodyText } from "./_wire.ts";

/** The longest pause after failed receives, in milliseconds. */
const MAX_PAUSE_MS = 30_000;

/** How many long polls in a row must be empty before a drain ends. */
const DRAIN_POLLS = 2;

/** What a container did. */
export interface ContainerSummary {
  /** Messages received. */
  readonly received: number;
  /** Jobs whose handler returned. */
  readonly done: number;
  /** Jobs whose input was bad: logged, and their messages deleted. */
  readonly failed: number;
  /** Jobs to be tried again. */
  readonly retried: number;
  /** Messages given back unrun, or while their job ran. */
  readonly released: number;
}

/** What the engine works with. */
export interface EngineOptions {
  readonly connection: Connection;
  readonly url: string;
  /** The queue's name. */
  readonly queue: string;
  readonly handler: Handler;
  readonly loggers: { get(name: string): Logger };
  readonly clock: Clock;
  /** How long a receive waits for a message, in seconds. */
  readonly waitTimeSeconds: number;
  /** Asked for at every receive in place of the queue's own, in seconds. */
  readonly visibilityTimeoutSeconds?: number;
}

/** How a run is ended. */
export interface EngineRunOptions {
  /**
   * Ends the run: no receive is started, the one in flight is awaited and what
   * it brings released, and the running job finishes.
   */
  readonly signal: AbortSignal;
  /** Ends it now: drops the receive, aborts the running job and releases it. */
  readonly forceSignal: AbortSignal;
  /** Ends the run when nothing comes any more. */
  readonly drain: boolean;
}

/** What one receive brought. */
interface Batch {
  readonly messages: readonly ReceivedMessage[];
  /** When the receive was sent: leases are counted from then. */
  readonly receivedAt: number;
}

/** Runs one container's jobs. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #logger: Logger;
  readonly #messages: Logger;
  readonly #counts = {
    received: 0,
    done: 0,
    failed: 0,
    retried: 0,
    released: 0,
  };

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#logger = options.loggers.get("zsqs");
    this.#messages = options.loggers.get("zsqs.messages");
  }

  /** What has been done so far. */
  get summary(): ContainerSummary {
    return { ...this.#counts };
  }

  /** Receives and handles what is visible now; for the testing double. */
  async drain(): Promise<void> {
    const never = new AbortController().signal;
    for (;;) {
      const batch = await this.#receive(0, never);
      if (batch.messages.length === 0) return;
      await this.#handleAll(batch, never, never);
    }
  }

  /** Receives and handles messages until it is told to end. */
  async run(options: EngineRunOptions): Promise<void> {
    const { signal, forceSignal, drain } = options;
    const { waitTimeSeconds } = this.#options;
    let failures = 0;
    let empty = 0;
    const stopped = () => signal.aborted || forceSignal.aborted;
    while (!stopped() && !(drain && empty >= DRAIN_POLLS)) {
      try {
        const batch = await this.#receive(waitTimeSeconds, forceSignal);
        empty = batch.messages.length === 0 ? empty + 1 : 0;
        if (failures > 0) {
          this.#logger.info(`Receiving from ${this.#options.queue} again`);
        }
        failures = 0;
        await this.#handleAll(batch, signal, forceSignal);
      } catch (error) {
        if (stopped()) break;
        failures++;
        await this.#pause(
          failures,
          error,
          AbortSignal.any([signal, forceSignal]),
        );
      }
    }
  }

  async #receive(
    waitTimeSeconds: number,
    forceSignal: AbortSignal,
  ): Promise<Batch> {
    const { connection, url, visibilityTimeoutSeconds, clock } = this.#options;
    const startedAt = clock.now();
    const messages = await connection.receive(url, {
      maxMessages: 1,
      waitTimeSeconds,
      signal: forceSignal,
      ...(visibilityTimeoutSeconds === undefined
        ? {}
        : { visibilityTimeoutSeconds }),
    });
    this.#counts.received += messages.length;
    return { messages, receivedAt: startedAt };
  }

  /** Runs the jobs of a receive, or releases them. It never rejects. */
  async #handleAll(
    { messages, receivedAt }: Batch,
    signal: AbortSignal,
    forceSignal: AbortSignal,
  ): Promise<void> {
    for (const message of messages) {
      if (signal.aborted || forceSignal.aborted) await this.#release(message);
      else await this.#handle(message, receivedAt, forceSignal);
    }
  }

  async #handle(
    message: ReceivedMessage,
    receivedAt: number,
    forceSignal: AbortSignal,
  ): Promise<void> {
    const abort = new AbortController();
    const job = runJob(message, {
      handler: this.#options.handler,
      queue: this.#options.queue,
      loggers: this.#options.loggers,
      signal: abort.signal,
    });
    const given = await unlessAborted(job, forceSignal);
    if (given !== undefined) {
      return await this.#settle(message, given, receivedAt);
    }
    abort.abort(new JobAbortedError("stopping"));
    this.#logger.warn(
      `Gave up on job ${message.messageId} as the container is stopping: it will be received again`,
    );
    await this.#release(message);
  }

  async #settle(
    message: ReceivedMessage,
    outcome: Outcome,
    receivedAt: number,
  ): Promise<void> {
    switch (outcome.kind) {
      case "done":
        this.#counts.done++;
        return await this.#delete(message);
      case "failed":
        this.#counts.failed++;
        this.#logger.error("Handling a message", outcome.error);
        this.#messages.info(bodyText(message.body));
        return await this.#delete(message);
      case "retry":
        this.#counts.retried++;
        this.#logRetry(message, outcome);
        if (outcome.delaySeconds !== undefined) {
          await this.#hide(message, outcome.delaySeconds, receivedAt);
        }
    }
  }

  #logRetry(
    message: ReceivedMessage,
    { reason, error }: Outcome & { kind: "retry" },
  ): void {
    const text = `Job ${message.messageId} will be received again`;
    if (reason === "transient") this.#logger.debug(text, error);
    else if (reason === "aborted") this.#logger.warn(text, error);
    else {
      this.#logger.error(
        `${text}: start the container with the Deno permission that its worker needs`,
        error,
      );
    }
  }

  #delete(message: ReceivedMessage): Promise<void> {
    const { connection, url } = this.#options;
    return this.#change(
      message,
      "delete",
      () => connection.delete(url, [message.receiptHandle]),
    );
  }

  async #release(message: ReceivedMessage): Promise<void> {
    this.#counts.released++;
    await this.#hide(message, 0, this.#options.clock.now());
  }

  /** Hides a message for a while from now on, as far as SQS allows. */
  #hide(
    message: ReceivedMessage,
    seconds: number,
    receivedAt: number,
  ): Promise<void> {
    const { connection, url, clock } = this.#options;
    const left = MAX_VISIBILITY_SECONDS -
      Math.ceil((clock.now() - receivedAt) / 1000);
    const visibilityTimeoutSeconds = Math.max(0, Math.min(seconds, left));
    if (visibilityTimeoutSeconds < seconds) {
      this.#logger.warn(
        `Shortened the retry delay of job ${message.messageId} from ${seconds} s to ${visibilityTimeoutSeconds} s: SQS hides a message for at most 12 hours after it was received`,
      );
    }
    return this.#change(
      message,
      "change the visibility of",
      () =>
        connection.changeVisibility(url, [{
          receiptHandle: message.receiptHandle,
          visibilityTimeoutSeconds,
        }]),
    );
  }

  /** Makes a change to one message; a failure is logged, never thrown. */
  async #change(
    message: ReceivedMessage,
    what: string,
    call: () => ReturnType<Connection["delete"]>,
  ): Promise<void> {
    try {
      const [result] = await call();
      if (result?.ok !== false) return;
      const { code, message: text } = result.failure;
      this.#logger.error(
        `Cannot ${what} message ${message.messageId}: ${code}: ${text}`,
      );
    } catch (error) {
      this.#logger.error(
        `Cannot ${what} message ${message.messageId}: ${messageOf(error)}`,
      );
    }
  }

  /** Waits after a failed receive, longer each time, and says so once. */
  async #pause(
    failures: number,
    error: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    if (failures === 1) {
      this.#logger.error(
        `Cannot receive from ${this.#options.queue}, trying on: ${
          messageOf(error)
        }`,
      );
    }
    const longest = Math.min(MAX_PAUSE_MS, 1000 * 2 ** failures);
    const ms = 1000 + Math.random() * (longest - 1000);
    await this.#options.clock.sleep(ms, signal);
  }
}

/** A promise's value, or `undefined` once the signal aborts. */
async function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = () => resolve(undefined);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
