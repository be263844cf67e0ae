/**
 * Work on the messages of a queue that holds failed ones: list them, redrive
 * them, or delete them.
 *
 * @module
 */

import type { OpenQueue } from "../connect/open_queue.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import type { Redrive } from "./redrive.ts";
import { Sweep, type SweepOptions } from "./sweep.ts";

type FailedAction = "list" | "redrive" | "purge";

/** Options of {@linkcode FailedWork}; its signal stops it after a batch. */
export interface FailedWorkOptions extends SweepOptions {
  readonly action: FailedAction;
  /** Selects messages; absent: all. */
  readonly selects?:
    | ((message: ReceivedMessage, nowMs: number) => boolean)
    | undefined;
  /** The most messages to select. */
  readonly limit?: number | undefined;
  readonly redrive: Pick<Redrive, "send">;
  /** Called with messages that are deleted for good. */
  readonly onPurged?:
    | ((messages: readonly ReceivedMessage[]) => Promise<void>)
    | undefined;
  /** Called with each selected message of `list`. */
  readonly onMessage: (message: ReceivedMessage) => void;
  readonly onBatch: () => void;
}

/** One pass over the messages of a queue; its counts grow while it runs. */
export class FailedWork {
  readonly #open: OpenQueue;
  readonly #options: FailedWorkOptions;
  /** Counts the messages that were seen, came meanwhile, or stay hidden. */
  readonly sweep: Sweep;
  selected = 0;
  /** Messages listed, redriven, or deleted. */
  done = 0;
  undeleted = 0;
  /** Messages sent, by queue. */
  readonly sentTo: Map<string, number> = new Map();
  /** Messages that stay, by reason. */
  readonly problems: Map<string, number> = new Map();

  constructor(open: OpenQueue, options: FailedWorkOptions) {
    this.#open = open;
    this.#options = options;
    this.sweep = new Sweep(open, options);
  }

  /** Handles every message, then releases the remaining ones. */
  async run(): Promise<void> {
    const { action, limit = Infinity, onMessage, onBatch } = this.#options;
    const { selects = () => true } = this.#options;
    await using sweep = this.sweep;
    for await (const batch of sweep.batches()) {
      const now = this.#nowMs;
      const chosen = batch.filter((message) => selects(message, now))
        .slice(0, limit - this.selected);
      this.selected += chosen.length;
      if (action === "redrive") await this.#redrive(chosen);
      else if (action === "purge") await this.#delete(chosen);
      else {
        for (const message of chosen) onMessage(message);
        this.done += chosen.length;
      }
      onBatch();
      if (this.selected >= limit) return;
    }
  }

  /** The server's time. */
  get #nowMs(): number {
    const { clock, connection } = this.#open;
    return clock.now() + connection.clockAheadMs;
  }

  async #redrive(chosen: readonly ReceivedMessage[]): Promise<void> {
    const { redrive } = this.#options;
    const results = await Promise.all(chosen.map((each) => redrive.send(each)));
    for (const result of results) {
      if ("sentTo" in result) add(this.sentTo, result.sentTo);
      if ("problem" in result) {
        const { problem, fix } = result;
        add(this.problems, fix === undefined ? problem : `${problem}: ${fix}`);
      }
      if ("again" in result) {
        this.selected--;
        this.sweep.seen--;
        this.sweep.newer++;
      }
    }
    await this.#delete(chosen.filter((_, i) => "sentTo" in results[i]!));
    const stop = results.find((result) => "error" in result);
    if (stop !== undefined) throw stop.error;
  }

  /** Deletes messages. One that was sent is done even if this fails. */
  async #delete(messages: readonly ReceivedMessage[]): Promise<void> {
    if (messages.length === 0) return;
    const { count, error } = await this.sweep.delete(messages);
    this.undeleted += count;
    this.done += messages.length;
    const { action, onPurged } = this.#options;
    // Of a batch that is deleted in part, nobody knows which messages are gone.
    if (count === 0 && action === "purge") await onPurged?.(messages);
    if (count === 0) return;
    if (action === "purge") this.done -= count;
    throw error;
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
