/**
 * Work on the messages of a queue that holds failed ones: list them, redrive
 * them, or delete them.
 *
 * @module
 */

import type { OpenQueue } from "../connect/open_queue.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import { errorOf } from "./failed_message.ts";
import type { Redrive } from "./redrive.ts";
import { Sweep, type Swept } from "./sweep.ts";

/** The action on each selected message. */
export type FailedAction = "list" | "redrive" | "purge";

/** Options of {@linkcode FailedWork}. */
export interface FailedWorkOptions {
  readonly action: FailedAction;
  /**
   * Selects messages by their error, such as `TypeError: x is missing`; a
   * message without an error is not selected.
   *
   * @default {undefined} all messages are selected
   */
  readonly selects?: ((error: string) => boolean) | undefined;
  readonly redrive: Redrive;
  /** Stops it after the current batch. */
  readonly signal: AbortSignal;
  /** Called with each selected message of `list`. */
  readonly onMessage: (message: ReceivedMessage) => void;
  /** Called after each batch. */
  readonly onBatch: () => void;
  /** Called with a problem that is retried. */
  readonly warn: (text: string) => void;
}

/** What a batch's action did. */
interface Acted {
  /** The messages to delete. */
  readonly gone: readonly Swept[];
  /** A failure that stops the work. */
  readonly stop?: { readonly error: unknown } | undefined;
}

/** One pass over the messages of a queue; its counts grow while it runs. */
export class FailedWork {
  readonly #options: FailedWorkOptions;
  readonly #sweep: Sweep;
  /** Redriven messages that failed again meanwhile. */
  #again = 0;
  #selected = 0;
  #done = 0;
  /** Messages sent, by queue. */
  readonly sentTo: Map<string, number> = new Map();
  /** Messages that stay, by reason. */
  readonly problems: Map<string, number> = new Map();

  constructor(open: OpenQueue, options: FailedWorkOptions) {
    const { signal, warn } = options;
    this.#options = options;
    this.#sweep = new Sweep(open, { signal, warn });
  }

  /** Messages that were looked at. */
  get seen(): number {
    return this.#sweep.seen - this.#again;
  }

  /** Messages that matched. */
  get selected(): number {
    return this.#selected - this.#again;
  }

  /** Messages listed, redriven, or deleted. */
  get done(): number {
    const isPurge = this.#options.action === "purge";
    return this.#done - (isPurge ? this.undeleted : 0);
  }

  /** Messages that came while it ran, and were left. */
  get newer(): number {
    return this.#sweep.newer + this.#again;
  }

  /** Messages that could not be deleted. */
  get undeleted(): number {
    return this.#sweep.undeleted;
  }

  /** Messages that could not be released: hidden until their lease ends. */
  get unreleased(): number {
    return this.#sweep.unreleased;
  }

  /** Handles every message, then releases the remaining ones. */
  async run(): Promise<void> {
    await using sweep = this.#sweep;
    for await (const batch of sweep.batches()) {
      await this.#handle(batch);
      this.#options.onBatch();
    }
  }

  async #handle(batch: readonly Swept[]): Promise<void> {
    const ours = batch.filter(({ lease }) => !lease.lost);
    const chosen = ours.filter(({ message }) => this.#isSelected(message));
    this.#selected += chosen.length;
    const { gone, stop } = await this.#act(chosen);
    this.#done += this.#options.action === "list" ? chosen.length : gone.length;
    if (gone.length > 0) await this.#sweep.delete(gone);
    this.#sweep.pass(ours.filter((each) => !gone.includes(each)));
    if (stop !== undefined) throw stop.error;
  }

  async #act(chosen: readonly Swept[]): Promise<Acted> {
    switch (this.#options.action) {
      case "list":
        for (const { message } of chosen) this.#options.onMessage(message);
        return { gone: [] };
      case "purge":
        return { gone: chosen };
      case "redrive":
        return await this.#redrive(chosen);
    }
  }

  async #redrive(chosen: readonly Swept[]): Promise<Acted> {
    const { results, stop } = await this.#options.redrive.send(
      chosen.map(({ message }) => message),
    );
    const gone = chosen.filter((_, i) => {
      const result = results[i]!;
      if ("sentTo" in result) add(this.sentTo, result.sentTo);
      else if ("again" in result) this.#again++;
      else if (stop === undefined) add(this.problems, result.problem);
      return "sentTo" in result;
    });
    return { gone, stop };
  }

  #isSelected(message: ReceivedMessage): boolean {
    const { selects } = this.#options;
    if (selects === undefined) return true;
    const error = errorOf(message);
    return error !== undefined && selects(error);
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
