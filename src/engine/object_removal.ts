/**
 * Deletes the bodies of large jobs from S3, once their messages are gone.
 *
 * @module
 */

import { ByteBudget } from "../byte_budget.ts";
import type { Logger } from "../logging/loggers.ts";
import type { Reading } from "../message/reading.ts";
import { pointerOf, shownPlace } from "../message/s3_pointer.ts";
import type { JobMessage } from "../sqs/connection.ts";
import {
  isWithin,
  type ObjectFolder,
  type ObjectPlace,
  type ObjectStore,
  whyRefused,
} from "../sqs/objects.ts";

/** The most deletes at a time, ... */
const MAX_DELETES = 16;

/** ... and the most that wait; others are left to the lifecycle rule. */
const MAX_PENDING = 10_000;

/** How long a stop waits for them, in milliseconds. */
const STOP_MS = 5_000;

/** What removing works with. */
interface RemovalOptions {
  readonly folder: ObjectFolder;
  readonly store: ObjectStore;
  readonly reading: Reading;
  readonly logger: Logger;
}

/** Deletes objects in the background. */
export class ObjectRemoval {
  readonly #options: RemovalOptions;
  readonly #budget = new ByteBudget(0, MAX_DELETES);
  readonly #pending = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  /** Whether the last delete failed: then the log has the reason. */
  #isFailing = false;

  constructor(options: RemovalOptions) {
    this.#options = options;
  }

  /** Deletes what a message points to. Never throws. */
  remove(message: JobMessage): void {
    const place = pointerOf(message, this.#options.reading);
    if (place === undefined || !isWithin(place, this.#options.folder)) return;
    if (this.#pending.size >= MAX_PENDING) return;
    const pending = this.#delete(place)
      .finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  /** Waits for pending deletes, for a while. */
  async close(): Promise<void> {
    if (this.#pending.size === 0) return;
    const timer = setTimeout(() => this.#stop.abort(), STOP_MS);
    await Promise.all(this.#pending);
    clearTimeout(timer);
  }

  async #delete(place: ObjectPlace): Promise<void> {
    const { store, folder, logger } = this.#options;
    const { signal } = this.#stop;
    const held = await this.#budget.take(0, signal);
    try {
      await store.delete(place.key, { signal });
      this.#isFailing = false;
    } catch (error) {
      if (this.#isFailing) return;
      this.#isFailing = true;
      logger.warn(
        `Cannot delete ${shownPlace(place)}, whose job has ended: ${
          whyRefused(error, "s3:DeleteObject", folder)
        }`,
      );
    } finally {
      held?.giveBack();
    }
  }
}
