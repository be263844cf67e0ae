/**
 * The messages that a container holds: waiting, running or being settled.
 *
 * @module
 */

import type { Lease } from "./leases.ts";

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

/** The waiting messages of a queue. */
export class WaitingList {
  readonly #fifo: boolean;
  #leases: Lease[] = [];
  /** Of each group the message that runs or is being settled. */
  readonly #busy = new Map<string, Lease>();

  constructor(fifo: boolean) {
    this.#fifo = fifo;
  }

  get size(): number {
    return this.#leases.length;
  }

  /** How many of them could start now: of each group one at most. */
  get ready(): number {
    if (!this.#fifo) return this.#leases.length;
    const groups = new Set(this.#leases.map(groupOf));
    for (const group of this.#busy.keys()) groups.delete(group);
    return groups.size;
  }

  add(lease: Lease): void {
    this.#leases.push(lease);
  }

  /** Takes out the first message that may run now; its group is then busy. */
  take(): Lease | undefined {
    if (!this.#fifo) return this.#leases.shift();
    const position = this.#leases.findIndex((lease) =>
      !this.#busy.has(groupOf(lease))
    );
    if (position < 0) return undefined;
    const [lease] = this.#leases.splice(position, 1);
    this.#busy.set(groupOf(lease!), lease!);
    return lease;
  }

  /** A message is settled: the next one of its group may run. */
  free(lease: Lease): void {
    const group = groupOf(lease);
    if (this.#busy.get(group) === lease) this.#busy.delete(group);
  }

  /** Whether messages of the same group wait behind one. */
  hasBehind(lease: Lease): boolean {
    return this.#fifo &&
      this.#leases.some((each) => groupOf(each) === groupOf(lease));
  }

  /** Takes out one message, if it waits. */
  remove(lease: Lease): void {
    const position = this.#leases.indexOf(lease);
    if (position >= 0) this.#leases.splice(position, 1);
  }

  /** Takes out the messages of the same group, which must not run before. */
  takeBehind(lease: Lease): Lease[] {
    if (!this.#fifo) return [];
    const group = groupOf(lease);
    const behind = this.#leases.filter((each) => groupOf(each) === group);
    if (behind.length > 0) {
      this.#leases = this.#leases.filter((each) => groupOf(each) !== group);
    }
    return behind;
  }

  /** Takes out all. */
  takeAll(): Lease[] {
    return this.#leases.splice(0);
  }
}

function groupOf(lease: Lease): string {
  return lease.message.groupId ?? "";
}
