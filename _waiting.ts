/**
 * Messages that were received and wait for their job to start, and the order
 * in which FIFO groups demand it.
 *
 * @module
 */

import type { Lease } from "./_leases.ts";

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
