/**
 * Messages whose job has not started, and the choice of the next one to run. On
 * a FIFO queue it is the first whose group neither runs nor is being settled.
 *
 * @module
 */

import type { Lease } from "./lease.ts";

/** The waiting messages of a queue, in the order of their arrival. */
export class WaitingMessages {
  readonly #fifo: boolean;
  #leases: Lease[] = [];
  /** The message that runs or is being settled, by its group. */
  readonly #busy = new Map<string, Lease>();

  constructor(fifo: boolean) {
    this.#fifo = fifo;
  }

  get size(): number {
    return this.#leases.length;
  }

  /** How many jobs could start now: on FIFO queues one for each group. */
  get startable(): number {
    if (!this.#fifo) return this.#leases.length;
    const groups = new Set(this.#leases.map(groupOf));
    for (const group of this.#busy.keys()) groups.delete(group);
    return groups.size;
  }

  add(lease: Lease): void {
    this.#leases.push(lease);
  }

  /** Lets the later messages of a group wait until one is settled. */
  occupy(lease: Lease): void {
    if (this.#fifo && !this.#busy.has(groupOf(lease))) {
      this.#busy.set(groupOf(lease), lease);
    }
  }

  /** Takes out the next message to run; its group is busy from now on. */
  takeNext(): Lease | undefined {
    if (!this.#fifo) return this.#leases.shift();
    const position = this.#leases.findIndex((lease) =>
      !this.#busy.has(groupOf(lease))
    );
    if (position < 0) return undefined;
    const [lease] = this.#leases.splice(position, 1);
    this.#busy.set(groupOf(lease!), lease!);
    return lease;
  }

  /** Lets the next message of a settled message's group run. */
  free(lease: Lease): void {
    const group = groupOf(lease);
    if (this.#busy.get(group) === lease) this.#busy.delete(group);
  }

  /** Takes out one message, if it waits. */
  remove(lease: Lease): void {
    const position = this.#leases.indexOf(lease);
    if (position >= 0) this.#leases.splice(position, 1);
  }

  /** Whether messages of the same group wait behind one. */
  hasBehind(lease: Lease): boolean {
    return this.#fifo &&
      this.#leases.some((each) => groupOf(each) === groupOf(lease));
  }

  /** Takes out the messages of the same group, as they must not overtake it. */
  takeBehind(lease: Lease): Lease[] {
    if (!this.hasBehind(lease)) return [];
    const group = groupOf(lease);
    const behind = this.#leases.filter((each) => groupOf(each) === group);
    this.#leases = this.#leases.filter((each) => groupOf(each) !== group);
    return behind;
  }

  takeAll(): Lease[] {
    return this.#leases.splice(0);
  }
}

function groupOf(lease: Lease): string {
  return lease.message.groupId ?? "";
}
