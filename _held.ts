/**
 * The messages that a container holds: waiting, running or being settled.
 *
 * @module
 */

import type { Lease } from "./_leases.ts";

/** A power of two: with 2,000 messages there are eight in each. */
const BUCKETS = 256;

/** How many characters of an id tell its bucket. */
const HASHED = 4;

/**
 * Leases by their message's id.
 *
 * A hash table of our own in the place of a `Map`: V8 links each table that a
 * `Map` outgrows to the next one, so that where entries come and go all the time
 * one that has grown old keeps all that came after it until the next full
 * collection.
 */
export class HeldMessages {
  readonly #buckets: Lease[][] = Array.from({ length: BUCKETS }, () => []);

  /** The lease of a message, if it is held. */
  get(messageId: string): Lease | undefined {
    for (const lease of this.#bucket(messageId)) {
      if (lease.message.messageId === messageId) return lease;
    }
  }

  has(lease: Lease): boolean {
    return this.#bucket(lease.message.messageId).includes(lease);
  }

  /** Adds a lease of a message that is not held. */
  add(lease: Lease): void {
    this.#bucket(lease.message.messageId).push(lease);
  }

  /** Takes out a lease, if it is held. */
  delete(lease: Lease): void {
    const bucket = this.#bucket(lease.message.messageId);
    const position = bucket.indexOf(lease);
    if (position < 0) return;
    bucket[position] = bucket.at(-1)!;
    bucket.pop();
  }

  *[Symbol.iterator](): Generator<Lease> {
    // A copy of each: who looks at a lease may give up others.
    for (const bucket of this.#buckets) yield* [...bucket];
  }

  #bucket(messageId: string): Lease[] {
    let hash = 0;
    // SQS's ids are random; where a server counts, it is the end that differs.
    const start = Math.max(0, messageId.length - HASHED);
    for (let i = start; i < messageId.length; i++) {
      hash = (hash * 31 + messageId.charCodeAt(i)) | 0;
    }
    return this.#buckets[hash & (BUCKETS - 1)]!;
  }
}
