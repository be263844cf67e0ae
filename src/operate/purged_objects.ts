/**
 * The bodies in S3 of messages that were deleted for good.
 *
 * @module
 */

import { anyPointerOf, shownPlace } from "../message/s3_pointer.ts";
import type { ReceivedMessage } from "../sqs/connection.ts";
import {
  isWithin,
  type ObjectFolder,
  type ObjectStore,
  whyRefused,
} from "../sqs/objects.ts";

/** Deletes objects in one folder, and no others. */
export class PurgedObjects {
  readonly #folder: ObjectFolder;
  readonly #store: ObjectStore;
  /** How many were deleted, ... */
  deleted = 0;
  /** ... and could not be, ... */
  failed = 0;
  /** ... and why, once. */
  problem: string | undefined;

  constructor(folder: ObjectFolder, store: ObjectStore) {
    this.#folder = folder;
    this.#store = store;
  }

  /** Deletes what messages point to. Never rejects. */
  async delete(messages: readonly ReceivedMessage[]): Promise<void> {
    await Promise.all(messages.map(async (message) => {
      const place = anyPointerOf(message);
      if (place === undefined || !isWithin(place, this.#folder)) return;
      try {
        await this.#store.delete(place.key);
        this.deleted++;
      } catch (error) {
        this.failed++;
        const why = whyRefused(error, "s3:DeleteObject", this.#folder);
        this.problem ??= `${shownPlace(place)}: ${why}`;
      }
    }));
  }
}
